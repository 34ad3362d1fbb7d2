from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nested_ray.config.corpus import SplitConfig
from nested_ray.corpus.split import assign, group_of, split_documents
from nested_ray.errors import NoUsableFiles

SHARES = st.builds(SplitConfig, validation=st.floats(0.001, 0.25), test=st.floats(0.001, 0.25))
GROUPS = st.text("0123456789abcdef", min_size=64, max_size=64)
SIZES = st.dictionaries(GROUPS, st.integers(1, 10_000), min_size=3, max_size=60)


@pytest.fixture(scope="session")
def many(function_text, make_document):
    return lambda number: [make_document(function_text(i), f"f{i}.py") for i in range(number)]


@given(SIZES, SHARES)
def test_no_side_is_empty_from_three_groups_on(sizes, config):
    assert set(assign(sizes, config).values()) == {"train", "validation", "test"}


@given(SIZES, SHARES, st.randoms())
def test_sides_do_not_depend_on_the_order(sizes, config, random):
    shuffled = list(sizes.items())
    random.shuffle(shuffled)
    assert assign(dict(shuffled), config) == assign(sizes, config)


@given(SIZES, SHARES)
def test_held_out_sides_stay_near_their_share_unless_one_group_is_more(sizes, config):
    sides = assign(sizes, config)
    total, filled, numbers = sum(sizes.values()), Counter(), Counter(sides.values())
    for group, side in sides.items():
        filled[side] += sizes[group]
    for side, share in (("test", config.test), ("validation", config.validation)):
        assert numbers[side] == 1 or filled[side] <= 1.5 * share * total


def test_large_corpora_keep_their_sides_when_they_grow(many):
    before = split_documents(many(1100), SplitConfig())
    after = {each.path: each.split for each in split_documents(many(1500), SplitConfig())}
    assert all(after[each.path] == each.split for each in before)
    shares = Counter(each.split for each in before)
    assert 0.03 < shares["test"] / 1100 < 0.07 and 0.03 < shares["validation"] / 1100 < 0.07


@given(st.randoms())
def test_documents_are_split_the_same_in_any_order(many, random):
    documents = many(30)
    expected = {each.path: each.split for each in split_documents(documents, SplitConfig())}
    random.shuffle(documents)
    assert {each.path: each.split for each in split_documents(documents, SplitConfig())} == expected


def test_copies_that_differ_in_comments_or_white_space_are_on_one_side(many, make_document):
    documents = many(30)
    for each in many(30):
        reworded = "# another header\n" + each.text.replace("\n", "  # note\n\n").replace(
            "    ", "\t"
        )
        documents.append(make_document(reworded, f"copy/{each.path}"))
    sides = defaultdict(set)
    for each in split_documents(documents, SplitConfig(validation=0.2, test=0.2)):
        sides[each.path.removeprefix("copy/")].add(each.split)
    assert {len(found) for found in sides.values()} == {1}
    assert set.union(*sides.values()) == {"train", "validation", "test"}


def test_comment_signs_are_the_language_s_own(make_document):
    bsl = [
        make_document(text, "a.bsl", "bsl") for text in ("А = 1; // раз\n", "А = 1;\n", "А = 2;\n")
    ]
    first, second, third = map(group_of, bsl)
    assert first == second != third


def test_one_file_is_cut_at_its_definitions(function_text, make_document):
    text = '"""Work."""\n\nimport os\n\n' + "\n\n".join(map(function_text, range(14)))
    documents = split_documents([make_document(text, "tools/run.py")], SplitConfig())
    assert Counter(each.split for each in documents).keys() == {"train", "validation", "test"}
    assert {each.cut_from for each in documents} == {"tools/run.py"}
    assert documents[1].path == "tools/run.part2.py"
    assert all(each.text.startswith("def ") for each in documents[1:])
    assert "".join(each.text for each in documents) == text


def test_too_little_code_says_what_to_do(make_document):
    with pytest.raises(NoUsableFiles, match=r"only 1 different pieces of code .* add files"):
        split_documents([make_document("x = 1\n")], SplitConfig())


def test_twenty_files_are_left_whole(many):
    assert all(each.cut_from is None for each in split_documents(many(20), SplitConfig()))

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nested_ray.config.corpus import CorpusConfig, FolderSource, GitSource, PackageSource
from nested_ray.corpus.build import build_corpus
from nested_ray.corpus.documents import REASONS
from nested_ray.errors import ConfigError, NoUsableFiles, SourceNotFound

AWS_KEY = "AKIA" + "Q3EGRZ7TNVKWPL2D"


@pytest.fixture
def mixed(write, function_text):
    """24 good files and one of each kind that is refused."""
    good = {f"good/f{number}.py": function_text(number) for number in range(23)}
    return write(
        good
        | {
            "good/Модуль.bsl": "Процедура А()\r\nКонецПроцедуры\r\n".encode("cp1251"),
            "bad/binary.py": b"\x00\x01",
            "bad/encoding.py": b"x = 'caf\xe9'\n",
            "bad/size.py": "x = 1\n" * 2000,
            "bad/empty.py": "\n",
            "good/z_duplicate.py": function_text(3).replace("\n", "\r\n"),
            "bad/generated.py": "# @generated\nx = 1\n",
            "bad/secret.py": f"key = '{AWS_KEY}'\n",
            "skip/excluded.py": "x = 2\n",
            "readme.md": "# hello\n",
            "data.json": "{}",
        }
    )


def test_every_file_is_accepted_or_refused_with_its_reason(mixed, folder_config):
    (mixed / "bad/unreadable.py").symlink_to("/etc/hostname")
    corpus = build_corpus(folder_config(mixed, exclude=["skip/"], max_file_bytes=5_000))
    assert {each.reason: each.path for each in corpus.rejections} == {
        "binary": "bad/binary.py",
        "encoding": "bad/encoding.py",
        "size": "bad/size.py",
        "empty": "bad/empty.py",
        "duplicate": "good/z_duplicate.py",
        "generated": "bad/generated.py",
        "secret": "bad/secret.py",
        "excluded": "skip/excluded.py",
        "unreadable": "bad/unreadable.py",
    }
    # "known" is of two corpora: see test_joining.py.
    assert {each.reason for each in corpus.rejections} == set(REASONS) - {"known"}
    assert corpus.num_other_language == 2
    assert len(corpus.documents) == 24
    module = next(each for each in corpus.documents if each.language == "bsl")
    assert module.text == "Процедура А()\nКонецПроцедуры\n"


def test_details_say_what_was_found(mixed, folder_config):
    details = {
        each.reason: each.detail
        for each in build_corpus(folder_config(mixed, max_file_bytes=5_000)).rejections
    }
    assert details["secret"] == "AWS Access Key in line 1"
    assert details["size"] == "12,000 bytes"
    assert details["duplicate"] == f"same as good/f3.py in folder:{mixed}"


def test_secrets_may_be_allowed(mixed, folder_config):
    corpus = build_corpus(folder_config(mixed, secrets="allow"))
    assert "bad/secret.py" in {each.path for each in corpus.documents}


def test_documents_stand_in_order_of_source_and_path(mixed, folder_config):
    places = [(each.source, each.path) for each in build_corpus(folder_config(mixed)).documents]
    assert places == sorted(places)


def test_corpus_is_the_same_in_another_place_and_differs_with_its_code(
    mixed, tmp_path, folder_config, function_text
):
    before = build_corpus(folder_config(mixed)).digest
    moved = mixed.rename(tmp_path / "elsewhere")
    assert build_corpus(folder_config(moved)).digest == before
    (moved / "good/f0.py").write_text(function_text(99))
    assert build_corpus(folder_config(moved)).digest != before


def test_only_languages_asked_for_are_read(mixed):
    config = CorpusConfig(sources=(FolderSource(path=str(mixed)),), languages=("bsl",))
    with pytest.raises(NoUsableFiles, match="only 1 different pieces of code"):
        build_corpus(config)


def test_scripts_without_extension_are_known_by_their_first_line(
    write, folder_config, function_text
):
    root = write(
        {f"f{number}.py": function_text(number) for number in range(20)}
        | {
            "run": "#!/usr/bin/env python3\nprint(1)\n",
            "Makefile": "all:\n",
            "deploy": "#!/bin/sh\n",
        }
    )
    corpus = build_corpus(folder_config(root))
    assert "run" in {each.path for each in corpus.documents}
    assert corpus.num_other_language == 2


def test_git_and_folder_hold_the_same_corpus(mixed, git, folder_config):
    git(mixed, "init", "-q")
    git(mixed, "add", ".")
    git(mixed, "commit", "-q", "-m", "all")
    from_git = build_corpus(CorpusConfig(sources=(GitSource(path=str(mixed)),)))
    assert from_git.digest == build_corpus(folder_config(mixed)).digest


def test_overlapping_sources_give_each_text_once(mixed, folder_config):
    one = build_corpus(folder_config(mixed))
    both = CorpusConfig(
        sources=(FolderSource(path=str(mixed / "good")), FolderSource(path=str(mixed)))
    )
    assert build_corpus(both).digest == one.digest


def test_nothing_usable_says_how_many_and_why(write, folder_config):
    root = write({"a.py": b"\x00", "b.py": b"\x00", "c.py": "", "d.txt": "x"})
    with pytest.raises(NoUsableFiles) as error:
        build_corpus(folder_config(root))
    message = str(error.value)
    assert message.startswith(f"no usable file in folder:{root}: 3 files looked at, ")
    assert "2 refused as binary (a.py: NUL or control bytes)" in message
    assert "1 refused as empty (c.py)" in message
    assert "1 of other languages" in message
    assert "languages asked for are python, bsl" in message


def test_missing_source_is_told_before_anything_is_read(mixed, tmp_path):
    def progress(count, path):
        raise AssertionError("nothing should be read")

    sources = (FolderSource(path=str(mixed)), FolderSource(path=str(tmp_path / "nope")))
    with pytest.raises(SourceNotFound, match="does not exist"):
        build_corpus(CorpusConfig(sources=sources), progress)


def test_unknown_language_names_those_there_are(mixed):
    config = CorpusConfig(sources=(FolderSource(path=str(mixed)),), languages=("python", "cobol"))
    with pytest.raises(ConfigError, match="cobol is not known; there are python, bsl"):
        build_corpus(config)


def test_progress_counts_the_files_looked_at(mixed, folder_config):
    seen = []
    build_corpus(folder_config(mixed), lambda count, path: seen.append((count, path)))
    assert [count for count, _ in seen] == list(range(1, 33))
    assert seen[0] == (1, "bad/binary.py")


def test_standard_library_loses_no_file_to_the_secret_scan():
    config = CorpusConfig(
        sources=(PackageSource(name="stdlib"),),
        filters={"include": ["/*.py", "asyncio/", "email/", "http/", "json/", "importlib/"]},
    )
    corpus = build_corpus(config)
    assert not [each for each in corpus.rejections if each.reason == "secret"]
    assert "asyncio/tasks.py" in {each.path for each in corpus.documents}
    assert {each.licence for each in corpus.documents} <= {"PSF-2.0", "MIT"}
    sizes = {
        side: sum(len(each.text) for each in corpus.split(side)) for side in ("validation", "test")
    }
    total = sum(len(each.text) for each in corpus.documents)
    assert all(0.03 < size / total < 0.08 for size in sizes.values())


@given(files=st.lists(st.binary(max_size=400), max_size=8))
@settings(max_examples=30, deadline=None)
def test_any_files_give_a_corpus_or_a_sentence(files, tmp_path_factory, folder_config):
    root = tmp_path_factory.mktemp("any")
    for number, data in enumerate(files):
        (root / f"{number}.{'py' if number % 2 else 'bsl'}").write_bytes(data)
    try:
        corpus = build_corpus(folder_config(root))
    except NoUsableFiles:
        return
    texts = {
        side: {each.digest for each in corpus.split(side)}
        for side in ("train", "validation", "test")
    }
    assert all(texts.values())
    assert not texts["train"] & texts["test"] and not texts["train"] & texts["validation"]

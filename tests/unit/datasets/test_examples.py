from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from nested_ray.config.levels import LevelConfig
from nested_ray.config.train import TokenizerConfig
from nested_ray.datasets.examples import (
    context_budgets,
    encode_level_input,
    max_input_tokens,
    text_before,
)
from nested_ray.datasets.tokenizer import NestTokenizer
from nested_ray.levels.base import Place

TOKENIZER = NestTokenizer.train(
    ["import os\n\ndef run(a, b):\n    return a + b\n" * 30], TokenizerConfig(vocab_size=512)
)
PLACE = Place(path="a.py", language="python", before="import os\n")


@dataclass
class FixedLevel:
    kind: str
    marker: str
    text: str

    def context(self, place: Place) -> str:
        return self.text


LEVELS = {
    "syntax": FixedLevel("syntax", "<|window|>", ""),
    "semantics": FixedLevel("semantics", "<|file|>", "import os\nimport sys"),
    "architecture": FixedLevel("architecture", "<|repository|>", "# b.py\ndef run(a, b)"),
}


def level(name: str, kind: str, context_tokens: int) -> LevelConfig:
    return LevelConfig.model_validate(
        {"name": name, "kind": kind, "weight": 0.5, "context_tokens": context_tokens}
    )


THREE = (
    level("syntax", "syntax", 0),
    level("semantics", "semantics", 64),
    level("architecture", "architecture", 128),
)


def test_each_kind_sees_the_contexts_below_it_with_their_budgets():
    assert [list(context_budgets(one, THREE).items()) for one in THREE] == [
        [],
        [("semantics", 64)],
        [("architecture", 128), ("semantics", 64)],
    ]


def test_a_nest_without_semantics_gives_its_budget_to_the_file():
    pair = (THREE[0], THREE[2])
    assert context_budgets(pair[1], pair) == {"architecture": 128, "semantics": 128}


def test_two_levels_of_one_kind_keep_their_own_budgets():
    wide = level("wide", "semantics", 200)
    assert context_budgets(wide, (*THREE[:2], wide)) == {"semantics": 200}
    assert context_budgets(THREE[1], (*THREE[:2], wide)) == {"semantics": 64}


def test_contexts_nest_around_the_same_window():
    window = TOKENIZER.encode("return a")
    rows = [
        encode_level_input(TOKENIZER, LEVELS, context_budgets(one, THREE), PLACE, window)
        for one in THREE
    ]
    (syntax, _), (semantics, _), (architecture, _) = rows
    assert syntax == [TOKENIZER.window, *window]
    file_part = [TOKENIZER.file, *TOKENIZER.encode("import os\nimport sys")]
    assert semantics == [*file_part, *syntax]
    repository = [TOKENIZER.repository, *TOKENIZER.encode("# b.py\ndef run(a, b)")]
    assert architecture == [*repository, *semantics]
    assert all(ids[start:] == window for ids, start in rows)


def test_a_long_context_loses_its_front():
    ids, start = encode_level_input(TOKENIZER, LEVELS, {"semantics": 3}, PLACE, [9])
    assert ids[1 : start - 1] == TOKENIZER.encode("import os\nimport sys")[-3:]
    assert len(ids) == max_input_tokens({"semantics": 3}, window_tokens=1)


def test_a_budget_of_zero_leaves_the_marker():
    ids, _ = encode_level_input(TOKENIZER, LEVELS, {"semantics": 0}, PLACE, [9])
    assert ids == [TOKENIZER.file, TOKENIZER.window, 9]


lines = st.lists(
    st.sampled_from(["x", " ", "\n", "    ", "\t", "\r", "éы", "return a + b", "\n\n", "#"]),
    max_size=30,
).map("".join)


@given(lines, st.integers(1, 40))
def test_tail_of_a_text_is_the_tail_of_its_tokens(text: str, max_tokens: int):
    assert TOKENIZER.encode_tail(text, max_tokens) == TOKENIZER.encode(text)[-max_tokens:]


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 50))
def test_text_before_is_the_longest_whole_prefix(text: str, num_tokens: int):
    ids = TOKENIZER.encode(text)[:num_tokens]
    before = text_before(TOKENIZER, ids)
    assert text.startswith(before)
    assert 0 <= len(TOKENIZER.decode_bytes(ids)) - len(before.encode()) < 4

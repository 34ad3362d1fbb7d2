"""Old and new rows of a continued run: how they are told apart, replayed and held out."""

from dataclasses import replace
from pathlib import Path

import pytest

from nested_ray.config.train import TrainConfig
from nested_ray.corpus.build import digest_corpus
from nested_ray.corpus.documents import Corpus, Document, digest_text
from nested_ray.corpus.joining import join_corpora
from nested_ray.datasets.build import build_level_datasets
from nested_ray.datasets.loader import Replay
from nested_ray.datasets.tokenizer import NestTokenizer
from nested_ray.levels import build_levels
from nested_ray.repository.definitions import DefinitionIndex
from nested_ray.train.continuing import notes, old_part, replay_of
from nested_ray.train.forgetting import heldout_of_both, heldout_parts
from nested_ray.train.old_corpus import Joined
from nested_ray.train.prepare import Prepared


def settings(**continual):
    return TrainConfig.from_values(
        {
            "name": "small",
            "corpus": {"sources": [{"type": "folder", "path": "."}]},
            "tokenizer": {"vocab_size": 512},
            "windows": {"window_tokens": 32},
            "levels": [{"name": "syntax", "kind": "syntax", "weight": 1}],
            "evaluation": {"max_windows": 8, "max_lines": 6},
            "continual": continual,
        }
    )


def code(name, *, train=6, validation=2, test=2):
    splits = ["train"] * train + ["validation"] * validation + ["test"] * test
    documents = []
    for number, split in enumerate(splits):
        text = (
            f"def {name}_{number}(value):\n    {name} = value + {number}\n    return {name}\n" * 5
        )
        documents.append(
            Document(f"{name}_{number}.py", name, "python", text, digest_text(text), None, split)
        )
    return Corpus(tuple(documents), (), 0, digest_corpus(documents))


def prepare(config, folder, new, old):
    both = join_corpora(new, old)
    joined = Joined(both.num_new, len(old.documents), "the corpus of run first-1")
    tokenizer = NestTokenizer.train((d.text for d in old.split("train")), config.tokenizer)
    levels = build_levels(["syntax"], DefinitionIndex([]))
    datasets = build_level_datasets(
        both.corpus, tokenizer, levels, config, folder, old=old_part(config, joined)
    )
    return Prepared(
        corpus=both.corpus,
        tokenizer=tokenizer,
        datasets=datasets,
        definitions_file=Path("unused"),
        tokenizer_file=Path("unused"),
        memory_folder=Path("unused"),
        start_models={},
        joined=joined,
        replay=replay_of(config, both.corpus, datasets, joined),
    )


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return prepare(
        settings(), tmp_path_factory.mktemp("both"), code("new"), code("old", validation=4)
    )


def sources(prepared, heldout):
    return [heldout.tokens.sources[row["document"]].source for row in heldout.rows["syntax"]]


def test_old_rows_are_replayed_with_the_configured_share(prepared):
    rows = prepared.datasets.level("syntax", "train")
    tokens = prepared.datasets.tokenized("train")
    found = [tokens.sources[row["document"]].source for row in rows]
    assert prepared.replay == Replay(first_row=found.index("old"), share=0.25)
    assert found == sorted(found)  # all new ones first


def test_memory_reads_old_and_new_code_even_without_replay(tmp_path):
    without = prepare(settings(replay={"share": 0}), tmp_path, code("new"), code("old"))
    assert without.replay is None
    assert {each.source for each in without.datasets.tokenized("train").sources} == {"new", "old"}
    rows = without.datasets.level("syntax", "train")
    assert len(rows) == without.datasets.num_windows["train"]
    assert {row["document"] < 6 for row in rows} == {True}
    (_, loud) = notes(without.joined, None, without.datasets)
    assert loud.startswith("NO REPLAY")


def test_held_out_code_is_told_apart(prepared):
    parts = heldout_parts(settings(), prepared, prepared.joined, "test")
    assert set(parts) == {"old", "new"}
    for name, part in parts.items():
        assert set(sources(prepared, part)) == {name}
        assert {line.path.partition("_")[0] for line in part.lines} == {name}
        for line in part.lines:
            assert part.tokens.sources[line.document].path == line.path


def test_weights_are_fitted_on_as_much_old_code_as_new(prepared):
    both = heldout_of_both(settings(), prepared, prepared.joined)
    found = sources(prepared, both)
    assert found.count("old") == found.count("new")
    assert [line.path.partition("_")[0] for line in both.lines[:4]] == ["new", "old"] * 2


def test_where_new_held_out_code_is_missing_old_code_stands_for_it(tmp_path):
    new = code("new", validation=0, test=0)
    prepared = prepare(settings(), tmp_path, new, code("old", validation=4))
    assert set(heldout_parts(settings(), prepared, prepared.joined, "test")) == {"old"}
    both = heldout_of_both(settings(), prepared, prepared.joined)
    assert sources(prepared, both) == ["old"] * 8


def test_without_old_code_everything_is_new(tmp_path, prepared):
    joined = Joined(len(prepared.corpus.documents), 0, "it is not at hand")
    assert old_part(settings(), joined) is None
    datasets = prepare(settings(), tmp_path, code("new"), code("old")).datasets
    assert replay_of(settings(), prepared.corpus, datasets, joined) is None
    parts = heldout_parts(settings(), replace(prepared, joined=joined), joined, "test")
    assert set(parts) == {"new"}
    assert list(notes(joined, None, datasets)) == ["NO REPLAY: it is not at hand"]

"""The comparison of ways to continue a nest, on a corpus of a few functions."""

import math
from dataclasses import replace

import numpy as np
import pytest

from nested_ray.benchmarks.continual import PairOfCorpora, compare_continual
from nested_ray.benchmarks.continual_table import ARMS, ContinualComparison, to_markdown
from nested_ray.config.corpus import CorpusConfig, FolderSource
from nested_ray.config.train import TrainConfig
from nested_ray.errors import ConfigError


def write_code(folder, text, count=24):
    folder.mkdir()
    for number in range(count):
        (folder / f"file_{number}.py").write_text(text.replace("N", str(number)) * 4)
    return CorpusConfig(sources=(FolderSource(path=str(folder)),))


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    root = tmp_path_factory.mktemp("pair")
    old = write_code(root / "old", "def old_N(value):\n    total = value + N\n    return total\n")
    new = write_code(root / "new", "class NewN:\n    async def run(self):\n        await self.N\n")
    budget = {"max_steps": 4, "micro_batch_size": 4}
    config = TrainConfig.from_values(
        {
            "name": "small",
            "corpus": old.model_dump(),
            "tokenizer": {"vocab_size": 512},
            "windows": {"window_tokens": 32},
            "distill": {"paired_share": 0.5, "burn_in_steps": 1, "ramp_steps": 1},
            "levels": [
                {"name": "syntax", "kind": "syntax", "weight": 0.3, "budget": budget},
                {
                    "name": "semantics",
                    "kind": "semantics",
                    "weight": 0.5,
                    "context_tokens": 16,
                    "budget": budget,
                },
            ],
        }
    )
    return PairOfCorpora.build(config, new, root / "work")


@pytest.fixture(scope="module")
def comparison(pair):
    return compare_continual(pair, seeds=[0], heldout_rows=4, budget_share=1.0)


def test_every_arm_goes_on_from_the_same_nest_with_equal_tokens(comparison):
    assert [run.arm for run in comparison.runs] == list(ARMS)
    first = comparison.runs[0]
    for run in comparison.runs:
        assert run.before == first.before
        # Windows of a short file's end may be shorter: the counts are those of batches of 4 x 32.
        assert set(run.tokens) == {"syntax", "semantics"}
        assert all(count <= 4 * 4 * 32 for count in run.tokens.values())
        assert run.after != run.before


def test_arms_differ_where_they_should(comparison):
    after = {run.arm: run.after for run in comparison.runs}
    assert after["replay"]["syntax"] != after["fine-tuning"]["syntax"]
    assert after["frequencies"]["semantics"] != after["fine-tuning"]["semantics"]


def test_rows_are_told_apart_by_the_corpus_they_come_from(pair):
    tokens = pair.datasets.tokenized("train")
    for code in ("old", "new"):
        for row in pair.rows("syntax", "train", code):
            assert tokens.sources[row["document"]].source.endswith(f"/{code}")


def test_changes_are_means_over_seeds_with_their_standard_error(comparison):
    run = comparison.runs[0]
    seeds = [
        replace(run, seed=seed, before={"syntax": {"old": 2.0, "new": 4.0}},
                after={"syntax": {"old": 2.0 + change, "new": 3.0}})
        for seed, change in enumerate((0.1, 0.3, 0.5))
    ]  # fmt: skip
    both = ContinualComparison({"old": 10, "new": 20}, tuple(seeds))
    mean, error = both.change(run.arm, "syntax", "old")
    assert mean == pytest.approx(0.3)
    assert error == pytest.approx(np.std([0.1, 0.3, 0.5], ddof=1) / math.sqrt(3))
    assert f"| {run.arm} | syntax |" in to_markdown(both)
    assert "2.000 | +0.300 ± 0.115 | 4.000 | -1.000 ± 0.000 |" in to_markdown(both)


def test_levels_that_start_from_elsewhere_are_refused(pair, tmp_path):
    level = pair.config.levels[0]
    model = {"type": "registry", "nest": "ours", "level": "syntax"}
    elsewhere = type(level).from_values(
        {**level.model_dump(), "model": model, "lr": {"peak": 0.001}}
    )
    config = pair.config.model_copy(update={"levels": (elsewhere,)})
    with pytest.raises(ConfigError, match="from scratch"):
        PairOfCorpora.build(config, pair.config.corpus, tmp_path)

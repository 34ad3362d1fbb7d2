"""The comparison of learning-rate policies on a dataset small enough to know."""

import pytest

from nested_ray.benchmarks.lr import LrComparison, LrRun, compare_lr, policies, to_markdown

RUNS = (
    LrRun("schedule_free 0.001", 4.0, 0.001, 1.0),
    LrRun("schedule_free 0.01", 2.0, 0.01, 1.0),
    LrRun("adaptive from 0.001", 2.5, 0.004, 1.0),
)


def test_runs_are_compared_with_the_best_fixed_peak_alone():
    comparison = LrComparison(10, 4, 100, (*RUNS, LrRun("prodigy", 1.5, 0.1, 1.0)))
    assert comparison.best_fixed is RUNS[1]
    assert [comparison.above_best(run) for run in comparison.runs] == [1.0, 0.0, 0.25, -0.25]
    assert "| adaptive from 0.001 | 2.500 | +25.0% | 0.004 | 1 |" in to_markdown(comparison)


def test_every_policy_is_tried_on_the_same_batches(make_dataset, tmp_path):
    make_dataset("syntax").save_to_disk(str(tmp_path / "train"))
    make_dataset("syntax", num_rows=8).save_to_disk(str(tmp_path / "validation"))
    seen = []
    comparison = compare_lr(
        tmp_path,
        [1e-3, 1e-3],
        preset="nano",
        vocab_size=96,
        steps=2,
        batch_size=2,
        heldout_rows=4,
        on_run=lambda done, total, name: seen.append((done, total, name)),
    )
    names = list(policies([1e-3], warmup_steps=1))
    assert seen == [(number, 5, name) for number, name in enumerate(names)]
    assert [run.policy for run in comparison.runs] == names
    # Two updates change little: every policy is still near the loss of a uniform guess, log 96.
    assert all(run.loss == pytest.approx(4.56, abs=0.5) for run in comparison.runs)

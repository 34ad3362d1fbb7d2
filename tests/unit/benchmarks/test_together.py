"""Together beside alone: the arithmetic against hand-computed values, and tiny real runs."""

import math

import pytest

from nested_ray.benchmarks.measured import Batches, Clock
from nested_ray.benchmarks.setting import Setting
from nested_ray.benchmarks.together import Curve, progress
from nested_ray.benchmarks.together_report import compare
from nested_ray.benchmarks.together_runs import Runs
from nested_ray.benchmarks.together_table import Estimate, Pair, first_reached, ratio, to_markdown
from nested_ray.config.train import DistillConfig, TokenizerConfig, TrainConfig
from nested_ray.datasets.store import LevelDatasets
from nested_ray.datasets.tokenizer import NestTokenizer
from nested_ray.errors import TrainingError

NAMES = ("syntax", "semantics", "architecture")


def curve(steps, losses, *, share=0.0):
    return Curve(
        level="syntax",
        steps=steps,
        tokens=tuple(100 * step for step in steps),
        losses=losses,
        step_seconds=1.0,
        exchange_share=share,
        targets_used=0,
        batches=Batches((), ()),
    )


def test_where_a_curve_reaches_a_loss_lies_on_the_line_between_its_points():
    assert first_reached((0, 10, 20), (8.0, 6.0, 5.0), 5.25) == pytest.approx(17.5)
    assert first_reached((0, 10, 20), (8.0, 6.0, 5.0), 6.0) == 10
    assert first_reached((0, 10, 20, 30), (8.0, 5.0, 7.0, 4.0), 6.0) == pytest.approx(20 / 3)
    assert first_reached((0, 10), (8.0, 6.0), 9.0) == 0
    assert first_reached((0, 10), (8.0, 6.0), 5.9) is None


def test_ratios_of_a_level_that_halves_the_tokens_for_a_quarter_more_compute():
    together = curve((0, 10, 20), (8.0, 5.0, 4.0), share=0.25)
    alone = curve((0, 10, 20, 25), (8.0, 6.0, 5.0, 4.5))
    pair = Pair(0, together, alone)
    assert pair.difference == pytest.approx(4 / 5 - 1)
    assert pair.difference_at_equal_compute == pytest.approx(4 / 4.5 - 1)
    assert pair.token_ratio == pytest.approx(0.5)  # 5.0 after 10 steps instead of 20
    # 4.5 after 15 steps that take 1.25 each, against 25 steps
    assert pair.compute_ratio == pytest.approx(15 * 1.25 / 25)


def test_a_loss_that_is_not_reached_has_no_ratio():
    pair = Pair(0, curve((0, 10), (8.0, 6.0)), curve((0, 10), (8.0, 5.0)))
    assert (pair.token_ratio, pair.compute_ratio) == (None, None)
    assert ratio([None, None]) == "not reached"
    assert ratio([0.5, None]) == "0.50 (not reached with 1 of 2 seeds)"
    assert "| not reached |" in to_markdown({"syntax": [pair]})


def test_interval_of_three_seeds_is_students():
    estimate = Estimate.of([1.0, 2.0, 3.0])
    # t(0.975, 2) = 4.302653, standard deviation 1
    assert (estimate.mean, estimate.half_width) == pytest.approx((2.0, 4.302653 / math.sqrt(3)))
    assert math.isnan(Estimate.of([1.0]).half_width)


def test_distillation_costs_what_taught_batches_take_longer():
    clock = Clock(exchange=1.0, taught=[1.5, 1.5], untaught=[1.0, 1.0])
    assert clock.exchange_share == pytest.approx((1.0 + 2 * 0.5) / 4)


def test_levels_advance_in_proportion_of_their_budgets(make_trainer):
    trainers = [
        make_trainer(name, max_steps=steps) for name, steps in zip(NAMES, (6, 3, 2), strict=True)
    ]
    order = []
    for _ in range(11):
        trainer = min((each for each in trainers if not each.done), key=progress)
        trainer.step += 1
        order.append(trainer.job.level.budget.max_steps)
    # thirds and halves of the quick level's six: 1/12, 1/6, 1/4 and 1/4, 5/12, 1/2, 7/12, 3/4 …
    assert order == [6, 3, 6, 2, 6, 3, 6, 6, 2, 3, 6]


@pytest.fixture
def make_setting(make_dataset, tmp_path):
    for name in NAMES:
        make_dataset(name).save_to_disk(str(tmp_path / "levels" / name / "train"))
        make_dataset(name, num_rows=4).save_to_disk(str(tmp_path / "levels" / name / "validation"))
    tokenizer = NestTokenizer.train(["a = 1\n"], TokenizerConfig(vocab_size=512))

    def make(**distill):
        values = {"paired_share": 1.0, "burn_in_steps": 1, "ramp_steps": 0, **distill}
        config = TrainConfig(
            name="tiny",
            corpus={"sources": [{"type": "package", "name": "stdlib"}]},
            windows={"window_tokens": 32},
            levels=[
                {
                    "name": name,
                    "kind": name,
                    "weight": 0.3,
                    "budget": {"max_steps": 6, "micro_batch_size": 2, "precision": "fp32"},
                }
                for name in NAMES
            ],
            distill=DistillConfig(**values),
        )
        return Setting(config, LevelDatasets(tmp_path, {}), tokenizer, tmp_path)

    return make


def runs_of(setting, **changes):
    return Runs(setting, **{"out": None, "heldout_rows": 4, "num_points": 2, **changes})


def test_without_weight_the_peers_change_nothing(make_setting):
    pairs = runs_of(make_setting(weight=0.0)).pairs(0)
    assert any(pair.together.targets_used > 0 for pair in pairs.values())
    for pair in pairs.values():
        assert pair.together.losses == pair.alone.losses[: pair.own_place + 1]
    assert set(pairs) == set(NAMES)


def test_with_weight_they_do_on_the_same_batches(make_setting):
    pairs = runs_of(make_setting(weight=2.0)).pairs(0)
    for pair in pairs.values():
        assert pair.together.batches == Batches(
            pair.alone.batches.ids[:6], pair.alone.batches.paired[:6]
        )
    assert any(pair.difference != 0 for pair in pairs.values())


def test_a_frozen_level_speaks_of_each_batch_once_and_has_no_curve(make_setting):
    runs = runs_of(make_setting(teachers={"architecture": ()}), frozen="architecture")
    first, second = runs.together(0, "together"), runs.together(1, "together")
    assert set(first) == {"syntax", "semantics"}
    assert first["syntax"].batches == second["syntax"].batches
    assert first["syntax"].losses != second["syntax"].losses
    assert first["syntax"].targets_used > 0
    assert len(runs._told) == 5  # six steps, the first of them burn-in


def test_runs_that_are_in_the_file_are_not_made_again(make_setting, tmp_path):
    made = []
    options = {"out": tmp_path / "runs.jsonl", "bad_peer": "syntax"}
    first = compare(runs_of(make_setting(), **options), seeds=[0, 1], last_sees_window=True)
    with (tmp_path / "runs.jsonl").open("a") as file:
        file.write('{"settings": "cut o')
    second = compare(
        runs_of(make_setting(), **options, on_run=lambda name, done, total: made.append(name)),
        seeds=[0, 1],
        last_sees_window=True,
    )
    assert (second, made) == (first, [])
    assert set(first.bad_peer) == {"semantics", "architecture"}
    assert set(first.window) == {"syntax", "semantics"}
    runs_of(
        make_setting(weight=0.25), **options, on_run=lambda name, done, total: made.append(name)
    ).together(0, "together")
    assert set(made) == {"together, seed 0"}  # other settings are other runs


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(TrainingError, match="is not a run folder"):
        Setting.of_run(tmp_path)

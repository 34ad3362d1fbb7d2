"""A short form of `tests/bench/kill_training.py`: four kills, and nothing is lost but the steps since a checkpoint."""

from __future__ import annotations

import pytest

from tests.bench.kill_report import pooled
from tests.bench.kill_training import CHECKPOINT_EVERY, Plan, draw_plan, run_trial

pytestmark = pytest.mark.timeout(900)

STRIKES = ((250, "worker"), (500, "exchange"), (750, "driver"), (1000, "postgres"))


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the killed driver's pipes
def test_a_training_survives_kills_of_what_it_consists_of(tmp_path):
    outcome = run_trial(tmp_path, Plan(500, STRIKES), seed=3, limit_s=600.0)
    assert outcome.broken == ()
    assert [kill.target for kill in outcome.kills] == [target for _, target in STRIKES]
    assert outcome.steps == {"syntax": 500, "semantics": 500, "architecture": 500}
    assert outcome.num_published_beside > 3  # others published meanwhile
    hit = {number for outage in outcome.outages for number in outage.kills}
    assert hit <= {1, 3}  # a lost exchange or server stops no level
    assert 3 in hit
    for outage in outcome.outages:
        assert outage.went_on_at % CHECKPOINT_EVERY == 0
    assert pooled((), "tokens_per_second") is None


def test_a_plan_follows_from_its_seed_and_hits_every_target_equally_often():
    plan = draw_plan(20, seed=1, steps_per_kill=150)
    assert plan == draw_plan(20, seed=1, steps_per_kill=150)
    assert plan != draw_plan(20, seed=2, steps_per_kill=150)
    targets = [target for _, target in plan.strikes]
    assert {target: targets.count(target) for target in targets} == dict.fromkeys(
        ("worker", "exchange", "driver", "s3", "postgres"), 4
    )
    moments = [moment for moment, _ in plan.strikes]
    assert moments == sorted(moments)
    assert 0 < moments[0] and moments[-1] < 3 * plan.max_steps

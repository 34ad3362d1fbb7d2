"""A level of two workers beside a level of one: who opens, tells and takes which shared batch."""

import pytest

from nested_ray.distill.mailbox import InMemoryExchange
from nested_ray.models import WindowModel
from nested_ray.train import level
from nested_ray.train.pairing import belongs_to_rank
from tests.unit.train.conftest import tiny_job
from tests.unit.train.workers import Run, trainer_of

STEPS = 30


class Recorded:
    """An exchange that remembers every header."""

    def __init__(self):
        self.headers = []
        self._exchange = InMemoryExchange(keep=64)
        self.unread = self._exchange.unread

    def publish(self, header, payload):
        self.headers.append(header)
        self._exchange.publish(header, payload)

    def batches_of(self, name):
        return [header.batch_id for header in self.headers if header.level == name]


@pytest.fixture(scope="module")
def trained():
    """Exchange and workers after their steps; gradients stay apart, which changes nothing about who learns what."""
    exchange = Recorded()
    changes = {"exchange": exchange}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(level, "parallelise", lambda decoder, **settings: WindowModel(decoder))
        wide = [
            trainer_of(
                Run(tiny_job("syntax", micro_batch_size=8, max_steps=STEPS), changes=changes),
                rank=rank,
                world_size=2,
            )
            for rank in range(2)
        ]
        narrow = trainer_of(Run(tiny_job("architecture", max_steps=STEPS), changes=changes))
    for _ in range(STEPS):
        for trainer in (*wide, narrow):
            trainer.make_step()
    return exchange, wide, narrow


def test_both_levels_teach_and_learn(trained):
    _, wide, narrow = trained
    for trainer in (*wide, narrow):
        assert trainer.counters.targets_published > 0
        assert trainer.counters.targets_lost == 0
    # Who knows a batch better is heard: at any time that is one side, not both.
    assert sum(trainer.counters.targets_used for trainer in (*wide, narrow)) > 0
    # Shared batches have the rows of the smaller batch, private ones of the level's own.
    assert wide[0].counters.tokens_seen > narrow.counters.tokens_seen


def test_each_batch_of_a_peer_is_learned_by_the_worker_it_belongs_to(trained):
    exchange, wide, _ = trained
    told = set(exchange.batches_of("architecture"))
    taken = [told & set(trainer.cursor.trained) - opened("syntax", trainer) for trainer in wide]
    assert all(taken)
    assert not taken[0] & taken[1]
    for rank, batches in enumerate(taken):
        assert all(belongs_to_rank(batch, rank, 2) for batch in batches)


def test_the_single_worker_learns_batches_of_both_others(trained):
    exchange, _, narrow = trained
    theirs = {batch for batch in narrow.cursor.trained if batch.startswith("syntax/")}
    assert {batch.split("/")[1] for batch in theirs} == {"0", "1"}
    assert theirs <= set(exchange.batches_of("syntax"))


def test_no_batch_is_opened_by_two_workers(trained):
    _, wide, narrow = trained
    mine = [opened(t.job.level.name, t) for t in (*wide, narrow)]
    assert len(set.union(*mine)) == sum(map(len, mine))


def opened(name, trainer):
    prefix = f"{name}/{trainer.rank}/"
    return {batch for batch in trainer.cursor.trained if batch.startswith(prefix)}

"""The rule that says what a step trains on."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nested_ray.distill.exchange import RecordHeader
from nested_ray.train.pairing import (
    Choice,
    PairingCursor,
    Record,
    RecordPool,
    belongs_to_rank,
    choose_batch,
    is_paired,
    is_turn_to_open,
)


def record(level, batch_id, weights_step=0):
    return Record(RecordHeader(level, batch_id, "d", weights_step, 4, "t", 1, 1), b"")


def pool(*records, keep=8, max_staleness_steps=10):
    result = RecordPool(keep=keep, max_staleness_steps=max_staleness_steps)
    result.add(records)
    return result


def choose(records, *, step=1, takes=True, cursor=None):
    return choose_batch(
        step,
        level="semantics",
        rank=0,
        paired_share=0.5,
        takes=takes,
        cursor=cursor or PairingCursor(),
        pool=pool(*records),
    )


@given(st.floats(0, 1), st.integers(1, 500))
def test_the_share_of_paired_steps_is_exact(share, num_steps):
    num_paired = sum(is_paired(step, share) for step in range(num_steps))
    assert num_paired == int(num_steps * share)


@given(st.sampled_from([0.1, 0.25, 0.5, 1.0]), st.integers(2, 4))
def test_every_level_opens_one_in_n_paired_steps_and_never_two_at_once(share, num_levels):
    paired = [step for step in range(240) if is_paired(step, share)]
    turns = [
        [is_turn_to_open(step, share, position, num_levels) for position in range(num_levels)]
        for step in paired
    ]
    assert all(sum(turn) == 1 for turn in turns)
    per_level = [sum(column) for column in zip(*turns, strict=True)]
    assert max(per_level) - min(per_level) <= 1


@given(st.text(), st.integers(1, 8))
def test_a_shared_batch_belongs_to_exactly_one_rank(batch_id, world_size):
    owners = [rank for rank in range(world_size) if belongs_to_rank(batch_id, rank, world_size)]
    assert len(owners) == 1


def test_a_step_that_is_not_paired_has_a_private_batch():
    cursor = PairingCursor()
    choice = choose([record("syntax", "syntax/0/0")], step=0, cursor=cursor)
    assert choice == Choice("private:semantics/0/0", paired=False)
    assert cursor.to_json() == {"num_opened": 0, "trained": []}


def test_the_newest_record_is_taken_with_every_peers_word_on_its_batch():
    choice = choose(
        [
            record("syntax", "a", 5),
            record("architecture", "b", 4),
            record("syntax", "b", 6),
            record("syntax", "c", 5),
        ]
    )
    assert choice.batch_id == "b"
    assert sorted(each.header.level for each in choice.records) == ["architecture", "syntax"]


def test_who_spoke_first_does_not_decide():
    """A resumed level hears its peers in another order and must choose, and add up, as before."""
    spoken = [
        record(level, batch_id, 5) for level in ("syntax", "architecture") for batch_id in "ab"
    ]
    choices = [choose(records) for records in (spoken, spoken[2:] + spoken[:2])]
    assert choices[0] == choices[1]
    assert len(choices[0].records) == 2


def test_what_was_in_hand_is_put_back_as_it_was():
    before = pool(*(record("syntax", name, 5) for name in "abc"), record("architecture", "x", 7))
    assert [header.batch_id for header in before.headers] == ["x", "a", "b", "c"]
    after = RecordPool(keep=8, max_staleness_steps=10)
    after.newest_step = dict(before.newest_step)
    after.refill([record(each.level, each.batch_id, each.weights_step) for each in before.headers])
    assert after.headers == before.headers
    assert after.take({"a"}) == before.take({"a"})


def test_a_batch_is_not_trained_twice():
    cursor = PairingCursor()
    cursor.trained.append("b")
    choice = choose([record("syntax", "a", 5), record("syntax", "b", 6)], cursor=cursor)
    assert choice.batch_id == "a"
    assert not choose([record("syntax", "a", 5)], cursor=cursor).paired


def test_without_listening_a_new_batch_is_opened_and_without_records_none():
    cursor = PairingCursor()
    opened = choose([record("syntax", "a")], takes=False, cursor=cursor)
    assert opened == Choice("semantics/0/0", paired=True)
    nothing = choose([], cursor=cursor)
    assert (nothing.paired, nothing.records) == (False, ())
    assert nothing.batch_id.startswith("private:semantics/0/")
    assert list(cursor.trained) == ["semantics/0/0"]
    assert choose([], takes=False, cursor=cursor).batch_id == "semantics/0/1"


def test_records_older_than_the_allowed_staleness_are_dropped_and_counted():
    records = pool(record("syntax", "a", 1), record("architecture", "x", 1))
    records.add([record("syntax", "b", 12)])
    assert records.num_stale == 1
    first = records.take(set())[0].header.batch_id
    assert {first, records.take({first})[0].header.batch_id} == {"b", "x"}


def test_staleness_is_measured_against_the_same_teacher():
    records = pool(record("syntax", "a", 500), record("architecture", "x", 1))
    assert records.num_stale == 0


def test_a_teacher_that_went_back_to_its_checkpoint_is_heard():
    records = pool(record("syntax", "a", 500))
    records.add([record("syntax", "b", 100), record("syntax", "c", 101)])
    assert records.num_stale == 0
    # What it said before, by better weights, comes first; then the newest of what it says now.
    taken = [records.take(seen)[0].header.batch_id for seen in (set(), {"a"}, {"a", "c"})]
    assert taken == ["a", "c", "b"]
    records.add([record("syntax", "d", 111)])
    assert records.num_stale == 1


def test_the_pool_keeps_the_newest_records():
    records = pool(*[record("syntax", str(n), n) for n in range(5)], keep=2)
    assert records.take({"4"})[0].header.batch_id == "3"
    assert records.take({"3", "4"}) == ()


def test_the_cursor_survives_json():
    cursor = PairingCursor()
    choose([], cursor=cursor)
    choose([record("syntax", "a")], cursor=cursor)
    values = json.loads(json.dumps(cursor.to_json()))
    assert PairingCursor.from_json(values) == cursor


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_nothing_or_everything_may_be_paired(share):
    assert {is_paired(step, share) for step in range(10)} == {bool(share)}

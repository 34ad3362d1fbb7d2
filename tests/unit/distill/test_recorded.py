"""What was read comes back read by read, also after a kill."""

from contextlib import ExitStack, closing

import pytest

from nested_ray.distill.exchange import RecordHeader
from nested_ray.distill.mailbox import InMemoryExchange
from nested_ray.distill.recorded import (
    READS,
    Recording,
    RecordingExchange,
    ReplayedExchange,
    key_of,
)
from nested_ray.errors import TrainingError


def header(batch_id, step, level="syntax"):
    return RecordHeader(level, batch_id, "d" * 16, step, 4, "t" * 16, 2, 2, always_ids=(1, 8))


@pytest.fixture
def exchange():
    return InMemoryExchange()


@pytest.fixture
def start(exchange, tmp_path):
    """A process that records; all of them are closed in the end."""
    with ExitStack() as stack:
        yield lambda **place: stack.enter_context(
            closing(RecordingExchange(exchange, tmp_path, **place))
        )


def read_all(exchange, num_reads, *, after=0):
    """What the reads of one process gave."""
    reads = []
    for _ in range(num_reads):
        reads.append(list(exchange.unread("semantics", after)))
        after = max([after, *(sequence for sequence, _, _ in reads[-1])])
    return reads


def test_a_replay_gives_read_by_read_what_was_heard(exchange, start, tmp_path):
    recorder = start()
    recorder.publish(header("a", 1), b"one")
    recorder.publish(header("b", 2), b"")
    first = read_all(recorder, 2)
    exchange.publish(header("c", 3), b"three")
    second = read_all(recorder, 1, after=2)
    assert [[payload for _, _, payload in read] for read in first + second] == [
        [b"one", b""],
        [],
        [b"three"],
    ]
    assert read_all(ReplayedExchange(Recording(tmp_path)), 3) == first + second
    assert read_all(ReplayedExchange(Recording(tmp_path), first_read=2), 1) == second


def test_what_was_not_recorded_is_an_error(start, tmp_path):
    recorder = start()
    read_all(recorder, 2)
    with pytest.raises(TrainingError, match="no read 2; it has 2 reads, the last of them 1"):
        Recording(tmp_path).read(2)
    with pytest.raises(TrainingError, match="holds no record"):
        list(Recording(tmp_path).find([key_of(header("a", 1))], before=9))


def test_a_worker_that_restarts_overwrites_what_it_read_after_its_checkpoint(
    exchange, start, tmp_path
):
    killed = start()
    exchange.publish(header("a", 1), b"one")
    first = read_all(killed, 4)
    with (tmp_path / READS).open("ab") as file:
        file.write(b'{"read": 4, "rec')  # the kill

    exchange.publish(header("b", 2), b"two")
    resumed = start(first_read=2)
    again = read_all(resumed, 1)
    recording = Recording(tmp_path)
    assert [recording.read(number) for number in range(3)] == first[:2] + again
    with pytest.raises(TrainingError):
        recording.read(3)
    assert [recording.began_at(number) for number in range(4)] == [True, False, True, False]


def test_records_are_found_by_what_tells_them_apart(exchange, start, tmp_path):
    recorder = start()
    records = [header("a", 1), header("a", 2), header("a", 2, level="architecture")]
    for number, each in enumerate(records):
        exchange.publish(each, b"%d" % number)
    read_all(recorder, 1)
    keys = [key_of(each) for each in reversed(records)]
    found = list(Recording(tmp_path).find(keys, before=1))
    assert found == [(records[2], b"2"), (records[1], b"1"), (records[0], b"0")]

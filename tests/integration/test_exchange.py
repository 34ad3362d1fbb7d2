"""One contract suite over the in-memory exchange and the Ray actor; then what only Ray can break."""

import secrets
import time

import pytest
import ray

from nested_ray.distill.exchange import ExchangeReport, RecordHeader
from nested_ray.distill.mailbox import InMemoryExchange
from nested_ray.distill.ray_exchange import RayExchange, read_report, start_exchange
from tests.bench.exchange_memory import OVERHEAD_BYTES, publish_many

NAMESPACE = "test-exchange"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        patch.delenv("RAY_ADDRESS", raising=False)
        ray.init(
            num_cpus=4,
            include_dashboard=False,
            object_store_memory=100 << 20,
            _temp_dir=str(tmp_path_factory.getbasetemp().parent / "r"),
            log_to_driver=False,
        )
        yield
        ray.shutdown()


class RayWorld:
    """One actor and a client per reader, as the levels of a run have them."""

    def __init__(self, keep):
        self.name = f"exchange-{secrets.token_hex(4)}"
        self.actor = start_exchange(self.name, NAMESPACE, keep)
        self.clients = {}
        self.keep = keep

    def client(self, level, **settings):
        if level not in self.clients:
            settings = {"poll_s": 0.02, "keep": self.keep, **settings}
            self.clients[level] = RayExchange(self.name, NAMESPACE, level, **settings)
        return self.clients[level]

    def report(self):
        return read_report(self.actor)

    def close(self):
        for client in self.clients.values():
            client.close()
        ray.kill(self.actor)


class MemoryWorld:
    def __init__(self, keep):
        self.exchange = InMemoryExchange(keep)

    def client(self, level):
        return self.exchange

    def report(self):
        return self.exchange.report()

    def close(self):
        pass


@pytest.fixture(params=[MemoryWorld, RayWorld])
def world(request):
    if request.param is RayWorld:
        request.getfixturevalue("cluster")
    world = request.param(keep=4)
    yield world
    world.close()


@pytest.fixture
def ray_world(cluster):
    world = RayWorld(keep=4)
    yield world
    world.close()


def header(level, number, num_tokens=2):
    return RecordHeader(level, f"{level}/0/{number}", "d", number, num_tokens, "t", 16, 16)


def eventually(look, timeout_s=30.0):
    """What `look` gives once it is true; the last thing it gave when time is up."""
    deadline = time.monotonic() + timeout_s
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


def publish_all(world, level, numbers):
    """One after the other, each after the one before has arrived."""
    for number in numbers:
        before = world.report().published.get(level, 0)
        world.client(level).publish(header(level, number), bytes([number]) * 200)
        assert eventually(lambda b=before: world.report().published.get(level, 0) > b)


def read(client, reader, after, count):
    return eventually(
        lambda: records if len(records := client.unread(reader, after)) >= count else None
    )


def test_a_peer_reads_what_was_published_in_order_with_rising_numbers(world):
    publish_all(world, "syntax", [1, 2, 3])
    records = read(world.client("semantics"), "semantics", 0, 3)
    assert [h.batch_id for _, h, _ in records] == ["syntax/0/1", "syntax/0/2", "syntax/0/3"]
    assert [payload for _, _, payload in records] == [bytes([n]) * 200 for n in (1, 2, 3)]
    numbers = [number for number, _, _ in records]
    assert numbers == sorted(set(numbers)) and numbers[0] > 0
    assert records[0][1] == header("syntax", 1)


def test_a_level_does_not_read_itself(world):
    publish_all(world, "syntax", [1])
    publish_all(world, "semantics", [2])
    records = read(world.client("syntax"), "syntax", 0, 1)
    assert [h.level for _, h, _ in records] == ["semantics"]


def test_only_what_is_new_is_unread(world):
    publish_all(world, "syntax", [1, 2])
    reader = world.client("semantics")
    last = read(reader, "semantics", 0, 2)[-1][0]
    assert list(reader.unread("semantics", last)) == []
    publish_all(world, "syntax", [3])
    assert [h.weights_step for _, h, _ in read(reader, "semantics", last, 1)] == [3]


def test_an_empty_exchange_answers_at_once(world):
    assert list(world.client("syntax").unread("syntax", 0)) == []


def test_the_newest_records_are_kept_and_the_dropped_ones_counted(world):
    publish_all(world, "syntax", range(6))
    records = read(world.client("semantics"), "semantics", 0, 4)
    assert [h.weights_step for _, h, _ in records] == [2, 3, 4, 5]
    report = world.report()
    assert (report.published, report.dropped) == ({"syntax": 6}, {"syntax": 2})
    assert report.delivered["semantics"] >= 4
    assert report.bytes_per_token == 100


def test_a_restarted_actor_is_empty_and_the_clients_go_on(ray_world):
    writer, reader = ray_world.client("syntax"), ray_world.client("semantics")
    publish_all(ray_world, "syntax", [1, 2, 3, 4])
    last = read(reader, "semantics", 0, 4)[-1][0]
    before = reader._place
    ray.kill(ray_world.actor, no_restart=False)
    # It looks into the empty mailbox of the new actor, whose numbers start over below its own.
    assert eventually(lambda: reader._place.epoch != before.epoch)
    assert ray_world.report().published == {}
    arrived = eventually(
        lambda: writer.publish(header("syntax", 9), b"x" * 200) or ray_world.report().published
    )
    assert 1 <= arrived["syntax"] < before.number
    records = read(reader, "semantics", last, 1)
    assert records[0][1].weights_step == 9
    assert records[0][0] > last


def test_without_an_actor_nothing_is_raised_and_nothing_waits(cluster):
    client = RayExchange("nobody", NAMESPACE, "syntax", poll_s=0.02, timeout_s=0.5)
    for number in range(5):
        client.publish(header("syntax", number), b"x")
    assert list(client.unread("syntax", 0)) == []
    assert client.undelivered().dropped == 3  # two may be under way
    client.close()


def test_records_that_a_rank_does_not_take_are_not_fetched(ray_world):
    publish_all(ray_world, "syntax", [1, 2, 3])
    reader = ray_world.client("semantics", accepts=lambda h: h.weights_step == 2)
    assert [h.weights_step for _, h, _ in read(reader, "semantics", 0, 1)] == [2]


def test_closing_sends_what_is_queued(ray_world):
    client = ray_world.client("syntax", poll_s=60.0)
    client.publish(header("syntax", 1), b"x" * 200)
    client.close()
    assert ray_world.report().published == {"syntax": 1}


def test_an_exchange_that_is_gone_has_an_empty_report(cluster):
    world = RayWorld(keep=4)
    publish_all(world, "syntax", [1])
    world.close()
    # The kill is under way when `ray.kill` returns: a last answer may still come.
    deadline = time.monotonic() + 60
    while world.report() != ExchangeReport():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_the_exchange_holds_no_more_than_its_newest_records_and_spills_nothing(cluster):
    # 3,000 records of 60 kB are 1.7 times the object store.
    done = publish_many(3_000, keep=4, record_bytes=60_000)
    assert done.num_published == 3_000
    assert done.spilled_bytes == 0
    assert 0 < done.most_objects <= 3 * 4
    assert done.most_bytes <= 3 * 4 * (60_000 + OVERHEAD_BYTES)

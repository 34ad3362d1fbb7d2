"""A worker's end of the exchange while the other end hangs: what the training loop sees of it."""

import threading
from types import SimpleNamespace

import pytest
from ray.exceptions import RaySystemError

from nested_ray.distill.exchange import RecordHeader
from nested_ray.distill.ray_exchange import RayExchange


class HangingClient(RayExchange):
    """Hands records to a cluster that makes room for them only when it is told to, and then fails."""

    def __init__(self):
        self.asked, self.released = threading.Event(), threading.Event()
        super().__init__("exchange", "test", "syntax", poll_s=0.01, timeout_s=1.0)

    def _get_actor(self):
        return SimpleNamespace(publish=SimpleNamespace(remote=self._hang))

    def _hang(self, header, payload):
        self.asked.set()
        self.released.wait(60)
        raise RaySystemError("no room")


@pytest.fixture
def client():
    client = HangingClient()
    yield client
    client.released.set()
    client.close()


def header(number):
    return RecordHeader("syntax", f"syntax/0/{number}", "d", number, 1, "t", 1, 1)


def in_time(act):
    """Whether a call comes back although the client's thread hangs."""
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    thread.join(10)
    return not thread.is_alive()


def test_the_training_loop_does_not_wait_for_a_cluster_without_room(client):
    client.publish(header(1), b"x")
    assert client.asked.wait(60)
    assert in_time(lambda: client.publish(header(2), b"x"))
    assert in_time(lambda: client.unread("syntax", 0))
    client.publish(header(3), b"x")
    assert client.undelivered().dropped == 1  # two are under way


def test_a_record_that_could_not_be_handed_over_stays_queued(client):
    client.publish(header(1), b"x")
    assert client.asked.wait(60)
    client.released.set()
    client.asked.clear()
    assert client.asked.wait(60)  # it tries again
    assert client.undelivered().lost == 0
    assert [kept.weights_step for kept, _ in client._outgoing] == [1]


def test_what_was_read_is_not_held_any_longer(client):
    client._received.extend((number, header(number), bytes(8)) for number in (1, 2, 3))
    assert [number for number, _, _ in client.unread("syntax", 0)] == [1, 2, 3]
    assert [number for number, _, _ in client.unread("syntax", 2)] == [3]
    assert len(client._received) == 1

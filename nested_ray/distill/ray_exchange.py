"""The exchange as a Ray actor, and the client that keeps every wait out of the training loop.

An object put by a worker dies with that worker, so the bytes are put inside the actor. The actor may
die as well: it comes back empty and with a new epoch, and its clients start over. Whatever is lost on
the way is counted, never raised.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError

from nested_ray.distill.exchange import ExchangeReport, RecordHeader
from nested_ray.distill.mailbox import Mailbox, Place, Undelivered

logger = logging.getLogger(__name__)

MAX_IN_FLIGHT = 2
"""Records a client has handed over and not seen arrive; the next one is dropped."""


class ExchangeActor:
    """The mailbox with its payloads in the object store, owned by this actor.

    Methods are async: a large record of one level must not hold up the others.
    """

    def __init__(self, keep: int) -> None:
        self._mailbox = Mailbox(keep)
        self._epoch = uuid.uuid4().hex

    async def publish(self, header: RecordHeader, payload: bytes) -> None:
        self._mailbox.put(header, ray.put(payload), len(payload))

    async def unread(self, reader: str, place: Place) -> tuple[str, list[Any]]:
        """The actor's epoch and (sequence, header, [reference]) of what is new to the reader.

        A reader of another epoch gets everything.
        """
        found = self._mailbox.unread(reader, place.number_in(self._epoch))
        # A bare reference would be resolved on the way; inside a list it stays one.
        return self._epoch, [(number, header, [ref]) for number, header, ref in found]

    async def report(self) -> ExchangeReport:
        return self._mailbox.report()


def start_exchange(name: str, namespace: str, keep: int) -> Any:
    """Start the named actor; it is restarted for ever and ends with its handle's job."""
    actor = ray.remote(num_cpus=0, max_restarts=-1)(ExchangeActor)
    return actor.options(name=name, namespace=namespace).remote(keep)


def read_report(actor: Any, timeout_s: float = 10.0) -> ExchangeReport:
    """The actor's counts since it last started; empty when it does not answer."""
    try:
        return ray.get(actor.report.remote(), timeout=timeout_s)
    except RayError as exc:
        logger.warning("the exchange does not say what it did: %s", exc)
        return ExchangeReport()


class RayExchange:
    """One worker's end of the exchange. `publish` and `unread` only touch local queues.

    A background thread sends, receives and survives the death of the actor. Sequence numbers are
    this client's own, so they go on when the actor's start over.
    """

    def __init__(
        self,
        name: str,
        namespace: str,
        reader: str,
        *,
        keep: int = 32,
        accepts: Callable[[RecordHeader], bool] = lambda header: True,
        poll_s: float = 0.25,
        timeout_s: float = 10.0,
    ) -> None:
        """`accepts` spares fetching records that this worker will not use."""
        self._name, self._namespace, self._reader = name, namespace, reader
        self._accepts, self._poll_s, self._timeout_s = accepts, poll_s, timeout_s
        self._lock = threading.Lock()
        self._outgoing: deque[tuple[RecordHeader, bytes]] = deque()
        self._in_flight: list[tuple[float, Any]] = []
        self._received: deque[tuple[int, RecordHeader, bytes]] = deque(maxlen=4 * keep)
        self._num_received = self._dropped = self._lost = 0
        self._actor: Any = None
        self._place = Place()
        self._wake, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"exchange-{reader}", daemon=True)
        self._thread.start()

    def publish(self, header: RecordHeader, payload: bytes) -> None:
        """Queue one record; it is dropped when two are under way."""
        with self._lock:
            if len(self._outgoing) + len(self._in_flight) >= MAX_IN_FLIGHT:
                self._dropped += 1
                return
            self._outgoing.append((header, payload))
        self._wake.set()

    def unread(self, reader: str, after: int) -> Sequence[tuple[int, RecordHeader, bytes]]:
        """What has arrived for this client's reader so far; what it has read is forgotten."""
        with self._lock:
            while self._received and self._received[0][0] <= after:
                self._received.popleft()
            return list(self._received)

    def undelivered(self) -> Undelivered:
        with self._lock:
            return Undelivered(dropped=self._dropped, lost=self._lost)

    def close(self) -> None:
        """Send what is queued, then end the thread; bounded by the timeout."""
        self._closing.set()
        self._wake.set()
        self._thread.join(self._timeout_s)

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wake.wait(self._poll_s)
            self._wake.clear()
            self._exchange_once(receive=not self._closing.is_set())
        deadline = time.monotonic() + self._timeout_s / 2
        while (self._outgoing or self._in_flight) and time.monotonic() < deadline:
            self._exchange_once(receive=False)
            time.sleep(0.02)

    def _exchange_once(self, *, receive: bool) -> None:
        try:
            self._send()
            self._settle()
            if receive:
                self._receive()
        except (RayError, ValueError) as exc:  # ValueError: no actor of that name, for now
            self._actor = None
            logger.debug("exchange %s does not answer: %s", self._name, exc)

    def _get_actor(self) -> Any:
        if self._actor is None:
            self._actor = ray.get_actor(self._name, namespace=self._namespace)
        return self._actor

    def _send(self) -> None:
        """What cannot be handed over stays queued. Only this thread takes from the queue."""
        actor = self._get_actor()
        while self._outgoing:
            # Outside of the lock: Ray may have to make room for a record, and the training loop must not wait.
            sent = time.monotonic(), actor.publish.remote(*self._outgoing[0])
            with self._lock:
                self._outgoing.popleft()
                self._in_flight.append(sent)

    def _settle(self) -> None:
        """Forget what has arrived; count what failed or took too long."""
        waiting = []
        for sent_at, ref in self._in_flight:
            ready, _ = ray.wait([ref], timeout=0)
            if not ready and time.monotonic() - sent_at < self._timeout_s:
                waiting.append((sent_at, ref))
            elif not ready or not self._arrived(ref):
                self._count_lost(1)
        with self._lock:
            self._in_flight = waiting

    def _arrived(self, ref: Any) -> bool:
        try:
            ray.get(ref)
        except RayError:
            return False
        return True

    def _receive(self) -> None:
        call = self._get_actor().unread.remote(self._reader, self._place)
        epoch, announced = ray.get(call, timeout=self._timeout_s)
        self._place = self._place.after(epoch, [number for number, _, _ in announced])
        for _, header, refs in announced:
            if self._accepts(header):
                self._fetch(header, refs)

    def _fetch(self, header: RecordHeader, refs: list[Any]) -> None:
        try:
            (payload,) = ray.get(refs, timeout=self._timeout_s)
        except (RayError, GetTimeoutError):
            self._count_lost(1)
            return
        with self._lock:
            self._num_received += 1
            self._received.append((self._num_received, header, payload))

    def _count_lost(self, count: int) -> None:
        with self._lock:
            self._lost += count

"""Publish far more than the exchange may hold, and watch the object store.

    python -m tests.bench.exchange_memory [--publishes 100000] [--record-bytes 4000] [--keep 32]

A real actor on a local Ray with a store of 80 MB. It should hold at most `keep` records of each level, however many
came, and nothing should be spilled to disk. Ends with exit status 1 otherwise.
"""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import Any

# Ray reads these when it is imported.
os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(24))
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import ray
from ray._private.internal_api import get_memory_info_reply, get_state_from_address

from nested_ray.distill.exchange import RecordHeader
from nested_ray.distill.mailbox import Place
from nested_ray.distill.ray_exchange import read_report, start_exchange

LEVELS = ("syntax", "semantics", "architecture")
TOGETHER = 300
"""Publishes that are under way at once."""
OVERHEAD_BYTES = 1000
"""What an object in the store takes besides its payload, at most."""
STORE_BYTES = 80 << 20


@dataclass(frozen=True)
class StoreUse:
    """Ray's own figures of its object store."""

    used_bytes: int
    num_objects: int
    spilled_bytes: int

    @classmethod
    def read(cls) -> StoreUse:
        cluster = ray.get_runtime_context().gcs_address  # another Ray may run on this machine
        stats = get_memory_info_reply(get_state_from_address(cluster)).store_stats
        return cls(
            stats.object_store_bytes_used, stats.num_local_objects, stats.spilled_bytes_total
        )


@dataclass(frozen=True)
class Publishing:
    """What was published, and the store's use along the way."""

    num_published: int
    keep: int
    record_bytes: int
    uses: tuple[StoreUse, ...]
    """While nothing was under way, at equal distances; the first one before the first record."""
    seconds: float

    @property
    def allowed_bytes(self) -> int:
        return len(LEVELS) * self.keep * (self.record_bytes + OVERHEAD_BYTES)

    @property
    def most_bytes(self) -> int:
        return max(use.used_bytes for use in self.uses) - self.uses[0].used_bytes

    @property
    def most_objects(self) -> int:
        return max(use.num_objects for use in self.uses) - self.uses[0].num_objects

    @property
    def spilled_bytes(self) -> int:
        return self.uses[-1].spilled_bytes - self.uses[0].spilled_bytes

    @property
    def is_bounded(self) -> bool:
        return (
            self.spilled_bytes == 0
            and self.most_bytes <= self.allowed_bytes
            and self.most_objects <= len(LEVELS) * self.keep
        )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--publishes", type=int, default=100_000)
    parser.add_argument("--record-bytes", type=int, default=4_000)
    parser.add_argument("--keep", type=int, default=32)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nr-") as folder:
        ray.init(
            address="local",
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=STORE_BYTES,
            _temp_dir=folder,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
        try:
            done = publish_many(
                args.publishes, keep=args.keep, record_bytes=args.record_bytes, say=print
            )
        finally:
            ray.shutdown()
    print(
        f"{done.num_published:,} records of {done.record_bytes:,} bytes in {done.seconds:.0f} s "
        f"({done.num_published * done.record_bytes / 1e6:,.0f} MB through a store of {STORE_BYTES / 1e6:.0f} MB): "
        f"at most {done.most_objects} objects and {done.most_bytes:,} bytes in the store, "
        f"{done.allowed_bytes:,} allowed; {done.spilled_bytes:,} bytes spilled"
    )
    return 0 if done.is_bounded else 1


def publish_many(
    num_publishes: int, *, keep: int, record_bytes: int, num_looks: int = 10, say: Any = None
) -> Publishing:
    """All levels in turn, as many under way as fit a batch; a level reads what the others say."""
    actor = start_exchange(f"exchange-{secrets.token_hex(4)}", "exchange-memory", keep)
    before = read_report(actor, timeout_s=60.0)  # it is up
    assert not before.published
    began, uses, payload = time.monotonic(), [StoreUse.read()], secrets.token_bytes(record_bytes)
    try:
        for first in range(0, num_publishes, TOGETHER):
            numbers = range(first, min(first + TOGETHER, num_publishes))
            ray.get([actor.publish.remote(header(number), payload) for number in numbers])
            read_all(actor)
            if (first // TOGETHER) % max(1, num_publishes // TOGETHER // num_looks) == 0:
                uses.append(settled_use(uses[0], len(LEVELS) * keep))
                if say is not None:
                    say(f"  {numbers[-1] + 1:>7,}: {uses[-1]}", flush=True)
        uses.append(settled_use(uses[0], len(LEVELS) * keep))
        published = sum(read_report(actor).published.values())
    finally:
        ray.kill(actor)
    return Publishing(published, keep, record_bytes, tuple(uses), time.monotonic() - began)


def header(number: int) -> RecordHeader:
    level = LEVELS[number % len(LEVELS)]
    return RecordHeader(level, f"{level}/0/{number}", "d", number, 40, "t", 16, 16)


def read_all(actor: Any) -> None:
    """Fetch what is there, as a worker does, and let it go."""
    _, announced = ray.get(actor.unread.remote(LEVELS[0], Place()))
    ray.get([ref for _, _, refs in announced[-4:] for ref in refs])


def settled_use(before: StoreUse, num_held: int, timeout_s: float = 120.0) -> StoreUse:
    """The store's use once what nobody holds any more is gone: Ray frees it a moment later."""
    deadline = time.monotonic() + timeout_s
    use = StoreUse.read()
    while use.num_objects - before.num_objects > num_held and time.monotonic() < deadline:
        time.sleep(0.1)
        use = StoreUse.read()
    return use


if __name__ == "__main__":
    sys.exit(main())

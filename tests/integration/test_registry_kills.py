"""Nothing acknowledged is lost, whichever process is killed."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nested_ray.config.storage import StorageConfig
from nested_ray.registry import Registry, connect
from nested_ray.registry.records import NestDraft

MakeDraft = Callable[..., NestDraft]

# Imports once, then forks a publisher per line of input; the test kills it by the pid it prints.
PUBLISHERS = """
import os, sys
from pathlib import Path
from nested_ray.config.storage import StorageConfig
from nested_ray.registry import connect
from nested_ray.registry.records import NestDraft
home, folder, nest = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]

def publish_on(first):
    registry = connect(StorageConfig(home=home))
    registry.list_nests(), list(registry.artifacts.list_objects())
    print("go", os.getpid(), flush=True)
    for number in range(first, first + 1000):
        files = {}
        for part in range(3):
            path = folder / f"{nest}-{number}-{part}.json"
            path.write_bytes(f"{nest} {number} {part}".encode() * 2000)
            files[f"{part}.json"] = path
        print("begin", number, flush=True)
        version = registry.publish(NestDraft(nest, f"{nest}/{number}", "c", {}, {}, (), files))
        print("done", number, version.version, flush=True)

for line in iter(sys.stdin.readline, ""):
    if not (child := os.fork()):
        publish_on(int(line))
    os.waitpid(child, 0)
    print("killed", flush=True)
"""


@pytest.fixture
def registry(storage: StorageConfig) -> Iterator[Registry]:
    with connect(storage, use_actor=False) as registry:
        yield registry


def _kill(storage: StorageConfig, name: str) -> None:
    state = json.loads((storage.home / "storage.json").read_text())
    os.kill(state["servers"][name]["pid"], signal.SIGKILL)


def test_killed_publishers_leave_the_old_state_or_the_new_one(
    storage: StorageConfig, registry: Registry, tmp_path: Path
) -> None:
    rng = random.Random(5)
    begun: set[int] = set()
    done: dict[int, int] = {}
    command = [sys.executable, "-c", PUBLISHERS, str(storage.home), str(tmp_path), "killed"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as publishers:
        assert publishers.stdin and publishers.stdout
        for kill in range(12):
            print(kill * 1000, file=publishers.stdin, flush=True)
            go, pid = publishers.stdout.readline().split()
            assert go == "go"
            time.sleep(rng.uniform(0.0, 0.25))
            os.kill(int(pid), signal.SIGKILL)
            while (words := publishers.stdout.readline().split()) != ["killed"]:
                if words[0] == "begin":
                    begun.add(int(words[1]))
                else:
                    done[int(words[1])] = int(words[2])
    versions = registry.list_versions("killed")
    assert [version.version for version in versions] == list(range(1, len(versions) + 1))
    by_run = {version.run_id: version.version for version in versions}
    assert {
        f"killed/{number}": version for number, version in done.items()
    }.items() <= by_run.items()
    assert registry.verify("killed") == ()
    assert registry.resolve("killed", "candidate").version == len(versions)
    for number in begun - done.keys():  # a run started again finishes, or finds itself published
        files = {f"{part}.json": tmp_path / f"killed-{number}-{part}.json" for part in range(3)}
        again = registry.publish(NestDraft("killed", f"killed/{number}", "c", {}, {}, (), files))
        assert again.version == by_run.get(f"killed/{number}", again.version)
    numbers = [version.version for version in registry.list_versions("killed")]
    assert numbers == list(range(1, len(begun) + 1))


def test_acknowledged_moves_survive_kills_of_postgres(
    storage: StorageConfig, registry: Registry, make_draft: MakeDraft
) -> None:
    for run in ("a", "b"):
        registry.publish(make_draft("moves", run))
    acknowledged: list[int] = []
    stop = threading.Event()

    def move() -> None:
        while not stop.is_set():
            version = 1 + len(acknowledged) % 2
            acknowledged.append(registry.promote("moves", version, alias="a").rev)

    writer = threading.Thread(target=move)
    writer.start()
    for _ in range(3):
        seen = len(acknowledged)
        while len(acknowledged) < seen + 20:
            time.sleep(0.01)
        _kill(storage, "postgres")
    seen = len(acknowledged)
    while len(acknowledged) < seen + 20 and writer.is_alive():
        time.sleep(0.01)
    stop.set()
    writer.join()
    revs = [entry.rev for entry in registry.alias_history("moves", "a")]
    assert revs == list(range(1, len(revs) + 1))
    assert set(acknowledged) <= set(revs)
    assert acknowledged == sorted(acknowledged)


def test_publishes_go_on_through_a_kill_of_the_object_store(
    storage: StorageConfig, registry: Registry, make_draft: MakeDraft
) -> None:
    before = registry.publish(make_draft("objects", "before"))
    _kill(storage, "s3")
    after = registry.publish(make_draft("objects", "after"))
    assert (before.version, after.version) == (1, 2)
    assert registry.verify("objects") == ()


def test_every_server_killed_at_once_serves_the_same_nest_again(
    storage: StorageConfig, registry: Registry, make_draft: MakeDraft
) -> None:
    draft = make_draft("all", "run")
    published = registry.publish(draft)
    state = json.loads((storage.home / "storage.json").read_text())
    os.kill(state["supervisor"]["pid"], signal.SIGKILL)
    for name in itertools.chain(state["servers"]):
        _kill(storage, name)
    with connect(storage, use_actor=False) as reopened:
        version = reopened.resolve("all")
        assert version == published
        folder = reopened.fetch(version)
    assert {n: (folder / n).read_bytes() for n in draft.files} == {
        n: path.read_bytes() for n, path in draft.files.items()
    }

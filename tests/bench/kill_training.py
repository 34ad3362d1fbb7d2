"""Kill what a training consists of, at random moments, and see what is lost.

    python -m tests.bench.kill_training [--kills 20] [--seed 1] [--json FILE]

Three tiny levels train by `nested-ray train` with embedded Postgres and S3, while nests are published beside it. A
SIGKILL hits a worker, the exchange, the driver (the same command is then given again), S3 or Postgres whenever the
levels have made so many steps together; targets and moments come from the seed. Ends with exit status 1 when a
promise was broken.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import yaml

from nested_ray.config.storage import StorageConfig
from nested_ray.registry import Registry, connect
from nested_ray.registry.records import NestDraft
from tests.bench.kill_report import Kill, Outcome, judge, render
from tests.e2e.conftest import COMMAND, ROOT, Shell, processes_of

TARGETS = ("worker", "exchange", "driver", "s3", "postgres")
CONTEXT_TOKENS = {"syntax": 0, "semantics": 32, "architecture": 48}
CHECKPOINT_EVERY = 100
CHILDREN_END_WITHIN_S = 60.0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps-per-kill", type=int, default=110)
    parser.add_argument("--limit-s", type=float, default=720.0, help="give up after so long")
    parser.add_argument("--json", type=Path, help="write everything that was seen there")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as any end: nothing is left running
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)  # Postgres is killed on purpose
    with tempfile.TemporaryDirectory(prefix="nr-kill-") as folder:
        outcome = run_trial(
            Path(folder),
            draw_plan(args.kills, args.seed, args.steps_per_kill),
            seed=args.seed,
            limit_s=args.limit_s,
        )
    print(render(outcome))
    if args.json:
        args.json.write_text(json.dumps(outcome.to_dict(), indent=1) + "\n")
    return 1 if outcome.broken else 0


@dataclass(frozen=True)
class Plan:
    """What is killed, and after how many steps of all levels together."""

    max_steps: int
    """Of each level."""
    strikes: tuple[tuple[int, str], ...]
    """(steps, target), rising."""


def draw_plan(num_kills: int, seed: int, steps_per_kill: int) -> Plan:
    """Every target equally often, as far as the number goes; order and moments from the seed."""
    rng = random.Random(seed)
    targets = [TARGETS[number % len(TARGETS)] for number in range(num_kills)]
    rng.shuffle(targets)
    max_steps = steps_per_kill * num_kills + 2 * CHECKPOINT_EVERY
    all_steps = max_steps * len(CONTEXT_TOKENS)
    moments = sorted(rng.randrange(all_steps // 20, all_steps * 9 // 10) for _ in targets)
    return Plan(max_steps, tuple(zip(moments, targets, strict=True)))


def run_trial(folder: Path, plan: Plan, *, seed: int, limit_s: float = 720.0) -> Outcome:
    """One training through all strikes of the plan."""
    home = folder / "home"
    with ExitStack() as stack:
        # Opened here, outside of the driver's environment: the servers outlive it.
        registry = stack.enter_context(connect(StorageConfig(home=home), use_actor=False))
        bystander = Bystander(registry, folder / "drafts")
        stack.callback(bystander.stop)
        training = Training(Shell(home), write_config(folder, plan.max_steps), folder)
        stack.callback(training.end)
        bystander.start()
        trial = Trial(training, plan, random.Random(seed), time.monotonic() + limit_s)
        trial.run()
        bystander.stop()
        return judge(
            kills=trial.kills,
            journal=home / "runs" / "killed-1" / "metrics.jsonl",
            result=training.result(),
            registry=registry,
            published=bystander.acknowledged,
            checkpoint_every=CHECKPOINT_EVERY,
            num_planned=len(plan.strikes),
            left_behind=trial.left_behind,
            seconds=trial.seconds,
        )


def write_config(folder: Path, max_steps: int) -> Path:
    """A complete run on a few files."""
    code = folder / "code"
    shutil.copytree(ROOT / "nested_ray" / "config", code)
    levels = [
        {
            "name": name,
            "kind": name,
            "weight": 0.3,
            "context_tokens": context_tokens,
            "budget": {
                "max_steps": max_steps,
                "micro_batch_size": 8,
                "checkpoint_every_steps": CHECKPOINT_EVERY,
                "precision": "fp32",
            },
        }
        for name, context_tokens in CONTEXT_TOKENS.items()
    ]
    values = {
        "name": "killed",
        "nest": "killed",
        "corpus": {
            "sources": [{"type": "folder", "path": str(code)}],
            "split": {"validation": 0.2, "test": 0.2},
        },
        "tokenizer": {"vocab_size": 1024},
        "windows": {"window_tokens": 64, "max_windows": 1000},
        "levels": levels,
        "distill": {"paired_share": 0.5, "burn_in_steps": 5, "ramp_steps": 5},
        "evaluation": {"max_windows": 8, "max_lines": 8, "max_line_tokens": 24},
        "review": {"enabled": False},
        "max_failures": 100,
    }
    path = folder / "killed.yaml"
    path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    return path


class Training:
    """The command, started again after each kill, and the processes that belong to it."""

    def __init__(self, shell: Shell, config: Path, folder: Path) -> None:
        self._shell, self._config, self._folder = shell, config, folder
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = 0

    @property
    def journal(self) -> Path:
        return self._shell.home / "runs" / "killed-1" / "metrics.jsonl"

    def start(self) -> None:
        self._starts += 1
        with (
            (self._folder / "result.json").open("wb") as result,
            (self._folder / f"driver-{self._starts}.log").open("wb") as log,
        ):
            self._process = subprocess.Popen(
                [str(COMMAND), "train", str(self._config), "--json"],
                env=self._shell.environment,
                cwd=ROOT,
                stdout=result,
                stderr=log,
            )

    def poll(self) -> int | None:
        assert self._process is not None
        return self._process.poll()

    def log(self) -> str:
        return (self._folder / f"driver-{self._starts}.log").read_text(errors="replace")

    def result(self) -> dict[str, object]:
        try:
            return json.loads((self._folder / "result.json").read_text())
        except ValueError:
            return {}

    def pids_of(self, target: str) -> list[int]:
        """Processes that a strike at the target may hit; none while it is being started."""
        if target == "driver":
            return [self._process.pid] if self._process and self._process.poll() is None else []
        if target in ("s3", "postgres"):
            return server_pids(self._shell.home, target)
        title = "ray::RayTrainWorker" if target == "worker" else "ray::ExchangeActor"
        return [p.pid for p in processes_of(self._shell.home) if title_of(p).startswith(title)]

    def wait_until_children_end(self) -> list[str]:
        """Titles of the processes that outlived their killed driver."""
        assert self._process is not None
        self._process.wait()
        deadline = time.monotonic() + CHILDREN_END_WITHIN_S
        while (left := processes_of(self._shell.home)) and time.monotonic() < deadline:
            time.sleep(0.2)
        return [title_of(process) for process in left]

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        for left in processes_of(self._shell.home):
            left.kill()


def server_pids(home: Path, name: str) -> list[int]:
    """The server's process when it is up."""
    try:
        server = json.loads((home / "storage.json").read_text())["servers"][name]
    except (OSError, ValueError, KeyError):
        return []
    return [server["pid"]] if server["state"] == "ready" else []


def title_of(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())[:120]
    except psutil.Error:
        return ""


class Bystander:
    """Publishes small nests the whole time and remembers what was acknowledged."""

    def __init__(self, registry: Registry, folder: Path) -> None:
        self._registry, self._folder = registry, folder
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="bystander", daemon=True)
        self.acknowledged: dict[int, bytes] = {}
        """By version number of the nest `beside`, the content of its file."""
        folder.mkdir(parents=True)

    def start(self) -> None:
        for number in range(3):
            self._publish(number)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _go_on(self) -> None:
        number = 3
        while not self._stopping.wait(1.0):
            try:
                self._publish(number)
            except Exception as exc:  # not acknowledged: the same nest is tried again
                print(f"  beside/{number} not published yet: {exc}", flush=True)
                continue
            number += 1

    def _publish(self, number: int) -> None:
        content = f"nest {number}\n".encode() * 5000
        path = self._folder / f"{number}.txt"
        path.write_bytes(content)
        draft = NestDraft("beside", f"beside/{number}", "c", {}, {}, (), {"nest.txt": path})
        self.acknowledged[self._registry.publish(draft).version] = content


@dataclass
class Trial:
    """Strikes when the levels have come far enough, until the training has ended."""

    training: Training
    plan: Plan
    rng: random.Random
    deadline: float
    kills: list[Kill] = field(default_factory=list)
    left_behind: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def run(self) -> None:
        began = time.monotonic()
        self.training.start()
        while (status := self.training.poll()) is None:
            if time.monotonic() > self.deadline:
                print(f"not done in time; the driver says:\n{self.training.log()[-2000:]}")
                break
            self._strike_if_due()
            time.sleep(0.1)
        if status:
            print(f"the driver ended with {status}:\n{self.training.log()[-4000:]}")
        self.seconds = time.monotonic() - began
        if status is not None:
            self.left_behind += self.training.wait_until_children_end()

    def _strike_if_due(self) -> None:
        if len(self.kills) == len(self.plan.strikes):
            return
        moment, target = self.plan.strikes[len(self.kills)]
        if steps_made(self.training.journal) < moment or not (
            pids := self.training.pids_of(target)
        ):
            return
        time.sleep(self.rng.uniform(0.0, 1.0))  # the journal is written twice a second
        pid = self.rng.choice(pids)
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return  # it ended by itself: the next look finds its successor
        self.kills.append(Kill(len(self.kills) + 1, target, pid, time.time()))
        print(f"kill {len(self.kills)} of {len(self.plan.strikes)}: {target} {pid}", flush=True)
        if target == "driver":
            self.left_behind += self.training.wait_until_children_end()
            self.training.start()


def steps_made(journal: Path) -> int:
    """The furthest step of each level, summed."""
    furthest: dict[str, int] = {}
    if journal.exists():
        for text in journal.read_text(errors="replace").splitlines():
            try:
                line = json.loads(text)
            except ValueError:
                continue
            furthest[line["level"]] = max(furthest.get(line["level"], 0), line["step"])
    return sum(furthest.values())


if __name__ == "__main__":
    sys.exit(main())

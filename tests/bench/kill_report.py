"""What a training lost to kills: the journal and the registry read against the promises."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from statistics import stdev
from typing import Any

from nested_ray.registry import Registry

SEEN_LATE_S = 1.5
"""A worker tells the board every second, and the driver looks at it twice a second."""
STORING_S = 1.0
"""A checkpoint counts once it is stored and Ray Train has noted it; steps are made meanwhile."""
BEFORE_S = 12.0
"""Peers' own speed is measured over so long before a kill."""


@dataclass(frozen=True)
class Kill:
    """One SIGKILL."""

    number: int
    target: str
    pid: int
    time: float


@dataclass(frozen=True)
class Outage:
    """A level without its worker: from a kill to the first step of the next process."""

    level: str
    kills: tuple[int, ...]
    """Numbers of the kills that hit it; empty: it went down by itself."""
    seconds: float
    went_on_at: int
    lost_seen: int
    """Steps that were told of and had to be made again."""
    lost_at_most: float
    """With those that it may have made after its last word."""
    allowed: float
    """One checkpoint interval, and the steps made while a checkpoint is stored or not told of yet."""


@dataclass(frozen=True)
class PeerPace:
    """One living level while another was dead, against itself just before."""

    level: str
    kill: int
    steps: int
    tokens_per_second_before: float
    tokens_per_second_during: float
    steps_per_cpu_second_before: float
    steps_per_cpu_second_during: float


@dataclass(frozen=True)
class Outcome:
    """Everything that was seen, and which promises it broke."""

    kills: tuple[Kill, ...]
    outages: tuple[Outage, ...]
    peers: tuple[PeerPace, ...]
    checkpoint_every: int
    num_published_beside: int
    steps: Mapping[str, int]
    seconds: float
    cores: int
    broken: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "pace_by_clock": pooled(self.peers, "tokens_per_second"),
            "pace_by_processor_time": pooled(self.peers, "steps_per_cpu_second"),
        }


def judge(
    *,
    kills: Sequence[Kill],
    journal: Path,
    result: Mapping[str, Any],
    registry: Registry,
    published: Mapping[int, bytes],
    checkpoint_every: int,
    num_planned: int,
    left_behind: Sequence[str],
    seconds: float,
) -> Outcome:
    """Read what the run left behind."""
    lives = read_lives(journal)
    outages = [o for level in lives for o in outages_of(lives[level], kills, checkpoint_every)]
    outages.sort(key=lambda outage: outage.kills)
    fit = result.get("fit", {}).get("levels", {})
    broken = [
        *([f"{num_planned - len(kills)} kills were not made"] if len(kills) < num_planned else []),
        *([] if result else ["the run did not complete"]),
        *(f"left after its driver: {title}" for title in left_behind),
        *(f"{o.level} went down without a kill" for o in outages if not o.kills),
        *(
            f"{o.level} lost {o.lost_seen} steps to kill {o.kills}"
            for o in outages
            if o.lost_seen > o.allowed * max(1, len(o.kills))
        ),
        *broken_records(registry, published, result),
    ]
    return Outcome(
        kills=tuple(kills),
        outages=tuple(outages),
        peers=tuple(peer_paces(lives, outages, kills)),
        checkpoint_every=checkpoint_every,
        num_published_beside=len(published),
        steps={name: level["steps"] for name, level in fit.items()},
        seconds=seconds,
        cores=len(os.sched_getaffinity(0)),
        broken=tuple(broken),
    )


Life = list[dict[str, Any]]
"""Journal lines of one process of a level, in order."""


def read_lives(journal: Path) -> dict[str, list[Life]]:
    """By level, the lines of its processes, one after the other."""
    lives: dict[str, list[Life]] = {}
    for text in journal.read_text(errors="replace").splitlines() if journal.exists() else []:
        try:
            line = json.loads(text)
        except ValueError:
            continue
        of_level = lives.setdefault(line["level"], [])
        if not of_level or of_level[-1][-1]["pids"] != line["pids"]:
            of_level.append([])
        of_level[-1].append(line)
    return lives


def outages_of(lives: list[Life], kills: Sequence[Kill], checkpoint_every: int) -> list[Outage]:
    """Between every two processes of a level there is one."""
    known = {pid for life in lives for pid in life[-1]["pids"]}
    outages = []
    for life, following in pairwise(lives):
        last, first = life[-1], following[0]
        hits = [
            kill
            for kill in kills
            if life[0]["time"] <= kill.time <= first["time"]
            and (kill.target == "driver" or (kill.target == "worker" and kill.pid in known))
            and (kill.target != "worker" or kill.pid in life[-1]["pids"])
        ]
        at = hits[0].time if hits else last["time"]
        pace = steps_per_second(last)
        unseen = pace * max(0.0, min(at - last["time"] + SEEN_LATE_S, 2 * SEEN_LATE_S))
        lost = max(0, last["step"] - first["first_step"])
        outages.append(
            Outage(
                level=last["level"],
                kills=tuple(kill.number for kill in hits),
                seconds=first["time"] - at,
                went_on_at=first["first_step"],
                lost_seen=lost,
                lost_at_most=round(lost + unseen, 1),
                allowed=round(checkpoint_every + pace * STORING_S, 1),
            )
        )
    return outages


def steps_per_second(line: Mapping[str, Any]) -> float:
    return line["tokens_per_second"] * line["step"] / max(1, line["tokens_seen"])


def peer_paces(
    lives: Mapping[str, list[Life]], outages: Sequence[Outage], kills: Sequence[Kill]
) -> list[PeerPace]:
    """Living levels while a worker of another was dead; deaths of the driver leave nobody alive."""
    by_number = {kill.number: kill for kill in kills}
    paces = []
    for outage in outages:
        hits = [by_number[number] for number in outage.kills]
        if not hits or any(kill.target == "driver" for kill in hits):
            continue
        at, back = hits[0].time, hits[0].time + outage.seconds
        for level, of_level in lives.items():
            for life in of_level if level != outage.level else ():
                pace = peer_pace(life, outage.kills[0], at, back)
                if pace is not None:
                    paces.append(pace)
    return paces


def peer_pace(life: Life, kill: int, at: float, back: float) -> PeerPace | None:
    """None unless the process trained before the kill and all through the outage."""
    if life[0]["time"] > at - 3.0 or life[-1]["time"] < back - 1.0:
        return None
    before = [line for line in life if at - BEFORE_S <= line["time"] <= at]
    # What was told in the first second after the kill was measured before it.
    during = [line for line in life if at + 1.0 < line["time"] <= back]
    if len(before) < 3 or len(during) < 3:
        return None
    return PeerPace(
        level=life[0]["level"],
        kill=kill,
        steps=during[-1]["step"] - during[0]["step"],
        tokens_per_second_before=mean([line["tokens_per_second"] for line in before]),
        tokens_per_second_during=mean([line["tokens_per_second"] for line in during]),
        steps_per_cpu_second_before=per_cpu_second(before),
        steps_per_cpu_second_during=per_cpu_second(during),
    )


def per_cpu_second(lines: Life) -> float:
    first, last = lines[0], lines[-1]
    return (last["step"] - first["step"]) / max(1e-9, last["cpu_seconds"] - first["cpu_seconds"])


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def pooled(peers: Sequence[PeerPace], what: str) -> float | None:
    """Speed while a peer was dead over speed before, each weighted by the steps it was seen for."""
    weight = sum(pace.steps for pace in peers)
    if not weight:
        return None
    ratios = (
        pace.steps * getattr(pace, f"{what}_during") / getattr(pace, f"{what}_before")
        for pace in peers
    )
    return sum(ratios) / weight


def standard_error(peers: Sequence[PeerPace], what: str) -> float:
    """Of the windows' ratios around their mean."""
    ratios = [getattr(each, f"{what}_during") / getattr(each, f"{what}_before") for each in peers]
    return stdev(ratios) / len(ratios) ** 0.5 if len(ratios) > 1 else float("nan")


def broken_records(
    registry: Registry, published: Mapping[int, bytes], result: Mapping[str, Any]
) -> list[str]:
    """What was acknowledged and is not there, word for word; and the run's own version."""
    broken = []
    for number, content in published.items():
        folder = registry.fetch(registry.resolve("beside", number))
        if (folder / "nest.txt").read_bytes() != content:
            broken.append(f"beside@{number} reads differently")
    broken += [f"registry: {problem}" for problem in registry.verify()]
    if result:
        versions = registry.list_versions("killed")
        if [version.version for version in versions] != [1]:
            broken.append(f"the run was published {len(versions)} times")
        elif registry.resolve("killed").run_id != result["run_id"]:
            broken.append("the run's version is another run's")
    return broken


def render(outcome: Outcome) -> str:
    """The table for people."""
    clock, cpu = (
        _pace(outcome.peers, what) for what in ("tokens_per_second", "steps_per_cpu_second")
    )
    lines = [
        f"{len(outcome.kills)} kills in {outcome.seconds:.0f} s on {outcome.cores} cores; "
        f"a checkpoint every {outcome.checkpoint_every} steps; steps in the end: "
        + ", ".join(f"{name} {steps}" for name, steps in outcome.steps.items()),
        "",
        "| kill | target | level | down for s | went on at | steps lost, seen | at most |",
        "|---|---|---|---|---|---|---|",
    ]
    for kill in outcome.kills:
        hit = [outage for outage in outcome.outages if kill.number in outage.kills]
        for outage in hit:
            lines.append(
                f"| {kill.number} | {kill.target} | {outage.level} | {outage.seconds:.1f} "
                f"| {outage.went_on_at} | {outage.lost_seen} | {outage.lost_at_most:.0f} |"
            )
        if not hit:
            lines.append(f"| {kill.number} | {kill.target} | – | – | – | 0 | 0 |")
    lines += [
        "",
        f"living levels while another was dead, {len(outcome.peers)} windows: {clock} of their tokens per second, "
        f"{cpu} of their steps per processor second (goal: 99 %)",
        f"registry: {outcome.num_published_beside} nests published beside it, all read back"
        if not outcome.broken
        else "BROKEN: " + "; ".join(outcome.broken),
    ]
    return "\n".join(lines)


def _pace(peers: Sequence[PeerPace], what: str) -> str:
    ratio = pooled(peers, what)
    if ratio is None:
        return "–"
    return f"{100 * ratio:.1f} % (± {100 * standard_error(peers, what):.1f})"

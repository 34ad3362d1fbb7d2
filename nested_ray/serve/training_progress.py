"""How far a run is, read from the files that it leaves in its folder."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nested_ray.api.training import LevelTraining, TrainingMetrics
from nested_ray.serve.training_records import LevelPlan

JOURNAL_FILE = "metrics.jsonl"
FIT_FILE = "fit.json"
FINISHED_FILE = "finished.json"
TAIL_BYTES = 256 << 10
"""Of the journal; about a quarter of an hour of three levels."""
SPEED_POINTS = 30
"""The speed is that of the last points, which are a second apart."""

Points = dict[str, list[dict[str, Any]]]


def run_folder(home: Path, session: str) -> Path:
    """The newest run of a session's name."""
    runs = home / "runs"
    numbers = [path.name.removeprefix(f"{session}-") for path in runs.glob(f"{session}-*")]
    newest = max((int(number) for number in numbers if number.isdecimal()), default=1)
    return runs / f"{session}-{newest}"


def has_trained(run_dir: Path) -> bool:
    """Whether every level has made its steps."""
    return (run_dir / FIT_FILE).exists()


def registered_version(run_dir: Path) -> int | None:
    """The version that the run has become; None before that."""
    try:
        return int(json.loads((run_dir / FINISHED_FILE).read_text(encoding="utf-8"))["version"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def read_levels(
    run_dir: Path, plans: Iterable[LevelPlan], since: float | None
) -> list[LevelTraining]:
    """Every level's last word; speeds count from `since`, when the present attempt began."""
    points, trained = read_tail(run_dir / JOURNAL_FILE), has_trained(run_dir)
    return [level_training(plan, points.get(plan.name, []), since, trained) for plan in plans]


def level_training(
    plan: LevelPlan, points: list[dict[str, Any]], since: float | None, trained: bool
) -> LevelTraining:
    last = points[-1] if points else {}
    step = plan.max_steps if trained else min(int(last.get("step", 0)), plan.max_steps)
    pace = seconds_per_step(points, since)
    done = step >= plan.max_steps
    return LevelTraining(
        name=plan.name,
        focus=plan.focus,
        state="done" if done else "training" if points else "waiting",
        progress=step / plan.max_steps,
        step=step,
        max_steps=plan.max_steps,
        loss=last.get("loss"),
        accuracy=last.get("accuracy"),
        tokens_per_second=last.get("tokens_per_second"),
        targets_published=last.get("targets_published", 0),
        targets_used=last.get("targets_used", 0),
        estimated_s=0.0 if done else None if pace is None else pace * (plan.max_steps - step),
    )


def measured_paces(run_dir: Path, since: float | None) -> dict[str, float]:
    """Seconds a step by level, of the levels where it is known."""
    paces = {
        name: seconds_per_step(points, since)
        for name, points in read_tail(run_dir / JOURNAL_FILE).items()
    }
    return {name: pace for name, pace in paces.items() if pace is not None}


def seconds_per_step(points: list[dict[str, Any]], since: float | None) -> float | None:
    """From the first to the last of the newest points; None for fewer than two."""
    recent = [point for point in points if since is None or point["time"] >= since]
    recent = recent[-SPEED_POINTS:]
    if len(recent) < 2:
        return None
    return (recent[-1]["time"] - recent[0]["time"]) / (recent[-1]["step"] - recent[0]["step"])


def read_tail(path: Path) -> Points:
    """The last points by level in order of steps; of steps made twice after a restart, the later ones."""
    levels: Points = {}
    for text in tail_lines(path):
        try:
            line = json.loads(text)
        except ValueError:
            continue  # the first one is cut, and the last one may be half written
        if isinstance(line, dict) and {"level", "step", "time"} <= line.keys():
            points = levels.setdefault(line["level"], [])
            while points and points[-1]["step"] >= line["step"]:
                points.pop()
            points.append(line)
    return levels


def tail_lines(path: Path) -> list[bytes]:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL_BYTES))
            return file.read().splitlines()
    except OSError:
        return []


def overall(levels: list[LevelTraining]) -> float:
    """Share of all steps that are made."""
    return sum(level.step for level in levels) / sum(level.max_steps for level in levels)


def furthest_to_go(levels: list[LevelTraining]) -> str | None:
    """The level with the smallest share of its steps made; None when all are done."""
    open_levels = [level for level in levels if level.state != "done"]
    return min(open_levels, key=lambda level: level.progress).name if open_levels else None


def weighted_metrics(levels: list[LevelTraining], plans: Iterable[LevelPlan]) -> TrainingMetrics:
    """Accuracy and loss over the levels that have a word on it, weighted as in the ensemble."""
    weights = {plan.name: plan.weight for plan in plans}
    accuracy = [(weights[each.name], each.accuracy) for each in levels]
    loss = [(weights[each.name], each.loss) for each in levels]
    return TrainingMetrics(accuracy=weighted_mean(accuracy), loss=weighted_mean(loss))


def weighted_mean(values: Iterable[tuple[float, float | None]]) -> float | None:
    known = [(weight, value) for weight, value in values if value is not None]
    total = sum(weight for weight, _ in known)
    return sum(weight * value for weight, value in known) / total if known else None


def time_left(
    levels: list[LevelTraining], known_paces: dict[str, float] | None = None
) -> float | None:
    """Seconds until the last level is done, since they train side by side; None where one's speed is unknown."""
    paces = known_paces or {}
    left: list[float] = []
    for level in levels:
        if level.estimated_s is not None:
            left.append(level.estimated_s)
        elif level.name in paces:
            left.append(paces[level.name] * (level.max_steps - level.step))
        else:
            return None
    return max(left, default=None)

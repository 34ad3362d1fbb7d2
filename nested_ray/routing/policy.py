"""Which levels a request may use, in which order, and when an answer is good enough."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nested_ray.config.routing import RoutingConfig
from nested_ray.errors import InvalidRequest, ModelNotFound
from nested_ray.routing.base import Action, Ask
from nested_ray.routing.experiments import Arm

AUTO = "auto"
ENSEMBLE = "ensemble"
TASKS = ("completion", "line")
"""`completion` continues the code; `line` ends at the end of the line."""


@dataclass(frozen=True)
class Route:
    """What to do: `cascade` asks until an answer is good enough, `direct` takes the first that comes, `ensemble` asks all."""

    action: Action
    levels: tuple[str, ...]
    """In the order in which they are asked."""


def choose_route(ask: Ask, arm: Arm, config: RoutingConfig) -> Route:
    """The caller's model and task, and the settings, as a route through this arm's levels.

    Raises ModelNotFound for an unknown model and InvalidRequest for an unknown task.
    """
    allowed = allowed_levels(ask.task, arm, config)
    if ask.model == ENSEMBLE:
        return Route("ensemble", allowed)
    if ask.model == AUTO and config.adaptive_selection:
        return Route("cascade", allowed)
    if ask.model == AUTO:
        return Route("direct", tuple(reversed(allowed)))
    if ask.model in arm.level_names:
        return Route("direct", (ask.model,))
    raise ModelNotFound(
        f"there is no model {ask.model!r}; use {', '.join(model_names([arm]))} (see GET /v1/models)"
    )


def allowed_levels(task: str, arm: Arm, config: RoutingConfig) -> tuple[str, ...]:
    """The arm's levels that the task may use, smallest first."""
    if task not in known_tasks(config):
        raise InvalidRequest(
            f"there is no task {task!r}; use one of {', '.join(known_tasks(config))}"
        )
    wanted = config.task_levels.get(task, arm.level_names)
    return tuple(name for name in arm.level_names if name in wanted) or arm.level_names


def known_tasks(config: RoutingConfig) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*TASKS, *config.task_levels)))


def model_names(arms: Iterable[Arm]) -> tuple[str, ...]:
    """Everything that the `model` of a request may say."""
    levels = dict.fromkeys(name for arm in arms for name in arm.level_names)
    return (AUTO, ENSEMBLE, *levels)


def threshold_of(level: str, arm: Arm, config: RoutingConfig) -> float:
    """Confidence from which the level's answers are good enough: configured, calibrated or general."""
    if level in config.level_thresholds:
        return config.level_thresholds[level]
    calibrated = {facts.name: facts.threshold for facts in arm.levels}.get(level)
    return config.confidence_threshold if calibrated is None else calibrated


def ensemble_weights(arm: Arm, config: RoutingConfig) -> dict[str, float]:
    """Positive weights by level name; a configured one replaces the registered one, 0 leaves a level out."""
    weights = {level.name: level.weight for level in arm.levels} | config.ensemble_weights
    return {level.name: weights[level.name] for level in arm.levels if weights[level.name] > 0}

"""The same question to the same versions has the same answer: keys and values for a response cache."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any, Protocol

from pydantic import TypeAdapter, ValidationError

from nested_ray import __version__
from nested_ray.config.routing import RoutingConfig
from nested_ray.routing.base import Answer, Ask
from nested_ray.routing.experiments import Arm

# Settings that change which answer is given; the others only change who gets it and how fast.
_DECIDING = {
    "adaptive_selection",
    "confidence_threshold",
    "level_thresholds",
    "ensemble_weights",
    "task_levels",
}
_ANSWER = TypeAdapter(Answer)


class AnswerCache(Protocol):
    """Where JSON values are kept; it may forget at any time and never raises."""

    async def get(self, key: str) -> Any: ...

    async def set(self, key: str, value: Any, ttl_s: float) -> None: ...


class NoCache:
    """Remembers nothing."""

    async def get(self, key: str) -> Any:
        return None

    async def set(self, key: str, value: Any, ttl_s: float) -> None:
        return None


def cache_key(ask: Ask, arm: Arm, config: RoutingConfig) -> str:
    """sha256 of everything the answer depends on: code, nest, deciding settings, the canonical request."""
    question = {
        "code": __version__,
        "nest": arm.digest,
        "version": arm.label,
        "levels": [asdict(level) for level in arm.levels],
        "settings": config.model_dump(mode="json", include=_DECIDING),
        "prompt": asdict(ask.prompt),
        "params": asdict(ask.params),
        "n": ask.n,
        "model": ask.model,
        "task": ask.task,
    }
    canonical = json.dumps(question, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def dump_answer(answer: Answer) -> Any:
    return _ANSWER.dump_python(answer, mode="json")


def load_answer(value: Any) -> Answer | None:
    """None for what is not an answer of this version of the code."""
    try:
        return _ANSWER.validate_python(value)
    except ValidationError:
        return None

"""Every metric nested-ray exports: name, unit, tags and meaning, in one place.

These are definitions only. Whoever measures makes the exporting object from one, for example
`ray.util.metrics.Counter(REQUESTS.name, description=REQUESTS.description, tag_keys=REQUESTS.tags)`.
Ray puts `ray_` before the name it exports.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MetricKind = Literal["counter", "gauge", "histogram"]

# Memory answers in under a millisecond, a level on one CPU core within seconds.
LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


@dataclass(frozen=True)
class Metric:
    """One time series family."""

    name: str
    kind: MetricKind
    unit: str
    """`s`, `1` (a count) or `tokens`."""
    description: str
    tags: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    """Upper bounds, for histograms only."""


def _counter(name: str, description: str, tags: tuple[str, ...] = (), unit: str = "1") -> Metric:
    return Metric(f"nested_learning_{name}", "counter", unit, description, tags)


def _gauge(name: str, description: str, unit: str = "1") -> Metric:
    return Metric(f"nested_learning_{name}", "gauge", unit, description, ("run", "level"))


def _latency(name: str, description: str, tags: tuple[str, ...] = ()) -> Metric:
    name = f"nested_learning_{name}_duration_seconds"
    return Metric(name, "histogram", "s", description, tags, LATENCY_BUCKETS_S)


# Training; gauges of the run's latest word, since a level that restarts counts on from its checkpoint
TRAINING_PROGRESS = _gauge("training_progress", "Share of a level's steps that are made, 0 to 1.")
LOSS = _gauge("loss", "Smoothed cross-entropy of the training batches.", unit="nats per token")
ACCURACY = _gauge(
    "accuracy", "Smoothed share of training tokens that were predicted right, 0 to 1."
)
TOKENS_PER_SECOND = _gauge("tokens_per_second", "Window tokens a level trains on.", unit="tokens/s")
TARGETS_PUBLISHED = _gauge("targets_published", "Records of soft targets handed to the exchange.")
TARGETS_USED = _gauge("targets_used", "Peers' records that a step learned from.")
TARGETS_STALE = _gauge("targets_stale", "Peers' records that were too old.")
TARGETS_LOST = _gauge("targets_lost", "Records gone with a process or a timeout.")
TRAINING_RESTARTS = _gauge("training_restarts", "How often a level's workers came back.")

# Serving
REQUESTS = _counter(
    "requests_total", "Requests answered, by task and HTTP status.", ("task", "status")
)
INFERENCE_DURATION = _latency(
    "inference", "Whole request, as the router sees it, by deciding level.", ("level",)
)
ENGINE_DURATION = _latency("engine", "Time inside one level's engine.", ("level",))
VERIFY_DURATION = _latency("verify", "Time spent judging one level's answer.", ("level",))
ANSWERS = _counter("answers_total", "Answers sent, by the level that decided.", ("level", "arm"))
ESCALATIONS = _counter(
    "escalations_total", "Answers passed on to the next level, and why.", ("level", "reason")
)
SHED = _counter(
    "shed_total", "Requests answered by a lower level because this one was full.", ("level",)
)
CACHE_HITS = _counter("cache_hits_total", "Answers that came from the response cache.")
CACHE_MISSES = _counter("cache_misses_total", "Answers that the response cache did not hold.")
COMPLETION_TOKENS = _counter(
    "completion_tokens_total", "Tokens generated, by level.", ("level",), unit="tokens"
)

ALL: tuple[Metric, ...] = tuple(
    value for value in dict(globals()).values() if isinstance(value, Metric)
)
"""Every definition above, for documentation and tests."""

"""What the router measures, exported through Ray's metrics agent."""

from __future__ import annotations

from typing import Protocol

from ray.util.metrics import Counter, Histogram

from nested_ray.observability import metrics
from nested_ray.routing.base import Answer


class Meter(Protocol):
    """Counts requests and answers."""

    def requested(self, task: str, status: int) -> None: ...

    def answered(self, answer: Answer) -> None: ...


class RayMeter:
    """A Meter whose numbers Prometheus finds at Ray's metrics port."""

    def __init__(self) -> None:
        self._requests = counter(metrics.REQUESTS)
        self._answers = counter(metrics.ANSWERS)
        self._escalations = counter(metrics.ESCALATIONS)
        self._tokens = counter(metrics.COMPLETION_TOKENS)
        self._shed = counter(metrics.SHED)
        self._hits = counter(metrics.CACHE_HITS)
        self._misses = counter(metrics.CACHE_MISSES)
        self._duration = histogram(metrics.INFERENCE_DURATION)
        self._engine = histogram(metrics.ENGINE_DURATION)
        self._verify = histogram(metrics.VERIFY_DURATION)

    def requested(self, task: str, status: int) -> None:
        self._requests.inc(tags={"task": task, "status": str(status)})

    def answered(self, answer: Answer) -> None:
        level = {"level": answer.level}
        latency = answer.latency
        spent = (latency.router_ms, latency.queue_ms, latency.engine_ms, latency.verify_ms)
        self._duration.observe(sum(spent) / 1000, tags=level)
        self._answers.inc(tags=level | {"arm": answer.arm or ""})
        if answer.cached:
            self._hits.inc()
            return
        if answer.cache_missed:
            self._misses.inc()
        self._engine.observe(latency.engine_ms / 1000, tags=level)
        self._verify.observe(latency.verify_ms / 1000, tags=level)
        if answer.usage.completion_tokens:
            self._tokens.inc(answer.usage.completion_tokens, tags=level)
        for passed_on, shortcoming in answer.escalated.items():
            tags = {"level": passed_on, "reason": shortcoming.reason.value}
            self._escalations.inc(tags=tags)
        for full in answer.shed:
            self._shed.inc(tags={"level": full})


def counter(metric: metrics.Metric) -> Counter:
    return Counter(metric.name, description=metric.description, tag_keys=metric.tags)


def histogram(metric: metrics.Metric) -> Histogram:
    return Histogram(
        metric.name,
        description=metric.description,
        boundaries=list(metric.buckets),
        tag_keys=metric.tags,
    )

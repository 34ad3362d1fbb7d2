from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from nested_ray.inference.base import Usage
from nested_ray.observability import metrics
from nested_ray.routing import Answer, Choice, Completion
from nested_ray.routing.base import Latency, Reason, Shortcoming
from nested_ray.serve import meter
from nested_ray.serve.meter import RayMeter


@dataclass
class Recorder:
    """Takes the place of Ray's exporting objects; remembers what they were told."""

    told: dict[str, list[tuple[float, dict[str, str]]]] = field(default_factory=dict)

    def make(self, metric: metrics.Metric) -> Any:
        told = self.told.setdefault(metric.name.removeprefix("nested_learning_"), [])

        class Exporter:
            def inc(self, value: float = 1.0, tags: dict[str, str] | None = None) -> None:
                self.observe(value, tags)

            def observe(self, value: float, tags: dict[str, str] | None = None) -> None:
                assert set(tags or {}) == set(metric.tags)
                told.append((value, tags or {}))

        return Exporter()


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr(meter, "counter", recorder.make)
    monkeypatch.setattr(meter, "histogram", recorder.make)
    return recorder


def answer(**fields: Any) -> Answer:
    choice = Choice(Completion("x", (), "stop"), "semantics", 0.9, True)
    return Answer(
        choices=(choice,),
        action="cascade",
        level="semantics",
        level_contributions={"semantics": 1.0},
        confidence=0.9,
        usage=Usage(3, 7),
        latency=Latency(1.0, 2.0, 30.0, 4.0),
        versions={},
        arm=None,
        **fields,
    )


def test_every_metric_that_is_defined_is_measured(recorder):
    counted = RayMeter()
    counted.requested("line", 200)
    unsure = Shortcoming(Reason.UNSURE, "confidence 0.31 is under 0.55")
    counted.answered(
        answer(
            escalated={"syntax": unsure},
            skipped={"architecture": "full"},
            shed=("architecture",),
            cache_missed=True,
        )
    )
    counted.answered(answer(cached=True))
    prefix = "nested_learning_"
    assert {prefix + name for name in recorder.told} == {
        metric.name
        for metric in metrics.ALL
        if metric.kind != "gauge"  # those are of training
    }
    assert all(recorder.told.values())
    told = recorder.told
    assert told["escalations_total"] == [(1.0, {"level": "syntax", "reason": "unsure"})]
    assert told["shed_total"] == [(1.0, {"level": "architecture"})]
    assert told["cache_hits_total"] == told["cache_misses_total"] == [(1.0, {})]
    assert told["inference_duration_seconds"][0] == (0.037, {"level": "semantics"})
    assert told["completion_tokens_total"] == [(7, {"level": "semantics"})]

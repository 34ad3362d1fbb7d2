import re
from collections import Counter

from nested_ray.observability import metrics


def test_names_are_unique_and_follow_prometheus():
    names = Counter(metric.name for metric in metrics.ALL)
    assert max(names.values()) == 1
    assert all(re.fullmatch(r"nested_learning_[a-z_]+", name) for name in names)


def test_counters_end_in_total_and_durations_in_seconds():
    for metric in metrics.ALL:
        assert (metric.kind == "counter") == metric.name.endswith("_total"), metric.name
        assert (metric.unit == "s") == metric.name.endswith("_seconds"), metric.name


def test_only_histograms_have_buckets_and_they_ascend():
    for metric in metrics.ALL:
        assert (metric.kind == "histogram") == bool(metric.buckets), metric.name
        assert list(metric.buckets) == sorted(set(metric.buckets))


def test_the_names_that_dashboards_rely_on_are_there():
    names = {metric.name for metric in metrics.ALL}
    assert names >= {
        "nested_learning_requests_total",
        "nested_learning_inference_duration_seconds",
    }

"""`nested-ray.yaml`: where it is found and what holds without it."""

from __future__ import annotations

import pytest

from nested_ray.config.review import ReviewConfig, find_config, load_config
from nested_ray.errors import ConfigError


def test_the_nearest_file_above_counts(tmp_path):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "nested-ray.yaml").write_text("max_findings: 3\n")
    assert load_config(inner)[0].max_findings == 3
    (tmp_path / "a" / "nested-ray.yaml").write_text("max_findings: 4\n")
    settings, folder = load_config(inner)
    assert (settings.max_findings, folder) == (4, tmp_path / "a")
    assert find_config(inner) == tmp_path / "a" / "nested-ray.yaml"


def test_a_named_file_and_single_settings_come_first(tmp_path):
    (tmp_path / "nested-ray.yaml").write_text("max_findings: 3\n")
    named = tmp_path / "other.yaml"
    named.write_text("max_findings: 5\nfail_on: note\n")
    settings, _ = load_config(tmp_path, named, ("max_findings=7",))
    assert (settings.max_findings, settings.fail_on) == (7, "note")


def test_level_weights_are_given_one_by_one():
    settings = ReviewConfig(level_weights={"semantics": 2.0})
    weights = [settings.weight_of(level) for level in ("syntax", "semantics", "architecture")]
    assert weights == [1.0, 2.0, 0.5]


@pytest.mark.parametrize(
    "text",
    ["levels: []", "levels: [spelling]", "max_findings: 0", "fail_on: often", "severity: {a: bad}",
     "level_weights: {syntax: .nan}", "rules: {}", "architecture: {layers: 3}"],
)  # fmt: skip
def test_a_wrong_setting_is_named(tmp_path, text):
    (tmp_path / "nested-ray.yaml").write_text(text)
    with pytest.raises(ConfigError, match=text.partition(":")[0]):
        load_config(tmp_path)

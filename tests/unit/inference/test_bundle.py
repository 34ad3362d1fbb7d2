"""nest.json survives a round trip and is refused when it is another format or incomplete."""

from __future__ import annotations

import json

import pytest

from nested_ray.errors import InferenceError
from nested_ray.inference.bundle import LevelSpec, NestSpec, read_spec, write_spec

SPEC = NestSpec(
    tokenizer_hash="0123456789abcdef",
    window_tokens=256,
    levels=(
        LevelSpec("syntax", "syntax", 0.3, 0),
        LevelSpec("architecture", "architecture", 0.2, 128, confidence_threshold=0.4),
    ),
    languages=("python", "bsl"),
)


def test_spec_round_trips(tmp_path):
    write_spec(tmp_path, SPEC)
    assert read_spec(tmp_path) == SPEC
    assert json.loads((tmp_path / "nest.json").read_text())["format"] == 1


def test_missing_spec_names_the_file(tmp_path):
    with pytest.raises(InferenceError, match=r"lacks .*nest\.json"):
        read_spec(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "format 2"),
        ({"levels": [{"name": "syntax"}]}, "not a complete nest description"),
        ({"window_tokens": ..., "windows": 3}, "not a complete nest description"),
    ],
)
def test_unreadable_specs_say_what_is_wrong(tmp_path, change, message):
    values = SPEC.to_dict() | change
    values = {key: value for key, value in values.items() if value is not ...}
    (tmp_path / "nest.json").write_text(json.dumps(values))
    with pytest.raises(InferenceError, match=message):
        read_spec(tmp_path)


def test_broken_json_is_an_inference_error(tmp_path):
    (tmp_path / "nest.json").write_text("{")
    with pytest.raises(InferenceError, match="cannot read"):
        read_spec(tmp_path)


def test_what_an_evaluation_found_is_set_by_level_name():
    changed = SPEC.with_findings({"syntax": 0.7}, {"architecture": False})
    assert [level.confidence_threshold for level in changed.levels] == [0.7, 0.4]
    assert [level.reads_suffix for level in changed.levels] == [True, False]
    with pytest.raises(InferenceError, match="no level 'logic'; it has syntax, architecture"):
        changed.level("logic")

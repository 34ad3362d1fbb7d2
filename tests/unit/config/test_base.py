"""YAML files and --set: what is read, and what a mistake is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from nested_ray.config.train import TrainConfig
from nested_ray.errors import ConfigError

MINIMAL = """
name: small
corpus:
  sources: [{type: package, name: stdlib}]
levels:
  - {name: syntax, kind: syntax, weight: 0.3}
  - {name: semantics, kind: semantics, weight: 0.5}
"""


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(MINIMAL)
    return path


def test_defaults_fill_what_a_file_leaves_out(config_file):
    config = TrainConfig.from_yaml(config_file)
    assert (config.nest, config.seed) == ("default", 0)
    assert [level.weight for level in config.levels] == [0.3, 0.5]


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("distill.weight=0.25", lambda c: c.distill.weight == 0.25),
        ("levels.semantics.weight=0.7", lambda c: c.levels[1].weight == 0.7),
        ("levels.0.budget.max_steps=9", lambda c: c.levels[0].budget.max_steps == 9),
        ("corpus.languages=[bsl]", lambda c: c.corpus.languages == ("bsl",)),
    ],
)
def test_set_changes_one_setting(config_file, override, read):
    assert read(TrainConfig.from_yaml(config_file, [override]))


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("distill.weight", "expected key=value"),
        ("name.first=x", "lies inside a plain value"),
        ("levels.logic.weight=1", "no list item 'logic'"),
        ("levels.7.weight=1", "no list item '7'"),
        ("distill.weight=[", "not valid YAML"),
        ("distill.wait=1", "distill.wait: unknown setting"),
        ("levels.0.weight=2", "levels.0.weight"),
    ],
)
def test_a_wrong_override_is_one_clear_sentence(config_file, override, says):
    with pytest.raises(ConfigError, match="(?s)" + says.replace("(", r"\(")):
        TrainConfig.from_yaml(config_file, [override])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (MINIMAL + "learning_rate: 1\n", "learning_rate: unknown setting"),
        ("- a\n- b\n", "must be a mapping"),
        ("a: [\n", "not valid YAML"),
        (MINIMAL.replace("semantics, kind", "syntax, kind"), "level names must differ"),
    ],
)
def test_a_wrong_file_is_one_clear_sentence(tmp_path, text, says):
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says):
        TrainConfig.from_yaml(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        TrainConfig.from_yaml(tmp_path / "nowhere.yaml")

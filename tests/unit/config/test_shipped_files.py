"""Every file that is shipped says what the code understands."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import ray.autoscaler
import yaml

from nested_ray.config.reference import render
from nested_ray.config.train import TrainConfig

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "path", sorted((ROOT / "train_configs").glob("*.yaml")), ids=lambda p: p.name
)
def test_every_training_config_loads(path):
    config = TrainConfig.from_yaml(path)
    assert [level.kind for level in config.levels] == ["syntax", "semantics", "architecture"]
    assert [level.weight for level in config.levels] == [0.3, 0.5, 0.2]


def test_the_configuration_page_is_what_the_settings_say():
    assert (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8") == render()


def test_the_cluster_file_is_what_rays_launcher_accepts():
    schema = Path(ray.autoscaler.__file__).with_name("ray-schema.json")
    values = yaml.safe_load((ROOT / "cluster.yaml").read_text(encoding="utf-8"))
    jsonschema.validate(values, json.loads(schema.read_text()))
    types = values["available_node_types"]
    assert values["head_node_type"] in types
    assert any("g5" in node["node_config"]["InstanceType"] for node in types.values())


def test_the_readme_names_only_files_that_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for word in text.replace("`", " ").replace(")", " ").replace("(", " ").split():
        if word.startswith(("nested_ray/", "docs/", "train_configs/", "serve_configs/")):
            assert (ROOT / word.rstrip(":,.")).exists(), word

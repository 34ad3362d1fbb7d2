from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import yaml
from ray.serve.schema import ServeDeploySchema

from nested_ray.config.serve import ServeConfig
from nested_ray.errors import ConfigError, NestNotFound, RegistryError
from nested_ray.inference.bundle import LevelSpec, NestSpec, write_spec
from nested_ray.registry.memory import InMemoryArtifacts, InMemoryCatalog
from nested_ray.registry.records import LevelRecord, NestDraft
from nested_ray.registry.registry import Registry
from nested_ray.serve import app
from nested_ray.serve.local import read_serve_file

CONFIGS = Path(__file__).parents[3] / "serve_configs"
LEVELS = ("syntax", "semantics", "architecture")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(InMemoryCatalog(), InMemoryArtifacts(), tmp_path / "cache", user="test")


@pytest.fixture
def publish(registry: Registry, tmp_path: Path):
    """Publish nests that consist of their description."""

    def publish_one(run_id: str, levels: tuple[str, ...] = LEVELS):
        folder = tmp_path / run_id
        folder.mkdir()
        specs = tuple(LevelSpec(name, "syntax", 0.5, 0, 0.7) for name in levels)
        write_spec(folder, NestSpec("0" * 16, 64, specs, ("python",)))
        draft = NestDraft(
            nest="default",
            run_id=run_id,
            corpus_digest="0" * 64,
            config={},
            metrics={},
            levels=tuple(
                LevelRecord(name, "syntax", position, 0.5, 1, {}, {})
                for position, name in enumerate(levels)
            ),
            files={"nest.json": folder / "nest.json"},
        )
        return registry.publish(draft)

    return publish_one


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch, registry: Registry, tmp_path: Path):
    """`build_app` over the registry of this test; gives the application."""
    monkeypatch.setenv("NESTED_RAY_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NESTED_RAY_API_KEYS_SHA256", raising=False)
    monkeypatch.setattr(app, "connect", lambda storage: registry)

    def run(**settings):
        return app.build_app(ServeConfig.from_values(settings))

    return run


def router_arguments(application):
    return application._bound_deployment.init_args


def test_there_is_one_deployment_per_level_and_a_router_in_front(build, publish):
    publish("run-1")
    application = build()
    deployment = application._bound_deployment
    assert deployment.name == "router"
    _, arms, nests, _, levels, analysis, _ = router_arguments(application)
    assert analysis._bound_deployment.name == "analysis"
    assert list(levels) == list(LEVELS)
    assert [arm.label for arm in arms] == ["default@1"]
    assert [facts.threshold for facts in arms[0].levels] == [0.7] * 3
    assert nests[0].levels[0].confidence_threshold == 0.7


def test_analysis_may_be_left_out(build, publish):
    publish("run-1")
    assert router_arguments(build(analysis={"replicas": 0}))[5] is None


def test_level_settings_reach_their_deployments(build, publish):
    publish("run-1")
    scaling = {"min_replicas": 0, "max_replicas": 3, "target_ongoing_requests": 1.5}
    settings = {"autoscaling": scaling, "max_ongoing_requests": 9, "max_queued_requests": 7}
    levels = router_arguments(build(levels={"semantics": settings}))[4]
    semantics, syntax = (levels[name]._bound_deployment for name in ("semantics", "syntax"))
    config = semantics._deployment_config
    assert config.autoscaling_config.max_replicas == 3
    assert config.autoscaling_config.target_ongoing_requests == 1.5
    assert (config.max_ongoing_requests, config.max_queued_requests) == (9, 7)
    assert config.backpressure_config.status_code == 429
    assert syntax._deployment_config.autoscaling_config is None
    assert syntax.num_replicas == 1


def test_every_level_holds_the_version_of_every_arm_that_has_it(build, publish):
    publish("run-1")
    publish("run-2", ("syntax", "extra"))
    split = [
        {"name": "old", "version": "champion", "weight": 1},
        {"name": "new", "version": 2, "weight": 3},
    ]
    _, arms, _, _, levels, _, _ = router_arguments(build(routing={"ab_split": split}))
    assert [(arm.name, arm.version, arm.weight) for arm in arms] == [
        ("old", 1, 1.0),
        ("new", 2, 3.0),
    ]
    held = {
        name: [version.version for version in level._bound_deployment.init_args[1]]
        for name, level in levels.items()
    }
    assert held == {"syntax": [1, 2], "semantics": [1], "architecture": [1], "extra": [2]}


def test_the_digest_of_a_version_is_that_of_its_files(publish):
    first, same, other = publish("run-1"), publish("run-2"), publish("run-3", ("syntax",))
    assert first.version != same.version
    assert app.digest_of(first) == app.digest_of(same) != app.digest_of(other)
    [file] = first.files
    expected = hashlib.sha256(f"{file.sha256} nest.json".encode()).hexdigest()
    assert app.digest_of(first) == expected


def test_without_a_champion_the_error_says_how_to_get_one(build):
    with pytest.raises(NestNotFound, match="nest 'default' has no champion; run `nested-ray train"):
        build()


def test_an_arm_without_a_version_is_named(build, publish):
    publish("run-1")
    split = [
        {"name": "old", "version": "champion", "weight": 1},
        {"name": "new", "version": "9", "weight": 1},
    ]
    with pytest.raises(RegistryError, match="ab_split arm 'new': nest 'default' has no 9"):
        build(routing={"ab_split": split})


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({"levels": {"grammar": {}}}, "levels"),
        ({"routing": {"level_thresholds": {"grammar": 0.5}}}, "routing.level_thresholds"),
        ({"routing": {"task_levels": {"line": ["grammar"]}}}, "routing.task_levels.line"),
    ],
)
def test_a_setting_of_a_level_that_is_not_there_is_refused(build, publish, settings, where):
    publish("run-1")
    with pytest.raises(
        ConfigError, match=f"{where}: default@1 has no level 'grammar'; it has syntax"
    ):
        build(**settings)


def test_keys_come_from_the_config_and_from_the_environment(build, publish, monkeypatch):
    publish("run-1")
    first, second = (hashlib.sha256(key).hexdigest() for key in (b"a", b"b"))
    monkeypatch.setenv("NESTED_RAY_API_KEYS_SHA256", second)
    config = router_arguments(build(api_key_hashes=[first]))[0]
    assert config.api_key_hashes == (first, second)


def test_where_keys_are_required_and_missing_nothing_is_built(build, publish, monkeypatch):
    publish("run-1")
    with pytest.raises(ConfigError, match="require_api_key: true, and no key is configured"):
        build(require_api_key=True)
    monkeypatch.setenv("NESTED_RAY_API_KEYS_SHA256", hashlib.sha256(b"a").hexdigest())
    assert build(require_api_key=True)


def test_a_shipped_config_that_listens_everywhere_requires_a_key():
    for path in CONFIGS.glob("*.yaml"):
        host = yaml.safe_load(path.read_text())["http_options"]["host"]
        assert host == "127.0.0.1" or read_serve_file(path).require_api_key, path.name


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.name)
def test_shipped_configs_are_in_rays_own_format(path):
    schema = ServeDeploySchema.model_validate(yaml.safe_load(path.read_text()))
    [application] = schema.applications
    assert application.import_path == "nested_ray.serve.app:build_app"
    assert set(read_serve_file(path).levels) == set(LEVELS)


def test_the_local_config_listens_on_loopback_only():
    values = yaml.safe_load((CONFIGS / "local.yaml").read_text())
    assert values["http_options"]["host"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("applications: [", "not valid YAML"),
        ("{}", "not a Ray Serve config"),
        ("- 1", "not a Ray Serve config"),
        ("applications: [{args: {nests: x}}]", "nests: unknown setting"),
    ],
)
def test_a_wrong_config_file_is_refused(tmp_path, text, message):
    path = tmp_path / "serve.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_serve_file(path)
    with pytest.raises(ConfigError, match="cannot read"):
        read_serve_file(tmp_path / "missing.yaml")


def test_settings_survive_json(build, publish):
    """The builder's argument arrives as JSON when it comes through Ray's REST API."""
    publish("run-1")
    config = ServeConfig(version="1")
    assert ServeConfig.model_validate(json.loads(config.model_dump_json())) == config


def test_training_is_offered_only_where_it_is_asked_for(build, publish, tmp_path, monkeypatch):
    publish("run-1")
    assert router_arguments(build())[6] is None
    (tmp_path / "nightly.yaml").touch()
    monkeypatch.chdir(tmp_path)
    training = router_arguments(build(training={"enabled": True, "configs_dir": "."}))[6]
    settings, _, working_dir = training._bound_deployment.init_args
    assert (settings.configs_dir, working_dir) == (str(tmp_path), tmp_path)
    options = training._bound_deployment.ray_actor_options
    assert options["resources"] == {"node:__internal_head__": 0.001}
    assert training._bound_deployment.num_replicas == 1

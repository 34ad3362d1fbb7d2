"""The Serve application: one deployment per level and a router in front.

`serve run serve_configs/local.yaml` calls `build_app` with the file's `args`. Ray Serve reads the type of the
argument from the annotation itself, so this module does not postpone annotations.
"""

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ray import serve
from ray.serve import Application, Deployment
from ray.serve.config import BackpressureConfig

from nested_ray.api.native import LevelInfo, NestInfo
from nested_ray.config.routing import ArmConfig, RoutingConfig
from nested_ray.config.serve import (
    HealthSettings,
    LevelServeConfig,
    ServeConfig,
    TrainingServeConfig,
)
from nested_ray.config.storage import StorageConfig
from nested_ray.errors import ConfigError, RegistryError
from nested_ray.inference.bundle import read_spec
from nested_ray.registry import Registry, connect
from nested_ray.registry.records import NestVersion
from nested_ray.routing.experiments import Arm, LevelFacts
from nested_ray.routing.policy import threshold_of
from nested_ray.serve.analysis import AnalysisReplica
from nested_ray.serve.auth import KEYS_VARIABLE, hashes_from_variable
from nested_ray.serve.level import LevelReplica
from nested_ray.serve.router import RouterReplica
from nested_ray.serve.training_server import TrainingReplica

ROUTER = "router"
ANALYSIS = "analysis"
TRAINING = "training"
HEAD = "node:__internal_head__"
"""A resource that Ray gives to the head node alone; submitted jobs run there."""


def build_app(config: ServeConfig) -> Application:
    """Look up what is to be served, and lay out the deployments that serve it.

    Raises ConfigError or RegistryError with what to do when a version, alias or level does not exist.
    """
    storage = StorageConfig.from_env()
    config = with_keys(config, os.environ.get(KEYS_VARIABLE))
    with connect(storage) as registry:
        versions = resolve_versions(config, registry)
        arms = build_arms(config, versions, registry)
    check_level_names(config, arms)
    nests = [
        describe(arm, version, config.routing) for arm, version in zip(arms, versions, strict=True)
    ]
    levels = build_levels(config, arms, versions, storage)
    analysis = build_analysis(config, versions[0], storage)
    training = build_training(config.training, storage)
    return router_deployment(config).bind(config, arms, nests, storage, levels, analysis, training)


def with_keys(config: ServeConfig, variable: str | None) -> ServeConfig:
    """The config with the key hashes of the environment beside its own.

    Raises ConfigError where keys are required and there is none.
    """
    hashes = dict.fromkeys((*config.api_key_hashes, *hashes_from_variable(variable)))
    if config.require_api_key and not hashes:
        raise ConfigError(
            "require_api_key: true, and no key is configured; set api_key_hashes or "
            f"{KEYS_VARIABLE} to the sha256 of each key (`printf %s KEY | sha256sum`)"
        )
    return config.model_copy(update={"api_key_hashes": tuple(hashes)})


def arm_configs(config: ServeConfig) -> Sequence[ArmConfig]:
    """The arms of the A/B split; one without a split."""
    return config.routing.ab_split or (ArmConfig(name="all", version=config.version, weight=1),)


def resolve_versions(config: ServeConfig, registry: Registry) -> list[NestVersion]:
    """The registered version behind every arm; raises the registry's error with what to do."""
    versions: list[NestVersion] = []
    for arm in arm_configs(config):
        try:
            versions.append(registry.resolve(config.nest, arm.version))
        except RegistryError as exc:
            where = f"ab_split arm {arm.name!r}: " if config.routing.ab_split else ""
            raise type(exc)(
                f"{where}nest {config.nest!r} has no {arm.version}; "
                "run `nested-ray train train_configs/quickstart.yaml` to train and register one, "
                "or name another version (`nested-ray registry list` shows them)"
            ) from exc
    return versions


def build_arms(
    config: ServeConfig, versions: Sequence[NestVersion], registry: Registry
) -> list[Arm]:
    """What the router needs to know of every arm, from the nest descriptions."""
    arms: list[Arm] = []
    for arm, version in zip(arm_configs(config), versions, strict=True):
        spec = read_spec(registry.fetch(version))
        levels = tuple(
            LevelFacts(level.name, level.kind, level.weight, level.confidence_threshold)
            for level in spec.levels
        )
        name = arm.name if config.routing.ab_split else None
        digest = digest_of(version)
        arms.append(Arm(version.nest, version.version, levels, digest, name, arm.weight))
    return arms


def digest_of(version: NestVersion) -> str:
    """sha256 over the paths and contents of the version's files."""
    lines = sorted(f"{file.sha256} {file.path}" for file in version.files)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def check_level_names(config: ServeConfig, arms: Sequence[Arm]) -> None:
    """Raises ConfigError for a setting of a level that no served version has."""
    routing = config.routing
    named: dict[str, Iterable[str]] = {
        "levels": config.levels,
        "routing.level_thresholds": routing.level_thresholds,
        "routing.ensemble_weights": routing.ensemble_weights,
        **{f"routing.task_levels.{task}": names for task, names in routing.task_levels.items()},
    }
    known = level_names(arms)
    for setting, names in named.items():
        for name in names:
            if name not in known:
                raise ConfigError(
                    f"{setting}: {', '.join(arm.label for arm in arms)} has no level {name!r}; "
                    f"it has {', '.join(known)}"
                )


def level_names(arms: Sequence[Arm]) -> list[str]:
    """The levels of all arms, smallest first."""
    return list(dict.fromkeys(name for arm in arms for name in arm.level_names))


def describe(arm: Arm, version: NestVersion, routing: RoutingConfig) -> NestInfo:
    """A served version, as GET /models shows it."""
    return NestInfo(
        id=version.label,
        name=version.nest,
        version=version.version,
        aliases=list(version.aliases),
        arm=arm.name,
        trained_at=version.created_at,
        levels=[
            LevelInfo(
                name=level.name,
                kind=level.kind,
                weight=level.weight,
                confidence_threshold=threshold_of(level.name, arm, routing),
                num_parameters=level.num_parameters,
                metrics=level.metrics,
            )
            for level in sorted(version.levels, key=lambda level: level.position)
        ],
        metrics=version.metrics,
    )


def build_levels(
    config: ServeConfig,
    arms: Sequence[Arm],
    versions: Sequence[NestVersion],
    storage: StorageConfig,
) -> dict[str, Application]:
    """One deployment per level, holding every served version that has the level."""
    levels: dict[str, Application] = {}
    for name in level_names(arms):
        settings = config.levels.get(name, LevelServeConfig())
        served = {
            version.version: version
            for arm, version in zip(arms, versions, strict=True)
            if name in arm.level_names
        }
        deployment = level_deployment(name, settings)
        levels[name] = deployment.bind(name, list(served.values()), storage, settings.num_threads)
    return levels


def level_deployment(name: str, settings: LevelServeConfig) -> Deployment:
    return serve.deployment(
        name=name,
        ray_actor_options={"num_cpus": settings.num_cpus, "num_gpus": settings.num_gpus},
        max_ongoing_requests=settings.max_ongoing_requests,
        max_queued_requests=settings.max_queued_requests,
        backpressure_config=BackpressureConfig(status_code=429, retry_after_s=1),
        **replicas(settings),
        **health(settings.health),
    )(LevelReplica)


def build_analysis(
    config: ServeConfig, version: NestVersion, storage: StorageConfig
) -> Application | None:
    """Code review and architecture with what the first served version has learned."""
    settings = config.analysis
    if settings.replicas == 0:
        return None
    deployment = serve.deployment(
        name=ANALYSIS,
        num_replicas=settings.replicas,
        ray_actor_options={"num_cpus": settings.num_cpus, "num_gpus": settings.num_gpus},
        max_ongoing_requests=settings.max_ongoing_requests,
        max_queued_requests=settings.max_queued_requests,
        backpressure_config=BackpressureConfig(status_code=429, retry_after_s=1),
        **health(settings.health),
    )(AnalysisReplica)
    return deployment.bind(settings, version, storage)


def build_training(settings: TrainingServeConfig, storage: StorageConfig) -> Application | None:
    """The replica that keeps the training sessions; raises ConfigError where no config is allowed."""
    if not settings.enabled:
        return None
    folder = Path(settings.configs_dir).absolute()
    if not any(folder.glob("*.yaml")):
        raise ConfigError(
            f"training.configs_dir: {folder} holds no *.yaml; put the train configs there that "
            "requests may name, or set training.enabled: false"
        )
    deployment = serve.deployment(
        name=TRAINING,
        num_replicas=1,  # one place that counts sessions
        ray_actor_options={"num_cpus": 0, "resources": {HEAD: 0.001}},
        max_ongoing_requests=4,
        max_queued_requests=settings.max_queued_requests,
        backpressure_config=BackpressureConfig(status_code=429, retry_after_s=1),
        **health(settings.health),
    )(TrainingReplica)
    settings = settings.model_copy(update={"configs_dir": str(folder)})
    return deployment.bind(settings, storage.home, Path.cwd())


def router_deployment(config: ServeConfig) -> Deployment:
    router = config.router
    return serve.deployment(
        name=ROUTER,
        num_replicas=router.replicas,
        ray_actor_options={"num_cpus": router.num_cpus},
        max_ongoing_requests=router.max_ongoing_requests,
        max_queued_requests=router.max_queued_requests,
        backpressure_config=BackpressureConfig(status_code=429, retry_after_s=1),
        **health(router.health),
    )(RouterReplica)


def replicas(settings: LevelServeConfig) -> dict[str, Any]:
    """A fixed number where the bounds leave no choice, else autoscaling between them."""
    scaling = settings.autoscaling
    if scaling.min_replicas == scaling.max_replicas:
        return {"num_replicas": scaling.min_replicas}
    return {"autoscaling_config": scaling.model_dump()}


def health(settings: HealthSettings) -> dict[str, Any]:
    return {
        "health_check_period_s": settings.check_period_s,
        "health_check_timeout_s": settings.check_timeout_s,
        "graceful_shutdown_timeout_s": settings.graceful_shutdown_timeout_s,
        "graceful_shutdown_wait_loop_s": min(0.5, settings.graceful_shutdown_timeout_s),
    }

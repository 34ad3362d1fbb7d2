"""The router's deployment: collaborators are built here, everything it does lies in routing/ and service.py."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from ray import serve
from ray.serve.handle import DeploymentHandle

from nested_ray.api.native import NestInfo
from nested_ray.config.serve import ServeConfig
from nested_ray.config.storage import StorageConfig
from nested_ray.errors import StorageError
from nested_ray.registry.cache import ResponseCache
from nested_ray.registry.embedded import ensure_storage
from nested_ray.routing.cache import AnswerCache, NoCache
from nested_ray.routing.cascade import Router
from nested_ray.routing.experiments import Arm
from nested_ray.routing.verify import Verifier
from nested_ray.serve.auth import ApiKeys
from nested_ray.serve.clients import AnalysisClient, HandleClient, TrainingClient
from nested_ray.serve.ingress import build_http
from nested_ray.serve.meter import RayMeter
from nested_ray.serve.service import Service

logger = logging.getLogger(__name__)


@serve.ingress()
class RouterReplica:
    """Answers HTTP by asking the levels' deployments."""

    def __init__(
        self,
        config: ServeConfig,
        arms: Sequence[Arm],
        nests: Sequence[NestInfo],
        storage: StorageConfig,
        levels: Mapping[str, DeploymentHandle[Any]],
        analysis: DeploymentHandle[Any] | None,
        training: DeploymentHandle[Any] | None = None,
    ) -> None:
        clients = {name: HandleClient(name, handle) for name, handle in levels.items()}
        self._service = Service(
            config=config,
            router=Router(
                arms,
                clients,
                config.routing,
                Verifier(),
                cache=connect_cache(storage),
            ),
            nests=nests,
            keys=ApiKeys(config.api_key_hashes),
            probes={name: client.ping for name, client in clients.items()},
            meter=RayMeter(),
            analysis=AnalysisClient(analysis, config.analysis.timeout_s) if analysis else None,
            training=TrainingClient(training, config.training.timeout_s) if training else None,
        )

    def __serve_build_asgi_app__(self) -> Any:
        """Called by Serve after the constructor."""
        return build_http(self._service)


def connect_cache(storage: StorageConfig) -> AnswerCache:
    """The response cache in Redis, or none: an answer computed again is better than no answer."""
    try:
        redis_url = ensure_storage(storage, {"redis"}).redis_url
    except StorageError as exc:
        logger.warning("answers are not cached: %s", exc)
        return NoCache()
    return ResponseCache(redis_url) if redis_url else NoCache()

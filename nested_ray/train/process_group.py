"""Ray Train's PyTorch backend for controllers without PyTorch: a level's workers import it, and join a group."""

from __future__ import annotations

import logging
import os
from contextlib import AbstractContextManager
from typing import Any

import ray
from ray.exceptions import GetTimeoutError
from ray.train.backend import Backend, BackendConfig

from nested_ray.train.imports import importing

logger = logging.getLogger(__name__)

LEAVE_TIMEOUT_S = 30
"""How long workers of a level that ends may take to say goodbye to each other."""


class ProcessGroup(Backend):
    """One process group per level: nccl on GPUs, else gloo."""

    share_cuda_visible_devices = True

    def on_start(self, worker_group: Any, backend_config: BackendConfig) -> None:
        from ray.train._internal.utils import get_address_and_port

        on_gpus = worker_group.get_resources_per_worker().get("GPU", 0) > 0
        address, port = worker_group.execute_single(0, get_address_and_port)
        size = len(worker_group)
        joining = [
            worker_group.execute_single_async(
                rank, join, address, port, rank, size, "nccl" if on_gpus else "gloo"
            )
            for rank in range(size)
        ]
        ray.get(joining)

    def on_shutdown(self, worker_group: Any, backend_config: BackendConfig) -> None:
        leaving = worker_group.execute_async(leave, len(worker_group))
        try:
            ray.get(leaving, timeout=LEAVE_TIMEOUT_S)
        except GetTimeoutError:
            logger.warning("workers did not leave their process group in %d s", LEAVE_TIMEOUT_S)


class ProcessGroupConfig(BackendConfig):
    """What TorchConfig is to a TorchTrainer."""

    @property
    def backend_cls(self) -> type[Backend]:
        return ProcessGroup

    @property
    def train_func_context(self) -> Any:
        return on_own_device


def join(address: str, port: int, rank: int, size: int, backend: str) -> None:
    """In a worker: as Ray Train's own backend sets one up."""
    with importing():
        from ray.train.torch import config

    os.environ.update(MASTER_ADDR=address, MASTER_PORT=str(port))
    config._set_torch_distributed_env_vars()
    config._setup_torch_process_group(backend, rank, size, "env://")


def leave(size: int) -> None:
    from ray.train.torch import config

    config._shutdown_torch(destroy_process_group=size > 1)


def on_own_device() -> AbstractContextManager[Any]:
    """Around the training loop: its GPU is PyTorch's current one."""
    from ray.train.torch.config import TorchConfigContextManager

    return TorchConfigContextManager()

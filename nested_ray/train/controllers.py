"""Ray Train with fewer processes: the controllers of all levels share one, which goes without PyTorch."""

from __future__ import annotations

import asyncio
from typing import Any

import ray
from ray.train import Result
from ray.train.v2._internal.constants import get_env_vars_to_propagate
from ray.train.v2._internal.execution.controller import TrainController
from ray.train.v2._internal.execution.scaling_policy import FixedScalingPolicy
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from nested_ray.train.process_group import ProcessGroupConfig

UNUSED_CALLBACKS = frozenset({"DatasetsCallback", "PlacementGroupCleanerCallback"})
"""What Ray Train gives every run a process of its own for, 120 MB each, and a level has no use of."""


class Controllers:
    """Ray Train's controllers, each in a thread; alone in a process one takes 130 MB and two processor seconds."""

    def run(self, arguments: dict[str, Any]) -> Result:
        controller = TrainController(**arguments)
        asyncio.run(controller.run())
        return controller.get_result()


def start_controllers(num_levels: int) -> Any:
    """Start the actor; it ends with its handle."""
    actor: Any = ray.remote(num_cpus=0)(Controllers)
    # As Ray Train starts its own: on this machine, with its settings.
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return actor.options(
        max_concurrency=num_levels,
        scheduling_strategy=here,
        runtime_env={"env_vars": get_env_vars_to_propagate()},
    ).remote()


class FixedSize(FixedScalingPolicy):
    """Does not announce what a level needs to Ray's autoscaling coordinator, and so spares that actor.

    The placement group that waits for its place says the same to the autoscaler.
    """

    def _send_resource_request(self) -> None:
        pass

    def _maybe_send_resource_request(self) -> None:
        pass

    def _cancel_resource_request(self) -> None:
        pass


class LeanTorchTrainer(DataParallelTrainer):
    """A TorchTrainer that brings a level two processes: its worker and what synchronises its workers.

    A level reads its dataset itself, and its placement group ends with the job at the latest.
    """

    def __init__(self, controllers: Any, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, backend_config=ProcessGroupConfig(), **named)
        self._controllers = controllers

    def _create_default_callbacks(self) -> list[Any]:
        callbacks = super()._create_default_callbacks()
        return [each for each in callbacks if type(each).__name__ not in UNUSED_CALLBACKS]

    def _initialize_and_run_controller(self, **arguments: Any) -> Result:
        arguments["scaling_policy"] = FixedSize(self.scaling_config)
        return ray.get(self._controllers.run.remote(arguments))

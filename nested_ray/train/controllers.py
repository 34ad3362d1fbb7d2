"""Ray Train with fewer and lighter processes: what a level has no use of is not started, and its controller needs no PyTorch."""

from __future__ import annotations

from typing import Any

from ray.train import Result
from ray.train.v2._internal.execution.scaling_policy import FixedScalingPolicy
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

from nested_ray.train.process_group import ProcessGroupConfig

UNUSED_CALLBACKS = frozenset({"DatasetsCallback", "PlacementGroupCleanerCallback"})
"""What Ray Train gives every run a process of its own for, 120 MB each, and a level has no use of."""


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
    """A TorchTrainer that brings a level three processes: its controller, its worker and what synchronises its workers.

    A level reads its dataset itself, and its placement group ends with its controller. Controllers of several
    levels in one process were tried: Ray Train keeps a run's context in the process, where they took each other's.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, backend_config=ProcessGroupConfig(), **named)

    def _create_default_callbacks(self) -> list[Any]:
        callbacks = super()._create_default_callbacks()
        return [each for each in callbacks if type(each).__name__ not in UNUSED_CALLBACKS]

    def _initialize_and_run_controller(self, **arguments: Any) -> Result:
        arguments["scaling_policy"] = FixedSize(self.scaling_config)
        return super()._initialize_and_run_controller(**arguments)

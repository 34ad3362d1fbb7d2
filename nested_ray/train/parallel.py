"""One decoder on the workers of a level: whole on each of them, or its weights shared out among them.

Whole (DistributedDataParallel): every worker holds everything and they exchange gradients once per update. Shared
out (FSDP): every worker holds its rows of every weight, gradient and optimiser state, and a layer's weights are gathered
while it computes. Either way a gradient is the mean over the workers, so both learn the same.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch
import torch.distributed
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, Partial, distribute_tensor
from torch.nn.parallel import DistributedDataParallel
from torch.utils._pytree import tree_map_only
from transformers import PreTrainedModel

from nested_ray.models import WindowModel


def parallelise(
    decoder: PreTrainedModel,
    *,
    sharding: Literal["none", "full"] = "none",
    device: torch.device | None = None,
    world_size: int = 1,
    dtype: torch.dtype = torch.float32,
) -> nn.Module:
    """The window model that one worker trains; its layers are prepared (checkpointed, compiled) before.

    Every worker brings the same weights. `dtype` is the format of matrix products.
    """
    device = device or torch.device("cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    model = WindowModel(decoder)
    if world_size > 1 and sharding == "full":
        return shard(model, init_device_mesh(device.type, (world_size,)), dtype)
    model.to(device)
    if world_size == 1:
        return model
    return DistributedDataParallel(model, device_ids=[device] if device.type == "cuda" else None)


def shard(model: WindowModel, mesh: DeviceMesh, dtype: torch.dtype) -> nn.Module:
    """Share out each layer, and what is around the layers, in place. Moves one layer at a time to its device."""
    half = dtype is torch.bfloat16
    policy = MixedPrecisionPolicy(
        param_dtype=torch.bfloat16 if half else None,
        reduce_dtype=torch.float32 if half else None,
        # Autocast already chooses what each product reads; the sum over the layers stays in fp32.
        cast_forward_inputs=False,
    )
    layers: Any = model.decoder.get_decoder().layers
    for layer in layers:
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    fully_shard(model, mesh=mesh, mp_policy=policy)
    return model


def agreed_dtype(own: torch.dtype, device: torch.device, world_size: int) -> torch.dtype:
    """One format for all workers: bf16 where each of them found it the faster one.

    Workers that measured differently would gather each other's weights in different formats.
    """
    if world_size == 1:
        return own
    votes = torch.tensor(float(own is torch.bfloat16), device=device)
    torch.distributed.all_reduce(votes, torch.distributed.ReduceOp.MIN)
    return torch.bfloat16 if votes.item() else torch.float32


def unsynchronised(model: nn.Module) -> AbstractContextManager[object]:
    """Gradients stay with their worker inside the block, where each of them holds all gradients.

    Shared-out gradients are summed batch by batch: keeping them whole would need the memory that sharding saves.
    """
    return model.no_sync() if isinstance(model, DistributedDataParallel) else nullcontext()


@torch.no_grad()
def clip_gradients(model: nn.Module, max_norm: float) -> float:
    """Bound the norm of the whole gradient, wherever its parts are; returns the norm before."""
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    norm = nn.utils.get_total_norm(gradients)
    norm = norm.full_tensor() if isinstance(norm, DTensor) else norm
    nn.utils.clip_grads_with_norm_(model.parameters(), max_norm, norm)
    return norm.item()


def own_part(tensor: Tensor) -> Tensor:
    """What this worker holds of a tensor: its rows, or all of it."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def sum_of_parts(sums: Tensor, like: Tensor) -> Tensor:
    """Sums over the workers' parts of tensors such as `like`; every worker takes part."""
    if not isinstance(like, DTensor):
        return sums
    return DTensor.from_local(sums, like.device_mesh, [Partial()]).full_tensor()


def gathered(state: Any, *, keep: bool) -> Any:
    """The same structure with whole tensors, in main memory; None for them where `keep` is False.

    Every worker takes part, tensor by tensor: no accelerator holds more than one of them whole.
    """

    def whole(part: DTensor) -> Tensor | None:
        tensor = part.full_tensor()
        return tensor.cpu() if keep else None

    return tree_map_only(DTensor, whole, state)


def shared_out(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> dict[str, Any]:
    """An optimiser's whole `state_dict()` as this worker's part of it; each worker cuts its own."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    return {
        **state,
        "state": {
            index: {name: _part(value, parameters[index]) for name, value in values.items()}
            for index, values in state["state"].items()
        },
    }


def _part(value: Any, parameter: Tensor) -> Any:
    if not isinstance(parameter, DTensor) or not isinstance(value, Tensor):
        return value
    if value.shape != parameter.shape:
        return value
    return distribute_tensor(value, parameter.device_mesh, parameter.placements, src_data_rank=None)


def skeleton(decoder: PreTrainedModel) -> PreTrainedModel:
    """The decoder without its weights; made before they are shared out."""
    return _with_parameters(decoder, lambda _, parameter: parameter.detach().to("meta"))


def whole_decoder(
    decoder: PreTrainedModel, bones: PreTrainedModel, *, keep: bool
) -> PreTrainedModel:
    """The decoder itself, or a plain one with all weights on the worker that keeps it and with none elsewhere.

    Every worker takes part.
    """
    if not any(isinstance(parameter, DTensor) for parameter in decoder.parameters()):
        return decoder
    weights = gathered(
        {name: parameter.detach() for name, parameter in decoder.named_parameters()}, keep=keep
    )
    return _with_parameters(bones, lambda name, _: weights[name]) if keep else bones


def _with_parameters(
    decoder: PreTrainedModel, tensor_of: Callable[[str, nn.Parameter], Tensor]
) -> PreTrainedModel:
    """A copy with other weights; tied ones stay tied."""
    instead: dict[int, Any] = {
        id(parameter): nn.Parameter(tensor_of(name, parameter), parameter.requires_grad)
        for name, parameter in decoder.named_parameters()
    }
    return copy.deepcopy(decoder, instead)

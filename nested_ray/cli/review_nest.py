"""A registered nest by the name a user gives it → what it learned for reviews."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from nested_ray.errors import ConfigError
from nested_ray.review.learned import NestParts, load_parts


def load_nest(
    reference: str, levels: Sequence[str], on_step: Callable[[str], None] = lambda step: None
) -> NestParts:
    """The parts that the levels need of `NEST`, `NEST@ALIAS` or `NEST@VERSION` (default: its champion).

    Raises ConfigError for a reference that names no nest, and what registry and engines raise.
    """
    on_step("opening the registry")
    return load_parts(fetch_nest(reference), levels, on_step)


def fetch_nest(reference: str) -> Path:
    """The directory of `NEST`, `NEST@ALIAS` or `NEST@VERSION`; raises as `load_nest`."""
    nest, _, ref = reference.partition("@")
    if not nest:
        raise ConfigError(f"--nest {reference}: write NEST, NEST@ALIAS or NEST@VERSION")
    return _fetch(nest, ref)


def _fetch(nest: str, ref: str) -> Path:
    from contextlib import ExitStack

    from nested_ray.config.storage import StorageConfig
    from nested_ray.registry import connect
    from nested_ray.registry.status import end_if_unused

    storage = StorageConfig.from_env()
    with ExitStack() as stack:
        stack.callback(end_if_unused, storage)
        registry = stack.enter_context(connect(storage, use_actor=False))
        return registry.fetch(registry.resolve(nest, ref) if ref else registry.resolve(nest))

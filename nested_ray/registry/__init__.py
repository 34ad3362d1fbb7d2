"""Trained files and their facts → numbered nest versions under aliases, and back to a local directory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nested_ray.registry.connection import connect
    from nested_ray.registry.registry import Registry

__all__ = ["Registry", "connect"]


def __getattr__(name: str) -> Any:
    # The supervisor of the embedded servers lives in this package and needs none of the clients.
    if name == "connect":
        from nested_ray.registry.connection import connect

        return connect
    if name == "Registry":
        from nested_ray.registry.registry import Registry

        return Registry
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

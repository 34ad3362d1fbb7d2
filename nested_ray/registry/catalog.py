"""What the registry asks of the place that holds its rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, cast

from nested_ray.registry.records import (
    AliasMove,
    AliasRecord,
    BlobObject,
    MoveRequest,
    NestSummary,
    NestVersion,
    PublishRequest,
)

CHAMPION = "champion"
"""What is served unless told otherwise; set automatically for the first version only."""
CANDIDATE = "candidate"
"""The newest version; moved by every publish."""


class Catalog(Protocol):
    """Rows of nests, versions and aliases. Every call may be repeated with the same arguments."""

    def begin_publish(self, request: PublishRequest, *, token: str, lease_s: float) -> int | None:
        """Announce a version and its files; its number when the run is published already.

        An unfinished publish of the same run is taken over. Raises RegistryError when the run belongs
        to another nest.
        """
        ...

    def renew_lease(self, run_id: str, *, token: str, lease_s: float) -> None:
        """Raises RegistryError when the publish was taken over or expired."""
        ...

    def finish_publish(self, run_id: str, *, token: str, published_by: str) -> int:
        """Make the version visible under the next number and move the aliases, in one transaction.

        Raises RegistryError when the publish was taken over or expired.
        """
        ...

    def find_version(self, nest: str, version: int) -> NestVersion | None: ...

    def list_versions(self, nest: str) -> tuple[NestVersion, ...]:
        """Ready versions, oldest first."""
        ...

    def list_nests(self) -> tuple[NestSummary, ...]: ...

    def list_aliases(self, nest: str) -> tuple[AliasRecord, ...]: ...

    def move_alias(self, request: MoveRequest) -> AliasMove:
        """Raises AliasConflict when the alias is at another revision, VersionNotFound without such a version."""
        ...

    def alias_history(self, nest: str, alias: str) -> tuple[AliasMove, ...]:
        """Oldest first."""
        ...

    def abort_expired(self) -> int:
        """Fence publishers whose lease ran out; returns how many."""
        ...

    def adopt_blobs(self, objects: Iterable[BlobObject]) -> None:
        """Give objects found in the store a row where they have none."""
        ...

    def delete_unreferenced(self, grace_s: float, delete: Callable[[str], None]) -> int:
        """Call `delete` for every blob no version needs, shielded from publishers; returns how many."""
        ...

    def close(self) -> None: ...


def publish_lost(run_id: str) -> str:
    """The sentence for a publisher that was fenced."""
    return (
        f"the publish of run {run_id} was taken over by another publisher or stopped for longer than "
        "its lease; publish the run again"
    )


def alias_moved(request: MoveRequest, rev: int) -> str:
    """The sentence for a compare-and-swap that came too late."""
    return (
        f"{request.nest}@{request.alias} was at revision {request.expected_rev} when it was read and "
        f"is at {rev} now; look at `nested-ray registry history {request.nest}` and decide again"
    )


def finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: such numbers become null rather than losing the publish."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value).items()
        return {str(key): finite(item) for key, item in items}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in cast("list[object]", value)]
    return value

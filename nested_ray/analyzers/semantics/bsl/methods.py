"""Procedures and functions of a BSL module: where they stand, what they take, where they run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

CONTEXT_DIRECTIVES = {
    **dict.fromkeys(("наклиенте", "atclient"), "client"),
    **dict.fromkeys(("насервере", "atserver"), "server"),
    **dict.fromkeys(("насерверебезконтекста", "atservernocontext"), "server without context"),
    **dict.fromkeys(
        ("наклиентенасервере", "atclientatserver"),
        "client and server",
    ),
    **dict.fromkeys(
        ("наклиентенасерверебезконтекста", "atclientatservernocontext"),
        "client and server without context",
    ),
}
"""Compilation directives, folded → where the method runs."""


class Parameter(NamedTuple):
    name: str
    """As written."""
    token: int
    is_by_value: bool
    has_default: bool


@dataclass(frozen=True)
class Method:
    """A procedure or function; numbers are indices of tokens."""

    name: str
    """As written."""
    token: int
    is_function: bool
    is_exported: bool
    parameters: tuple[Parameter, ...]
    annotations: tuple[str, ...]
    """Folded: `насервере`."""
    body: int
    end: int
    """The closing keyword."""
    is_conditional: bool
    """Stands inside `#Если`: other methods may take its place."""

    @property
    def num_required(self) -> int:
        """Arguments that a call must reach: up to the last parameter without a default value."""
        required = [i for i, p in enumerate(self.parameters, start=1) if not p.has_default]
        return required[-1] if required else 0

    @property
    def context(self) -> str:
        """Where it runs by its directive; empty without one."""
        found = (CONTEXT_DIRECTIVES.get(name, "") for name in self.annotations)
        return next(filter(None, found), "")

    @property
    def is_extension(self) -> bool:
        """Takes the place of another method (`&Вместо`, `&После`) or is bound by an annotation."""
        return any(name not in CONTEXT_DIRECTIVES for name in self.annotations)

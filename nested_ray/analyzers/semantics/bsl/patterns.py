"""Patterns over token kinds that are kept as a byte string, one byte a token."""

from __future__ import annotations

import re

from nested_ray.languages.bsl.keywords import Kind


def any_of(*kinds: Kind) -> bytes:
    """A character class of token kinds, for patterns over `BslModule.kinds`."""
    return b"[" + b"".join(re.escape(bytes((kind,))) for kind in kinds) + b"]"


def one(kind: Kind) -> bytes:
    """One token kind, for patterns over `BslModule.kinds`."""
    return re.escape(bytes((kind,)))

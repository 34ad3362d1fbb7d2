"""API keys: only their sha256 is known here, and no request needs one unless a hash is configured."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from nested_ray.config.serve import checked_hash
from nested_ray.errors import ConfigError, Unauthorized

KEYS_VARIABLE = "NESTED_RAY_API_KEYS_SHA256"


class ApiKeys:
    """The keys that may ask. With none configured, everybody may."""

    def __init__(self, hashes: Iterable[str]) -> None:
        self._hashes = tuple(bytes.fromhex(each) for each in hashes)

    @property
    def are_needed(self) -> bool:
        return bool(self._hashes)

    def check(self, authorization: str | None) -> None:
        """Raises Unauthorized unless the header carries a known key; the message never repeats it."""
        if not self.are_needed:
            return
        scheme, _, key = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise Unauthorized("this server needs an API key: send `Authorization: Bearer KEY`")
        # Header bytes reach us as latin-1; comparing every hash keeps the time the same.
        found = hashlib.sha256(key.strip().encode("latin-1", "replace")).digest()
        if not any([hmac.compare_digest(found, known) for known in self._hashes]):
            raise Unauthorized("this API key is not known here; ask the operator for a valid one")


def hashes_from_variable(text: str | None) -> tuple[str, ...]:
    """Hashes from `NESTED_RAY_API_KEYS_SHA256`; raises ConfigError for one that is none."""
    try:
        return tuple(checked_hash(each) for each in (text or "").split(",") if each.strip())
    except ValueError as exc:
        raise ConfigError(f"{KEYS_VARIABLE}: {exc}") from exc

from __future__ import annotations

import hashlib

import pytest
from pydantic import ValidationError

from nested_ray.config.serve import ServeConfig
from nested_ray.errors import ConfigError, Unauthorized
from nested_ray.serve.auth import ApiKeys, hashes_from_variable

HASH = hashlib.sha256(b"key").hexdigest()


def test_without_hashes_nobody_needs_a_key():
    ApiKeys(()).check(None)


def test_any_of_the_keys_opens():
    keys = ApiKeys([hashlib.sha256(b"other").hexdigest(), HASH])
    keys.check("Bearer key")
    keys.check("bearer  key ")


@pytest.mark.parametrize(
    "header", [None, "", "key", "Basic key", "Bearer", "Bearer KEY", f"Bearer {HASH}"]
)
def test_anything_else_does_not(header):
    with pytest.raises(Unauthorized):
        ApiKeys([HASH]).check(header)


def test_a_bare_key_in_the_place_of_a_hash_is_refused_and_not_repeated():
    with pytest.raises(ValidationError) as caught:
        ServeConfig(api_key_hashes=("my-secret-key",))
    assert "64 hex digits" in str(caught.value)
    with pytest.raises(ConfigError, match="64 hex digits") as refused:
        hashes_from_variable("my-secret-key")
    assert "my-secret" not in str(refused.value)


def test_the_variable_holds_hashes_between_commas():
    assert hashes_from_variable(f" {HASH.upper()}, ,{'0' * 64}") == (HASH, "0" * 64)
    assert hashes_from_variable(None) == ()

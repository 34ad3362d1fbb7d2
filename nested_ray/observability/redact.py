"""Secrets taken out of text before it reaches a log."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MASK = "***"

_SECRET_NAME = (
    r"(?:aws_)?secret_access_key|aws_session_token|api[_-]?key|access[_-]?token|auth[_-]?token"
    r"|password|passwd|pgpassword|client[_-]?secret|x-amz-(?:signature|credential|security-token)"
)
_PATTERNS = (
    # postgresql://user:password@host, redis://:password@host
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s/]+(?=@)", re.IGNORECASE), rf"\1{MASK}"),
    # Authorization: Bearer x, "authorization": "Basic y"
    (
        re.compile(
            r"((?:proxy-)?authorization[\"']?\s*[:=]\s*[\"']?)"
            r"((?:bearer|basic|token|digest)\s+)?[^\s\"',}]+",
            re.IGNORECASE,
        ),
        rf"\1\2{MASK}",
    ),
    (re.compile(r"\b(bearer\s+)[a-z0-9._~+/=-]{8,}", re.IGNORECASE), rf"\1{MASK}"),
    # password=x, "aws_secret_access_key": "y", X-Amz-Signature=z
    (
        re.compile(rf"((?:{_SECRET_NAME})[\"']?\s*[:=]\s*[\"']?)[^\s\"',&}}]+", re.IGNORECASE),
        rf"\1{MASK}",
    ),
    # nested-ray's own API keys and those of OpenAI-compatible services
    (re.compile(r"\b(nr_live_)\w+"), rf"\1{MASK}"),
    (re.compile(r"\b(sk-)[\w-]{16,}"), rf"\1{MASK}"),
)
_SECRET_FIELD = re.compile(rf"authorization|(?:{_SECRET_NAME})|secret|token", re.IGNORECASE)


def redact(text: str) -> str:
    """The text with URL passwords, Authorization headers, API keys and AWS secrets masked."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def redact_value(name: str, value: Any) -> Any:
    """One named field, containers included; a string under a secret's name is masked whole."""
    if isinstance(value, str):
        return MASK if _SECRET_FIELD.fullmatch(name) else redact(value)
    if isinstance(value, Mapping):
        return {key: redact_value(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact_value(name, item) for item in value]
    return value

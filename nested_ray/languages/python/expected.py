"""What could stand where the compiler stopped, as far as its message says so."""

from __future__ import annotations

import re

_CLOSING = {"(": ")", "[": "]", "{": "}"}
_NEVER_CLOSED = re.compile(r"'([(\[{])' was never closed")
_NO_MATCH = re.compile(r"does not match opening parenthesis '([(\[{])'")
_EXPECTED = re.compile(r"\bexpect(?:ed|ing) ('\S+?'(?:(?:,| or) '\S+?')*)")
_MEANT = re.compile(r"Maybe you meant ('\S+?'(?: or '\S+?')*)")
_QUOTED = re.compile(r"'(\S+?)'")


def expected(message: str) -> tuple[str, ...]:
    """The tokens that the message names, as written; empty where it names none."""
    bracket = _NEVER_CLOSED.search(message) or _NO_MATCH.search(message)
    if bracket:
        return (_CLOSING[bracket[1]],)
    named = _EXPECTED.search(message) or _MEANT.search(message)
    if named:
        return tuple(_QUOTED.findall(named[1]))
    if message.endswith("Perhaps you forgot a comma?"):
        return (",",)
    return ("indented block",) if message.startswith("expected an indented block") else ()

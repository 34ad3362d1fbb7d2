"""The rules of the learned part of the semantics level, and how its findings are worded."""

from __future__ import annotations

import math

from nested_ray.analyzers.findings import Edit, Finding, Fix, Rule, Severity
from nested_ray.bugs.slots import Slot, SlotKind

_HELP = (
    "The level's model finds something else in scope likelier here than what stands here. It is a "
    "suspicion with a calibrated confidence, not a proof: look whether the alternative was meant. "
)

RULES: dict[SlotKind, Rule] = {
    "name": Rule(
        id="semantics/suspicious-name",
        summary="Another variable in scope is much likelier here.",
        help=_HELP + "Copied lines in which one name was left unchanged end up here.",
        severity=Severity.WARNING,
        is_learned=True,
    ),
    "operator": Rule(
        id="semantics/suspicious-operator",
        summary="A similar operator is much likelier here.",
        help=_HELP + "Inverted conditions and bounds that are off by one end up here.",
        severity=Severity.WARNING,
        is_learned=True,
    ),
    "literal": Rule(
        id="semantics/suspicious-literal",
        summary="A neighbouring number or the other truth value is much likelier here.",
        help=_HELP + "Indexes that are off by one and flags the wrong way round end up here.",
        severity=Severity.WARNING,
        is_learned=True,
    ),
    "arguments": Rule(
        id="semantics/suspicious-argument-order",
        summary="Two neighbouring arguments are much likelier the other way round.",
        help=_HELP + "Compare the call with the parameters of the function.",
        severity=Severity.WARNING,
        is_learned=True,
    ),
}


def make_finding(
    path: str,
    slot: Slot,
    option: int,
    *,
    confidence: float,
    log_ratio: float,
    counts: tuple[int, int] | None,
    symbol: str,
) -> Finding:
    """The remark on one slot; `counts`: how often the corpus has what stands there and the other."""
    wrong, right = short(slot.options[0]), short(slot.options[option])
    return Finding(
        rule=RULES[slot.kind].id,
        path=path,
        span=slot.span,
        message=message(slot.kind, wrong, right),
        severity=RULES[slot.kind].severity,
        confidence=confidence,
        witness=witness(wrong, right, log_ratio, counts),
        fix=Fix(f"write `{right}`", (Edit(slot.span, slot.options[option]),)),
        symbol=symbol,
    )


def message(kind: SlotKind, wrong: str, right: str) -> str:
    if kind == "arguments":
        return f"the arguments `{wrong}` look swapped, `{right}` is likelier"
    word = {"name": "name", "operator": "operator", "literal": "literal"}[kind]
    return f"suspicious {word} `{wrong}`, `{right}` is likelier here"


def witness(wrong: str, right: str, log_ratio: float, counts: tuple[int, int] | None) -> str:
    """The likelihood ratio in round numbers, and what the corpus remembers."""
    said = f"`{right}` is {round_number(log_ratio)} times as likely here as `{wrong}`"
    if counts is None or not any(counts):
        return said
    return f"{said}; between the same words the corpus has `{right}` {times(counts[1])}, `{wrong}` {times(counts[0])}"


def round_number(log_ratio: float) -> str:
    """One significant digit: more would claim more than is known."""
    ratio = math.exp(min(log_ratio, 14))
    digits = max(math.floor(math.log10(ratio)), 0)
    return f"{round(ratio, -digits):,.0f}"


def times(count: int) -> str:
    return {0: "never", 1: "once"}.get(count, f"{count:,} times")


def short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else f"{text[:57]}..."

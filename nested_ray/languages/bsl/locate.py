"""Where an error was made, when that is not where it comes to light.

A grammar notices a missing `КонецЕсли` at the end of the method. The indentation of the lines says more:
the first line that stands further left than a block's body has left the block. These are guesses about the place and the
message only; whether a text is valid never depends on them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from nested_ray.languages.bsl.directives import Line, parse_directive
from nested_ray.languages.bsl.keywords import WORDS, Kind, describe
from nested_ray.languages.bsl.layout import View
from nested_ray.languages.bsl.lexer import Tokens
from nested_ray.languages.bsl.locate_directive import unbalanced_directive
from nested_ray.languages.bsl.machine import Failure

_HEADS = (Kind.PROCEDURE, Kind.FUNCTION)
_CLOSER_OF = {
    Kind.PROCEDURE: Kind.END_PROCEDURE,
    Kind.FUNCTION: Kind.END_FUNCTION,
    Kind.IF: Kind.END_IF,
    Kind.FOR: Kind.END_DO,
    Kind.WHILE: Kind.END_DO,
    Kind.TRY: Kind.END_TRY,
}
_CLOSERS = frozenset(_CLOSER_OF.values())
_BRANCHES = {Kind.ELSE: Kind.IF, Kind.ELSIF: Kind.IF, Kind.EXCEPT: Kind.TRY}
_STATEMENT_FOLLOWS = frozenset(
    (
        Kind.SEMICOLON,
        Kind.THEN,
        Kind.ELSE,
        Kind.DO,
        Kind.TRY,
        Kind.EXCEPT,
        Kind.COLON,
        Kind.DIRECTIVE,
    )
)
_STATEMENT_BOUNDS = _STATEMENT_FOLLOWS | _CLOSERS
# A block that lost its balance comes to light at one of these.
_TELL_OF_BLOCKS = frozenset(
    (
        *(*_CLOSERS, *_BRANCHES, *_HEADS, Kind.ASYNC, Kind.VAR, Kind.AMPERSAND, Kind.END),
        *(Kind.BREAK, Kind.CONTINUE, Kind.RETURN),
    )
)
_OPENING = (Kind.OPEN, Kind.OPEN_INDEX)
_CLOSING = (Kind.CLOSE, Kind.CLOSE_INDEX)
_CALLED = frozenset((*WORDS, Kind.CLOSE_INDEX, Kind.QUESTION)) - {
    *(Kind.AND_OR, Kind.NOT, Kind.RETURN, Kind.IF, Kind.ELSIF, Kind.WHILE, Kind.IN, Kind.TO),
}


def locate(tokens: Tokens, failure: Failure) -> Failure:
    """The failure with the place, message and expectation of the likelier cause, if there is one."""
    if failure.place is not None or not tokens.kinds:
        return failure
    view = View(tokens)
    if failure.message:
        return unbalanced_directive(view, failure)
    kind = view.kind(failure.index)
    found = _unbalanced_block(view, failure) if kind in _TELL_OF_BLOCKS else None
    return found or _lost_beginning(view, failure) or _extra_bracket(view, failure) or failure


@dataclass
class _Block:
    kind: Kind
    index: int
    column: int
    body_column: int | None = None
    """Of its first statement."""


def _unbalanced_block(view: View, failure: Failure) -> Failure | None:
    begin = failure.index - 1
    while begin > 0 and not (view.kind(begin) in _HEADS and view.is_word_here(begin)):
        begin -= 1
    blocks: list[_Block] = []
    deeper: int | None = None  # a line indented further than its block
    for index in range(begin, min(failure.index + 1, len(view.tokens.kinds))):
        kind = view.kind(index)
        if not view.is_word_here(index):
            continue
        if kind in _CLOSERS or kind in _BRANCHES:
            found = _closer_fits(view, failure, blocks, index)
        else:
            found = _has_left_block(view, failure, blocks, index)
            deeper = deeper or _deeper_line(view, blocks, index)
        if found is not None:
            return found
        if kind in _CLOSERS and blocks:
            blocks.pop()
        elif kind in _CLOSER_OF:
            blocks.append(_Block(kind, index, view.column(index)))
    if deeper and view.kind(failure.index) in (Kind.EXCEPT, Kind.END_TRY):
        expected = frozenset((Kind.TRY,))
        return replace(failure, place=deeper, message="expected `Попытка`/`Try`", expected=expected)
    return None


def _closer_fits(view: View, failure: Failure, blocks: list[_Block], index: int) -> Failure | None:
    """None when the end or branch stands where its block began."""
    kind = view.kind(index)
    if not blocks or view.line(index) == view.line(blocks[-1].index):
        return None
    block, column = blocks[-1], view.column(index)
    matches = _CLOSER_OF[block.kind] is kind or _BRANCHES.get(kind) is block.kind
    if view.is_first(index) and column < block.column:
        return _unclosed(view, failure, block, index)
    if not matches or (view.is_first(index) and column == block.column):
        return None
    if kind in _BRANCHES or index >= failure.index:
        return None
    message = f"ends the {_quoted(view, block.index)} of line {view.line(block.index) + 1} early"
    return replace(failure, place=index, message=message, expected=frozenset())


def _has_left_block(
    view: View, failure: Failure, blocks: list[_Block], index: int
) -> Failure | None:
    """A line that stands no further right than the block it is in."""
    begins = view.kind(index - 1) in _STATEMENT_FOLLOWS or view.kind(index) is Kind.SEMICOLON
    if not blocks or index >= failure.index or not view.is_first(index):
        return None
    block, column = blocks[-1], view.column(index)
    if view.kind(index) is Kind.DIRECTIVE:
        line = parse_directive(view.tokens.spellings[index]).line
        begins = block.kind in _HEADS and line in (Line.REGION, Line.END_REGION)
    elif block.kind in _HEADS:
        begins = view.kind(index) in (*_HEADS, Kind.AMPERSAND, Kind.ASYNC)
    elif begins and block.body_column is None and column > block.column:
        block.body_column = column
    is_indented = block.kind in _HEADS or block.body_column is not None
    if begins and is_indented and column <= block.column:
        return _unclosed(view, failure, block, index)
    return None


def _deeper_line(view: View, blocks: list[_Block], index: int) -> int | None:
    if not blocks or not view.is_first(index):
        return None
    block, column, before = blocks[-1], view.column(index), view.kind(index - 1)
    begins_body = block.kind in _HEADS and before in (Kind.CLOSE, Kind.EXPORT)
    if before not in _STATEMENT_FOLLOWS - {Kind.DIRECTIVE} and not begins_body:
        return None
    if block.body_column is None:
        block.body_column = column
    return index if column > block.body_column else None


def _unclosed(view: View, failure: Failure, block: _Block, index: int) -> Failure:
    closer = _CLOSER_OF[block.kind]
    opened = f"{_quoted(view, block.index)} of line {view.line(block.index) + 1}"
    message = f"expected {describe(closer)} for the {opened}"
    return replace(failure, place=index, message=message, expected=frozenset((closer,)))


def _quoted(view: View, index: int) -> str:
    return f"`{view.tokens.spellings[index]}`"


def _statement_start(view: View, index: int) -> int:
    """Index of the first token of the statement that the token is in."""
    start = index
    while start > 0 and view.kind(start - 1) not in _STATEMENT_BOUNDS:
        start -= 1
        if view.kind(start) in _HEADS and view.is_word_here(start):
            return min(index, _after_heading(view, start))
    return start


def _after_heading(view: View, head: int) -> int:
    index, depth = head + 2, 0
    while index < len(view.tokens.kinds):
        depth += (view.kind(index) is Kind.OPEN) - (view.kind(index) is Kind.CLOSE)
        index += 1
        if depth <= 0:
            break
    return index + (view.kind(index) is Kind.EXPORT)


_BEGINNINGS: dict[Kind, tuple[Kind, ...]] = {
    Kind.THEN: (Kind.IF, Kind.ELSIF),
    Kind.DO: (Kind.WHILE, Kind.FOR),
    Kind.EXPORT: _HEADS,
}


def _lost_beginning(view: View, failure: Failure) -> Failure | None:
    """`А = 1 Тогда` without `Если`, a heading without `Процедура`: the statement is to blame."""
    index = failure.index
    kind = view.kind(index)
    start = _statement_start(view, index)
    missing = _BEGINNINGS.get(kind)
    if missing is None and index < len(view.tokens.kinds) and _is_lost_heading(view, start, index):
        missing = _HEADS
    if missing is None or start >= index - 1 or view.kind(start) in (*missing, Kind.VAR):
        return None
    words = " or ".join(describe(one) for one in missing)
    return replace(failure, place=start, message=f"expected {words}", expected=frozenset(missing))


def _is_lost_heading(view: View, start: int, index: int) -> bool:
    """`Имя(Параметр)` on a line of its own, with lines below that are indented as a body is."""
    is_call = view.kind(start) is Kind.NAME and view.kind(start + 1) is Kind.OPEN
    is_body = view.is_first(index) and view.column(index) > view.column(start)
    return is_call and is_body and view.kind(index - 1) is Kind.CLOSE


def _extra_bracket(view: View, failure: Failure) -> Failure | None:
    """An opening bracket written twice, or one whose call lost its name."""
    start, brackets = _statement_start(view, failure.index), []
    for index in range(start, min(failure.index, len(view.tokens.kinds))):
        if view.kind(index) in _OPENING:
            brackets.append(index)
        elif view.kind(index) in _CLOSING and brackets:
            brackets.pop()
    if not brackets or view.kind(brackets[-1]) is not Kind.OPEN:
        return None
    opened = brackets[-1]
    is_double = Kind.OPEN in (view.kind(opened - 1), view.kind(opened + 1))
    is_comma = view.kind(failure.index) is Kind.COMMA
    lost_name = is_comma and view.kind(opened - 1) not in _CALLED
    if not (is_double or lost_name) or failure.index - opened < 2:
        return None
    expected = frozenset((Kind.NAME,)) if lost_name else frozenset()
    message = "these brackets hold more than an expression" if is_comma else "not closed"
    return replace(failure, place=opened, message=message, expected=expected)

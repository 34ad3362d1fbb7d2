"""Preprocessor lines: what each one says, and where a condition holds.

`#Если Сервер Тогда` keeps its text only where the module runs on a server. ENVIRONMENTS lists the
places a module can run, by the symbols that are true there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache


class Line(Enum):
    """Which preprocessor line it is."""

    IF = "if"
    ELSIF = "elsif"
    ELSE = "else"
    END_IF = "end if"
    REGION = "region"
    END_REGION = "end region"
    USE = "use"
    OTHER = "other"
    """Has no effect on the rest: `#Вставка`, `#native`, a complete `#Удаление` … `#КонецУдаления`."""
    UNFINISHED = "unfinished"
    """Cannot stand as it is, but more text on the line could complete it."""
    MALFORMED = "malformed"


_WORDS: dict[str, Line] = {
    **dict.fromkeys(("если", "if"), Line.IF),
    **dict.fromkeys(("иначеесли", "elsif"), Line.ELSIF),
    **dict.fromkeys(("иначе", "else"), Line.ELSE),
    **dict.fromkeys(("конецесли", "endif"), Line.END_IF),
    **dict.fromkeys(("область", "region"), Line.REGION),
    **dict.fromkeys(("конецобласти", "endregion"), Line.END_REGION),
    **dict.fromkeys(("использовать", "use"), Line.USE),
    **dict.fromkeys(("вставка", "insert", "конецвставки", "endinsert"), Line.OTHER),
    **dict.fromkeys(("удаление", "delete"), Line.OTHER),
    # OneScript's annotations of a whole module.
    **dict.fromkeys(("native", "stack", "обходимое", "iterable"), Line.OTHER),
}
_DIRECTIVE = re.compile(r"#[ \t]*(\w*)(.*)", re.DOTALL)
_END_OF_DELETED = re.compile(r"#[ \t]*(?:конецудаления|enddelete)\b[^\r\n]*$", re.IGNORECASE)
_COMMENT = re.compile(r"\s*;?\s*(?://.*)?")
_REGION_NAME = re.compile(r"\s+([^\W\d]\w*)\s*(?://.*)?")
_LIBRARY = re.compile(r"""\s+("[^"]*"|[\w\-./]+)\s*(?://.*)?""")
_SYMBOL = re.compile(r"\s*(//.*|[()]|[^\W\d]\w*|\S)")
_MAX_CONDITION_SYMBOLS = 1_000
_MAX_CACHED_CHARS = 500  # a few different lines are asked for again and again

Condition = Callable[[frozenset[str]], bool]


@dataclass(frozen=True)
class Directive:
    """One preprocessor line. `argument` is a region's name or a library; `holds` is for IF, ELSIF."""

    line: Line
    argument: str = ""
    holds: Condition | None = None
    symbols: frozenset[str] = frozenset()
    """Names its condition asks for, lower-case."""


@lru_cache(maxsize=1_024)
def _parse_short(spelling: str) -> Directive:
    return _parse(spelling)


def parse_directive(spelling: str) -> Directive:
    """What a preprocessor line says; any text starting with `#` has an answer."""
    return _parse_short(spelling) if len(spelling) <= _MAX_CACHED_CHARS else _parse(spelling)


def _parse(spelling: str) -> Directive:
    if spelling.startswith("#!"):
        return Directive(Line.OTHER)
    match = _DIRECTIVE.fullmatch(spelling)
    word, rest = match.groups() if match else ("", "")
    line = _WORDS.get(word.lower())
    if line is None:
        begun = not rest and any(known.startswith(word.lower()) for known in _WORDS)
        return Directive(Line.UNFINISHED if begun else Line.MALFORMED)
    if line in (Line.IF, Line.ELSIF):
        return _parse_condition(line, rest)
    if line in (Line.REGION, Line.USE):
        named = (_REGION_NAME if line is Line.REGION else _LIBRARY).fullmatch(rest)
        return Directive(line, named[1].strip('"')) if named else Directive(Line.UNFINISHED)
    if word.lower() in ("удаление", "delete"):
        return Directive(line if _END_OF_DELETED.search(spelling) else Line.UNFINISHED)
    if _COMMENT.fullmatch(rest):
        return Directive(line)
    return Directive(Line.UNFINISHED if rest.strip() == "/" else Line.MALFORMED)


_THEN = ("тогда", "then")
_OPERATIONS = {
    **dict.fromkeys(("не", "not"), "not"),
    **dict.fromkeys(("и", "and"), "and"),
    **dict.fromkeys(("или", "or"), "or"),
}
_PRIORITY = {"or": 1, "and": 2, "not": 3}


def _parse_condition(line: Line, rest: str) -> Directive:
    words = [word.lower() for word in _SYMBOL.findall(rest)]
    has_comment = bool(words) and words[-1].startswith("//")
    if has_comment:
        words.pop()
    begins_comment = len(words) > 1 and words[-1] == "/" and words[-2] in _THEN
    if begins_comment:
        words.pop()
    is_whole = bool(words) and words[-1] in _THEN
    if len(words) > _MAX_CONDITION_SYMBOLS or (has_comment and not is_whole):
        return Directive(Line.MALFORMED)
    postfix, num_read = _to_postfix(words[:-1] if is_whole else words)
    if not is_whole:
        return Directive(Line.UNFINISHED if _may_go_on(words, num_read) else Line.MALFORMED)
    if postfix is None or begins_comment:
        return Directive(Line.UNFINISHED if postfix else Line.MALFORMED)
    symbols = frozenset(word for word in postfix if word not in _PRIORITY)
    return Directive(line, holds=lambda true: _evaluate(postfix, true), symbols=symbols)


def _may_go_on(words: list[str], num_read: int) -> bool:
    """Whether all words can stand, the last one perhaps when it is finished (`Тог` → `Тогда`)."""
    if num_read == len(words):
        return True
    candidates = (*_THEN, *_OPERATIONS)
    is_last = num_read == len(words) - 1
    return is_last and any(whole.startswith(words[-1]) for whole in candidates)


def _to_postfix(words: list[str]) -> tuple[list[str] | None, int]:
    """Shunting-yard: the condition, None when it is not whole, and how many words can stand."""
    output: list[str] = []
    waiting: list[str] = []
    expects_operand = True
    for position, word in enumerate(words):
        operation = _OPERATIONS.get(word, word)
        begins_operand = (
            operation in ("not", "(") or operation[0] == "_" or operation.isidentifier()
        )
        begins_operand = begins_operand and operation not in ("and", "or", *_THEN)
        if begins_operand != expects_operand:
            return None, position
        if operation in ("not", "("):
            waiting.append(operation)
        elif operation == ")":
            while waiting and waiting[-1] != "(":
                output.append(waiting.pop())
            if not waiting:
                return None, position
            waiting.pop()
        elif operation in ("and", "or"):
            while waiting and _PRIORITY.get(waiting[-1], 0) >= _PRIORITY[operation]:
                output.append(waiting.pop())
            waiting.append(operation)
            expects_operand = True
        elif begins_operand:
            output.append(operation)
            expects_operand = False
        else:
            return None, position
    is_whole = not expects_operand and "(" not in waiting
    return (output + waiting[::-1] if is_whole else None), len(words)


def _evaluate(postfix: list[str], true: frozenset[str]) -> bool:
    values: list[bool] = []
    for word in postfix:
        if word == "not":
            values.append(not values.pop())
        elif word in ("and", "or"):
            right, left = values.pop(), values.pop()
            values.append(left and right if word == "and" else left or right)
        else:
            values.append(word in true)
    return values[0]


_SERVER = ("сервер", "server", "насервере", "atserver")
_CLIENT = ("клиент", "client", "наклиенте", "atclient")

ENVIRONMENTS: tuple[frozenset[str], ...] = tuple(
    frozenset(symbols)
    for symbols in (
        _SERVER,
        (*_CLIENT, "тонкийклиент", "thinclient"),
        (*_CLIENT, "вебклиент", "webclient"),
        (*_CLIENT, "толстыйклиентуправляемоеприложение", "thickclientmanagedapplication"),
        (*_CLIENT, "толстыйклиентобычноеприложение", "thickclientordinaryapplication"),
        ("внешнеесоединение", "externalconnection"),
        (*_CLIENT, "мобильноеприложениеклиент", "mobileappclient"),
        (*_SERVER, "мобильноеприложениесервер", "mobileappserver"),
        (*_CLIENT, "мобильныйклиент", "mobileclient"),
        (*_SERVER, "мобильныйавтономныйсервер", "mobilestandaloneserver"),
        ("windows",),
        ("linux",),
        ("macos",),
    )
)
"""Symbols that are true in each place a module can run: 1C applications, then OneScript systems."""

KNOWN_SYMBOLS: frozenset[str] = frozenset().union(*ENVIRONMENTS)

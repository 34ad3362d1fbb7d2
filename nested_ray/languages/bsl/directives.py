"""Preprocessor lines: what each one says, and where a condition holds.

`#Если Сервер Тогда` keeps its text only where the module runs on a server. ENVIRONMENTS lists the
places a module can run, by the symbols that are true there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum


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

Condition = Callable[[frozenset[str]], bool]


@dataclass(frozen=True)
class Directive:
    """One preprocessor line. `argument` is a region's name or a library; `holds` is for IF, ELSIF."""

    line: Line
    argument: str = ""
    holds: Condition | None = None
    symbols: frozenset[str] = frozenset()
    """Names its condition asks for, lower-case."""


def parse_directive(spelling: str) -> Directive:
    """What a preprocessor line says; any text starting with `#` has an answer."""
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
    return Directive(line if _COMMENT.fullmatch(rest) else Line.MALFORMED)


_NOT, _AND, _OR = ("не", "not"), ("и", "and"), ("или", "or")
_THEN = ("тогда", "then")
_EXPRESSIONS = {
    **dict.fromkeys(_NOT, "not"),
    **dict.fromkeys(_AND, "and"),
    **dict.fromkeys(_OR, "or"),
}


def _parse_condition(line: Line, rest: str) -> Directive:
    words = [word.lower() for word in _SYMBOL.findall(rest) if not word.startswith("//")]
    if not words or words[-1] not in _THEN:
        return Directive(Line.UNFINISHED)
    words.pop()
    postfix = _to_postfix(words)
    if postfix is None:
        return Directive(Line.MALFORMED)
    symbols = frozenset(word for word in postfix if word not in ("not", "and", "or"))
    return Directive(line, holds=lambda true: _evaluate(postfix, true), symbols=symbols)


_PRIORITY = {"or": 1, "and": 2, "not": 3}


def _to_postfix(words: list[str]) -> list[str] | None:
    """Shunting-yard; None when the words are no condition."""
    output: list[str] = []
    waiting: list[str] = []
    expects_operand = True
    for word in words[:_MAX_CONDITION_SYMBOLS]:
        operation = _EXPRESSIONS.get(word, word)
        if operation == ")":
            while waiting and waiting[-1] != "(":
                output.append(waiting.pop())
            if expects_operand or not waiting:
                return None
            waiting.pop()
        elif operation in ("and", "or"):
            if expects_operand:
                return None
            while waiting and _PRIORITY.get(waiting[-1], 0) >= _PRIORITY[operation]:
                output.append(waiting.pop())
            waiting.append(operation)
            expects_operand = True
        elif not expects_operand:
            return None
        elif operation in ("not", "("):
            waiting.append(operation)
        elif operation[0] == "_" or operation[0].isalpha():
            output.append(operation)
            expects_operand = False
        else:
            return None
    if expects_operand or "(" in waiting or len(words) > _MAX_CONDITION_SYMBOLS:
        return None
    return output + waiting[::-1]


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

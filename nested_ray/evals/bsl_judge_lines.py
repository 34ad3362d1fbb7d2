"""The judge's own reading of preprocessor lines: which lexemes count where a module runs."""

from __future__ import annotations

import re

from nested_ray.languages.bsl.keywords import SPELLINGS

KEYWORDS = {word: words[0] for words in SPELLINGS.values() for word in words}
MAX_DEPTH = 50

Lexeme = tuple[str, str]
"""What the grammar sees (`name`, a keyword in Russian, a mark), and the spelling in lower case."""


class Invalid(Exception):
    """The text is no module."""


def limit(depth: int) -> None:
    """ValueError for text nested deeper than any program."""
    if depth > MAX_DEPTH:
        raise ValueError("nested too deeply to judge")


_SERVER = {"сервер", "server", "насервере", "atserver"}
_CLIENT = {"клиент", "client", "наклиенте", "atclient"}
PLACES: tuple[set[str], ...] = (
    _SERVER,
    _CLIENT | {"тонкийклиент", "thinclient"},
    _CLIENT | {"вебклиент", "webclient"},
    _CLIENT | {"толстыйклиентуправляемоеприложение", "thickclientmanagedapplication"},
    _CLIENT | {"толстыйклиентобычноеприложение", "thickclientordinaryapplication"},
    {"внешнеесоединение", "externalconnection"},
    _CLIENT | {"мобильноеприложениеклиент", "mobileappclient"},
    _SERVER | {"мобильноеприложениесервер", "mobileappserver"},
    _CLIENT | {"мобильныйклиент", "mobileclient"},
    _SERVER | {"мобильныйавтономныйсервер", "mobilestandaloneserver"},
    {"windows"},
    {"linux"},
    {"macos"},
)
_LINE_WORD = re.compile(r"#[ \t]*(\w*)(.*)", re.DOTALL)
_LINES = {
    **dict.fromkeys(("если", "if"), "if"),
    **dict.fromkeys(("иначеесли", "elsif"), "elsif"),
    **dict.fromkeys(("иначе", "else"), "else"),
    **dict.fromkeys(("конецесли", "endif"), "endif"),
    **dict.fromkeys(("область", "region"), "region"),
    **dict.fromkeys(("конецобласти", "endregion"), "endregion"),
    **dict.fromkeys(("использовать", "use"), "use"),
    **dict.fromkeys(("вставка", "insert", "конецвставки", "endinsert"), "plain"),
    **dict.fromkeys(("native", "stack", "обходимое", "iterable"), "plain"),
}
_ARGUMENT = {
    "region": re.compile(r"\s+[^\W\d]\w*"),
    "use": re.compile(r"""\s+("[^"]*"|[\w\-./]+)"""),
}


def _line(spelling: str) -> tuple[str, str]:
    """Which preprocessor line it is, and its condition."""
    if spelling.startswith("#!"):
        return "plain", ""
    match = _LINE_WORD.fullmatch(spelling)
    word, rest = match.groups() if match else ("", "")
    line = _LINES.get(word)
    if line is None:
        raise Invalid
    rest = rest.split("//")[0].strip() if line != "use" else re.sub(r"\s+//.*", "", rest)
    if line in ("if", "elsif"):
        return line, rest
    pattern = _ARGUMENT.get(line)
    if pattern is None:
        is_whole = rest in ("", ";")
    else:
        is_whole = pattern.fullmatch(f" {rest.strip()}") is not None
    if not is_whole:
        raise Invalid
    return line, ""


def own_symbols(lexemes: list[Lexeme]) -> set[str]:
    """Symbols of conditions that only the project itself knows."""
    lines = (spelling for tag, spelling in lexemes if tag == "line")
    conditions = (_line(spelling)[1] for spelling in lines)
    words = {word for condition in conditions for word in re.findall(r"[^\W\d]\w*", condition)}
    return words - set().union(*PLACES) - KEYWORDS.keys()


def select(lexemes: list[Lexeme], symbols: set[str]) -> list[Lexeme]:
    """The lexemes that count where these symbols are true."""
    kept: list[Lexeme] = []
    open_conditions: list[list[bool]] = []  # now on, was on, had `#Иначе`
    regions = 0
    for tag, spelling in lexemes:
        if tag != "line":
            if all(condition[0] for condition in open_conditions):
                kept.append((tag, spelling))
            continue
        line, condition = _line(spelling)
        regions += (line == "region") - (line == "endregion")
        if regions < 0:
            raise Invalid
        if line == "if":
            holds = _Condition(condition, symbols).value()
            open_conditions.append([holds, holds, False])
        elif line in ("elsif", "else", "endif"):
            if not open_conditions or (line != "endif" and open_conditions[-1][2]):
                raise Invalid
            if line == "endif":
                open_conditions.pop()
                continue
            holds = line == "else" or _Condition(condition, symbols).value()
            _, was_on, _ = open_conditions[-1]
            open_conditions[-1] = [holds and not was_on, was_on or holds, line == "else"]
    if regions or open_conditions:
        raise Invalid
    return kept


class _Condition:
    """`Сервер И НЕ (А Или Б) Тогда`."""

    def __init__(self, text: str, symbols: set[str]) -> None:
        self.words = re.findall(r"\w+|\S", text)
        self.symbols = symbols
        self.position = 0

    def take(self, *words: str) -> bool:
        found = self.position < len(self.words) and self.words[self.position] in words
        self.position += found
        return found

    def value(self) -> bool:
        value = self.any_of(0)
        if not self.take("тогда", "then") or self.position < len(self.words):
            raise Invalid
        return value

    def any_of(self, depth: int) -> bool:
        value = self.all_of(depth)
        while self.take("или", "or"):
            value = self.all_of(depth) or value
        return value

    def all_of(self, depth: int) -> bool:
        value = self.one(depth)
        while self.take("и", "and"):
            value = self.one(depth) and value
        return value

    def one(self, depth: int) -> bool:
        limit(depth)
        if self.take("не", "not"):
            return not self.one(depth + 1)
        if self.take("("):
            value = self.any_of(depth + 1)
            if not self.take(")"):
                raise Invalid
            return value
        word = self.words[self.position] if self.position < len(self.words) else ""
        is_symbol = word.isidentifier() and word not in ("и", "или", "and", "or", "тогда", "then")
        if not is_symbol:
            raise Invalid
        self.position += 1
        return word in self.symbols

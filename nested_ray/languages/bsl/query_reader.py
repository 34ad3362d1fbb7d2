"""Text of a query → what it names, and whether brackets and clauses stand as they can.

Not a full grammar: expressions are not judged, nor characters that a program may replace before it
runs the query. What is judged holds for every query: brackets close, clauses follow in their order, none is
empty and none ends with a comma or an operator, the last one excepted.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from nested_ray.languages.base import Span
from nested_ray.languages.bsl.query_words import (
    AS,
    CASE,
    CASE_END,
    CLAUSES,
    JOIN,
    KEYWORDS,
    LEXEME,
    OPERATOR_WORDS,
    TABLE_KINDS,
    TWO_WORD_CLAUSES,
    Clause,
)


@dataclass(frozen=True)
class Lexeme:
    """A token of a query; `kind` is the group of LEXEME, or `keyword`."""

    kind: str
    text: str
    span: Span

    @property
    def word(self) -> str:
        return self.text.lower()


@dataclass(frozen=True)
class QueryTable:
    """A table a query reads: `РегистрНакопления.Товары.Остатки`, a temporary table, or a parameter."""

    name: str
    alias: str | None
    span: Span
    """Its name."""
    is_database: bool
    """Whether it is one of the database, by the first word of its name."""


@dataclass(frozen=True)
class QueryName:
    """A name and where it stands."""

    name: str
    span: Span


@dataclass(frozen=True)
class QueryIssue:
    """Where a query stops being one, and why."""

    span: Span
    message: str


@dataclass
class QueryReading:
    """What a query names; spans are offsets into its text."""

    tables: list[QueryTable] = field(default_factory=list)
    created: list[QueryName] = field(default_factory=list)
    dropped: list[QueryName] = field(default_factory=list)
    parameters: list[QueryName] = field(default_factory=list)
    aliases: list[QueryName] = field(default_factory=list)
    issue: QueryIssue | None = None


def lexemes_of(text: str) -> list[Lexeme]:
    """The tokens of a query, without white space and comments."""
    found: list[Lexeme] = []
    for match in LEXEME.finditer(text):
        kind = match.lastgroup or "error"
        if kind == "blank":
            continue
        follows_dot = bool(found) and found[-1].text == "."
        if kind == "name" and not follows_dot and match[0].lower() in KEYWORDS:
            kind = "keyword"
        elif kind == "name" and not follows_dot and match[0].lower() in OPERATOR_WORDS:
            kind = "operator"
        found.append(Lexeme(kind, match[0], Span(*match.span())))
    return found


@dataclass
class _Level:
    """A bracket, or the query itself outside of brackets."""

    opener: Lexeme | None
    clause: Clause | None = None
    since: int = 0
    """Index of the lexeme that begins the clause."""
    has_select: bool = False
    num_cases: int = 0


class QueryReader:
    """One walk over the lexemes of a query."""

    def __init__(self, lexemes: list[Lexeme]) -> None:
        self.lexemes = lexemes
        self.reading = QueryReading()
        self.levels = [_Level(None)]
        self.partners = _partners(lexemes)

    def read(self) -> QueryReading:
        """What the query names, and its first error."""
        index = 0
        while index < len(self.lexemes):
            index = self._read(index)
        if len(self.levels) > 1:
            opener = self.levels[-1].opener
            assert opener is not None
            self._report(opener, "not closed")
        # The last clause may go on: a program adds conditions to what it has.
        return self.reading

    def _lexeme(self, index: int) -> Lexeme | None:
        return self.lexemes[index] if 0 <= index < len(self.lexemes) else None

    def _text(self, index: int) -> str:
        found = self._lexeme(index)
        return found.word if found else ""

    def _kind(self, index: int) -> str:
        found = self._lexeme(index)
        return found.kind if found else ""

    def _report(self, lexeme: Lexeme, message: str) -> None:
        if self.reading.issue is None:
            self.reading.issue = QueryIssue(lexeme.span, f"{message}: `{lexeme.text[:40]}`")

    def _read(self, index: int) -> int:
        lexeme = self.lexemes[index]
        if lexeme.text in ("(", "{"):
            self.levels.append(_Level(lexeme))
        elif lexeme.text in (")", "}"):
            self._close(index)
        elif lexeme.text == ";":
            self._end_query(index)
        elif lexeme.kind == "parameter":
            self.reading.parameters.append(QueryName(lexeme.text[1:], lexeme.span))
            return self._read_table(index) if self._is_source(index) else index + 1
        elif lexeme.text == '"':
            self._report(lexeme, "the string is not closed")
        elif lexeme.kind == "keyword":
            return self._read_keyword(index)
        elif lexeme.kind in ("name", "placeholder") and self._is_source(index):
            return self._read_table(index)
        return index + 1

    def _close(self, index: int) -> None:
        lexeme = self.lexemes[index]
        opener = self.levels[-1].opener
        if opener is None or (opener.text == "(") != (lexeme.text == ")"):
            self._report(lexeme, "no bracket is open for this one")
            return
        self._end_clause(index)
        self.levels.pop()

    def _end_query(self, index: int) -> None:
        if self.levels[-1].opener is not None:
            self._report(self.lexemes[index], "unexpected inside brackets")
            return
        self._end_clause(index)
        self.levels = [_Level(None)]

    def _read_keyword(self, index: int) -> int:
        word, level = self._text(index), self.levels[-1]
        if self._text(index + 1) == ".":
            return index + 1
        clause = TWO_WORD_CLAUSES.get((word, self._text(index + 1)))
        if clause is not None:
            self._begin_clause(clause, index, 2)
            return index + 2
        clause = CLAUSES.get(word)
        if clause is not None and self._begins_clause(clause, index):
            self._begin_clause(clause, index, 1)
            return self._read_temporary(index) if clause in _NAMING else index + 1
        if word in AS:
            return self._read_alias(index + 1)
        if word in CASE:
            level.num_cases += 1
        elif word in CASE_END:
            level.num_cases -= 1
            if level.num_cases < 0:
                self._report(self.lexemes[index], "no `ВЫБОР`/`CASE` is open for this word")
                level.num_cases = 0
        return index + 1

    def _begins_clause(self, clause: Clause, index: int) -> bool:
        """Words of clauses that may also be names of columns are clauses only where one may begin."""
        if clause in (Clause.TOTALS, Clause.AUTOORDER, Clause.DROP, Clause.INTO, Clause.UNION):
            before = self._lexeme(index - 1)
            is_operand = before is not None and (
                before.kind == "operator" or before.text in (",", "(", ".")
            )
            return not is_operand
        return True

    def _begin_clause(self, clause: Clause, index: int, num_words: int) -> None:
        level, lexeme = self.levels[-1], self.lexemes[index]
        if level.opener is not None and level.opener.text == "{":
            return  # a composition extension has parts of clauses
        if clause is Clause.SELECT:
            if level.clause not in (None, Clause.UNION):
                self._report(lexeme, "a query has begun already")
            level.has_select = True
        elif clause is Clause.DROP:
            if level.clause is not None:
                self._report(lexeme, "expected `;` before this word")
        elif not level.has_select:
            self._report(lexeme, "no `ВЫБРАТЬ`/`SELECT` stands before this word")
        elif level.clause is not None and clause.value <= level.clause.value:
            loose = (Clause.ORDER, Clause.INDEX, Clause.TOTALS, Clause.AUTOORDER)
            if clause not in loose or level.clause not in loose:
                self._report(lexeme, "out of order")
        if level.clause is not None and clause is not Clause.SELECT:
            self._end_clause(index)
        level.clause, level.since = clause, index + num_words - 1

    def _end_clause(self, index: int) -> None:
        """The clause that ends before `index` is not empty and does not end with a comma."""
        level = self.levels[-1]
        if level.num_cases > 0:
            self._report(self.lexemes[index - 1], "expected `КОНЕЦ`/`END` after this")
            level.num_cases = 0
        if level.clause is None or index == 0:
            return
        last = self.lexemes[index - 1]
        if index - 1 <= level.since and level.clause not in _MAY_BE_EMPTY:
            self._report(last, "nothing follows")
        elif level.clause is Clause.UNION:
            self._report(last, "expected `ВЫБРАТЬ`/`SELECT` after this")
        elif last.text == ",":
            self._report(last, "unexpected before the next part of the query")
        elif last.kind == "operator" and last.text not in ("*",):
            self._report(last, "an operand is missing after this")

    def _read_alias(self, index: int) -> int:
        """`КАК Имя`, from the name on."""
        lexeme = self._lexeme(index)
        if lexeme is None or lexeme.kind not in _NAMES:
            self._report(self.lexemes[index - 1], "expected a name after this")
            return index
        is_type = self.levels[-1].opener is not None and not self.levels[-1].has_select
        if not is_type:  # `ВЫРАЗИТЬ(Поле КАК Число)` names none
            self.reading.aliases.append(QueryName(lexeme.text, lexeme.span))
        return index + 1

    def _read_temporary(self, index: int) -> int:
        """`ПОМЕСТИТЬ Имя`, `УНИЧТОЖИТЬ Имя`."""
        clause, lexeme = self.levels[-1].clause, self._lexeme(index + 1)
        if lexeme is None or lexeme.kind not in ("name", "placeholder", "parameter"):
            self._report(self.lexemes[index], "expected a name after this")
            return index + 1
        into = self.reading.created if clause is Clause.INTO else self.reading.dropped
        into.append(QueryName(lexeme.text, lexeme.span))
        return index + 2

    def _is_source(self, index: int) -> bool:
        """Whether the name is where a table stands."""
        if self.levels[-1].clause is not Clause.FROM:
            return False
        before = self._text(index - 1)
        return before == "," or before in JOIN or index - 1 == self.levels[-1].since

    def _read_table(self, index: int) -> int:
        """`Вид.Имя.Часть` and its alias, if that follows at once; the index after the name."""
        start, parts = self.lexemes[index].span.start, [self.lexemes[index].text]
        while self._text(index + 1) == "." and self._lexeme(index + 2) is not None:
            parts.append(self.lexemes[index + 2].text)
            index += 2
        span = Span(start, self.lexemes[index].span.end)
        after = self._after_brackets(index + 1)
        if self._text(after) in AS:
            after += 1
        alias = self.lexemes[after].text if self._kind(after) == "name" else None
        is_database = len(parts) > 1 and parts[0].lower() in TABLE_KINDS
        self.reading.tables.append(QueryTable(".".join(parts), alias, span, is_database))
        return index + 1

    def _after_brackets(self, index: int) -> int:
        """Index after the parameters of a virtual table."""
        return (
            self.partners.get(index, len(self.lexemes)) + 1 if self._text(index) == "(" else index
        )


def _partners(lexemes: list[Lexeme]) -> dict[int, int]:
    """The closing bracket of each opening one."""
    partners: dict[int, int] = {}
    waiting: list[int] = []
    for index, lexeme in enumerate(lexemes):
        if lexeme.text == "(":
            waiting.append(index)
        elif lexeme.text == ")" and waiting:
            partners[waiting.pop()] = index
    return partners


_NAMING = (Clause.INTO, Clause.DROP)
_NAMES = ("name", "keyword", "placeholder", "operator", "parameter")
_MAY_BE_EMPTY = (Clause.AUTOORDER, Clause.FOR_UPDATE)

"""Words of the 1C query language, Russian and English, and what text in it splits into."""

from __future__ import annotations

import re
from enum import Enum


class Clause(Enum):
    """A part of a query that begins with a word of its own; the value is its place in the order."""

    SELECT = 0
    INTO = 1
    FROM = 2
    WHERE = 3
    GROUP = 4
    HAVING = 5
    FOR_UPDATE = 6
    UNION = 7
    ORDER = 8
    INDEX = 8.5
    TOTALS = 9
    AUTOORDER = 9.5
    DROP = -1


CLAUSES: dict[str, Clause] = {
    **dict.fromkeys(("выбрать", "select"), Clause.SELECT),
    **dict.fromkeys(("поместить", "into"), Clause.INTO),
    **dict.fromkeys(("из", "from"), Clause.FROM),
    **dict.fromkeys(("где", "where"), Clause.WHERE),
    **dict.fromkeys(("имеющие", "having"), Clause.HAVING),
    **dict.fromkeys(("объединить", "union"), Clause.UNION),
    **dict.fromkeys(("итоги", "totals"), Clause.TOTALS),
    **dict.fromkeys(("автоупорядочивание", "autoorder"), Clause.AUTOORDER),
    **dict.fromkeys(("уничтожить", "drop"), Clause.DROP),
}
TWO_WORD_CLAUSES: dict[tuple[str, str], Clause] = {
    **dict.fromkeys((("сгруппировать", "по"), ("group", "by")), Clause.GROUP),
    **dict.fromkeys((("упорядочить", "по"), ("order", "by")), Clause.ORDER),
    **dict.fromkeys((("индексировать", "по"), ("index", "by")), Clause.INDEX),
    **dict.fromkeys((("для", "изменения"), ("for", "update")), Clause.FOR_UPDATE),
}
JOIN = ("соединение", "join")
AS = ("как", "as")
CASE, CASE_END = ("выбор", "case"), ("конец", "end")

TABLE_KINDS = frozenset(
    (
        *("справочник", "catalog", "документ", "document", "журналдокументов", "documentjournal"),
        *("перечисление", "enum", "планвидовхарактеристик", "chartofcharacteristictypes"),
        *("плансчетов", "chartofaccounts", "планвидоврасчета", "chartofcalculationtypes"),
        *("регистрсведений", "informationregister", "регистрнакопления", "accumulationregister"),
        *("регистрбухгалтерии", "accountingregister", "регистррасчета", "calculationregister"),
        *("бизнеспроцесс", "businessprocess", "задача", "task", "планобмена", "exchangeplan"),
        *("последовательность", "sequence", "константа", "constant", "константы", "constants"),
        *("критерийотбора", "filtercriterion", "внешнийисточникданных", "externaldatasource"),
    )
)
"""First words of the names of database tables."""

KEYWORDS = frozenset(
    (
        *CLAUSES,
        *(word for pair in TWO_WORD_CLAUSES for word in pair),
        *(*JOIN, *AS, *CASE, *CASE_END),
        *("разрешенные", "allowed", "различные", "distinct", "первые", "top", "все", "all"),
        *("левое", "left", "правое", "right", "полное", "full", "внутреннее", "inner"),
        *("внешнее", "outer", "по", "on", "by", "когда", "when", "тогда", "then", "иначе", "else"),
        *("между", "between", "есть", "is", "null", "подобно", "like", "спецсимвол", "escape"),
        *("возр", "asc", "убыв", "desc", "иерархия", "иерархии", "hierarchy", "общие", "overall"),
        *("истина", "true", "ложь", "false", "неопределено", "undefined"),
    )
)
OPERATOR_WORDS = frozenset(("и", "and", "или", "or", "не", "not", "в", "in"))

LEXEME = re.compile(
    r"""(?P<blank>\s++|//[^\n]*+)
    |(?P<name>[^\W\d]\w*+)
    |(?P<parameter>&\w++)
    |(?P<number>\d++(?:\.\d*+)?)
    |(?P<string>"(?:[^"]|"")*+")
    |(?P<operator><>|<=|>=|[-+*/=<>])
    |(?P<placeholder>[\#%@$]\w++|\[[^\]\n]*+\]|\{\d++\})
    |(?P<punctuation>[.,();{}])
    |(?P<error>.)""",
    re.VERBOSE | re.DOTALL,
)
"""`%1`, `#Имя`, `[Имя]` and `{0}` are places that a program fills in before it runs the query."""

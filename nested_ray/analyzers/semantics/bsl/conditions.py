"""BSL statements and conditions that contradict themselves."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

from nested_ray.analyzers.findings import Finding, Location, Rule
from nested_ray.analyzers.semantics import rules
from nested_ray.analyzers.semantics.bsl.module import BslModule
from nested_ray.analyzers.semantics.bsl.patterns import any_of, one
from nested_ray.analyzers.semantics.bsl.report import Reporter
from nested_ray.languages.bsl.keywords import Kind

_PATH = b"(" + one(Kind.NAME) + b"(?:" + one(Kind.DOT) + one(Kind.NAME) + b")*+)"
_BLOCK_ENDS = (
    *(Kind.END_IF, Kind.ELSIF, Kind.ELSE, Kind.END_DO, Kind.EXCEPT, Kind.END_TRY),
    *(Kind.END_PROCEDURE, Kind.END_FUNCTION),
)
_STATEMENT_STARTS = (
    *(Kind.SEMICOLON, Kind.THEN, Kind.ELSE, Kind.DO, Kind.TRY, Kind.EXCEPT, Kind.COLON),
    *(Kind.CLOSE, Kind.EXPORT),
)
_SELF_ASSIGNMENT = re.compile(
    b"(?<=" + any_of(*_STATEMENT_STARTS) + b")" + _PATH + one(Kind.EQUAL) + _PATH
    + b"(?=" + any_of(Kind.SEMICOLON, *_BLOCK_ENDS) + b")"
)  # fmt: skip
_SELF_COMPARISON = re.compile(
    b"(?<="
    + any_of(Kind.IF, Kind.ELSIF, Kind.WHILE, Kind.OPEN, Kind.COMMA, Kind.AND_OR, Kind.NOT)
    + b")" + _PATH + any_of(Kind.EQUAL, Kind.OPERATOR) + _PATH
    + b"(?=" + any_of(Kind.THEN, Kind.DO, Kind.CLOSE, Kind.COMMA, Kind.AND_OR) + b")"
)  # fmt: skip
_COMPARES = {"=", "<>", "<", ">", "<=", ">="}
_EMPTY_HANDLER = re.compile(one(Kind.EXCEPT) + one(Kind.END_TRY))
# `Данные = Данные; // СправочникСсылка` tells the development environment a type.
_TYPE_REMARK = re.compile(r"[ \t]*;[ \t]*//")
_BRANCH = re.compile(any_of(Kind.IF, Kind.ELSIF, Kind.END_IF))
_LEFT_BORDERS = frozenset(
    (
        *(Kind.IF, Kind.ELSIF, Kind.WHILE, Kind.RETURN, Kind.COMMA, Kind.OPEN, Kind.OPEN_INDEX),
        *(Kind.AND_OR, Kind.EQUAL, Kind.IN, Kind.TO, Kind.RAISE, Kind.EXECUTE),
        *(Kind.SEMICOLON, Kind.THEN, Kind.ELSE, Kind.DO, Kind.TRY, Kind.EXCEPT),
    )
)
_RIGHT_BORDERS = frozenset(
    (
        *(Kind.THEN, Kind.DO, Kind.SEMICOLON, Kind.COMMA, Kind.CLOSE, Kind.CLOSE_INDEX),
        *(Kind.AND_OR, Kind.TO, *_BLOCK_ENDS),
    )
)
# Calls that answer the same when asked twice.
_PURE = frozenset(
    "значениезаполнено valueisfilled типзнч typeof тип type стрдлина strlen пустаястрока isblankstring "
    "нрег lower врег upper сокрлп trimall сокрл triml сокрп trimr лев left прав right сред mid "
    "стрнайти strfind найти find число number строка string цел int окр round макс max мин min "
    "стрначинаетсяс strstartswith стрзаканчиваетсяна strendswith "
    "свойство property количество count пустая isempty".split()
)
_MAX_CONDITION_TOKENS = 300


def contradictions(report: Reporter, module: BslModule) -> Iterator[Finding]:
    """Self-assignments, self-comparisons, repeated operands and conditions, empty handlers."""
    yield from _same_sides(report, module)
    yield from _repeated_operands(report, module)
    yield from _repeated_conditions(report, module)
    yield from _empty_handlers(report, module)


def _symbol(module: BslModule, token: int) -> str:
    """The method around a token."""
    index = bisect_right(module.methods, token, key=lambda method: method.token) - 1
    inside = index >= 0 and token < module.methods[index].end
    return module.methods[index].name if inside else ""


def _report(
    report: Reporter,
    module: BslModule,
    rule: Rule,
    tokens: tuple[int, int],
    message: str,
    *,
    confidence: float = 0.95,
    first: tuple[int, int] | None = None,
) -> Finding:
    """`tokens`, `first`: first and last token of the place and of what it repeats."""
    related = () if first is None else (Location(report.path, module.span(*first), "first here"),)
    return report.finding(
        rule,
        module.span(*tokens),
        message,
        confidence=confidence,
        related=related,
        symbol=_symbol(module, tokens[0]),
    )


def _same_sides(report: Reporter, module: BslModule) -> Iterator[Finding]:
    for match in _SELF_ASSIGNMENT.finditer(module.kinds):
        (start, middle), (right, end) = match.span(1), match.span(2)
        if module.words[start:middle] == module.words[right:end]:
            if _TYPE_REMARK.match(module.tokens.text, module.span(end - 1).end):
                continue
            text = f"`{module.source(start, middle - 1)}` is assigned to itself"
            # A property may do something when it is set.
            sure = 0.95 if middle == start + 1 and not report.has_attributes else 0.8
            places = (start, end - 1)
            yield _report(report, module, rules.SELF_ASSIGNMENT, places, text, confidence=sure)
    for match in _SELF_COMPARISON.finditer(module.kinds):
        (start, middle), (right, end) = match.span(1), match.span(2)
        if module.words[middle] not in _COMPARES:
            continue
        if module.words[start:middle] == module.words[right:end]:
            text = f"`{module.source(start, middle - 1)}` is compared with itself"
            yield _report(report, module, rules.SELF_COMPARISON, (start, end - 1), text)


def _is_pure(module: BslModule, start: int, end: int) -> bool:
    """Whether an expression gives the same value when it is computed again."""
    if end - start > _MAX_CONDITION_TOKENS:
        return False
    kinds = module.kinds
    if any(kinds.find(kind, start, end) >= 0 for kind in (Kind.NEW, Kind.AWAIT, Kind.QUESTION)):
        return False
    index = kinds.find(Kind.OPEN, start, end)
    while index >= 0:
        is_call = index > start and kinds[index - 1] == Kind.NAME
        if is_call and module.words[index - 1] not in _PURE:
            return False
        index = kinds.find(Kind.OPEN, index + 1, end)
    return True


def _repeated_operands(report: Reporter, module: BslModule) -> Iterator[Finding]:
    kinds = module.kinds
    done = -1  # the last operator that was read
    index = kinds.find(Kind.AND_OR)
    seen: set[int] = set()
    while index >= 0:
        if index not in seen:
            operands, operators = _chain(module, index)
            seen.update(operators)
            yield from _repetitions(report, module, operands, operators)
        done = index
        index = kinds.find(Kind.AND_OR, done + 1)


def _chain(module: BslModule, operator: int) -> tuple[list[tuple[int, int]], list[int]]:
    """The operands (start, end) around and-ors of one bracket level, from the leftmost on."""
    kinds, brackets, closing = module.kinds, module.arguments, module.opening
    start = operator
    while start > 0 and kinds[start - 1] not in _LEFT_BORDERS:
        start = closing.get(start - 1, start - 1)
    # `А = Б И В` assigns; `Если А = Б И В` compares.
    before = kinds[start - 1] if start else 0
    if before == Kind.EQUAL:
        start = _before_comparison(module, start)
    operands, operators = [(start, operator)], [operator]
    while True:
        end = operators[-1] + 1
        while end < len(kinds) and kinds[end] not in _RIGHT_BORDERS:
            end = brackets[end].close + 1 if end in brackets else end + 1
        operands.append((operators[-1] + 1, end))
        if end >= len(kinds) or kinds[end] != Kind.AND_OR:
            return operands, operators
        operators.append(end)


def _before_comparison(module: BslModule, start: int) -> int:
    """The start of the whole operand when the `=` before `start` compares."""
    kinds, closing = module.kinds, module.opening
    left = start - 1
    while left > 0 and kinds[left - 1] not in _LEFT_BORDERS:
        left = closing.get(left - 1, left - 1)
    before = kinds[left - 1] if left else int(Kind.SEMICOLON)
    assigns = before in _STATEMENT_STARTS and before not in (Kind.CLOSE,)
    return start if assigns or before == Kind.EQUAL else left


def _repetitions(
    report: Reporter, module: BslModule, operands: list[tuple[int, int]], operators: list[int]
) -> Iterator[Finding]:
    """Operands that stand twice between the same operators; `И` binds closer than `ИЛИ`."""
    groups: list[list[tuple[int, int]]] = [[operands[0]]]
    for operator, operand in zip(operators, operands[1:], strict=True):
        if module.words[operator] in ("и", "and"):
            groups[-1].append(operand)
        else:
            groups.append([operand])
    for group in groups:
        yield from _duplicates(report, module, group, "И")
    whole = [(group[0][0], group[-1][1]) for group in groups]
    yield from _duplicates(report, module, whole, "ИЛИ")


def _duplicates(
    report: Reporter, module: BslModule, operands: list[tuple[int, int]], word: str
) -> Iterator[Finding]:
    if len(operands) < 2:
        return
    seen: dict[tuple[str, ...], tuple[int, int]] = {}
    for start, end in operands:
        if start >= end or not _is_pure(module, start, end):
            continue
        first = seen.setdefault(module.key(start, end), (start, end - 1))
        if first[0] != start:
            text = f"`{module.source(start, end - 1)}` stands twice in this `{word}`"
            place = (start, end - 1)
            yield _report(report, module, rules.REPEATED_OPERAND, place, text, first=first)


def _repeated_conditions(report: Reporter, module: BslModule) -> Iterator[Finding]:
    kinds = module.kinds
    if not module.is_plain or kinds.find(Kind.ELSIF) < 0:
        return
    chains: list[dict[tuple[str, ...], tuple[int, int]]] = []
    for match in _BRANCH.finditer(kinds):
        index, kind = match.start(), kinds[match.start()]
        if kind == Kind.END_IF:
            if chains:
                chains.pop()
            continue
        if kind == Kind.IF:
            chains.append({})
        end = kinds.find(Kind.THEN, index)
        if end < 0 or not chains or not _is_pure(module, index + 1, end):
            continue
        place = (index + 1, end - 1)
        first = chains[-1].setdefault(module.key(index + 1, end), place)
        # A preprocessor condition between two branches makes two statements of one.
        if first != place and not module.conditions_between(first[0], index):
            text = f"This branch is never taken: `{module.source(*place)}` was asked before"
            yield _report(report, module, rules.REPEATED_CONDITION, place, text, first=first)


def _empty_handlers(report: Reporter, module: BslModule) -> Iterator[Finding]:
    for match in _EMPTY_HANDLER.finditer(module.kinds):
        index = match.start()
        between = module.source(index, index + 1)
        if "//" not in between and "#" not in between:
            text = "The exception is caught and nothing is done about it"
            yield _report(report, module, rules.EMPTY_HANDLER, (index, index), text)

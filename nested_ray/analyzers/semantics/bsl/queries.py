"""Queries whose parameters are certainly not all set."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nested_ray.analyzers.findings import Finding
from nested_ray.analyzers.semantics import rules
from nested_ray.analyzers.semantics.bsl.methods import Method
from nested_ray.analyzers.semantics.bsl.module import BslModule
from nested_ray.analyzers.semantics.bsl.names import Names
from nested_ray.analyzers.semantics.bsl.patterns import any_of, one
from nested_ray.analyzers.semantics.bsl.report import Reporter
from nested_ray.languages.bsl.keywords import Kind

_TEXT = {"текст", "text"}
_SET = {"установитьпараметр", "setparameter"}
_RUN = {"выполнить", "execute", "выполнитьпакет", "executebatch"}
_HARMLESS = {
    *("менеджервременныхтаблиц", "temptablesmanager"),
    *("выполнитьпакетспромежуточнымиданными", "executebatchwithintermediatedata"),
}
_NEW_QUERY = re.compile(
    one(Kind.NAME) + one(Kind.EQUAL) + one(Kind.NEW) + one(Kind.NAME)
    + b"(?:" + one(Kind.OPEN) + one(Kind.STRING) + b"?" + one(Kind.CLOSE) + b")?"
    + one(Kind.SEMICOLON)
)  # fmt: skip
_USE = re.compile(one(Kind.NAME) + any_of(*(Kind(kind) for kind in Kind if kind)) + b"?", re.DOTALL)
_PARAMETER = re.compile(r"&([^\W\d]\w*)")
_COMMENT = re.compile(r"//[^\n]*")
_LITERAL_IN_QUERY = re.compile(r'""(?:[^"]|"""")*""')


def query_findings(
    report: Reporter, module: BslModule, method: Method, names: Names
) -> Iterator[Finding]:
    """Queries made, filled and run inside one method, whose text is one literal."""
    if names.runs_text:
        return
    kinds, words = module.kinds, module.words
    for match in _NEW_QUERY.finditer(kinds, method.body, method.end):
        index = match.start()
        if words[index + 3] not in ("запрос", "query") or kinds[index - 1] == Kind.DOT:
            continue
        name = words[index]
        if len(names.written.get(name, ())) != 1 or name in module.module_variables:
            continue
        literal = next((i for i in range(*match.span()) if kinds[i] == Kind.STRING), None)
        missing, run = _missing(module, method, name, index, literal)
        if missing and run is not None:
            listed = ", ".join(f"`&{each}`" for each in missing)
            yield report.finding(
                rules.QUERY_PARAMETER,
                module.span(run),
                f"The query is run without a value for {listed}",
                confidence=0.95,
                witness=f"`{module.spelling(index)}` does not leave `{method.name}`, which sets no such "
                "parameter",
                symbol=method.name,
            )


def _missing(
    module: BslModule, method: Method, name: str, made: int, literal: int | None
) -> tuple[list[str], int | None]:
    """Parameters of the text that nothing sets, and where the query is run first.

    None of them when the query is used in a way that could set them elsewhere.
    """
    kinds, words = module.kinds, module.words
    texts = [literal] if literal is not None else []
    given: set[str] = set()
    run: int | None = None
    index = kinds.find(Kind.NAME, made + 1, method.end)
    while index >= 0:
        if words[index] == name and kinds[index - 1] != Kind.DOT and kinds[index + 1] != Kind.OPEN:
            use = words[index + 2] if kinds[index + 1] == Kind.DOT else ""
            if use in _SET and kinds[index + 3 : index + 5] == bytes((Kind.OPEN, Kind.STRING)):
                given.add(words[index + 4].strip('"'))
            elif use in _RUN:
                run = run if run is not None else index + 2
            elif use in _TEXT and _is_literal(module, index):
                texts.append(index + 4)
            elif use not in _HARMLESS:
                return [], None
        index = kinds.find(Kind.NAME, index + 1, method.end)
    if len(texts) != 1:
        return [], None
    asked = _parameters(module.spelling(texts[0]))
    return [each for each in asked if each.lower() not in given], run


def _is_literal(module: BslModule, index: int) -> bool:
    """`Запрос.Текст = "…";`"""
    pattern = bytes((Kind.EQUAL, Kind.STRING, Kind.SEMICOLON))
    return module.kinds[index + 3 : index + 6] == pattern


def _parameters(literal: str) -> list[str]:
    """Names behind `&` in a query, in order, each once."""
    text = _COMMENT.sub("", _LITERAL_IN_QUERY.sub("", literal[1:-1]))
    return list({name.lower(): name for name in _PARAMETER.findall(text)}.values())

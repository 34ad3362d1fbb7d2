"""Every rule of every analyzer, and the page that lists them: `python -m nested_ray.analyzers.rules`."""

from __future__ import annotations

from collections.abc import Iterator

from nested_ray.analyzers.architecture.rules import RULES as ARCHITECTURE_RULES
from nested_ray.analyzers.findings import Rule
from nested_ray.analyzers.semantics.rules import RULES as SEMANTICS_RULES
from nested_ray.analyzers.syntax.rules import RULES as SYNTAX_RULES

ALL_RULES: tuple[Rule, ...] = (*SYNTAX_RULES, *SEMANTICS_RULES, *ARCHITECTURE_RULES)
"""In the order of the levels."""

_HEADER = """\
# Rules

What the analyzers find without a model. `severity` is what a finding has unless its message says otherwise; a
rule's id never changes, so suppressions and baselines may rest on it. This page is written by
`python -m nested_ray.analyzers.rules > docs/rules.md` and a test keeps it so.
"""
_LANGUAGE_NAMES = {"python": "Python", "bsl": "BSL"}


def get_rule(rule_id: str) -> Rule:
    """The rule of that id; ValueError when there is none."""
    for rule in ALL_RULES:
        if rule.id == rule_id:
            return rule
    raise ValueError(f"no rule is called {rule_id!r}; docs/rules.md lists them")


def rules_page() -> str:
    """The page in Markdown: a table a level, then what to do about each rule."""
    lines = [_HEADER]
    for level in dict.fromkeys(rule.level for rule in ALL_RULES):
        chosen = [rule for rule in ALL_RULES if rule.level == level]
        lines += [f"## {level.capitalize()}", "", *_table(chosen), ""]
        for rule in chosen:
            lines += [f"### {rule.id}", "", rule.summary, "", rule.help, ""]
    return "\n".join(lines).rstrip() + "\n"


def _table(rules: list[Rule]) -> Iterator[str]:
    yield "| rule | severity | languages | finds |"
    yield "|---|---|---|---|"
    for rule in rules:
        names = ", ".join(_LANGUAGE_NAMES.get(name, name) for name in rule.languages) or "all"
        summary = rule.summary.replace("|", "\\|")
        yield f"| `{rule.id}` | {rule.severity.label} | {names} | {summary} |"


if __name__ == "__main__":
    print(rules_page(), end="")

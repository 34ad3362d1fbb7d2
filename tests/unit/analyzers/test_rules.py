"""Every rule is told in docs/rules.md, once, in a form that SARIF and people can use."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nested_ray.analyzers.findings import Rule
from nested_ray.analyzers.rules import ALL_RULES, get_rule, rules_page
from nested_ray.languages import LANGUAGES

PAGE = Path(__file__).parents[3] / "docs" / "rules.md"


def test_the_page_is_what_the_rules_say() -> None:
    assert PAGE.read_text("utf-8") == rules_page(), (
        "run: python -m nested_ray.analyzers.rules > docs/rules.md"
    )


def test_ids_are_unique_and_belong_to_a_level() -> None:
    ids = [rule.id for rule in ALL_RULES]
    assert len(ids) == len(set(ids))
    for rule_id in ids:
        assert re.fullmatch(r"(syntax|semantics|architecture)/[a-z]+(-[a-z]+)*", rule_id)
        assert get_rule(rule_id).id == rule_id
    with pytest.raises(ValueError, match="no rule is called"):
        get_rule("semantics/none")


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.id)
def test_a_rule_says_what_and_why(rule: Rule) -> None:
    assert rule.summary.endswith(".") and rule.help.endswith((".", ")"))
    assert set(rule.languages) <= {language.name for language in LANGUAGES}

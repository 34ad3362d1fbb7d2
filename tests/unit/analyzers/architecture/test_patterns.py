"""Design patterns: the samples that are kept, and the evidence."""

from __future__ import annotations

from pathlib import Path

import pytest

from nested_ray.analyzers.architecture.patterns import find_patterns
from nested_ray.evals.pattern_samples import read_samples, score_patterns

SAMPLES = Path(__file__).parents[3] / "data" / "patterns"


@pytest.mark.parametrize("language", ["python", "bsl"])
def test_the_samples_it_was_built_with_are_recognised(language):
    scores = score_patterns(read_samples((SAMPLES / f"{language}_dev.txt").read_text("utf-8")))
    assert [each for each in scores if each.num_wrong or each.num_missed] == []
    assert sum(each.num_right for each in scores) >= 9


@pytest.mark.parametrize("language", ["python", "bsl"])
def test_held_out_samples_are_recognised(language):
    scores = score_patterns(read_samples((SAMPLES / f"{language}_heldout.txt").read_text("utf-8")))
    right = sum(each.num_right for each in scores)
    assert right / (right + sum(each.num_wrong for each in scores)) >= 0.95
    assert right / (right + sum(each.num_missed for each in scores)) >= 0.95


def test_evidence_leads_to_the_lines(structure_of):
    text = "class Bus:\n    def on(self, fn):\n        self.all.append(fn)\n\n    def emit(self):\n        for fn in self.all:\n            fn()\n"
    (match,) = find_patterns(structure_of({"bus.py": text}))
    assert (match.pattern, match.symbol, match.path) == ("observer", "Bus", "bus.py")
    shown = [text[place.span.start : place.span.end] for place in match.evidence]
    assert shown == ["class Bus:", "def on(self, fn):", "fn()"]


def test_text_that_does_not_parse_has_no_pattern(structure_of):
    assert find_patterns(structure_of({"a.py": "class A(\n", "b.py": "-" * 50_000 + "1"})) == []


@pytest.mark.parametrize(
    "deep",
    [
        "cls" + ".a" * 2_500 + "()",
        "x: Optional[" * 150 + "int" + "]" * 150,
        "+".join(["1"] * 900),
        "if x is None:\n            pass\n        " * 400,
    ],
)
def test_deep_code_has_patterns_in_bounded_depth(structure_of, deep):
    text = f"class A:\n    def get(cls):\n        if cls.it is None:\n            cls.it = cls()\n        {deep}\n"
    assert {m.pattern for m in find_patterns(structure_of({"a.py": text}))} <= {"singleton"}

from __future__ import annotations

import pytest

from nested_ray.inference.base import Prompt, SamplingParams, TokenLogprob
from nested_ray.languages import get_language
from nested_ray.routing import Completion, Verifier
from nested_ray.routing.base import Choice, Reason, Shortcoming
from nested_ray.routing.verify import parses_in_place, rank, shortcoming


def parses(
    prefix: str,
    text: str,
    suffix: str = "",
    *,
    finish: str = "stop",
    stop: tuple[str, ...] = (),
    language: str = "python",
) -> bool | None:
    completion = Completion(text, (), finish)  # type: ignore[arg-type]
    prompt = Prompt(prefix, suffix, language=language)
    return parses_in_place(get_language(language), prompt, SamplingParams(stop=stop), completion)


@pytest.mark.parametrize(
    ("prefix", "text", "expected"),
    [
        ("def f():\n    ", "return 1", True),
        ("def f():\n    ", "return (1", True),  # a bracket may still be closed
        ("x = (1", "]", False),
        ("x = ", ")", False),
        ("x = )\n", "y = 1", None),  # broken before the answer came
    ],
)
def test_without_a_suffix_the_answer_must_leave_a_beginning_of_a_file(prefix, text, expected):
    assert parses(prefix, text) is expected


def test_where_the_model_ended_the_line_the_line_must_be_whole():
    assert parses("", "if x", stop=("\n",)) is False
    assert parses("", "if x:", stop=("\n",)) is True
    # cut by max_tokens, or stopped before something that is no line end, it may go on
    assert parses("", "if x", stop=("\n",), finish="length") is True
    assert parses("", "if x", stop=(":",)) is True


@pytest.mark.parametrize(
    ("prefix", "text", "suffix", "expected"),
    [
        ("def f(a):\n    return ", "a + 1", "\n\nprint(f(2))\n", True),
        ("def f(a):\n    return ", "a +", "\n\nprint(f(2))\n", False),
        ("x = ", "1", "\ny = 2\n", True),  # the hole made it unparseable, the answer repairs it
        ("x = ", "1 +", "\ny = 2\n", None),  # unparseable before and after: nothing is shown
        ("x = ", ")", "\ny = 2\n", False),  # the beginning alone is broken now
        ("foo(", "a, b", ")\n", True),
    ],
)
def test_with_a_suffix_the_whole_file_decides(prefix, text, suffix, expected):
    assert parses(prefix, text, suffix) is expected


def test_a_cut_answer_is_judged_by_its_whole_lines():
    before, after = "def f(a):\n    pass\n", "\nprint(f(2))\n"
    assert parses(before, "y = f(", after, finish="length") is None
    assert parses(before, "y = f(1)\nz = f(", after, finish="length") is None
    assert parses(before, "y = f(1)\nif:\nz = f(", after, finish="length") is False
    assert parses(before, "y = f(", after, finish="stop") is False


def test_bsl_is_judged_by_its_own_grammar():
    prefix = "Процедура Посчитать()\n"
    assert parses(prefix, "\tА = 1;", language="bsl") is True
    assert parses(prefix, "КонецФункции", language="bsl") is False


def test_an_unknown_language_is_judged_by_confidence_alone():
    token = TokenLogprob(1, "x", -0.5)
    choice = Verifier().judge(
        "syntax",
        Prompt("(((", language="cobol"),
        SamplingParams(),
        Completion("]", (token,), "stop"),
    )
    assert choice.parses is None
    assert choice.confidence == pytest.approx(0.60653066)  # exp(-0.5)


def test_an_answer_is_ranked_by_syntax_first_and_confidence_second():
    def choice(parses: bool | None, confidence: float) -> Choice:
        return Choice(Completion("", (), "stop"), "syntax", confidence, parses)

    broken, unknown, sound = choice(False, 0.9), choice(None, 0.4), choice(True, 0.3)
    assert sorted((broken, unknown, sound), key=rank) == [broken, sound, unknown]
    assert shortcoming(unknown, 0.4) is None
    assert shortcoming(sound, 0.4) == Shortcoming(Reason.UNSURE, "confidence 0.30 is under 0.40")
    assert shortcoming(broken, 0.4) == Shortcoming(Reason.BROKEN, "it does not parse in place")

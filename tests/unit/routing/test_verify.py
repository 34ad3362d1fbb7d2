from __future__ import annotations

import pytest

from nested_ray.inference.base import FinishReason, Prompt, SamplingParams, TokenLogprob
from nested_ray.routing import Completion, Verifier
from nested_ray.routing.base import Choice, Filtered, Reason, Shortcoming
from nested_ray.routing.verify import rank, shortcoming


def judged(
    prefix: str,
    text: str,
    suffix: str = "",
    *,
    finish: str = "stop",
    stop: tuple[str, ...] = (),
    language: str = "python",
) -> Choice:
    tokens = tuple(TokenLogprob(1, letter, -0.1) for letter in text)
    completion = Completion(text, tokens, finish)  # type: ignore[arg-type]
    prompt = Prompt(prefix, suffix, language=language)
    return Verifier().judge("syntax", prompt, SamplingParams(stop=stop), completion)


def outcome(prefix: str, text: str, suffix: str = "", **fields: object) -> tuple[object, ...]:
    choice = judged(prefix, text, suffix, **fields)  # type: ignore[arg-type]
    return choice.completion.text, choice.parses, choice.filtered


@pytest.mark.parametrize(
    ("prefix", "text", "expected"),
    [
        ("def f():\n    ", "return 1", ("return 1", True, None)),
        ("def f():\n    ", "return (1", ("return (1", True, None)),  # may still be closed
        ("x = (1", "]", ("", True, "refused")),
        ("x = ", ")", ("", True, "refused")),
        ("x = ", "a )", ("a", True, "trimmed")),
        ("x = ", "1\ny = 2\nz = = 3\n", ("1\ny = 2\n", True, "trimmed")),
        ("x = )\n", "y = 1", ("y = 1", None, None)),  # broken before the answer came
    ],
)
def test_without_a_suffix_the_answer_must_leave_a_beginning_of_a_file(prefix, text, expected):
    assert outcome(prefix, text) == expected


def test_where_the_model_ended_the_line_the_line_must_be_whole():
    assert outcome("", "if x", stop=("\n",)) == ("if x", True, "trimmed")  # not with its line end
    assert outcome("", "if x:", stop=("\n",)) == ("if x:", True, None)
    # cut by max_tokens, or stopped before something that is no line end, it may go on
    assert outcome("", "if x", stop=("\n",), finish="length") == ("if x", True, None)
    assert outcome("", "if x", stop=(":",)) == ("if x", True, None)


@pytest.mark.parametrize(
    ("prefix", "text", "suffix", "expected"),
    [
        ("def f(a):\n    return ", "a + 1", "\n\nprint(f(2))\n", ("a + 1", True, None)),
        ("def f(a):\n    return ", "a +", "\n\nprint(f(2))\n", ("a", True, "trimmed")),
        ("def f(a):\n    return ", ")", "\n\nprint(f(2))\n", ("", True, "refused")),
        ("x = ", "1", "\ny = 2\n", ("1", True, None)),  # the hole made it unparseable
        ("x = ", "1 +", "\ny = 2\n", ("1 +", None, None)),  # so it stays: nothing is shown
        ("x = ", ")", "\ny = 2\n", ("", None, "refused")),  # the beginning alone is broken now
        ("foo(", "a, b", ")\n", ("a, b", True, None)),
        ("x = 1", "\ny = 2\n)", " + z\n", ("\ny = 2", True, "trimmed")),
    ],
)
def test_with_a_suffix_the_whole_file_decides(prefix, text, suffix, expected):
    assert outcome(prefix, text, suffix) == expected


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("y = f(", "y = f"),  # no whole line, so whole tokens
        ("y = f(1)\nz = f(", "y = f(1)\n"),
        ("if y:\n    f(1)\nelse:\n    f(", "if y:\n    f(1)\n"),
        ("y = f(1)\nif:\nz = f(", "y = f(1)\n"),
        ("\n(", ""),
    ],
)
def test_an_answer_that_ran_out_of_tokens_is_cut_back_to_what_fits(text, kept):
    choice = judged("def f(a):\n    pass\n", text, "\nprint(f(2))\n", finish="length")
    assert choice.completion.text == kept
    assert "".join(token.text for token in choice.completion.tokens) == kept
    assert choice.is_broken == (kept == "")  # running out of tokens is no fault of the answer


def test_bsl_is_judged_by_its_own_grammar():
    prefix = "Процедура Посчитать()\n"
    assert outcome(prefix, "\tА = 1;", language="bsl") == ("\tА = 1;", True, None)
    assert outcome(prefix, "КонецФункции", language="bsl")[2] == "trimmed"
    assert outcome(prefix, "КонецФункции ", language="bsl", finish="length")[0] == "КонецФункции"


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
    def choice(filtered: Filtered | None, finish: FinishReason, confidence: float) -> Choice:
        return Choice(Completion("x", (), finish), "syntax", confidence, True, filtered)

    refused, trimmed = choice("refused", "length", 0.9), choice("trimmed", "stop", 0.8)
    cut_off, sound = choice("trimmed", "length", 0.4), choice(None, "stop", 0.3)
    assert sorted((refused, trimmed, cut_off, sound), key=rank) == [
        refused,
        trimmed,
        sound,
        cut_off,
    ]
    assert shortcoming(cut_off, 0.4) is None
    assert shortcoming(sound, 0.4) == Shortcoming(Reason.UNSURE, "confidence 0.30 is under 0.40")
    for broken in (refused, trimmed):
        assert shortcoming(broken, 0.4) == Shortcoming(Reason.BROKEN, "it does not parse in place")

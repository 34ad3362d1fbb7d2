"""No answer breaks the syntax of a file that parsed before it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nested_ray.config.routing import RoutingConfig
from nested_ray.inference.base import FinishReason, Prompt, SamplingParams, TokenLogprob
from nested_ray.languages import Validity, get_language
from nested_ray.routing import Ask, Completion, Router, Verifier
from nested_ray.routing.base import StreamPart

from .conftest import LEVELS, ScriptedLevel, arm

DATA = Path(__file__).parents[2] / "data"
PYTHON = '''"""Orders."""
from __future__ import annotations

import json


class Order:
    """One order."""

    lines: list[int] = [1, 2]

    def total(self, *, rate: float = 0.2) -> float:
        text = """
left
"""
        if self.lines and text:
            return sum(line * (1 + rate) for line in self.lines)
        return 0.0


@staticmethod
def load(path):
    try:
        with open(path) as file:
            return json.load(file)
    except OSError as error:
        raise ValueError(f"{path!r} {error}") from error


print(load("a"))
'''
FILES = [("python", PYTHON)] + [
    ("bsl", path.read_text(encoding="utf-8")) for path in sorted((DATA / "bsl/valid").glob("*.bsl"))
]
WORDS = {
    "python": "x = 1\n|if x:\n    y(2)\n|else:\n|)|(|[|\\|\n|\n    |\n        |return |def f():\n"
    '|\'|"""|#|pass\n|global x\n|from __future__ import x\n|:|,|x|f\'{|@|\0|class A:\n',
    "bsl": 'А = 1;\n|Если А Тогда\n|КонецЕсли;\n|Иначе\n|)|(|"|\n|;|Возврат |Процедура П()\n'
    "|КонецПроцедуры\n|КонецФункции|#Если Сервер Тогда\n|#КонецЕсли\n|//|\t|Б|.|'|&НаСервере\n||\0",
}


@st.composite
def answers(draw: st.DrawFn) -> tuple[Prompt, str, FinishReason]:
    """A sound file, a place in it, and something that a model might say there."""
    language, text = draw(st.sampled_from(FILES))
    start = draw(st.integers(0, len(text)))
    copied = draw(st.integers(0, len(text)))
    parts = st.one_of(
        st.sampled_from(WORDS[language].split("|")),
        st.just(text[copied : copied + draw(st.integers(0, 80))]),
        st.text(max_size=3),
    )
    answer = "".join(draw(st.lists(parts, max_size=6)))
    suffix = draw(st.sampled_from([text[start:], ""]))
    prompt = Prompt(text[:start], suffix, language=language)
    return prompt, answer, draw(st.sampled_from(["stop", "length"]))


@given(answers())
@settings(max_examples=250, deadline=None)
def test_a_file_that_parsed_parses_with_what_is_returned(asked) -> None:
    prompt, text, finish = asked
    choice = judge(prompt, text, finish)
    kept = choice.completion.text
    assert text.startswith(kept)
    assert (choice.filtered == "refused") == (kept == "" and choice.filtered is not None)
    language = get_language(prompt.language)
    if prompt.suffix:
        assert language.check(prompt.prefix + kept + prompt.suffix) is None
    else:
        assert language.check_prefix(prompt.prefix + kept) is not Validity.INVALID
    assert choice.parses is True


@given(answers())
@settings(max_examples=80, deadline=None)
def test_an_answer_that_fits_is_returned_as_it_is(asked) -> None:
    prompt, text, finish = asked
    language = get_language(prompt.language)
    if prompt.suffix and language.check(prompt.prefix + text + prompt.suffix) is None:
        choice = judge(prompt, text, finish)
        assert (choice.completion.text, choice.filtered) == (text, None)


@given(answers())
@settings(max_examples=60, deadline=None)
def test_what_is_streamed_is_what_was_judged(asked) -> None:
    prompt, text, _ = asked
    levels = {name: ScriptedLevel(text=text) for name in LEVELS}
    router = Router([arm()], levels, RoutingConfig(cache_ttl_s=0), Verifier())
    parts = asyncio.run(stream(router, Ask(prompt, SamplingParams(), model="semantics")))
    sent = ""
    for part in parts[:-1]:  # whoever stops listening here is left with a sound file
        sent += part.text
        assert judge(prompt, sent, "length").filtered is None
    assert sent + parts[-1].text == judge(prompt, text, "stop").completion.text


@pytest.mark.parametrize("language", ["python", "bsl"])
def test_the_files_parse(language: str) -> None:
    assert [
        text for name, text in FILES if name == language and get_language(name).check(text)
    ] == []


def judge(prompt: Prompt, text: str, finish: FinishReason):
    completion = Completion(text, (TokenLogprob(1, text, -0.1),), finish)
    return Verifier().judge("syntax", prompt, SamplingParams(), completion)


async def stream(router: Router, ask: Ask) -> list[StreamPart]:
    return [part async for part in router.stream(ask) if isinstance(part, StreamPart)]

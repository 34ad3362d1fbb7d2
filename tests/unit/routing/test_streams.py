from __future__ import annotations

import pytest

from nested_ray.inference.base import TokenLogprob, Usage
from nested_ray.routing import Answer, Choice, Completion
from nested_ray.routing.base import Latency
from nested_ray.routing.streams import Collected, replay


def answer_of(text: str, tokens: list[str]) -> Answer:
    logprobs = tuple(TokenLogprob(i, token, -0.5) for i, token in enumerate(tokens))
    choice = Choice(Completion(text, logprobs, "stop"), "syntax", 0.6, True)
    return Answer(
        choices=(choice,),
        action="cascade",
        level="syntax",
        level_contributions={"syntax": 1.0},
        confidence=0.6,
        usage=Usage(1, len(tokens)),
        latency=Latency(),
        versions={},
        arm=None,
    )


@pytest.mark.parametrize(
    ("text", "tokens", "expected"),
    [
        ("a\nb\nc", ["a\n", "b\n", "c"], [["a\n"], ["b\n"], ["c"]]),
        ("a\nb\nc", ["a", "\nb", "\nc"], [["a"], ["\nb"], ["\nc"]]),
        ("a\nb", ["a", "\n", "b", "stop"], [["a", "\n"], ["b", "stop"]]),
        ("", ["stop"], [["stop"]]),
        ("", [], [[]]),
    ],
)
def test_a_token_is_replayed_with_the_line_it_ends_in(text, tokens, expected):
    answer = answer_of(text, tokens)
    parts = list(replay(answer))
    assert [[token.text for token in part.tokens] for part in parts] == expected
    collected = Collected()
    for part in parts:
        collected.add(part)
    assert collected.answer().completions == (answer.choices[0].completion,)

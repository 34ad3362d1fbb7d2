"""Between parts and whole answers: gather what a level streams, replay what was decided before."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate

from nested_ray.inference.base import FinishReason, TokenLogprob, Usage
from nested_ray.routing.base import Answer, Completion, LevelAnswer, StreamPart


class Collected:
    """The parts of one completion, put together."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._tokens: list[TokenLogprob] = []
        self._finish_reason: FinishReason = "stop"
        self._usage = Usage(0, 0)
        self._engine_ms = 0.0
        self.is_empty = True

    def add(self, part: StreamPart) -> None:
        self.is_empty = False
        self._texts.append(part.text)
        self._tokens.extend(part.tokens)
        self._finish_reason = part.finish_reason or self._finish_reason
        self._usage = part.usage or self._usage
        self._engine_ms = part.engine_ms

    def answer(self) -> LevelAnswer:
        completion = Completion("".join(self._texts), tuple(self._tokens), self._finish_reason)
        return LevelAnswer((completion,), self._usage, self._engine_ms)


def replay(answer: Answer) -> Iterator[StreamPart]:
    """One part per line of every choice, in the order of the choices; a token comes with the line it ends in."""
    for index, choice in enumerate(answer.choices):
        completion = choice.completion
        lines = completion.text.splitlines(keepends=True) or [""]
        ends = list(accumulate(len(token.text) for token in completion.tokens))
        num_chars = num_tokens = 0
        for line in lines[:-1]:
            num_chars += len(line)
            upto = bisect_right(ends, num_chars)
            yield StreamPart(line, completion.tokens[num_tokens:upto], index=index)
            num_tokens = upto
        rest = completion.tokens[num_tokens:]
        yield StreamPart(lines[-1], rest, completion.finish_reason, index=index, choice=choice)

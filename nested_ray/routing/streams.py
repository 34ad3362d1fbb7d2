"""Between parts and whole answers: gather what a level streams, hold back what does not fit, replay what was decided."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate

from nested_ray.inference.base import FinishReason, TokenLogprob, Usage
from nested_ray.routing.base import Answer, Choice, Completion, LevelAnswer, StreamPart
from nested_ray.routing.gap import Gap, State


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


class Gate:
    """Lets whole lines of a stream through once the file is sound with them, so that nothing is taken back.

    A line that opens a block fits only with those behind it, and waits for them. Where nothing can
    be held against an answer every part passes as it comes.
    """

    def __init__(self, gap: Gap | None) -> None:
        self._gap = gap
        self._text = ""
        self._tokens: list[TokenLogprob] = []
        self._num_tokens = 0
        self._num_token_chars = 0
        self._is_shut = False
        self.holds_back = False
        """Whether parts pass only after a check, and the last one comes from `rest`."""
        self.has_passed = False
        self.num_chars = 0
        """How much of the text has passed."""

    def take(self, part: StreamPart) -> StreamPart | None:
        """What may be passed on now that this part has come."""
        gap = self._gap
        if gap is None or gap.state is State.LOST:
            self.has_passed = True
            return part
        self.holds_back = True
        self._text += part.text
        self._tokens.extend(part.tokens)
        end = self._text.rfind("\n") + 1
        lines = self._text[:end]
        # Of empty lines alone nothing would be kept, should the rest not fit.
        if "\n" not in part.text or self._is_shut or not lines.strip():
            return None
        if not gap.fits(lines):
            self._is_shut = gap.is_hopeless(lines)
            return None
        passed = StreamPart(self._text[self.num_chars : end], self._tokens_until(end))
        self.num_chars, self.has_passed = end, True
        return replace(passed, engine_ms=part.engine_ms)

    def rest(self, choice: Choice, usage: Usage) -> StreamPart:
        """What is left of the judged choice, as the last part."""
        completion = choice.completion
        return StreamPart(
            completion.text[self.num_chars :],
            completion.tokens[self._num_tokens :],
            completion.finish_reason,
            usage,
            choice=choice,
        )

    def _tokens_until(self, end: int) -> tuple[TokenLogprob, ...]:
        first = self._num_tokens
        while self._num_tokens < len(self._tokens):
            following = self._num_token_chars + len(self._tokens[self._num_tokens].text)
            if following > end:
                break
            self._num_tokens, self._num_token_chars = self._num_tokens + 1, following
        return tuple(self._tokens[first : self._num_tokens])

"""One answer being written: memory and model are mixed, a token is chosen, both move on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nested_ray.inference.base import Chunk, FinishReason, SamplingParams, TokenLogprob
from nested_ray.inference.endings import NO_ENDING, Ending
from nested_ray.inference.sampling import (
    Probabilities,
    choose_token,
    log_probability,
    renormalise,
    top_tokens,
)
from nested_ray.inference.stops import TextBuffer
from nested_ray.inference.vocabulary import Vocabulary
from nested_ray.memory import MemoryState, MixingWeights

# V vocabulary


@dataclass(frozen=True)
class LevelMixing:
    """How memory and a level share the word; both weights are fitted on validation code."""

    probabilities: MixingWeights
    """Of the distribution: what is sampled from, and what confidence is read from."""
    choice: MixingWeights | None = None
    """Of the likeliest token, which a greedy answer takes: a weak level improves the distribution
    before its own guesses are better than memory's. None: the distribution's likeliest."""

    def chooses_like(self, other: LevelMixing) -> bool:
        """Whether greedy answers are the same by both."""
        return np.array_equal(self.choice_weights, other.choice_weights)

    @property
    def choice_weights(self) -> NDArray[np.float64]:
        return (self.choice or self.probabilities).weights


@dataclass(frozen=True)
class Written:
    """One chosen token."""

    token: TokenLogprob
    """Without its text: bytes become text in a TextBuffer."""
    data: bytes
    """The bytes it adds to the answer; empty while it repeats what the prompt ended with."""
    ends: bool
    """It is the end of the text."""


class Writer:
    """Chooses the tokens of one answer, given the model's distribution before each of them.

    `pending` is the end of the prompt that was taken back so that the first tokens may be the
    ones the text would have been cut into ("token healing"): only tokens that repeat or extend it
    are allowed until it has been written again.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        params: SamplingParams,
        *,
        memory: MemoryState | None = None,
        mixing: LevelMixing | None = None,
        pending: bytes = b"",
    ):
        self._vocabulary = vocabulary
        self._params = params
        self._memory = memory
        self._mixing = mixing
        self._pending = pending
        self._rng = np.random.default_rng(params.seed)

    def write(self, level_probs_V: Probabilities | None) -> Written:
        """Choose the next token; None when memory answers alone."""
        probs_V, choice_V = self._distributions(level_probs_V)
        token_id = choose_token(choice_V, self._params, self._rng)
        top = self._alternatives(probs_V) if self._params.num_top_logprobs else ()
        token = TokenLogprob(token_id, "", log_probability(float(probs_V[token_id])), top)
        ends = token_id == self._vocabulary.end_of_text
        return Written(token, b"" if ends else self._advance(token_id), ends)

    def follow(
        self, token_ids: Sequence[int], level_probs_TV: Probabilities
    ) -> Iterator[tuple[float, bytes]]:
        """Write given tokens instead; yields each one's log-probability and the bytes it adds."""
        for token_id, level_probs_V in zip(token_ids, level_probs_TV, strict=True):
            probs_V, _ = self._distributions(level_probs_V)
            yield log_probability(float(probs_V[token_id])), self._advance(token_id)

    def _alternatives(self, probs_V: Probabilities) -> tuple[tuple[str, float], ...]:
        """The likeliest tokens as what each adds to the answer; those that add nothing are no choice."""
        said = len(self._pending)
        if said:
            probs_V = np.where(self._vocabulary.longer_than(said), probs_V, np.float32(0))
        return tuple(
            (self._vocabulary.token_bytes(other)[said:].decode("utf-8", "replace"), logprob)
            for other, logprob in top_tokens(probs_V, self._params.num_top_logprobs)
            if not said or probs_V[other] > 0
        )

    def _distributions(
        self, level_probs_V: Probabilities | None
    ) -> tuple[Probabilities, Probabilities]:
        """The next token's distribution, and the one whose likeliest token is chosen.

        Whether the text ends is the level's word alone: memory does not see what the answer has to
        lead to.
        """
        end = 0.0
        if level_probs_V is not None:
            end, level_probs_V = self._vocabulary.split_end(level_probs_V)
        if self._memory is None:
            if level_probs_V is None:
                raise ValueError("a writer needs a level's distribution, memory, or both")
            probs_V = self._allowed(level_probs_V, end)
            return probs_V, probs_V
        if self._mixing is None:
            raise ValueError("memory cannot be mixed in before its weights are fitted")
        recall = self._memory.recall()
        probs_V = self._allowed(self._mixing.probabilities.mix(recall, level_probs_V), end)
        if not self._params.is_greedy:
            return probs_V, probs_V
        # No single token may be likelier than an end that is unlikely against all of them.
        certain_end = end if end > 0.5 else 0.0
        choice = self._mixing.choice or self._mixing.probabilities
        return probs_V, self._allowed(choice.mix(recall, level_probs_V), certain_end)

    def _allowed(self, text_V: Probabilities, end: float) -> Probabilities:
        """Only what may be written here, and the end; adds up to 1."""
        probs_V = renormalise(text_V, self._vocabulary.allowed(self._pending))
        if not self._pending:
            probs_V *= np.float32(1 - end)
            probs_V[self._vocabulary.end_of_text] = end
        return probs_V

    def _advance(self, token_id: int) -> bytes:
        if self._memory is not None:
            self._memory.append(token_id)
        data = self._vocabulary.token_bytes(token_id)
        said, self._pending = len(self._pending), self._pending[len(data) :]
        return data[said:]


class Draft:
    """An answer under way: the tokens a Writer chooses, as text that may be shown."""

    def __init__(
        self,
        writer: Writer,
        *,
        stop: Sequence[str],
        max_tokens: int,
        ending: Ending = NO_ENDING,
    ):
        self._writer = writer
        self._buffer = TextBuffer(stop, ending)
        self._num_left = max_tokens
        self.finish_reason: FinishReason | None = None if max_tokens > 0 else "length"
        self.last_id = -1
        """The token chosen last, for the model to read."""

    def write(self, level_probs_V: Probabilities | None) -> Chunk:
        """Choose one token; the chunk is empty while its text is not certain."""
        written = self._writer.write(level_probs_V)
        self.last_id = written.token.token_id
        if written.ends:
            return self.close("stop")
        if not written.data:
            return Chunk("", ())
        released = self._buffer.push(written.token, written.data)
        self._num_left -= 1
        if self._buffer.stopped:
            self.finish_reason = "stop"
        elif self._num_left == 0:
            self.finish_reason = "length"
            released += self._buffer.finish()
        return _chunk(released, self.finish_reason)

    def close(self, reason: FinishReason) -> Chunk:
        """End here; what is held back is text after all."""
        self.finish_reason = reason
        return _chunk(self._buffer.finish(), reason)


def _chunk(released: Sequence[TokenLogprob], finish_reason: FinishReason | None) -> Chunk:
    return Chunk("".join(token.text for token in released), tuple(released), finish_reason)

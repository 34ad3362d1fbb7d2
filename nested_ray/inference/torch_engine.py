"""TorchEngine: one level's decoder mixed with memory, in this process."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nested_ray.datasets.tokenizer import NestTokenizer
from nested_ray.inference.base import Chunk, Prompt, SamplingParams
from nested_ray.inference.decoder import Decoder, KeyValues
from nested_ray.inference.prompts import EncodedPrompt, PromptEncoder, clean
from nested_ray.inference.sampling import SMALLEST_PROBABILITY, Probabilities
from nested_ray.inference.scoring import ContinuationScore, forced_probabilities, probabilities
from nested_ray.inference.vocabulary import Vocabulary
from nested_ray.inference.writer import Draft, LevelMixing, Writer
from nested_ray.memory import MemoryState, NgramIndex

GREEDY = SamplingParams()

SCORE_ROOM = GREEDY.max_tokens
"""`score` cuts the prompt as a default answer does, so that the model need not read it again."""


@dataclass(frozen=True)
class Memory:
    """What the nest remembers word for word, and how far a level relies on it."""

    index: NgramIndex
    mixing: LevelMixing | None = None
    """None before it is fitted."""

    def read(self, encoded: EncodedPrompt) -> MemoryState:
        """The state of memory at the end of a prompt."""
        state = MemoryState(self.index, suffix=encoded.suffix_ids)
        state.extend(encoded.prefix_ids)
        return state


class TorchEngine:
    """The Engine of one level. One call at a time; streams that were left open disturb nobody.

    A greedy answer depends on the prompt alone, a sampled one on `seed` too.
    """

    def __init__(
        self,
        *,
        tokenizer: NestTokenizer,
        vocabulary: Vocabulary,
        prompts: PromptEncoder,
        decoder: Decoder,
        memory: Memory,
    ):
        self.tokenizer = tokenizer
        self.vocabulary = vocabulary
        self.prompts = prompts
        self.decoder = decoder
        self.memory = memory
        self._last_read: tuple[list[int], KeyValues, Tensor] | None = None

    def mixed_by(self, mixing: LevelMixing) -> TorchEngine:
        """The same level with these weights; both share everything that is only read."""
        return TorchEngine(
            tokenizer=self.tokenizer,
            vocabulary=self.vocabulary,
            prompts=self.prompts,
            decoder=self.decoder,
            memory=Memory(self.memory.index, mixing),
        )

    def reading_suffix(self, reads_suffix: bool) -> TorchEngine:
        """The same level, which is shown what stands behind the cursor or is not."""
        return TorchEngine(
            tokenizer=self.tokenizer,
            vocabulary=self.vocabulary,
            prompts=self.prompts.reading_suffix(reads_suffix),
            decoder=self.decoder,
            memory=self.memory,
        )

    @property
    def max_prompt_tokens(self) -> int:
        """Longer prompts are refused. Shorter ones are cut to the window around the cursor by
        design: the level sees that, memory sees the whole."""
        return self.prompts.max_prompt_tokens

    def num_prompt_tokens(self, prompt: Prompt) -> int:
        return self.prompts.num_tokens(prompt)

    def stream(self, prompt: Prompt, params: SamplingParams) -> Iterator[Chunk]:
        encoded = self.prompts.encode(prompt, params.max_tokens)
        memory = self.memory.read(encoded) if params.use_memory else None
        writer = self.writer(encoded, memory, params)
        draft = Draft(writer, stop=params.stop, max_tokens=params.max_tokens, ending=encoded.ending)
        reading = Reading(self, encoded)
        while draft.finish_reason is None and reading.logits_V is not None:
            chunk = draft.write(probabilities(reading.logits_V))
            if chunk.text or chunk.finish_reason:
                yield chunk
            if draft.finish_reason is None:
                reading.advance(draft.last_id)
        if draft.finish_reason is None or params.max_tokens <= 0:
            yield draft.close("length")

    def score(self, prompt: Prompt, continuations: Sequence[str]) -> list[float]:
        """Mean log-probability with memory; see `score_with`."""
        return self.score_with(prompt, continuations, use_memory=True)

    def score_with(
        self, prompt: Prompt, continuations: Sequence[str], *, use_memory: bool
    ) -> list[float]:
        """`score` with or without memory; one forward pass over all continuations."""
        texts = [clean(text) for text in continuations]
        lengths = [len(self.tokenizer.encode(text)) for text in texts]
        encoded = self.prompts.encode(prompt, max(SCORE_ROOM, *lengths, 0))
        if not any(texts):
            return [-math.inf for _ in continuations]
        cache, logits_V = self.read(encoded.input_ids)
        memory = self.memory.read(encoded) if use_memory else None
        return self.score_from(encoded, cache, logits_V, texts, memory)

    def score_from(
        self,
        encoded: EncodedPrompt,
        cache: KeyValues,
        logits_V: Tensor,
        texts: Sequence[str],
        memory: MemoryState | None,
    ) -> list[float]:
        """`score` after a prompt that model and memory have read; changes neither."""
        rows = [self.continuation_ids(encoded, text) for text in texts if text]
        forced = forced_probabilities(self.decoder, cache, logits_V, rows) if rows else []
        means = (
            mean_logprob(self.writer(encoded, memory and memory.fork()).follow(row, probs_TV))
            for row, probs_TV in zip(rows, forced, strict=True)
        )
        return [next(means) if text else -math.inf for text in texts]

    def token_logprobs(
        self, prompt: Prompt, continuations: Sequence[str]
    ) -> list[ContinuationScore]:
        """What level and memory, apart and mixed, give each continuation; one forward over all.

        Sums over tokens, the end of the prompt that was taken back included: comparable between
        continuations of one prompt. Raises PromptTooLong.
        """
        encoded = self.prompts.encode(prompt, SCORE_ROOM)
        rows = [self.continuation_ids(encoded, clean(text)) for text in continuations]
        cache, logits_V = self.read(encoded.input_ids)
        forced = forced_probabilities(self.decoder, cache, logits_V, rows)
        memory = self.memory.read(encoded)
        return [
            self._follow(memory.fork(), row, probs_TV)
            for row, probs_TV in zip(rows, forced, strict=True)
        ]

    def _follow(
        self, memory: MemoryState, ids: Sequence[int], level_TV: Probabilities
    ) -> ContinuationScore:
        mixing = self.memory.mixing
        if mixing is None:
            raise ValueError("memory cannot be mixed in before its weights are fitted")
        score = ContinuationScore(0.0, 0.0, 0.0)
        for token_id, level_V in zip(ids, level_TV, strict=True):
            recall = memory.recall()
            corpus, cache, level = mixing.probabilities.weights[recall.bucket]
            recalled = corpus * recall.corpus[token_id] + cache * recall.cache[token_id]
            said = float(level_V[token_id])
            score = score.and_then(
                mixed=float(recalled + level * said),
                level=said,
                memory=float(recalled / max(corpus + cache, SMALLEST_PROBABILITY)),
            )
            memory.append(token_id)
        return score

    def read(self, input_ids: list[int]) -> tuple[KeyValues, Tensor]:
        """Cache and next logits (V,) after a prompt; the last one is kept for more answers to it."""
        if self._last_read is None or self._last_read[0] != input_ids:
            cache, logits_BV = self.decoder.prefill([input_ids])
            self._last_read = (input_ids, cache, logits_BV[0])
        _, cache, logits_V = self._last_read
        return cache.select([0]), logits_V

    def writer(
        self,
        encoded: EncodedPrompt,
        memory: MemoryState | None,
        params: SamplingParams = GREEDY,
    ) -> Writer:
        """A Writer at the end of the prompt; it moves `memory` on."""
        return Writer(
            self.vocabulary,
            params,
            memory=memory,
            mixing=self.memory.mixing,
            pending=encoded.pending,
        )

    def continuation_ids(self, encoded: EncodedPrompt, text: str) -> list[int]:
        """The tokens of a continuation, with those that were taken back from the prompt."""
        return self.tokenizer.encode(encoded.pending.decode("utf-8", "replace") + text)


class Reading:
    """A level's place in a growing text; when the window is full it moves on."""

    def __init__(self, engine: TorchEngine, encoded: EncodedPrompt):
        self._engine = engine
        self._encoded = encoded
        self._written_ids: list[int] = []
        self._start(encoded)

    def _start(self, encoded: EncodedPrompt) -> None:
        self._num_free = encoded.num_free
        self._cache, logits_V = self._engine.read(encoded.input_ids)
        self.logits_V: Tensor | None = logits_V
        """Logits of the next token; None when the window is full and cannot move on."""

    def advance(self, token_id: int) -> None:
        """Read one more token."""
        self._written_ids.append(token_id)
        self._num_free -= 1
        if self._num_free > 0:
            ids_11 = torch.tensor([[token_id]])
            self.logits_V = self._engine.decoder.extend(self._cache, ids_11)[0, 0]
            return
        moved = self._engine.prompts.move_on(self._encoded, self._written_ids)
        self.logits_V = None
        if moved is not None:
            self._start(moved)


def mean_logprob(followed: Iterator[tuple[float, bytes]]) -> float:
    """Over the tokens that add something to the prompt."""
    logprobs = [logprob for logprob, data in followed if data]
    return sum(logprobs) / len(logprobs) if logprobs else -math.inf

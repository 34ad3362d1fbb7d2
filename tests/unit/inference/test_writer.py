"""One token at a time: what is chosen, and what is reported beside it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nested_ray.inference.base import SamplingParams
from nested_ray.inference.vocabulary import Vocabulary
from nested_ray.inference.writer import Writer


class Letters:
    """A tokenizer of few words, by id; ids without text are special."""

    end_of_text = 0
    words = (b"", b"r", b"re", b"return", b"res", b"x", b"retry")
    vocab_size = len(words)

    def token_bytes(self, token: int) -> bytes:
        return self.words[token]


def write(probs: list[float], pending: bytes, count: int):
    writer = Writer(Vocabulary(Letters()), SamplingParams(num_top_logprobs=count), pending=pending)
    return writer.write(np.array(probs, dtype=np.float32))


def test_alternatives_at_a_healed_word_are_what_they_add_to_it():
    written = write([0, 0.05, 0.2, 0.4, 0.1, 0.2, 0.05], b"re", 5)
    assert written.data == b"turn"
    likely = 0.05 + 0.2 + 0.4 + 0.1 + 0.05
    assert [text for text, _ in written.token.top] == ["turn", "s", "try"]
    assert [logprob for _, logprob in written.token.top] == pytest.approx(
        [math.log(share / likely) for share in (0.4, 0.1, 0.05)], abs=1e-5
    )
    assert written.token.top[0] == ("turn", written.token.logprob)


def test_alternatives_without_a_healed_word_are_whole_tokens():
    written = write([0, 0.05, 0.2, 0.4, 0.1, 0.2, 0.05], b"", 2)
    assert written.token.top == (("return", written.token.logprob), written.token.top[1])
    assert written.token.top[1][0] in ("re", "x")


def test_no_alternatives_where_none_are_asked_for():
    assert write([0, 0, 0.5, 0.5, 0, 0, 0], b"re", 0).token.top == ()

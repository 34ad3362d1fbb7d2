"""What tokens are made of: which may be written, and which can follow half a token."""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nested_ray.datasets.tokenizer import NestTokenizer
from nested_ray.inference.sampling import SMALLEST_PROBABILITY, Probabilities, renormalise

# V vocabulary

Mask = NDArray[np.bool_]

BLANKS = (b" ", b"\t")


class Vocabulary:
    """Masks over the tokens of one tokenizer; special tokens are no text and never written."""

    def __init__(self, tokenizer: NestTokenizer):
        self.end_of_text = tokenizer.end_of_text
        self._bytes = [tokenizer.token_bytes(token) for token in range(tokenizer.vocab_size)]
        with_text = ((data, token) for token, data in enumerate(self._bytes) if data)
        self._sorted = sorted(with_text)
        self._ids = {data: token for data, token in self._sorted}
        self._sizes_V = np.array([len(data) for data in self._bytes])
        self._text_V = np.array([bool(data) for data in self._bytes])
        self._after = lru_cache(maxsize=256)(self._find_after)

    def token_bytes(self, token: int) -> bytes:
        return self._bytes[token]

    def allowed(self, pending: bytes = b"") -> Mask:
        """Tokens of text that may come next when it must go on with `pending`; (V,).

        A token may say a part of `pending`, all of it, or all of it and more; no more blanks
        where it ends with one, for the writer has put the cursor behind the last of them.
        """
        return self._after(pending) if pending else self._text_V

    def longer_than(self, num_bytes: int) -> Mask:
        """Tokens with more bytes than that; (V,)."""
        return self._sizes_V > num_bytes

    def split_end(self, probs_V: Probabilities) -> tuple[float, Probabilities]:
        """How likely the text ends here, and the distribution of what follows if it does not.

        The mass of the other special tokens is spread over both.
        """
        text_V = renormalise(probs_V, self._text_V)
        text_mass = float(probs_V[self._text_V].sum(dtype=np.float64))
        end_mass = float(probs_V[self.end_of_text])
        return end_mass / max(end_mass + text_mass, SMALLEST_PROBABILITY), text_V

    def _find_after(self, pending: bytes) -> Mask:
        allowed_V = np.zeros(len(self._bytes), dtype=bool)
        for length in range(1, len(pending)):
            if (token := self._ids.get(pending[:length])) is not None:
                allowed_V[token] = True
        for data, token in self._sorted[bisect_left(self._sorted, (pending, -1)) :]:
            if not data.startswith(pending):
                break
            more = data[len(pending) :]
            allowed_V[token] = not (pending[-1:] in BLANKS and more[:1] in BLANKS)
        return allowed_V

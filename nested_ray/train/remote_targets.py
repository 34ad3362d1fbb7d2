"""What a remote model said, as soft targets: its strings → tokens of the nest at tokens of a batch."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nested_ray.datasets.loader import IGNORED, Batch
from nested_ray.datasets.tokenizer import SPECIAL_TOKENS, NestTokenizer
from nested_ray.distill.losses import SMALLEST_MASS
from nested_ray.distill.targets import LOWEST_LOGP, record_dtype
from nested_ray.train.remote_client import RemoteToken

MOST_MASS = 1.01
"""Of the likeliest strings together; more is no distribution."""


@dataclass(frozen=True)
class Prefix:
    """Where a line begins in a batch, and what a remote model is asked to go on from."""

    text: str
    gold_ids: tuple[int, ...]
    """What follows in the window."""
    position: int
    """Of the first of them among the batch's valid tokens."""


@dataclass(frozen=True)
class Taught:
    """What was said about one token."""

    position: int
    logp: dict[int, float]
    """By token id of the nest; what is missing to 1 belongs to ids that are not told."""
    gold_id: int

    @property
    def gold_logp(self) -> float:
        """Of the token that stands there; where it is not told, the most that it can be.

        An untold string is at most as likely as the least likely one told, and as all untold together.
        """
        if self.gold_id in self.logp:
            return self.logp[self.gold_id]
        rest = 1.0 - sum(math.exp(logp) for logp in self.logp.values())
        return min(*self.logp.values(), math.log(max(rest, SMALLEST_MASS)))


def find_prefixes(batch: Batch, tokenizer: NestTokenizer) -> Iterator[Prefix]:
    """Every beginning of a line in the batch's windows; windows rearranged for fill-in-the-middle are left out."""
    position = 0
    for row, targets_W in enumerate(batch.target_ids.numpy()):
        window = targets_W[targets_W != IGNORED].tolist()
        start = int(batch.target_index[row, 0]) + 1
        if not any(token in FIM for token in window):
            context = tokenizer.decode(batch.input_ids[row, :start].tolist())
            for at in _line_starts(window, tokenizer):
                text = context + tokenizer.decode(window[:at])
                yield Prefix(text, tuple(window[at:]), position + at)
        position += len(window)


FIM = frozenset((NestTokenizer.fim_prefix, NestTokenizer.fim_suffix, NestTokenizer.fim_middle))


def _line_starts(window: Sequence[int], tokenizer: NestTokenizer) -> Iterator[int]:
    breaks = tokenizer.line_break_ids
    for at in range(1, len(window)):
        if (
            window[at - 1] in breaks
            and window[at] not in breaks
            and window[at] >= len(SPECIAL_TOKENS)
        ):
            yield at


class StringMap:
    """Strings of another vocabulary → the token of the nest that a text which begins so begins with."""

    def __init__(self, tokenizer: NestTokenizer) -> None:
        self._tokenizer = tokenizer
        self._sorted = sorted(
            tokenizer.token_bytes(token)
            for token in range(len(SPECIAL_TOKENS), tokenizer.vocab_size)
        )

    def token(self, text: str, gold: bytes) -> int | None:
        """None where it could be one of several tokens; `gold` is the token that stands there.

        A string that is a token counts as that token, unless the token there goes on longer; one that is cut
        in several is its first token, unless a token of the nest goes on where the string ends.
        """
        data = text.encode("utf-8", "surrogatepass")
        if "�" in text or not data or (gold.startswith(data) and gold != data):
            return None
        try:
            ids = self._tokenizer.encode(text)
        except ValueError:  # half a surrogate pair
            return None
        if len(ids) > 1 and self._begins_a_token(data):
            return None
        return ids[0]

    def _begins_a_token(self, data: bytes) -> bool:
        place = bisect_right(self._sorted, data)
        return place < len(self._sorted) and self._sorted[place].startswith(data)


def align(
    prefix: Prefix, tokens: Sequence[RemoteToken], tokenizer: NestTokenizer, strings: StringMap
) -> Iterator[Taught]:
    """Targets for as long as the completion is the text that stands there, and for the token where it parts.

    Both cut the text differently: a token of the nest is taught where one of the remote model begins
    at the same byte.
    """
    gold = [tokenizer.token_bytes(token) for token in prefix.gold_ids]
    text = b"".join(gold)
    starts = dict(zip(np.cumsum([0, *map(len, gold)]).tolist(), range(len(gold)), strict=False))
    offset = 0
    for token in tokens:
        number = starts.get(offset)
        if number is not None and gold[number]:
            logp = map_strings(token.top, gold[number], strings)
            if logp:
                yield Taught(prefix.position + number, logp, prefix.gold_ids[number])
        data = token.text.encode("utf-8", "surrogatepass")
        if not data or text[offset : offset + len(data)] != data:
            return
        offset += len(data)


def map_strings(top: Mapping[str, float], gold: bytes, strings: StringMap) -> dict[int, float]:
    """Log-probabilities by token; strings that mean the same token add up. Empty for what is no distribution."""
    mass: defaultdict[int, float] = defaultdict(float)
    for text, logprob in top.items():
        token = strings.token(text, gold)
        if token is not None:
            mass[token] += math.exp(logprob)
    total = sum(math.exp(logprob) for logprob in top.values())
    if total > MOST_MASS:
        return {}
    return {token: math.log(min(p, 1.0)) for token, p in mass.items() if p > 0}


def encode_taught(taught: Sequence[Taught], head_k: int) -> bytes:
    """A partial record (distill/targets.py) without tail; of two that speak about a token the first counts."""
    by_position = {each.position: each for each in reversed(taught)}
    records = np.zeros(len(by_position), dtype=record_dtype(head_k, 0, partial=True))
    records["head_logp"] = LOWEST_LOGP
    for record, position in zip(records, sorted(by_position), strict=True):
        each = by_position[position]
        likeliest = sorted(each.logp.items(), key=lambda item: -item[1])[:head_k]
        for place, (token, logp) in enumerate(likeliest):
            record["head_ids"][place], record["head_logp"][place] = token, logp
        record["position"] = position
        record["gold_logp"] = each.gold_logp
        record["head_mass"] = sum(math.exp(logp) for _, logp in likeliest)
    return records.tobytes()

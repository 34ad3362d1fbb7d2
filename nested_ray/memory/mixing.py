"""MixingWeights: how much to believe the corpus, the file and a level, bucket by bucket."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nested_ray.errors import StorageError
from nested_ray.memory.buckets import NUM_BUCKETS
from nested_ray.memory.state import Recall

# N tokens, E experts, K buckets, V vocabulary

FORMAT = 1
MEMORY_EXPERTS = ("corpus", "cache")
LEVEL_EXPERTS = ("corpus", "cache", "level")

# The overall weights are drawn to these, and a bucket's to the overall ones, as by so many tokens.
PRIOR_MEMORY = np.array([0.05, 0.95])  # corpus, cache
PRIOR_LEVEL = np.array([0.95, 0.05])  # memory, level
PRIOR_TOKENS = 20.0
# A smaller weight gains nothing measurable, and without it memory's choice stands exactly.
MIN_LEVEL_WEIGHT = 0.02
_MAX_ROUNDS = 500
_TOLERANCE = 1e-7
_FLOOR = 1e-12


@dataclass(frozen=True)
class MixingWeights:
    """Weights of the experts in every bucket; each row sums to 1."""

    experts: tuple[str, ...]
    weights: NDArray[np.float64]
    """(K, E)"""

    @classmethod
    def fit(cls, buckets: NDArray[np.integer], gold_probs: NDArray[np.floating]) -> MixingWeights:
        """The weights under which held-out tokens are most likely.

        buckets (N,): the bucket of each recall; gold_probs (N, E): what each expert gave the token
        that came, E = 2 for [corpus, cache] and 3 for [corpus, cache, level]. With a level, corpus and
        cache keep the proportion they have without it, and the level takes its share of the whole:
        where it deserves none, the mixture is memory's own.
        Raises ValueError for other shapes or buckets outside 0..NUM_BUCKETS - 1.
        """
        buckets, gold = _checked(buckets, gold_probs)
        memory = _fit_shares(buckets, gold[:, :2], PRIOR_MEMORY)
        if gold.shape[1] == 2:
            return cls(MEMORY_EXPERTS, memory)
        recalled = (gold[:, :2] * memory[buckets]).sum(axis=1)
        both = np.stack([recalled, gold[:, 2]], axis=1)
        level = _fit_shares(buckets, both, PRIOR_LEVEL)[:, 1:]
        level = np.where(level < MIN_LEVEL_WEIGHT, 0.0, level)
        return cls(LEVEL_EXPERTS, np.concatenate([memory * (1.0 - level), level], axis=1))

    def mix(
        self, recall: Recall, level_probs: NDArray[np.floating] | None = None
    ) -> NDArray[np.float32]:
        """(V,) the weighted sum; `level_probs` (V,) is needed exactly when the weights have a level.

        Raises ValueError when it is missing, superfluous or of another vocabulary.
        """
        if (level_probs is not None) != (len(self.experts) == 3):
            raise ValueError(
                f"these weights mix {', '.join(self.experts)}; "
                f"{'no' if level_probs is None else 'a'} level distribution was given"
            )
        weights = self.weights[recall.bucket].astype(np.float32)
        mixed = weights[0] * recall.corpus + weights[1] * recall.cache
        if level_probs is None:
            return mixed
        if level_probs.shape != mixed.shape:
            raise ValueError(
                f"the level predicts {level_probs.shape[-1]} token ids, memory {mixed.shape[0]}"
            )
        return mixed + weights[2] * level_probs.astype(np.float32, copy=False)

    def likelihood(self, buckets: NDArray[np.integer], gold_probs: NDArray[np.floating]) -> float:
        """Mean natural log-probability of the tokens that came, under this mixture."""
        buckets, gold = _checked(buckets, gold_probs)
        return float(np.log((gold * self.weights[buckets]).sum(axis=1)).mean())

    def to_json(self) -> str:
        return json.dumps(
            {"format": FORMAT, "experts": self.experts, "weights": self.weights.tolist()}, indent=1
        )

    @classmethod
    def from_json(cls, text: str, *, experts: Sequence[str] | None = None) -> MixingWeights:
        """Read weights; `experts` states which ones are expected.

        Raises StorageError when the text is damaged, or made for other buckets or experts.
        """
        try:
            values = json.loads(text)
            found = tuple(values["experts"])
            weights = np.array(values["weights"], np.float64)
            format_ = values["format"]
        except (ValueError, KeyError, TypeError) as exc:
            raise StorageError(
                f"mixing weights cannot be read: {exc!r}; fetch the nest again"
            ) from exc
        wanted = (tuple(experts),) if experts is not None else (MEMORY_EXPERTS, LEVEL_EXPERTS)
        if format_ != FORMAT or found not in wanted:
            raise StorageError(
                f"mixing weights of format {format_!r} for {found}, expected format {FORMAT} for "
                f"{' or '.join(map(str, wanted))}"
            )
        if weights.shape != (NUM_BUCKETS, len(found)):
            raise StorageError(
                f"mixing weights have shape {weights.shape}, this version has {NUM_BUCKETS} buckets "
                f"of {len(found)} experts; train the nest again"
            )
        if not (np.all(weights >= 0) and np.allclose(weights.sum(axis=1), 1.0, atol=1e-6)):
            raise StorageError(
                "mixing weights do not sum to 1 in every bucket; fetch the nest again"
            )
        return cls(found, weights)


def _fit_shares(
    buckets: NDArray[np.integer], gold: NDArray[np.float64], prior: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(K, E): first over all tokens, then in every bucket, drawn to the overall ones."""
    overall = _climb(np.zeros(len(gold), np.int64), gold, prior[None, :])
    return _climb(buckets, gold, np.repeat(overall, NUM_BUCKETS, axis=0))


def _climb(
    buckets: NDArray[np.integer], gold: NDArray[np.float64], prior: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Rounds of EM from the prior weights (K, E), which also count as PRIOR_TOKENS of each bucket."""
    weights = prior
    previous = -np.inf
    for _ in range(_MAX_ROUNDS):
        weights, objective = _em_round(buckets, gold, weights, PRIOR_TOKENS * prior)
        if objective - previous < _TOLERANCE * (len(gold) + 1):
            break
        previous = objective
    return weights


def _em_round(
    buckets: NDArray[np.integer],
    gold: NDArray[np.float64],
    weights: NDArray[np.float64],
    pseudo_counts: NDArray[np.float64],
) -> tuple[NDArray[np.float64], float]:
    """Better weights, and the penalised log-likelihood of the ones that came in."""
    joint = gold * weights[buckets]
    total = joint.sum(axis=1)
    objective = float(np.log(total).sum())
    objective += float((pseudo_counts * np.log(np.maximum(weights, _FLOOR))).sum())
    shares = joint / total[:, None]
    columns = [np.bincount(buckets, column, len(weights)) for column in shares.T]
    counts = np.stack(columns, axis=1) + pseudo_counts
    return counts / counts.sum(axis=1, keepdims=True), objective


def _checked(
    buckets: NDArray[np.integer], gold_probs: NDArray[np.floating]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    buckets = np.asarray(buckets, np.int64)
    gold = np.asarray(gold_probs, np.float64)
    if (
        buckets.ndim != 1
        or gold.ndim != 2
        or len(gold) != len(buckets)
        or gold.shape[1] not in (2, 3)
    ):
        raise ValueError(
            f"expected buckets (N,) and gold_probs (N, 2) or (N, 3), got {buckets.shape}, {gold.shape}"
        )
    if len(buckets) and not (0 <= buckets.min() and buckets.max() < NUM_BUCKETS):
        raise ValueError(
            f"buckets must be from 0 to {NUM_BUCKETS - 1}, got {buckets.min()} to {buckets.max()}"
        )
    if not (np.all(gold >= 0) and np.all(gold <= 1 + 1e-4)):
        raise ValueError(
            "gold_probs must be probabilities; some are below 0, above 1 or not numbers"
        )
    # A level may round a probability to zero; memory's never are.
    return buckets, np.maximum(gold, _FLOOR)

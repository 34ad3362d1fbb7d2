"""Held-out windows by teacher forcing: every expert's distribution before every token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nested_ray.evals.heldout import Heldout
from nested_ray.evals.predictors import Predictors
from nested_ray.inference.scoring import forced_probabilities
from nested_ray.inference.torch_engine import TorchEngine
from nested_ray.memory import MemoryState, NgramIndex, Recall

# T tokens of a window, V vocabulary

Probabilities = NDArray[np.float32]


@dataclass(frozen=True)
class ForcedWindow:
    """Distributions before the text tokens of one window; special tokens have no mass in any.

    Everything is the same for all predictors: the tokens, and what memory had read before them.
    """

    gold_T: NDArray[np.int64]
    buckets_T: NDArray[np.int64]
    corpus_TV: Probabilities
    cache_TV: Probabilities
    levels: Mapping[str, Probabilities]
    """(T, V) by level name."""
    num_bytes: int


def read_window(predictors: Predictors, heldout: Heldout, row: int) -> ForcedWindow:
    """Force one window through memory once and through every level."""
    vocabulary = predictors.any_engine.vocabulary
    facts = next(iter(heldout.rows.values()))[row]
    window_ids = facts["input_ids"][facts["window_start"] :]
    before = heldout.tokens.document(facts["document"])[: facts["token_start"]]
    recalls = window_recalls(predictors.index, before.tolist(), window_ids)
    num_bytes_T = np.array([len(vocabulary.token_bytes(token)) for token in window_ids])
    text_T, text_V = num_bytes_T > 0, vocabulary.allowed()
    return ForcedWindow(
        gold_T=np.array(window_ids)[text_T],
        buckets_T=np.array([recall.bucket for recall in recalls])[text_T],
        corpus_TV=only_text(np.stack([recall.corpus for recall in recalls])[text_T], text_V),
        cache_TV=only_text(np.stack([recall.cache for recall in recalls])[text_T], text_V),
        levels={
            name: only_text(level_window(predictors.engines[name], rows[row])[text_T], text_V)
            for name, rows in heldout.rows.items()
        },
        num_bytes=int(num_bytes_T.sum()),
    )


def window_recalls(
    index: NgramIndex, before_ids: Sequence[int], window_ids: Sequence[int]
) -> list[Recall]:
    """What memory recalls before each token of a window."""
    memory = MemoryState(index)
    memory.extend(before_ids)
    recalls = []
    for token in window_ids:
        recalls.append(memory.recall())
        memory.append(token)
    return recalls


def level_window(engine: TorchEngine, facts: Mapping[str, Any]) -> Probabilities:
    """A level's distributions before each token of the window of one row."""
    input_ids, start = facts["input_ids"], facts["window_start"]
    cache, logits_BV = engine.decoder.prefill([input_ids[:start]])
    (probs_TV,) = forced_probabilities(engine.decoder, cache, logits_BV[0], [input_ids[start:]])
    return probs_TV


def only_text(probs_TV: Probabilities, text_V: NDArray[np.bool_]) -> Probabilities:
    """The distributions given that a token of text comes."""
    text_TV = np.where(text_V, probs_TV, np.float32(0))
    return text_TV / text_TV.sum(axis=1, keepdims=True)

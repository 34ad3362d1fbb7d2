"""Mixing weights of memory and of every level, fitted on validation windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from nested_ray.evals.forced import ForcedWindow, Probabilities
from nested_ray.evals.mixing import TOP_CANDIDATES, ForcedTokens, fit_choice, keep_gains
from nested_ray.evals.predictors import NestMixing
from nested_ray.inference.writer import LevelMixing
from nested_ray.memory import LEVEL_EXPERTS, MixingWeights

# T tokens of a window, N of all windows, C candidates, E experts (corpus, cache, level)


def fit_nest(tokens: Mapping[str, ForcedTokens]) -> NestMixing:
    """Weights of memory alone, and of memory with each level."""
    any_level = next(iter(tokens.values()))
    memory = MixingWeights.fit(any_level.buckets_N, any_level.gold_NE[:, :2])
    without_level_BE = np.pad(memory.weights, ((0, 0), (0, 1)))
    levels = {}
    for name, level_tokens in tokens.items():
        fitted = MixingWeights.fit(level_tokens.buckets_N, level_tokens.gold_NE)
        kept_BE = keep_gains(without_level_BE, fitted.weights, level_tokens)
        choice_BE = fit_choice(without_level_BE, kept_BE, level_tokens)
        levels[name] = LevelMixing(
            probabilities=MixingWeights(LEVEL_EXPERTS, kept_BE),
            choice=MixingWeights(LEVEL_EXPERTS, choice_BE),
        )
    return NestMixing(memory, levels)


def observe(window: ForcedWindow) -> dict[str, ForcedTokens]:
    """What fitting needs of one window, by level name: a thousandth of its distributions."""
    return {
        name: forced_tokens(window, (window.corpus_TV, window.cache_TV, level_TV))
        for name, level_TV in window.levels.items()
    }


def forced_tokens(window: ForcedWindow, experts: Sequence[Probabilities]) -> ForcedTokens:
    ids_TC = np.concatenate([likeliest(probs_TV) for probs_TV in experts], axis=1)
    rows_T = np.arange(len(window.gold_T))
    return ForcedTokens(
        buckets_N=window.buckets_T,
        gold_NE=np.stack([probs_TV[rows_T, window.gold_T] for probs_TV in experts], axis=1),
        candidates_NCE=np.stack(
            [np.take_along_axis(probs_TV, ids_TC, axis=1) for probs_TV in experts], axis=2
        ),
        is_gold_NC=ids_TC == window.gold_T[:, None],
    )


def likeliest(probs_TV: Probabilities) -> NDArray[np.int64]:
    """Each token's TOP_CANDIDATES likeliest ids, in no order."""
    count = min(TOP_CANDIDATES, probs_TV.shape[1])
    return torch.topk(torch.from_numpy(probs_TV), count, sorted=False).indices.numpy()


def join(parts: Sequence[ForcedTokens]) -> ForcedTokens:
    """The tokens of several windows as one."""
    return ForcedTokens(
        np.concatenate([part.buckets_N for part in parts]),
        np.concatenate([part.gold_NE for part in parts]),
        np.concatenate([part.candidates_NCE for part in parts]),
        np.concatenate([part.is_gold_NC for part in parts]),
    )

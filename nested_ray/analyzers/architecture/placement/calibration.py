"""How sure it is that an item stands in the wrong place, measured on the items that stand where they do.

# N items, C places
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

KEPT = 10_000
"""Margins kept of each kind."""


@dataclass(frozen=True)
class Margins:
    """Margins, as differences of log-probabilities between the likeliest other place and the own one."""

    at_home_N: np.ndarray
    """Of the items as they stand, ascending. Some of them are misplaced, which errs on the safe side."""
    moved_N: np.ndarray
    """Of the same items, had each stood in another place; ascending."""

    def confidence(self, margin: float, prior: float) -> float:
        """Probability that an item with this margin is misplaced; 0 where nothing was learned.

        `prior` is the share of items taken to be misplaced before anything is known of them.
        """
        if not len(self.at_home_N):
            return 0.0
        # One more false alarm than was seen: with few items, nothing is sure.
        false = (_at_least(self.at_home_N, margin) + 1) / (len(self.at_home_N) + 1)
        true = _at_least(self.moved_N, margin) / len(self.moved_N)
        return prior * true / (prior * true + (1 - prior) * false)


def _at_least(ascending_N: np.ndarray, margin: float) -> int:
    return len(ascending_N) - int(np.searchsorted(ascending_N, margin, side="left"))


def measure_margins(probabilities_NC: np.ndarray, places_N: np.ndarray) -> Margins:
    """Margins of held-out probabilities for the true places, and for each item put somewhere else."""
    moved = margins(probabilities_NC, _elsewhere(places_N, probabilities_NC.shape[1]))
    at_home = margins(probabilities_NC, places_N)
    return Margins(_thinned(np.sort(at_home)), _thinned(np.sort(moved)))


def _thinned(ascending_N: np.ndarray) -> np.ndarray:
    """At most KEPT values at even ranks, the last one among them."""
    if len(ascending_N) <= KEPT:
        return ascending_N
    return ascending_N[np.linspace(0, len(ascending_N) - 1, KEPT).round().astype(int)]


def margins(probabilities_NC: np.ndarray, places_N: np.ndarray) -> np.ndarray:
    """(N,): log-probability of the likeliest other place less that of the given one."""
    logs_NC = np.log(np.maximum(probabilities_NC, 1e-12))
    rows = np.arange(len(places_N))
    own_N = logs_NC[rows, places_N]
    others_NC = logs_NC.copy()
    others_NC[rows, places_N] = -np.inf
    return others_NC.max(axis=1) - own_N


def _elsewhere(places_N: np.ndarray, num_places: int) -> np.ndarray:
    """Another place for each item, drawn as often as places occur."""
    shuffled_N = np.random.default_rng(0).permutation(places_N)
    return np.where(shuffled_N == places_N, (places_N + 1) % num_places, shuffled_N)

"""What speaks for each place: words and links, weighed so that the outcome is a probability.

# N items, C places, F kinds of evidence
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import sparse
from scipy.optimize import minimize

FEATURES = ("words", "uses", "used by")
"""What the weights weigh; links by the logarithm of their share. Their number adds nothing: measured."""
_FLOOR = 0.02
"""Share of links a place without any is treated as having: one stray link decides nothing."""
NOISE = 0.01
"""Share of items taken to say nothing about where things belong."""
_PENALTY = 1e-3


def features(scores_NC: np.ndarray, uses_NC: np.ndarray, used_by_NC: np.ndarray) -> np.ndarray:
    """(N, C, F): the score by words, and the links to and from each place; no links, no say."""
    return np.stack([scores_NC, _log_share(uses_NC), _log_share(used_by_NC)], axis=-1)


def _log_share(links_NC: np.ndarray) -> np.ndarray:
    total_N1 = links_NC.sum(axis=1, keepdims=True)
    return np.log(links_NC / np.maximum(total_N1, 1e-9) + _FLOOR) * (total_N1 > 0)


def fit_weights(features_NCF: np.ndarray, places_N: np.ndarray) -> np.ndarray:
    """Weights (F,), none below zero, of the conditional logit that make the true places likeliest.

    The same few weights serve all places, so a few hundred items fit them, and maximum likelihood makes
    the probabilities calibrated. One item in a hundred is taken to stand anywhere: those that do stand
    in the wrong place then cannot bend the weights.
    """
    rows = np.arange(len(places_N))
    true_NF = features_NCF[rows, places_N]
    anywhere = NOISE / features_NCF.shape[1]

    def loss(weights_F: np.ndarray) -> tuple[float, np.ndarray]:
        probabilities_NC = probabilities(features_NCF, weights_F)
        in_place_N = (1 - NOISE) * probabilities_NC[rows, places_N]
        likelihood_N = in_place_N + anywhere
        expected_NF = np.einsum("nc,ncf->nf", probabilities_NC, features_NCF)
        slope_NF = (expected_NF - true_NF) * (in_place_N / likelihood_N)[:, None]
        value = -np.log(likelihood_N).mean() + _PENALTY * float(weights_F @ weights_F) / 2
        return value, slope_NF.mean(axis=0) + _PENALTY * weights_F

    num_features = features_NCF.shape[-1]
    bounds = [(0.0, None)] * num_features
    found = minimize(loss, np.full(num_features, 0.5), jac=True, method="L-BFGS-B", bounds=bounds)
    return found.x


def probabilities(features_NCF: np.ndarray, weights_F: np.ndarray) -> np.ndarray:
    """(N, C): softmax over places."""
    logits_NC = features_NCF @ weights_F
    logits_NC = logits_NC - logits_NC.max(axis=1, keepdims=True)
    exponents_NC = np.exp(logits_NC)
    return exponents_NC / exponents_NC.sum(axis=1, keepdims=True)


def link_matrix(
    rows: Sequence[Mapping[str, int]], columns: Mapping[str, int], rarity_U: np.ndarray
) -> sparse.csr_matrix:
    """(N, U): how strongly each item is linked to each unit; what everything is linked to says little."""
    indices: list[int] = []
    values: list[float] = []
    ends = [0]
    for row in rows:
        for unit, count in row.items():
            column = columns.get(unit)
            if column is not None:
                indices.append(column)
                values.append((1 + np.log(count)) * rarity_U[column])
        ends.append(len(indices))
    shape = (len(rows), len(columns))
    return sparse.csr_matrix((values, indices, ends), shape=shape, dtype=np.float64)


def rarity(fans_U: np.ndarray, num_units: int) -> np.ndarray:
    """Weight of a link to a unit that `fans` others are linked to, as an inverse document frequency."""
    return np.log(np.maximum(num_units / (1 + fans_U), 1.05))

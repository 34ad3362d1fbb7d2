"""What speaks for each place: words and links, weighed so that the outcome is a probability.

# N items, C places, F kinds of evidence
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import sparse

FEATURES = ("words", "uses, logarithm", "used by, logarithm", "uses", "used by")
_FLOOR = 0.02
"""Share of links a place without any is treated as having: one stray link decides nothing."""
_PENALTY = 1e-3


def features(scores_NC: np.ndarray, uses_NC: np.ndarray, used_by_NC: np.ndarray) -> np.ndarray:
    """(N, C, F): the score by words and the share of links to and from each place; no links, no say."""
    has_uses_N1 = uses_NC.sum(axis=1, keepdims=True) > 0
    has_used_by_N1 = used_by_NC.sum(axis=1, keepdims=True) > 0
    return np.stack(
        [
            scores_NC,
            np.log(uses_NC + _FLOOR) * has_uses_N1,
            np.log(used_by_NC + _FLOOR) * has_used_by_N1,
            uses_NC,
            used_by_NC,
        ],
        axis=-1,
    )


def fit_weights(features_NCF: np.ndarray, places_N: np.ndarray) -> np.ndarray:
    """Weights (F,) of the conditional logit that make the true places likeliest.

    The same few weights serve all places, so a thousand items fit them well, and maximum likelihood
    makes the probabilities calibrated on items like these.
    """
    rows = np.arange(len(places_N))
    true_NF = features_NCF[rows, places_N]

    def loss(weights_F: np.ndarray) -> tuple[float, np.ndarray]:
        probabilities_NC = probabilities(features_NCF, weights_F)
        likelihood_N = np.maximum(probabilities_NC[rows, places_N], 1e-300)
        expected_NF = np.einsum("nc,ncf->nf", probabilities_NC, features_NCF)
        value = -np.log(likelihood_N).mean() + _PENALTY * float(weights_F @ weights_F) / 2
        return value, (expected_NF - true_NF).mean(axis=0) + _PENALTY * weights_F

    start_F = np.zeros(features_NCF.shape[-1])
    from scipy.optimize import minimize  # slow to import, and only training needs it

    return minimize(loss, start_F, jac=True, method="L-BFGS-B").x


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


def shares(links: sparse.csr_matrix, belief_UC: np.ndarray) -> np.ndarray:
    """(N, C): share of each item's links that goes to each place, given what units belong where."""
    weight_NC = np.asarray(links @ belief_UC)
    return weight_NC / np.maximum(weight_NC.sum(axis=1, keepdims=True), 1e-9)


def rarity(fans_U: np.ndarray, num_units: int) -> np.ndarray:
    """Weight of a link to a unit that `fans` others are linked to, as an inverse document frequency."""
    return np.log(np.maximum(num_units / (1 + fans_U), 1.05))

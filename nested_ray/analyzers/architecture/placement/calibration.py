"""How sure it is that an item stands in the wrong place.

# N items, C places
"""

from __future__ import annotations

import numpy as np


def misplaced(probabilities_NC: np.ndarray, own_N: np.ndarray, prior: float) -> np.ndarray:
    """(N,): probability that each item belongs somewhere else than where it stands.

    By Bayes: `probabilities_NC` say where items like it belong, held out from where it stands. An item
    belongs where it stands but for a share of `prior`; what is misplaced could stand anywhere. So with
    seventy places and a prior of one in a hundred, evidence must be 60,000 to 1 to make it 90 % sure.
    """
    num_places = probabilities_NC.shape[1]
    rows = np.arange(len(own_N))
    at_home_N = np.maximum(probabilities_NC[rows, own_N], 1e-300) * (1 - prior)
    elsewhere_N = (1 - probabilities_NC[rows, own_N]) * prior / max(num_places - 1, 1)
    return elsewhere_N / (elsewhere_N + at_home_N)

"""Features leave the slot out: whichever option stands there, they are the same."""

from __future__ import annotations

import numpy as np

from nested_ray.bugs.candidates import find_slots
from nested_ray.bugs.features import SlotFeatures, pair_id, slot_features
from nested_ray.bugs.inject import inject
from nested_ray.bugs.reading import read_code
from nested_ray.bugs.slots import Slot
from nested_ray.languages import get_language

from .conftest import make_text

PYTHON = get_language("python")


def features_of(text: str, start: int, kind: str) -> tuple[Slot, SlotFeatures]:
    code = read_code(text, PYTHON)
    (slot,) = [s for s in find_slots(code) if s.span.start == start and s.kind == kind]
    return slot, slot_features(code, [slot])


def test_an_injected_bug_changes_the_order_of_options_and_nothing_else() -> None:
    text = make_text(3)
    for bug in inject(text, PYTHON, seed=7, per_kind=6):
        right, before = features_of(text, bug.slot.span.start, bug.kind)
        wrong, after = features_of(bug.text, bug.slot.span.start, bug.kind)
        assert bug.right in wrong.options
        for option, word in enumerate(wrong.options):
            if word in right.options:
                old = right.options.index(word)
                np.testing.assert_allclose(
                    after.dense_ND[option], before.dense_ND[old], err_msg=f"{bug.kind} {word}"
                )
                assert (after.hashed_NF[option] == before.hashed_NF[old]).all()


def test_taking_slots_takes_their_options() -> None:
    code = read_code(make_text(0), PYTHON)
    features = slot_features(code, find_slots(code))
    rows = np.array([5, 0, 9])
    taken = features.take(rows)
    ends = np.cumsum(features.num_options_S)
    expected = [
        features.dense_ND[ends[row] - features.num_options_S[row] : ends[row]] for row in rows
    ]
    np.testing.assert_array_equal(taken.dense_ND, np.concatenate(expected))
    assert taken.real_SO.sum() == len(taken.dense_ND)


def test_ids_are_the_same_on_every_machine() -> None:
    assert pair_id("l if", "ширина") == pair_id("l if", "ширина")
    assert pair_id("l if", "width") != pair_id("r if", "width")
    # Computed once by the formula in the docstring; a change would make saved weights meaningless.
    assert pair_id("any", "x") == 3978

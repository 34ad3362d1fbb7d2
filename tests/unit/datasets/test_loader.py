import numpy as np
import pytest
import torch
from datasets import Dataset, Features, Sequence, Value
from torch.nn.functional import cross_entropy

from nested_ray.datasets.loader import (
    IGNORED,
    Replay,
    batch_digest,
    collate,
    load_batch,
    sample_rows,
)

FEATURES = Features(
    {
        "input_ids": Sequence(Value("uint16")),
        "window_start": Value("int32"),
        "num_window_tokens": Value("int32"),
    }
)
WINDOWS = [[10 + row, 20 + row, 30 + row][: 1 + row % 3] for row in range(9)]


def level_dataset(context: list[int]) -> Dataset:
    return Dataset.from_dict(
        {
            "input_ids": [[*context, 2, *window] for window in WINDOWS],
            "window_start": [len(context) + 1] * len(WINDOWS),
            "num_window_tokens": [len(window) for window in WINDOWS],
        },
        features=FEATURES,
    )


SYNTAX, SEMANTICS = level_dataset([]), level_dataset([3, 99, 98])


def test_padded_rows_by_hand():
    batch = collate(SEMANTICS, np.array([2, 0]), pad_id=0)
    assert batch.input_ids.tolist() == [[3, 99, 98, 2, 12, 22, 32], [3, 99, 98, 2, 10, 0, 0]]
    assert batch.target_ids.tolist() == [[12, 22, 32], [10, IGNORED, IGNORED]]
    assert batch.target_index.tolist() == [[3, 4, 5], [3, 0, 0]]


def test_every_target_is_the_token_after_its_position():
    batch = collate(SEMANTICS, np.arange(9), pad_id=0)
    after = torch.gather(batch.input_ids, 1, batch.target_index + 1)
    real = batch.target_ids != IGNORED
    assert torch.equal(after[real], batch.target_ids[real])


def test_levels_predict_the_same_tokens_of_the_same_batch():
    name = {"seed": 7, "batch_id": "architecture/0/17", "batch_size": 4, "pad_id": 0}
    small, large = load_batch(SYNTAX, **name), load_batch(SEMANTICS, **name)
    assert torch.equal(small.target_ids, large.target_ids)
    assert batch_digest(small) == batch_digest(large)
    assert small.input_ids.shape != large.input_ids.shape


def test_another_seed_or_name_is_another_batch():
    def digest(seed: int, batch_id: str) -> str:
        return batch_digest(
            load_batch(SYNTAX, seed=seed, batch_id=batch_id, batch_size=4, pad_id=0)
        )

    digests = {digest(0, "syntax/0/1"), digest(1, "syntax/0/1"), digest(0, "syntax/0/2")}
    assert len(digests) == 3
    assert digest(0, "syntax/0/1") == digest(0, "syntax/0/1")


def test_rows_are_distinct_and_all_come_up():
    seen = set()
    for counter in range(40):
        rows = sample_rows(9, seed=0, batch_id=f"syntax/0/{counter}", batch_size=4).tolist()
        assert len(set(rows)) == 4
        seen.update(rows)
    assert seen == set(range(9))


def test_a_dataset_smaller_than_a_batch_repeats_rows():
    rows = sample_rows(2, seed=0, batch_id="syntax/0/0", batch_size=8)
    assert len(rows) == 8 and set(rows.tolist()) <= {0, 1}


def test_sampling_does_not_change_between_versions():
    """Paired batches are rebuilt by other processes, perhaps on other machines."""
    rows = sample_rows(1000, seed=3, batch_id="architecture/0/17", batch_size=4)
    assert rows.tolist() == [91, 125, 634, 73]


@pytest.mark.parametrize(("share", "batch_size"), [(0.25, 8), (0.25, 3), (0.1, 4)])
def test_old_rows_have_their_share_of_the_batches(share, batch_size):
    replay = Replay(first_row=700, share=share)
    counts = []
    for number in range(400):
        rows = sample_rows(1000, seed=1, batch_id=str(number), batch_size=batch_size, replay=replay)
        assert len(set(rows.tolist())) == batch_size
        counts.append(int((rows >= 700).sum()))
    assert max(counts) - min(counts) <= 1  # no batch strays further from the share than it must
    # The fraction of a row is drawn 400 times: five standard errors of at most 0.5 / 20.
    assert np.mean(counts) == pytest.approx(share * batch_size, abs=0.125)


def test_replay_is_the_same_wherever_the_batch_is_rebuilt():
    name = {"seed": 3, "batch_id": "architecture/0/17", "batch_size": 4}
    replay = Replay(first_row=990, share=0.5)
    first, again = (sample_rows(1000, **name, replay=replay) for _ in range(2))
    assert first.tolist() == again.tolist()
    assert (first >= 990).sum() == 2


def test_few_old_rows_are_repeated():
    rows = sample_rows(
        101, seed=0, batch_id="a", batch_size=8, replay=Replay(first_row=100, share=0.5)
    )
    assert (rows == 100).sum() == 4


def test_an_empty_dataset_is_refused_by_name():
    with pytest.raises(ValueError, match="syntax/0/0"):
        sample_rows(0, seed=0, batch_id="syntax/0/0", batch_size=2)


def test_padding_is_left_out_of_the_loss():
    batch = collate(SYNTAX, np.array([0, 2]), pad_id=0)
    logits = torch.zeros(*batch.target_ids.shape, 50)
    loss = cross_entropy(logits.flatten(0, 1), batch.target_ids.flatten(), reduction="sum")
    assert loss.item() == pytest.approx(4 * np.log(50), rel=1e-5)

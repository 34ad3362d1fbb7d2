"""One level's steps: learning, teaching, and going on from a checkpoint."""

import dataclasses
import math

import pytest
import torch
from torch.nn import functional as F

from nested_ray.checkpoints import load_state
from nested_ray.config.train import DistillConfig
from nested_ray.datasets.loader import Replay, batch_digest, load_batch
from nested_ray.distill.mailbox import InMemoryExchange, Undelivered
from nested_ray.models import load_model
from nested_ray.train.counters import RecentLosses
from nested_ray.train.lr import averaged_weights
from nested_ray.train.step import StepResult

NAMES = ("syntax", "semantics", "architecture")


def losses_of(trainer, num_steps):
    return [trainer.make_step() for _ in range(num_steps)]


def train_together(trainers, num_steps):
    for _ in range(num_steps):
        for trainer in trainers:
            trainer.make_step()


def test_a_level_alone_learns_the_pattern(make_trainer):
    trainer = make_trainer(max_steps=80)
    losses = [result.ce for result in losses_of(trainer, 80)]
    assert losses[0] == pytest.approx(4.56, abs=0.3)  # ln 96: it knows nothing
    assert sum(losses[-10:]) / 10 < 0.7 * losses[0]
    assert trainer.done


def test_the_first_loss_is_the_plain_cross_entropy_of_the_untrained_model(make_trainer, make_job):
    trainer, reference = make_trainer(), make_trainer().decoder
    batch = load_batch(
        trainer.dataset, seed=1, batch_id="private:syntax/0/0", batch_size=4, pad_id=0
    )
    with torch.no_grad():
        logits_BLV = reference(batch.input_ids).logits
    index_BWV = batch.target_index[:, :, None].expand(-1, -1, logits_BLV.shape[-1])
    logits_NV = logits_BLV.gather(1, index_BWV).flatten(0, 1)
    expected = F.cross_entropy(logits_NV, batch.target_ids.flatten(), ignore_index=-100)
    assert trainer.make_step().ce == pytest.approx(expected.item(), abs=1e-5)


def test_a_level_trains_on_the_old_rows_that_its_job_replays(make_trainer, make_job):
    """All of the batch from the last rows: the loss is that of these rows."""
    replay = Replay(first_row=60, share=1.0)
    trainer, reference = make_trainer(job=make_job(replay=replay)), make_trainer()
    reference.dataset = reference.dataset.select(range(60, 64))  # a batch of 4 is all of them
    assert trainer.make_step().ce == pytest.approx(reference.make_step().ce, abs=1e-5)


def test_every_level_teaches_and_learns(make_trainer, exchange):
    trainers = [make_trainer(name, exchange=exchange, max_steps=40) for name in NAMES]
    train_together(trainers, 40)
    for trainer in trainers:
        assert trainer.counters.targets_used > 0
        assert trainer.counters.targets_published > 0
        assert trainer.counters.targets_lost == 0
    assert exchange.report().bytes_per_token == 100


def test_levels_rebuild_the_same_targets_from_a_batch_id(make_dataset):
    digests = {
        batch_digest(
            load_batch(make_dataset(name), seed=1, batch_id="syntax/0/3", batch_size=4, pad_id=0)
        )
        for name in NAMES
    }
    assert len(digests) == 1


def test_nothing_is_published_during_burn_in(make_trainer, exchange):
    distill = DistillConfig(paired_share=1.0, burn_in_steps=3, ramp_steps=0)
    trainer = make_trainer(exchange=exchange, distill=distill)
    losses_of(trainer, 3)
    assert exchange.report().published == {}
    losses_of(trainer, 1)
    assert exchange.report().published == {"syntax": 1}


def test_an_update_of_two_batches_is_one_of_their_mean_gradient(make_trainer):
    def gradients(trainer, *numbers):
        for number in numbers:
            trainer._learn(number, share=1 / len(numbers))
        return [p.grad.clone() for p in trainer.model.parameters()]

    distill = DistillConfig(paired_share=0.0)
    first, second, both = (make_trainer(distill=distill) for _ in range(3))
    for one, two, mean in zip(
        gradients(first, 0), gradients(second, 1), gradients(both, 0, 1), strict=True
    ):
        torch.testing.assert_close(mean, (one + two) / 2, atol=1e-6, rtol=1e-4)


def test_a_level_that_gathers_gradients_sees_as_many_batches_in_fewer_updates(make_trainer):
    slow, fast = make_trainer(update_every=3), make_trainer()
    losses_of(slow, 2)
    losses_of(fast, 6)
    assert slow.counters.tokens_seen == fast.counters.tokens_seen
    assert (slow.step, fast.step) == (2, 6)
    assert slow.cursor == fast.cursor


def test_a_level_learns_only_from_the_teachers_it_is_given(make_trainer, exchange):
    distill = DistillConfig(
        paired_share=1.0,
        burn_in_steps=0,
        ramp_steps=0,
        teachers={"syntax": ("architecture",), "semantics": ()},
    )
    trainers = {
        name: make_trainer(name, exchange=exchange, distill=distill, max_steps=40) for name in NAMES
    }
    train_together(trainers.values(), 10)
    heard = {
        name: {level for level, box in trainer.peers.pool._records.items() if box}
        for name, trainer in trainers.items()
    }
    assert heard["syntax"] <= {"architecture"}
    assert heard["semantics"] == set()
    assert trainers["semantics"].counters.targets_used == 0
    assert trainers["syntax"].counters.targets_used > 0
    assert trainers["architecture"].counters.targets_used > 0


def test_a_level_that_nobody_listens_to_opens_no_batches_in_turn_and_tells_nothing(
    make_trainer, exchange
):
    distill = DistillConfig(
        paired_share=1.0,
        burn_in_steps=0,
        ramp_steps=0,
        teachers={"semantics": (), "architecture": ()},
    )
    teachers = [make_trainer(name, exchange=exchange, distill=distill) for name in NAMES[1:]]
    student = make_trainer(exchange=exchange, distill=distill)
    assert student.job.openers == NAMES[1:]
    train_together(teachers, 8)
    losses_of(student, 8)
    assert student.cursor.num_opened == 0
    assert student.counters.targets_used > 0
    assert "syntax" not in exchange.report().published


def test_records_of_another_tokenizer_are_left_out_and_counted(make_trainer, exchange):
    distill = DistillConfig(paired_share=1.0, burn_in_steps=0, ramp_steps=0)
    stranger = make_trainer(
        "architecture", exchange=exchange, distill=distill, tokenizer_hash="other"
    )
    trainer = make_trainer(exchange=exchange, distill=distill)
    losses_of(stranger, 3)  # its turn to open a batch is the third
    losses_of(trainer, 3)
    assert trainer.counters.targets_used == 0
    assert trainer.counters.targets_lost > 0


def test_records_of_rows_that_this_level_does_not_have_are_left_out(make_trainer, exchange):
    distill = DistillConfig(paired_share=1.0, burn_in_steps=0, ramp_steps=0)
    stranger = make_trainer("architecture", exchange=exchange, distill=distill, seed=2)
    trainer = make_trainer(exchange=exchange, distill=distill)
    losses_of(stranger, 3)  # its turn to open a batch is the third
    losses_of(trainer, 3)
    assert (trainer.counters.targets_used, trainer.counters.targets_lost > 0) == (0, True)


def test_levels_with_different_batch_sizes_share_the_smaller_one(make_trainer, exchange):
    trainers = [
        make_trainer(name, exchange=exchange, max_steps=40, micro_batch_size=size)
        for name, size in zip(NAMES, (8, 6, 4), strict=True)
    ]
    train_together(trainers, 40)
    assert all(trainer.counters.targets_used > 0 for trainer in trainers)


def test_a_solo_run_makes_the_same_share_of_paired_steps(make_trainer):
    trainer = make_trainer(max_steps=12)
    losses_of(trainer, 12)
    assert list(trainer.cursor.trained) == [f"syntax/0/{number}" for number in range(6)]
    assert trainer.counters.targets_published == 0


def test_a_resumed_run_repeats_the_uninterrupted_loss_curve(make_trainer, tmp_path):
    exchange = InMemoryExchange(keep=64)
    teachers = [make_trainer(name, exchange=exchange, max_steps=30) for name in NAMES[1:]]
    train_together(teachers, 30)

    uninterrupted = make_trainer(exchange=exchange, max_steps=24)
    losses_of(uninterrupted, 10)
    uninterrupted.save(tmp_path)
    expected = losses_of(uninterrupted, 14)

    resumed = make_trainer(exchange=exchange, max_steps=24, model_dir=tmp_path)
    resumed.restore(load_state(tmp_path, rank=0))
    assert resumed.step == 10
    assert losses_of(resumed, 14) == expected
    mine, theirs = resumed.counters, uninterrupted.counters
    assert dataclasses.replace(mine, train_seconds=0) == dataclasses.replace(
        theirs, train_seconds=0
    )
    assert resumed.cursor == uninterrupted.cursor
    assert mine.targets_used > 0


def test_a_resumed_worker_draws_the_random_numbers_that_would_have_come(make_trainer, tmp_path):
    trainer = make_trainer()
    losses_of(trainer, 1)
    torch.manual_seed(5)
    trainer.save(tmp_path)
    expected = torch.rand(4)
    torch.manual_seed(6)
    resumed = make_trainer(model_dir=tmp_path)
    resumed.restore(load_state(tmp_path, rank=0))
    assert torch.equal(torch.rand(4), expected)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_an_update_whose_gradient_is_not_finite_is_left_out(make_trainer, bad):
    trainer = make_trainer()
    losses_of(trainer, 2)
    before = {name: value.clone() for name, value in trainer.decoder.state_dict().items()}
    parameter = next(trainer.model.parameters())
    poison = parameter.register_hook(lambda grad: torch.full_like(grad, bad))
    result = trainer.make_step()
    poison.remove()
    assert not math.isfinite(result.grad_norm)
    assert trainer.step == 3
    for name, value in trainer.decoder.state_dict().items():
        assert torch.equal(value, before[name])
    assert math.isfinite(trainer.make_step().ce)


def test_a_loss_that_is_not_finite_is_left_out_of_the_means():
    recent = RecentLosses()
    for ce in (2.0, float("nan"), 3.0):
        recent.add(StepResult(ce=ce, kd=None, accuracy=0.5, grad_norm=1.0, num_tokens=1))
    assert recent.ce == pytest.approx(0.95 * 2.0 + 0.05 * 3.0)


def test_a_run_may_go_on_for_longer_than_it_was_first_given(make_trainer, tmp_path):
    first = make_trainer(max_steps=4)
    losses_of(first, 4)
    first.save(tmp_path)
    longer = make_trainer(max_steps=6, model_dir=tmp_path)
    longer.restore(load_state(tmp_path, rank=0))
    assert (first.done, longer.done) == (True, False)
    losses_of(longer, 2)
    assert longer.done
    assert longer.counters.tokens_seen > first.counters.tokens_seen
    shorter = make_trainer(max_steps=3, model_dir=tmp_path)
    shorter.restore(load_state(tmp_path, rank=0))
    assert (shorter.done, shorter.step) == (True, 4)


def test_a_worker_added_to_a_run_goes_on_from_its_step_and_counts_only_its_own(
    make_trainer, tmp_path
):
    first = make_trainer()
    losses_of(first, 4)
    first.save(tmp_path)
    added = make_trainer(model_dir=tmp_path)
    added.rank = 1
    added.restore(load_state(tmp_path, rank=1))
    assert (added.step, added.counters.tokens_seen) == (4, 0)
    assert added.cursor == first.cursor


def test_saving_does_not_change_the_run(make_trainer, tmp_path):
    plain, saving = make_trainer(), make_trainer()
    losses_of(plain, 4)
    losses_of(saving, 4)
    saving.save(tmp_path)
    # eval() and train() move the weights there and back: equal up to rounding
    assert saving.make_step().ce == pytest.approx(plain.make_step().ce, abs=1e-4)


def test_the_saved_model_is_the_averaged_one(make_trainer, tmp_path):
    trainer = make_trainer()
    losses_of(trainer, 5)
    trainer.save(tmp_path)
    training = {name: value.clone() for name, value in trainer.decoder.state_dict().items()}
    saved = load_model(tmp_path).state_dict()
    name = "model.layers.0.mlp.up_proj.weight"
    assert not torch.equal(saved[name], training[name])
    with averaged_weights(trainer.optimizer):
        torch.testing.assert_close(saved[name], trainer.decoder.state_dict()[name])


def test_what_the_exchange_could_not_deliver_is_counted_across_restarts(make_trainer, tmp_path):
    trainer = make_trainer()
    trainer.peers.undelivered = lambda: Undelivered(dropped=3, lost=2)
    losses_of(trainer, 1)
    trainer.save(tmp_path)
    resumed = make_trainer(model_dir=tmp_path)
    resumed.restore(load_state(tmp_path, rank=0))
    resumed.peers.undelivered = lambda: Undelivered(dropped=1, lost=1)
    losses_of(resumed, 1)
    assert (resumed.counters.targets_dropped, resumed.counters.targets_lost) == (4, 3)

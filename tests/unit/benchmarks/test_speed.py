"""What the measurements of steps and targets compare: the same work, and arithmetic worked out by hand."""

import math

import pytest
import torch
from torch.nn import functional

from nested_ray.benchmarks.overhead import StepTimes, Twins, at_once, measure_overhead
from nested_ray.benchmarks.overhead import to_markdown as overhead_table
from nested_ray.benchmarks.setting import start_decoder
from nested_ray.benchmarks.targets import (
    Errors,
    costs_table,
    full_kl,
    gold_only,
    hybrid_gradient,
    measure_cost,
    renormalised,
)
from nested_ray.benchmarks.throughput import ALONE, BARE, Pace, Throughput, labelled, rows
from nested_ray.benchmarks.throughput import to_markdown as throughput_table
from nested_ray.benchmarks.together import prepared
from nested_ray.distill.mailbox import InMemoryExchange

LEVELS = ("syntax", "semantics", "architecture")


def test_throughput_is_tokens_over_the_median_round_and_ratios_are_per_round():
    result = Throughput(
        steps=2,
        tokens_per_step=100,
        rounds={
            ALONE: [Pace(1.0, 0.5), Pace(2.0, 1.0), Pace(4.0, 0.8)],
            BARE: [Pace(1.0, 0.4), Pace(3.0, 1.0), Pace(4.0, 1.2)],
        },
    )
    assert result.tokens_per_second(ALONE, "wall_s") == 100  # 200 tokens in 2 s
    assert result.ratios(BARE, "cpu_s") == pytest.approx([0.8, 1.0, 1.5])
    table = throughput_table(result)
    assert (
        "| bare PyTorch loop | 200 | 67 | 1.00 × (0.80 to 1.50) | 1.00 × (1.00 to 1.50) |" in table
    )


def test_the_trainer_beside_us_is_given_the_same_rows_and_learns_the_same_loss(
    make_job, make_dataset
):
    from nested_ray.datasets.loader import collate

    job, dataset = make_job("semantics"), make_dataset("semantics")
    inputs = labelled(job, dataset, range(job.level.budget.micro_batch_size))
    decoder = start_decoder(job)
    batch = prepared(collate(dataset, rows(job, dataset, 0), pad_id=job.pad_id))
    with torch.no_grad():
        theirs = decoder(**inputs).loss
        logits_BLV = decoder(input_ids=inputs["input_ids"]).logits
    rows_B1 = torch.arange(len(logits_BLV))[:, None]
    logits_NV = logits_BLV[rows_B1, batch.target_index_BW][batch.valid_BW]
    ours = functional.cross_entropy(logits_NV, batch.gold_ids_N)
    assert theirs.item() == pytest.approx(ours.item(), abs=1e-5)


def test_what_the_exchange_adds_is_a_share_of_the_median_step():
    times = StepTimes(
        "syntax",
        on=(1.0, 2.2, 2.1),
        off=(1.0, 2.0, 2.0),
        exchange_s=0.53,
        targets_used=1,
    )
    assert times.added.tolist() == pytest.approx([0.0, 0.1, 0.05])
    assert times.mean_added == pytest.approx(5.3 / 5.0 - 1)
    assert times.exchange_share == pytest.approx(0.1)
    assert "| syntax | 2000 ms | +5.0% | +9.9% | +6.0% | 10.0% | 1 |" in overhead_table(
        [times], 100
    )


def test_twins_train_on_the_same_batches_with_and_without_exchange(make_job, make_dataset):
    jobs = [make_job(name) for name in LEVELS]
    datasets = {name: make_dataset(name) for name in LEVELS}
    dtypes = dict.fromkeys(LEVELS, torch.float32)
    exchange = InMemoryExchange(keep=32)
    result = measure_overhead(jobs, datasets, dtypes, lambda level: exchange, steps=8)
    assert [len(level.on) for level in result] == [len(level.off) for level in result] == [6] * 3
    assert exchange.report().bytes_per_token == 100
    assert any(level.targets_used > 0 for level in result)

    twins = Twins(at_once(jobs[0], 4), datasets, dtypes, exchange=None)
    for _ in range(4):
        twins.make_step()
    assert twins.off.batches == twins.on.batches


def test_errors_are_relative_to_the_full_gradient_per_token_and_summed():
    errors = Errors()
    errors.add(torch.tensor([[1.0, 1.0]]), torch.tensor([[1.0, 0.0]]))
    errors.add(torch.tensor([[2.0, -1.0]]), torch.tensor([[2.0, 0.0]]))
    # Per token 1/1 and 1/2; in the sum the two errors cancel.
    assert errors.relative() == pytest.approx((0.75, 0.0))


def test_gradients_of_all_targets_agree_where_a_teacher_is_certain():
    teacher_NV = torch.zeros(2, 64)
    gold_N = torch.tensor([3, 40])
    teacher_NV[[0, 1], gold_N] = 60.0
    student_NV = torch.randn(2, 64, generator=torch.Generator().manual_seed(0))
    kl_N, full_NV = full_kl(student_NV, teacher_NV)
    cross_entropy_N = functional.cross_entropy(student_NV, gold_N, reduction="none")
    torch.testing.assert_close(kl_N, cross_entropy_N)
    for gradient in (hybrid_gradient, renormalised(4), gold_only):
        torch.testing.assert_close(
            gradient(student_NV, teacher_NV, gold_N), full_NV, atol=1e-4, rtol=0
        )


def test_renormalised_targets_leave_out_what_lies_outside_them():
    teacher_1V = torch.log(torch.tensor([[0.5, 0.25, 0.125, 0.125]]))
    gradient_1V = renormalised(2)(torch.zeros(1, 4), teacher_1V, torch.tensor([0]))
    by_hand = [0.25 - 2 / 3, 0.25 - 1 / 3, 0.25, 0.25]
    assert gradient_1V[0].tolist() == pytest.approx(by_hand)


def test_costs_are_measured_for_records_of_a_hundred_bytes():
    cost = measure_cost(512, rounds=1)
    assert cost.bytes_per_token == 100
    assert all(math.isfinite(us) and us > 0 for us in (cost.encode_us, cost.pack_us))
    assert "| 512 |" in costs_table([cost])

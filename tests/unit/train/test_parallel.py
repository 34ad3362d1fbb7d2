"""Two workers, whole or shared out, learn what one worker learns from the same batches."""

from functools import partial

import pytest
import torch
from safetensors.torch import load_file

from nested_ray.checkpoints import load_state
from nested_ray.config.levels import LevelConfig
from nested_ray.config.train import DistillConfig
from nested_ray.distill.mailbox import InMemoryExchange
from nested_ray.distill.recorded import Recording, RecordingExchange, ReplayedExchange
from nested_ray.errors import ConfigError
from nested_ray.train.parallel import agreed_dtype
from tests.unit.train.conftest import tiny_dataset, tiny_job, tiny_trainer
from tests.unit.train.workers import (
    BothWorkers,
    Run,
    ThreeWorkers,
    WideBatch,
    in_workers,
    learn,
    learn_in_two_workers,
    trainer_of,
)

LORA = {
    "model": {"type": "pretrained", "source": "unused", "lora": {"rank": 4}},
    "lr": {"peak": 4e-3},
}
ADAPTIVE = {"lr": {"type": "adaptive"}}
HALF = {"dtype": torch.bfloat16}


def job(make_job, *, update_every=1, level=None, distill=None, **budget):
    made = make_job(update_every=update_every, distill=distill)
    values = {"name": "syntax", "kind": "syntax", "weight": 0.3, **(level or {})}
    values["budget"] = {**made.level.budget.model_dump(), **budget}
    return made.model_copy(update={"level": LevelConfig.from_values(values)})


def rows_of_one_length():
    return tiny_dataset("syntax").select([row for row in range(64) if row % 3])


def close(steps):
    """Equal but for the order of fp32 sums."""
    return [pytest.approx(step, rel=5e-5) for step in steps]


def lesson(folder, num_reads=9):
    """What a level that sees more has told about the batches that it opened, read at once by every worker."""
    exchange = InMemoryExchange(keep=32)
    teacher = tiny_trainer("architecture", exchange=exchange, max_steps=60)
    while not teacher.done:
        teacher.make_step()
    recording, last = RecordingExchange(exchange, folder), 0
    for _ in range(num_reads):
        last = max([last, *(number for number, _, _ in recording.unread("syntax", last))])
    recording.close()
    return Recording(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("parallel")


@pytest.fixture(scope="module")
def two(folder):
    """What two workers measured in every run below; their processes are started once."""

    def ddp(steps=3, update_every=1, level=None, distill=None, **run):
        made = job(tiny_job, update_every=update_every, level=level, distill=distill)
        return Run(made, steps, **run)

    def fsdp(steps=3, update_every=1, level=None, distill=None, checkpointing=False, **run):
        budget = {"sharding": "full", "activation_checkpointing": checkpointing}
        made = job(tiny_job, update_every=update_every, level=level, distill=distill, **budget)
        return Run(made, steps, **run)

    told = lesson(folder / "lesson")

    def taught(**distill):
        values = {"paired_share": 0.75, "burn_in_steps": 1, "ramp_steps": 1, **distill}
        changes = {"exchange": ReplayedExchange(told)}
        return {"steps": 9, "distill": DistillConfig(**values), "changes": changes}

    runs = {
        "ddp": ddp(9, save=folder / "ddp"),
        "fsdp": fsdp(9, save=folder / "fsdp"),
        "fsdp from ddp": fsdp(1, checkpoint=folder / "ddp"),
        "ddp from fsdp": ddp(1, checkpoint=folder / "fsdp"),
        "fsdp from fsdp": fsdp(1, checkpoint=folder / "fsdp"),
        "ddp, full rows": ddp(changes={"dataset": rows_of_one_length()}),
        "ddp, gathering": ddp(2, update_every=2),
        "fsdp, gathering": fsdp(2, update_every=2),
        "fsdp, checkpointing": fsdp(checkpointing=True),
        "ddp, adaptive": ddp(level=ADAPTIVE),
        "fsdp, adaptive": fsdp(level=ADAPTIVE),
        "ddp, lora": ddp(level=LORA),
        "fsdp, lora": fsdp(level=LORA, save=folder / "lora"),
        "fsdp, lora again": fsdp(1, level=LORA, checkpoint=folder / "lora"),
        "ddp, taught": ddp(**taught()),
        "fsdp, taught": fsdp(**taught()),
        "fsdp, deaf": fsdp(**taught(weight=0.0)),
        "ddp, bf16": ddp(changes=HALF),
        "fsdp, bf16": fsdp(changes=HALF),
    }
    return learn_in_two_workers(runs, folder)


def choose_formats(rank):
    """What is agreed on when rank 0 alone, and when both, found bf16 faster."""
    cpu, own = torch.device("cpu"), [torch.bfloat16, torch.float32][rank]
    return [str(agreed_dtype(dtype, cpu, 2)) for dtype in (own, torch.bfloat16)]


def test_workers_compute_in_one_format_whatever_each_has_measured(tmp_path):
    expected = ["torch.float32", "torch.bfloat16"]
    assert in_workers(choose_formats, tmp_path) == [expected, expected]
    assert agreed_dtype(torch.bfloat16, torch.device("cpu"), 1) is torch.bfloat16


def test_two_workers_learn_what_one_learns_from_their_batches(two, make_job, folder):
    run = Run(job(make_job, update_every=2), 9, save=folder / "one")
    expected = learn({"": run}, kind=BothWorkers)[""]
    wanted = load_file(folder / "one" / "model.safetensors")
    for kind in ("ddp", "fsdp"):
        assert two[kind] == close(expected), kind
        learned = load_file(folder / kind / "model.safetensors")
        torch.testing.assert_close(learned, wanted, rtol=0, atol=2e-5)


def test_a_batch_in_two_halves_is_the_batch_in_one_piece(two, make_job):
    # Rows of one length: each half's mean then counts as many tokens.
    whole = Run(job(make_job), 3, changes={"dataset": rows_of_one_length()})
    assert two["ddp, full rows"] == close(learn({"": whole}, kind=WideBatch)[""])


def test_a_checkpoint_goes_on_with_weights_whole_shared_out_and_on_one_worker(
    two, make_job, folder
):
    expected = close([two["fsdp"][-1]])
    for name in ("fsdp from fsdp", "ddp from fsdp", "fsdp from ddp"):
        assert two[name] == expected, name
    one = Run(job(make_job, update_every=2), 1, checkpoint=folder / "fsdp")
    assert learn({"": one}, kind=BothWorkers)[""] == expected


def go_on(rank, run):
    """The next step of one of three workers, and its count of tokens."""
    trainer = trainer_of(run, rank=rank, world_size=3)
    result = trainer.make_step()
    return trainer.step, result.ce, result.grad_norm, trainer.counters.tokens_seen


def test_two_workers_become_three(two, make_job, folder, tmp_path):
    run = Run(job(make_job, sharding="full"), checkpoint=folder / "ddp")
    steps, losses, norms, counts = zip(
        *in_workers(partial(go_on, run=run), tmp_path, 3), strict=True
    )
    one = Run(job(make_job, update_every=3), 1, checkpoint=folder / "ddp")
    assert [(sum(losses) / 3, norms[0])] == close(learn({"": one}, kind=ThreeWorkers)[""])
    assert set(steps) == {10} and len(set(norms)) == 1
    before = [load_state(folder / "ddp", rank=rank).cursor["counters"] for rank in range(2)]
    new = [count - old["tokens_seen"] for count, old in zip(counts, before, strict=False)] + [
        counts[2]
    ]
    # Four rows of 16 tokens at most: the third one counts its own step alone.
    assert all(4 * 11 <= count <= 4 * 16 for count in new)


def test_a_checkpoint_of_shared_out_weights_is_a_checkpoint_as_any_other(two, folder):
    names = [sorted(path.name for path in (folder / kind).iterdir()) for kind in ("fsdp", "ddp")]
    assert names[0] == names[1]
    for file in ("model.safetensors", "optimizer.safetensors"):
        shapes = [
            {
                name: (tensor.shape, tensor.dtype)
                for name, tensor in load_file(folder / kind / file).items()
            }
            for kind in ("fsdp", "ddp")
        ]
        assert shapes[0] == shapes[1]


def test_gathered_gradients_are_the_mean_of_all_batches(two, make_job):
    one = learn({"": Run(job(make_job, update_every=4), 2)}, kind=BothWorkers)[""]
    assert two["ddp, gathering"] == close(one)
    assert two["fsdp, gathering"] == close(one)


def test_shared_out_weights_learn_alike_with_checkpointed_layers_adapters_and_a_moving_rate(two):
    assert two["fsdp, checkpointing"] == close(two["fsdp"][:3])
    assert two["fsdp, adaptive"] == close(two["ddp, adaptive"])
    assert two["fsdp, lora"][:3] == close(two["ddp, lora"])
    assert two["fsdp, lora again"] == close([two["fsdp, lora"][-1]])


def test_shared_out_weights_learn_alike_from_a_peer(two):
    """Three in four steps are on shared batches, and of these two in three on the peer's."""
    assert two["fsdp, taught"] == close(two["ddp, taught"])
    assert two["fsdp, taught"][0] == two["fsdp, deaf"][0]  # nobody listens in the burn-in
    assert two["fsdp, taught"][-1] != pytest.approx(two["fsdp, deaf"][-1], rel=1e-3)


def test_in_bf16_shared_out_weights_differ_by_their_rounding_alone(two):
    assert two["fsdp, bf16"] == [pytest.approx(step, rel=0.01) for step in two["ddp, bf16"]]
    assert two["fsdp, bf16"] != two["fsdp"][:3]


def test_prodigy_and_shared_out_weights_are_refused(make_job):
    with pytest.raises(ConfigError, match="take schedule_free or adaptive"):
        job(make_job, level={"lr": {"type": "prodigy"}}, sharding="full")

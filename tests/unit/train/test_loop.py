"""The loop as Ray Train runs it, in this process, without a cluster."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch
from ray.train import RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer

from nested_ray.checkpoints import load_state
from nested_ray.models import load_model
from nested_ray.train import loop

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture
def fit(make_job, make_dataset, tmp_path):
    """One level trained here: its job and Ray Train's result."""
    make_dataset("syntax").save_to_disk(str(tmp_path / "data"))

    def trained(**changes):
        job = make_job(dataset_dir=str(tmp_path / "data"), **changes)
        trainer = TorchTrainer(
            loop.train_loop_per_worker,
            train_loop_config=job.to_dict(),
            scaling_config=ScalingConfig(num_workers=0),
            run_config=RunConfig(name="syntax", storage_path=str(tmp_path / "ray")),
        )
        return job, trainer.fit()

    return trained


def test_a_level_trains_to_its_last_step_and_reports_its_model(fit):
    job, result = fit(max_steps=7)
    assert result.metrics["step"] == 7
    assert result.metrics["ce"] == pytest.approx(4.5, abs=0.4)
    with result.checkpoint.as_directory() as directory:
        assert load_state(directory, rank=0).cursor["step"] == 7
        assert load_model(directory).config.vocab_size == job.vocab_size


def test_a_cancelled_level_saves_what_it_has_learned(fit, monkeypatch):
    @contextmanager
    def board_of_an_interrupted_run(job, trainer):
        class Board:
            @property
            def cancelled(self):
                return trainer.step == 3

        yield Board()

    monkeypatch.setattr(loop, "open_board", board_of_an_interrupted_run)
    _, result = fit(max_steps=90)
    assert result.return_value["step"] == 3
    with result.checkpoint.as_directory() as directory:
        assert load_state(directory, rank=0).cursor["step"] == 3


def test_every_worker_of_a_level_stops_when_one_hears_of_it(make_trainer, monkeypatch):
    trainer, told = make_trainer(), SimpleNamespace(cancelled=True)
    assert loop.is_cancelled(trainer, told)
    assert not loop.is_cancelled(trainer, None)
    trainer.world_size = 2
    monkeypatch.setattr(loop, "sum_over_ranks", lambda totals, device: {"cancelled": 1.0})
    assert loop.is_cancelled(trainer, SimpleNamespace(cancelled=False))


def test_a_level_goes_on_from_the_newest_checkpoint_that_is_whole(
    fit, make_trainer, tmp_path, caplog
):
    storage, first = tmp_path / "ray" / "syntax", make_trainer(max_steps=7)
    for num_steps, name in ((3, "checkpoint_a"), (2, "checkpoint_b")):
        for _ in range(num_steps):
            first.make_step()
        first.save(storage / name)
    (storage / "checkpoint_b" / "optimizer.safetensors").write_bytes(b"")
    (storage / "checkpoint_c").mkdir()
    _, result = fit(max_steps=7, checkpoints_dir=str(storage))
    for _ in range(2):
        first.make_step()
    assert result.return_value["step"] == 7
    assert result.return_value["tokens_seen"] == first.counters.tokens_seen
    # The one that saved twice has made one more rounding error.
    assert result.return_value["ce"] == pytest.approx(first.recent.ce, abs=1e-4)
    (said,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "syntax goes on from step 3" in said
    assert "checkpoint_b/optimizer.safetensors" in said
    assert "checkpoint_c has no readable manifest.json" in said


def test_a_resumed_level_multiplies_in_the_format_it_began_with(
    make_trainer, make_job, monkeypatch
):
    job, decoder = make_job(), make_trainer().decoder  # precision: fp32
    monkeypatch.setattr(loop.ray.train.torch, "get_device", lambda: torch.device("cpu"))
    assert loop.autocast_dtype(job, decoder, {}) is torch.float32
    saved = {"device": "cpu", "dtype": "bfloat16"}
    assert loop.autocast_dtype(job, decoder, saved) is torch.bfloat16
    assert loop.autocast_dtype(job, decoder, saved | {"device": "cuda"}) is torch.float32

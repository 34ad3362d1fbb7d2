"""The loop as Ray Train runs it, in this process, without a cluster."""

import pytest
from ray.train import RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer

from nested_ray.checkpoints import load_state
from nested_ray.models import load_model
from nested_ray.train.loop import train_loop_per_worker


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_level_trains_to_its_last_step_and_reports_its_model(make_job, make_dataset, tmp_path):
    make_dataset("syntax").save_to_disk(str(tmp_path / "data"))
    job = make_job(max_steps=7, dataset_dir=str(tmp_path / "data"))
    trainer = TorchTrainer(
        train_loop_per_worker,
        train_loop_config=job.to_dict(),
        scaling_config=ScalingConfig(num_workers=0),
        run_config=RunConfig(name="syntax", storage_path=str(tmp_path / "ray")),
    )
    result = trainer.fit()
    assert result.metrics["step"] == 7
    assert result.metrics["ce"] == pytest.approx(4.5, abs=0.4)
    with result.checkpoint.as_directory() as directory:
        assert load_state(directory, rank=0).cursor["step"] == 7
        assert load_model(directory).config.vocab_size == job.vocab_size

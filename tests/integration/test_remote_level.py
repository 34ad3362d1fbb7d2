"""A remote level beside a trained one on a local Ray: it teaches, is counted, and leaves its key nowhere."""

import pytest
import ray
from datasets import Dataset

from nested_ray.config.train import TokenizerConfig, TrainConfig
from nested_ray.datasets.tokenizer import NestTokenizer
from nested_ray.train.fit import fit_levels
from nested_ray.train.fit_report import fit_from_dict, fit_to_dict, remote_sentence
from tests.unit.train.remote_server import KEY, Model, serving

TEXT = "".join(
    f"def area_{number}(width, height):\n    size = width * height\n    return size\n\n\n"
    for number in range(40)
)
WINDOW = 40

# Ray Train imports pydantic v1 style models and its own deprecated modules.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        patch.setenv("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.25")
        patch.setenv("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")
        patch.delenv("RAY_ADDRESS", raising=False)
        context = ray.init(
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=100 << 20,
            _temp_dir=str(tmp_path_factory.getbasetemp().parent / "r"),
            log_to_driver=False,
            logging_level="ERROR",
        )
        patch.setenv("RAY_ADDRESS", context.address_info["address"])
        yield
        ray.shutdown()


def config(base_url):
    budget = {"max_steps": 60, "micro_batch_size": 4, "checkpoint_every_steps": 30}
    senior = {"type": "remote", "base_url": base_url, "model": "large", "api_key_env": "SENIOR_KEY"}
    return TrainConfig.from_values(
        {
            "name": "tiny",
            "corpus": {"sources": [{"type": "folder", "path": "unused"}]},
            "windows": {"window_tokens": WINDOW},
            "distill": {"burn_in_steps": 2, "ramp_steps": 2, "paired_share": 0.5},
            "levels": [
                {"name": "syntax", "kind": "syntax", "weight": 1, "budget": budget},
                {"name": "senior", "model": senior},
            ],
        }
    )


def test_a_remote_level_teaches_and_leaves_its_key_nowhere(cluster, tmp_path, monkeypatch):
    monkeypatch.setenv("SENIOR_KEY", KEY)
    tokenizer = NestTokenizer.train([TEXT], TokenizerConfig(vocab_size=512))
    tokenizer.save(tmp_path / "tokenizer.json")
    ids = tokenizer.encode(TEXT)
    rows = [ids[at : at + WINDOW] for at in range(0, len(ids) - WINDOW, WINDOW // 2)]
    Dataset.from_list(
        [
            {
                "input_ids": [tokenizer.window, *row],
                "window_start": 1,
                "num_window_tokens": WINDOW,
            }
            for row in rows
        ]
    ).save_to_disk(str(tmp_path / "syntax"))
    with serving(Model([TEXT])) as base_url:
        fit = fit_levels(
            config(base_url),
            datasets={"syntax": tmp_path / "syntax"},
            tokenizer_hash=tokenizer.hash,
            vocab_size=tokenizer.vocab_size,
            run_dir=tmp_path / "run",
            tokenizer_file=tmp_path / "tokenizer.json",
        )
    costs = fit.remote["senior"]
    assert list(fit.levels) == ["syntax"]
    assert fit.levels["syntax"].steps == 60
    assert 0 < fit.levels["syntax"].targets_used <= costs["batches"]
    assert fit.levels["syntax"].targets_lost == 0
    assert fit.exchange.published["senior"] <= costs["batches"]
    assert costs["failures"] == 0 and not costs["silent_because"]
    assert fit_from_dict(fit_to_dict(fit)) == fit
    assert f"{costs['requests']:,} requests" in remote_sentence("senior", costs)
    kept = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert "remote-senior.json" in {path.name for path in kept}
    assert not any(KEY.encode() in path.read_bytes() for path in kept)

"""Levels that train side by side on a local Ray, and what is left when parts of it are killed."""

import contextlib
import os
import shutil
import signal
from collections import Counter

import psutil
import pytest
import ray
import torch
from ray.util import list_named_actors
from safetensors.torch import load_file

from nested_ray.checkpoints import load_state, newest_whole, step_of
from nested_ray.distill.exchange import ExchangeReport
from nested_ray.errors import LevelFailed
from nested_ray.models import load_model
from nested_ray.train.fit import NAMESPACE
from tests.integration.tiny_fit import NAMES, VOCAB_SIZE, config, datasets, fit, made_again

__all__ = ["datasets"]  # a fixture

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
            num_cpus=4,
            include_dashboard=False,
            object_store_memory=150 << 20,
            _temp_dir=str(tmp_path_factory.getbasetemp().parent / "f"),
            log_to_driver=False,
            logging_level="ERROR",
        )
        patch.setenv("RAY_ADDRESS", context.address_info["address"])
        yield
        ray.shutdown()


def ray_processes():
    """What the processes below this one call themselves, up to their first blank or dot."""
    return [title for title, _ in titled_processes()]


def named_processes(title):
    return [process for each, process in titled_processes() if each == title]


def titled_processes():
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            found.append((" ".join(process.cmdline()).split(" ")[0].split(".")[0], process))
    return found


def kill_exchange():
    (name,) = [
        actor["name"]
        for actor in list_named_actors(all_namespaces=True)
        if actor["namespace"] == NAMESPACE and actor["name"].startswith("exchange-")
    ]
    ray.kill(ray.get_actor(name, namespace=NAMESPACE), no_restart=False)


def test_three_levels_learn_from_each_other_though_the_exchange_dies(cluster, datasets, tmp_path):
    killed = []

    def kill_once(snapshot):
        if not killed and min(level.step for level in snapshot.values()) >= 40:
            killed.append(True)
            processes.extend(ray_processes())
            kill_exchange()

    processes = []
    report = fit(config(max_steps=160), datasets, tmp_path, on_progress=kill_once)
    assert killed
    # Of each of these one per level, and none of what they go without.
    counted = Counter(processes)
    for title in ("RayTrainWorker", "SynchronizationActor", "TrainController"):
        assert counted[f"ray::{title}"] == 3
    assert not counted.keys() & {
        "ray::DatasetManager",
        "ray::PlacementGroupCleaner",
        "ray::_AutoscalingCoordinatorActor",
    }
    assert report.exchange.bytes_per_token == 100
    assert (
        0
        < sum(report.exchange.published.values())
        < sum(  # counted since it came back
            level.targets_published for level in report.levels.values()
        )
    )
    assert set(report.exchange.delivered) == set(NAMES)
    assert sum(level.targets_used for level in report.levels.values()) > 0
    for name in NAMES:
        level = report.levels[name]
        assert level.steps == 160
        assert level.tokens_seen == 160 * 4 * 32
        assert level.targets_published > 0
        assert level.train_loss < 6.4  # ln 600: knowing nothing
        assert sorted(p.name for p in level.model_dir.iterdir()) == [
            "config.json",
            "model.safetensors",
        ]
        assert load_model(level.model_dir).config.vocab_size == VOCAB_SIZE
    assert not [a for a in list_named_actors(all_namespaces=True) if a["namespace"] == NAMESPACE]


def test_a_level_goes_on_though_its_controller_dies_and_the_other_does_not_notice(
    cluster, datasets, tmp_path
):
    killed, pids, steps = [], {}, {}

    def kill_once(snapshot):
        if not killed and min(level.step for level in snapshot.values()) >= 60:
            pids.update({name: level.pids for name, level in snapshot.items()})
            killed.append(named_processes("ray::TrainController")[0])
            killed[0].kill()
        for name, level in snapshot.items():
            if killed and level.pids and level.pids != pids[name]:
                steps.setdefault(name, level.step)

    names = ("syntax", "semantics")
    exact = {name: {"precision": "fp32"} for name in names}
    settings = config(max_steps=240, names=names, record=True, **exact)
    report = fit(settings, datasets, tmp_path, on_progress=kill_once)
    assert {name: report.levels[name].steps for name in names} == dict.fromkeys(names, 240)
    (step,) = steps.values()
    assert step >= 40  # a checkpoint every 20 steps

    # What both heard was recorded: with it each comes out the same as if nobody had killed it.
    assert sum(level.targets_used for level in report.levels.values()) > 0
    for name, mine in made_again(settings, datasets, tmp_path, tmp_path / "again").items():
        theirs = newest_whole((tmp_path / "ray" / name).glob("checkpoint_*/")).folder
        assert_same_checkpoint(mine, theirs)


def assert_same_checkpoint(mine, theirs):
    for file in ("model.safetensors", "optimizer.safetensors"):
        weights, expected = load_file(mine / file), load_file(theirs / file)
        assert weights.keys() == expected.keys()
        different = [name for name in expected if not torch.equal(weights[name], expected[name])]
        assert not different
    one, other = (load_state(folder, rank=0).cursor for folder in (mine, theirs))
    for part in ("step", "pairing", "recent", "newest_step", "in_hand"):
        assert one[part] == other[part]


def test_a_killed_worker_goes_on_and_a_level_without_a_place_fails_alone(
    cluster, datasets, tmp_path
):
    settings = config(
        max_steps=200, names=("syntax", "architecture"), architecture={"use_gpu": True}
    )
    killed, steps_after_restart, said = [], [], set()

    def kill_once(snapshot):
        said.update(snapshot["architecture"].notes)
        level = snapshot["syntax"]
        if not killed and level.step >= 60:
            killed.append(level.pids[0])
            os.kill(level.pids[0], signal.SIGKILL)
        if killed and level.num_restarts and level.pids[0] != killed[0]:
            steps_after_restart.append(level.step)

    with pytest.raises(LevelFailed) as failure:
        fit(settings, datasets, tmp_path, placement_timeout_s=4, on_progress=kill_once)
    assert "training of architecture failed" in str(failure.value)
    assert "syntax finished" in str(failure.value)
    assert "GPU: 1 asked for, 0 there" in str(failure.value)
    (sentence,) = said  # told while the run went on
    assert sentence.startswith("architecture has no place")
    assert killed
    assert min(steps_after_restart) >= 40  # from a checkpoint, not from the beginning
    assert max(steps_after_restart) == 200

    # Started again without the level that has no place: nothing is trained twice.
    again = fit(config(max_steps=200, names=("syntax",)), datasets, tmp_path, solo=True)
    assert again.levels["syntax"].steps == 200
    assert again.levels["syntax"].tokens_seen == 200 * 4 * 32

    # And for longer: it goes on from there.
    longer = fit(config(max_steps=210, names=("syntax",)), datasets, tmp_path, solo=True)
    assert longer.levels["syntax"].steps == 210
    assert longer.levels["syntax"].tokens_seen == 210 * 4 * 32
    assert longer.exchange == ExchangeReport()


@pytest.mark.timeout(600)  # four starts of a group of workers
def test_a_level_of_two_workers_survives_one_and_goes_on_with_one_and_with_three(
    cluster, datasets, tmp_path
):
    def settings(max_steps, num_workers, **budget):
        budget |= {"num_workers": num_workers}
        return config(max_steps=max_steps, names=("syntax",), syntax=budget)

    killed, steps_after_restart = [], []

    def kill_one(snapshot):
        level = snapshot["syntax"]
        if not killed and level.step >= 60 and len(level.pids) == 2:
            killed.extend(level.pids)
            os.kill(killed[1], signal.SIGKILL)
        if killed and level.num_restarts and not set(level.pids) & set(killed):
            steps_after_restart.append(level.step)

    def learned(steps, num_workers, **budget):
        made = settings(steps, num_workers, **budget)
        report = fit(made, datasets, tmp_path, solo=True, on_progress=kill_one)
        level = report.levels["syntax"]
        assert load_model(level.model_dir).config.vocab_size == VOCAB_SIZE
        return level.steps, level.tokens_seen / (4 * 32)

    assert learned(300, 2) == (300, 2 * 300)  # nothing is counted twice, nothing lost
    assert killed
    assert min(steps_after_restart) >= 40  # from a checkpoint, not from the beginning
    # The counts of the worker that is gone are missing; those that come count their own steps.
    assert learned(310, 1) == (310, 310)
    assert learned(320, 3, sharding="full") == (320, 320 + 10 + 10)


def test_an_interrupted_run_goes_on_from_the_step_it_was_interrupted_at(
    cluster, datasets, tmp_path
):
    settings = config(max_steps=5000, names=("syntax",), syntax={"checkpoint_every_steps": 5000})
    seen = []

    def interrupt(snapshot):
        seen.append(snapshot["syntax"].step)
        if seen[-1] >= 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(settings, datasets, tmp_path, solo=True, on_progress=interrupt)
    assert seen[-1] < 5000
    again = fit(config(max_steps=1, names=("syntax",)), datasets, tmp_path, solo=True)
    assert seen[-1] <= again.levels["syntax"].steps < 5000


def test_a_level_goes_on_whatever_happened_to_its_checkpoints(cluster, datasets, tmp_path):
    storage = tmp_path / "ray" / "syntax"

    def train(max_steps):
        report = fit(config(max_steps=max_steps, names=("syntax",)), datasets, tmp_path, solo=True)
        level = report.levels["syntax"]
        assert (level.steps, level.tokens_seen) == (max_steps, max_steps * 4 * 32)
        return report.notes

    def checkpoints():
        """By step, oldest first."""
        return sorted(storage.glob("checkpoint_*/"), key=step_of)

    assert train(50) == ()
    assert [step_of(folder) for folder in checkpoints()] == [40, 50]

    weights = checkpoints()[-1] / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    (note,) = train(60)
    assert "syntax goes on from step 40" in note
    assert f"{weights} should have sha256" in note

    # What it went on from stays, and not the damaged one.
    assert [step_of(folder) for folder in checkpoints()] == [40, 60]

    shutil.rmtree(checkpoints()[-1])  # Ray Train alone would refuse to start
    (checkpoints()[0] / "manifest.json").unlink()
    gone, anew = train(20)
    assert f"{storage}/checkpoint_" in gone and "is gone" in gone
    assert "none of syntax's checkpoints is whole, so it begins anew at step 0" in anew

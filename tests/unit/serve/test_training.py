"""Training over HTTP without a cluster: the jobs are a list, everything else is real."""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ray.exceptions import RayTaskError

from nested_ray.api.training import TrainRequest
from nested_ray.config.levels import ScheduleFreeLR
from nested_ray.config.serve import TrainingServeConfig
from nested_ray.config.storage import StorageConfig
from nested_ray.config.train import TrainConfig
from nested_ray.errors import ConfigError, InvalidRequest, LevelUnavailable, RateLimited
from nested_ray.serve.app import build_training
from nested_ray.serve.clients import translated
from nested_ray.serve.ray_jobs import JobState, entrypoint
from nested_ray.serve.training import TrainingDesk, last_error, refused
from nested_ray.serve.training_config import check_path, session_config
from nested_ray.serve.training_server import TrainingServer

TRAIN = "/api/v1/nested-learning/train"
TINY = Path(__file__).parents[2] / "data" / "train" / "tiny.yaml"
SAMPLE = {"path": "lib/area.py", "text": "def area(a, b):\n    return a * b\n"}
KEY_HASH = "2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683"  # sha256 of "key"


@dataclass
class ListedJobs:
    """Jobs that do what a test says."""

    states: dict[str, JobState] = field(default_factory=dict)
    configs: dict[str, Path] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)
    is_down: bool = False

    def submit(self, job_id: str, config: Path) -> None:
        if self.is_down:
            raise LevelUnavailable("the job API does not answer")
        self.states[job_id], self.configs[job_id] = "RUNNING", config

    def state(self, job_id: str) -> JobState | None:
        return self.states.get(job_id)

    def log(self, job_id: str) -> str:
        return self.logs.get(job_id, "")

    def stop(self, job_id: str) -> None:
        self.stopped.append(job_id)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Office:
    """A site whose training goes to listed jobs."""

    def __init__(self, home: Path, make_site: Any, **settings: Any) -> None:
        self.home, self.clock, self.jobs = home, Clock(), ListedJobs()
        self.configs = home / "allowed"
        self.configs.mkdir(parents=True)
        (self.configs / "tiny.yaml").write_text(TINY.read_text())
        self.settings = TrainingServeConfig(
            enabled=True, configs_dir=str(self.configs), **{"max_concurrent": 1, **settings}
        )
        self._make_site = make_site
        self._servers: list[TrainingServer] = []
        self.restart()

    def restart(self) -> None:
        """The replica is replaced; files and jobs stay."""
        desk = TrainingDesk(self.settings, self.home, self.jobs, self.clock)
        self._servers.append(TrainingServer(desk))
        self.site = self._make_site(trainer=self._servers[-1], training=self.settings.model_dump())

    def close(self) -> None:
        for server in self._servers:
            server.close()

    def start(self, **body: Any):
        return self.site.request("POST", TRAIN, json={"train_config": "tiny", **body})

    def started(self, **body: Any) -> str:
        response = self.start(**body)
        assert response.status_code == 202, response.text
        return response.json()["id"]

    def get(self, session: str) -> dict[str, Any]:
        response = self.site.request("GET", f"{TRAIN}/{session}")
        assert response.status_code == 200, response.text
        return response.json()

    def post(self, session: str, verb: str):
        return self.site.request("POST", f"{TRAIN}/{session}/{verb}")

    def run_folder(self, session: str) -> Path:
        folder = self.home / "runs" / f"{session}-1"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def journal(self, session: str, level: str, step: int, after_s: float, **values: Any) -> None:
        line = {"time": self.clock.now + after_s, "level": level, "step": step, **values}
        with (self.run_folder(session) / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")

    def finish(self, session: str, version: int, attempt: int = 1) -> None:
        folder = self.run_folder(session)
        (folder / "fit.json").write_text("{}")
        (folder / "finished.json").write_text(json.dumps({"version": version}))
        self.jobs.states[f"{session}-{attempt}"] = "SUCCEEDED"


@pytest.fixture
def make_office(tmp_path, make_site):
    made: list[Office] = []

    def make(**settings: Any) -> Office:
        made.append(Office(tmp_path / f"home-{len(made)}", make_site, **settings))
        return made[-1]

    yield make
    for office in made:
        office.close()


@pytest.fixture
def office(make_office) -> Office:
    return make_office()


def test_nothing_is_trained_where_the_operator_did_not_ask_for_it(site):
    assert site.request("POST", TRAIN, json={"train_config": "tiny"}).status_code == 404
    assert "train" not in site.request("GET", "/").json()["native"]


def test_a_session_runs_the_allowed_config_under_its_own_name(office):
    session = office.started()
    config = TrainConfig.from_yaml(office.jobs.configs[f"{session}-1"])
    assert config == TrainConfig.from_yaml(TINY).model_copy(update={"name": session})
    found = office.get(session)
    assert (found["status"], found["model"], found["attempts"]) == ("training", "tiny", 1)
    assert [each["name"] for each in found["levels"]] == ["syntax", "semantics", "architecture"]
    assert (found["progress"], found["estimated_s"], found["version"]) == (0, None, None)


def test_code_that_is_sent_is_learned_from_a_folder_of_the_session(office):
    sent = [SAMPLE, {"path": "Модуль.bsl", "text": "\ufeffПроцедура П()\r\nКонецПроцедуры\r\n"}]
    session = office.started(dataset=sent)
    [source] = TrainConfig.from_yaml(office.jobs.configs[f"{session}-1"]).corpus.sources
    assert source.type == "folder"
    folder = Path(source.path)
    assert folder.is_relative_to(office.home / "training" / session)
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == {"lib/area.py", "Модуль.bsl"}
    assert [(folder / each["path"]).read_bytes().decode() for each in sent] == [
        each["text"] for each in sent
    ]


def test_levels_may_differ_from_the_config(office):
    change = {"max_steps": 7, "batch_size": 2, "weight": 0.9, "learning_rate": 0.001}
    session = office.started(
        levels=["architecture", "syntax"], config={"syntax": {"focus": "semantics", **change}}
    )
    config = TrainConfig.from_yaml(office.jobs.configs[f"{session}-1"])
    first, second = config.levels
    assert [first.name, second.name] == ["syntax", "architecture"]
    assert (first.kind, first.weight) == ("semantics", 0.9)
    assert first.lr == ScheduleFreeLR(peak=0.001)
    assert (first.budget.max_steps, first.budget.micro_batch_size) == (7, 2)
    assert second == TrainConfig.from_yaml(TINY).levels[2]
    told = office.get(session)["levels"]
    assert [(each["focus"], each["max_steps"]) for each in told] == [
        ("semantics", 7),
        ("architecture", 60),
    ]


REMOTE = "{type: remote, base_url: 'http://localhost:9/v1', model: large}"


def test_what_is_said_of_levels_left_out_goes_with_them(office):
    text = TINY.read_text() + "review: {levels: [semantics, syntax]}\n"
    text += "continual: {update_every: {syntax: 2, semantics: 3}}\n"
    text += f"remote_levels: [{{name: senior, model: {REMOTE}}}]\n"
    text = text.replace(
        "distill: {", "distill: {teachers: {syntax: [architecture, semantics, senior]}, "
    )
    (office.configs / "taught.yaml").write_text(text)
    request = TrainRequest(train_config="taught", levels=("syntax", "architecture"))
    config = session_config(request, office.settings, session="s", corpus=Path("/nowhere"))
    assert config.distill.teachers == {"syntax": ("architecture", "senior")}
    assert config.review.levels == ("syntax",)
    assert config.continual.update_every == {"syntax": 2}


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ({"train_config": "other"}, "train_config: 'other' is not allowed here; allowed are tiny"),
        ({"train_config": "../allowed/tiny"}, "train_config: "),
        ({"train_config": str(TINY)}, "train_config: "),
        ({"model": "default"}, "model: 'default' may not be trained here; this config trains tiny"),
        ({"levels": ["syntax", "wisdom"]}, "levels.1: 'wisdom'"),
        ({"levels": []}, "levels: "),
        ({"config": {"wisdom": {}}}, "config.wisdom: "),
        ({"levels": ["syntax"], "config": {"semantics": {}}}, "config.semantics: "),
        ({"config": {"syntax": {"max_steps": 10_001}}}, "at most 10000 are allowed"),
        ({"config": {"syntax": {"batch_size": 65}}}, "at most 64 are allowed"),
        ({"config": {"syntax": {"focus": "wisdom"}}}, "config.syntax.focus: "),
        ({"config": {"syntax": {"preset": "huge"}}}, "config.syntax.preset: unknown field"),
        ({"dataset": []}, "dataset: "),
        ({"dataset": "/etc"}, "dataset: "),
        ({"dataset": [SAMPLE, SAMPLE]}, "dataset.1.path: lib/area.py was sent twice"),
        ({"dataset": [SAMPLE, {"path": "lib", "text": ""}]}, "dataset.0.path: lib was sent as a"),
        ({"dataset": [{"path": "../x.py", "text": ""}]}, "dataset.0.path: "),
        ({"dataset": [{"path": "/etc/x.py", "text": ""}]}, "dataset.0.path: "),
        ({"dataset": [{"path": ".git/config", "text": ""}]}, "dataset.0.path: "),
        ({"dataset": [{"path": "a\x00.py", "text": ""}]}, "dataset.0.path: "),
        ({"dataset": [{"path": "я" * 101, "text": ""}]}, "dataset.0.path: at most"),
        ({"corpus": {"sources": [{"type": "folder", "path": "/etc"}]}}, "corpus: unknown field"),
    ],
)
def test_what_may_not_be_asked_for_is_a_400_that_names_it(office, body, part):
    response = office.start(**body)
    assert response.status_code == 400
    assert part in response.json()["error"]["message"]
    assert office.jobs.configs == {}
    assert not (office.home / "training").exists()


@given(
    st.text(min_size=1, max_size=40) | st.lists(st.sampled_from(["a", "..", ".", ""])).map("/".join)
)
def test_a_path_that_passes_stays_in_its_folder(path):
    try:
        check_path(path, "path")
    except InvalidRequest:
        return
    root = Path("/home/session/corpus")
    placed = root / path
    assert placed.is_relative_to(root) and ".." not in placed.parts and placed != root
    assert str(placed) == f"{root}/{path}"


def test_a_browser_cannot_be_made_to_start_a_training(office):
    response = office.site.request("POST", TRAIN, content=b'{"train_config": "tiny"}')
    assert response.status_code == 400
    assert "Content-Type" in response.json()["error"]["message"]


def test_progress_is_what_the_runs_journal_says(office):
    session = office.started()
    for step, after_s in ((10, 1.0), (30, 5.0)):  # 0.2 s a step, 30 to go
        office.journal(session, "syntax", step, after_s, loss=4.0, accuracy=0.3, targets_used=2)
    for step, after_s in ((10, 1.0), (15, 6.0)):  # 1 s a step, 45 to go
        office.journal(session, "semantics", step, after_s, loss=2.0, accuracy=0.5)
    found = office.get(session)
    syntax, semantics, architecture = found["levels"]
    assert (syntax["step"], syntax["progress"], syntax["targets_used"]) == (30, 0.5, 2)
    assert (syntax["estimated_s"], semantics["estimated_s"]) == pytest.approx((6, 45))
    assert (architecture["state"], architecture["estimated_s"]) == ("waiting", None)
    assert found["current_level"] == "architecture"
    assert found["progress"] == pytest.approx(45 / 180)
    assert found["metrics"]["loss"] == pytest.approx((0.3 * 4 + 0.5 * 2) / 0.8)
    assert found["metrics"]["accuracy"] == pytest.approx((0.3 * 0.3 + 0.5 * 0.5) / 0.8)
    assert found["estimated_s"] is None  # one level's speed is not known yet
    for step, after_s in ((30, 1.0), (40, 2.0)):
        office.journal(session, "architecture", step, after_s)
    found = office.get(session)
    assert (found["estimated_s"], found["current_level"]) == (pytest.approx(45), "semantics")


def test_steps_made_again_after_a_restart_count_once(office):
    session = office.started()
    for step, after_s in ((20, 1.0), (30, 2.0), (20, 100.0), (25, 101.0)):
        office.journal(session, "syntax", step, after_s)
    with (office.run_folder(session) / "metrics.jsonl").open("a") as file:
        file.write('{"level": "syntax", "st')  # being written just now
    [syntax, *_] = office.get(session)["levels"]
    assert (syntax["step"], syntax["estimated_s"]) == (25, pytest.approx(0.2 * 35))


def test_a_session_ends_with_a_version_and_the_next_one_is_estimated_by_it(office):
    session = office.started()
    for level, pace in (("syntax", 0.5), ("semantics", 1.0), ("architecture", 2.0)):
        for step in (10, 60):
            office.journal(session, level, step, step * pace)
    (office.run_folder(session) / "fit.json").write_text("{}")
    assert office.get(session)["status"] == "evaluating"
    office.jobs.logs[f"{session}-1"] = "one\n\ntwo\n"
    office.finish(session, 4)
    found = office.get(session)
    assert (found["status"], found["version"], found["progress"]) == ("finished", "tiny@4", 1)
    assert (found["log"], found["error"]) == (["one", "two"], None)
    assert (found["estimated_s"], found["current_level"]) == (None, None)
    following = office.start(config={"architecture": {"max_steps": 100}}).json()
    assert following["estimated_s"] == pytest.approx(200)


def test_a_failure_is_told_in_the_runs_own_words_and_can_be_resumed(office):
    session = office.started()
    log = "… reading\nerror: corpus: every file was rejected;\nsend more of them\n"
    office.jobs.states[f"{session}-1"] = "FAILED"
    office.jobs.logs[f"{session}-1"] = log
    found = office.get(session)
    assert found["status"] == "failed"
    assert found["error"] == "corpus: every file was rejected; send more of them"
    response = office.post(session, "resume")
    assert (response.status_code, response.json()["attempts"]) == (202, 2)
    assert office.get(session)["status"] == "training"
    configs = office.jobs.configs
    assert configs[f"{session}-2"] == configs[f"{session}-1"]  # so that the run goes on


@pytest.mark.parametrize(
    ("log", "error"),
    [
        ("", "the job ended without a word"),
        ("killed\n", "killed"),
        ("error: no\n", "no"),
        ("error: a\nmore\nerror: b\n", "b"),
    ],
)
def test_the_last_error_is_found_in_any_log(log, error):
    assert last_error(log) == error


def test_a_cancelled_session_keeps_what_it_learned_and_goes_on(office):
    session = office.started()
    assert office.post(session, "cancel").json()["status"] == "cancelling"
    assert office.jobs.stopped == [f"{session}-1"]
    early = office.post(session, "resume")
    assert early.status_code == 400 and "still being cancelled" in early.text
    office.jobs.states[f"{session}-1"] = "STOPPED"
    assert office.get(session)["status"] == "cancelled"
    again = office.post(session, "cancel")
    assert again.status_code == 400 and "nothing to cancel" in again.text
    assert office.post(session, "resume").json()["status"] == "training"


def test_a_cancel_that_comes_too_late_changes_nothing(office):
    session = office.started()
    office.post(session, "cancel")
    office.finish(session, 2)
    office.jobs.states[f"{session}-1"] = "STOPPED"
    assert office.get(session)["status"] == "finished"
    assert office.post(session, "resume").status_code == 400


def test_sessions_wait_for_each_other(make_office):
    office = make_office(max_queued=1)
    first, second = office.started(), office.started()
    assert office.get(second)["status"] == "queued"
    third = office.start()
    assert third.status_code == 429 and int(third.headers["Retry-After"]) > 0
    office.finish(first, 1)
    listed = office.site.request("GET", TRAIN).json()["sessions"]
    assert {each["id"]: each["status"] for each in listed} == {
        first: "finished",
        second: "training",
    }


def test_a_queued_session_is_cancelled_without_a_job(office):
    office.started()
    queued = office.started()
    assert office.post(queued, "cancel").json()["status"] == "cancelled"
    assert office.jobs.stopped == []


def test_only_so_many_sessions_start_in_an_hour(make_office):
    office = make_office(sessions_per_hour=2)
    office.started()
    office.clock.now += 600
    office.started()
    office.restart()  # the count outlives the replica
    refused = office.start()
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "3001"
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    office.clock.now += 3001
    office.started()


def test_sessions_outlive_the_replica(office):
    running, queued = office.started(), office.started()
    office.restart()
    assert office.get(running)["status"] == "training"
    assert office.get(queued)["status"] == "queued"
    office.finish(running, 3)
    office.restart()
    assert office.get(running)["version"] == "tiny@3"


def test_a_session_whose_cluster_was_restarted_goes_on(office):
    session = office.started()
    office.jobs.states.clear()
    office.restart()
    office.site.request("GET", TRAIN)
    assert office.get(session)["status"] == "training"
    assert f"{session}-2" in office.jobs.states


def test_a_session_waits_while_the_job_api_is_down(office):
    office.jobs.is_down = True
    session = office.started()
    assert office.get(session)["status"] == "queued"
    office.jobs.is_down = False
    office.site.request("GET", TRAIN)
    assert (office.get(session)["status"], office.get(session)["attempts"]) == ("training", 1)


def test_a_session_that_cannot_be_read_hides_no_other(office):
    session = office.started()
    broken = office.home / "training" / "train-broken"
    broken.mkdir()
    (broken / "session.json").write_text('{"id": ')
    office.restart()
    assert [each["id"] for each in office.site.request("GET", TRAIN).json()["sessions"]] == [
        session
    ]


def test_unknown_sessions_are_404(office):
    for method, path in (("GET", ""), ("POST", "/cancel"), ("POST", "/resume")):
        response = office.site.request(method, f"{TRAIN}/train-0{path}")
        assert response.status_code == 404
        assert response.json()["error"]["code"] == "session_not_found"


def test_every_route_asks_for_the_key(make_site, office):
    site = make_site(trainer=object(), api_key_hashes=[KEY_HASH])
    routes = [("POST", TRAIN), ("GET", TRAIN), ("GET", f"{TRAIN}/x")]
    routes += [("POST", f"{TRAIN}/x/{verb}") for verb in ("cancel", "resume")]
    assert {site.request(method, path).status_code for method, path in routes} == {401}


def test_the_job_runs_this_installations_command_where_serving_was_started(tmp_path):
    folder = tmp_path / "a folder; echo"
    command = entrypoint(folder, folder / "config.yaml", "10.0.0.1:6379")
    assert command.startswith(f"cd '{folder}' && exec env RAY_ADDRESS=10.0.0.1:6379 ")
    assert command.endswith(f"nested-ray train '{folder / 'config.yaml'}'")


def test_when_to_ask_again_crosses_processes():
    refusal = pickle.loads(pickle.dumps(refused("too many", 1234)))
    with pytest.raises(RateLimited, match="too many") as found, translated("training"):
        raise RayTaskError("start", "traceback", refusal)
    assert found.value.retry_after_s == 1234


def test_an_empty_folder_of_configs_is_told_when_serving_starts(tmp_path):
    settings = TrainingServeConfig(enabled=True, configs_dir=str(tmp_path))
    with pytest.raises(ConfigError, match=r"training\.configs_dir"):
        build_training(settings, StorageConfig(home=tmp_path))
    assert build_training(TrainingServeConfig(), StorageConfig(home=tmp_path)) is None

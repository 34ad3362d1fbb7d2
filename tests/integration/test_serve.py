"""A registered nest behind real Ray Serve, real storage and real HTTP; one cluster for the whole module."""

from __future__ import annotations

import math
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import openai
import pytest
import yaml

from nested_ray.config.storage import StorageConfig
from nested_ray.registry.connection import connect

from .tiny_nest import publish_tiny_nest

PATIENCE_S = 180 * float(os.environ.get("NESTED_RAY_TEST_PATIENCE", "1"))
# The models are random. Behind a file that is broken already nothing is held against what they say.
BROKEN = ")\n"
PROMPT = f"{BROKEN}def mean(values):\n    if not "
HEALTH = "/api/v1/nested-learning/health"
INFER = "/api/v1/nested-learning/infer"
CONFIG = {
    "proxy_location": "HeadOnly",
    "applications": [
        {
            "name": "nested-ray",
            "route_prefix": "/",
            "import_path": "nested_ray.serve.app:build_app",
            "args": {
                "levels": {"semantics": {"max_ongoing_requests": 1, "max_queued_requests": 1}},
                "routing": {
                    "confidence_threshold": 0.0,
                    "ab_split": [
                        {"name": "old", "version": "champion", "weight": 1},
                        {"name": "new", "version": "candidate", "weight": 1},
                    ],
                },
            },
        }
    ],
}


@dataclass
class Served:
    """A running `nested-ray serve`."""

    url: str
    process: subprocess.Popen[bytes]
    http: httpx.Client

    @property
    def client(self) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key="unused", max_retries=0)

    def complete(self, **body: object) -> httpx.Response:
        return self.http.post("/v1/completions", json={"prompt": PROMPT, **body})


@pytest.fixture(scope="module")
def served(storage: StorageConfig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("serve")
    with connect(storage, use_actor=False) as registry:
        for number in (1, 2):
            publish_tiny_nest(
                registry, folder / f"nest-{number}", run_id=f"serve/{number}", seed=10 * number
            )
        registry.promote("default", 1)
        registry.promote("default", 2, alias="candidate")
    config, log = folder / "serve.yaml", folder / "out.log"
    config.write_text(yaml.safe_dump(CONFIG))
    port = free_port()
    process = start(config, port, storage.home, log)
    try:
        wait_until_up(process, log)
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=url, timeout=60, trust_env=False) as http:
            yield Served(url, process, http)
    finally:
        stop(process)


def start(config: Path, port: int, home: Path, log: Path) -> subprocess.Popen[bytes]:
    """The command as a user types it, with a home and a Ray of its own."""
    ours = ("RAY_", "DATABASE_URL", "REDIS_URL", "AWS_", "NESTED_RAY_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    environment["NESTED_RAY_HOME"] = str(home)
    command = [str(Path(sys.executable).with_name("nested-ray")), "serve", str(config)]
    with log.open("wb") as output:
        return subprocess.Popen(
            [*command, "--port", str(port)],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=config.parent,
            start_new_session=True,
        )


def wait_until_up(process: subprocess.Popen[bytes], log: Path) -> None:
    """Until the command prints its URLs, which it does when every level has answered."""
    deadline = time.monotonic() + PATIENCE_S
    while not any(line.startswith("API ") for line in log.read_text().splitlines()):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ctrl-C, after which nothing that was started may be left."""
    started = descendants(process.pid)
    process.send_signal(signal.SIGINT)
    try:
        process.wait(90)
    finally:
        left = [pid for pid in started if is_alive(pid)]
        for pid in left:
            os.kill(pid, signal.SIGKILL)
    assert not left, f"left behind: {left}"


def free_port() -> int:
    with socket.socket() as each:
        each.bind(("127.0.0.1", 0))
        return each.getsockname()[1]


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def descendants(pid: int) -> list[int]:
    """Every process of the session that `start` opened; embedded servers lead sessions of their own."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != pid:
            try:
                session = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[3])
            except OSError:
                continue
            if session == pid:
                found.append(int(entry.name))
    return found


def replica_of(served: Served, level: str) -> int:
    name = f"ServeReplica:nested-ray:{level}"
    [pid] = [pid for pid in descendants(served.process.pid) if name in command_line(pid)]
    return pid


def test_the_official_client_completes_lists_and_streams(served):
    client = served.client
    assert [model.id for model in client.models.list()] == [
        "auto",
        "ensemble",
        "syntax",
        "semantics",
        "architecture",
    ]
    asked = {"model": "architecture", "prompt": PROMPT, "max_tokens": 24, "user": "u"}
    whole = client.completions.create(**asked)
    *chunks, usage = client.completions.create(
        **asked, stream=True, stream_options={"include_usage": True}
    )
    assert "".join(chunk.choices[0].text for chunk in chunks) == whole.choices[0].text
    assert whole.usage.completion_tokens == usage.usage.completion_tokens
    assert chunks[-1].choices[0].finish_reason == whole.choices[0].finish_reason
    for nested in (whole.nested, chunks[-1].nested):
        assert nested["level"] == "architecture"
        assert nested["versions"]["architecture"] in ("default@1", "default@2")


def test_a_long_stream_begins_before_it_ends_and_comes_in_few_pieces(served):
    stream = served.client.completions.create(
        model="architecture",
        prompt=f"{BROKEN}x = 1\n",
        max_tokens=200,
        stream=True,
        user="long",
        temperature=1.0,
    )
    chunks = list(stream)
    assert 1 < len(chunks) < 200
    assert chunks[0].choices[0].finish_reason is None


def test_stop_strings_end_the_answer_and_are_not_part_of_it(served):
    plain = served.complete(max_tokens=24, user="s").json()["choices"][0]["text"]
    assert len(plain) > 4
    stop = plain[3]
    stopped = served.complete(max_tokens=24, user="s", stop=stop).json()["choices"][0]
    assert stopped["text"] == plain[: plain.index(stop)]
    assert stopped["finish_reason"] == "stop"


def test_n_choices_are_reproducible_by_their_seed_and_ordered_by_confidence(served):
    asked = {"n": 4, "temperature": 1.5, "seed": 11, "max_tokens": 8, "user": "n"}
    first, again = served.complete(**asked).json(), served.complete(**asked).json()
    texts = [choice["text"] for choice in first["choices"]]
    assert texts == [choice["text"] for choice in again["choices"]]
    assert len(set(texts)) > 1
    ranks = [
        (choice["nested"]["parses"] is not False, choice["nested"]["confidence"])
        for choice in first["choices"]
    ]
    assert ranks == sorted(ranks, reverse=True)


def test_logprobs_add_up_to_the_confidence(served):
    body = served.complete(logprobs=3, max_tokens=8, user="l").json()
    logprobs = body["choices"][0]["logprobs"]
    mean = sum(logprobs["token_logprobs"]) / len(logprobs["token_logprobs"])
    assert body["nested"]["confidence"] == pytest.approx(math.exp(mean))
    assert all(len(top) == 3 for top in logprobs["top_logprobs"])
    assert "".join(logprobs["tokens"]).endswith(body["choices"][0]["text"])


def test_the_same_question_comes_from_redis_the_second_time(served):
    asked = {"prompt": f"cached = {time.time_ns()}\nx = ", "max_tokens": 8, "user": "c"}
    first, again = served.complete(**asked).json(), served.complete(**asked).json()
    assert (first["nested"]["cached"], again["nested"]["cached"]) == (False, True)
    assert [choice["text"] for choice in again["choices"]] == [
        choice["text"] for choice in first["choices"]
    ]
    assert again["nested"]["latency"]["engine_ms"] == 0


def test_every_user_keeps_the_arm_and_the_arm_its_version(served):
    version_of = {"old": "default@1", "new": "default@2"}
    arms: dict[str, str] = {}
    for attempt in range(2):
        for user in (f"user-{number}" for number in range(10)):
            nested = served.complete(user=user, max_tokens=1 + attempt).json()["nested"]
            assert nested["versions"]["syntax"] == version_of[nested["arm"]]
            assert arms.setdefault(user, nested["arm"]) == nested["arm"]
    assert set(arms.values()) == {"old", "new"}


def test_all_levels_vote_in_an_ensemble(served):
    body = served.http.post(
        INFER, json={"input": PROMPT, "use_all_levels": True, "user": "e"}
    ).json()
    assert body["action"] == "ensemble"
    assert set(body["versions"]) == {"syntax", "semantics", "architecture"}
    assert sum(body["level_contributions"].values()) == pytest.approx(1)
    assert min(body["level_contributions"].values()) > 0


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"model": "gpt-4"}, 404, "there is no model 'gpt-4'; use auto, ensemble, syntax"),
        ({"prompt": "x = 1\n" * 60_000}, 400, "tokens"),
        ({"prompt": "x" * 1_100_000}, 413, "larger than 1,000,000 bytes"),
        ({"max_tokens": "many"}, 400, "max_tokens"),
    ],
)
def test_what_cannot_be_served_is_refused_with_what_to_change(served, body, status, message):
    response = served.complete(**body)
    assert response.status_code == status
    assert message in response.json()["error"]["message"]


@pytest.mark.parametrize(
    "prompt", ["", "\0", "\ufffe\U0010ffff", "\r\n" * 50, "(" * 5000, "<|fim_prefix|><|window|>"]
)
def test_strange_text_is_completed(served, prompt):
    response = served.complete(prompt=prompt, suffix=prompt, max_tokens=4)
    assert response.status_code == 200, response.text


def test_too_many_requests_are_told_to_come_back(served):
    def ask(number: int) -> httpx.Response:
        prompt = f"burst = {number}\n"
        return served.complete(model="semantics", prompt=prompt, max_tokens=64, temperature=1.0)

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(ask, range(12)))
    codes = {answer.status_code for answer in answers}
    assert codes == {200, 429}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert int(refused.headers["retry-after"]) >= 1
    assert "try again" in refused.json()["error"]["message"]


def long_answer(served: Served) -> tuple[dict[str, object], float]:
    """A request whose answer goes on until max_tokens, and how long the engine needs for it."""
    for seed in range(50):
        asked: dict[str, object] = {
            "model": "architecture",
            "prompt": f"{BROKEN}x = 1\n",
            "max_tokens": 400,
            "temperature": 1.5,
            "seed": seed,
            "user": "d",
        }
        body = served.complete(**asked).json()
        if body["choices"][0]["finish_reason"] == "length":
            return asked, body["nested"]["latency"]["engine_ms"]
    raise AssertionError("no seed gave a long answer")


def test_a_client_that_leaves_frees_the_level(served):
    asked, whole_ms = long_answer(served)
    # log-probabilities make it another question for the cache, and the same answer
    streamed = {**asked, "stream": True, "logprobs": 1}
    with served.http.stream("POST", "/v1/completions", json=streamed) as response:
        next(response.iter_lines())
    after = served.complete(model="architecture", prompt=f"y = {time.time_ns()}", max_tokens=1)
    assert after.json()["nested"]["latency"]["queue_ms"] < whole_ms / 2


def test_haproxy_listens_on_loopback_only(served):
    [haproxy] = [
        pid for pid in descendants(served.process.pid) if "bin/haproxy -db" in command_line(pid)
    ]
    sockets = {
        match[1]
        for link in Path(f"/proc/{haproxy}/fd").iterdir()
        if (match := re.match(r"socket:\[(\d+)\]", os.readlink(link)))
    }
    listening = [
        fields[1].split(":")[0]
        for table in ("tcp", "tcp6")
        for fields in map(str.split, Path(f"/proc/net/{table}").read_text().splitlines()[1:])
        if fields[3] == "0A" and fields[9] in sockets
    ]
    assert len(listening) == 3  # the door, its metrics and its statistics
    assert set(listening) == {"0100007F"}


def test_the_death_of_a_level_is_bridged_by_the_next_and_healed(served):
    victim = replica_of(served, "syntax")
    os.kill(victim, signal.SIGKILL)
    levels: set[str] = set()
    deadline = time.monotonic() + PATIENCE_S
    number = 0
    while True:
        number += 1
        answer = served.complete(prompt=f"alive = {number}\n", max_tokens=2, user="k")
        assert answer.status_code == 200, answer.text
        levels.add(answer.json()["nested"]["level"])
        health = served.http.get(HEALTH)
        if health.json()["status"] == "ok" and replica_of(served, "syntax") != victim:
            break
        assert time.monotonic() < deadline, health.text
        time.sleep(0.1)
    assert served.complete(model="syntax", max_tokens=2).status_code == 200
    assert levels <= {"syntax", "semantics", "architecture"}

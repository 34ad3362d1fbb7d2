"""Train → register → serve → complete → kill → serve again, as a user does it."""

from __future__ import annotations

import json
import signal

import boto3
import httpx
import psycopg
import pytest
from openai import OpenAI

from tests.e2e.conftest import TINY, Shell

pytestmark = pytest.mark.timeout(900)

SWAPPED = "import os\n\n\ndef area(width, height):\n    return width * width\n\n\nprint(area(2))\n"
CIRCLE = [
    {
        "path": "shop/orders.py",
        "text": "from shop import stock\n\n\ndef order():\n    stock.take()\n",
    },
    {
        "path": "shop/stock.py",
        "text": "from shop import orders\n\n\ndef take():\n    orders.order()\n",
    },
]
PROMPT = "import os\n\n\ndef read(path: str) -> str:\n    with open(path) as file:\n        return "


@pytest.fixture(scope="module")
def trained(shell: Shell, tmp_path_factory, module_port):
    """The main command until it is up, what it showed, and how it ended on Ctrl-C."""
    log = tmp_path_factory.mktemp("run") / "run.log"
    with shell.started("run", TINY, "--port", str(module_port), log=log) as command:
        command.wait_for_text("up until Ctrl-C")
        answers = ask(module_port)
        rows, objects = look_into_storage(shell)
        command.process.send_signal(signal.SIGINT)
        code = command.process.wait(timeout=120)
        shell.wait_until_nothing_runs()
        yield {
            "code": code,
            "printed": command.printed,
            "rows": rows,
            "objects": objects,
            **answers,
        }


@pytest.fixture(scope="module")
def module_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(port: int) -> dict:
    with OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none") as client:
        whole = client.completions.create(model="auto", prompt=PROMPT, max_tokens=16)
        pieces = list(
            client.completions.create(model="syntax", prompt=PROMPT, max_tokens=16, stream=True)
        )
        direct = client.completions.create(model="syntax", prompt=PROMPT, max_tokens=16)
        models = [model.id for model in client.models.list()]
    infer = httpx.post(
        f"http://127.0.0.1:{port}/api/v1/nested-learning/infer",
        json={"input": PROMPT, "use_all_levels": True},
        timeout=60,
    )
    return {
        "whole": whole.model_dump(),
        "streamed": "".join(piece.choices[0].text for piece in pieces if piece.choices),
        "direct": direct.choices[0].text,
        "models": models,
        "infer": infer.json(),
        "review": post(
            port, "review", files=[{"path": "a.py", "text": SWAPPED}], min_confidence=0.0
        ),
        "architecture": post(port, "architecture", files=CIRCLE),
    }


def post(port: int, route: str, **body: object) -> dict:
    url = f"http://127.0.0.1:{port}/api/v1/nested-learning/{route}"
    return httpx.post(url, json=body, timeout=120).raise_for_status().json()


def look_into_storage(shell: Shell) -> tuple[list, dict[str, int]]:
    """The rows and objects as psql and any S3 client see them."""
    printed = shell.run("storage", "env").stdout
    env = dict(
        line.removeprefix("export ").split("=", 1) for line in printed.splitlines() if "=" in line
    )
    env = {name: value.strip("'\"") for name, value in env.items()}
    with psycopg.connect(env["DATABASE_URL"]) as connection:
        rows = connection.execute(
            "select f.sha256, b.size_bytes from nest_version v "
            "join file f on f.version_id = v.id join blob b using (sha256) "
            "where v.nest = 'tiny' and v.state = 'ready'"
        ).fetchall()
    s3 = boto3.client(
        "s3",
        endpoint_url=env["AWS_ENDPOINT_URL"],
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        region_name=env.get("AWS_REGION", "us-east-1"),
    )
    listed = s3.list_objects_v2(Bucket=env["NESTED_RAY_BUCKET"])["Contents"]
    return rows, {entry["Key"].rsplit("/", 1)[-1]: entry["Size"] for entry in listed}


def test_ctrl_c_ends_everything_that_was_started(trained):
    assert trained["code"] == 0


def test_the_table_names_memory_and_every_level(trained):
    for text in (
        "memory alone",
        "level alone",
        "with memory",
        "syntax",
        "semantics",
        "architecture",
    ):
        assert text in trained["printed"]


def test_three_completions_and_the_urls_are_printed(trained):
    assert (
        trained["printed"].count("confidence 0.") + trained["printed"].count("confidence 1.") == 3
    )
    for text in ("/v1", "/docs", "Ray dashboard"):
        assert text in trained["printed"]


def test_every_level_told_its_peers_and_those_that_knew_less_listened(trained, shell):
    shown = json.loads(shell.run("registry", "show", "tiny@champion", "--json").stdout)
    metrics = {level["name"]: level["metrics"] for level in shown["levels"]}
    assert set(metrics) == {"syntax", "semantics", "architecture"}
    assert all(each["targets_published"] > 0 for each in metrics.values()), metrics
    assert any(each["targets_used"] > 0 for each in metrics.values()), metrics


def test_the_official_client_gets_answers_streamed_and_whole(trained):
    assert set(trained["models"]) == {"auto", "ensemble", "syntax", "semantics", "architecture"}
    assert trained["streamed"] == trained["direct"]
    assert trained["whole"]["nested"]["level"] in ("syntax", "semantics", "architecture")


def test_all_levels_share_the_decision_of_an_ensemble(trained):
    contributions = trained["infer"]["level_contributions"]
    assert set(contributions) == {"syntax", "semantics", "architecture"}
    assert sum(contributions.values()) == pytest.approx(1)
    assert {"router_ms", "queue_ms", "engine_ms", "verify_ms"} <= set(trained["infer"]["latency"])


def test_code_is_reviewed_by_a_nest_that_has_learned_to(trained, shell):
    found = {each["rule"] for each in trained["review"]["findings"]}
    assert {"semantics/unused-import", "semantics/wrong-arity"} <= found
    shown = json.loads(shell.run("registry", "show", "tiny@champion", "--json").stdout)
    paths = {file["path"] for file in shown["files"]}
    assert {"levels/semantics/bugs/bugs.json", "repository/placement/placement.json"} <= paths


def test_the_architecture_of_code_that_is_sent_is_described(trained):
    assert [set(each) for each in trained["architecture"]["tangles"]] == [
        {"shop.orders", "shop.stock"}
    ]


def test_every_row_has_its_object(trained):
    assert trained["rows"]
    for sha256, size in trained["rows"]:
        assert trained["objects"][sha256] == size


def test_a_killed_server_serves_the_same_nest_again(trained, shell: Shell, tmp_path, free_port):
    versions = []
    for attempt in range(2):
        log = tmp_path / f"serve-{attempt}.log"
        with shell.started("serve", "--nest", "tiny", "--port", str(free_port), log=log) as server:
            server.wait_for_text("API")
            body = {"model": "syntax", "prompt": PROMPT, "max_tokens": 16}
            url = f"http://127.0.0.1:{free_port}/v1/completions"
            answer = httpx.post(url, json=body, timeout=60).json()
            versions.append((answer["choices"][0]["text"], answer["nested"]["versions"]["syntax"]))
            server.process.kill()
        shell.wait_until_nothing_runs()
    assert versions[0] == versions[1]
    assert versions[0][0] == trained["direct"]

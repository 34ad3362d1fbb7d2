from __future__ import annotations

import asyncio
import hashlib
import json

import httpx
import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nested_ray import errors
from nested_ray.errors import LevelUnavailable, Overloaded, PromptTooLong
from nested_ray.serve.responses import STATUS, status_of

from .conftest import Site, run


def official(site: Site, **options) -> openai.AsyncOpenAI:
    """The official client, speaking to the application in this process."""
    options = {"api_key": "unused", "max_retries": 0, **options}
    return openai.AsyncOpenAI(base_url="http://nest/v1", http_client=site.client(), **options)


def test_the_official_client_completes(site):
    async def story():
        client = official(site)
        return await client.completions.create(
            model="auto", prompt="x = ", max_tokens=5, logprobs=2, extra_body={"path": "a.py"}
        )

    completion = run(story)
    choice = completion.choices[0]
    assert (choice.text, choice.finish_reason) == ("ok", "stop")
    assert choice.logprobs.tokens == ["o", "k"]
    assert choice.logprobs.text_offset == [0, 1]
    assert choice.logprobs.top_logprobs == [{"x": -1.0, "y": -2.0}] * 2
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (5, 2)
    assert completion.nested["level"] == "syntax"
    assert completion.nested["confidence"] == pytest.approx(0.9)
    assert completion.nested["versions"] == {"syntax": "default@1"}
    prompt, params = site.levels["syntax"].asked[0]
    assert (prompt.prefix, prompt.path, prompt.language) == ("x = ", "a.py", "python")
    assert (params.max_tokens, params.num_top_logprobs, params.temperature) == (5, 2, 0.0)


@pytest.mark.parametrize("model", ["auto", "semantics", "ensemble"])
def test_the_official_client_streams(site, model):
    async def story():
        client = official(site)
        stream = await client.completions.create(
            model=model, prompt="x = ", stream=True, stream_options={"include_usage": True}
        )
        return [chunk async for chunk in stream]

    *chunks, last, usage = run(story)
    text = "".join(chunk.choices[0].text for chunk in [*chunks, last])
    assert text == "ok"
    assert [chunk.choices[0].finish_reason for chunk in [*chunks, last]] == (
        [None] * len(chunks) + ["stop"]
    )
    assert last.nested["level"] == ("semantics" if model == "semantics" else "syntax")
    assert usage.choices == [] and usage.usage.prompt_tokens == 5


def test_a_stream_ends_with_done(site):
    response = site.complete(stream=True)
    assert response.headers["content-type"].startswith("text/event-stream")
    lines = [line for line in response.text.split("\n") if line]
    assert lines[-1] == "data: [DONE]"
    assert all(line.startswith("data: ") for line in lines)


def test_choices_are_numbered_through_all_prompts_in_answers_and_streams(site):
    whole = site.complete(prompt=["a = ", "b = "], n=2, echo=True).json()
    assert [choice["index"] for choice in whole["choices"]] == [0, 1, 2, 3]
    texts = [choice["text"] for choice in whole["choices"]]
    assert texts == ["a = ok", "a = ok", "b = ok", "b = ok"]
    raw = site.complete(prompt=["a = ", "b = "], n=2, echo=True, stream=True).text
    streamed: dict[int, str] = {}
    judged: dict[int, object] = {}
    for line in raw.splitlines():
        if line.startswith("data: {"):
            for choice in json.loads(line[6:])["choices"]:
                streamed[choice["index"]] = streamed.get(choice["index"], "") + choice["text"]
                if choice["finish_reason"]:
                    judged[choice["index"]] = choice["nested"]
    assert [streamed[index] for index in range(4)] == texts
    assert [judged[index] for index in range(4)] == [each["nested"] for each in whole["choices"]]


@pytest.mark.parametrize("model", ["auto", "semantics"])
def test_log_probabilities_stand_at_the_same_places_in_answers_and_streams(site, model):
    for level in site.levels.values():
        level.text = "a\nb\nc"
    asked = {"model": model, "prompt": ["PP", "QQQ"], "echo": True, "logprobs": 0}
    whole = site.complete(**asked).json()["choices"]
    assert whole[0]["logprobs"]["text_offset"] == [2, 3, 4, 5, 6]
    found = [[], []]
    for line in site.complete(**asked, stream=True).text.splitlines():
        if line.startswith("data: {"):
            [choice] = json.loads(line[6:])["choices"]
            found[choice["index"]] += choice["logprobs"]["text_offset"]
    assert found == [choice["logprobs"]["text_offset"] for choice in whole]


def test_infer_says_how_it_decided(site):
    body = site.infer(use_all_levels=True, n=2).json()
    assert body["prediction"] == "ok"
    assert body["action"] == "ensemble"
    assert sum(body["level_contributions"].values()) == pytest.approx(1)
    assert set(body["latency"]) == {"router_ms", "queue_ms", "engine_ms", "verify_ms"}
    assert len(body["alternatives"]) == 1


def test_the_line_task_stops_at_the_end_of_the_line(site):
    site.infer(task="line")
    site.infer(task="line", stop=";")
    stops = [params.stop for _, params in site.levels["syntax"].asked]
    assert stops == [("\n",), (";", "\n")]


def test_model_id_names_a_nest_a_version_or_a_level(make_site):
    site = make_site(num_arms=2)
    for name in (None, "default", "default@2", "semantics"):
        assert site.infer(model_id=name, user="u").status_code == 200
    assert site.infer(model_id="default@2").json()["versions"] == {"syntax": "default@2"}
    unknown = site.infer(model_id="default@9")
    assert unknown.status_code == 404
    assert "served are default@1, default@2" in unknown.json()["error"]["message"]


def test_the_same_user_meets_the_same_arm(make_site):
    site = make_site(num_arms=2)
    arms = [site.infer(user=f"u{i}").json()["arm"] for i in range(12)]
    assert set(arms) == {"a", "b"}
    assert [site.complete(user=f"u{i}").json()["nested"]["arm"] for i in range(12)] == arms


def test_models_are_listed_and_looked_up(site):
    async def story():
        client = official(site)
        models = [model.id async for model in client.models.list()]
        one = await client.models.retrieve("semantics")
        with pytest.raises(openai.NotFoundError) as caught:
            await client.models.retrieve("gpt-4")
        return models, one.id, caught.value

    models, one, error = run(story)
    assert models == ["auto", "ensemble", "syntax", "semantics", "architecture"]
    assert one == "semantics"
    assert error.code == "model_not_found"


def test_served_nests_are_described(site):
    base = "/api/v1/nested-learning/models"
    listed = site.request("GET", base).json()["models"]
    assert [nest["id"] for nest in listed] == ["default@1"]
    for name in ("default", "default@1"):
        assert site.request("GET", f"{base}/{name}").json()["levels"][0]["name"] == "syntax"
    assert site.request("GET", f"{base}/other").status_code == 404


def test_health_tells_degraded_from_unavailable(site):
    path = "/api/v1/nested-learning/health"
    assert site.request("GET", path).json()["status"] == "ok"
    site.levels["syntax"].error = LevelUnavailable("gone")
    degraded = site.request("GET", path)
    assert (degraded.status_code, degraded.json()["status"]) == (200, "degraded")
    assert degraded.json()["levels"]["syntax"] == {"status": "unavailable", "detail": "gone"}
    for level in site.levels.values():
        level.error = LevelUnavailable("gone")
    assert site.request("GET", path).status_code == 503


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (PromptTooLong("the prompt has 9 tokens"), 400, None),
        (Overloaded("full"), 429, "1"),
        (LevelUnavailable("gone"), 503, "2"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_levels_errors_have_their_status(site, error, status, retry_after, stream):
    for level in site.levels.values():
        level.error = error
    response = site.complete(model="semantics", stream=stream)
    assert response.status_code == status
    assert response.headers.get("retry-after") == retry_after
    assert str(error) in response.json()["error"]["message"]


def test_an_error_after_the_first_chunk_ends_the_stream_with_an_error_event(site):
    async def failing(version, prompt, params):
        from nested_ray.routing.base import StreamPart

        yield StreamPart("a", ())
        raise LevelUnavailable("gone in mid-stream")

    site.levels["semantics"].stream = failing  # type: ignore[method-assign]

    async def story():
        stream = await official(site).completions.create(model="semantics", prompt="x", stream=True)
        return [chunk async for chunk in stream]

    with pytest.raises(openai.APIError, match="gone in mid-stream"):
        run(story)


def test_every_error_of_the_tree_has_a_status():
    def below(kind):
        yield kind
        for child in kind.__subclasses__():
            yield from below(child)

    for kind in below(errors.NestedRayError):
        assert 400 <= status_of(kind("message")) < 600
    assert STATUS[errors.NestedRayError] == 500


@pytest.mark.parametrize(
    ("body", "param", "message"),
    [
        ({"max_tokens": 5000}, "max_tokens", "5000 tokens asked for, at most 1024"),
        ({"n": 9}, "n", "9 choices asked for, at most 8"),
        (
            {"n": 8, "max_tokens": 1024, "prompt": ["x"] * 8},
            "max_tokens",
            "8 prompts x 8 choices x 1024 tokens are 65536 tokens asked for, at most 4096",
        ),
        ({"stop": list("abcde")}, "stop", "5 stop strings asked for, at most 4"),
        ({"stop": ""}, "stop", "an empty string"),
        ({"prompt": []}, "prompt", "the list is empty"),
        ({"prompt": ["x"] * 9}, "prompt", "9 prompts asked for, at most 8"),
        ({"language": "cobol"}, "language", "python, bsl"),
        ({"logprobs": 6}, "logprobs", "less than or equal to 5"),
        ({"colour": "red"}, "colour", "unknown field"),
    ],
)
def test_what_passes_a_limit_is_refused_by_name(site, body, param, message):
    response = site.complete(**body)
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["param"] == param and message in error["message"]
    assert error["type"] == "invalid_request_error"


def test_a_large_body_is_refused_before_it_is_read(make_site):
    site = make_site(limits={"max_body_bytes": 1000})
    assert site.complete(prompt="x" * 900).status_code == 200
    response = site.complete(prompt="x" * 1001)
    assert response.status_code == 413
    assert "larger than 1,000 bytes" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("GET", "/v1/completions", 405), ("POST", "/v1/models", 405)],
)
def test_unknown_routes_answer_in_the_same_form(site, method, path, status):
    response = site.request(method, path)
    assert response.status_code == status
    assert path in response.json()["error"]["message"]


def test_a_fault_of_ours_is_a_500_that_tells_nothing(site):
    site.levels["syntax"].error = RuntimeError("secret detail")
    response = site.complete(model="syntax")
    assert response.status_code == 500
    assert "secret" not in response.text


def test_keys_are_asked_for_where_they_are_configured(make_site):
    site = make_site(api_key_hashes=[hashlib.sha256(b"open sesame").hexdigest()])

    async def story(key: str):
        return await official(site, api_key=key).completions.create(model="auto", prompt="x")

    assert run(lambda: story("open sesame")).choices
    with pytest.raises(openai.AuthenticationError) as caught:
        run(lambda: story("open barley"))
    assert caught.value.code == "invalid_api_key"
    assert "barley" not in str(caught.value)
    for path in ("/v1/models", "/v1/models/auto", "/api/v1/nested-learning/models"):
        assert site.request("GET", path).status_code == 401
    assert site.infer().headers["www-authenticate"] == "Bearer"
    for path in ("/", "/docs", "/api/v1/nested-learning/health"):
        assert site.request("GET", path).status_code == 200


def test_requests_are_counted_by_task_and_status(site):
    site.complete()
    site.complete(n=99)
    site.infer(task="line")
    site.infer(task="poetry")
    assert site.meter.requests == [
        ("completion", 200),
        ("completion", 400),
        ("line", 200),
        ("unknown", 400),
    ]
    assert [answer.level for answer in site.meter.answers] == ["syntax", "syntax"]


def test_a_client_that_leaves_is_counted_as_such(site):
    async def never(*args):
        await asyncio.sleep(3600)

    site.levels["syntax"].generate = never  # type: ignore[method-assign]

    async def story() -> None:
        async with site.client() as client:
            call = asyncio.ensure_future(client.post("/v1/completions", json={"prompt": "x"}))
            await asyncio.sleep(0.05)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)

    asyncio.run(story())
    assert site.meter.requests == [("completion", 499)]


def test_the_docs_page_needs_no_other_server(site):
    page = site.request("GET", "/docs").text
    assert "src=" not in page and "http" not in page.replace("http://127.0.0.1:8000", "")
    for route in ("/v1/completions", "/api/v1/nested-learning/infer", "use_all_levels"):
        assert route in page
    schema = site.request("GET", "/openapi.json").json()
    assert "prompt" in json.dumps(schema["paths"]["/v1/completions"]["post"]["requestBody"])
    assert site.request("GET", "/").json()["serves"] == ["default@1"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
FIELDS = ["model", "prompt", "suffix", "max_tokens", "n", "stop", "seed", "user", "path", "stream"]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=st.dictionaries(st.sampled_from(FIELDS), JSON) | st.binary(max_size=40))
def test_no_body_gets_a_5xx(site, body):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    for path in ("/v1/completions", "/api/v1/nested-learning/infer"):
        response = site.request("POST", path, content=content)
        assert response.status_code < 500, response.text


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(prompt=st.text(), suffix=st.text(), path=st.text(max_size=50), user=st.text(max_size=50))
def test_any_text_is_completed(site, prompt, suffix, path, user):
    fields = {"suffix": suffix, "path": path, "user": user}
    response = site.complete(prompt=prompt, **fields)
    assert response.status_code == 200, response.text


@pytest.mark.parametrize("header", ["Bearer \xe9", "Basic x", "Bearer", "", "Bearer " + "x" * 5000])
def test_strange_authorization_headers_are_refused_not_crashed_on(make_site, header):
    site = make_site(api_key_hashes=["0" * 64])
    headers = httpx.Headers([(b"authorization", header.encode("latin-1"))])
    assert site.request("GET", "/v1/models", headers=headers).status_code == 401

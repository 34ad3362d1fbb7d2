from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nested_ray.api.native import InferRequest
from nested_ray.api.openai import CompletionRequest
from nested_ray.errors import InvalidRequest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
FIELDS = [*CompletionRequest.model_fields, "input", "task", "nonsense"]


def test_a_request_of_the_official_client_is_understood():
    """Every parameter of `client.completions.create` in openai-python, with a value of its type."""
    body = {
        "model": "auto",
        "prompt": ["a", "b"],
        "best_of": 1,
        "echo": False,
        "frequency_penalty": 0.5,
        "logit_bias": {"50256": -100},
        "logprobs": 2,
        "max_tokens": 5,
        "n": 2,
        "presence_penalty": -0.5,
        "seed": -1,
        "stop": ["\n", "#"],
        "stream": False,
        "stream_options": {"include_usage": True},
        "suffix": "c",
        "temperature": 1,
        "top_p": 0.9,
        "user": "user-1",
    }
    request = CompletionRequest.from_json(json.dumps(body).encode())
    assert request.prompts == ("a", "b")
    assert request.stops == ("\n", "#")


def test_null_means_the_default():
    body = dict.fromkeys(set(CompletionRequest.model_fields) - {"model", "prompt"})
    request = CompletionRequest.from_json(json.dumps({**body, "prompt": "x"}).encode())
    assert request == CompletionRequest(prompt="x")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "the body is not valid JSON: EOF"),
        (b"", "the body is not valid JSON"),
        (b"[]", "the body must be a JSON object"),
        (b"{}", "prompt: this field is required"),
        (b'{"prompt": "x", "promt": "y"}', "promt: unknown field"),
        (b'{"prompt": [1, 2]}', "prompt: token ids are not understood; send text"),
        (b'{"prompt": 3}', r"prompt: .*valid string \(found 3\)"),
        (b'{"prompt": "x", "max_tokens": 0}', r"max_tokens: .*greater than or equal to 1"),
        (b'{"prompt": "x", "max_tokens": true}', r"max_tokens: .*valid integer \(found True\)"),
        (b'{"prompt": "x", "temperature": 1e999}', "temperature: .*finite number"),
        (b'{"prompt": "x", "temperature": NaN}', "temperature: .*finite number"),
        (b'{"prompt": "x", "top_p": 0}', "top_p: .*greater than 0"),
        (b'{"prompt": "x", "seed": 9223372036854775808}', "seed: "),
        (b'{"prompt": "\\ud800"}', "not valid JSON"),
        (b'{"prompt": "\xff"}', "not valid JSON"),
        (b"[" * 100_000, "not valid JSON: recursion limit"),
    ],
)
def test_bad_bodies_are_refused_with_the_field_and_the_reason(body, message):
    with pytest.raises(InvalidRequest, match=message):
        CompletionRequest.from_json(body)


def test_a_long_or_strange_field_name_is_not_repeated_whole():
    with pytest.raises(InvalidRequest) as caught:
        CompletionRequest.from_json(json.dumps({"prompt": "x", "a\nb" * 50_000: 1}).encode())
    message = str(caught.value)
    assert message.startswith("a\\nba\\nb") and "...: unknown field" in message
    assert len(message) < 200 and message.isprintable()


def test_halves_of_surrogate_pairs_are_refused_where_they_get_through():
    with pytest.raises(ValueError, match="half of a surrogate pair at character 0"):
        CompletionRequest(prompt="\ud800")


def test_nul_is_a_character_like_any_other():
    assert CompletionRequest.from_json(b'{"prompt": "a\\u0000b"}').prompt == "a\0b"


@given(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=5))
def test_any_json_is_a_request_or_an_invalid_request(body):
    raw = json.dumps(body).encode()
    for model in (CompletionRequest, InferRequest):
        try:
            model.from_json(raw)
        except InvalidRequest as error:
            assert str(error).isprintable() or "\n" not in str(error)


@given(st.binary(max_size=64))
def test_any_bytes_are_a_request_or_an_invalid_request(body):
    try:
        CompletionRequest.from_json(body)
    except InvalidRequest as error:
        str(error).encode("utf-8")

"""Remote levels: what they are asked, what is made of their answers, and what their failures cost."""

import json
import math
import threading
import time
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import pytest
import torch
from datasets import Dataset

from nested_ray.config.remote import RemoteLevel
from nested_ray.config.train import DistillConfig, TokenizerConfig, TrainConfig
from nested_ray.datasets.loader import Replay, batch_digest, load_batch
from nested_ray.datasets.tokenizer import NestTokenizer
from nested_ray.distill.targets import decode_targets, record_dtype
from nested_ray.errors import ConfigError, TeacherFailed
from nested_ray.models import build_model
from nested_ray.train.level import LevelTrainer
from nested_ray.train.remote_client import Costs, RemoteClient, RemoteToken
from nested_ray.train.remote_targets import (
    Prefix,
    StringMap,
    Taught,
    align,
    encode_taught,
    find_prefixes,
    map_strings,
)
from nested_ray.train.remote_teacher import MAX_WAITING, Cursor, RemoteTeacher, key_of
from tests.unit.train.remote_server import KEY, Model, serving

TEXTS = [
    "".join(
        f"def area_{number}(width, height):\n    size = width * height\n    return size\n\n\n"
        for number in range(start, start + 6)
    )
    for start in (0, 6)
]
LIMITS = {"max_retries": 2, "timeout_s": 5}


@pytest.fixture(scope="module")
def tokenizer():
    return NestTokenizer.train(TEXTS, TokenizerConfig(vocab_size=512))


@pytest.fixture(scope="module")
def dataset(tokenizer):
    """Windows that go on with `<|window|>` before them, the last one rearranged for fill-in-the-middle."""
    rows = []
    for text in TEXTS:
        ids = tokenizer.encode(text)
        rows += [ids[at : at + 40] for at in range(0, len(ids) - 40, 40)]
    rows[-1] = [tokenizer.fim_prefix, *rows[-1][1:]]
    return Dataset.from_list(
        [
            {
                "input_ids": [tokenizer.window, *ids],
                "window_start": 1,
                "num_window_tokens": len(ids),
            }
            for ids in rows
        ]
    )


def remote_level(base_url="http://127.0.0.1:9/v1", **settings):
    return RemoteLevel.from_values(
        {
            "name": "senior",
            "model": {
                "type": "remote",
                "base_url": base_url,
                "model": "large",
                **LIMITS,
                **settings,
            },
        }
    )


class Clock:
    """Waits without waiting."""

    def __init__(self):
        self.waited = []

    def __call__(self, seconds):
        self.waited.append(seconds)
        return False


@contextmanager
def asking(model, **settings):
    clock = Clock()
    with serving(model) as base_url:
        client = RemoteClient(remote_level(base_url, **settings).model, KEY, Costs(), clock)
        try:
            yield client, clock
        finally:
            client.close()


def test_a_completion_is_asked_for_with_its_log_probabilities():
    model = Model(TEXTS)
    with asking(model, completion_tokens=4) as (client, _):
        tokens = client.complete(TEXTS[0][:40])
    path, request = model.requests[0]
    assert path == "/v1/completions"
    assert (request["max_tokens"], request["logprobs"], request["temperature"]) == (4, 5, 0)
    assert "".join(token.text for token in tokens) == TEXTS[0][40:52]
    assert tokens[0].top == {TEXTS[0][40:43]: math.log(0.6), "zz": math.log(0.3)}
    assert model.keys == [f"Bearer {KEY}"]
    assert client.costs == Costs(requests=1, prompt_tokens=50, completion_tokens=4)


NO_LOGPROBS = json.dumps({"choices": [{"text": "x", "logprobs": None}]})
FAULTS = {
    "full": (429, {"Retry-After": "7"}, "wait"),
    "failing": (500, {}, f"the key {KEY} broke me"),
    "no JSON": (200, {}, "<html>"),
    "other JSON": (200, {}, "[1, 2]"),
    "no choices": (200, {}, json.dumps({"choices": []})),
    "impossible": (
        200,
        {},
        json.dumps(
            {
                "choices": [
                    {"text": "x", "logprobs": {"tokens": ["x"], "top_logprobs": [{"x": 2.0}]}}
                ]
            }
        ),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_request_that_failed_is_made_again_later(fault, caplog):
    model = Model(TEXTS, faults=[FAULTS[fault]])
    with asking(model) as (client, clock):
        assert client.complete(TEXTS[0][:40])
    assert (client.costs.requests, client.costs.failures) == (2, 1)
    assert len(clock.waited) == 1
    assert clock.waited[0] == 7 if fault == "full" else 0.5 <= clock.waited[0] <= 1
    assert KEY not in caplog.text


def test_waits_grow_and_end():
    with asking(Model(TEXTS, faults=[FAULTS["failing"]] * 9)) as (client, clock):
        assert client.complete(TEXTS[0][:40]) is None
    assert client.costs.requests == client.costs.failures == 1 + LIMITS["max_retries"]
    assert 0.5 <= clock.waited[0] <= 1 <= clock.waited[1] <= 2


def test_a_server_that_does_not_answer_in_time_is_given_up():
    def late():
        time.sleep(0.4)
        return "{}"

    with asking(Model(TEXTS, faults=[(200, {}, late)]), timeout_s=0.1) as (client, _):
        assert client.complete(TEXTS[0][:40])
    assert client.costs.failures == 1


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((401, {}, KEY), "status 401.*check the key in"),
        ((404, {}, ""), "check base_url and model"),
        ((200, {}, NO_LOGPROBS), "gives no log-probabilities"),
    ],
)
def test_what_will_never_work_is_said_at_once(answer, message):
    with asking(Model(TEXTS, faults=[answer])) as (client, _):
        with pytest.raises(TeacherFailed, match=message) as error:
            client.complete(TEXTS[0][:40])
    assert KEY not in str(error.value)
    assert client.costs.requests == 1


@pytest.mark.parametrize(
    ("limits", "requests"), [({"max_requests": 2}, 2), ({"max_tokens": 60}, 1)]
)
def test_a_budget_ends_the_asking(limits, requests):
    with asking(Model(TEXTS), **limits) as (client, _):
        answers = [client.complete(TEXTS[0][:40]) for _ in range(4)]
    assert [answer is not None for answer in answers] == [True] * requests + [False] * (
        4 - requests
    )
    assert next(iter(limits)) in client.exhausted


def test_prefixes_end_where_lines_begin(tokenizer, dataset):
    batch = load_batch(dataset, seed=0, batch_id="b", batch_size=len(dataset), pad_id=0)
    gold = batch.target_ids[batch.target_ids >= 0].tolist()
    prefixes = list(find_prefixes(batch, tokenizer))
    for prefix in prefixes:
        assert prefix.text.rpartition("\n")[2].strip() == ""
        assert not tokenizer.decode(prefix.gold_ids).startswith("\n")
        assert gold[prefix.position :][: len(prefix.gold_ids)] == list(prefix.gold_ids)
    without_fim = [row for row in batch.target_ids.tolist() if tokenizer.fim_prefix not in row]
    breaks = tokenizer.line_break_ids
    starts = sum(a in breaks and b not in breaks for row in without_fim for a, b in pairwise(row))
    assert len(prefixes) == starts > 0


def test_strings_become_tokens_where_it_is_clear_which(tokenizer):
    strings = StringMap(tokenizer)
    width = tokenizer.encode("return")[0]
    assert tokenizer.token_bytes(width) == b"return"
    assert strings.token("return", b"return") == width
    assert strings.token("return", b"size") == width
    assert strings.token("ret", b"return") is None  # the token there goes on
    assert strings.token("return size", b"return") == width
    assert strings.token("voi", b"return") == tokenizer.encode("v")[0]  # no token begins so
    words = [tokenizer.token_bytes(token) for token in range(8, tokenizer.vocab_size)]
    cut = {word[:end].decode() for word in words if word.isalpha() for end in range(1, len(word))}
    unfinished = [text for text in cut if len(tokenizer.encode(text)) > 1]
    assert unfinished
    assert not any(strings.token(text, b"x") for text in unfinished)
    assert strings.token("half �", b"x") is None
    assert strings.token("", b"x") is None


def test_what_means_the_same_token_adds_up_and_the_rest_stays_untold(tokenizer):
    strings = StringMap(tokenizer)
    token = tokenizer.encode("return")[0]
    top = {"return": math.log(0.5), "return(?": math.log(0.25), "ret": math.log(0.125)}
    assert math.exp(map_strings(top, b"return", strings)[token]) == pytest.approx(0.75)
    assert map_strings({"return": 0.0, "size": 0.0}, b"return", strings) == {}


def test_a_completion_teaches_until_it_parts_from_the_text(tokenizer):
    text = "return size"
    gold = tuple(tokenizer.encode(text))
    assert [tokenizer.token_bytes(token) for token in gold] == [b"return", b" size"]
    top = {"return": math.log(0.9)}
    said = [
        RemoteToken("return", top),
        RemoteToken(" width", {" width": -0.1}),
        RemoteToken("x", top),
    ]
    taught = list(align(Prefix("", gold, 7), said, tokenizer, StringMap(tokenizer)))
    assert [each.position for each in taught] == [7, 8]
    assert taught[1].logp == {tokenizer.encode(" width")[0]: pytest.approx(-0.1)}


@pytest.fixture
def teach(make_job, tokenizer, dataset, exchange, tmp_path):
    """A remote level before a server, its cursor and a training job with the same batches."""

    @contextmanager
    def made(model, *, replay=None, **settings):
        job = make_job(
            replay=replay,
            vocab_size=tokenizer.vocab_size,
            tokenizer_hash=tokenizer.hash,
            remote_levels=("senior",),
            distill=DistillConfig(paired_share=0.5, burn_in_steps=1, ramp_steps=1),
        )
        with asking(model, **settings) as (client, _):
            cursor = Cursor(costs=client.costs)
            level = remote_level(client.config.base_url, **settings)
            teacher = RemoteTeacher(
                level,
                job,
                tokenizer=tokenizer,
                dataset=dataset,
                exchange=exchange,
                client=client,
                cursor=cursor,
            )
            yield teacher, job

    return made


def test_a_record_says_what_the_model_said(teach, tokenizer, dataset, exchange):
    with teach(Model(TEXTS), prefixes_per_batch=3) as (teacher, job):
        teacher.teach_batch()
    ((_, header, payload),) = exchange.unread("syntax", 0)
    batch = load_batch(dataset, seed=job.seed, batch_id=header.batch_id, batch_size=4, pad_id=0)
    gold = batch.target_ids[batch.target_ids >= 0]
    targets = decode_targets(
        header,
        payload,
        batch_digest=batch_digest(batch),
        num_tokens=len(gold),
        tokenizer_hash=tokenizer.hash,
        vocab_size=tokenizer.vocab_size,
    )
    assert 0 < len(targets.positions_P) == teacher.cursor.costs.tokens_taught < len(gold)
    # Of each token's mass at most 0.6 + 0.3 was told, and what was not mapped is rest.
    assert (targets.rest_mass_N >= 0.1 - 1e-3).all()
    known = (
        targets.head_logp_NH.exp().sum(-1) > 0.5
    )  # "zz" is always told, the piece where it is clear
    assert known.any()
    torch.testing.assert_close(
        targets.gold_logp_N[known].exp(), torch.full((int(known.sum()),), 0.6), atol=1e-3, rtol=0
    )


@pytest.mark.parametrize("replay", [None, Replay(first_row=1, share=0.5)])
def test_a_level_learns_from_a_remote_one_and_answers_it(
    teach, tokenizer, dataset, exchange, replay
):
    """Also in a run that replays old rows: both must draw the same ones."""
    with teach(Model(TEXTS), replay=replay) as (teacher, job):
        decoder = build_model(
            job.level.model, vocab_size=tokenizer.vocab_size, max_positions=64, seed=1
        )
        student = LevelTrainer(job, decoder=decoder, dataset=dataset, exchange=exchange)
        while not teacher.has_students_waiting():
            teacher.teach_batch()
        assert teacher.cursor.costs.batches == MAX_WAITING
        results = [student.make_step() for _ in range(8)]
        assert student.counters.targets_used > 0
        assert student.counters.targets_lost == 0
        assert any(result.kd is not None and result.kd > 0 for result in results)
        assert not teacher.has_students_waiting()


def test_a_server_without_answers_silences_its_level_and_nothing_else(teach, exchange, tmp_path):
    path = tmp_path / "remote-senior.json"
    with teach(Model(TEXTS, faults=[FAULTS["failing"]] * 99)) as (teacher, _):
        teacher.run(threading.Event(), path)
    assert "no usable answer to 3 prompts in a row" in teacher.cursor.silent_because
    assert not exchange.unread("syntax", 0)
    assert KEY not in path.read_text()


def test_what_was_paid_for_is_not_paid_for_again(teach, tmp_path):
    path = tmp_path / "remote-senior.json"
    with teach(Model(TEXTS), max_requests=5, prefixes_per_batch=2) as (teacher, _):
        teacher.run(threading.Event(), path)
    again = Cursor.load(path)
    assert again.costs == teacher.cursor.costs
    assert (again.costs.requests, again.num_opened) == (5, 3)
    assert "max_requests: 5 is reached" in teacher.cursor.silent_because


LOCAL = {"name": "syntax", "kind": "syntax", "weight": 1}
REMOTE = {
    "name": "senior",
    "model": {"type": "remote", "base_url": "https://models.example/v1/", "model": "large"},
}


def config_of(*levels, **values):
    corpus = {"sources": [{"type": "folder", "path": "code"}]}
    return TrainConfig.from_values(
        {"name": "n", "corpus": corpus, "levels": list(levels), **values}
    )


def test_a_remote_level_stands_apart_from_those_that_are_trained():
    config = config_of(LOCAL, REMOTE, distill={"teachers": {"syntax": ["senior"]}})
    assert [level.name for level in config.levels] == ["syntax"]
    assert config.remote_levels[0].model.base_url == "https://models.example/v1"
    assert TrainConfig.from_values(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("levels", "values", "message"),
    [
        ([REMOTE], {}, "at least 1 item"),
        ([LOCAL, {**REMOTE, "name": "syntax"}], {}, "level names must differ"),
        ([LOCAL, REMOTE], {"distill": {"teachers": {"senior": ["syntax"]}}}, "learns nothing"),
        (
            [LOCAL, {**REMOTE, "model": {**REMOTE["model"], "base_url": "https://k:s@h/v1"}}],
            {},
            "must hold no user",
        ),
    ],
)
def test_a_remote_level_that_makes_no_sense_is_refused(levels, values, message):
    with pytest.raises(ConfigError, match=message):
        config_of(*levels, **values)


def test_the_key_comes_from_the_environment_and_is_asked_for_by_name(monkeypatch):
    level = remote_level(api_key_env="SENIOR_KEY")
    monkeypatch.setenv("SENIOR_KEY", KEY)
    assert key_of(level) == KEY
    assert KEY not in level.model_dump_json()
    monkeypatch.delenv("SENIOR_KEY")
    with pytest.raises(ConfigError, match="senior: the environment variable SENIOR_KEY is not set"):
        key_of(level)
    assert key_of(remote_level()) is None


def test_an_encoded_token_keeps_its_likeliest_ids():
    logp = {9: math.log(0.2), 10: math.log(0.5), 11: math.log(0.1)}
    payload = encode_taught([Taught(3, logp, 9), Taught(3, {12: -1.0}, 9)], head_k=2)
    (record,) = np.frombuffer(payload, record_dtype(2, 0, partial=True))
    assert record["head_ids"].tolist() == [10, 9]
    assert float(record["head_mass"]) == pytest.approx(0.7, abs=1e-3)
    assert float(record["gold_logp"]) == pytest.approx(math.log(0.2), abs=1e-3)


def test_a_gold_token_that_is_not_told_is_at_most_as_likely_as_any_that_is():
    assert Taught(0, {9: math.log(0.6), 10: math.log(0.1)}, 7).gold_logp == math.log(0.1)
    assert Taught(0, {9: math.log(0.6), 10: math.log(0.35)}, 7).gold_logp == pytest.approx(
        math.log(0.05)
    )

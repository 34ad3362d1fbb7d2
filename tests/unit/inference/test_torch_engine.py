"""TorchEngine against slow second implementations: transformers' generate, a loop per token."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from nested_ray.errors import PromptTooLong
from nested_ray.inference.base import Prompt, SamplingParams
from nested_ray.inference.loading import load_engine
from nested_ray.memory import LEVEL_EXPERTS, NUM_BUCKETS, MemoryState, MixingWeights

PREFIX = "import os\n\n\ndef total(values):\n    result = 0\n    for value in values:\n        res"


@pytest.fixture(scope="module")
def engine(nest_dir):
    return load_engine(nest_dir, "syntax")


@pytest.fixture(scope="module")
def model(nest_dir):
    return AutoModelForCausalLM.from_pretrained(nest_dir / "levels" / "syntax").eval()


def answer(engine, prompt, **params):
    chunks = list(engine.stream(prompt, SamplingParams(**params)))
    tokens = [token for chunk in chunks for token in chunk.tokens]
    assert [chunk.finish_reason for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    text = "".join(chunk.text for chunk in chunks)
    assert text == "".join(token.text for token in tokens)
    return text, tokens, chunks[-1].finish_reason


def reference_distribution(engine, model, encoded, written, *, use_memory):
    """Next-token distribution by a forward over the whole text, as the documentation states it."""
    with torch.inference_mode():
        logits = model(torch.tensor([[*encoded.input_ids, *written]])).logits[0, -1]
    level = torch.softmax(logits.double(), -1).numpy()
    is_text = np.array([bool(engine.tokenizer.token_bytes(i)) for i in range(len(level))])
    end = level[1] / (level[1] + level[is_text].sum())
    probs = np.where(is_text, level, 0) / level[is_text].sum()
    if use_memory:
        state = MemoryState(engine.memory.index)
        for token in [*encoded.prefix_ids, *written]:
            state.append(token)
        recall = state.recall()
        probs = 0.25 * recall.corpus + 0.25 * recall.cache + 0.5 * probs
    pending = encoded.pending
    for token in written:
        pending = pending[len(engine.tokenizer.token_bytes(token)) :]
    if pending:
        pieces = [engine.tokenizer.token_bytes(i) for i in range(len(level))]
        fits = [bool(p) and (p.startswith(pending) or pending.startswith(p)) for p in pieces]
        probs = np.where(fits, probs, 0)
        return probs / probs.sum()
    probs = np.where(is_text, probs, 0) / probs[is_text].sum() * (1 - end)
    probs[1] = end
    return probs


@pytest.mark.parametrize("use_memory", [True, False])
def test_greedy_answer_follows_the_distribution_step_by_step(engine, model, use_memory):
    prompt = Prompt(PREFIX)
    params = {"max_tokens": 12, "use_memory": use_memory, "num_top_logprobs": 3}
    text, tokens, _ = answer(engine, prompt, **params)
    encoded = engine.prompts.encode(prompt, 12)
    written: list[int] = []
    data = b""
    waiting = list(tokens)
    while waiting:
        probs = reference_distribution(engine, model, encoded, written, use_memory=use_memory)
        best = int(probs.argmax())
        if len(data) + len(engine.tokenizer.token_bytes(best)) > len(encoded.pending):
            token = waiting.pop(0)
            assert token.token_id == best
            assert token.logprob == pytest.approx(math.log(probs[best]), abs=1e-4)
            left = max(len(encoded.pending) - len(data), 0)
            adds = [len(engine.tokenizer.token_bytes(i)) > left for i in range(len(probs))]
            likeliest = -np.sort(-probs[np.array(adds) | (left == 0)])[:3]
            top = [logprob for _, logprob in token.top]
            assert top == pytest.approx(np.log(likeliest[likeliest > 0]).tolist(), abs=1e-4)
            assert token.top[0][1] == token.logprob
            if "\ufffd" not in token.top[0][0] + token.text:  # no half characters
                assert token.top[0][0] == token.text
        written.append(best)
        data += engine.tokenizer.token_bytes(best)
    assert data.decode("utf-8", "replace").startswith(encoded.pending.decode() + text)


@pytest.mark.parametrize("prompt", [Prompt(""), Prompt("", suffix="    return result\n")])
def test_greedy_without_memory_equals_generate_of_transformers(engine, model, prompt):
    _, tokens, _ = answer(engine, prompt, max_tokens=10, use_memory=False)
    ids = torch.tensor([engine.prompts.encode(prompt, 10).input_ids])
    generated = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=10,
        do_sample=False,
        bad_words_ids=[[token] for token in (0, *range(2, 8))],
        eos_token_id=engine.tokenizer.end_of_text,
        pad_token_id=0,
    )
    assert [token.token_id for token in tokens] == generated[0, ids.shape[1] :].tolist()


def test_word_under_the_cursor_is_completed_with_the_corpus_own_tokens(engine):
    (whole,) = engine.tokenizer.encode(" result")
    encoded = engine.prompts.encode(Prompt("x = 1\n    for value in values: res"), 8)
    assert engine.vocabulary.allowed(b" res")[whole]
    text, _, _ = answer(engine, Prompt("def total(values):\n    resul"), max_tokens=6)
    assert text.startswith("t"), text
    assert encoded.pending


@pytest.mark.parametrize("stop", ["\n", " value", "re"])
def test_stop_strings_never_appear(engine, stop):
    text, tokens, finish = answer(engine, Prompt(PREFIX), max_tokens=40, stop=(stop,))
    free, _, _ = answer(engine, Prompt(PREFIX), max_tokens=40)
    assert text == free.split(stop)[0]
    assert finish == ("stop" if stop in free else "length")
    assert len(tokens) <= 40


def test_seed_repeats_a_sampled_answer_and_another_seed_changes_it(engine):
    def sample(seed):
        return answer(engine, Prompt(PREFIX), temperature=1.5, seed=seed, max_tokens=12)[0]

    assert sample(1) == sample(1)
    assert len({sample(seed) for seed in range(6)}) > 1


def test_streams_that_are_read_in_turns_do_not_disturb_each_other(engine):
    prompts = [Prompt(PREFIX), Prompt("def mean(values):\n    if not"), Prompt(PREFIX)]
    alone = [answer(engine, prompt, max_tokens=8)[0] for prompt in prompts]
    streams = [engine.stream(prompt, SamplingParams(max_tokens=8)) for prompt in prompts]
    texts = ["", "", ""]
    going = True
    while going:
        going = False
        for number, stream in enumerate(streams):
            if (chunk := next(stream, None)) is not None:
                texts[number] += chunk.text
                going = True
    assert texts == alone


def test_score_equals_a_loop_over_the_tokens(engine, model):
    prompt = Prompt(PREFIX)
    continuations = ["ult += value", "", "ult", "ume(итог)\n    return"]
    found = engine.score(prompt, continuations)
    assert found[1] == -math.inf
    for text, score in zip(continuations, found, strict=True):
        if not text:
            continue
        encoded = engine.prompts.encode(prompt, 64)
        ids = engine.tokenizer.encode(encoded.pending.decode() + text)
        logprobs, written, num_bytes = [], [], 0
        for token in ids:
            probs = reference_distribution(engine, model, encoded, written, use_memory=True)
            written.append(token)
            num_bytes += len(engine.tokenizer.token_bytes(token))
            if num_bytes > len(encoded.pending):
                logprobs.append(math.log(probs[token]))
        assert score == pytest.approx(sum(logprobs) / len(logprobs), abs=1e-4)


def test_score_of_the_greedy_answer_is_its_own_mean_logprob(engine):
    prompt = Prompt("def total(values):\n")
    text, tokens, _ = answer(engine, prompt, max_tokens=6)
    ids = engine.tokenizer.encode("\n" + text)
    if ids == [token.token_id for token in tokens] or ids[1:] == [t.token_id for t in tokens]:
        mean = sum(token.logprob for token in tokens) / len(tokens)
        assert engine.score(prompt, [text])[0] == pytest.approx(mean, abs=1e-4)


def test_answer_may_be_longer_than_the_window(engine):
    text, tokens, finish = answer(engine, Prompt(PREFIX), max_tokens=150)
    assert finish in ("length", "stop")
    assert len(tokens) == 150 or finish == "stop"
    assert text


def test_suffix_makes_a_fill_in_the_middle_prompt(engine):
    prompt = Prompt("def mean(values):\n    return ", suffix=" / len(values)\n")
    ids = engine.prompts.encode(prompt, 8).input_ids
    special = [token for token in ids if token < 8]
    t = engine.tokenizer
    assert special == [t.window, t.fim_prefix, t.fim_suffix, t.fim_middle]
    assert ids[-1] == t.fim_middle
    text, _, finish = answer(engine, prompt, max_tokens=20)
    assert " / len(values)\n" not in text
    assert finish in ("stop", "length")


def test_a_level_that_is_not_shown_the_suffix_reads_the_prefix_alone_and_ends_with_its_line(engine):
    blind = engine.reading_suffix(False)
    prompt = Prompt("def total(values):\n    result = 0\n", suffix="\n    return result\n")
    encoded = blind.prompts.encode(prompt, 8)
    assert encoded.input_ids == engine.prompts.encode(Prompt(prompt.prefix), 8).input_ids
    assert encoded.suffix_ids == engine.tokenizer.encode(prompt.suffix)  # for memory
    text, _, finish = answer(blind, prompt, max_tokens=40)
    assert text.strip()
    assert "\n" not in text
    assert finish == "stop"
    at_the_end, _, _ = answer(blind, Prompt(prompt.prefix, suffix="\n\n"), max_tokens=40)
    assert "\n" in at_the_end


def test_a_level_that_is_not_shown_the_suffix_may_write_past_its_window(engine):
    prompt = Prompt("total(", suffix=" " * 4)
    text, tokens, finish = answer(engine.reading_suffix(False), prompt, max_tokens=150)
    assert text
    assert len(tokens) == 150 or finish == "stop"


def test_an_answer_before_a_closing_bracket_ends_with_the_brackets_it_opened(engine):
    """The corpus goes on with `values):`; the suffix says the rest."""
    prefix = "def mean(values):\n    if not values:\n        return 0\n    return total("
    free, _, _ = answer(engine, Prompt(prefix), max_tokens=24)
    assert free.startswith("values) / len(values)"), free
    text, _, finish = answer(engine, Prompt(prefix, suffix=")"), max_tokens=24)
    assert (text, finish) == ("values", "stop")


def test_prompt_longer_than_the_window_keeps_the_tail(engine):
    long = "x = 1\n" * 200 + PREFIX
    encoded = engine.prompts.encode(Prompt(long), 8)
    assert len(encoded.input_ids) == 1 + 48 - 8
    kept = engine.tokenizer.decode(encoded.input_ids) + encoded.pending.decode()
    assert long.endswith(kept)
    assert engine.num_prompt_tokens(Prompt(long)) == len(engine.tokenizer.encode(long))


def test_prompt_over_the_hard_limit_is_refused(engine):
    long = Prompt("a b " * 40_000)
    with pytest.raises(PromptTooLong, match=r"has [\d,]+ tokens, this engine takes 32,768"):
        next(engine.stream(long, SamplingParams()))
    assert engine.num_prompt_tokens(long) > 32_768


@pytest.mark.parametrize(
    "prefix", ["", "\n", "\ud800x", "Функция Сум", "a\r\nb", "\x00\x01", "😀", "é"[:1]]
)
def test_any_prefix_gets_an_answer(engine, prefix):
    answer(engine, Prompt(prefix), max_tokens=4)
    answer(engine, Prompt(prefix, suffix=prefix), max_tokens=4)
    assert engine.score(Prompt(prefix), ["x"])[0] > -math.inf


def test_wider_level_reads_the_file_before_the_window(nest_dir):
    engine = load_engine(nest_dir, "semantics")
    prompt = Prompt("import os\n" + "x = 1\n" * 200, path="a.py")
    ids = engine.prompts.encode(prompt, 8).input_ids
    assert ids[0] == engine.tokenizer.file
    assert ids.index(engine.tokenizer.window) <= 1 + 24
    answer(engine, prompt, max_tokens=4)


def test_no_tokens_wanted_no_tokens_written(engine):
    assert answer(engine, Prompt(PREFIX), max_tokens=0) == ("", [], "length")


def test_greedy_answer_chooses_by_its_own_weights_and_reports_the_mixture(engine, copy_nest):
    """With choice left to memory, the tokens are memory's and their probability is the mixture's."""
    folder = copy_nest()
    as_memory = MixingWeights(LEVEL_EXPERTS, np.tile([0.5, 0.5, 0.0], (NUM_BUCKETS, 1)))
    (folder / "levels/syntax/choice.json").write_text(as_memory.to_json())
    cautious = load_engine(folder, "syntax")
    prompt = Prompt("def total(values):\n    result = 0\n    for")
    text, tokens, _ = answer(cautious, prompt, max_tokens=8)
    assert text == " value in values:\n        result += value"[: len(text)]
    mean = sum(token.logprob for token in tokens) / len(tokens)
    assert engine.score(prompt, [text])[0] == pytest.approx(mean, abs=1e-4)

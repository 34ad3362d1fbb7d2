"""Cached decoding gives what a full forward over the whole text gives, whatever the batch."""

from __future__ import annotations

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from nested_ray.inference.llama_decoder import LlamaDecoder
from nested_ray.inference.loading import build_decoder
from nested_ray.inference.transformers_decoder import TransformersDecoder

VOCAB = 96
TOLERANCE = 1e-4


def llama(**changes) -> LlamaForCausalLM:
    torch.manual_seed(1)
    settings = {
        "vocab_size": VOCAB,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "max_position_embeddings": 64,
        "tie_word_embeddings": True,
        "initializer_range": 0.2,
    }
    return LlamaForCausalLM(LlamaConfig(**(settings | changes))).eval()


def qwen() -> Qwen2ForCausalLM:
    torch.manual_seed(1)
    return Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=VOCAB,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            initializer_range=0.2,
        )
    ).eval()


MODELS = {
    "llama": (llama, LlamaDecoder),
    "grouped heads": (lambda: llama(num_key_value_heads=2), LlamaDecoder),
    "untied": (lambda: llama(tie_word_embeddings=False), LlamaDecoder),
    "scaled positions": (
        lambda: llama(
            rope_parameters={"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0}
        ),
        LlamaDecoder,
    ),
    "biases": (lambda: llama(attention_bias=True), TransformersDecoder),
    "other architecture": (qwen, TransformersDecoder),
}


@pytest.fixture(params=MODELS)
def model_and_decoder(request):
    torch.set_num_threads(1)
    build, kind = MODELS[request.param]
    model = build()
    decoder = build_decoder(model)
    assert type(decoder) is kind
    return model, decoder


def full_logits(model, ids: list[int]) -> torch.Tensor:
    with torch.inference_mode():
        return model(torch.tensor([ids])).logits[0]


def make_rows(*lengths: int) -> list[list[int]]:
    generator = torch.Generator().manual_seed(3)
    return [torch.randint(VOCAB, (length,), generator=generator).tolist() for length in lengths]


def close(one: torch.Tensor, two: torch.Tensor) -> bool:
    return torch.allclose(one, two, atol=TOLERANCE, rtol=0)


def test_steps_equal_a_full_forward(model_and_decoder):
    model, decoder = model_and_decoder
    (ids,) = make_rows(80)  # longer than the reserved room and the model's own position table
    expected = full_logits(model, ids)
    cache, logits = decoder.prefill([ids[:20]])
    assert close(logits[0], expected[19])
    for position in range(20, len(ids)):
        logits = decoder.extend(cache, torch.tensor([[ids[position]]]))
        assert close(logits[0, 0], expected[position])


def test_rows_of_different_lengths_do_not_see_each_other(model_and_decoder):
    model, decoder = model_and_decoder
    rows = make_rows(30, 12, 21)
    expected = [full_logits(model, row) for row in rows]
    cache, logits = decoder.prefill([row[:-6] for row in rows])
    last = torch.stack([whole[-7] for whole in expected])
    assert close(logits, last)
    ends = torch.tensor([row[-6:] for row in rows])
    several = decoder.extend(cache, ends[:, :4])
    assert close(several, torch.stack([whole[-6:-2] for whole in expected]))
    for position in (4, 5):
        logits = decoder.extend(cache, ends[:, position : position + 1])
    assert close(logits[:, 0], torch.stack([whole[-1] for whole in expected]))


def test_selected_rows_go_on_by_themselves(model_and_decoder):
    model, decoder = model_and_decoder
    rows = make_rows(10, 17)
    cache, _ = decoder.prefill(rows)
    copies = cache.select([1, 0, 1])
    nexts = [5, 6, 7]
    logits = decoder.extend(copies, torch.tensor(nexts)[:, None])
    for found, row, token in zip(logits, [rows[1], rows[0], rows[1]], nexts, strict=True):
        assert close(found[0], full_logits(model, [*row, token])[-1])
    alone = cache.select([0])
    for position, token in enumerate((4, 5)):
        logits = decoder.extend(alone, torch.tensor([[token]]))
        expected = full_logits(model, [*rows[0], 4, 5])[len(rows[0]) + position]
        assert close(logits[0, 0], expected)
    untouched = decoder.extend(cache, torch.tensor([[8], [9]]))
    assert close(untouched[0, 0], full_logits(model, [*rows[0], 8])[-1])


def test_empty_prompt_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="at least one token"):
        build_decoder(llama()).prefill([[1], []])

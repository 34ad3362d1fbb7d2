"""Adapters: silent at first, merged exactly, kept for who goes on."""

import pytest
import torch
from safetensors.torch import load_file

from nested_ray.config.levels import LoraConfig
from nested_ray.errors import ConfigError
from nested_ray.models import load_model, save_model
from nested_ray.models.lora import ADAPTER, add_lora, is_adapted, load_adapter, trainable
from nested_ray.models.pretrained import Pretrained, load_pretrained

IDS = torch.arange(3, 15)[None]


def adapted(pretrained_dir, **changes):
    dtype = changes.pop("dtype", torch.float32)
    model = load_pretrained(Pretrained(str(pretrained_dir)), dtype)
    add_lora(model, LoraConfig(rank=4, **changes), seed=1)
    return model


def learn(model):
    """A step that moves everything that can be moved."""
    model(input_ids=IDS, labels=IDS).loss.backward()
    with torch.no_grad():
        for parameter in trainable(model).values():
            parameter += (
                torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)) / 9
            )


def test_adapters_change_nothing_before_they_learn(pretrained_dir):
    plain = load_pretrained(Pretrained(str(pretrained_dir)), torch.float32)
    before = torch.get_rng_state()
    model = adapted(pretrained_dir)
    assert torch.equal(torch.get_rng_state(), before)
    assert is_adapted(model) and not is_adapted(plain)
    with torch.no_grad():
        torch.testing.assert_close(model(IDS).logits, plain(IDS).logits)


def test_adapters_and_the_embedding_learn_and_nothing_else(pretrained_dir):
    names = trainable(adapted(pretrained_dir)).keys()
    others = {name for name in names if ".lora_A." not in name and ".lora_B." not in name}
    assert others == {"model.embed_tokens.weight"}
    assert len(names) == 1 + 3 * 7 * 2  # layers, linear layers in each, two matrices
    only = trainable(adapted(pretrained_dir, modules=("q_proj",))).keys()
    assert len(only) == 1 + 3 * 2
    with pytest.raises(ConfigError, match=r"lora\.modules"):
        adapted(pretrained_dir, modules=("no_such_layer",))


def test_what_is_saved_is_a_plain_model_that_says_the_same(pretrained_dir, tmp_path):
    model = adapted(pretrained_dir)
    learn(model)
    save_model(model, tmp_path)
    plain = load_model(tmp_path)
    assert not is_adapted(plain)
    assert not any("lora" in name for name in load_file(tmp_path / "model.safetensors"))
    with torch.no_grad():
        torch.testing.assert_close(plain(IDS).logits, model(IDS).logits, atol=1e-4, rtol=1e-4)


def test_a_kept_adapter_goes_on_bit_by_bit(pretrained_dir, tmp_path):
    model = adapted(pretrained_dir)
    learn(model)
    save_model(model, tmp_path)
    again = adapted(pretrained_dir)
    load_adapter(again, tmp_path)
    with torch.no_grad():
        assert torch.equal(again(IDS).logits, model(IDS).logits)
    with pytest.raises(ConfigError, match="other adapters"):
        load_adapter(adapted(pretrained_dir, modules=("q_proj",)), tmp_path)


def test_frozen_weights_may_be_bf16_while_what_learns_is_fp32(pretrained_dir, tmp_path):
    model = adapted(pretrained_dir, dtype=torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        learn(model)
    kinds = {(p.requires_grad, p.dtype) for p in model.parameters()}
    assert kinds == {(True, torch.float32), (False, torch.bfloat16)}
    save_model(model, tmp_path)
    assert all(tensor.dtype == torch.float32 for tensor in load_file(tmp_path / ADAPTER).values())
    layer = model.model.layers[1].mlp.up_proj
    delta = (32 / 4) * layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    saved = load_file(tmp_path / "model.safetensors")["model.layers.1.mlp.up_proj.weight"]
    assert saved.dtype == torch.bfloat16
    torch.testing.assert_close(saved.float(), layer.weight.float() + delta, atol=2**-9, rtol=2**-8)

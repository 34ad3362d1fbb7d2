"""Layers computed another way give the same losses, gradients and files."""

import pytest
import torch

from nested_ray.config.levels import ScratchModel
from nested_ray.errors import ConfigError
from nested_ray.models import WindowModel, build_model, load_model, save_model
from nested_ray.models.layers import prepare_layers

# Dynamo looks at a gradient that is not there and says so.
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def decoder():
    return build_model(ScratchModel(preset="nano"), vocab_size=64, max_positions=64, seed=1)


def logits_and_gradients(model):
    ids_BL = torch.arange(32).reshape(2, 16)
    index_BW = torch.arange(15).expand(2, 15)
    logits_NV = WindowModel(model)(ids_BL, index_BW, torch.ones_like(index_BW, dtype=torch.bool))
    logits_NV.square().mean().backward()
    return logits_NV.detach(), {name: p.grad for name, p in model.named_parameters()}


def times_computed(model):
    """How often the first attention ran for one forward and backward pass."""
    calls = []
    model.get_decoder().layers[0].self_attn.register_forward_hook(lambda *_: calls.append(1))
    logits_and_gradients(model)
    return len(calls)


@pytest.mark.parametrize(
    "settings", [{"activation_checkpointing": True}, {"compiled": True, "backend": "eager"}]
)
def test_prepared_layers_give_the_same_logits_and_gradients(settings):
    prepared = decoder()
    prepare_layers(prepared, **settings)
    expected, got = logits_and_gradients(decoder()), logits_and_gradients(prepared)
    torch.testing.assert_close(got, expected)


def test_checkpointed_layers_are_computed_twice_also_after_loading(tmp_path):
    save_model(decoder(), tmp_path)
    loaded = load_model(tmp_path)
    assert times_computed(loaded) == 1
    prepare_layers(loaded, activation_checkpointing=True)
    assert times_computed(loaded) == 2


def test_without_a_compiler_compiled_layers_are_refused_at_once(monkeypatch):
    from torch._inductor import config

    monkeypatch.setattr(config.cpp, "cxx", ("no-such-compiler",))
    with pytest.raises(ConfigError, match="install g"):
        prepare_layers(decoder(), compiled=True)


def test_compiled_layers_keep_the_names_of_their_weights():
    prepared = decoder()
    prepare_layers(prepared, compiled=True, backend="eager")
    assert prepared.get_decoder().layers[0]._compiled_call_impl is not None
    assert prepared.state_dict().keys() == decoder().state_dict().keys()

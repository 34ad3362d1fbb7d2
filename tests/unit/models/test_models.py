"""Presets, files, output only at window positions, and the measured number format."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from nested_ray.config.levels import ScratchModel
from nested_ray.errors import ConfigError
from nested_ray.models import PRESETS, WindowModel, build_model, load_model, save_model
from nested_ray.models.precision import autocast, choose_dtype

CPU = torch.device("cpu")


def nano(seed=0, vocab_size=600):
    config = ScratchModel(preset="nano")
    return build_model(config, vocab_size=vocab_size, max_positions=64, seed=seed)


@pytest.mark.parametrize("preset", ["nano", "micro", "mini"])
def test_presets_have_as_many_parameters_as_they_say(preset):
    model = build_model(ScratchModel(preset=preset), vocab_size=4096, max_positions=64, seed=0)
    expected = PRESETS[preset].num_body_parameters + 4096 * PRESETS[preset].hidden_size
    assert sum(parameter.numel() for parameter in model.parameters()) == expected


def test_the_same_seed_gives_the_same_weights_and_leaves_the_random_state():
    before = torch.get_rng_state()
    first, second, other = nano(1).state_dict(), nano(1).state_dict(), nano(2).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    name = "model.layers.0.self_attn.q_proj.weight"
    assert torch.equal(first[name], second[name])
    assert not torch.equal(first[name], other[name])


def test_a_saved_model_is_two_files_and_gives_the_same_logits(tmp_path):
    model = nano().eval()
    save_model(model, tmp_path / "m")
    names = sorted(path.name for path in (tmp_path / "m").iterdir())
    assert names == ["config.json", "model.safetensors"]
    input_ids = torch.arange(20)[None]
    with torch.no_grad():
        expected, found = model(input_ids).logits, load_model(tmp_path / "m")(input_ids).logits
    assert torch.equal(found, expected)


def test_a_folder_without_weights_is_named_in_the_error(tmp_path):
    with pytest.raises(ConfigError, match=r"config\.json and model\.safetensors missing"):
        load_model(tmp_path)


def test_weights_that_do_not_fit_the_model_are_refused(tmp_path):
    model = nano()
    save_model(model, tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    gone = "model.layers.0.mlp.up_proj.weight"
    kept = {name: tensor for name, tensor in weights.items() if name != gone}
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigError, match=f"{gone} missing"):
        load_model(tmp_path)
    save_file(
        {**weights, "stray": torch.ones(1)},
        tmp_path / "model.safetensors",
        metadata={"format": "pt"},
    )
    with pytest.raises(ConfigError, match="stray unexpected"):
        load_model(tmp_path)


def test_window_logits_are_the_full_models_at_the_predicted_positions():
    model = nano().eval()
    input_ids_BL = torch.randint(600, (2, 9), generator=torch.Generator().manual_seed(0))
    target_index_BW = torch.tensor([[3, 4, 5], [6, 7, 0]])
    valid_BW = torch.tensor([[True, True, True], [True, True, False]])
    with torch.no_grad():
        found_NV = WindowModel(model)(input_ids_BL, target_index_BW, valid_BW)
        full_BLV = model(input_ids_BL).logits
    expected_NV = torch.cat([full_BLV[0, 3:6], full_BLV[1, 6:8]])
    torch.testing.assert_close(found_NV, expected_NV, atol=1e-5, rtol=1e-5)


def test_right_padding_does_not_reach_the_predictions():
    model = nano().eval()
    input_ids_BL = torch.arange(1, 9)[None]
    padded_BL = torch.cat([input_ids_BL, torch.zeros(1, 5, dtype=torch.long)], 1)
    index_BW, valid_BW = torch.arange(8)[None], torch.ones(1, 8, dtype=torch.bool)
    with torch.no_grad():
        plain = WindowModel(model)(input_ids_BL, index_BW, valid_BW)
        padded = WindowModel(model)(padded_BL, index_BW, valid_BW)
    torch.testing.assert_close(padded, plain, atol=1e-5, rtol=1e-5)


def test_bf16_is_taken_only_where_it_was_measured_to_be_faster(monkeypatch):
    times = {torch.float32: 1.0, torch.bfloat16: 0.5}
    monkeypatch.setattr(
        "nested_ray.models.precision._best_time_s", lambda dtype, *others: times[dtype]
    )
    assert choose_dtype("auto", CPU, 128) is torch.bfloat16
    times[torch.bfloat16] = 0.9
    assert choose_dtype("auto", CPU, 128) is torch.float32
    assert choose_dtype("bf16", CPU, 128) is torch.bfloat16


def test_measuring_works_on_this_machine():
    assert choose_dtype("auto", CPU, 128) in (torch.float32, torch.bfloat16)


def test_autocast_computes_in_bf16_over_fp32_weights():
    linear = torch.nn.Linear(4, 4)
    with autocast(torch.bfloat16, CPU):
        assert linear(torch.ones(1, 4)).dtype is torch.bfloat16
    with autocast(torch.float32, CPU):
        assert linear(torch.ones(1, 4)).dtype is torch.float32
    assert linear.weight.dtype is torch.float32

"""Pretrained sources: what is read, what is refused, and the nest's vocabulary put in its place."""

import shutil

import pytest
import torch
from tokenizers import Tokenizer, models
from transformers import Gemma2Config, Gemma2ForCausalLM

from nested_ray.errors import ConfigError
from nested_ray.models import load_model, save_model
from nested_ray.models.pretrained import (
    Pretrained,
    check_trainable,
    keep_layers,
    load_pretrained,
    load_tokenizer,
    spread,
)
from nested_ray.models.vocabulary import own_bytes, replace_vocabulary, share_kept, source_rows

MARKERS = ("<|pad|>", "<|endoftext|>", "<|window|>", "<|fim_prefix|>", "<|repository|>")


@pytest.fixture
def model(pretrained_dir):
    return load_pretrained(Pretrained(str(pretrained_dir)), torch.float32)


@pytest.fixture
def own(pretrained_dir):
    return load_tokenizer(Pretrained(str(pretrained_dir)))


def test_weights_in_pickle_files_are_refused(pretrained_dir, tmp_path):
    for name in ("config.json", "tokenizer.json"):
        shutil.copy(pretrained_dir / name, tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(ConfigError, match=r"no \.safetensors file; weights in pickle"):
        load_pretrained(Pretrained(str(tmp_path)), torch.float32)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("/no/such/folder", "no such folder"),
        ("folder", "not a hub id such as owner/name"),
        ("models/some.gguf", "no such file"),
    ],
)
def test_a_source_that_cannot_be_there_is_refused(source, message):
    with pytest.raises(ConfigError, match=message):
        Pretrained(source).check()


def test_a_hub_id_is_not_downloaded_unless_allowed(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ConfigError, match="allow_download: true"):
        load_tokenizer(Pretrained("nobody/nothing-of-this-name"))


def test_tokens_the_model_has_start_from_its_rows_and_others_from_the_mean_of_their_parts(own):
    by_bytes = {data: token for token, data in own_bytes(own).items()}
    width_id, quote, star = by_bytes[b"width"], by_bytes[b'"'], by_bytes[b"*"]
    rows = source_rows(own, MARKERS, [b"width", b'"*', "ж".encode()[:1]])
    end, prefix = own.token_to_id("<|endoftext|>"), own.token_to_id("<|fim_prefix|>")
    newline = by_bytes[b"\n"]
    assert rows[:5] == [(end,), (end,), (end,), (prefix,), (newline,)]
    assert rows[5] == (width_id,)
    assert rows[6] == (quote, star)
    assert rows[7] == (by_bytes[b"\xd0"],)
    assert share_kept(rows) == 7 / 8


def test_the_model_says_the_same_of_the_tokens_it_keeps(model):
    """Softmax over fewer rows, padding rows left behind: the same logits, in another order."""
    rows = [(7,), (300,), (5,), (41,), (12, 13), ()]
    old_ids = torch.tensor([[300, 5, 41, 7]])
    embedding = model.get_input_embeddings().weight.detach().clone()
    with torch.no_grad():
        expected = model(old_ids).logits[0, :, [7, 300, 5, 41]]
        replace_vocabulary(model, rows)
        found = model(torch.tensor([[1, 2, 3, 0]])).logits[0]
    torch.testing.assert_close(found[:, :4], expected)
    weight = model.get_input_embeddings().weight
    torch.testing.assert_close(weight[4], (embedding[12] + embedding[13]) / 2)
    torch.testing.assert_close(weight[5], embedding.mean(0))
    assert model.get_output_embeddings().weight is weight
    assert model.config.vocab_size == 6


def test_a_model_with_the_new_vocabulary_is_saved_and_loaded(model, tmp_path):
    replace_vocabulary(model, [(token,) for token in range(20)])
    check_trainable(model, 512)
    save_model(model, tmp_path)
    ids = torch.arange(20)[None]
    with torch.no_grad():
        torch.testing.assert_close(load_model(tmp_path)(ids).logits, model(ids).logits)


def test_the_first_layers_alone_are_a_model(model, tmp_path):
    ids = torch.arange(9)[None]
    with torch.no_grad():
        expected = model(ids, output_hidden_states=True).hidden_states[2]
        keep_layers(model, 2)
        save_model(model, tmp_path)
        found = load_model(tmp_path).model.layers[1](
            load_model(tmp_path)(ids, output_hidden_states=True).hidden_states[1],
            position_embeddings=model.model.rotary_emb(expected, torch.arange(9)[None]),
        )
    torch.testing.assert_close(found, expected)
    with pytest.raises(ConfigError, match="9 asked for, the model has 2"):
        keep_layers(model, 9)


def test_spread_layers_are_the_first_the_last_and_those_between(model, tmp_path):
    """Layers 0 and 2 of three, run by hand; the cut model answers the same with and without a cache."""
    ids, place = torch.arange(9)[None], torch.arange(9)[None]
    with torch.no_grad():
        hidden = model.model.embed_tokens(ids)
        turned = model.model.rotary_emb(hidden, place)
        for number in (0, 2):
            hidden = model.model.layers[number](hidden, position_embeddings=turned)
        expected = model.lm_head(model.model.norm(hidden))
        keep_layers(model, 2, "spread")
        torch.testing.assert_close(model(ids).logits, expected)
        save_model(model, tmp_path)
        torch.testing.assert_close(load_model(tmp_path)(ids).logits, expected)
    assert spread(30, 4) == [0, 10, 19, 29]
    assert spread(30, 1) == [0]
    assert spread(5, 5) == [0, 1, 2, 3, 4]


def test_a_context_that_the_model_cannot_read_is_refused(model):
    with pytest.raises(ConfigError, match="at most 512 tokens, the level needs 513"):
        check_trainable(model, 513)


def test_a_model_that_caps_its_logits_is_refused():
    config = Gemma2Config(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        final_logit_softcapping=0.1,
    )
    model = Gemma2ForCausalLM(config).eval()
    with pytest.raises(ConfigError, match="changes its logits"):
        check_trainable(model, 64)


def test_a_tokenizer_without_bytes_has_no_rows_to_give():
    words = Tokenizer(models.WordLevel({"слово": 0, "a": 1}, unk_token="a"))
    assert own_bytes(words) == {1: b"a"}

"""A nest directory that lacks a file or mixes two nests is refused in one sentence."""

from __future__ import annotations

import json

import pytest

from nested_ray.config.train import TokenizerConfig
from nested_ray.datasets.tokenizer import NestTokenizer
from nested_ray.errors import InferenceError
from nested_ray.inference.loading import load_engine


def test_levels_of_one_nest_share_tokenizer_and_memory(nest_dir):
    one, two = load_engine(nest_dir, "syntax"), load_engine(nest_dir, "semantics")
    assert one.tokenizer is two.tokenizer
    assert one.memory.index is two.memory.index


@pytest.mark.parametrize(
    "name",
    [
        "nest.json",
        "tokenizer.json",
        "memory/index.json",
        "memory/followers.npy",
        "repository/definitions.json",
        "levels/syntax/model.safetensors",
        "levels/syntax/config.json",
        "levels/syntax/mixing.json",
    ],
)
def test_missing_file_is_named(copy_nest, name):
    folder = copy_nest()
    (folder / name).unlink()
    with pytest.raises(InferenceError, match=name.rsplit("/")[-1].replace(".", r"\.")):
        load_engine(folder, "syntax")


def test_damaged_weights_of_memory_are_refused(copy_nest):
    folder = copy_nest()
    (folder / "levels/syntax/mixing.json").write_text("{}")
    with pytest.raises(InferenceError, match="mixing weights"):
        load_engine(folder, "syntax")


def test_truncated_model_is_refused(copy_nest):
    folder = copy_nest()
    weights = folder / "levels/syntax/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(InferenceError, match=r"levels.syntax"):
        load_engine(folder, "syntax")


def test_tokenizer_of_another_nest_is_refused(copy_nest):
    folder = copy_nest()
    NestTokenizer.train(["другой текст"], TokenizerConfig(vocab_size=512)).save(
        folder / "tokenizer.json"
    )
    with pytest.raises(InferenceError, match="of different nests"):
        load_engine(folder, "syntax")


def test_model_with_another_vocabulary_is_refused(copy_nest):
    folder = copy_nest()
    index = folder / "memory" / "index.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | {"vocab_size": 9}))
    with pytest.raises(InferenceError, match=r"knows 9 tokens|index"):
        load_engine(folder, "syntax")


def test_unknown_level_is_refused_with_the_names_there_are(nest_dir):
    with pytest.raises(InferenceError, match="no level 'logic'; it has syntax, semantics"):
        load_engine(nest_dir, "logic")

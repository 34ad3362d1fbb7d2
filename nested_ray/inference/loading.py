"""From the files of a nest directory to a TorchEngine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import LlamaForCausalLM, PreTrainedModel

from nested_ray.datasets.examples import context_budgets
from nested_ray.datasets.tokenizer import NestTokenizer
from nested_ray.errors import ConfigError, InferenceError, StorageError
from nested_ray.inference.bundle import (
    CHOICE_FILE,
    DEFINITIONS_FILE,
    MEMORY_FOLDER,
    MIXING_FILE,
    SPEC_FILE,
    TOKENIZER_FILE,
    NestSpec,
    level_folder,
    read_spec,
    require_file,
)
from nested_ray.inference.decoder import Decoder
from nested_ray.inference.llama_decoder import LlamaDecoder, supports
from nested_ray.inference.prompts import PromptEncoder
from nested_ray.inference.torch_engine import Memory, TorchEngine
from nested_ray.inference.transformers_decoder import TransformersDecoder
from nested_ray.inference.vocabulary import Vocabulary
from nested_ray.inference.writer import LevelMixing
from nested_ray.levels import build_levels
from nested_ray.memory import LEVEL_EXPERTS, MixingWeights, NgramIndex
from nested_ray.models import load_model
from nested_ray.repository.definitions import DefinitionIndex


@dataclass(frozen=True)
class SharedParts:
    """What all levels of one nest use, loaded once per process and never changed."""

    tokenizer: NestTokenizer
    vocabulary: Vocabulary
    index: NgramIndex
    definitions: DefinitionIndex


def load_engine(nest_dir: str | Path, level_name: str, num_threads: int = 1) -> TorchEngine:
    """The engine of one level of a nest directory; levels of one nest share tokenizer and memory.

    Sets torch's number of threads for the process. Raises InferenceError when a file is missing,
    damaged or belongs to another nest.
    """
    nest_dir = Path(nest_dir)
    torch.set_num_threads(num_threads)
    engine = load_unmixed_engine(nest_dir, level_name)
    return engine.mixed_by(read_mixing(level_folder(nest_dir, level_name)))


def load_unmixed_engine(nest_dir: Path, level_name: str) -> TorchEngine:
    """The engine before its mixing weights are fitted: it can answer without memory alone."""
    spec = read_spec(nest_dir)
    level = spec.level(level_name)
    shared = load_shared(nest_dir, spec)
    folder = level_folder(nest_dir, level_name)
    prompts = PromptEncoder(
        shared.tokenizer,
        build_levels([level.kind], shared.definitions),
        context_budgets(level, spec.levels),
        window_tokens=spec.window_tokens,
        reads_suffix=level.reads_suffix,
    )
    return TorchEngine(
        tokenizer=shared.tokenizer,
        vocabulary=shared.vocabulary,
        prompts=prompts,
        decoder=load_decoder(folder, shared.tokenizer),
        memory=Memory(shared.index),
    )


def load_shared(nest_dir: Path, spec: NestSpec) -> SharedParts:
    """The parts that all levels use; the same object while `nest.json` stays the same file."""
    written_ns = (nest_dir / SPEC_FILE).stat().st_mtime_ns
    return _load_shared(nest_dir.resolve(), spec.tokenizer_hash, written_ns)


@lru_cache(maxsize=4)
def _load_shared(nest_dir: Path, tokenizer_hash: str, written_ns: int) -> SharedParts:
    with as_inference_errors():
        tokenizer = NestTokenizer.load(require_file(nest_dir / TOKENIZER_FILE))
        if tokenizer.hash != tokenizer_hash:
            raise InferenceError(
                f"{nest_dir / TOKENIZER_FILE} is tokenizer {tokenizer.hash}, but {SPEC_FILE} names "
                f"{tokenizer_hash}; the files are of different nests, fetch the version again"
            )
        index = NgramIndex.load(require_file(nest_dir / MEMORY_FOLDER))
        definitions = DefinitionIndex.load(require_file(nest_dir / DEFINITIONS_FILE))
    check_vocabulary(nest_dir / MEMORY_FOLDER, index.vocab_size, tokenizer)
    return SharedParts(tokenizer, Vocabulary(tokenizer), index, definitions)


def load_decoder(folder: Path, tokenizer: NestTokenizer) -> Decoder:
    """The weights of one level; safetensors only."""
    with as_inference_errors():
        try:
            decoder = build_decoder(load_model(require_file(folder)))
        except (SafetensorError, RuntimeError, ValueError, KeyError) as exc:
            raise InferenceError(
                f"{folder} holds no model that can be loaded: {exc}; fetch the version again"
            ) from exc
    check_vocabulary(folder, decoder.vocab_size, tokenizer)
    return decoder


def check_vocabulary(path: Path, vocab_size: int, tokenizer: NestTokenizer) -> None:
    if vocab_size != tokenizer.vocab_size:
        raise InferenceError(
            f"{path} knows {vocab_size:,} tokens, the tokenizer of the nest {tokenizer.vocab_size:,}; "
            "the files are of different nests, fetch the version again"
        )


def read_mixing(folder: Path) -> LevelMixing:
    """Weights of corpus, cache and level; raises InferenceError.

    `choice.json` may be absent: then a greedy answer takes the distribution's likeliest token.
    """
    choice_file = folder / CHOICE_FILE
    return LevelMixing(
        probabilities=read_weights(folder / MIXING_FILE),
        choice=read_weights(choice_file) if choice_file.exists() else None,
    )


def read_weights(path: Path) -> MixingWeights:
    with as_inference_errors():
        text = require_file(path).read_text(encoding="utf-8")
        return MixingWeights.from_json(text, experts=LEVEL_EXPERTS)


@contextmanager
def as_inference_errors() -> Iterator[None]:
    """Whatever is wrong with a file of the nest is one kind of error to who loads an engine."""
    try:
        yield
    except (ConfigError, StorageError) as exc:
        raise InferenceError(str(exc)) from exc
    except OSError as exc:
        raise InferenceError(f"cannot read the nest: {exc}") from exc


def build_decoder(model: PreTrainedModel) -> Decoder:
    """The hand-written loop where it knows the architecture, else transformers' own forward."""
    model = model.eval()
    if isinstance(model, LlamaForCausalLM) and supports(model.config):
        return LlamaDecoder(model)
    return TransformersDecoder(model)

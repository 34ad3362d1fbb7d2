"""What levels and tokenizer start from, when it is not random: fetched, given the nest's vocabulary, kept by the run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from tokenizers import Tokenizer

from nested_ray.config.levels import LevelConfig, PretrainedModel, RegistryModel
from nested_ray.config.train import (
    PretrainedTokenizer,
    RegistryTokenizer,
    TokenizerSource,
    TrainConfig,
)
from nested_ray.corpus.documents import Corpus
from nested_ray.datasets.pretrained_tokenizer import cut_tokenizer
from nested_ray.datasets.tokenizer import SPECIAL_TOKENS, NestTokenizer
from nested_ray.errors import ConfigError
from nested_ray.inference.bundle import TOKENIZER_FILE, level_folder, read_spec
from nested_ray.models import load_model, save_model
from nested_ray.models.pretrained import (
    Pretrained,
    check_trainable,
    keep_layers,
    load_pretrained,
    load_tokenizer,
)
from nested_ray.models.vocabulary import replace_vocabulary, share_kept, source_rows


class NestFiles(Protocol):
    """What is asked of a registry: the files of a version."""

    def resolve(self, nest: str, ref: str | int) -> Any: ...

    def fetch(self, version: Any) -> Path: ...


@dataclass(frozen=True)
class StartModel:
    """Facts of a level's start for who watches the run."""

    level: str
    num_parameters: int
    share_kept: float
    """Share of the nest's tokens that the model knew as one token."""

    def __str__(self) -> str:
        return (
            f"{self.level} starts from {self.num_parameters / 1e6:,.1f} M learned weights; "
            f"{self.share_kept:.0%} of its tokens are the model's own"
        )


def nest_tokenizer(source: TokenizerSource, corpus: Corpus, registry: NestFiles) -> NestTokenizer:
    """Trained on the training split, cut from a pretrained model's, or a registered version's."""
    if isinstance(source, RegistryTokenizer):
        return NestTokenizer.load(_fetched(source, registry) / TOKENIZER_FILE)
    texts = (document.text for document in corpus.split("train"))
    if isinstance(source, PretrainedTokenizer):
        return cut_tokenizer(load_tokenizer(_place(source)), texts, source)
    return NestTokenizer.train(texts, source)


def check_sources(config: TrainConfig) -> None:
    """Raise ConfigError, before the corpus is read, when a pretrained source cannot be there."""
    if isinstance(config.tokenizer, PretrainedTokenizer):
        _place(config.tokenizer).check(weights=False)
    for level in config.levels:
        if isinstance(level.model, PretrainedModel):
            _place(level.model).check()


def make_start_model(
    level: LevelConfig,
    tokenizer: NestTokenizer,
    registry: NestFiles,
    folder: Path,
    *,
    max_positions: int,
    note: Callable[[StartModel], None] = lambda facts: None,
) -> None:
    """Write the model that a level starts from, with the nest's vocabulary, into the folder.

    Raises ConfigError when the source cannot be read or cannot be trained as a level.
    """
    source = level.model
    if isinstance(source, RegistryModel):
        model, own = _registered(source, registry)
    elif isinstance(source, PretrainedModel):
        dtype = torch.bfloat16 if source.weights == "bf16" else torch.float32
        own = load_tokenizer(_place(source))
        model = load_pretrained(_place(source), dtype)
    else:
        raise ValueError(f"level {level.name} starts from random weights")
    if source.num_layers is not None:
        keep_layers(model, source.num_layers, source.keep)
    tokens = [tokenizer.token_bytes(token) for token in range(tokenizer.vocab_size)]
    rows = source_rows(own, SPECIAL_TOKENS, tokens[len(SPECIAL_TOKENS) :])
    replace_vocabulary(model, rows)
    check_trainable(model, max_positions)
    save_model(model, folder)
    note(StartModel(level.name, model.num_parameters(), share_kept(rows)))


def _registered(source: RegistryModel, registry: NestFiles) -> tuple[Any, Tokenizer]:
    nest_dir = _fetched(source, registry)
    names = [level.name for level in read_spec(nest_dir).levels]
    if source.level not in names:
        raise ConfigError(
            f"{source.nest}@{source.version} has no level {source.level!r}; it has {', '.join(names)}"
        )
    dtype = torch.bfloat16 if source.weights == "bf16" else torch.float32
    model = load_model(level_folder(nest_dir, source.level), dtype)
    return model, Tokenizer.from_file(str(nest_dir / TOKENIZER_FILE))


def _fetched(source: RegistryModel | RegistryTokenizer, registry: NestFiles) -> Path:
    return registry.fetch(registry.resolve(source.nest, source.version))


def _place(source: PretrainedModel | PretrainedTokenizer) -> Pretrained:
    return Pretrained(source.source, source.revision, source.allow_download)

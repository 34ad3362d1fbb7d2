"""A pretrained model's byte-level BPE cut down to a nest's vocabulary.

Every token of a text that consists of kept tokens stays the token it was: a merge is kept with both of
its parts, and merges that are gone were not used for those tokens. Lines are encoded one by one, so no token
crosses a line break except at its start, which the contexts of neighbouring windows rest on.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from tokenizers import Tokenizer
from tokenizers.pre_tokenizers import ByteLevel

from nested_ray.config.train import PretrainedTokenizer
from nested_ray.datasets.tokenizer import SPECIAL_TOKENS, NestTokenizer, sample_texts
from nested_ray.errors import ConfigError

LINE = r"\n[^\n]*"
LINE_BREAK = "Ċ"
"""A line feed in the byte-level alphabet."""

Merge = tuple[str, str]


def cut_tokenizer(
    source: Tokenizer, texts: Iterable[str], config: PretrainedTokenizer
) -> NestTokenizer:
    """The nest's tokenizer: the source's merges, as far as the texts need them.

    Raises ConfigError for a tokenizer that is not byte-level BPE.
    """
    values = json.loads(source.to_str())
    _check_byte_level(values, config.source)
    values["pre_tokenizer"] = _by_line(values["pre_tokenizer"])
    merges = [_merge(entry) for entry in values["model"]["merges"]]
    vocabulary: dict[str, int] = values["model"]["vocab"]
    sample = sample_texts(texts, config.max_training_bytes)
    ranked = _ranked(_counted(_assembled(values, vocabulary, merges), sample), vocabulary)
    kept = _closed(ranked, merges, set(vocabulary), config.vocab_size)
    numbered = _numbered(kept, vocabulary)
    usable = [(a, b) for a, b in merges if a in kept and b in kept and a + b in kept]
    return NestTokenizer(_assembled(values, numbered, usable))


def _check_byte_level(values: dict[str, Any], source: str) -> None:
    kinds = {step.get("type") for step in _steps(values["pre_tokenizer"])}
    if values["model"].get("type") != "BPE" or "ByteLevel" not in kinds:
        raise ConfigError(
            f"the tokenizer of {source} is not byte-level BPE, which nests need for exact bytes; "
            "take a model such as Qwen, Llama 3, StarCoder or SmolLM, or tokenizer: {type: trained}"
        )


def _steps(pre_tokenizer: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    """The parts of a pre-tokenizer, sequences unrolled."""
    if pre_tokenizer is None:
        return
    if pre_tokenizer["type"] == "Sequence":
        for step in pre_tokenizer["pretokenizers"]:
            yield from _steps(step)
    else:
        yield pre_tokenizer


def _by_line(pre_tokenizer: dict[str, Any]) -> dict[str, Any]:
    """The same pieces within each line; a line break begins a line."""
    lines = {"type": "Split", "pattern": {"Regex": LINE}, "behavior": "Isolated", "invert": False}
    steps = [
        {**step, "add_prefix_space": False} if step["type"] == "ByteLevel" else step
        for step in _steps(pre_tokenizer)
    ]
    return {"type": "Sequence", "pretokenizers": [lines, *steps]}


def _merge(entry: str | list[str]) -> Merge:
    """One merge of tokenizer.json, which is a pair or, in older files, one string."""
    first, second = entry.split(" ") if isinstance(entry, str) else entry
    return first, second


def _assembled(
    values: dict[str, Any], vocabulary: dict[str, int], merges: list[Merge]
) -> Tokenizer:
    """The source with another vocabulary. Its own markers are left out: no text encodes to them.

    Normalisation is left out as well: what is decoded must be what was encoded.
    """
    model = {
        **values["model"],
        "vocab": vocabulary,
        "merges": [list(merge) for merge in merges],
        "unk_token": None,
    }
    tokenizer = Tokenizer.from_str(
        json.dumps(
            {
                **values,
                "model": model,
                "added_tokens": [],
                "normalizer": None,
                "post_processor": None,
                "decoder": {
                    "type": "ByteLevel",
                    "add_prefix_space": False,
                    "trim_offsets": True,
                    "use_regex": True,
                },
                "truncation": None,
                "padding": None,
            }
        )
    )
    if all(token in vocabulary for token in SPECIAL_TOKENS):
        tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    return tokenizer


def _counted(tokenizer: Tokenizer, texts: list[str]) -> Counter[str]:
    """How often the texts use each token."""
    counts: Counter[int] = Counter()
    for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False):
        counts.update(encoding.ids)
    names = {token: name for name, token in tokenizer.get_vocab().items()}
    return Counter({names[token]: count for token, count in counts.items()})


def _ranked(counts: Counter[str], vocabulary: dict[str, int]) -> list[str]:
    """Used tokens, the most frequent first, then the others as they were learned.

    Tokens with a line break behind their first character can no longer be written.
    """
    writable = (
        token for token in vocabulary if LINE_BREAK not in token[1:] and token not in SPECIAL_TOKENS
    )
    return sorted(writable, key=lambda token: (-counts[token], vocabulary[token]))


def _closed(ranked: list[str], merges: list[Merge], known: set[str], vocab_size: int) -> set[str]:
    """All single bytes and as many tokens as fit, each with the tokens it is merged from."""
    made_of: dict[str, list[Merge]] = {}
    for first, second in merges:
        made_of.setdefault(first + second, []).append((first, second))
    kept = set(ByteLevel.alphabet())
    room = vocab_size - len(SPECIAL_TOKENS)
    for token in ranked:
        needed = _parts(token, made_of, kept, known)
        if needed is not None and len(kept) + len(needed) <= room:
            kept |= needed
    return kept


def _parts(
    token: str, made_of: dict[str, list[Merge]], kept: set[str], known: set[str]
) -> set[str] | None:
    """The token and all that its merges go through, without what is kept; None: no merge makes it."""
    needed: set[str] = set()
    left = [token]
    while left:
        part = left.pop()
        if part in kept or part in needed:
            continue
        if part not in known or part not in made_of:
            return None
        needed.add(part)
        left.extend(piece for merge in made_of[part] for piece in merge)
    return needed


def _numbered(kept: set[str], vocabulary: dict[str, int]) -> dict[str, int]:
    """Markers first, then the tokens in the order in which the source learned them."""
    last = len(vocabulary)
    ordered = sorted(kept, key=lambda token: (vocabulary.get(token, last), token))
    return {token: number for number, token in enumerate((*SPECIAL_TOKENS, *ordered))}

"""A pretrained model under another vocabulary: which of its rows each token of a nest starts from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.convert_slow_tokenizer import bytes_to_unicode

# V tokens of the nest, S rows of the model, D model

Rows = list[tuple[int, ...]]
"""For every token of the nest the model's rows whose mean it starts from; none: the mean of all."""

END = ("<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<｜end▁of▁sentence｜>")
MARKERS = {
    "<|pad|>": END,
    "<|endoftext|>": END,
    "<|window|>": END,  # where a text begins, to models that separate texts by their end
    "<|file|>": ("<|file_sep|>", "<file_sep>", "<filename>", "\n"),
    "<|repository|>": ("<|repo_name|>", "<repo_name>", "<reponame>", "\n"),
    "<|fim_prefix|>": ("<fim_prefix>", "<｜fim▁begin｜>", "<PRE>", "▁<PRE>"),
    "<|fim_suffix|>": ("<fim_suffix>", "<｜fim▁hole｜>", "<SUF>", "▁<SUF>"),
    "<|fim_middle|>": ("<fim_middle>", "<｜fim▁end｜>", "<MID>", "▁<MID>"),
}
"""What code models call the markers of a nest, the likeliest name first; a marker of the same name comes before all."""


def source_rows(source: Tokenizer, markers: Sequence[str], tokens: Sequence[bytes]) -> Rows:
    """Rows for the markers and then for the tokens of text.

    A token that the model has is its own row; another one starts from the mean of the rows of what
    the model's tokenizer makes of its bytes.
    """
    vocabulary = source.get_vocab(with_added_tokens=True)
    own = own_bytes(source)
    by_bytes = {data: token for token, data in own.items()}
    return [
        *(_marker_rows(marker, vocabulary, by_bytes) for marker in markers),
        *(_text_rows(data, source, by_bytes) for data in tokens),
    ]


def share_kept(rows: Rows) -> float:
    """Share of the tokens that go on as one row of the model."""
    return sum(len(row) == 1 for row in rows) / len(rows)


def replace_vocabulary(model: PreTrainedModel, rows: Rows) -> None:
    """Give the model the nest's vocabulary in place: embedding, output layer and config.

    Rows that pad a model's vocabulary to a round number are left behind with the other unused ones.
    """
    inputs: Any = model.get_input_embeddings()
    outputs: Any = model.get_output_embeddings()
    tied = outputs.weight.data_ptr() == inputs.weight.data_ptr()
    new_inputs = _gathered(inputs.weight, rows)
    new_outputs = None if tied else _gathered(outputs.weight, rows)
    model.resize_token_embeddings(len(rows), mean_resizing=False)
    _write(model.get_input_embeddings(), new_inputs)
    if new_outputs is not None:
        _write(model.get_output_embeddings(), new_outputs)
    config: Any = model.config
    # The tokenizer owns the special ids; the model's would be ids of other tokens now.
    config.bos_token_id = config.eos_token_id = config.pad_token_id = None


def own_bytes(tokenizer: Tokenizer) -> dict[int, bytes]:
    """The bytes of a byte-level tokenizer's ordinary tokens, by id."""
    byte_of = {character: byte for byte, character in bytes_to_unicode().items()}
    added = tokenizer.get_added_tokens_decoder()
    return {
        identifier: bytes(byte_of[character] for character in token)
        for token, identifier in tokenizer.get_vocab(with_added_tokens=False).items()
        if identifier not in added and all(character in byte_of for character in token)
    }


def _marker_rows(
    marker: str, vocabulary: dict[str, int], by_bytes: dict[bytes, int]
) -> tuple[int, ...]:
    for name in (marker, *MARKERS.get(marker, ())):
        identifier = by_bytes.get(name.encode()) if name == "\n" else vocabulary.get(name)
        if identifier is not None:
            return (identifier,)
    return ()


def _text_rows(data: bytes, source: Tokenizer, by_bytes: dict[bytes, int]) -> tuple[int, ...]:
    if data in by_bytes:
        return (by_bytes[data],)
    try:
        return tuple(source.encode(data.decode("utf-8"), add_special_tokens=False).ids)
    except UnicodeDecodeError:  # a part of a character
        parts = (by_bytes.get(data[at : at + 1]) for at in range(len(data)))
        return tuple(part for part in parts if part is not None)


def _gathered(weight_SD: Tensor, rows: Rows) -> Tensor:
    """(V, D): the mean of each token's rows, summed in fp32."""
    source_SD = weight_SD.detach().float()
    ids = torch.tensor([identifier for row in rows for identifier in row], dtype=torch.long)
    lengths_V = torch.tensor([len(row) for row in rows])
    offsets_V = lengths_V.cumsum(0) - lengths_V
    result_VD = nn.functional.embedding_bag(ids, source_SD, offsets_V, mode="mean")
    result_VD[lengths_V == 0] = source_SD.mean(0)
    return result_VD


def _write(layer: Any, weight_VD: Tensor) -> None:
    with torch.no_grad():
        layer.weight.copy_(weight_VD)

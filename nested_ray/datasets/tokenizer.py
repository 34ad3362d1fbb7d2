"""NestTokenizer: byte-level BPE shared by every level and the memory of one nest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from tokenizers.pre_tokenizers import ByteLevel

from nested_ray.config.train import TokenizerConfig
from nested_ray.errors import ConfigError
from nested_ray.files import write_text

SPECIAL_TOKENS = (
    "<|pad|>",
    "<|endoftext|>",
    "<|window|>",
    "<|file|>",
    "<|repository|>",
    "<|fim_prefix|>",
    "<|fim_suffix|>",
    "<|fim_middle|>",
)
"""Ids 0 to 7, in this order. No text encodes to them."""

MAX_TOKEN_ID = 65_535

MAX_CACHED_LINES = 100_000
"""About 30 MB of ordinary code; when full, the cache starts anew."""

MAX_CACHED_CHARS = 500
"""Longer lines are encoded again each time: the lines are a caller's, and the cache is bounded."""

PIECES = (
    r"\n[ \t]*"  # a line break with the next line's indentation: "\n" only opens a token
    r"| ?[\p{L}_][\p{L}\p{M}_]{0,63}"  # words of any alphabet, with the space before them
    r"| ?\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}_]{1,16}"  # operators and rulers such as "# ------"
    r"|[ \t]+(?!\S)"  # all but the last blank before a word, which goes with the word
    r"|\s"
)
"""No BPE token crosses the border of two pieces."""


NUM_LINE_BREAKS = 3


class NestTokenizer:
    """Text ↔ token ids; `decode(encode(text)) == text` for every text without lone surrogates."""

    pad, end_of_text, window, file, repository, fim_prefix, fim_suffix, fim_middle = range(8)

    def __init__(self, tokenizer: Tokenizer) -> None:
        for expected, token in enumerate(SPECIAL_TOKENS):
            if tokenizer.token_to_id(token) != expected:
                raise ConfigError(
                    f"tokenizer: {token} should be id {expected}, found "
                    f"{tokenizer.token_to_id(token)}; it was not made by nested-ray"
                )
        # Without this the text "<|endoftext|>" in a file would become the control token. The
        # flag is not part of tokenizer.json, so it is set on every instance.
        tokenizer.encode_special_tokens = True
        self._tokenizer = tokenizer
        self._bytes = _bytes_by_id(tokenizer)
        self._lines: dict[str, list[int]] = {}
        self.vocab_size = len(self._bytes)
        self.token_sizes = np.array([len(content) for content in self._bytes], dtype=np.int64)
        self.line_break_ids = frozenset(
            token for token, content in enumerate(self._bytes) if content.startswith(b"\n")
        )
        self.decision_ids = self._decision_ids()
        """Where a text or line ends and how the next one is indented; soft targets always tell these."""
        self.hash = hashlib.sha256(tokenizer.to_str().encode()).hexdigest()[:16]

    def _decision_ids(self) -> tuple[int, ...]:
        # Lower ids were merged earlier, so these are the commonest ways to begin a line.
        breaks = (token for token in sorted(self.line_break_ids) if not self._bytes[token].strip())
        return (self.end_of_text, *islice(breaks, NUM_LINE_BREAKS))

    @classmethod
    def train(cls, texts: Iterable[str], config: TokenizerConfig) -> NestTokenizer:
        """Learn merges from a deterministic sample of the texts; same texts, same tokenizer."""
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(PIECES), behavior="isolated"),
                ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=config.vocab_size,
            special_tokens=list(SPECIAL_TOKENS),
            initial_alphabet=sorted(ByteLevel.alphabet()),
            show_progress=False,
        )
        sample = sample_texts(texts, config.max_training_bytes)
        tokenizer.train_from_iterator(sample, trainer, length=len(sample))
        return cls(tokenizer)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by content: the flag set in `__init__` would not survive otherwise."""
        return (_from_json, (self._tokenizer.to_str(),))

    @classmethod
    def load(cls, path: str | Path) -> NestTokenizer:
        """Read `tokenizer.json`; raises ConfigError when it is missing or not ours."""
        try:
            text = Path(path).read_text(encoding="utf-8")
            tokenizer = Tokenizer.from_str(text)
        except OSError as exc:
            raise ConfigError(f"cannot read tokenizer {path}: {exc.strerror}") from exc
        except Exception as exc:  # tokenizers raises plain Exception for broken JSON
            raise ConfigError(f"{path} is not a tokenizer file: {exc}") from exc
        return cls(tokenizer)

    def save(self, path: str | Path) -> None:
        """Write `tokenizer.json`, readable by Hugging Face `tokenizers`; aside, then renamed."""
        write_text(Path(path), self._tokenizer.to_str())

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, never a special one.

        Raises ValueError when the text holds a lone surrogate, which has no UTF-8 form.
        """
        try:
            return self._tokenizer.encode(text, add_special_tokens=False).ids
        except TypeError:
            _refuse_lone_surrogates([text])
            raise

    def encode_before_word(self, blanks: str) -> list[int]:
        """Token ids of these blanks as far as a word behind them leaves them as they are.

        Pretrained tokenizers put the last blank before a word to the word.
        """
        with_word = blanks + "x"
        _, (start_of_word, _) = self._tokenizer.pre_tokenizer.pre_tokenize_str(with_word)[-1]
        ids = self.encode(with_word)
        return [
            token
            for token, end in zip(ids, np.cumsum(self.token_sizes[ids]), strict=True)
            if end <= start_of_word
        ]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """`encode` of every text, on all cores."""
        try:
            encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        except TypeError:
            _refuse_lone_surrogates(texts)
            raise
        return [encoding.ids for encoding in encodings]

    def encode_tail(self, text: str, max_tokens: int) -> list[int]:
        """The last `max_tokens` ids of `encode(text)`, reading no more lines than they need.

        Lines are encoded one by one and remembered, which changes nothing: no token crosses a line
        break. Contexts of neighbouring windows share most of their lines.
        """
        groups: list[list[int]] = []
        num_tokens, end = 0, len(text)
        while end > 0 and num_tokens < max_tokens:
            start = max(text.rfind("\n", 0, end), 0)
            ids = self._encode_line(text[start:end])
            groups.append(ids)
            num_tokens += len(ids)
            end = start
        joined = [token for ids in reversed(groups) for token in ids]
        return joined[len(joined) - min(len(joined), max_tokens) :]

    def _encode_line(self, line: str) -> list[int]:
        if len(line) > MAX_CACHED_CHARS:
            return self.encode(line)
        ids = self._lines.get(line)
        if ids is None:
            if len(self._lines) >= MAX_CACHED_LINES:
                self._lines.clear()
            ids = self._lines[line] = self.encode(line)
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """The text of the ids; half a character becomes U+FFFD, special tokens nothing."""
        return self.decode_bytes(ids).decode("utf-8", "replace")

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The exact bytes of the ids; special tokens stand for none."""
        table = self._bytes
        return b"".join([table[token] for token in ids])

    def token_bytes(self, token: int) -> bytes:
        """The exact bytes of one token, possibly half a character; b"" for special tokens."""
        return self._bytes[token]


def _from_json(text: str) -> NestTokenizer:
    return NestTokenizer(Tokenizer.from_str(text))


def sample_texts(texts: Iterable[str], max_bytes: int) -> list[str]:
    """Whole texts in their order, picked by content hash until `max_bytes` is reached.

    The text that crosses the limit is cut there, so one huge text still gives a sample.
    """
    texts = list(texts)
    sizes = [len(text.encode("utf-8", "surrogatepass")) for text in texts]
    if sum(sizes) <= max_bytes:
        return texts
    order = sorted(range(len(texts)), key=lambda index: (_digest(texts[index]), index))
    picked: dict[int, str] = {}
    left = max_bytes
    for index in order:
        if left <= 0:
            break
        picked[index] = texts[index]
        if sizes[index] > left:
            cut = texts[index].encode("utf-8", "surrogatepass")[:left]
            picked[index] = cut.decode("utf-8", "ignore")
        left -= sizes[index]
    return [picked[index] for index in sorted(picked)]


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _refuse_lone_surrogates(texts: Iterable[str]) -> None:
    """Say which character it was: `tokenizers` only says that it was given no string."""
    for text in texts:
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as exc:
            raise ValueError(
                f"text holds a lone surrogate (U+{ord(text[exc.start]):04X} at character "
                f"{exc.start}), which is not valid Unicode; remove it or decode the source again"
            ) from exc


def _bytes_by_id(tokenizer: Tokenizer) -> list[bytes]:
    """Undo the byte-level alphabet, in which every byte is written as one printable character."""
    byte_of = {character: byte for byte, character in enumerate(_byte_alphabet())}
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    if len(vocabulary) > MAX_TOKEN_ID + 1:
        raise ConfigError(
            f"tokenizer: {len(vocabulary)} tokens, but ids must stay below {MAX_TOKEN_ID + 1}"
        )
    table = [b""] * len(vocabulary)
    for token, identifier in vocabulary.items():
        if identifier >= len(SPECIAL_TOKENS):
            table[identifier] = bytes(byte_of[character] for character in token)
    return table


def _byte_alphabet() -> list[str]:
    """GPT-2's byte-to-character table: printable Latin-1 as itself, the rest from U+0100 on."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = (chr(0x100 + offset) for offset in range(256))
    return [chr(byte) if byte in printable else next(others) for byte in range(256)]

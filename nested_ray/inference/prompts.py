"""A prompt as a level's input ids: the same form that the level was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock

from nested_ray.datasets.examples import encode_level_input, text_before
from nested_ray.datasets.fim import NUM_MARKERS, fim_prompt
from nested_ray.datasets.tokenizer import NestTokenizer
from nested_ray.errors import PromptTooLong
from nested_ray.inference.base import Prompt
from nested_ray.inference.endings import Ending, ending_before
from nested_ray.inference.vocabulary import BLANKS
from nested_ray.levels.base import Level, Place

MAX_PROMPT_TOKENS = 32_768
"""Prefix and suffix beyond this are refused; up to it, a level sees the window around the cursor
and memory the whole text."""

LINE_BREAK = "\n"

SUFFIX_SHARE = 4
"""The suffix may take a quarter of the window, and what the prefix leaves free."""


@dataclass(frozen=True)
class EncodedPrompt:
    """Where an answer begins."""

    input_ids: list[int]
    """Contexts and window: what the model reads."""
    num_free: int
    """Tokens that can follow before the window is longer than any window of the training."""
    prefix_ids: list[int]
    """The text before the cursor, without `pending`."""
    suffix_ids: list[int]
    """All of the text behind the cursor: memory reads it, whether the model does or not."""
    shows_suffix: bool
    """Whether the window holds some of it."""
    pending: bytes
    """The end of the prefix that was taken back, to be written again; whole characters."""
    prompt: Prompt

    @property
    def ending(self) -> Ending:
        """Where the answer would repeat the suffix.

        A level that does not see the suffix cannot tell where its answer meets it: it ends with the line.
        """
        suffix = clean(self.prompt.suffix)
        ending = ending_before(suffix)
        if self.shows_suffix or not suffix.strip():
            return ending
        return replace(ending, stop=(*ending.stop, LINE_BREAK))


class PromptEncoder:
    """Cuts prompts to the window of one level and puts the level's context before it.

    `reads_suffix`: whether the level is shown what stands behind the cursor.
    """

    def __init__(
        self,
        tokenizer: NestTokenizer,
        levels: Mapping[str, Level],
        budgets: Mapping[str, int],
        *,
        window_tokens: int,
        reads_suffix: bool = True,
        max_prompt_tokens: int = MAX_PROMPT_TOKENS,
    ):
        self._tokenizer = tokenizer
        self._levels = levels
        self._budgets = budgets
        self._window_tokens = window_tokens
        self._reads_suffix = reads_suffix
        self.max_prompt_tokens = max_prompt_tokens
        # A token has no more characters than bytes, so longer texts are refused unread.
        self._max_prompt_chars = max_prompt_tokens * int(tokenizer.token_sizes.max())
        # Levels keep what they read of a file for the next place in it: one place at a time.
        self._reading = Lock()

    def reading_suffix(self, reads_suffix: bool) -> PromptEncoder:
        """The same encoder for a level that is shown the suffix or is not."""
        return PromptEncoder(
            self._tokenizer,
            self._levels,
            self._budgets,
            window_tokens=self._window_tokens,
            reads_suffix=reads_suffix,
            max_prompt_tokens=self.max_prompt_tokens,
        )

    def num_tokens(self, prompt: Prompt) -> int:
        """Tokens of prefix and suffix before any cut."""
        prefix_ids, suffix_ids = self._encode_text(prompt)
        return len(prefix_ids) + len(suffix_ids)

    def encode(self, prompt: Prompt, max_tokens: int) -> EncodedPrompt:
        """The last tokens of the prefix and the first of the suffix that leave room for an answer.

        At least half of the window is kept for the prompt, however long the answer may become.
        Raises PromptTooLong above `max_prompt_tokens`.
        """
        self._refuse_by_length(prompt)
        prefix_ids, suffix_ids = self._encode_text(prompt)
        num_tokens = len(prefix_ids) + len(suffix_ids)
        if num_tokens > self.max_prompt_tokens:
            raise PromptTooLong(
                f"the prompt has {num_tokens:,} tokens, this engine takes {self.max_prompt_tokens:,}; "
                "send less of the text around the cursor"
            )
        prefix_ids, pending = take_back(self._tokenizer, prefix_ids)
        room = max(self._window_tokens - max_tokens, self._window_tokens // 2)
        return self._place(prompt, prefix_ids, suffix_ids, pending, room)

    def move_on(self, encoded: EncodedPrompt, written_ids: Sequence[int]) -> EncodedPrompt | None:
        """The prompt with what was written, in a window that is half empty again.

        None where the window has to hold a suffix: it cannot move on.
        """
        if encoded.shows_suffix:
            return None
        prefix_ids = [*encoded.prefix_ids, *written_ids]
        return self._place(
            encoded.prompt, prefix_ids, encoded.suffix_ids, b"", self._window_tokens // 2
        )

    def _refuse_by_length(self, prompt: Prompt) -> None:
        # As the tokenizer will see it: a line break counts once, however it is written.
        num_chars = sum(len(text) - text.count("\r\n") for text in (prompt.prefix, prompt.suffix))
        if num_chars > self._max_prompt_chars:
            raise PromptTooLong(
                f"the prompt has {num_chars:,} characters, which is more than "
                f"{self.max_prompt_tokens:,} tokens, all that this engine takes; send less of the "
                "text around the cursor"
            )

    def _encode_text(self, prompt: Prompt) -> tuple[list[int], list[int]]:
        prefix = clean(prompt.prefix)
        # Line by line and remembered, for the next keystroke; a character takes at most 4 tokens.
        prefix_ids = self._tokenizer.encode_tail(prefix, 4 * len(prefix) + 1)
        return prefix_ids, self._tokenizer.encode(clean(prompt.suffix))

    def _place(
        self,
        prompt: Prompt,
        prefix_ids: list[int],
        suffix_ids: list[int],
        pending: bytes,
        room: int,
    ) -> EncodedPrompt:
        num_suffix = 0
        shows_suffix = self._reads_suffix and bool(suffix_ids)
        if shows_suffix:
            room -= NUM_MARKERS
            num_suffix = min(len(suffix_ids), max(room // SUFFIX_SHARE, room - len(prefix_ids)))
        start = max(len(prefix_ids) - (room - num_suffix), 0)
        window_ids = prefix_ids[start:]
        if shows_suffix:
            window_ids = fim_prompt(self._tokenizer, window_ids, suffix_ids[:num_suffix])
        place = Place(
            path=prompt.path,
            language=prompt.language,
            before=text_before(self._tokenizer, prefix_ids[:start]),
        )
        with self._reading:
            input_ids, _ = encode_level_input(
                self._tokenizer, self._levels, self._budgets, place, window_ids
            )
        num_free = self._window_tokens - len(window_ids)
        return EncodedPrompt(
            input_ids, num_free, prefix_ids, suffix_ids, shows_suffix, pending, prompt
        )


def clean(text: str) -> str:
    """Line ends as in the corpus, and no lone surrogates, which have no bytes."""
    text = text.replace("\r\n", "\n")
    return text.encode("utf-8", "replace").decode("utf-8")


def take_back(tokenizer: NestTokenizer, ids: Sequence[int]) -> tuple[list[int], bytes]:
    """The ids without the last token, and its bytes; more tokens where it begins inside a character.

    The cursor cuts the text where the tokenizer would not have: after `retu` the corpus never goes
    on with the token `rn`. Writing the last token again lets it become `return`. Of an indentation as
    much is taken back as a word behind it would change: nothing where it is a token of its own, its
    blanks where the last of them belongs to the word.
    """
    kept = len(ids)
    if ids and tokenizer.token_bytes(ids[-1])[-1:] in BLANKS:
        kept = before_blanks(tokenizer, ids)
        indentation = tokenizer.decode(ids[kept:])
        if indentation.startswith("\n"):
            unchanged_ids = tokenizer.encode_before_word(indentation)
            return _split(tokenizer, ids, kept + num_common(ids[kept:], unchanged_ids))
        kept = len(ids)
    while kept > 0:
        kept -= 1
        if not is_continuation(tokenizer.token_bytes(ids[kept])[0]):
            break
    return _split(tokenizer, ids, kept)


def _split(tokenizer: NestTokenizer, ids: Sequence[int], kept: int) -> tuple[list[int], bytes]:
    return list(ids[:kept]), tokenizer.decode_bytes(ids[kept:])


def before_blanks(tokenizer: NestTokenizer, ids: Sequence[int]) -> int:
    """How many ids stand before the blanks at the end and the line break before these, if there is one."""
    kept = len(ids)
    while kept > 0:
        data = tokenizer.token_bytes(ids[kept - 1])
        if data.strip(b" \t\n"):
            break
        kept -= 1
        if data.startswith(b"\n"):
            break
    return kept


def num_common(ids: Sequence[int], others: Sequence[int]) -> int:
    """Length of the common beginning."""
    return next(
        (at for at, (one, other) in enumerate(zip(ids, others, strict=False)) if one != other),
        min(len(ids), len(others)),
    )


def is_continuation(byte: int) -> bool:
    """Whether a UTF-8 character is under way at this byte."""
    return byte & 0b1100_0000 == 0b1000_0000

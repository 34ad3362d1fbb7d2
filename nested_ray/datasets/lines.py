"""LineTask: held-out lines to be predicted from everything above them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nested_ray.corpus.documents import Document
from nested_ray.datasets.tokenizer import NestTokenizer

COMMENTS = ("#", "//")
"""Python comments; BSL comments and directives (`#Область`)."""
MIN_WORD_CHARS = 3
MAX_SUFFIX_CHARS = 2_000
MAX_PREFIX_TOKENS = 32_768 - 4 * MAX_SUFFIX_CHARS
"""As much text before the cursor as an engine takes with that suffix (inference/prompts.py)."""
WORD_CHAR = re.compile(r"\w")
QUOTES = re.compile(r'"""|\'\'\'')


@dataclass(frozen=True)
class LineTask:
    """Predict `line` after `prefix`."""

    path: str
    language: str
    prefix: str
    """The file up to the line's first character: it ends with a line break and the indentation."""
    line: str
    """Without indentation and trailing blanks."""
    suffix: str
    """What follows the line, from the break that ends it on; the first MAX_SUFFIX_CHARS of it."""
    document: int
    """Index of the document in its split."""


def sample_lines(
    documents: Sequence[Document],
    tokenizer: NestTokenizer,
    *,
    max_lines: int,
    seed: int,
    max_line_tokens: int | None = None,
    max_prefix_tokens: int = MAX_PREFIX_TOKENS,
) -> list[LineTask]:
    """Up to `max_lines` lines of code, spread over the documents; same arguments, same lines.

    Left out are first lines, comments, docstrings, lines with fewer than three word characters,
    lines of more than `max_line_tokens`, and lines so deep in a file that what stands above them
    has more than `max_prefix_tokens`.
    """
    waiting = [
        (index, line_starts(document, f"{seed}/{document.digest}", tokenizer, max_prefix_tokens))
        for index, document in enumerate(documents)
    ]
    waiting.sort(key=lambda item: rank(f"{seed}/{documents[item[0]].digest}"))
    tasks: list[LineTask] = []
    while waiting and len(tasks) < max_lines:
        index, starts = waiting.pop(0)
        task = next(
            fitting_lines(documents[index], index, starts, tokenizer, max_line_tokens), None
        )
        if task is not None:
            tasks.append(task)
            waiting.append((index, starts))
    return tasks


def line_starts(
    document: Document, salt: str, tokenizer: NestTokenizer, max_prefix_tokens: int
) -> Iterator[int]:
    """Offsets of the first characters of lines of code, in an order drawn by hash."""
    text = document.text
    reach = chars_within(text, tokenizer, max_prefix_tokens)
    starts = [
        start
        for start in code_line_starts(text, docstrings=document.language == "python")
        if start <= reach
    ]
    starts.sort(key=lambda start: rank(f"{salt}/{start}"))
    yield from starts


def chars_within(text: str, tokenizer: NestTokenizer, max_tokens: int) -> int:
    """Characters of the first lines that have at most `max_tokens` together; all of a short text."""
    if len(text.encode()) <= max_tokens:  # a token has at least one byte
        return len(text)
    num_tokens = end = 0
    while end < len(text):
        # Each line with the break before it: no token crosses its border.
        line_end = text.find("\n", end + 1)
        line_end = line_end if line_end >= 0 else len(text)
        num_tokens += len(tokenizer.encode(text[end:line_end]))
        if num_tokens > max_tokens:
            break
        end = line_end
    return end


def code_line_starts(text: str, *, docstrings: bool) -> Iterator[int]:
    """Offsets of the first character of every line that is worth predicting, in order."""
    offset, quoted = 0, ""
    for number, line in enumerate(text.split("\n")):
        content = line.strip()
        was_quoted = bool(quoted)
        for mark in QUOTES.findall(line) if docstrings else ():
            if not quoted:
                quoted = mark
            elif quoted == mark:
                quoted = ""
        if number and not was_quoted and is_code(content):
            yield offset + len(line) - len(line.lstrip())
        offset += len(line) + 1


def is_code(content: str) -> bool:
    if content.startswith((*COMMENTS, '"""', "'''")):
        return False
    return len(WORD_CHAR.findall(content)) >= MIN_WORD_CHARS


def fitting_lines(
    document: Document,
    index: int,
    starts: Iterator[int],
    tokenizer: NestTokenizer,
    max_tokens: int | None,
) -> Iterator[LineTask]:
    text = document.text
    for start in starts:
        end = text.find("\n", start)
        line = text[start : end if end >= 0 else len(text)].rstrip()
        if max_tokens is not None and len(tokenizer.encode(line)) > max_tokens:
            continue
        after = start + len(line)
        suffix = text[after : after + MAX_SUFFIX_CHARS]
        yield LineTask(document.path, document.language, text[:start], line, suffix, index)


def rank(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()

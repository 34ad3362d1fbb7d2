"""Whether the beginning of a Python file can still become a file.

CPython's parser can be asked to tell "wrong" from "ended too early". A backslash put after a text
makes the end come directly after its last token, so the answer is exact to the token. What is
left is a last token that was cut in two: it is completed in every way that matters.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator

from nested_ray.languages.base import Validity
from nested_ray.languages.python.blocks import without_whole_blocks
from nested_ray.languages.python.compiler import compile_error, is_viable
from nested_ray.languages.python.lines import Ending, OpenString, close_blocks, find_ending

_JOIN = "\\\n"
_AFTER_STRING = (" |", " :", " .")
_MAX_FSTRING_DEPTH = 4
_WORD = re.compile(r"\w+\Z")
_NUMBER_AND_WORD = re.compile(
    r"(?<!\w)(0[xX][\da-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|\d[\d_.]*(?:[eE][+-]?\d+)?[jJ]?)([a-z]*)\Z"
)
_EXPONENT = re.compile(r"\d[eE][+-]\Z")
_ESCAPE = re.compile(
    r"(?<!\\)((?:\\\\)*+)\\(?:x[0-9a-fA-F]?|u[0-9a-fA-F]{0,3}|U[0-9a-fA-F]{0,7}|N(?:\{[^{}\\'\"\r\n]*)?)\Z"
)
_FIELD_PIECE = re.compile(r"'[^']*+'?|\"[^\"]*+\"?|[()\[\]{}:]|!=?")
_CONVERSION = re.compile(r"(?:![rsa]?)?(?:(?<!!):(?s:.)*)?")
_OPERATOR_TAIL = re.compile(r"(?:\*\*|//|<<|>>|\.\.|[=!:\-*/<>.@+|&^%])\Z")
_OPERATORS = (
    "== != := -> ** // << >> <= >= += -= *= /= %= @= &= |= ^= **= //= <<= >>= ..."
).split()


def prefix_validity(text: str) -> Validity:
    """VALID, INCOMPLETE or INVALID; see nested_ray.languages.base.Validity."""
    # While a file is being typed its head stays the same.
    tail = without_whole_blocks(text)
    error = compile_error(tail)
    if error is None:
        return Validity.VALID
    if not isinstance(error, SyntaxError):
        return Validity.INVALID
    ending = find_ending(tail)
    if not _some_continuation_parses(tail, ending):
        return Validity.INVALID
    return Validity.INVALID if _complete_part_fails(tail, ending) else Validity.INCOMPLETE


def _some_continuation_parses(text: str, ending: Ending, depth: int = _MAX_FSTRING_DEPTH) -> bool:
    if ending.string:
        return _string_can_end(text, ending.string, depth)
    ends_in_backslash = text.endswith("\\") and not ending.in_comment
    if ending.in_comment:
        text += "\n"
    elif ends_in_backslash:
        text = text[:-1]
    if ending.last_string:
        return _is_sound(ending.last_string) and _string_may_stand(text)
    if ends_in_backslash:
        return is_viable(text + _JOIN)
    last_line_start = max(text.rfind("\n"), text.rfind("\r")) + 1
    if not text[last_line_start:].strip(" \t\f"):
        return is_viable(text[:last_line_start])
    return any(is_viable(candidate + _JOIN) for candidate in _completed_tokens(text))


def _completed_tokens(text: str) -> Iterator[str]:
    """The text as it is, then with its last token completed in every way that changes its kind."""
    yield text
    operator = _OPERATOR_TAIL.search(text)
    if operator:
        if _EXPONENT.search(text):
            yield text + "0"
        for longer in _OPERATORS:
            if longer.startswith(operator[0]) and longer != operator[0]:
                yield text[: operator.start()] + longer
    word = _WORD.search(text)
    if word:
        before = text[: word.start()]
        yield from (_completed_words(before, word[0]) if not word[0][0].isdigit() else ())
    number = _NUMBER_AND_WORD.search(text)
    if number:
        yield from (text + "0", text + ".0")
        for whole in keyword.kwlist:
            if number[2] and whole.startswith(number[2]):
                yield f"{text[: number.start()]}{number[1]} {whole}"


def _completed_words(before: str, word: str) -> Iterator[str]:
    yield f"{before}{word}_"  # a name, also when it is spelled like a keyword so far
    for whole in (*keyword.kwlist, *keyword.softkwlist):
        if whole.startswith(word) and whole != word:
            yield before + whole
    if word.lower() in ("r", "b", "f", "u", "br", "rb", "fr", "rf"):
        yield from (f"{before}{word}''{following}" for following in _AFTER_STRING)


def _string_can_end(text: str, string: OpenString, depth: int) -> bool:
    body = text[string.start + len(string.quote) :]
    opening = text[: string.start + len(string.quote)]
    num_backslashes = len(body) - len(body.rstrip("\\"))
    if num_backslashes % 2:
        body = body[:-1]
    elif len(string.quote) == 3:
        body = _without_closing_quotes(body, string.quote[0])
    if "r" not in string.prefix:
        body = _ESCAPE.sub(r"\1", body)
    if "f" in string.prefix:
        return _fstring_can_end(opening, body, string, depth)
    return _closes(opening, body, string)


def _closes(opening: str, body: str, string: OpenString) -> bool:
    """Whether the string is sound by itself and may stand where it does."""
    literal = string.prefix + string.quote + body + string.quote
    return _is_sound(literal) and _string_may_stand(opening + body + string.quote)


def _is_sound(literal: str) -> bool:
    return compile_error(literal, only_parse=True) is None


def _string_may_stand(text: str) -> bool:
    """Whether a text that ends with a string can go on.

    The parser joins and decodes neighbouring strings only when it sees what follows them: an
    operator in an expression or a pattern, a colon after a key, a dot in a target.
    """
    return any(is_viable(text + following + _JOIN) for following in _AFTER_STRING)


def _without_closing_quotes(body: str, quote: str) -> str:
    """One or two quotes at the end would join the closing ones."""
    stripped = body.rstrip(quote)
    return (
        stripped if not stripped.endswith("\\") else stripped + quote * (len(body) > len(stripped))
    )


def _fstring_can_end(opening: str, body: str, string: OpenString, depth: int) -> bool:
    hole = _open_hole(body)
    if hole is None:
        closings = (body, body + "}") if body.endswith("}") else (body,)
        return any(_closes(opening, closed, string) for closed in closings)
    return _closes(opening, body[:hole], string) and _field_can_end(body[hole + 1 :], depth)


def _field_can_end(field: str, depth: int) -> bool:
    """Whether what stands after `{` in an f-string can become `expression[=][!r][:format]`."""
    if not field.strip() or depth == 0:
        return True
    end = _expression_end(field)
    expression = field[:end].rstrip().removesuffix("=")
    is_whole = bool(expression.strip()) and _is_sound(f"({expression})")
    if end < len(field):
        return is_whole and _CONVERSION.fullmatch(field, end) is not None
    if is_whole:
        return True
    inner = "(" + field
    return _some_continuation_parses(inner, find_ending(inner), depth - 1)


def _expression_end(field: str) -> int:
    """Offset of the `!` or `:` outside brackets that ends the expression, else the field's length."""
    level = 0
    for match in _FIELD_PIECE.finditer(field):
        if match[0] in "([{":
            level += 1
        elif match[0] in ")]}":
            level -= 1
        elif match[0] in "!:" and level == 0:
            return match.start()
    return len(field)


def _open_hole(body: str) -> int | None:
    """Offset of the brace whose replacement field is open at the end of an f-string's body."""
    level, start, position = 0, None, 0
    while position < len(body):
        character = body[position]
        if level == 0 and body[position : position + 2] in ("{{", "}}"):
            position += 2
            continue
        if character == "{":
            start = position if level == 0 else start
            level += 1
        elif character == "}" and level:
            level -= 1
        position += 1
    return start if level else None


def _complete_part_fails(text: str, ending: Ending) -> bool:
    """Whether the finished statements break a rule that no later text can repair.

    `return` outside a function, `break` outside a loop, a repeated argument: the grammar accepts
    them, the compiler does not.
    """
    closed = close_blocks(text, ending)
    if compile_error(closed, only_parse=True) is not None:
        return False  # what was added does not fit; nothing can be said
    error = compile_error(closed)
    # The binding of a nonlocal name may still follow.
    return isinstance(error, SyntaxError) and "nonlocal" not in (error.msg or "")

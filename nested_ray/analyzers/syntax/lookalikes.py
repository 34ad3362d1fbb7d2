"""Characters that look like others: Latin and Cyrillic letters, typographic quotes and dashes."""

from __future__ import annotations

import re

_LATIN, _CYRILLIC = "ABCEHKMOPTXaceopxy", "АВСЕНКМОРТХасеорху"
TO_CYRILLIC = str.maketrans(_LATIN, _CYRILLIC)
TO_LATIN = str.maketrans(_CYRILLIC, _LATIN)
ASCII_FOR = {
    **dict.fromkeys("“”„‟«»″", '"'),
    **dict.fromkeys("‘’‚‛′", "'"),
    **dict.fromkeys("‐‑‒–—−", "-"),
    "…": "...", "×": "*", "÷": "/", "≠": "!=", "≤": "<=", "≥": ">=", "；": ";", "，": ",",
    "（": "(", "）": ")", "：": ":",
}  # fmt: skip
"""What was meant by a character that word processors put in the place of another."""

_LATIN_RUN = re.compile(r"[A-Za-z]+")
_CYRILLIC_RUN = re.compile(r"[Ѐ-ӿ]+")
# One word of a camel-case name, whatever its letters: capitals that do not begin a word, a word, small letters.
_PART = re.compile(
    r"[A-ZА-ЯЁ]+(?![a-zа-яёі])|[A-ZА-ЯЁ]?[a-zа-яёі]+|[^\W\d_]+",
)


def to_one_script(name: str) -> str | None:
    """The name with its few letters of another alphabet replaced by those they look like.

    None when it has letters of one alphabet only, or mixes them in a way that can be meant, as
    `ПолучитьXML` and `ТипCOMОбъекта` do: alphabets may change where a word of the name begins.
    """
    num_latin = sum(map(len, _LATIN_RUN.findall(name)))
    num_cyrillic = sum(map(len, _CYRILLIC_RUN.findall(name)))
    if not num_latin or not num_cyrillic:
        return None
    is_russian = num_cyrillic >= num_latin
    foreign, table = (_LATIN_RUN, TO_CYRILLIC) if is_russian else (_CYRILLIC_RUN, TO_LATIN)
    corrected = _PART.sub(lambda part: _part_in_one_script(part[0], foreign, table), name)
    return corrected if corrected != name else None


def _part_in_one_script(part: str, foreign: re.Pattern[str], table: dict[int, int]) -> str:
    runs = foreign.findall(part)
    if not runs or "".join(runs) == "".join(filter(str.isalpha, part)):
        return part  # all of one alphabet
    if part.isupper():
        return (
            part  # `АдресXMLВXDTO`, `ПутьКCOMСоединителю`: one-letter words between abbreviations
        )
    corrected = part.translate(table)
    return part if foreign.search(corrected) else corrected

"""The languages nested-ray knows, and which one a file or a text is written in."""

from __future__ import annotations

import re
from pathlib import PurePath

from nested_ray.languages.base import Language
from nested_ray.languages.bsl import Bsl
from nested_ray.languages.python import Python

LANGUAGES: tuple[Language, ...] = (Python(), Bsl())
"""Every language; a new one is a folder beside this file and its class here."""

_BY_NAME = {language.name: language for language in LANGUAGES}
_BY_EXTENSION = {ending: language for language in LANGUAGES for ending in language.extensions}
_SHEBANG = re.compile(r"#!.*\b(python|oscript)")
_GUESS_CHARS = 20_000

# Words and marks that one language uses all the time and the other never in code. Blanks before
# them stay within the line: over line breaks, a page of empty lines would be read once per line.
_BSL_SIGNS = re.compile(
    r"(?i)^[ \t]*(?:процедура|функция|конец\w+|если|иначе\w*|для|пока|попытка|исключение|возврат|"
    r"перем|procedure|function|end(?:procedure|function|if|do|try)|elsif|var|&\w+|"
    r"#(?:область|если|region|if|использовать|use))\b"
    r"|;[ \t]*(?://.*)?$|^[ \t]*//|^[ \t]*\||\b(?:новый|тогда|цикл|then)\b|<>",
    re.MULTILINE,
)
_PYTHON_SIGNS = re.compile(
    r"^[ \t]*(?:def|class|import|from|elif|except|with|async def|lambda|@\w+|return|raise|print\()"
    r"|:[ \t]*(?:#.*)?$|^[ \t]*#[ \t!]|\bself\b|\b(?:None|True|False)\b|\"\"\"|==|!=",
    re.MULTILINE,
)
_CYRILLIC_NAME = re.compile(r"^[ \t]*[А-Яа-яЁё_]\w*[ \t]*(?:[.=(]|$)", re.MULTILINE)


def get_language(name: str) -> Language:
    """The language of that name; ValueError names the ones there are."""
    if name not in _BY_NAME:
        raise ValueError(f"no language is called {name!r}; there are: {', '.join(_BY_NAME)}")
    return _BY_NAME[name]


def language_of(path: str, text: str = "") -> Language | None:
    """The language of a file, by its extension, else by the first line of its text; None if other."""
    suffix = PurePath(path).suffix.lower()
    if suffix:
        return _BY_EXTENSION.get(suffix)
    shebang = _SHEBANG.match(text)
    if shebang is None:
        return None
    return _BY_NAME["python" if shebang[1] == "python" else "bsl"]


def guess_language(text: str) -> Language:
    """The likelier of Python and BSL for a text without a path, such as a prompt."""
    sample = text[-_GUESS_CHARS:].replace("\r\n", "\n")  # nearest to the cursor
    bsl = len(_BSL_SIGNS.findall(sample)) + len(_CYRILLIC_NAME.findall(sample))
    return _BY_NAME["bsl" if bsl > len(_PYTHON_SIGNS.findall(sample)) else "python"]

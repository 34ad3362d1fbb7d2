"""Which licence a file is under, as far as the files around it say."""

from __future__ import annotations

import importlib.metadata
import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nested_ray.corpus.sources import LICENCE_FILE, OpenSource, SourceFile, is_licence

HEADER_CHARS = 3_000
SPDX_LINE = re.compile(r"SPDX-License-Identifier:[ \t]*([A-Za-z0-9.+() \t-]+)")
MAX_LICENCE_BYTES = 200_000


@dataclass(frozen=True)
class Rule:
    """A licence is recognised by a sentence of its own, where nothing forbidden is said."""

    spdx: str
    sentence: str
    also: str = ""
    never: str = ""


# Sentences in lower case with single spaces. Where several match, the one that stands first names
# the file's licence: later ones belong to what it includes.
RULES = (
    Rule("Apache-2.0", "apache license version 2.0, january 2004"),
    Rule("Apache-2.0", "licensed under the apache license, version 2.0"),
    Rule("MPL-2.0", "mozilla public license version 2.0"),
    Rule("MPL-2.0", "mozilla public license, v. 2.0"),
    Rule("EPL-2.0", "eclipse public license - v 2.0"),
    Rule("AGPL-3.0", "gnu affero general public license version 3, 19 november 2007"),
    Rule("LGPL-3.0", "gnu lesser general public license version 3, 29 june 2007"),
    Rule("LGPL-2.1", "gnu lesser general public license version 2.1, february 1999"),
    Rule("GPL-3.0", "gnu general public license version 3, 29 june 2007"),
    Rule("GPL-2.0", "gnu general public license version 2, june 1991"),
    Rule("PSF-2.0", "python software foundation license version 2"),
    Rule("CC0-1.0", "cc0 1.0 universal"),
    Rule("CC-BY-4.0", "attribution 4.0 international"),
    Rule("Unlicense", "this is free and unencumbered software released into the public domain"),
    Rule(
        "BSD-3-Clause", "redistribution and use in source and binary forms",
        also="neither the name", never="all advertising materials",
    ),
    Rule(
        "BSD-2-Clause", "redistribution and use in source and binary forms",
        never="neither the name",
    ),
    Rule(
        "ISC", "permission to use, copy, modify, and/or distribute this software for any purpose "
        "with or without fee is hereby granted, provided that the above copyright notice",
    ),
    Rule(
        "0BSD", "permission to use, copy, modify, and/or distribute this software for any purpose "
        "with or without fee is hereby granted. the software is provided",
    ),
    Rule(
        "MIT", "permission is hereby granted, free of charge, to any person obtaining a copy of "
        "this software and associated documentation files",
        also="this permission notice",
    ),
)  # fmt: skip
CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}


def recognise(text: str) -> str | None:
    """SPDX identifier of a licence text; None for one that is not among RULES."""
    if stated := stated_licence(text):
        return stated
    flat = " ".join(re.sub(r"[#*>\"]+", " ", text.lower()).split())
    matches = [
        (flat.index(rule.sentence), rule.spdx)
        for rule in RULES
        if rule.sentence in flat and rule.also in flat and not (rule.never and rule.never in flat)
    ]
    return min(matches)[1] if matches else None


def stated_licence(text: str) -> str | None:
    """The SPDX-License-Identifier of a file's first lines."""
    found = SPDX_LINE.search(text, 0, HEADER_CHARS)
    return (found.group(1).strip(" \t-") or None) if found else None


class Licences:
    """Licence files of one source by folder, read when first asked for."""

    def __init__(self, source: OpenSource, files: Iterable[SourceFile]) -> None:
        self._package = source.package
        self._files: dict[str, list[SourceFile]] = {}
        self._found: dict[str, str | None] = {}
        for file in files:
            folder, name = posixpath.split(file.path)
            if is_licence(name):
                self._files.setdefault(folder, []).append(file)

    def of(self, path: str, text: str) -> str | None:
        """A file's own statement, else the nearest licence file up the tree, else the package's."""
        return stated_licence(text) or self._of_folder(posixpath.dirname(path))

    def _of_folder(self, folder: str) -> str | None:
        if folder not in self._found:
            self._found[folder] = self._read(folder) or (
                self._of_folder(posixpath.dirname(folder)) if folder else self._of_package()
            )
        return self._found[folder]

    def _read(self, folder: str) -> str | None:
        """Several licence files in one folder are joined with AND, the strictest reading."""
        names = {recognise(_text_of(file)) for file in self._files.get(folder, ())} - {None}
        return " AND ".join(sorted(name for name in names if name)) or None

    def _of_package(self) -> str | None:
        if self._package == "stdlib":
            return "PSF-2.0"  # what CPython is distributed under
        return package_licence(self._package) if self._package else None


def _text_of(file: SourceFile) -> str:
    if file.size_bytes > MAX_LICENCE_BYTES:
        return ""
    try:
        return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def package_licence(name: str) -> str | None:
    """What an installed package's metadata says: expression, licence files, classifier."""
    distribution = _distribution(name)
    if distribution is None:
        return None
    metadata = distribution.metadata
    if expressions := metadata.get_all("License-Expression"):
        return expressions[0]
    for file in distribution.files or ():
        if LICENCE_FILE.match(file.name) and ".dist-info" in str(file):
            try:
                if found := recognise(file.read_text("utf-8")):
                    return found
            except (OSError, ValueError):
                continue
    return _from_classifiers(metadata.get_all("Classifier") or (), CLASSIFIERS)


def _distribution(name: str) -> importlib.metadata.Distribution | None:
    try:
        return importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        pass
    # The import name differs from the distribution's: yaml belongs to PyYAML.
    owners = importlib.metadata.packages_distributions().get(name, [])
    return importlib.metadata.distribution(owners[0]) if owners else None


def _from_classifiers(classifiers: Iterable[str], known: Mapping[str, str]) -> str | None:
    for classifier in classifiers:
        if classifier.startswith("License ::") and (name := classifier.split(" :: ")[-1]) in known:
            return known[name]
    return None

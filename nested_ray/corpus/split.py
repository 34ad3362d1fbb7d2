"""Documents → train, validation and test, by content, so that no text is on two sides."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from nested_ray.config.corpus import SplitConfig
from nested_ray.corpus.documents import Document, Split
from nested_ray.corpus.parts import cut_documents
from nested_ray.errors import NoUsableFiles
from nested_ray.languages import get_language

SMALL_CORPUS = 20
"""Below this many files each one is cut into parts, so that every side gets some code."""
ENOUGH_FOR_THRESHOLDS = 1_000
"""From this many groups on, a group's side depends on its hash alone and stays as the corpus grows."""
MIN_GROUPS = 3
OVERSHOOT = 1.5


def split_documents(documents: Sequence[Document], config: SplitConfig) -> list[Document]:
    """The documents with their side set; files of a small corpus are cut into parts first.

    Texts that differ only in comments and white space form one group, and a group is on one side.
    The result does not depend on the order given. Raises NoUsableFiles when fewer than three
    groups remain.
    """
    if len(documents) < SMALL_CORPUS:
        documents = cut_documents(documents)
    groups = [group_of(document) for document in documents]
    sizes: dict[str, int] = {}
    for group, document in zip(groups, documents, strict=True):
        sizes[group] = sizes.get(group, 0) + len(document.text)
    if len(sizes) < MIN_GROUPS:
        raise NoUsableFiles(
            f"only {len(sizes)} different pieces of code ({sum(sizes.values()):,} characters) are left, "
            f"and train, validation and test need one each; add files, or longer ones"
        )
    sides = assign(sizes, config)
    return [
        replace(document, split=sides[group])
        for group, document in zip(groups, documents, strict=True)
    ]


def group_of(document: Document) -> str:
    """sha256 of the text without line comments and white space, hex.

    A comment sign inside a string is taken for a comment too: both copies of a text lose the same.
    """
    sign = get_language(document.language).line_comment
    code = "".join("".join(line.partition(sign)[0].split()) for line in document.text.split("\n"))
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()


def assign(sizes: Mapping[str, int], config: SplitConfig) -> dict[str, Split]:
    """A side for every group, given its size; none of the sides is empty when there are three."""
    if len(sizes) >= ENOUGH_FOR_THRESHOLDS:
        sides: dict[str, Split] = {group: _by_threshold(group, config) for group in sizes}
        if len(set(sides.values())) == MIN_GROUPS:
            return sides
    return _by_quota(sizes, config)


def _by_threshold(group: str, config: SplitConfig) -> Split:
    position = int(group[:13], 16) / 16**13
    if position < config.test:
        return "test"
    return "validation" if position < config.test + config.validation else "train"


def _by_quota(sizes: Mapping[str, int], config: SplitConfig) -> dict[str, Split]:
    """Groups in order of hash fill test, then validation, up to their share of the characters.

    The largest group is always learnt from.
    """
    total = sum(sizes.values())
    largest = max(sizes, key=lambda group: (sizes[group], group))
    groups = sorted(sizes.keys() - {largest})
    test = _fill(groups, sizes, config.test * total, leave=1)
    groups = [group for group in groups if group not in test]
    validation = _fill(groups, sizes, config.validation * total, leave=0)
    return {
        group: "test" if group in test else "validation" if group in validation else "train"
        for group in sizes
    }


def _fill(groups: Sequence[str], sizes: Mapping[str, int], quota: float, *, leave: int) -> set[str]:
    """Groups that reach the quota without much overshoot; the smallest one when none fits."""
    chosen: set[str] = set()
    filled = 0
    for group in groups:
        is_free = filled < quota and len(chosen) < len(groups) - leave
        if is_free and filled + sizes[group] <= OVERSHOOT * quota:
            chosen.add(group)
            filled += sizes[group]
    return chosen or {min(groups, key=lambda group: (sizes[group], group))}

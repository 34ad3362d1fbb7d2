"""An old corpus and a new one as one: what was held out stays held out, what was learned is not tested on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from nested_ray.corpus.build import digest_corpus
from nested_ray.corpus.documents import Corpus, Document, Rejection, Split
from nested_ray.corpus.split import group_of
from nested_ray.errors import NoUsableFiles


@dataclass(frozen=True)
class JoinedCorpus:
    """New documents, then old ones."""

    corpus: Corpus
    num_new: int
    """The first `num_new` documents are new."""


def join_corpora(new: Corpus, old: Corpus) -> JoinedCorpus:
    """Both corpora with one side per document.

    A new text that differs from an old one only in comments and white space is refused as `known`:
    the old one stands for it, on its own side. A new version of an old file (same path) takes the
    side of that file, for most of its lines are the old ones. Old documents stay as they are.
    Raises NoUsableFiles when nothing new is left to train on.
    """
    places = {group_of(document): document.path for document in old.documents}
    sides = sides_by_path(old.documents)
    kept: list[Document] = []
    known: list[Rejection] = []
    for document in new.documents:
        if (place := places.get(group_of(document))) is not None:
            known.append(Rejection(document.path, document.source, "known", f"same as {place}"))
        else:
            side = sides.get(whole_path(document), document.split)
            kept.append(replace(document, split=side))
    if not any(document.split == "train" for document in kept):
        raise NoUsableFiles(
            f"of {len(new.documents):,} new documents {len(known):,} are in the old corpus already and "
            f"{len(kept):,} are new versions of held-out files; nothing is left to learn, name other code"
        )
    documents = (*kept, *old.documents)
    corpus = Corpus(
        documents=documents,
        rejections=(*new.rejections, *known),
        num_other_language=new.num_other_language,
        digest=digest_corpus(documents),
    )
    return JoinedCorpus(corpus, len(kept))


def whole_path(document: Document) -> str:
    """The path of the file, also of a part of it."""
    return document.cut_from or document.path


def sides_by_path(documents: Iterable[Document]) -> dict[str, Split]:
    """The side of every file that lies on one side as a whole."""
    sides: dict[str, set[Split]] = {}
    for document in documents:
        sides.setdefault(whole_path(document), set()).add(document.split)
    return {path: next(iter(found)) for path, found in sides.items() if len(found) == 1}

"""Config → corpus: read every source, refuse what should not be learnt from, split the rest."""

from __future__ import annotations

import hashlib
import posixpath
from collections import Counter
from collections.abc import Callable, Iterable

from nested_ray.config.corpus import CorpusConfig
from nested_ray.corpus.documents import Corpus, Document, Rejection, digest_text
from nested_ray.corpus.filters import PathFilter, Refusal, decode, judge
from nested_ray.corpus.licences import Licences
from nested_ray.corpus.sources import OpenSource, SourceFile, open_source
from nested_ray.corpus.split import split_documents
from nested_ray.errors import ConfigError, NoUsableFiles
from nested_ray.languages import LANGUAGES, language_of

Progress = Callable[[int, str], None]
"""Called with the number of files looked at and the path of the latest."""


def build_corpus(config: CorpusConfig, progress: Progress | None = None) -> Corpus:
    """Read, filter and split the code that a config names.

    Raises SourceNotFound when a source is missing and NoUsableFiles, with the counts per reason,
    when nothing is left to learn from.
    """
    _check_languages(config)
    sources = sorted(map(open_source, config.sources), key=lambda source: source.name)
    reader = _Reader(config, progress or (lambda count, path: None))
    for source in sources:
        reader.read(source)
    names = ", ".join(source.name for source in sources)
    if not reader.documents:
        raise NoUsableFiles(f"no usable file in {names}: {reader.counts()}; {_what_to_do(config)}")
    try:
        documents = split_documents(reader.documents, config.split)
    except NoUsableFiles as exc:
        raise NoUsableFiles(f"{names}: {exc}; {reader.counts()}") from exc
    documents.sort(key=lambda document: (document.source, document.path))
    return Corpus(
        documents=tuple(documents),
        rejections=tuple(reader.rejections),
        num_other_language=reader.num_other_language,
        digest=digest_corpus(documents),
    )


def _check_languages(config: CorpusConfig) -> None:
    known = [language.name for language in LANGUAGES]
    if unknown := [name for name in config.languages if name not in known]:
        raise ConfigError(
            f"corpus.languages: {', '.join(unknown)} is not known; there are {', '.join(known)}"
        )


def digest_corpus(documents: Iterable[Document]) -> str:
    """sha256 over digests and sides; the same wherever the files lie."""
    lines = sorted(f"{document.digest} {document.split}\n" for document in documents)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


class _Reader:
    """Sorts the files of one source after another into accepted, refused and other languages."""

    def __init__(self, config: CorpusConfig, progress: Progress) -> None:
        self._config = config
        self._progress = progress
        self._path_filter = PathFilter(config.filters)
        self._num_read = 0
        self._places: dict[str, str] = {}  # digest of an accepted text → where it stands
        self.documents: list[Document] = []
        self.rejections: list[Rejection] = []
        self.num_other_language = 0

    def read(self, source: OpenSource) -> None:
        with source.listing() as files:
            licences = Licences(source, files)
            for file in files:
                language = self._language_of(file)
                if language not in self._config.languages and not file.path.endswith("/"):
                    self.num_other_language += 1
                    continue
                self._num_read += 1
                self._progress(self._num_read, file.path)
                self._take(source, file, language or "", licences)

    def _language_of(self, file: SourceFile) -> str | None:
        """By the file's name; a script without extension is asked for its first line."""
        language = language_of(file.path)
        if language is None and "." not in posixpath.basename(file.path):
            language = language_of(file.path, self._first_line(file))
        return language.name if language else None

    def _first_line(self, file: SourceFile) -> str:
        if file.size_bytes > self._config.filters.max_file_bytes:
            return ""
        try:
            return file.read().partition(b"\n")[0].decode("utf-8", "replace")
        except OSError:
            return ""

    def _take(
        self, source: OpenSource, file: SourceFile, language: str, licences: Licences
    ) -> None:
        text = self._text_of(file, language)
        if isinstance(text, Refusal):
            self.rejections.append(Rejection(file.path, source.name, text.reason, text.detail))
            return
        digest = digest_text(text)
        self._places[digest] = f"{file.path} in {source.name}"
        licence = licences.of(file.path, text)
        self.documents.append(
            Document(file.path, source.name, language, text, digest, licence, split="train")
        )

    def _text_of(self, file: SourceFile, language: str) -> str | Refusal:
        filters = self._config.filters
        if refusal := self._path_filter.refuse(file.path):
            return refusal
        if file.size_bytes > filters.max_file_bytes:
            return Refusal("size", f"{file.size_bytes:,} bytes")
        try:
            text = decode(file.read(), language)
        except OSError as exc:
            return Refusal("unreadable", exc.strerror or str(exc))
        if isinstance(text, Refusal):
            return text
        if place := self._places.get(digest_text(text)):
            return Refusal("duplicate", f"same as {place}")
        return judge(text, filters) or text

    def counts(self) -> str:
        """`12 files looked at, 5 binary (such as a.py), 3 of other languages`."""
        parts = [f"{self._num_read} files looked at"]
        for reason, number in Counter(each.reason for each in self.rejections).most_common():
            example = next(each for each in self.rejections if each.reason == reason)
            shown = f"{example.path}: {example.detail}" if example.detail else example.path
            parts.append(f"{number} refused as {reason} ({shown})")
        parts.append(f"{self.num_other_language} of other languages")
        return ", ".join(parts)


def _what_to_do(config: CorpusConfig) -> str:
    wanted = ", ".join(config.languages)
    return f"languages asked for are {wanted}; name another source, or change corpus.filters"

"""Code review and architecture over HTTP: the analyzers beside what the served nest has learned."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from nested_ray.analyzers.architecture.impact import Node, changed_nodes, impact_of, impact_values
from nested_ray.analyzers.architecture.pictures import draw, to_html, to_mermaid, to_svg
from nested_ray.analyzers.architecture.report import ArchitectureReport, describe
from nested_ray.analyzers.architecture.structure import read_structure
from nested_ray.api.analysis import ArchitectureRequest, CodeFile, Document, ReviewRequest
from nested_ray.config.review import ReviewConfig
from nested_ray.config.serve import AnalysisConfig
from nested_ray.config.storage import StorageConfig
from nested_ray.corpus.filters import unix_lines
from nested_ray.errors import ConfigError, InvalidRequest
from nested_ray.languages import LANGUAGES, language_of
from nested_ray.levels import KINDS
from nested_ray.registry.records import NestVersion
from nested_ray.repository.base import Repository, SourceFile
from nested_ray.repository.index import open_repository
from nested_ray.repository.metadata import MetadataText
from nested_ray.repository.metadata_paths import is_metadata_path
from nested_ray.review import Change, Reviewers, compare, formats, review
from nested_ray.review.learned import NestParts, load_parts
from nested_ray.review.levels import build_reviewers
from nested_ray.review.requests import of_patch
from nested_ray.serve.worker import Worker

SARIF = "application/sarif+json"
TITLE = "Architecture"


@dataclass(frozen=True)
class CodeSent:
    """The files of a request, sorted by what they are for."""

    files: list[SourceFile]
    metadata: list[MetadataText]


class Abandoned(Exception):
    """Nobody waits for the answer any more."""


class Analyst:
    """Reviews code that is sent; knows neither HTTP nor Ray."""

    def __init__(self, config: AnalysisConfig, learned: Callable[[], NestParts]) -> None:
        """`learned` is called once, at the first request that asks the models."""
        self._config = config
        self._load = learned

    def review(self, request: ReviewRequest, stop: threading.Event) -> Document:
        """Findings in the format asked for; raises InvalidRequest for what cannot be reviewed.

        Ends with Abandoned at its next step once `stop` is set.
        """
        sent, change = self._change(request)
        settings = self._settings(request)
        report = review(
            sent.files,
            config=settings,
            reviewers=self._reviewers(settings, request.learned, is_change=change is not None),
            change=change,
            paths=checked_paths(request.paths, sent.files),
            metadata=sent.metadata,
            on_progress=lambda what, done, total: go_on_unless(stop),
        )
        return DOCUMENTS[request.format](report)

    def architecture(self, request: ArchitectureRequest, stop: threading.Event) -> Document:
        """The code base from above, or what a change of the named things can reach; ends as `review` does."""
        sent = read_files(request.files, "files", self._config.max_files)
        repository = open_repository(
            sent.files,
            metadata=sent.metadata,
            on_progress=lambda done, total: go_on_unless(stop),
        )
        if request.impact:
            return Document(json.dumps(reached(repository, request.impact), ensure_ascii=False))
        placement = self._learned.placement if request.learned else None
        report = describe(
            repository,
            self._config.review.architecture,
            placement=placement,
            on_step=lambda step: go_on_unless(stop),
        )
        return PICTURES[request.format](report)

    def _change(self, request: ReviewRequest) -> tuple[CodeSent, Change | None]:
        sent = read_files(request.files, "files", self._config.max_files)
        if request.diff is not None:
            files, change = of_patch(sent.files, sent.metadata, request.diff)
            return CodeSent(files, sent.metadata), change
        if request.base is None:
            return sent, None
        base = read_files(request.base, "base", self._config.max_files)
        return sent, compare(base.files, sent.files, base.metadata)

    def _settings(self, request: ReviewRequest) -> ReviewConfig:
        asked = {
            "levels": request.levels,
            "min_confidence": request.min_confidence,
            "max_findings": request.max_findings,
        }
        given = {name: value for name, value in asked.items() if value is not None}
        return self._config.review.model_copy(update=given)

    def _reviewers(
        self, settings: ReviewConfig, asks_models: bool, *, is_change: bool
    ) -> Reviewers:
        if not asks_models:
            return build_reviewers(settings, is_change=is_change)
        learned = self._learned
        return build_reviewers(
            settings,
            detectors=learned.detectors,
            scorer=learned.scorer,
            placement=learned.placement,
            is_change=is_change,
        )

    @cached_property
    def _learned(self) -> NestParts:
        return self._load()


def go_on_unless(stop: threading.Event) -> None:
    if stop.is_set():
        raise Abandoned


DOCUMENTS: dict[str, Callable[[Any], Document]] = {
    "json": lambda report: Document(formats.render_json(report)),
    "sarif": lambda report: Document(formats.render_sarif(report), SARIF),
    "rdjson": lambda report: Document(formats.render_rdjson(report)),
}


PICTURES: dict[str, Callable[[ArchitectureReport], Document]] = {
    "json": lambda report: Document(json.dumps(report.to_dict(), ensure_ascii=False)),
    "mermaid": lambda report: Document(to_mermaid(draw(report)), "text/plain"),
    "svg": lambda report: Document(to_svg(draw(report)), "image/svg+xml"),
    "html": lambda report: Document(to_html(report, draw(report), title=TITLE), "text/html"),
}


def reached(repository: Repository, names: Sequence[str]) -> dict[str, Any]:
    """What a change of the named files and definitions can reach; raises InvalidRequest for an unknown one."""
    structure = read_structure(repository)
    nodes: list[Node] = []
    for number, name in enumerate(names):
        try:
            nodes += changed_nodes(structure, name)
        except ConfigError as exc:
            raise InvalidRequest(f"impact.{number}: {exc}") from exc
    return impact_values(structure, nodes, impact_of(structure, nodes))


def read_files(files: Sequence[CodeFile], field: str, max_files: int) -> CodeSent:
    """Source files and metadata among them; raises InvalidRequest naming the first wrong one."""
    if len(files) > max_files:
        raise InvalidRequest(
            f"{field}: {len(files):,} files were sent, at most {max_files:,} are allowed in one "
            "request; send those that the change touches and what they use"
        )
    sources: list[SourceFile] = []
    metadata: list[MetadataText] = []
    seen: set[str] = set()
    for number, file in enumerate(files):
        where = f"{field}.{number}"
        path = checked_path(file.path, f"{where}.path")
        if path in seen:
            raise InvalidRequest(f"{where}.path: {path} was sent twice")
        seen.add(path)
        if file.language is None and is_metadata_path(path):
            metadata.append(MetadataText(path, file.text))
        else:
            sources.append(
                SourceFile(
                    path, language_name(file, where), unix_lines(file.text.removeprefix("\ufeff"))
                )
            )
    if not sources:
        raise InvalidRequest(f"{field}: none of the files holds code")
    return CodeSent(sources, metadata)


def checked_path(path: str, field: str) -> str:
    """The path; raises InvalidRequest unless it is relative and stays inside the repository."""
    parts = path.split("/")
    if path.startswith("/") or "\\" in path or any(part in ("", ".", "..") for part in parts):
        raise InvalidRequest(
            f"{field}: {path!r} is not a path inside the repository; send it relative to its root, "
            "with forward slashes"
        )
    return path


def checked_paths(paths: Iterable[str] | None, files: Sequence[SourceFile]) -> list[str] | None:
    """The paths; raises InvalidRequest for one that was not sent."""
    if paths is None:
        return None
    known = {file.path for file in files}
    for number, path in enumerate(paths):
        if path not in known:
            raise InvalidRequest(f"paths.{number}: {path} is not among the files that were sent")
    return list(paths)


def language_name(file: CodeFile, where: str) -> str:
    """The file's language as named, else by its ending or first line; raises InvalidRequest."""
    names = [language.name for language in LANGUAGES]
    if file.language in names:
        return file.language
    found = language_of(file.path, file.text) if file.language is None else None
    if found is None:
        asked = file.path if file.language is None else file.language
        raise InvalidRequest(f"{where}.language: {asked} is not known; use {', '.join(names)}")
    return found.name


class AnalysisServer:
    """An Analyst behind one worker thread: one request computes at a time, the others wait their turn."""

    def __init__(self, analyst: Analyst) -> None:
        self._analyst = analyst
        self._worker = Worker("analysis")

    async def review(self, request: ReviewRequest) -> Document:
        return await self._worker.run(lambda stop: self._analyst.review(request, stop))

    async def architecture(self, request: ArchitectureRequest) -> Document:
        return await self._worker.run(lambda stop: self._analyst.architecture(request, stop))


class AnalysisReplica(AnalysisServer):
    """An AnalysisServer in a process of its own, with what one nest version has learned."""

    def __init__(
        self, config: AnalysisConfig, version: NestVersion, storage: StorageConfig
    ) -> None:
        super().__init__(
            Analyst(config, lambda: load_learned(version, storage, config.num_threads))
        )


def load_learned(version: NestVersion, storage: StorageConfig, num_threads: int) -> NestParts:
    """Fetch the version and load what it learned for reviews."""
    import torch

    from nested_ray.registry import connect

    torch.set_num_threads(num_threads)
    with connect(storage) as registry:
        folder = registry.fetch(version)
    return load_parts(folder, KINDS)

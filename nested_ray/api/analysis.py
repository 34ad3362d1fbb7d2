"""Requests of code review and architecture: code travels in the body, never as a path of the server's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, model_validator

from nested_ray.api.schemas import MAX_PATH_CHARS, Name, Text, WireModel

LevelName = Literal["syntax", "semantics", "architecture"]
Path = Annotated[Text, Field(min_length=1, max_length=MAX_PATH_CHARS)]


class CodeFile(WireModel):
    """One file of the code base."""

    path: Path
    """Relative to the root of the repository; its ending names the language."""
    text: Text
    language: Name | None = None
    """`python` or `bsl`, where the ending does not say it."""


class CodeBase(WireModel):
    """What review and architecture look at."""

    files: tuple[CodeFile, ...] = Field(min_length=1)
    """The code base, or the part of it that is known; findings are made in its light. XML files of a
    1C configuration (metadata) may be among them."""


class ReviewRequest(CodeBase):
    """`POST /api/v1/nested-learning/review`."""

    paths: tuple[Path, ...] | None = None
    """Files that findings may lie in; all of them when left out."""
    base: tuple[CodeFile, ...] | None = None
    """The code base before the change: only what the change is the cause of is posted."""
    diff: Text | None = None
    """A unified diff that led to `files`: only findings that it is the cause of are posted."""
    levels: tuple[LevelName, ...] | None = None
    """Levels that are asked; all three when left out."""
    learned: bool = True
    """Ask the served models too, where they have learned to review; False: proofs only."""
    min_confidence: float | None = Field(default=None, ge=0, le=1)
    """Findings that are less certain are not posted; the server's setting when left out."""
    max_findings: int | None = Field(default=None, ge=1)
    """The noise budget; the server's setting when left out."""
    format: Literal["json", "sarif", "rdjson"] = "json"

    @model_validator(mode="after")
    def _one_kind_of_change(self) -> ReviewRequest:
        if self.base is not None and self.diff is not None:
            raise ValueError("base and diff are two ways to name the change; send one of them")
        return self


class ArchitectureRequest(CodeBase):
    """`POST /api/v1/nested-learning/architecture`."""

    learned: bool = True
    """Ask what the served nest has learned of where code belongs; False: learn it from the files sent."""
    impact: tuple[Text, ...] = ()
    """Paths, or names of definitions as `path:name`, whose dependents are asked for."""
    format: Literal["json", "mermaid", "html", "svg"] = "json"


@dataclass(frozen=True)
class Document:
    """An answer that is complete as it stands."""

    body: str
    media_type: str = "application/json"

"""What code is read, what is refused, and how it is split."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from nested_ray.config.base import Settings


class FolderSource(Settings):
    """Every file under a folder."""

    type: Literal["folder"] = "folder"
    path: str
    """The folder; relative to the directory the command runs in."""


class GitSource(Settings):
    """The tracked files of a git repository at one revision, read without a checkout."""

    type: Literal["git"] = "git"
    path: str
    """A local repository."""
    revision: str = "HEAD"
    """Branch, tag or commit."""
    since: str | None = None
    """Only files whose content is not in this older revision, as they are at `revision`."""


class PackageSource(Settings):
    """The files of an installed Python package, or of the standard library."""

    type: Literal["package"] = "package"
    name: str
    """Import name (`requests`), or `stdlib` for the running Python's standard library."""


class CompletionsSource(Settings):
    """Accepted completions, one JSON object a line: `prefix`, `completion`, `suffix`, `language`.

    `path` says where it was accepted; lines with `accepted: false` are left out.
    """

    type: Literal["completions"] = "completions"
    path: str
    """The JSONL file; relative to the directory the command runs in."""
    context_chars: int = Field(default=4_000, gt=0)
    """Characters, in whole lines, kept on each side of a completion: most of a file was not written by accepting it."""


Source = Annotated[
    FolderSource | GitSource | PackageSource | CompletionsSource, Field(discriminator="type")
]


class FilterConfig(Settings):
    """Which files are refused, each with its reason in the pre-flight report."""

    include: tuple[str, ...] = ()
    """Only paths matching one of these gitignore-style patterns; empty means all."""
    exclude: tuple[str, ...] = ()
    """Paths matching one of these gitignore-style patterns are left out."""
    max_file_bytes: int = Field(default=1_000_000, gt=0)
    """Larger files are refused: they are nearly always data."""
    max_line_chars: int = Field(default=2_000, gt=0)
    """Files with a longer line are refused as generated or minified."""
    secrets: Literal["reject", "allow"] = "reject"
    """What happens to a file in which a credential is found."""


class SplitConfig(Settings):
    """Shares of the documents, assigned by content hash so that no text is on two sides."""

    validation: float = Field(default=0.05, gt=0, lt=0.5)
    """Fits mixing weights and thresholds."""
    test: float = Field(default=0.05, gt=0, lt=0.5)
    """Held out; only reported on."""

    @model_validator(mode="after")
    def _leaves_something_to_train_on(self) -> SplitConfig:
        if self.validation + self.test > 0.5:
            raise ValueError("validation and test together may take at most half of the corpus")
        return self


class CorpusConfig(Settings):
    """Sources → documents → splits."""

    sources: tuple[Source, ...] = Field(min_length=1)
    """Where the code comes from."""
    languages: tuple[str, ...] = ("python", "bsl")
    """Files of other languages are left out of the corpus and counted."""
    filters: FilterConfig = FilterConfig()
    split: SplitConfig = SplitConfig()

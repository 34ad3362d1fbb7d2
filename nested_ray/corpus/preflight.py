"""The pre-flight report: what would be learnt from, what was refused and why, before any training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from nested_ray.corpus.documents import REASONS, Corpus, Document, Rejection

BYTES_PER_TOKEN = 3.4
"""What a byte-level BPE of 8,192 ids gives on Python code, roughly; the tokenizer decides."""
NUM_EXAMPLES = 3
UNKNOWN_LICENCE = "unknown"
FEW_TOKENS = 300_000
MANY_DUPLICATES = 0.2


@dataclass(frozen=True)
class SplitSize:
    """One side of the split."""

    documents: int
    size_bytes: int


@dataclass(frozen=True)
class RefusedGroup:
    """The files refused for one reason."""

    reason: str
    meaning: str
    files: int
    examples: tuple[str, ...]
    """`path: detail` of the first few."""


@dataclass(frozen=True)
class PreflightReport:
    """What a corpus holds and what it left out."""

    sources: tuple[str, ...]
    files: int
    """Accepted files; there are more documents than files where a small corpus was cut into parts."""
    documents: int
    refused: tuple[RefusedGroup, ...]
    num_refused: int
    num_other_language: int
    languages: dict[str, int]
    """Accepted files by language."""
    licences: dict[str, int]
    """Accepted files by SPDX expression; `unknown` where none was found."""
    size_bytes: int
    lines: int
    characters: int
    estimated_tokens: int
    """Bytes / 3.4; an estimate."""
    splits: dict[str, SplitSize]
    advice: tuple[str, ...]
    digest: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def preflight(corpus: Corpus) -> PreflightReport:
    """Count what is in a corpus."""
    documents = corpus.documents
    files = {(each.source, each.cut_from or each.path): each for each in documents}
    size_bytes = sum(map(size_of, documents))
    refused = tuple(_refused_groups(corpus.rejections))
    licences = Counter(each.licence or UNKNOWN_LICENCE for each in files.values())
    sources = {each.source for each in documents} | {each.source for each in corpus.rejections}
    return PreflightReport(
        sources=tuple(sorted(sources)),
        files=len(files),
        documents=len(documents),
        refused=refused,
        num_refused=len(corpus.rejections),
        num_other_language=corpus.num_other_language,
        languages=dict(Counter(each.language for each in files.values()).most_common()),
        licences=dict(licences.most_common()),
        size_bytes=size_bytes,
        lines=sum(each.text.count("\n") + (not each.text.endswith("\n")) for each in documents),
        characters=sum(len(each.text) for each in documents),
        estimated_tokens=round(size_bytes / BYTES_PER_TOKEN),
        splits=_split_sizes(documents),
        advice=tuple(_advice(corpus, len(files), licences, refused)),
        digest=corpus.digest,
    )


def size_of(document: Document) -> int:
    """Bytes of the text as UTF-8."""
    return len(document.text.encode("utf-8"))


def _split_sizes(documents: Iterable[Document]) -> dict[str, SplitSize]:
    numbers: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for document in documents:
        numbers[document.split] += 1
        sizes[document.split] += size_of(document)
    return {side: SplitSize(numbers[side], sizes[side]) for side in ("train", "validation", "test")}


def _refused_groups(rejections: Iterable[Rejection]) -> Iterable[RefusedGroup]:
    """By reason, the most frequent first."""
    by_reason: dict[str, list[Rejection]] = {}
    for rejection in rejections:
        by_reason.setdefault(rejection.reason, []).append(rejection)
    for reason, group in sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[0])):
        examples = tuple(
            f"{each.path}: {each.detail}" if each.detail else each.path
            for each in group[:NUM_EXAMPLES]
        )
        yield RefusedGroup(reason, REASONS[reason], len(group), examples)


def _advice(
    corpus: Corpus, num_files: int, licences: Counter[str], refused: Iterable[RefusedGroup]
) -> Iterable[str]:
    """One sentence for each thing a person should know before training."""
    refused_files = {group.reason: group.files for group in refused}
    if any(document.cut_from for document in corpus.documents):
        yield (
            f"The corpus is small ({num_files} {'file' if num_files == 1 else 'files'}), so files were cut "
            "at top-level definitions to give train, validation and test some each. Held-out parts come "
            "from the same files as training parts, which flatters the scores."
        )
    train_bytes = sum(size_of(document) for document in corpus.split("train"))
    if train_bytes / BYTES_PER_TOKEN < FEW_TOKENS:
        yield (
            f"About {train_bytes / BYTES_PER_TOKEN:,.0f} tokens to learn from is little for a network "
            "(under 300,000); memory works from the first file on. Add sources if there are any."
        )
    if refused_files.get("secret"):
        yield (
            "Take the credentials out of the refused files and revoke them; mark a harmless line with "
            "`# pragma: allowlist secret`, or set filters.secrets to `allow`."
        )
    if refused_files.get("duplicate", 0) > MANY_DUPLICATES * num_files:
        yield f"{refused_files['duplicate']} files repeat others; only the first of each was kept."
    if refused_files.get("size"):
        yield (
            "Large files are mostly data, but 1C form modules reach several megabytes: raise "
            "filters.max_file_bytes to take them."
        )
    if refused_files.get("unreadable"):
        yield "Some files could not be read: check their permissions, or where their links lead."
    if unknown := licences[UNKNOWN_LICENCE]:
        yield (
            f"No licence was found for {unknown} of {num_files} files: fine for your own code; "
            "check before weights trained on it leave the house."
        )


def render(report: PreflightReport) -> RenderableType:
    """The report as tables for a terminal."""
    parts: list[RenderableType] = [_summary(report), _split_table(report)]
    if report.refused:
        parts.append(_refused_table(report))
    parts += [Text(f"• {line}") for line in report.advice]
    return Group(*parts)


def _summary(report: PreflightReport) -> Table:
    table = Table(show_header=False, box=None, pad_edge=False)
    rows = (
        ("sources", ", ".join(report.sources)),
        ("accepted", f"{report.files:,} files ({_counted(report.languages)})"),
        ("refused", f"{report.num_refused:,} files"),
        ("other languages", f"{report.num_other_language:,} files"),
        ("size", f"{report.size_bytes:,} bytes, {report.lines:,} lines, {report.characters:,} characters"),
        ("tokens", f"about {report.estimated_tokens:,} (estimate: bytes / {BYTES_PER_TOKEN})"),
        ("licences", _counted(report.licences)),
        ("digest", report.digest[:16]),
    )  # fmt: skip
    for name, value in rows:
        table.add_row(Text(name, style="bold"), Text(value))
    return table


def _counted(numbers: dict[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in numbers.items())


def _split_table(report: PreflightReport) -> Table:
    table = Table("split")
    table.add_column("documents", justify="right")
    table.add_column("bytes", justify="right")
    table.add_column("share", justify="right")
    for name, side in report.splits.items():
        share = side.size_bytes / max(report.size_bytes, 1)
        table.add_row(name, f"{side.documents:,}", f"{side.size_bytes:,}", f"{share:.1%}")
    return table


def _refused_table(report: PreflightReport) -> Table:
    table = Table("refused because")
    table.add_column("files", justify="right")
    table.add_column("such as", overflow="fold")
    for group in report.refused:
        # Text: a path may hold what rich would take for markup
        examples = Text("\n".join(group.examples))
        table.add_row(f"{group.reason}: {group.meaning}", f"{group.files:,}", examples)
    return table

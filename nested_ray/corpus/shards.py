"""A corpus on disk: Parquet files named in a manifest that is replaced last, in one step."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from nested_ray.corpus.build import digest_corpus
from nested_ray.corpus.documents import Corpus, Document, Rejection
from nested_ray.errors import CorpusError, DigestMismatch
from nested_ray.files import sha256_of, sync, write_json

MANIFEST = "corpus.json"
FORMAT = 1


def save_corpus(corpus: Corpus, folder: Path) -> None:
    """Write the corpus into a folder; a reader sees the corpus before or this one, never a mixture."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "documents": _write_table(folder, "documents", _table(Document, corpus.documents)),
        "rejections": _write_table(folder, "rejections", _table(Rejection, corpus.rejections)),
    }
    manifest = {
        "format": FORMAT,
        "digest": corpus.digest,
        "num_documents": len(corpus.documents),
        "num_rejections": len(corpus.rejections),
        "num_other_language": corpus.num_other_language,
        "files": files,
    }
    write_json(folder / MANIFEST, manifest)
    _remove_all_but({file["name"] for file in files.values()}, folder)


def load_corpus(folder: Path) -> Corpus:
    """Read a saved corpus; raises DigestMismatch when its bytes are not those that were saved."""
    manifest = _read_manifest(folder)
    documents = _rows(Document, _read_table(folder, manifest["files"]["documents"]))
    rejections = _rows(Rejection, _read_table(folder, manifest["files"]["rejections"]))
    if digest_corpus(documents) != manifest["digest"]:
        raise DigestMismatch(
            f"the documents in {folder} are not those of corpus {manifest['digest'][:12]}; build it again"
        )
    return Corpus(
        tuple(documents), tuple(rejections), manifest["num_other_language"], manifest["digest"]
    )


def _table(kind: type, rows: Sequence[Any]) -> pa.Table:
    names = [field.name for field in fields(kind)]
    # large_string: all texts of a column may exceed the 2 GiB that string can address
    return pa.table(
        {name: pa.array([getattr(row, name) for row in rows], pa.large_string()) for name in names}
    )


def _rows(kind: type, table: pa.Table) -> list[Any]:
    return [kind(**row) for row in table.to_pylist()]


def _write_table(folder: Path, name: str, table: pa.Table) -> dict[str, Any]:
    """Write one Parquet file under a name that holds its sha256; returns its manifest entry."""
    aside = folder / f".{name}.{os.getpid()}.tmp"
    pq.write_table(table, aside, compression="zstd")
    digest = sha256_of(aside)
    path = folder / f"{name}-{digest[:16]}.parquet"
    sync(aside)
    aside.replace(path)
    return {"name": path.name, "sha256": digest, "size_bytes": path.stat().st_size}


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        raise CorpusError(
            f"no corpus is saved in {folder} ({MANIFEST} is missing); build it"
        ) from exc
    except (OSError, ValueError) as exc:
        raise CorpusError(f"{path} cannot be read ({exc}); build the corpus again") from exc
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise CorpusError(f"{path} is not of format {FORMAT}; build the corpus again")
    return manifest


def _read_table(folder: Path, entry: dict[str, Any]) -> pa.Table:
    path = folder / entry["name"]
    if not path.is_file():
        raise CorpusError(f"{path} is named in {MANIFEST} but missing; build the corpus again")
    if sha256_of(path) != entry["sha256"]:
        raise DigestMismatch(f"{path} was changed since it was saved; build the corpus again")
    return pq.read_table(path)


def _remove_all_but(kept: set[str], folder: Path) -> None:
    """Files of corpora that the manifest no longer names, and what a crash left aside."""
    for path in [*folder.glob("*-*.parquet"), *folder.glob(".*.tmp"), *folder.glob(".*.part")]:
        if path.name not in kept:
            path.unlink(missing_ok=True)

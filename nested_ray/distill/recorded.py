"""An exchange that writes down what was read from it, and one that reads it out again.

What a level hears depends on how fast its peers were, and that is never twice the same. With a recording its steps
can be made again exactly, without its peers: to look into one of them, or to see that a resumed level goes on as
the first one would have.

A recording is a folder with `reads.jsonl`, one line per read, and `payloads.bin`, which the lines point into.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nested_ray.distill.exchange import Exchange, RecordHeader
from nested_ray.errors import TrainingError

READS = "reads.jsonl"
PAYLOADS = "payloads.bin"

RecordKey = tuple[str, str, int]
"""Teacher, batch id and the teacher's step: what tells a record from all others."""


def key_of(header: RecordHeader) -> RecordKey:
    return header.level, header.batch_id, header.weights_step


class RecordingExchange:
    """Passes everything on to an exchange and appends each read to a folder.

    Reads are numbered like the batches of a worker. A worker that restarts goes on in the same folder at
    the number of its checkpoint; what was read after that before counts no more.
    """

    def __init__(self, inner: Exchange, folder: Path, *, first_read: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._inner, self._next_read = inner, first_read
        self._payloads = (folder / PAYLOADS).open("ab")
        self._reads = (folder / READS).open("ab")
        if self._reads.tell():
            self._reads.write(b"\n")  # ends a line that a kill cut off
        self._write({"start": first_read})

    def publish(self, header: RecordHeader, payload: bytes) -> None:
        self._inner.publish(header, payload)

    def unread(self, reader: str, after: int) -> Sequence[tuple[int, RecordHeader, bytes]]:
        found = self._inner.unread(reader, after)
        records = []
        for sequence, header, payload in found:
            place = [self._payloads.tell(), len(payload)]
            self._payloads.write(payload)
            records.append({"sequence": sequence, "header": asdict(header), "place": place})
        self._payloads.flush()  # before the line that points there
        self._write({"read": self._next_read, "records": records})
        self._next_read += 1
        return found

    def close(self) -> None:
        self._payloads.close()
        self._reads.close()

    def _write(self, line: dict[str, Any]) -> None:
        self._reads.write(json.dumps(line).encode() + b"\n")
        self._reads.flush()


class Recording:
    """What a worker read, by the number of the read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._reads: dict[int, list[dict[str, Any]]] = {}
        self._starts: set[int] = set()
        for line in _lines(folder / READS):
            if "start" in line:
                self._restart(line["start"])
            else:
                self._reads[line["read"]] = line["records"]

    def read(self, number: int) -> list[tuple[int, RecordHeader, bytes]]:
        """What one read gave. Raises TrainingError when it was not recorded."""
        if number not in self._reads:
            raise TrainingError(
                f"{self.folder} holds no read {number}; it has {len(self._reads)} reads, "
                f"the last of them {max(self._reads, default=None)}"
            )
        return [self._load(entry) for entry in self._reads[number]]

    def began_at(self, number: int) -> bool:
        """Whether a process began with this read: it had nothing from the reads before."""
        return number in self._starts

    def find(
        self, keys: Iterable[RecordKey], *, before: int
    ) -> Iterator[tuple[RecordHeader, bytes]]:
        """Records that were read before a number, by key. Raises TrainingError for one that was not."""
        latest = {
            key_of(_header(entry)): entry
            for number in sorted(self._reads)
            if number < before
            for entry in self._reads[number]
        }
        for key in keys:
            if key not in latest:
                raise TrainingError(
                    f"{self.folder} holds no record {key}: it is of another attempt at this run"
                )
            yield self._load(latest[key])[1:]

    def _restart(self, number: int) -> None:
        for overtaken in [read for read in self._reads if read >= number]:
            del self._reads[overtaken]
        self._starts = {start for start in self._starts if start < number} | {number}

    def _load(self, entry: dict[str, Any]) -> tuple[int, RecordHeader, bytes]:
        offset, size = entry["place"]
        with (self.folder / PAYLOADS).open("rb") as file:
            file.seek(offset)
            return entry["sequence"], _header(entry), file.read(size)


class ReplayedExchange:
    """Gives a level what was recorded, read by read; what the level publishes goes nowhere."""

    def __init__(self, recording: Recording, *, first_read: int = 0) -> None:
        self._recording, self._next_read = recording, first_read

    def publish(self, header: RecordHeader, payload: bytes) -> None:
        pass

    def unread(self, reader: str, after: int) -> Sequence[tuple[int, RecordHeader, bytes]]:
        found = self._recording.read(self._next_read)
        self._next_read += 1
        return found


def _header(entry: dict[str, Any]) -> RecordHeader:
    values = entry["header"]
    return RecordHeader(**values | {"always_ids": tuple(values["always_ids"])})


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Whole lines; one that a kill cut off is left out."""
    with path.open("rb") as file:
        for text in file:
            try:
                line = json.loads(text)
            except ValueError:
                continue
            yield line

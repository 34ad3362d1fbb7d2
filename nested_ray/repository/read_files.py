"""Many texts → their packed facts and references, over two processes where that is quicker."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread

from nested_ray.repository.base import SourceFile
from nested_ray.repository.facts import read_file
from nested_ray.repository.reading_process import Packed, ReadingProcess

MIN_PARALLEL_CHARS = 3_000_000
"""Below this, starting processes takes longer than reading."""
CHUNK_CHARS = 400_000
MAX_PROCESSES = 2


def read_all(files: Sequence[SourceFile]) -> Iterator[tuple[int, Packed]]:
    """(index, packed) of every file, in no particular order."""
    done: set[int] = set()
    num_processes = min(MAX_PROCESSES, os.cpu_count() or 1)
    is_much = sum(len(file.text) for file in files) >= MIN_PARALLEL_CHARS
    if num_processes > 1 and len(files) > 1 and is_much:
        for found in in_processes(files, num_processes):
            done.add(found[0])
            yield found
    # What a worker did not answer, because it could not start or was killed, is read here.
    for index, file in enumerate(files):
        if index not in done:
            yield index, read_file(file.language, file.text)


def in_processes(files: Sequence[SourceFile], num_processes: int) -> Iterator[tuple[int, Packed]]:
    """What the workers answer; they are ended when the caller stops asking."""
    waiting = deque(chunks(files))
    found: SimpleQueue[list[tuple[int, Packed]] | None] = SimpleQueue()
    workers: list[ReadingProcess] = []
    threads: list[Thread] = []
    try:
        with suppress(OSError):  # no more processes allowed
            for _ in range(num_processes):
                workers.append(ReadingProcess())
        threads = [Thread(target=feed, args=(each, files, waiting, found)) for each in workers]
        for thread in threads:
            thread.start()
        num_working = len(threads)
        while num_working:
            answer = found.get()
            num_working -= answer is None
            yield from answer or ()
    finally:
        waiting.clear()
        for worker in workers:
            worker.close()
        for thread in threads:
            thread.join()


def feed(
    worker: ReadingProcess,
    files: Sequence[SourceFile],
    waiting: deque[list[int]],
    found: SimpleQueue[list[tuple[int, Packed]] | None],
) -> None:
    """Give one worker chunks until there are none; None says that no more will come of it."""
    try:
        while True:
            chunk = waiting.popleft()
            answers = worker.read([(files[index].language, files[index].text) for index in chunk])
            found.put(list(zip(chunk, answers, strict=True)))
    except (IndexError, OSError, EOFError, ValueError):  # ValueError: its pipes are closed
        found.put(None)


def chunks(files: Sequence[SourceFile]) -> Iterator[list[int]]:
    """Indices of files that together have about CHUNK_CHARS, the longest files first."""
    chunk: list[int] = []
    num_chars = 0
    for index in sorted(range(len(files)), key=lambda index: -len(files[index].text)):
        chunk.append(index)
        num_chars += len(files[index].text)
        if num_chars >= CHUNK_CHARS:
            yield chunk
            chunk, num_chars = [], 0
    if chunk:
        yield chunk

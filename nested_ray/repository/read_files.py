"""Many texts → their packed facts and references, over two processes where that is quicker."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from nested_ray.repository.base import SourceFile
from nested_ray.repository.facts import read_file

MIN_PARALLEL_CHARS = 3_000_000
"""Below this, starting processes takes longer than reading."""
CHUNK_CHARS = 400_000
MAX_PROCESSES = 2

Packed = tuple[bytes, bytes]
"""Facts and references of one file."""


def read_all(files: Sequence[SourceFile]) -> Iterator[tuple[int, Packed]]:
    """(index, packed) of every file, in no particular order."""
    done: set[int] = set()
    if _pays(files):
        try:
            for found in _in_processes(files):
                done.add(found[0])
                yield found
        except BrokenProcessPool:  # killed for memory, or a script that may not be imported
            pass
    for index, file in enumerate(files):
        if index not in done:
            yield index, read_file(file.language, file.text)


def _pays(files: Sequence[SourceFile]) -> bool:
    if (os.cpu_count() or 1) < 2 or multiprocessing.current_process().daemon:
        return False
    return sum(len(file.text) for file in files) >= MIN_PARALLEL_CHARS


def _in_processes(files: Sequence[SourceFile]) -> Iterator[tuple[int, Packed]]:
    # Not forked: the caller may have threads, whose locks a fork would copy while they are held.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(MAX_PROCESSES, mp_context=context, initializer=_ignore_interrupts)
    try:
        waiting = {
            pool.submit(_read_chunk, [(files[i].language, files[i].text) for i in chunk]): chunk
            for chunk in chunks(files)
        }
        for future in as_completed(waiting):
            yield from zip(waiting[future], future.result(), strict=True)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _ignore_interrupts() -> None:
    # Ctrl-C reaches the whole group; the parent ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _read_chunk(texts: list[tuple[str, str]]) -> list[Packed]:
    return [read_file(language, text) for language, text in texts]


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

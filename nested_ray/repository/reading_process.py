"""A process that reads files for another one, until its input ends."""

from __future__ import annotations

import json
import pickle
import struct
import subprocess
import sys
from collections.abc import Sequence
from typing import IO, Any

from nested_ray.repository.facts import read_file

Packed = tuple[bytes, bytes]
"""Facts and references of one file."""

LENGTH = struct.Struct(">Q")
# Not multiprocessing: its workers run the main script again, which a script without a guard does not survive.
PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from nested_ray.repository.reading_process import serve; serve()"
)


class ReadingProcess:
    """One worker; ends when it is closed, or when this process does, for then its input ends."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is the parent's to answer
        )

    def read(self, texts: Sequence[tuple[str, str]]) -> list[Packed]:
        """Facts and references of (language, text) pairs; OSError or EOFError when the worker is gone."""
        assert self._process.stdin and self._process.stdout
        send(self._process.stdin, list(texts))
        return receive(self._process.stdout)

    def close(self) -> None:
        """End the worker, whatever it does."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                if pipe:
                    pipe.close()
            except OSError:  # what was still to be sent
                pass


def serve() -> None:
    """Answer requests from stdin on stdout."""
    answers = sys.stdout.buffer
    while True:
        try:
            texts = receive(sys.stdin.buffer)
        except EOFError:
            return
        send(answers, [read_file(language, text) for language, text in texts])


def send(pipe: IO[bytes], value: Any) -> None:
    content = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    pipe.write(LENGTH.pack(len(content)))
    pipe.write(content)
    pipe.flush()


def receive(pipe: IO[bytes]) -> Any:
    """The next value; EOFError when the other side has gone."""
    header = pipe.read(LENGTH.size)
    if len(header) < LENGTH.size:
        raise EOFError
    (length,) = LENGTH.unpack(header)
    content = pipe.read(length)
    if len(content) < length:
        raise EOFError
    return pickle.loads(content)

import pytest

from nested_ray.repository import read_files
from nested_ray.repository.base import SourceFile
from nested_ray.repository.facts import read_file
from nested_ray.repository.read_files import chunks, in_processes, read_all
from nested_ray.repository.reading_process import ReadingProcess

FILES = [
    SourceFile(f"{n}.py", "python", f"import a\n\n\ndef f{n}():\n    a.b({n})\n") for n in range(9)
]
EXPECTED = {index: read_file("python", file.text) for index, file in enumerate(FILES)}


def test_processes_read_what_one_would(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(read_files, "CHUNK_CHARS", 60)
    monkeypatch.setattr(read_files, "MIN_PARALLEL_CHARS", 0)
    monkeypatch.setattr(read_files.os, "cpu_count", lambda: 2)
    assert dict(read_all(FILES)) == EXPECTED


def test_what_a_dead_worker_leaves_is_read_here(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(read_files, "MIN_PARALLEL_CHARS", 0)
    monkeypatch.setattr(read_files.os, "cpu_count", lambda: 2)
    monkeypatch.setattr("nested_ray.repository.reading_process.PROGRAM", "raise SystemExit(3)")
    assert dict(read_all(FILES)) == EXPECTED


def test_workers_end_when_the_caller_stops_asking(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(read_files, "CHUNK_CHARS", 60)
    started: list[ReadingProcess] = []

    class Watched(ReadingProcess):
        def __init__(self) -> None:
            super().__init__()
            started.append(self)

    monkeypatch.setattr(read_files, "ReadingProcess", Watched)
    answers = in_processes(FILES, 2)
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    assert [worker._process.returncode is not None for worker in started] == [True, True]


def test_every_file_is_in_one_chunk():
    assert sorted(index for chunk in chunks(FILES) for index in chunk) == list(range(9))

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nested_ray.files import sha256_of, write_file, write_json


def test_json_comes_back_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "new" / "facts.json"
    write_json(path, {"имя": [1, None]})
    assert json.loads(path.read_text(encoding="utf-8")) == {"имя": [1, None]}
    assert [each.name for each in path.parent.iterdir()] == ["facts.json"]


def test_a_writer_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "facts.json"
    write_json(path, 1)

    def fail(aside: Path) -> None:
        aside.write_text("half", encoding="utf-8")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_file(path, fail)
    assert json.loads(path.read_text(encoding="utf-8")) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_sha256_is_that_of_the_standard(tmp_path):
    path = tmp_path / "abc"
    path.write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert sha256_of(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nested_ray.cli.main import app


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NESTED_RAY_HOME", str(tmp_path / "home"))
    root = tmp_path / "code"
    root.mkdir()
    (root / "a.py").write_text("from b import f\nf()\n")
    (root / "b.py").write_text("def f(): ...\n")
    (root / "c.py").write_bytes(b"\0")
    return root


def test_counts_are_printed_as_json(code: Path):
    results = [CliRunner().invoke(app, ["index", str(code), "--json"]) for _ in range(2)]
    first, second = (json.loads(result.stdout) for result in results)
    assert first["files"] == {"python": 2}
    assert first["links"] == {"import": 2, "call": 1}
    assert first["skipped"] == [["c.py", "binary", "NUL or control bytes"]]
    assert (first["files_read"], second["files_read"]) == (2, 0)


def test_counts_are_told_in_sentences(code: Path):
    result = CliRunner().invoke(app, ["index", str(code), "--exclude", "a.py"])
    assert "1 file (1 python)\n1 read now" in result.stdout
    assert "not read: c.py: binary" in result.stdout

"""What a user gets wrong: one sentence with what to do next, and the right exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import TINY, Shell

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def empty_shell(tmp_path: Path) -> Shell:
    """A user who has never trained anything."""
    return Shell(tmp_path / "home")


def test_an_unknown_setting_is_named(empty_shell: Shell, tmp_path: Path):
    config = tmp_path / "config.yaml"
    config.write_text(TINY.read_text() + "learning_rate: 0.1\n")
    ended = empty_shell.run("train", config)
    assert ended.returncode == 2
    assert "learning_rate: unknown setting" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_corpus_without_usable_files_says_why(empty_shell: Shell, tmp_path: Path):
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "data.py").write_bytes(b"\x00\x01\x02")
    ended = empty_shell.run("train", TINY, "--corpus", tmp_path / "code")
    assert ended.returncode == 1
    assert "no usable file" in ended.stderr
    assert "binary" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_missing_database_is_named_without_its_password(empty_shell: Shell):
    empty_shell.variables = {"DATABASE_URL": "postgresql://me:secret-word@127.0.0.1:1/db"}
    ended = empty_shell.run("registry", "list")
    assert ended.returncode == 1
    assert "127.0.0.1" in ended.stderr
    assert "secret-word" not in ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr


def test_serving_without_a_champion_says_what_to_run(empty_shell: Shell, free_port: int):
    ended = empty_shell.run("serve", "--port", str(free_port))
    assert ended.returncode == 1
    assert "nested-ray train" in ended.stderr
    assert "Traceback" not in ended.stderr
    empty_shell.wait_until_nothing_runs()

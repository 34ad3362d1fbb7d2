"""Folders of Ray clusters whose command was killed."""

import subprocess
import sys
import tempfile
from pathlib import Path

from nested_ray.cli.session_folder import delete_abandoned, session_folder

HOLDER = """
import sys, tempfile
from nested_ray.cli.session_folder import session_folder
tempfile.tempdir = sys.argv[1]
with session_folder() as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""


def test_a_killed_commands_folder_goes_and_a_living_ones_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "nested-ray-checkpoint-1").mkdir()  # has no lock: not ours
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout is not None
        folder = Path(holder.stdout.readline().strip())
        assert folder.parent == tmp_path and folder.name.startswith("nested-ray-")
        with session_folder() as own:
            assert folder.is_dir() and own.is_dir() and own != folder
        assert folder.is_dir() and not own.exists()
        holder.kill()
    assert folder.is_dir()
    delete_abandoned(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["nested-ray-checkpoint-1"]

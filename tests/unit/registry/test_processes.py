import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

from nested_ray.registry.processes import FileLock, ProcessIdentity, write_private


def _sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])


def test_process_is_known_by_its_start_as_well(tmp_path: Path) -> None:
    with _sleeper() as process:
        identity = ProcessIdentity.of(process.pid)
        assert identity and identity.is_alive()
        stranger = ProcessIdentity(process.pid, identity.started + "0")
        assert not stranger.is_alive()
        stranger.send(signal.SIGKILL)
        assert identity.is_alive(), "a process with the same number is left alone"
        identity.end(signal.SIGTERM, 10.0)
        assert not identity.is_alive()
        process.returncode = 0  # reaped above


def test_zombie_counts_as_ended() -> None:
    with _sleeper() as process:
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert ProcessIdentity.of(process.pid) is None


def test_record_is_read_back_and_torn_ones_are_none(tmp_path: Path) -> None:
    identity = ProcessIdentity.of(os.getpid())
    assert identity
    record = tmp_path / "pid"
    fd = os.open(record, os.O_WRONLY | os.O_CREAT)
    identity.write(fd)
    os.close(fd)
    assert ProcessIdentity.read(record) == identity
    record.write_text("12")
    assert ProcessIdentity.read(record) is None
    assert ProcessIdentity.read(tmp_path / "none") is None


def test_exclusive_lock_waits_for_every_shared_one(tmp_path: Path) -> None:
    locks = [FileLock(tmp_path / "lock") for _ in range(3)]
    assert locks[0].try_shared() and locks[1].try_shared()
    assert not locks[2].try_exclusive()
    locks[0].close()
    assert not locks[2].try_exclusive()
    locks[1].close()
    assert locks[2].try_exclusive()
    locks[2].close()


def test_lock_of_a_deleted_file_is_noticed(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    assert lock.is_in_place()
    (tmp_path / "lock").unlink()
    assert not lock.is_in_place()
    (tmp_path / "lock").touch()
    assert not lock.is_in_place()
    lock.close()


def test_private_file_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("before")
    write_private(tmp_path / "file", "секрет")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "секрет"
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["file"]

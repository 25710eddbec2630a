"""Who is at the other end of the socket: what the kernel says, which nobody can claim.

Hides SO_PEERCRED and the machine's list of users. The credentials are those of whoever opened the connection; root may
open one as anybody, and the page on the socket says so.
"""

from __future__ import annotations

import pwd
import socket
import struct
from datetime import datetime
from pathlib import Path

import msgspec

NOBODY = 65534
"""The user that stands for whoever the kernel cannot name."""

_CREDENTIALS = struct.Struct("3i")
_UNSET = (
    2**32 - 1
)  # loginuid of what nobody logged in for: https://man7.org/linux/man-pages/man3/audit_getloginuid.3.html


class Peer(msgspec.Struct, frozen=True):
    """A process at the other end."""

    pid: int
    uid: int
    gid: int
    user: str
    """Name of its Unix user on this machine; empty: the machine has none for it."""
    evidence: str
    """Which process it was, on which machine, and when, for the ledger."""

    @property
    def called(self) -> str:
        """The Unix user, for people."""
        return f"{self.user or 'a user without a name'} (uid {self.uid})"


def uid_of(connection: socket.socket) -> int:
    """The user who opened a connection. Raises OSError."""
    return _credentials(connection)[1]


def peer_of(connection: socket.socket, now: datetime) -> Peer:
    """The process that opened a connection. Raises OSError."""
    pid, uid, gid = _credentials(connection)
    said = f"{socket.gethostname()}, pid {pid}, uid {uid}"
    login = _login(pid)
    # Whoever became another user by `su` or `sudo` logged in as somebody; it is told, and decides nothing.
    said += f", logged in as uid {login}" if login is not None and login != uid else ""
    return Peer(pid, uid, gid, name_of(uid), f"{said}, {now:%Y-%m-%dT%H:%M:%SZ}")


def name_of(uid: int) -> str:
    """A user's name on this machine; empty: it has none for it. A directory may be asked, which may take long."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def _credentials(connection: socket.socket) -> tuple[int, int, int]:
    packed = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, gid = _CREDENTIALS.unpack(packed)
    return pid, uid, gid


def _login(pid: int) -> int | None:
    """The user who logged in, however often they changed since; None where the kernel does not tell."""
    try:
        found = int(Path(f"/proc/{pid}/loginuid").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return None if found == _UNSET else found

"""A Unix socket that listens at a path.

Hides that the file of a socket outlives whoever listened there, that it must never be open to fewer or more than it
should be for a moment, and how short its path must be.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from pathlib import Path

LONGEST_PATH = 107
"""Bytes of a Unix socket's path: https://man7.org/linux/man-pages/man7/unix.7.html"""


class ControlError(Exception):
    """The socket cannot be listened at; the message says why and what would be right."""


def listen(path: Path) -> tuple[socket.socket, tuple[int, int]]:
    """A socket that listens at a path, in the place of one nobody listens at, and its file's identity.

    Raises ControlError.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    if len(os.fsencode(draft)) > LONGEST_PATH:
        most = LONGEST_PATH - len(os.fsencode(draft)) + len(os.fsencode(path))
        raise ControlError(
            f"[daemon] socket: {path} has {len(os.fsencode(path))} bytes, and a Unix socket's path at most {most} "
            "here; name a shorter one, such as /run/driftwarden/control.sock"
        )
    if (why := _taken(path)) is not None:
        raise ControlError(f"[daemon] socket: {why}")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
        listener.bind(str(draft))
        # Everybody may knock: the kernel says who it is, and a stranger is told so. The folder's mode may say less.
        draft.chmod(0o666)
        listener.listen(128)
        found = draft.lstat()
        draft.replace(path)
    except OSError as error:
        listener.close()
        raise ControlError(
            f"[daemon] socket: {path}: {error.strerror}; its folder must be there, and the daemon's to write"
        ) from None
    return listener, (found.st_dev, found.st_ino)


def _taken(path: Path) -> str | None:
    """Why a path cannot be ours; None where nothing is there, or a socket that nobody listens at."""
    try:
        found = path.lstat()
    except OSError:
        return None  # `bind` says what is wrong, if anything
    if not stat.S_ISSOCK(found.st_mode):
        return f"{path} is there and is no socket; it is left alone: move it, or name another"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knocking:
        knocking.settimeout(1.0)
        try:
            knocking.connect(str(path))
        except ConnectionRefusedError:
            return None
        except OSError as error:
            return f"{path}: {error.strerror or error}: somebody may listen there"
    return f"another daemon listens at {path}"

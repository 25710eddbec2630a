"""Regular files that others wrote, read.

Hides what waits there in place of a file: pipes and devices, whose reader would wait for ever, links out of a folder.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from pathlib import Path


def read_regular(path: Path, most: int, within: Sequence[Path] = ()) -> bytes:
    """The file's first `most` bytes. Raises `OSError`, also for what is no regular file.

    With `within`, wherever links lead the file lies in one of these folders.
    """
    try:
        if within and not is_within(path, within):
            raise OSError(errno.ELOOP, "a link that leads out of the repository, which is not followed")
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError:  # a path with a zero byte
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is no regular file")
    with os.fdopen(handle, "rb") as file:
        return file.read(most)


MAX_SECRET = 1024 * 1024
"""Largest file with a key, a certificate or a token that is read."""


def secret_text(path: Path) -> str:
    """A small file of text. Raises `OSError`, also for no regular file, and `ValueError` for what is no text."""
    return read_regular(path, MAX_SECRET).decode()


def is_within(path: Path, folders: Sequence[Path]) -> bool:
    """Whether a path, wherever links lead, lies in one of the folders. Raises `OSError` for a circle of links."""
    try:
        real = path.resolve()
        return any(real.is_relative_to(folder.resolve()) for folder in folders)
    except (RuntimeError, ValueError):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from None

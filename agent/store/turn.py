"""Whose turn it is to write to a SQLite file, among the threads and processes of driftwarden.

SQLite lets one write, and the others look again after pauses of up to a tenth of a second: who has waited longest looks
most seldom. Hides a lock on a file beside the database that is looked at every few milliseconds. It only orders: what
nobody else may do meanwhile is for SQLite's own lock to say.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

LONGEST = 5.0
"""Seconds after which a writer goes on without its turn: whoever has it writes for long, and SQLite lets nobody else,
or was stopped with it, and SQLite lets everybody."""

_PAUSE = 0.003
_NEVER = threading.Event()
"""Never set: to wait for it is to pause, which `time.sleep` refuses to where a clock was put back under it."""


class Turn:
    """The turn at one open database, shared by its threads."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(f"{database.name}.turn")
        self._threads = threading.Lock()
        self._waits = LONGEST
        """Seconds to wait for it: none while somebody stands still with it, for whom another waited in vain."""

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Ours until the context ends."""
        with self._threads, ExitStack() as held:
            try:
                file = opened(self._path)
            except OSError:
                yield  # SQLite says what is wrong with the folder
                return
            held.callback(os.close, file)
            self._waits = LONGEST if _wait(file, self._waits) else 0.0
            yield


def opened(path: Path) -> int:
    """A handle on a lock file beside the database, made if it is not there. Raises OSError."""
    handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        if os.geteuid() == 0:  # made by root, it must still be the service's own
            owner = path.parent.stat()
            os.fchown(handle, owner.st_uid, owner.st_gid)
    except OSError:
        os.close(handle)
        raise
    return handle


def _wait(file: int, longest: float) -> bool:
    """Whether the turn came."""
    deadline = time.monotonic() + longest
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            _NEVER.wait(_PAUSE)
        else:
            return True

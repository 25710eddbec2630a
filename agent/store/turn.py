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

LONGEST = 30.0
"""Seconds after which a writer goes on without its turn, and SQLite tells it that the database is locked."""

_PAUSE = 0.003


class Turn:
    """The turn at one open database, shared by its threads."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(f"{database.name}.turn")
        self._threads = threading.Lock()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Ours until the context ends."""
        with self._threads, ExitStack() as held:
            try:
                file = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            except OSError:
                yield  # SQLite says what is wrong with the folder
                return
            held.callback(os.close, file)
            _wait(file)
            yield


def _wait(file: int) -> None:
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE)
        else:
            return

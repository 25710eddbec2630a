"""One SQLite file takes another's place, while others may have that one open.

Hides that its content is replaced and not its name: a process that goes on with a file whose name was taken away writes
where nobody looks, and on its end takes away the journal of the new one. Only a file that is no database is renamed.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from agent.store import Head
from agent.upkeep import archive
from agent.upkeep.archive import UpkeepError

_WAIT = 30.0
"""Seconds that somebody else's transaction is waited for."""
_JOURNALS = ("-journal", "-wal", "-shm")


@dataclass(frozen=True, slots=True)
class Old:
    """What is to be replaced, which nobody else can write to."""

    file: Path
    connection: sqlite3.Connection | None
    """None: there is no file, or it is no database."""
    head: Head
    """Where its ledger ends, as far as it can be read."""
    fence: int
    """Its last."""

    def replace(self, copy: Path, now: datetime) -> Path | None:
        """Puts the copy in its place; gives where it is now, None where there was nothing. All of it, or nothing.

        Raises UpkeepError, OSError.
        """
        # To the microsecond: two restores within a second are two stores to keep.
        aside = self.file.with_name(f"{self.file.name}.replaced-{now:%Y%m%dT%H%M%S.%fZ}")
        if self.connection is not None:
            _overwritten(self.connection, copy, aside, self.file)
            return aside
        if not self.file.exists():
            archive.owned_as(copy, self.file.parent)
            self.file.hardlink_to(copy)  # never over one that a scan made meanwhile
            archive.synced(self.file.parent)
            return None
        archive.owned_as(copy, self.file)
        for end in _JOURNALS:
            beside = self.file.with_name(f"{self.file.name}{end}")
            if beside.exists():
                beside.replace(aside.with_name(f"{aside.name}{end}"))
        aside.hardlink_to(self.file)
        copy.replace(self.file)
        archive.synced(self.file.parent)
        return aside


@contextmanager
def held(file: Path) -> Iterator[Old]:
    """What is there, and nobody writes to it until the context ends.

    Raises UpkeepError where somebody else goes on writing, or has it open in a way that shuts us out.
    """
    if not file.exists():
        yield _nothing(file)
        return
    with closing(sqlite3.connect(file, timeout=_WAIT, isolation_level=None)) as connection:
        try:
            # In this mode the lock outlives its transaction, which a copy over the file could not be within.
            connection.execute("PRAGMA locking_mode = exclusive")
            connection.execute("BEGIN EXCLUSIVE")
            old = Old(file, connection, *_said(connection))
            connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            why = f"another process has it open (`fuser {file}` says which): try again when it has ended"
            said = why if "locked" in str(error) else str(error)
            raise UpkeepError(f"{file} cannot be replaced: {said}; nothing was restored") from None
        except sqlite3.DatabaseError:  # damaged
            connection.close()
            old = _nothing(file)
        yield old


def _nothing(file: Path) -> Old:
    return Old(file, None, Head(), 0)


def _said(connection: sqlite3.Connection) -> tuple[Head, int]:
    try:
        last = connection.execute("SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1").fetchone()
        (fence,) = connection.execute("SELECT max(fence) FROM leadership").fetchone()
    except sqlite3.OperationalError:  # no store of ours
        return Head(), 0
    return Head(*last) if last else Head(), fence or 0


def _overwritten(connection: sqlite3.Connection, copy: Path, aside: Path, file: Path) -> None:
    os.close(os.open(aside, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    try:
        with closing(sqlite3.connect(aside)) as kept:
            connection.backup(kept)
            kept.execute("PRAGMA journal_mode = delete")
        archive.owned_as(aside, file)
        archive.synced(aside)
        archive.synced(aside.parent)
        with closing(sqlite3.connect(copy)) as new:
            new.backup(connection)  # one transaction: whatever stops it leaves the old content
    except sqlite3.Error as error:
        aside.unlink()
        raise UpkeepError(f"{file} cannot be replaced: {error}; it is as it was") from None

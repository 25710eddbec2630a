"""Locks between processes: who is alive, and whose turn it is.

Hides that SQLite's are locks on files beside the database, which the kernel gives back when their holder dies, and
PostgreSQL's belong to a session, which the server ends when the connection does. Neither is inherited by a child.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from agent.store.database import Database, StoreError

_HELD = "SELECT pg_try_advisory_lock(:space, :lock)"
_WAITED = "SELECT pg_advisory_lock(:space, :lock)"


class StoreLock:
    """The lock that a daemon holds as long as it lives. Not for several threads.

    `database`: an open one, or SQLite's file, which may be damaged or lost.
    """

    def __init__(self, database: Database | Path, name: str = "lock") -> None:
        self._database = database
        self._name = name
        self._file: int | None = None
        self._session: Connection | None = None

    def acquire(self) -> bool:
        """Whether it is held now: taken if it is free, and still ours if it was; does not wait. Raises StoreError.

        On PostgreSQL a lock is lost with its connection: ask again from time to time.
        """
        at = self._database
        if isinstance(at, Path):
            return self._on_file(at)
        return self._on_server(at) if at.file is None else self._on_file(at.file)

    def release(self) -> None:
        """Gives it back; does nothing where it is not held."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if self._session is not None:
            _ended(self._session)
            self._session = None

    def _on_file(self, path: Path) -> bool:
        if self._file is not None:
            return True
        handle = _opened(path.with_name(f"{path.name}.{self._name}"))
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self._file = handle
        return True

    def _on_server(self, database: Database) -> bool:
        if self._session is not None:
            try:
                self._session.execute(text("SELECT 1"))
            except DBAPIError:
                self.release()
            else:
                return True
        session = _session(database)
        with database.errors():
            if session.scalar(text(_HELD), _numbers(session, self._name)):
                self._session = session
                return True
        _ended(session)
        return False


@contextmanager
def exclusive(database: Database, what: str) -> Iterator[None]:
    """One process, and one thread of it, at a time. Waits, however long. Raises StoreError."""
    path = database.file
    if path is not None:
        handle = _opened(path.with_name(f"{path.name}.{what}"))
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)
        return
    session = _session(database)
    try:
        with database.errors():
            session.execute(text(_WAITED), _numbers(session, what))
        yield
    finally:
        _ended(session)


def _opened(path: Path) -> int:
    """The file stays: one that is taken away while somebody waits for it is two locks."""
    try:
        handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        if os.geteuid() == 0:  # made by root, it must still be the service's own
            owner = path.parent.stat()
            os.fchown(handle, owner.st_uid, owner.st_gid)
        return handle
    except OSError as error:
        raise StoreError(f"store {path}: the lock beside the store cannot be opened: {error.strerror}") from None


def _session(database: Database) -> Connection:
    """A connection that is not the pool's, and waits for a lock as long as it takes."""
    with database.errors():
        session = database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        session.detach()
        session.execute(text("SET lock_timeout = 0"))
    return session


def _ended(session: Connection) -> None:
    with suppress(SQLAlchemyError):  # the server may have ended it, and the lock with it
        session.execute(text("SELECT pg_advisory_unlock_all()"))
    session.close()


def _numbers(session: Connection, what: str) -> dict[str, int]:
    """A server's locks are those of a whole database, and it may hold several stores in schemas of their own."""
    query = text("SELECT hashtext('driftwarden ' || current_schema()) AS space, hashtext(:what) AS lock")
    return dict(session.execute(query, {"what": what}).one()._mapping)

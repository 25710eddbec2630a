"""Locks between processes: who is alive, and whose turn it is.

Hides that SQLite's are locks on files beside the database, which the kernel gives back when their holder dies, and
PostgreSQL's belong to a session, which the server ends when the connection does. Neither is inherited by a child. And
that a leader waits for nobody who was started for an earlier one, who may be stopped and never give anything back.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from glob import escape
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from agent.store.database import Database, StoreError
from agent.store.turn import opened

_HELD = "SELECT pg_try_advisory_lock(:space, :lock)"
_SHARED = "SELECT pg_try_advisory_lock_shared(:space, :lock)"

LONGEST = 900.0
"""Seconds after which whoever waits for its turn says who is in the way. No scan takes so long for its last part."""
_PAUSE = 0.01


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
    """One process, and one thread of it, at a time. Waits for its turn; raises StoreError where it never comes.

    Processes with a fence have turns among those with the same one, and together against those without: what is left
    of an earlier leader keeps no later one waiting, and cannot write anyway.
    """
    fence = database.fence
    with ExitStack() as held:
        path = database.file
        took = _on_server(held, database) if path is None else _on_files(held, path)
        if fence is not None:
            if path is not None:
                _forget_earlier(path.with_name(f"{path.name}.{what}"), fence)
            _await(database, f"{what}.{fence}", took, shared=False)
        _await(database, what, took, shared=fence is not None)
        yield


_Took = Callable[[str, bool], bool]
"""Tries once to have the lock of a name, `True` shared with others → whether it is had now."""


def _await(database: Database, name: str, took: _Took, *, shared: bool) -> None:
    # Asked again and again: who waits in the server's own queue keeps those behind it waiting as well.
    deadline, pause = time.monotonic() + LONGEST, threading.Event()
    while not took(name, shared):
        if time.monotonic() >= deadline:
            held = f"fuser {database.file}.{name}" if database.file else "see pg_locks"
            raise StoreError(
                f"store {database.name}: another process has been writing a scan, or stands still in the middle of it, "
                f"for {LONGEST:.0f} s: end it ({held})"
            )
        pause.wait(_PAUSE)


def _on_files(held: ExitStack, path: Path) -> _Took:
    handles: dict[str, int] = {}

    def took(name: str, shared: bool) -> bool:
        if name not in handles:
            handles[name] = _opened(path.with_name(f"{path.name}.{name}"))
            held.callback(os.close, handles[name])
        try:
            fcntl.flock(handles[name], (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    return took


def _on_server(held: ExitStack, database: Database) -> _Took:
    session = _session(database)
    held.callback(_ended, session)

    def took(name: str, shared: bool) -> bool:
        with database.errors():
            query = text(_SHARED if shared else _HELD)
            return bool(session.scalar(query, _numbers(session, name)))

    return took


def _forget_earlier(path: Path, fence: int) -> None:
    """Takes away the files of earlier fences, once: whoever still waits for one of them may not write."""
    if path.with_name(f"{path.name}.{fence}").exists():
        return
    for file in path.parent.glob(f"{escape(path.name)}.*"):
        number = file.name.rpartition(".")[2]
        if number.isdecimal() and int(number) < fence:
            with suppress(OSError):
                file.unlink()


def _opened(path: Path) -> int:
    """The file stays: one that is taken away while somebody waits for it is two locks."""
    try:
        return opened(path)
    except OSError as error:
        raise StoreError(f"store {path}: the lock beside the store cannot be opened: {error.strerror}") from None


def _session(database: Database) -> Connection:
    """A connection that is not the pool's."""
    with database.errors():
        session = database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        session.detach()
    return session


def _ended(session: Connection) -> None:
    with suppress(SQLAlchemyError):  # the server may have ended it, and the lock with it
        session.execute(text("SELECT pg_advisory_unlock_all()"))
    session.close()


def _numbers(session: Connection, what: str) -> dict[str, int]:
    """A server's locks are those of a whole database, and it may hold several stores in schemas of their own."""
    query = text("SELECT hashtext('driftwarden ' || current_schema()) AS space, hashtext(:what) AS lock")
    return dict(session.execute(query, {"what": what}).one()._mapping)

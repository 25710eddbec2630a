"""One database by URL: SQLite by default, PostgreSQL where several machines share a store.

Hides drivers, how each engine must be set to keep what it was given, when a writer takes its lock, and file modes.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import URL, ColumnElement, Connection, Engine, Select, create_engine, event, make_url, select, text
from sqlalchemy.exc import ArgumentError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from agent.store import schema, versions
from agent.store.turn import Turn

WAIT_MS = 30_000
"""How long a writer waits for another one."""
IDLE_MS = 60_000
"""How long a transaction may do nothing; PostgreSQL ends it then."""
WAL_SAFE = (3, 51, 3)
"""First SQLite without the WAL-reset bug, which corrupts a database two connections write to
(https://sqlite.org/wal.html#walresetbug)."""

_ADVICE = {
    "database or disk is full": "nothing was written; make room where the store is, and it goes on by itself",
    "disk I/O error": "nothing was written; the disk is full, read-only or broken: see the system's log",
    "readonly database": "its file or folder may not be written by this user, or the file system is read-only",
    "unable to open database file": "its file or folder may not be written by this user, or the disk is full",
    "database is locked": f"another process has been writing for {WAIT_MS // 1000} s: see what has it open (fuser)",
    "malformed": "it is damaged: stop driftwarden, and restore a backup (`driftwarden db restore`)",
    "No space left on device": "nothing was written; make room where the server keeps its data",
}
"""What a driver says → what to do."""
_AT_ONCE = 1_000
_SCHEMA_LOCK = 0x44726674
_WRITES = "driftwarden_writes"
_MAKING = threading.Lock()


class StoreError(Exception):
    """The store cannot be opened, read or written; the message says which one, why, and what would be right."""


class Fenced(StoreError):  # noqa: N818 - it says what this process is
    """Another process leads this store now: nothing was written, and nothing more may be."""


@dataclass(frozen=True, slots=True)
class Database:
    """An open database. Safe to share between threads, not across a fork."""

    engine: Engine
    name: str
    """Its URL without the password."""
    turn: Callable[[], AbstractContextManager[None]]
    """Held while something is written: SQLite's own waiting polls ever more seldom, and starves who came first."""
    fence: int | None = None
    """The number that must still be the leader's for anything to be written; None: whoever leads."""

    @property
    def file(self) -> Path | None:
        """SQLite's file; None on PostgreSQL."""
        on_file = self.engine.dialect.name == "sqlite"
        return Path(self.engine.url.database or "") if on_file else None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads. Raises StoreError."""
        with self.errors(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that holds SQLite's write lock from its start: it never has to give up half-way.

        All of it is kept, or on any exception nothing. Raises StoreError, and Fenced where another leads.
        """
        writer = self.engine.execution_options(**{_WRITES: True})
        with self.errors(), self.turn(), writer.connect() as connection, connection.begin():
            self._check(connection)
            yield connection

    def _check(self, connection: Connection) -> None:
        """That the fence holds, and will until the transaction ends: on PostgreSQL its row is held."""
        if self.fence is None:
            return
        query = select(schema.leadership.c.fence).with_for_update(read=True, key_share=True)
        leads = connection.scalar(query)
        if leads != self.fence:
            raise Fenced(
                f"store {self.name}: this process wrote under number {self.fence}, and now {leads or 'nobody'} leads: "
                "another daemon took over; stop this one"
            )

    @contextmanager
    def errors(self) -> Iterator[None]:
        """What the driver raises comes out as StoreError."""
        try:
            yield
        except (StatementError, PoolTimeoutError) as error:
            raise StoreError(f"store {self.name}: {_reason(error)}") from error


def open_database(url: str, fence: int | None = None) -> Database:
    """The database at the URL (`sqlite:///path`, `postgresql://…`), its schema created if it is empty.

    With a `fence` it takes writes only as long as that number leads.

    Raises StoreError: the URL is no store, the database cannot be reached, belongs to another program or another
    version of this one.
    """
    parsed = _parsed(url)
    on_file = parsed.get_backend_name() == "sqlite"
    if on_file:
        _make_file(Path(parsed.database or ""))
    database = Database(
        engine=_engine(parsed, on_file),
        name=_named(parsed),
        turn=Turn(Path(parsed.database or "")).taken if on_file else nullcontext,
    )
    try:
        _ensure_schema(database)
    except StoreError:
        database.engine.dispose()
        raise
    return replace(database, fence=fence)


def version_of(url: str) -> int | None:
    """Version of the schema of the store at the URL, which is left as it is; None: there is none yet.

    Raises StoreError.
    """
    parsed = _parsed(url)
    on_file = parsed.get_backend_name() == "sqlite"
    if on_file and not Path(parsed.database or "").exists():
        return None
    database = Database(_engine(parsed, on_file), _named(parsed), nullcontext)
    try:
        with database.read() as connection:
            return versions.found(connection)
    except LookupError as error:
        raise StoreError(f"store {database.name}: {error}; give driftwarden a database of its own") from None
    finally:
        database.engine.dispose()


def journal_mode(version: tuple[int, int, int]) -> str:
    """Journal mode for a SQLite library version: WAL only where it is safe."""
    return "wal" if version >= WAL_SAFE else "truncate"


def fetch_in(
    connection: Connection, query: Select[Any], column: ColumnElement[Any], values: Iterable[Any]
) -> list[Any]:
    """Rows of the query whose column is one of the values, however many values there are."""
    wanted = list(values)
    rows: list[Any] = []
    for start in range(0, len(wanted), _AT_ONCE):
        rows += connection.execute(query.where(column.in_(wanted[start : start + _AT_ONCE]))).all()
    return rows


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        # The text is not repeated: it may hold a password.
        raise StoreError("store: not a URL; use sqlite:///path/to/file or postgresql://user@host/database") from None
    if parsed.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername != "sqlite":
        raise StoreError(f"store: {parsed.drivername}:// is not supported; use sqlite:///path or postgresql://…")
    if parsed.host or parsed.query or parsed.database in (None, "", ":memory:"):
        raise StoreError("store: SQLite needs a file and nothing else: sqlite:///relative/path or sqlite:////absolute")
    return parsed


def _named(url: URL) -> str:
    return url.render_as_string(hide_password=True).replace("+psycopg", "", 1)


def _make_file(path: Path) -> None:
    """The file belongs to its owner alone; SQLite gives its journal the same mode.

    One that is there is not opened: to close it would drop every lock that SQLite holds on it in this process
    (https://sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_).
    """
    at_last = Path(os.path.realpath(path))  # O_EXCL follows no link
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _MAKING, suppress(FileExistsError):  # nobody else of this process has it open yet
            os.close(os.open(at_last, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreError(f"store {path}: {error.strerror}") from None


def _engine(url: URL, on_file: bool) -> Engine:
    try:
        # Parameters hold what the estate holds; they stay out of error messages.
        engine = create_engine(url, hide_parameters=True, pool_pre_ping=not on_file)
    except ModuleNotFoundError as error:
        raise StoreError(
            f"store: PostgreSQL needs the package {error.name}: pip install 'driftwarden[postgres]'"
        ) from None
    if on_file:
        event.listen(engine, "connect", _set_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        event.listen(engine, "connect", _set_postgresql)
    return engine


def _set_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # The driver's own transactions begin too late: at the first write, after what it was decided on was read.
    connection.isolation_level = None
    mode = journal_mode(sqlite3.sqlite_version_info)
    for setting in (
        f"busy_timeout = {WAIT_MS}",
        "synchronous = FULL",
        "foreign_keys = ON",
        "trusted_schema = OFF",
        # Memory-mapped pages made the WAL-reset bug worse, and turn an I/O error into a crash.
        "mmap_size = 0",
    ):
        connection.execute(f"PRAGMA {setting}")
    (got,) = connection.execute(f"PRAGMA journal_mode = {mode}").fetchone()
    if got != mode:
        raise sqlite3.OperationalError(
            f"journal mode is {got}, must be {mode} for SQLite {sqlite3.sqlite_version}: stop what else has it open"
        )


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _set_postgresql(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = {WAIT_MS}")
        # A process that was stopped half-way must not keep the next leader from taking over.
        cursor.execute(f"SET idle_in_transaction_session_timeout = {IDLE_MS}")
        # A server may be set to answer before the disk has it; evidence may not.
        cursor.execute("SET synchronous_commit = on")
    connection.commit()


def _ensure_schema(database: Database) -> None:
    try:
        with database.read() as connection:
            version = versions.found(connection)
        if version is None or 0 < version < schema.VERSION:
            version = _brought_up(database)
    except LookupError as error:
        raise StoreError(f"store {database.name}: {error}; give driftwarden a database of its own") from None
    if version != schema.VERSION:
        raise StoreError(
            f"store {database.name}: its schema is version {version}, this driftwarden knows version "
            f"{schema.VERSION}: use the driftwarden that wrote it, or another store"
        )


def _brought_up(database: Database) -> int:
    """The schema's version, after creating or upgrading it unless another process was first."""
    with database.write() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _SCHEMA_LOCK})
        version = versions.found(connection)
        if version is None:
            versions.create(connection)
        elif 0 < version < schema.VERSION:
            if database.file is not None:
                _set_aside(database.file, version)
            versions.upgrade(connection, version)
        else:
            return version
        return schema.VERSION


def _set_aside(file: Path, version: int) -> None:
    """A copy of the store as it is before an upgrade: what an older driftwarden goes back to.

    Raises StoreError where there is no room for it: then nothing is upgraded.
    """
    copy = file.with_name(f"{file.name}.version-{version}")
    partial = file.with_name(f"{copy.name}.partial")
    try:
        os.close(os.open(partial, os.O_CREAT | os.O_TRUNC | os.O_RDWR | os.O_CLOEXEC, 0o600))
        with closing(sqlite3.connect(file)) as old, closing(sqlite3.connect(partial)) as new:
            old.backup(new)
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.rename(copy)
    except (sqlite3.Error, OSError) as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise StoreError(
            f"store {file}: its schema is version {version}, and it cannot be copied before it is brought up to "
            f"{schema.VERSION}: {error}; make room beside it. Nothing was changed"
        ) from None


def _reason(error: StatementError | PoolTimeoutError) -> str:
    """First line of what the driver says, and what to do; further lines of PostgreSQL quote the data."""
    said = error.orig if isinstance(error, StatementError) and error.orig else error
    line = (str(said).strip() or type(said).__name__).splitlines()[0]
    return line + next((f": {advice}" for text, advice in _ADVICE.items() if text in line), "")

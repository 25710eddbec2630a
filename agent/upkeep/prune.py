"""What is kept longer than `[retention]` asks is dropped: work, and documents of scans. Never evidence.

Hides how it is done beside everything else that writes: what is old is looked for without the store's lock, which most
of the work is, and dropped in small transactions, each of which may be the last.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Delete,
    Table,
    Update,
    delete,
    exists,
    func,
    not_,
    or_,
    select,
    update,
)

from agent.config import Config, duration
from agent.store import Store, StoreError, StoreLock, schema

_AT_ONCE = 500
_PAGES = ("freelist_count", "page_count")
_WORTH = 4
"""Where a quarter of the pages is free."""

_scans, _units, _outbox = schema.scans, schema.units, schema.outbox
_looks, _jobs, _verdicts, _states = schema.looks, schema.jobs, schema.verdicts, schema.states


@dataclass(frozen=True, slots=True)
class Pruned:
    """How much was dropped."""

    units: int = 0
    deliveries: int = 0
    documents: int = 0
    scans: int = 0
    """Scans of less than the whole estate that left nothing behind."""
    others: int = 0
    """Looks, and jobs that are no more."""


def prune(config: Config, store: Store, now: datetime) -> Pruned:
    """Drops what is older than `[retention] work` and `[retention] scans`. Raises StoreError; what was dropped before
    it stays dropped, and the next run goes on."""
    work, documents = now - duration(config.retention.work), now - duration(config.retention.scans)
    its_scan = _scans.alias()
    old_scan = exists().where(its_scan.c.run_id == _units.c.run_id, its_scan.c.started_at < work)
    last_seen = func.coalesce(_jobs.c.ended_at, _jobs.c.began_at, _jobs.c.due_at)
    dropped = Pruned(
        units=_dropped(store, _units, _units.c.id, old_scan),
        deliveries=_dropped(store, _outbox, _outbox.c.id, _outbox.c.state == "sent", _outbox.c.created_at < work),
        documents=_documents(store, work, documents),
        scans=_dropped(store, _scans, _scans.c.run_id, _scans.c.started_at < documents, _left_nothing()),
        others=_dropped(store, _looks, _looks.c.key_sha256, _looks.c.read_at < work)
        + _dropped(store, _jobs, _jobs.c.name, last_seen < work, or_(_jobs.c.due_at.is_(None), _jobs.c.due_at < work)),
    )
    if dropped.documents:
        store.scans.drop_loose_pieces()
    return dropped


def compacted(store: Store) -> int:
    """Gives SQLite's free pages back to the disk where that is worth the time; how many bytes. Not while a daemon runs:
    nobody writes until it is done. Raises StoreError."""
    file, lock = store.database.file, StoreLock(store.database)
    if file is None or not lock.acquire():
        return 0
    try:
        before = file.stat().st_size
        with store.database.read() as connection:
            free, pages = (connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in _PAGES)
        if free * _WORTH < pages:
            return 0
        with closing(sqlite3.connect(file, timeout=30, isolation_level=None)) as connection:
            connection.execute("VACUUM")
        return before - file.stat().st_size
    except sqlite3.Error as error:
        raise StoreError(f"store {file}: its free pages are not given back, nothing is lost: {error}") from None
    finally:
        lock.release()


def _documents(store: Store, work: datetime, documents: datetime) -> int:
    """Those of looks are many and say little; that of the last whole scan stays, however old it is."""
    last = next((one.run_id for one in store.scans.last(1, "whole", ended=True)), "")
    old = or_(_scans.c.finished_at < documents, (_scans.c.kind != "whole") & (_scans.c.finished_at < work))
    old_one = (_scans.c.document.is_not(None), old, _scans.c.run_id != last)

    return _in_steps(store, _scans.c.run_id, old_one, update(_scans).values(document=None))


def _left_nothing() -> ColumnElement[bool]:
    """No evidence names the scan, and it was not of the whole estate."""
    named = [exists().where(table.c.run_id == _scans.c.run_id) for table in (_verdicts, _states, _units)]
    return not_(or_(_scans.c.kind == "whole", *named))


def _dropped(store: Store, table: Table, key: Column[Any], *old: ColumnElement[bool]) -> int:
    return _in_steps(store, key, old, delete(table))


def _in_steps(store: Store, key: Column[Any], old: tuple[ColumnElement[bool], ...], act: Delete | Update) -> int:
    """Acts on the rows that are `old`, in the order of their key: what stays is looked at once. How many there were."""
    total, after = 0, None
    while True:
        some = select(key).where(*old).order_by(key).limit(_AT_ONCE)
        with store.database.read() as connection:
            ids = connection.execute(some if after is None else some.where(key > after)).scalars().all()
        if ids:
            with store.database.write() as connection:
                # Somebody may have come to need one since: a job is due again.
                total += connection.execute(act.where(key.in_(ids), *old)).rowcount
            after = ids[-1]
        if len(ids) < _AT_ONCE:
            return total

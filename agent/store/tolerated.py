"""How often each exception and baseline entry was needed, and when last: those that are not are to be taken away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from agent.model import Hit
from agent.store import schema
from agent.store.database import Database, fetch_in

_hits = schema.tolerated_hits


@dataclass(frozen=True, slots=True)
class Use:
    """How one entry was used."""

    first_seen: datetime
    last_seen: datetime
    count: int
    """Scans in which it covered something."""


@dataclass(frozen=True, slots=True)
class Uses:
    """The use of what is tolerated, in one store."""

    database: Database

    def counts(self) -> Mapping[str, Use]:
        """Use by the id of an exception or baseline entry; one that never covered anything is not in it."""
        with self.database.read() as connection:
            rows = connection.execute(select(_hits)).all()
        return {row.id: Use(row.first_seen, row.last_seen, _count(row)) for row in rows}


def record(connection: Connection, hits: Iterable[Hit], at: datetime) -> None:
    """Counts one scan's hits: an entry once, however much it covered; a scan that is recorded again counts once."""
    ids = sorted({hit.id for hit in hits})
    known = {row.id: row for row in fetch_in(connection, select(_hits), _hits.c.id, ids)}
    new = [{"id": one, "first_seen": at, "last_seen": at, "count": 1} for one in ids if one not in known]
    again = [
        {"its_id": one, "last_seen": at, "count": _count(known[one]) + 1}
        for one in ids
        if one in known and known[one].last_seen < at
    ]
    if new:
        connection.execute(_hits.insert(), new)
    if again:
        connection.execute(update(_hits).where(_hits.c.id == bindparam("its_id")), again)


def _count(row: Any) -> int:
    """The column: a row is a tuple, whose own `count` hides it."""
    return int(row._mapping["count"])

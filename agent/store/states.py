"""Terraform states as scans read them: the last reading of each stack's in full, the earlier ones as its history.

Hides that a state which did not move is one row, however often it is read, and that only the last row of a stack still
knows its addresses: an estate has tens of thousands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from agent.model import StateRead
from agent.store import schema
from agent.store.codec import decode, digest, encode
from agent.store.database import Database, fetch_in

_states = schema.states


@dataclass(frozen=True, slots=True)
class States:
    """The states of one store."""

    database: Database

    def last(self) -> Mapping[str, StateRead]:
        """Stack → its state as it was last read; `read_at` is the last time it was found so."""
        return {read.stack: read for read in self._reads(select(_states).where(_states.c.current == 1))}

    def history(self, since: datetime) -> tuple[StateRead, ...]:
        """Every state that a scan found at `since` or later, oldest first; `read_at` is the first time.

        Without addresses, keys and names.
        """
        query = select(_states).where(_states.c.last_read >= since).order_by(_states.c.first_read, _states.c.id)
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        return tuple(replace(_light(_read(row)), read_at=row.first_read) for row in rows)

    def _reads(self, query: Any) -> list[StateRead]:
        with self.database.read() as connection:
            rows = connection.execute(query.order_by(_states.c.stack)).all()
        return [replace(_read(row), read_at=row.last_read) for row in rows]


def keep(connection: Connection, run_id: str, at: datetime, reads: Iterable[StateRead]) -> None:
    """Makes these the last readings of their stacks. One that found what the last did only says when."""
    found = {read.stack: read for read in reads}
    query = select(_states).where(_states.c.current == 1)
    rows = {row.stack: row for row in fetch_in(connection, query, _states.c.stack, found)}
    again, replaced, new = [], [], []
    for stack, read in found.items():
        body = encode(replace(read, read_at=None))
        row, when = rows.get(stack), read.read_at or at
        if row is not None and row.body_sha256 == digest(body):
            again.append({"its_id": row.id, "last_read": when})
            continue
        if row is not None:
            light = encode(_light(_read(row)))
            replaced.append({"its_id": row.id, "current": 0, "body": light.encode(), "body_sha256": digest(light)})
        new.append(
            {
                "run_id": run_id,
                "stack": stack,
                "current": 1,
                "first_read": when,
                "last_read": when,
                "body_sha256": digest(body),
                "body": body.encode(),
            }
        )
    for changed in (again, replaced):
        if changed:
            connection.execute(update(_states).where(_states.c.id == bindparam("its_id")), changed)
    if new:
        connection.execute(_states.insert(), new)


def _read(row: Any) -> StateRead:
    return decode(StateRead, row.body.decode())


def _light(read: StateRead) -> StateRead:
    return replace(read, addresses={}, keys={}, names={}, reread=())

"""Resources as last accepted: the reference for what the configuration does not set.

Hides that a reading may be accepted again and again with the same value: since when that value holds, and why it was
accepted then, is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update

from agent.model import Key
from agent.store import schema
from agent.store.codec import decode, digest, encode
from agent.store.database import Database, fetch_in

_readings = schema.readings


@dataclass(frozen=True, slots=True)
class Reading:
    """The live attributes of one resource, as accepted."""

    key: Key
    attributes: Mapping[str, Any]
    accepted_at: datetime
    """When last."""
    why: str
    """Reason this value was first accepted: an authorised change, the baseline, no drift."""
    since: datetime | None = None
    """When this value was first accepted; filled by the store."""


@dataclass(frozen=True, slots=True)
class Readings:
    """The accepted readings of one store."""

    database: Database
    _kept: dict[str, tuple[Any, Reading]] = field(default_factory=dict, repr=False, compare=False)
    """As last read, each with what tells it from a later one."""

    def accepted(self) -> Mapping[Key, Reading]:
        """The last accepted reading of every resource that has one."""
        stamps = select(_readings.c.key_sha256, _readings.c.attributes_sha256, _readings.c.accepted_at)
        with self.database.read() as connection:
            now = {row[0]: tuple(row) for row in connection.execute(stamps.order_by(_readings.c.key))}
            # A process that looks again and again reads only what moved.
            kept = {its: one for its, one in self._kept.items() if its in now and one[0] == now[its]}
            moved = now.keys() - kept.keys()
            several = fetch_in(connection, select(_readings), _readings.c.key_sha256, moved) if kept else None
            rows = connection.execute(select(_readings)) if several is None else several
            kept |= {row.key_sha256: (now[row.key_sha256], _reading(row)) for row in rows if row.key_sha256 in moved}
        self._kept.clear()
        self._kept.update(kept)
        return {kept[its][1].key: kept[its][1] for its in now if its in kept}


def _reading(row: Any) -> Reading:
    return Reading(decode(Key, row.key), decode(dict, row.attributes), row.accepted_at, row.why, row.since)


def accept(connection: Connection, readings: Iterable[Reading]) -> None:
    """Makes these the last accepted readings of their resources."""
    rows = {row["key_sha256"]: row for row in map(_row, readings)}
    query = select(_readings.c.key_sha256, _readings.c.attributes_sha256)
    known = {row[0]: row[1] for row in fetch_in(connection, query, _readings.c.key_sha256, rows)}
    new, same, other = [], [], []
    for its_key, row in rows.items():
        if its_key not in known:
            new.append(row)
        elif known[its_key] == row["attributes_sha256"]:
            same.append({"its_key": its_key, "accepted_at": row["accepted_at"]})
        else:
            other.append({"its_key": its_key, **row})
    if new:
        connection.execute(_readings.insert(), new)
    for changed in (same, other):
        if changed:
            connection.execute(update(_readings).where(_readings.c.key_sha256 == bindparam("its_key")), changed)


def forget(connection: Connection, keys: Iterable[Key]) -> None:
    """Drops the readings of resources that are gone with authority."""
    gone = [{"its_key": digest(encode(key))} for key in keys]
    if gone:
        connection.execute(delete(_readings).where(_readings.c.key_sha256 == bindparam("its_key")), gone)


def _row(reading: Reading) -> dict[str, Any]:
    key, attributes = encode(reading.key), encode(reading.attributes)
    return {
        "key_sha256": digest(key),
        "key": key,
        "attributes": attributes,
        "attributes_sha256": digest(attributes),
        "since": reading.accepted_at,
        "accepted_at": reading.accepted_at,
        "why": reading.why,
    }

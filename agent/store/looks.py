"""What scans of less than the whole estate looked at, and when.

A scan of the whole estate reads for minutes. What another read meanwhile is newer than what it has, and is left to the
other. Hides that of each resource only the last look is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from agent.model import Key
from agent.store import schema
from agent.store.codec import decode, digest, encode
from agent.store.database import Database, fetch_in

_looks = schema.looks


@dataclass(frozen=True, slots=True)
class Looks:
    """The looks of one store."""

    database: Database

    def since(self, at: datetime, until: datetime) -> frozenset[Key]:
        """What was looked at then or later; what was after `until`, which is now, a clock that was wrong wrote."""
        wanted = select(_looks.c.key).where(_looks.c.read_at >= at, _looks.c.read_at <= until)
        with self.database.read() as connection:
            rows = connection.execute(wanted).all()
        return frozenset(decode(Key, row.key) for row in rows)


def record(connection: Connection, keys: Iterable[Key], at: datetime, now: datetime) -> None:
    """Keeps that these were looked at, in the caller's transaction; a later look is not made earlier, unless it is one
    of a clock that was ahead."""
    texts = {digest(text): text for text in map(encode, keys)}
    query = select(_looks.c.key_sha256, _looks.c.read_at)
    known = {row[0]: row[1] for row in fetch_in(connection, query, _looks.c.key_sha256, texts)}
    new = [{"key_sha256": its, "key": text, "read_at": at} for its, text in texts.items() if its not in known]
    later = [{"its_key": its, "read_at": at} for its in texts if its in known and not at <= known[its] <= now]
    if new:
        connection.execute(_looks.insert(), new)
    if later:
        connection.execute(update(_looks).where(_looks.c.key_sha256 == bindparam("its_key")), later)

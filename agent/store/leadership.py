"""Who leads: the one process whose writes count, by a number that only ever grows.

Hides how one row says it. A lock tells who is alive, the fence who may write, and the beats that one who holds the
lock still does anything: a process that was stopped keeps its lock, but does not beat.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select, text, update

from agent.store import schema
from agent.store.database import Database

_leadership = schema.leadership
_TAKE_LOCK = 0x44726676


@dataclass(frozen=True, slots=True)
class Leader:
    """Who took the lead last."""

    fence: int
    owner: str
    since: datetime
    beat: int
    """How often it said since that it is there. Whether it grows is told by the observer's own clock."""


@dataclass(frozen=True, slots=True)
class Leadership:
    """The leadership of one store."""

    database: Database

    def take(self, owner: str, now: datetime, *, above: int = 0) -> int:
        """Makes `owner` the leader, whoever led before; gives its fence. Waits for what is being written.

        `above`: a fence of another store that this one takes the place of; the new one is higher.
        """
        with self._anyones().write() as connection:
            if connection.dialect.name == "postgresql":  # there may be no row yet that could be held
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _TAKE_LOCK})
            last: int | None = connection.scalar(select(_leadership.c.fence).with_for_update())
            fence = max(last or 0, above) + 1
            values = {"fence": fence, "owner": owner, "since": now, "beat": 0}
            connection.execute(_leadership.insert() if last is None else update(_leadership), values)
        return fence

    def beat(self, fence: int) -> bool:
        """Says that the leader is there, and proves that the store takes writes. False: another leads."""
        with self._anyones().write() as connection:
            its_own = update(_leadership).where(_leadership.c.fence == fence)
            return connection.execute(its_own.values(beat=_leadership.c.beat + 1)).rowcount == 1

    def seen(self) -> Leader | None:
        """Who leads; None where nobody ever did."""
        with self.database.read() as connection:
            row = connection.execute(select(_leadership)).one_or_none()
        return None if row is None else Leader(row.fence, row.owner, row.since, row.beat)

    def _anyones(self) -> Database:
        """The database without this process's own fence, which is what is asked about."""
        return replace(self.database, fence=None)

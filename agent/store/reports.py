"""Reports that were made: their figures as they were then, so that trends can be drawn again, and when each was sent.

Hides that making a report again replaces it, and that the ledger says each time what was made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from agent.store import ledger, schema
from agent.store.codec import decode, encode
from agent.store.database import Database

_reports = schema.reports


@dataclass(frozen=True, slots=True)
class Made:
    """One report."""

    id: str
    """The same for the same kind and time."""
    kind: str
    """`weekly`."""
    begins: datetime
    ends: datetime
    made_at: datetime
    sha256: str
    """Of what it says."""
    figures: Mapping[str, Any]
    sent_at: datetime | None = None
    """None: not sent."""


@dataclass(frozen=True, slots=True)
class Reports:
    """The reports of one store."""

    database: Database

    def keep(self, made: Made) -> None:
        """Keeps it, in place of one with its id. Of one that was sent and says the same, that is not forgotten."""
        row = {
            "kind": made.kind,
            "begins": made.begins,
            "ends": made.ends,
            "made_at": made.made_at,
            "sha256": made.sha256,
            "figures": encode(made.figures).encode(),
            "sent_at": made.sent_at,
        }
        body = {"report": made.id, "sha256": made.sha256}
        with self.database.write() as connection:
            ledger.lock(connection)
            query = select(_reports.c.sha256, _reports.c.sent_at).where(_reports.c.id == made.id)
            before = connection.execute(query).one_or_none()
            if before is None:
                connection.execute(_reports.insert(), {"id": made.id, **row})
            else:
                same = before.sha256 == made.sha256
                row["sent_at"] = made.sent_at or (before.sent_at if same else None)
                connection.execute(update(_reports).where(_reports.c.id == made.id).values(row))
            if before is None or before.sha256 != made.sha256:
                ledger.append(connection, [("report.made", body)], made.made_at)

    def last(self, kind: str, n: int = 1) -> tuple[Made, ...]:
        """The newest of a kind by the time they are about, newest first."""
        query = select(_reports).where(_reports.c.kind == kind).order_by(_reports.c.ends.desc(), _reports.c.id.desc())
        with self.database.read() as connection:
            rows = connection.execute(query.limit(n)).all()
        return tuple(Made(**{**row._mapping, "figures": decode(dict, row.figures)}) for row in rows)

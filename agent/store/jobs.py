"""What runs by schedule: when each job is next due, how it last went, and how often it did.

Hides that a job is a row from the first time anything is said of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, select, update

from agent.store import schema
from agent.store.database import Database

JobStatus = Literal["ok", "failed"]

_jobs = schema.jobs
_LONGEST = 2_000


@dataclass(frozen=True, slots=True)
class Job:
    """One job, by its name."""

    name: str
    due_at: datetime | None
    """When it is next due; None: never said."""
    began_at: datetime | None
    ended_at: datetime | None
    """When it last ended; earlier than `began_at`, or None: it runs, or it died."""
    succeeded_at: datetime | None
    status: JobStatus | None
    """How it last ended; None: never."""
    error: str
    """Why it failed; empty where it did not."""
    runs: int
    """How often it ended, ever."""
    failures: int
    """How often it failed, ever."""


@dataclass(frozen=True, slots=True)
class Jobs:
    """The jobs of one store."""

    database: Database

    def all(self) -> Mapping[str, Job]:
        """Every job there ever was, by name."""
        with self.database.read() as connection:
            rows = connection.execute(select(_jobs).order_by(_jobs.c.name)).all()
        return {row.name: Job(**{**row._mapping, "status": row.status or None}) for row in rows}

    def due(self, name: str, at: datetime | None) -> None:
        """When it is next due; None: not any more."""
        with self.database.write() as connection:
            _change(connection, name, {"due_at": at})

    def began(self, name: str, at: datetime) -> None:
        """It has begun."""
        with self.database.write() as connection:
            _change(connection, name, {"began_at": at})

    def ended(self, name: str, at: datetime, status: JobStatus, error: str = "") -> None:
        """It has ended; `error` says why it failed."""
        well = status == "ok"
        values: dict[str, Any] = {
            "ended_at": at,
            "status": status,
            "error": "" if well else error[:_LONGEST],
            "runs": _jobs.c.runs + 1,
            "failures": _jobs.c.failures + (0 if well else 1),
        }
        if well:
            values["succeeded_at"] = at
        with self.database.write() as connection:
            _change(connection, name, values)


def _change(connection: Connection, name: str, values: Mapping[str, Any]) -> None:
    if connection.scalar(select(_jobs.c.name).where(_jobs.c.name == name)) is None:
        connection.execute(_jobs.insert(), {"name": name, "status": "", "error": "", "runs": 0, "failures": 0})
    connection.execute(update(_jobs).where(_jobs.c.name == name).values(values))

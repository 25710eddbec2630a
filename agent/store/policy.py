"""The files that verdicts rest on, as scans found them: rules, exceptions, baseline, pre-approved changes, settings.

Hides that nothing is ever overwritten: the newest row of a path is what is known of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from agent.store import schema
from agent.store.database import Database

_files = schema.policy_files


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """One file that is not as the last scan found it."""

    path: str
    """Relative to the configuration."""
    sha256: str
    """Empty: it is gone."""
    commit: str = ""
    author: str = ""


@dataclass(frozen=True, slots=True)
class PolicyFiles:
    """The policy files of one store."""

    database: Database

    def known(self) -> Mapping[str, str]:
        """Path → digest of each file that was there when last looked at."""
        newest = select(func.max(_files.c.id)).group_by(_files.c.path)
        query = select(_files.c.path, _files.c.sha256).where(_files.c.id.in_(newest))
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        return {row.path: row.sha256 for row in rows if row.sha256}

    def seen(self) -> Mapping[str, tuple[str, datetime]]:
        """Path → digest of each file that was there when last looked at, and since when it is known with that content.

        A content that came back is known since it came back.
        """
        newest = select(func.max(_files.c.id)).group_by(_files.c.path)
        query = select(_files.c.path, _files.c.sha256, _files.c.seen_at).where(_files.c.id.in_(newest))
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        return {row.path: (row.sha256, row.seen_at) for row in rows if row.sha256}

    def begun(self) -> datetime | None:
        """When the first scan looked, which found every file new; None before it."""
        first = select(_files.c.seen_at).order_by(_files.c.id).limit(1)
        with self.database.read() as connection:
            at: datetime | None = connection.scalar(first)
        return at


def record(connection: Connection, found: Iterable[PolicyFile], at: datetime) -> None:
    """Keeps what is new of the files, in the caller's transaction."""
    rows = [
        {"path": one.path, "sha256": one.sha256, "commit_id": one.commit, "author": one.author, "seen_at": at}
        for one in found
    ]
    if rows:
        connection.execute(_files.insert(), rows)

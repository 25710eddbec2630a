"""When scans were planned: the schedule in force at each time, so that a past week is held against its own.

Hides that it is kept among the settings, which are only ever added to, and when that is.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import select

from agent.store import schema
from agent.store.declarations import Settings
from agent.store.ledger import canonical

NAME = "schedule"
"""Under which the store keeps it."""
_settings = schema.settings


@dataclass(frozen=True, slots=True)
class Schedule:
    """What `[schedule]` says of the scans whose absence is told."""

    scan: str
    """Of the whole estate; empty: never."""
    trail: str
    timezone: str


def note(settings: Settings, schedule: Schedule, now: datetime) -> None:
    """Keeps the schedule, from `now` on, where it is another than the one before, and tells the ledger.

    Raises StoreError.
    """
    body = canonical(asdict(schedule))
    last = settings.last(NAME)
    if last is not None and last.body == body:
        return
    kind = "schedule.begun" if last is None else "schedule.changed"
    event = {"sha256": hashlib.sha256(body.encode()).hexdigest(), "schedule": asdict(schedule)}
    settings.keep(NAME, body, now, [(kind, event)])


def noted(settings: Settings) -> tuple[tuple[datetime, Schedule], ...]:
    """Since when which schedule was in force, oldest first. Raises StoreError."""
    query = select(_settings.c.at, _settings.c.body).where(_settings.c.name == NAME).order_by(_settings.c.seq)
    with settings.database.read() as connection:
        rows = connection.execute(query).all()
    return tuple((row.at, Schedule(**json.loads(row.body))) for row in rows)

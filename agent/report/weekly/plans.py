"""How many looks were planned in a stretch of time, by the schedule that was in force then, not by the one of today.

Hides how a schedule becomes a number of scans that should have been, and what is taken for a time of which no schedule
was kept: the first that was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

from agent.config import Config
from agent.cron import when
from agent.report.weekly.records import Records
from agent.store.schedules import Schedule, noted


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time with one schedule."""

    begins: datetime
    until: datetime
    schedule: str
    due: int
    """How many times something was due in it."""
    longest: timedelta | None
    """Between two times that it was due; None: it was not."""


def stretches(
    config: Config, records: Records, begins: datetime, until: datetime, which: Literal["scan", "trail"] = "scan"
) -> tuple[Stretch, ...]:
    """The schedules of [begins, until), in their order; at least one. Raises StoreError."""
    known = noted(records.store.settings)
    today = Schedule(config.schedule.scan, config.schedule.trail, config.schedule.timezone)
    first = known[0][1] if known else today
    parts = [(begins, first)]
    for at, schedule in known:
        if at <= begins:
            parts[0] = (begins, schedule)
        elif at < until:
            parts.append((at, schedule))
    return tuple(_stretches(parts, until, which))


def _stretches(parts: list[tuple[datetime, Schedule]], until: datetime, which: str) -> Iterator[Stretch]:
    said = [(at, getattr(one, which), one.timezone) for at, one in parts]
    new = [one for number, one in enumerate(said) if not number or one[1:] != said[number - 1][1:]]
    for (at, schedule, zone), (end, _, _) in pairwise([*new, (until, "", "")]):
        yield Stretch(at, end, schedule, *plan(schedule, zone, at, end))


def plan(schedule: str, zone: str, begins: datetime, until: datetime) -> tuple[int, timedelta | None]:
    """How many times something was due in [begins, until), and the longest time between two of them; None: unknown."""
    due = when(schedule, zone)
    if due is None:
        return 0, None
    count, longest = 0, timedelta()
    before = due.after(begins - timedelta(seconds=1))
    while before < until:
        count += 1
        following = due.after(before)
        longest = max(longest, following - before)
        before = following
    return count, longest if count else None

"""A week of a time zone: from Monday 00:00 to the next, by ISO 8601, as moments.

Hides that such a week has 167 or 169 hours where the clock changes in it, and days that do not begin at midnight.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from agent.cron import time_zone

_NAME = re.compile(r"([0-9]{4})-?W([0-9]{2})")


class WeekError(ValueError):
    """No week is called so; says what would be right."""


@dataclass(frozen=True, slots=True)
class Week:
    """One week: it begins at `begins` and ends before `ends`, both UTC."""

    id: str
    """`2026-W47`"""
    zone: str
    begins: datetime
    ends: datetime

    @property
    def hours(self) -> int:
        """How many hours it has: 168, but for clock changes."""
        return round((self.ends - self.begins).total_seconds() / 3600)

    def __contains__(self, moment: datetime) -> bool:
        return self.begins <= moment < self.ends

    def before(self, weeks: int = 1) -> Week:
        """The week so many weeks earlier. Raises WeekError before the year 1."""
        monday = self.begins.astimezone(time_zone(self.zone)) + timedelta(hours=12)
        try:
            return _week(monday.date() - timedelta(weeks=weeks), self.zone)
        except OverflowError:
            raise WeekError(f"there is no week {weeks} before {self.id}") from None


def named(text: str, zone: str) -> Week:
    """The week that is called `2026-W47`. Raises WeekError; ValueError for a zone that is none."""
    match = _NAME.fullmatch(text)
    try:
        monday = date.fromisocalendar(int(match[1]), int(match[2]), 1) if match else None
    except ValueError:
        monday = None
    if monday is None:
        raise WeekError(f"'{text}' is no week; write for example 2026-W47")
    return _week(monday, zone)


def ending(text: str, zone: str) -> Week:
    """The last week that is over when the day `2026-11-22` is. Raises WeekError; ValueError for a zone that is none."""
    try:
        day = date.fromisoformat(text)
        return _week(day - timedelta(days=day.isoweekday() % 7 + 6), zone)
    except (ValueError, OverflowError):
        raise WeekError(f"'{text}' is no day; write for example 2026-11-22") from None


def last(now: datetime, zone: str) -> Week:
    """The last week that is over at `now`. Raises ValueError for a zone that is none."""
    today = now.astimezone(time_zone(zone)).date()
    return _week(today - timedelta(days=today.weekday() + 7), zone)


def _week(monday: date, zone: str) -> Week:
    year, number, _ = monday.isocalendar()
    known = time_zone(zone)
    return Week(f"{year:04}-W{number:02}", zone, _midnight(monday, known), _midnight(monday + timedelta(days=7), known))


def _midnight(day: date, zone: tzinfo) -> datetime:
    """When the day begins. Of a midnight that the clock skips: when it is skipped."""
    return datetime.combine(day, time(), zone).astimezone(UTC)

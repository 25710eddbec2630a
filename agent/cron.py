"""When something is due: every so long (`6h`), or the five fields of cron (`0 8 * * mon`) in a time zone.

Hides the clock changes of a zone. A time of day that a change leaves out is due when the clock goes on, one that it
repeats is due once; what is due every hour is due in each hour that passes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[tuple[str, int, int, Mapping[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    ("day of the week", 0, 7, {name: number for number, name in enumerate(_DAYS)}),
)
_PART = re.compile(r"(\*|[a-z0-9]+)(?:-([a-z0-9]+))?(?:/([0-9]{1,4}))?")
_LONGEST_WAIT = 366 * 8 + 2
"""Days until 29 February comes round again, at the most: 2096 to 2104."""


@dataclass(frozen=True, slots=True)
class Every:
    """Every so long, at the same moments whenever one asks: a restart moves nothing."""

    length: timedelta

    def after(self, moment: datetime, shift: timedelta = timedelta()) -> datetime:
        """The next time after `moment`; all of them are `shift` later than they would be."""
        passed = (moment - _EPOCH - shift) // self.length
        return _EPOCH + shift + (passed + 1) * self.length

    def next_from(self, began: datetime, shift: timedelta = timedelta()) -> datetime:
        """When it is due after it began at `began`; not twice within half its length."""
        return self.after(began + self.length / 2, shift)


@dataclass(frozen=True, slots=True)
class Cron:
    """The five fields of cron, in a time zone."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 is Sunday."""
    either: bool
    """Both days are restricted: as cron has it, one of the two is enough."""
    hourly: bool
    """The hour is not restricted to some of the day: an hour that the clock repeats counts twice."""
    zone: tzinfo

    def after(self, moment: datetime, shift: timedelta = timedelta()) -> datetime:
        """The next time after `moment`; all of them are `shift` later than they would be.

        Raises ValueError where there is none, as for 30 February.
        """
        since = moment - shift
        # The zone may be hours away from UTC, and a day that begins before `moment` may hold times after it.
        day = since.astimezone(self.zone).date() - timedelta(days=1)
        for ahead in range(_LONGEST_WAIT):
            then = day + timedelta(days=ahead)
            if self._on(then) and (due := self._first_after(since, then)):
                return due + shift
        raise ValueError("this day never comes")

    def next_from(self, began: datetime, shift: timedelta = timedelta()) -> datetime:
        """When it is due after it began at `began`."""
        return self.after(began, shift)

    def _on(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        of_month, of_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return (of_month or of_week) if self.either else (of_month and of_week)

    def _first_after(self, since: datetime, day: date) -> datetime | None:
        found = (
            due
            for hour in self.hours
            for minute in self.minutes
            for due in _moments(datetime.combine(day, time(hour, minute), self.zone), self.hourly)
            if due > since
        )
        return min(found, default=None)


When = Every | Cron


def when(text: str, zone: str = "UTC") -> When | None:
    """What a schedule says; None for the empty text: never. Raises ValueError, which says what would be right."""
    if not text.strip():
        return None
    if match := re.fullmatch(r"([0-9]{1,6})([smhd])", text):
        length = int(match[1]) * _UNITS[match[2]]
        if not length:
            raise ValueError(f"'{text}' is no time to wait; write for example 15m or 6h")
        return Every(timedelta(seconds=length))
    fields = text.lower().split()
    if len(fields) != len(_FIELDS):
        raise ValueError(
            f"'{text}' is no schedule; write a duration such as 6h, or the five fields of cron such as '0 8 * * mon' "
            "(minute, hour, day of the month, month, day of the week)"
        )
    minutes, hours, days, months, weekdays = (
        _field(text, field, *known) for field, known in zip(fields, _FIELDS, strict=True)
    )
    cron = Cron(
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=frozenset(day % 7 for day in weekdays),
        either=not (fields[2].startswith("*") or fields[4].startswith("*")),
        hourly=fields[1].startswith("*"),
        zone=time_zone(zone),
    )
    try:
        cron.after(_EPOCH)
    except ValueError:
        raise ValueError(f"'{text}': this day never comes; no month of those named has it") from None
    return cron


def time_zone(name: str) -> tzinfo:
    """A time zone by its name. Raises ValueError, which says what would be right."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"'{name}' is no time zone; write for example UTC or Europe/Berlin") from None


def shift(job: str, most: timedelta, of: When) -> timedelta:
    """How much later a job begins, up to `most`: by its name, so that it is the same after each restart.

    At most a tenth of the time between two runs.
    """
    longest = min(most, of.length / 10) if isinstance(of, Every) else most
    spread = int.from_bytes(hashlib.blake2b(job.encode(), digest_size=4).digest()) / 0xFFFFFFFF
    return timedelta(seconds=int(longest.total_seconds() * spread))


def _field(text: str, field: str, name: str, least: int, most: int, names: Mapping[str, int]) -> frozenset[int]:
    found: set[int] = set()
    for part in field.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f"'{text}': '{part}' is no {name}; write for example {_example(least, most, names)}")
        if match[1] == "*" and match[2]:
            raise ValueError(f"'{text}': '{part}': a range is two numbers, such as {_example(least, most, names)}")
        first = least if match[1] == "*" else _number(text, match[1], name, least, most, names)
        # `5/15` is every 15 from 5 on; `*/15` and `0-30/15` say where they end.
        last = most if match[1] == "*" or (match[3] and not match[2]) else first
        last = _number(text, match[2], name, least, most, names) if match[2] else last
        step = int(match[3]) if match[3] else 1
        if last < first or not step:
            raise ValueError(
                f"'{text}': '{part}' of the {name} holds nothing; write the smaller number first, a step > 0"
            )
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _number(text: str, word: str, name: str, least: int, most: int, names: Mapping[str, int]) -> int:
    number = names.get(word, int(word) if word.isascii() and word.isdigit() else -1)
    if not least <= number <= most:
        raise ValueError(f"'{text}': '{word}' is no {name}; write {_example(least, most, names)}")
    return number


def _example(least: int, most: int, names: Mapping[str, int]) -> str:
    words = list(names)
    return f"{least} to {most}" + (f", or {words[0]} to {words[-1]}" if words else "") + ", * or */5"


def _moments(wall: datetime, hourly: bool) -> tuple[datetime, ...]:
    """When a zone's clocks show a time of day. One that they skip: when they would have shown it."""
    first, second = (wall.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    # Of a time that is skipped, fold 0 is read by the offset before the change: as long after midnight as ever.
    return (first, second) if hourly and second > first else (first,)

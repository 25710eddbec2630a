"""Change freezes from iCalendar files and from SSM Change Calendars.

Hides recurrence, time zones, and that a calendar may be open or closed by default. What a calendar costs is bounded
before it is unfolded; one that cannot be followed is unread with the reason, and never a calendar without freezes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain, islice, takewhile
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import boto3
from botocore.config import Config as BotoConfig
from botocore.exceptions import BotoCoreError, ClientError

from agent.clean import clean
from agent.config import Config, reading
from agent.model import Calendar, Freeze
from agent.recurrence import RuleError, days, rule_of

LARGEST = 1_000_000
"""Bytes of a calendar."""
MOST_EVENTS = 2_000
MOST = 1_000
"""Occurrences that meet the interval, of one calendar."""
MOST_DAYS = 500_000
"""Days from the beginnings of recurring events to the end of the interval, all together: each is looked at."""

_SSM = "ssm:"
_CLOSED = "DEFAULT_CLOSED"
"""https://docs.aws.amazon.com/systems-manager/latest/userguide/systems-manager-change-calendar.html"""
_MARGIN = timedelta(days=7)
"""How far outside the interval the ends of a freeze are looked for where everything else is closed."""
_FOLD = re.compile(r"(?<!\n)\n+[ \t]")  # https://www.rfc-editor.org/rfc/rfc5545#section-3.1
_ZONE = re.compile(r"\s*(BEGIN|END)\b[^:]*:\s*VTIMEZONE\s*$", re.IGNORECASE)
_END = re.compile(r"^END:VCALENDAR\s*$", re.IGNORECASE | re.MULTILINE)
_EDGE = timedelta(seconds=1)  # what only touches the interval meets it
_PATIENT = BotoConfig(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=10, read_timeout=30)
_WEIRD = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, OSError)
"""What the libraries raise on calendars they were not made for; a time zone that is none is looked for as a file."""


class UnreadError(Exception):
    """A calendar, or an event of it, that cannot be followed; says why."""


def read_calendars(
    config: Config, session_of: Callable[[], boto3.Session | None], start: datetime, end: datetime
) -> Calendar:
    """The freezes of `[authority] calendars` that meet the interval, in the order they begin.

    `session_of` gives credentials for Change Calendars, None where there are none; it is asked only where one is
    configured. Raises nothing: what cannot be read is among `unread`.
    """
    freezes: list[Freeze] = []
    unread: list[str] = []
    for name in config.authority.calendars:
        try:
            text = _document(name, session_of()) if name.startswith(_SSM) else _file(config.path(name))
            found = freezes_of(text, name, start, end)
        except UnreadError as error:
            unread.append(f"calendar {clean(name, 200)}: {error}")
            continue
        freezes += found.freezes
        unread += found.unread
    ordered = sorted(set(freezes), key=lambda one: (one.start, one.end, one.name, one.source))
    return Calendar(tuple(ordered), tuple(unread), asked=bool(config.authority.calendars))


def freezes_of(text: str, name: str, start: datetime, end: datetime) -> Calendar:
    """The freezes of one iCalendar text that meet the interval; `name` is what the calendar is called.

    In a calendar that is closed by default (`X-CALENDAR-TYPE`) all that lies outside its events is a freeze. Events
    that cannot be followed are among `unread`. Raises `UnreadError` for what is no calendar.
    """
    if len(text.encode("utf-8", "surrogatepass")) > LARGEST:
        raise UnreadError(f"is larger than {LARGEST:,} bytes")
    from icalendar import Calendar as Parsed  # 3 MB and a quarter of a second, and most have no calendar

    try:
        calendar = Parsed.from_ical(_without_zones(text))
        kind = str(calendar.get("X-CALENDAR-TYPE", "")).strip().upper().replace("-", "_")
        zone = str(calendar.get("X-WR-TIMEZONE", "")).strip()
        home = ZoneInfo(zone) if zone else None
    except _WEIRD as error:
        raise UnreadError(f"is no iCalendar that can be read: {_said(error)}") from None
    wide = (start - _MARGIN, end + _MARGIN) if kind == _CLOSED else (start, end)
    work = _Unfolding(calendar, name, home, *wide)
    found = list(work.events())
    if len(found) > MOST:
        raise UnreadError(f"more than {MOST:,} events meet {start:%Y-%m-%d} to {end:%Y-%m-%d}")
    if kind == _CLOSED:
        if work.unread:
            # Whether an event that cannot be followed opens it is not known.
            return Calendar((), tuple(work.unread))
        found = list(_between(found, f"closed by default: {name}", work.source, *wide))
    meeting = (one for one in found if one.start <= end and one.end >= start)
    return Calendar(tuple(meeting), tuple(work.unread))


def _without_zones(text: str) -> str:
    """The text without its own descriptions of time zones: their rules would be unfolded before anything is asked.

    Zones are known by name, IANA's or Windows'; what a calendar says of them in its own words is not needed then.
    """
    kept, inside = [], False
    for line in _FOLD.sub("", text.replace("\r\n", "\n")).split("\n"):
        mark = _ZONE.match(line)
        if mark is not None:
            inside = mark[1].upper() == "BEGIN"
        elif not inside:
            kept.append(line)
    return "\r\n".join(kept)


def check_file(path: Path) -> None:
    """Whether a file is a calendar, to its end. What is wrong with an event of it is told by each scan.

    Raises `UnreadError`.
    """
    text = _file(path)
    now = datetime.now(UTC)
    freezes_of(text, path.name, now, now)
    if not _END.search(text):
        raise UnreadError("breaks off before END:VCALENDAR")


def _file(path: Path) -> str:
    try:
        place = reading(path)
        if not place.is_file():
            raise UnreadError("is not there, or no regular file")
        with place.open("rb") as stream:
            data = stream.read(LARGEST + 1)
    except OSError as error:
        raise UnreadError(f"cannot be read: {error.strerror}") from None
    if len(data) > LARGEST:
        raise UnreadError(f"is larger than {LARGEST:,} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadError(f"is not UTF-8 at byte {error.start}") from None


def _document(name: str, session: boto3.Session | None) -> str:
    if session is None:
        raise UnreadError("there are no credentials to ask SSM with")
    try:
        client: Any = session.client("ssm", config=_PATIENT)
        found = client.get_document(Name=name.removeprefix(_SSM))
    except (ClientError, BotoCoreError) as error:
        raise UnreadError(f"SSM did not give it: {clean(error, 300)}") from None
    if found.get("DocumentType") != "ChangeCalendar":
        raise UnreadError(f"is a document of type {clean(found.get('DocumentType'), 100)}, no ChangeCalendar")
    return str(found.get("Content", ""))


class _Unfolding:
    """One calendar's events, unfolded over an interval."""

    def __init__(self, calendar: Any, name: str, home: ZoneInfo | None, start: datetime, end: datetime) -> None:
        self.calendar = calendar
        self.name = name
        self.home = home
        self.start = start
        self.end = end
        self.unread: list[str] = []
        self.source = clean(name, 200)
        self._days = 0

    def events(self) -> Iterator[Freeze]:
        """Every occurrence that meets the interval; what cannot be followed is put down as unread."""
        components = [one for one in self.calendar.subcomponents if one.name == "VEVENT"]
        if len(components) > MOST_EVENTS:
            raise UnreadError(f"has {len(components):,} events, and {MOST_EVENTS:,} is the most")
        if self.home is None and any(map(self._is_floating, components)):
            self.source += " (times without a zone taken as UTC)"
        from recurring_ical_events import of as occurrences_of

        followed: dict[str, bool] = {}
        for component in components:
            # An event and the exceptions to it share a UID: each is told or none.
            uid = str(component.get("UID", id(component)))
            followed[uid] = self._check(component) and followed.get(uid, True)
        self.calendar.subcomponents = [
            one for one in self.calendar.subcomponents if one.name != "VEVENT" or followed[str(one.get("UID", id(one)))]
        ]
        try:
            for one in occurrences_of(self.calendar).between(self.start - _EDGE, self.end + _EDGE):
                if str(one.get("STATUS", "")).upper() != "CANCELLED":
                    yield self._freeze(one)
        except _WEIRD as error:
            raise UnreadError(f"cannot be followed: {_said(error)}") from None

    def _check(self, component: Any) -> bool:
        """Whether the event can be followed, at a known cost; its rule becomes days."""
        try:
            if component.errors:
                raise UnreadError("; ".join(f"{field}: {why}" for field, why in component.errors[:3]))
            self._bound(component)
        except (UnreadError, RuleError) as error:
            why = clean(error, 300)
        except _WEIRD as error:
            why = _said(error)
        else:
            return True
        title = clean(component.get("SUMMARY", component.get("UID", "")), 100)
        self.unread.append(f"calendar {clean(self.name, 200)}: event '{title}': {why}")
        return False

    def _bound(self, component: Any) -> None:
        begin, last = component.start, component.end
        for field in ("DTSTART", "DTEND"):
            zone = component[field].params.get("TZID") if field in component else None
            if zone is not None and component[field].dt.tzinfo is None:
                raise UnreadError(f"time zone '{zone}' is not known")
        self._utc(begin)
        lasts = self._utc(last) - self._utc(begin)
        if lasts < timedelta():
            raise UnreadError("ends before it begins")
        if "EXRULE" in component:
            raise UnreadError("EXRULE is not followed; use EXDATE")
        if "RRULE" in component:
            self._unroll(component, lasts)

    def _unroll(self, component: Any, lasts: timedelta) -> None:
        """Puts the days of its rule in the rule's place, those that meet the interval: the library would walk a rule
        that no day fits to the year 9999."""
        parts = component["RRULE"]
        if isinstance(parts, list):
            raise UnreadError("has several rules of recurrence")
        rule, begin = rule_of(parts), component.start
        first = begin.date() if isinstance(begin, datetime) else begin
        end = (self.end + timedelta(days=2)).date()
        self._days += max((end - first).days, 0)
        if self._days > MOST_DAYS:
            raise UnreadError("recurs since too long to be followed; let it begin later")
        count = int(next(iter(parts.get("COUNT", ())), 0))
        until = next(iter(parts.get("UNTIL", ())), None)
        made: Iterator[Any] = (
            datetime.combine(day, begin.timetz()) if isinstance(begin, datetime) else day
            for day in days(rule, first, end)
        )
        # The beginning is the first occurrence, whether or not the rule fits it.
        made = chain([begin], (one for one in made if one != begin))
        if count:
            made = islice(made, count)
        if until is not None:
            last = self._utc(until) if isinstance(until, datetime) else self._utc(until) + timedelta(days=1)
            made = takewhile(lambda one: self._utc(one) <= last, made)
        kept = [one for one in made if self._utc(one) + lasts >= self.start - timedelta(days=2)]
        if len(kept) > MOST:
            raise UnreadError(f"more than {MOST:,} of its occurrences meet the interval")
        del component["RRULE"]
        if kept:
            component.add("RDATE", kept)

    def _utc(self, moment: datetime | date) -> datetime:
        """A time without a zone is the calendar's own, or UTC; so is a day."""
        if not isinstance(moment, datetime):
            moment = datetime.combine(moment, time.min)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=self.home or UTC)
        return moment.astimezone(UTC)

    def _is_floating(self, component: Any) -> bool:
        try:
            begin = component.start
        except _WEIRD:
            return False
        return not isinstance(begin, datetime) or begin.tzinfo is None

    def _freeze(self, one: Any) -> Freeze:
        title = clean(one.get("SUMMARY", ""), 200) or "change freeze"
        return Freeze(title, self._utc(one.start), self._utc(one.end), self.source)


def _between(opened: Iterable[Freeze], name: str, source: str, start: datetime, end: datetime) -> Iterator[Freeze]:
    """What lies outside the times when a calendar is open."""
    since = start
    for one in sorted(opened, key=lambda found: found.start):
        if one.start > since:
            yield Freeze(name, since, min(one.start, end), source)
        since = max(since, one.end)
    if since < end:
        yield Freeze(name, since, end, source)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {clean(error, 200)}"

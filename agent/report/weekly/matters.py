"""Cases as they stood when a week ended: open, held or closed, how old, and how long they took.

Hides that the store has a case as it is now: what it was at the end of the week stands in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any, Literal

from agent.document.times import stamp
from agent.model import SEVERITIES, Case
from agent.report.weekly.population import Happened
from agent.report.weekly.records import Records
from agent.report.weekly.week import Week

Fate = Literal["", "opened", "held", "closed"]
AGES: tuple[tuple[str, timedelta], ...] = (
    ("a week or less", timedelta(days=7)),
    ("up to two weeks", timedelta(days=14)),
    ("up to four weeks", timedelta(days=28)),
    ("older", timedelta.max),
)
"""How old open cases are."""


@dataclass(frozen=True, slots=True)
class Matter:
    """A case over time."""

    case: Case
    reason: str
    """Why it was closed, if it is."""
    fates: tuple[tuple[datetime, str], ...]

    @property
    def began(self) -> datetime:
        """When it was first opened, or held."""
        return self.fates[0][0]

    def at(self, moment: datetime) -> Fate:
        """What had become of it just before a moment; empty: it was not there."""
        found: Fate = ""
        for when, fate in self.fates:
            if when < moment and fate in ("opened", "held", "closed"):
                found = "opened" if fate == "opened" else "held" if fate == "held" else "closed"
        return found

    def closed_in(self, week: Week) -> datetime | None:
        """When it was closed in the week, for good as far as the week goes; None: it was not."""
        times = [when for when, fate in self.fates if fate == "closed" and when in week]
        return times[-1] if times and self.at(week.ends) == "closed" else None

    def again_in(self, week: Week, until: datetime) -> datetime | None:
        """When it, closed as the week began, was opened last in the week before `until`; None: it was not.

        With it the cases add up: open before, and opened, and opened again, less closed, are open after.
        """
        times = [when for when, fate in self.fates if fate != "closed" and when in week and when < until]
        return times[-1] if times and self.at(week.begins) == "closed" else None

    def since(self, moment: datetime) -> tuple[tuple[datetime, str], ...]:
        """What became of it from a moment on."""
        return tuple(one for one in self.fates if one[0] >= moment)


def matters(records: Records, since: datetime) -> tuple[Matter, ...]:
    """Every case that was not closed before `since`, in the order they began."""
    fates = records.fates()
    found = []
    for record in records.cases(since):
        case = record.case
        told = fates.get(case.key, [])
        if not told and case.opened_at is not None:
            told = [(case.opened_at, "held" if case.state == "held" else "opened")]
            told += [(record.closed_at, "closed")] if record.closed_at else []
        if told:
            found.append(Matter(case, record.reason, tuple(told)))
    return tuple(sorted(found, key=lambda one: (one.began, one.case.key)))


def case_of(every: Iterable[Matter]) -> Mapping[str, str]:
    """Event → key of the case that answers for it."""
    return {event: one.case.key for one in every for event in one.case.events}


def row(matter: Matter, ends: datetime) -> dict[str, Any]:
    """What a list says of a case, as it stood when the week ended; severity and title as they are now."""
    case = matter.case
    state = {"opened": "open", "held": "held", "closed": "closed", "": "open"}[matter.at(ends)]
    return {
        "key": case.key,
        "title": case.title,
        "severity": case.severity,
        "state": state,
        "ticket": case.ticket,
        "began": stamp(matter.began),
        "age_days": max(0, (ends - matter.began).days) if state != "closed" else 0,
        "findings": list(case.findings),
        "rules": list(case.rules),
        "controls": list(case.controls),
        "actors": list(case.actors),
        "emergency": case.grant,
        "since": news(matter, ends),
    }


def news(matter: Matter, moment: datetime) -> list[dict[str, str]]:
    """What became of it from a moment on, as lists tell it."""
    return [{"told": fate, "at": stamp(when)} for when, fate in matter.since(moment)]


def cases(every: Sequence[Matter], week: Week, until: datetime, happened: Mapping[str, datetime]) -> dict[str, Any]:
    """Section 6, up to `until`; `happened` is event → its time."""
    opened = [one for one in every if one.began in week and one.began < until]
    again = [(one, at) for one in every if (at := one.again_in(week, until))]
    closed = [(one, at) for one in every if (at := one.closed_in(week))]
    standing = [one for one in every if one.at(until) in ("opened", "held")]
    return {
        "opened": [row(one, until) for one in opened],
        "again": [{**row(one, until), "again": stamp(at)} for one, at in again],
        "closed": [
            {
                **row(one, until),
                "closed": stamp(at),
                "took_seconds": int((at - one.began).total_seconds()),
                "reason": one.reason if not one.since(until) else "",
            }
            for one, at in sorted(closed, key=lambda pair: (pair[1], pair[0].case.key))
        ],
        "open": [row(one, until) for one in standing],
        "by_age": by_age(standing, until),
        "detect_seconds": detecting(opened, happened),
        "resolve_seconds": resolving(every, week),
    }


def by_age(standing: Iterable[Matter], until: datetime) -> list[dict[str, Any]]:
    """How many open cases there are of each age and severity, the youngest first."""
    counts = {name: dict.fromkeys(SEVERITIES, 0) for name, _ in AGES}
    for one in standing:
        age = until - one.began
        name = next(name for name, most in AGES if age <= most)
        counts[name][one.case.severity] += 1
    return [{"age": name, **{level: counts[name][level] for level in SEVERITIES}} for name, _ in AGES]


def detecting(opened: Iterable[Matter], happened: Mapping[str, datetime]) -> int | None:
    """Median seconds from the first call of a case to its opening; None where no call is known."""
    times = []
    for one in opened:
        calls = [happened[event] for event in one.case.events if event in happened]
        if calls and min(calls) <= one.began:
            times.append((one.began - min(calls)).total_seconds())
    return int(median(times)) if times else None


def resolving(every: Iterable[Matter], week: Week) -> int | None:
    """Median seconds from opening to closing of the cases closed in the week; None where none was."""
    times = [(at - one.began).total_seconds() for one in every if (at := one.closed_in(week))]
    return int(median(times)) if times else None


def times_of(changes: Iterable[Happened]) -> Mapping[str, datetime]:
    """Event → its time."""
    return {event: one.at for one in changes for event in one.events}

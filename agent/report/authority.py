"""What a report says of authority besides verdicts: emergencies, tickets and what was done under them, what may differ.

Hides that a document written by an earlier version has none of it, and in which order a reader with little time needs
it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from agent.clean import plural
from agent.report.values import moment

SOON = timedelta(days=14)
"""An exception that ends this soon is marked."""

STATES: Mapping[str, str] = {
    "overdue": "Overdue: no document",
    "awaiting-document": "To be documented",
    "rejected": "Document rejected",
    "awaiting-review": "To be reviewed",
    "accepted": "Reviewed and accepted",
    "way-back": "Accepted, not yet under control again",
}
"""Where an emergency stands, the most urgent first."""
RESULTS: tuple[str, ...] = ("beyond", "not performed", "partial", "not known", "approved")
"""What became of a resource of a ticket, what a reader must look at first."""

_URL = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+(/[!-~]*)?")


@dataclass(frozen=True, slots=True)
class Said:
    """Somebody's document or review of an emergency."""

    by: str
    at: str
    lines: tuple[tuple[str, str], ...]
    """What it answers, and the answer."""
    accepted: bool = False
    """Of a review."""


@dataclass(frozen=True, slots=True)
class Emergency:
    """One break-glass session or window."""

    id: str
    case: str
    person: str
    how: str
    first: str
    last: str
    deadline: str
    calls: int
    state: str
    late: bool
    timing: str
    """How the deadline was kept, or how long there is."""
    incident: str
    document: Said | None
    review: Said | None
    notes: tuple[str, ...]

    @property
    def urgent(self) -> bool:
        """Whether it is late, or was rejected."""
        return self.state in ("overdue", "rejected")

    @property
    def waits(self) -> bool:
        """Whether somebody still has something to do about it."""
        return self.state != "accepted"


@dataclass(frozen=True, slots=True)
class Row:
    """One resource of a ticket."""

    name: str
    result: str
    evidence: str
    events: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Requested:
    """A ticket: what it asked for, and what was done."""

    ref: str
    system: str
    title: str
    url: str
    """Empty where it is no plain web address."""
    state: str
    due: str
    rows: tuple[Row, ...]
    """What must be looked at first."""

    @property
    def worst(self) -> str:
        """The result a reader must look at first; `approved` where there is nothing to look at."""
        return self.rows[0].result if self.rows else RESULTS[-1]

    @property
    def counts(self) -> tuple[tuple[str, int], ...]:
        """Each result with how many resources it has."""
        found = [row.result for row in self.rows]
        return tuple((result, found.count(result)) for result in RESULTS if result in found)


@dataclass(frozen=True, slots=True)
class Entry:
    """One exception in force, or one file of the baseline."""

    id: str
    kind: str
    owner: str
    approver: str
    until: str
    left: str
    """How long it is still in force."""
    soon: bool
    reason: str
    hits: int
    source: str


@dataclass(frozen=True, slots=True)
class Changed:
    """A file of rules, exceptions, baseline or pre-approved changes that is not as the last scan saw it."""

    path: str
    what: str
    commit: str
    author: str


@dataclass(frozen=True, slots=True)
class Standing:
    """All of it."""

    told: bool = False
    """Whether the scan looked at it: an earlier version did not, and then nothing is known of it."""
    emergencies: tuple[Emergency, ...] = ()
    """Most urgent first."""
    tickets: tuple[Requested, ...] = ()
    """Those that went beyond what was approved, or were not performed, first."""
    entries: tuple[Entry, ...] = ()
    """What ends soonest first."""
    problems: tuple[str, ...] = ()
    changes: tuple[Changed, ...] = ()
    waiting: tuple[str, ...] = ()


NOTHING = Standing()


def standing(document: Mapping[str, Any]) -> Standing:
    """Of the whole document."""
    now = _time(document["run"]["finished_at"])
    may, news = document.get("tolerated", {}), document.get("policy", {})
    entries = sorted(may.get("entries", ()), key=lambda one: (one["until"], one["id"]))
    changes = sorted(news.get("changes", ()), key=lambda one: one["path"])
    return Standing(
        "policy" in document,
        _emergencies(document.get("emergencies", ()), now),
        _tickets(document.get("tickets", ())),
        tuple(_entry(one, now) for one in entries),
        tuple(may.get("problems", ())),
        tuple(Changed(one["path"], one["what"], one["commit"] or "", one["author"] or "") for one in changes),
        tuple(news.get("waiting", ())),
    )


def _emergencies(found: Iterable[Mapping[str, Any]], now: datetime) -> tuple[Emergency, ...]:
    order = list(STATES)
    ordered = sorted(found, key=lambda one: (order.index(one["state"]), one["deadline"], one["id"]))
    return tuple(
        Emergency(
            one["id"],
            one["case"],
            one["person"],
            one["how"],
            moment(one["first"]),
            moment(one["last"]),
            moment(one["deadline"]),
            one["calls"],
            one["state"],
            one["late"],
            _timing(one, now),
            one["incident"] or "",
            _document(one["document"]) if one["document"] else None,
            _review(one["review"]) if one["review"] else None,
            tuple(one["notes"]),
        )
        for one in ordered
    )


def _timing(one: Mapping[str, Any], now: datetime) -> str:
    """The deadline, kept or not."""
    deadline = _time(one["deadline"])
    if one["document"]:
        said = _time(one["document"]["at"])
        if said > deadline:
            return f"documented {span(said - deadline)} late"
        # A call after the document asks for another one; the document at hand was in time.
        return "documented in time" if not one["late"] else "documented, and late"
    return f"{span(now - deadline)} overdue" if now > deadline else f"due in {span(deadline - now)}"


def _document(item: Mapping[str, Any]) -> Said:
    asked = (("Why", "why"), ("What was done", "done"), ("Who was told", "told"), ("The way back", "way_back"))
    return Said(item["by"], moment(item["at"]), tuple((head, item[name]) for head, name in asked if item[name]))


def _review(item: Mapping[str, Any]) -> Said:
    lines = (("Why", item["reason"]),) if item["reason"] else ()
    return Said(item["by"], moment(item["at"]), lines, item["accepted"])


def _tickets(found: Iterable[Mapping[str, Any]]) -> tuple[Requested, ...]:
    made = (
        Requested(
            one["ref"],
            one["system"],
            one["title"],
            web_address(one["url"] or ""),
            one["state"],
            one["due"],
            tuple(sorted(map(_row, one["resources"]), key=lambda row: (RESULTS.index(row.result), row.name))),
        )
        for one in found
    )
    return tuple(sorted(made, key=lambda one: (RESULTS.index(one.worst), one.system, one.ref)))


def _row(item: Mapping[str, Any]) -> Row:
    return Row(item["name"], item["result"], item["evidence"], tuple(item["event_ids"]))


def _entry(item: Mapping[str, Any], now: datetime) -> Entry:
    left = _time(item["until"]) - now
    return Entry(
        item["id"],
        item["kind"],
        item["owner"],
        item["approver"],
        moment(item["until"]),
        span(left),
        left <= SOON,
        item["reason"],
        item["hits"],
        item["source"],
    )


def web_address(text: str) -> str:
    """The text where it is a plain web address, which a reader may be led to; else empty."""
    return text if _URL.fullmatch(text) else ""


def span(length: timedelta) -> str:
    """`3 days`, `1 day`, `5 hours`, `10 minutes`; rounded down."""
    minutes = max(0, int(length.total_seconds() // 60))
    for name, size in (("day", 1440), ("hour", 60)):
        # Up to two days are told in hours: a deadline of a day is missed or kept by hours.
        if minutes >= size * (2 if name == "day" else 1):
            count = minutes // size
            return plural(count, name)
    return plural(minutes, "minute")


def _time(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp)

"""Break-glass sessions of a week: who, when, how many calls; documented, reviewed and brought back in time or not.

Hides that a case keeps its emergencies as they are now: what was said after the week's end is told apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from agent.document.times import stamp
from agent.emergency import said_at
from agent.model import Emergency, Review
from agent.report.weekly.matters import Matter
from agent.report.weekly.week import Week


def emergencies(every: Iterable[Matter], week: Week, until: datetime) -> list[dict[str, Any]]:
    """Section 4: sessions with a call in the week, and older ones whose case was open when it ended, urgent first."""
    found = []
    for matter in every:
        for one in matter.case.emergencies:
            touches = one.first < week.ends and one.last >= week.begins
            if one.first < until and (touches or matter.at(until) in ("opened", "held")):
                found.append(_row(one, matter, week, until))
    order = ("overdue", "rejected", "awaiting-document", "awaiting-review", "way-back", "accepted")
    return sorted(found, key=lambda row: (order.index(row["state"]), row["deadline"], row["id"]))


def state_at(one: Emergency, until: datetime) -> str:
    """Where its paperwork stood at a moment."""
    if one.document is None or one.document.by.received_at >= until:
        return "overdue" if one.deadline < until else "awaiting-document"
    review = review_at(one, until)
    if review is None:
        return "awaiting-review"
    return "accepted" if review.accepted else "rejected"


def review_at(one: Emergency, until: datetime) -> Review | None:
    """The review that counted at a moment: later calls may have set it aside."""
    given = [review for review in (*one.earlier, one.review) if review and review.by.received_at < until]
    if not given or any(said_at(given[-1]) <= came.at < until for came in one.arrivals):
        return None
    return given[-1]


def _row(one: Emergency, matter: Matter, week: Week, until: datetime) -> dict[str, Any]:
    document, reviewed = one.document, review_at(one, until)
    documented = document if document is not None and document.by.received_at < until else None
    state = state_at(one, until)
    closed = matter.at(until) == "closed"
    return {
        "id": one.id,
        "case": matter.case.key,
        "ticket": matter.case.ticket,
        "severity": matter.case.severity,
        "person": one.person,
        "others": [name for name in one.actors if name != one.person],
        "how": one.how,
        "first": stamp(one.first),
        "last": stamp(one.last),
        "of_the_week": one.last in week,
        "calls": len(one.events),
        "incident": _incident(one),
        "deadline": stamp(one.deadline),
        "state": "way-back" if state == "accepted" and not closed else state,
        "documented": stamp(documented.by.received_at) if documented else "",
        "documented_by": documented.by.person if documented else "",
        "late": documented is not None and (one.late or documented.by.received_at > one.deadline),
        "way_back": documented.way_back if documented else "",
        "reviewed": stamp(reviewed.by.received_at) if reviewed else "",
        "reviewed_by": reviewed.by.person if reviewed else "",
        "closed": closed,
        "since": _since(one, matter, until),
    }


def _incident(one: Emergency) -> str:
    named = (one.document.incident if one.document else "", one.opening.incident if one.opening else "")
    return next(filter(None, named), "")


def _since(one: Emergency, matter: Matter, until: datetime) -> list[str]:
    """What arrived about it after the week's end."""
    told: list[tuple[datetime, str]] = []
    if one.document is not None and one.document.by.received_at >= until:
        told.append((one.document.by.received_at, f"documented by {one.document.by.person}"))
    for review in (*one.earlier, one.review):
        if review is not None and review.by.received_at >= until:
            said = "accepted" if review.accepted else "rejected"
            told.append((review.by.received_at, f"{said} by {review.by.person}"))
    told += [(came.at, f"{came.calls} more of its calls arrived") for came in one.arrivals if came.at >= until]
    told += [(when, f"case {fate}") for when, fate in matter.since(until)]
    return [f"{what} {stamp(when)}" for when, what in sorted(told)]


def counts(rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """How many sessions there were in the week, how many documents are missing, and how many were late."""
    return {
        "sessions": sum(row["of_the_week"] for row in rows),
        "calls": sum(row["calls"] for row in rows if row["of_the_week"]),
        "undocumented": sum(row["state"] in ("overdue", "awaiting-document", "rejected") for row in rows),
        "overdue": sum(row["state"] == "overdue" for row in rows),
        "unreviewed": sum(row["state"] == "awaiting-review" for row in rows),
        "late": sum(row["late"] for row in rows if row["of_the_week"]),
    }

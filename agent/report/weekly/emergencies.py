"""Break-glass sessions of a week: who, when, how many calls; documented, reviewed and brought back in time or not.

Hides that a case keeps its emergencies as they are now: what was said after the week's end is told apart, and how far
the case had come then says the last scan before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from agent.document.times import stamp
from agent.emergency import said_at
from agent.model import Emergency, Review
from agent.plan.breakglass import AFTER_WORK
from agent.report.weekly.matters import Matter
from agent.report.weekly.records import Stages
from agent.report.weekly.week import Week

_ORDER = (
    *("overdue", "rejected", "awaiting-document", "awaiting-review", "review-again", AFTER_WORK, "way-back", "beside"),
    *("window-open", "window-documented", "window-over", "accepted"),
)
"""Where a session or window stands, what presses most first."""


def emergencies(every: Iterable[Matter], week: Week, until: datetime, stages: Stages) -> list[dict[str, Any]]:
    """Section 4: sessions with a call in the week, and older ones whose case was open when it ended.

    `stages` say how far open cases had come at `until`.
    """
    found = []
    for matter in every:
        for one in matter.case.emergencies:
            touches = one.first < week.ends and one.last >= week.begins
            if one.first < until and (touches or matter.at(until) in ("opened", "held")):
                found.append(_row(one, matter, week, until, stages))
    return found


def urgent_first(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sessions and windows in the order in which they are told."""
    return sorted(rows, key=lambda row: (_ORDER.index(row["state"]), row["deadline"], row["id"]))


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


def _stands(one: Emergency, matter: Matter, until: datetime, stages: Stages) -> str:
    """Where it stood at a moment; of one that is accepted, what its case still waited for."""
    state, review = state_at(one, until), review_at(one, until)
    if state != "accepted" or review is None or matter.at(until) == "closed":
        return state
    others = (each for each in matter.case.emergencies if each is not one and each.first < until)
    if any(state_at(each, until) != "accepted" for each in others):
        return "beside"
    # What a scan told of before the review came is over.
    told = stages.of(matter.case.key, matter.case.stage, review.by.received_at)
    return {AFTER_WORK: AFTER_WORK, "awaiting-review": "review-again"}.get(told, "way-back")


def _row(one: Emergency, matter: Matter, week: Week, until: datetime, stages: Stages) -> dict[str, Any]:
    document, reviewed = one.document, review_at(one, until)
    documented = document if document is not None and document.by.received_at < until else None
    return {
        "id": one.id,
        "case": matter.case.key,
        "ticket": matter.case.ticket,
        "severity": matter.case.severity,
        "person": one.person,
        "others": [name for name in one.actors if name != one.person],
        "how": one.how,
        "window": False,
        "first": stamp(one.first),
        "last": stamp(one.last),
        "of_the_week": one.last in week,
        "calls": len(one.events),
        "incident": _incident(one),
        "deadline": stamp(one.deadline),
        "state": _stands(one, matter, until, stages),
        "documented": stamp(documented.by.received_at) if documented else "",
        "documented_by": documented.by.person if documented else "",
        "late": documented is not None and (one.late or documented.by.received_at > one.deadline),
        "way_back": documented.way_back if documented else "",
        "reviewed": stamp(reviewed.by.received_at) if reviewed else "",
        "reviewed_by": reviewed.by.person if reviewed else "",
        "closed": matter.at(until) == "closed",
        "since": _since(one, matter, until),
    }


def _incident(one: Emergency) -> str:
    named = (one.document.incident if one.document else "", one.opening.incident if one.opening else "")
    return next(filter(None, named), "")


def _since(one: Emergency, matter: Matter, until: datetime) -> list[dict[str, str]]:
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
    return [{"told": what, "at": stamp(when)} for when, what in sorted(told)]


def counts(rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """How many sessions there were in the week, how many documents are missing, how many were late; and windows in
    which nothing was called."""
    sessions = [row for row in rows if not row["window"]]
    return {
        "sessions": sum(row["of_the_week"] for row in sessions),
        "calls": sum(row["calls"] for row in sessions if row["of_the_week"]),
        "undocumented": sum(row["state"] in ("overdue", "awaiting-document", "rejected") for row in rows),
        "overdue": sum(row["state"] == "overdue" for row in rows),
        "unreviewed": sum(row["state"] in ("awaiting-review", "review-again", AFTER_WORK) for row in rows),
        "late": sum(row["late"] for row in sessions if row["of_the_week"]),
        "windows": len(rows) - len(sessions),
    }

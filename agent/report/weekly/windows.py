"""Break-glass windows that were declared and in which no call was seen: whoever could have acted is told of.

Hides that such a window has a case only until it is over, and that nobody can review what nobody has seen: it is told,
and waits for no decision.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from agent.document.times import stamp
from agent.emergency import case_key, grant_of, said_at
from agent.model import Declaration, Document, Opening
from agent.report.weekly.matters import Matter
from agent.report.weekly.week import Week


def windows(
    every: Iterable[Matter], declared: Sequence[Declaration], week: Week, until: datetime
) -> Iterator[dict[str, Any]]:
    """A row for each, as for a session with calls; `declared` is all that ever was."""
    called, cases = set[str](), dict[str, Matter]()
    for matter in every:
        for one in matter.case.emergencies:
            if one.first < until:
                called |= {one.id, grant_of(one.opening.id) if one.opening else ""}
        cases |= dict.fromkeys((matter.case.grant, *(one.id for one in matter.case.emergencies)), matter)
    for opening in declared:
        if not isinstance(opening, Opening) or opening.by.received_at >= until:
            continue
        grant = grant_of(opening.id)
        its = cases.get(grant)
        touches = said_at(opening) < week.ends and opening.until >= week.begins
        if grant not in called and (touches or (its is not None and its.at(until) in ("opened", "held"))):
            yield _row(opening, its, declared, week, until)


def _row(
    opening: Opening, matter: Matter | None, declared: Iterable[Declaration], week: Week, until: datetime
) -> dict[str, Any]:
    grant, case = grant_of(opening.id), matter.case if matter else None
    keys = {case_key(grant), case.key if case else ""}
    said = [one for one in declared if isinstance(one, Document) and one.case in keys]
    document = next((one for one in reversed(said) if one.by.received_at < until), None)
    people = opening.actors or (opening.by.person,)
    since = [(one.by.received_at, f"documented by {one.by.person}") for one in said if one.by.received_at >= until]
    since += [(when, f"case {fate}") for when, fate in matter.since(until)] if matter else []
    closed = matter is not None and matter.at(until) == "closed"
    return {
        "id": grant,
        "case": case.key if case else "",
        "ticket": case.ticket if case else "",
        "severity": case.severity if case else "",
        "person": people[0],
        "others": list(people[1:]),
        "how": f"window declared by {opening.by.person}",
        "window": True,
        "first": stamp(said_at(opening)),
        "last": stamp(opening.until),
        "of_the_week": opening.until >= week.begins,
        "calls": 0,
        "incident": opening.incident,
        "deadline": "",
        "state": _state(opening, document, closed, until),
        "documented": stamp(document.by.received_at) if document else "",
        "documented_by": document.by.person if document else "",
        "late": False,
        "way_back": document.way_back if document else "",
        "reviewed": "",
        "reviewed_by": "",
        "closed": closed,
        "since": [{"told": what, "at": stamp(when)} for when, what in sorted(since)],
    }


def _state(opening: Opening, document: Document | None, closed: bool, until: datetime) -> str:
    if document is not None:
        return "window-documented"
    return "window-open" if opening.until > until and not closed else "window-over"

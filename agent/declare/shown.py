"""Cases and windows as people read them: where each stands, until when, and who said what about it.

Hides that a declaration made a minute ago already counts here, though no scan has drawn its conclusions yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from agent.clean import clean, plural
from agent.declare.matter import Matter, matters
from agent.declare.rules import PEOPLE_NEEDED, acceptances
from agent.model import SEVERITIES, Case, CaseKey, Document, Proof, Review
from agent.plan.breakglass import AFTER_WORK, OPEN
from agent.store import Store


def stage(matter: Matter, now: datetime) -> str:
    """Where a case or a window stands, in a word or two."""
    case = matter.case
    if case is not None and case.state != "open":
        return case.state
    if not matter.emergency:
        return f"reviewed: {'accepted' if matter.accepted else 'rejected'}" if matter.review else "open"
    if matter.accepted and case is not None and case.stage == AFTER_WORK:
        done = matter.post_implementation is not None and matter.post_implementation.accepted
        return "reviewed after the work" if done else AFTER_WORK
    if matter.accepted:
        return "way-back"
    if matter.document is not None and not matter.uncovered:
        return "rejected" if matter.rejected else "awaiting-review"
    if case is None or case.stage == OPEN:
        return "documented" if matter.document else "window open" if _open(matter, now) else "window over, no call seen"
    return "overdue" if case.deadline is not None and now > case.deadline else "awaiting-document"


def row(matter: Matter, now: datetime) -> dict[str, Any]:
    """What a list says of it, in plain values."""
    case = matter.case
    opening = matter.openings[0] if matter.openings else None
    return {
        "case": matter.key,
        "emergency": matter.grants[0] if matter.grants else "",
        "stage": stage(matter, now),
        "deadline": _iso(case.deadline if case else None),
        "who": list(matter.actors()),
        "severity": case.severity if case else "",
        "ticket": case.ticket if case else "",
        "title": case.title if case else f"window for {opening.incident}" if opening else "",
        "opened_at": _iso(case.opened_at if case else opening.by.said_at if opening else None),
        "window_until": _iso(opening.until if opening else None),
    }


def rows(found: Iterable[Matter], now: datetime, *, closed: bool = False) -> list[dict[str, Any]]:
    """What a list says, without what is closed unless it is asked for."""
    return [row(one, now) for one in found if closed or one.case is None or one.case.state != "closed"]


def case_rows(store: Store, now: datetime, *, closed: bool = False) -> list[dict[str, Any]]:
    """What a list says of every case, the gravest first and of those the oldest, closed ones last; of a held one also
    who accepted it.
    """
    found = rows(sorted(matters(store), key=_pressing), now, closed=closed)
    every = acceptances(store)
    for one in found:
        said = every.get(f"hold {one['case']}", ()) if one["stage"] == "held" else ()
        one["accepted_by"] = [each.by.person for each in said]
        if one["stage"] == "held":
            one["stage"] = f"held, {len(said)} of {PEOPLE_NEEDED} accepted"
    return found


def _pressing(matter: Matter) -> tuple[bool, int]:
    """What comes first in a list of cases that has the oldest first."""
    case = matter.case
    return (case.state == "closed", -SEVERITIES.index(case.severity)) if case else (False, 0)


def told(matter: Matter, now: datetime) -> dict[str, Any]:
    """Everything about it, in plain values."""
    return {
        **row(matter, now),
        "body": matter.case.body if matter.case else "",
        "findings": list(matter.case.findings) if matter.case else [],
        "calls": [
            {"event": list(one.event_ids), "at": _iso(one.time), "action": one.action, "who": one.actor.name}
            for one in matter.changes
        ],
        "windows": [
            {
                **_proof(one.by),
                "incident": one.incident,
                "until": _iso(one.until),
                "reason": one.reason,
                "actors": list(one.actors),
                "roles": list(one.roles),
                "accounts": list(one.accounts),
                "environments": list(one.environments),
                "offline": one.offline,
            }
            for one in matter.openings
        ],
        "document": _document(matter.document) if matter.document else None,
        "review": _review(matter.review) if matter.review else None,
        "unseen": matter.unseen,
        "earlier_reviews": [_review(one) for one in matter.earlier],
        "post_implementation": _review(matter.post_implementation) if matter.post_implementation else None,
    }


def lines(matter: Matter, now: datetime) -> Iterator[str]:
    """Everything about it, to be read; every line is cleaned."""
    known = row(matter, now)
    yield clean(known["title"])
    for name in ("case", "emergency", "stage", "deadline", "severity", "ticket"):
        if known[name]:
            yield f"{name + ':':<12}{clean(known[name])}"
    yield f"{'who:':<12}{', '.join(map(clean, known['who'])) or 'nobody known'}"
    for opening in matter.openings:
        yield f"{'window:':<12}{clean(opening.incident)}, until {_time(opening.until)}, declared {_by(opening.by)}"
    if matter.document is not None:
        yield ""
        yield from _account(matter.document)
        if matter.uncovered:
            yield f"A call was made after it, at {_time(matter.times[-1])}: it must be documented anew."
    for review in matter.earlier:
        yield from _judgement("Earlier review", review)
    if matter.review is not None:
        yield from _judgement("Review", matter.review)
    if matter.unseen:
        yield f"  {plural(matter.unseen, 'call')} arrived after it: it does not cover them, and somebody reviews again"
    if matter.post_implementation is not None:
        yield from _judgement("Review after the work", matter.post_implementation)
    if matter.case is not None and matter.case.body:
        yield ""
        yield from map(clean, matter.case.body.splitlines())


def _judgement(what: str, review: Review) -> Iterator[str]:
    yield f"{what}: {'accepted' if review.accepted else 'rejected'} {_by(review.by)}"
    yield from (f"  {clean(line)}" for line in review.reason.splitlines())


def standing_in(matter: Matter) -> Case:
    """The case; for a window that no case is about yet one that a form can be filled in for."""
    if matter.case is not None:
        return matter.case
    incident = matter.openings[0].incident if matter.openings else ""
    return Case(CaseKey(matter.key), f"break-glass window for {clean(incident)}", (), "high", grant=matter.grants[0])


def _open(matter: Matter, now: datetime) -> bool:
    return any(one.until > now for one in matter.openings)


def _account(document: Document) -> Iterator[str]:
    behalf = f" for {', '.join(map(clean, document.on_behalf_of))}" if document.on_behalf_of else ""
    yield f"Documented {_by(document.by)}{behalf}{', offline' if document.offline else ''}"
    for name in ("why", "incident", "done", "told", "way_back", "outage"):
        text: str = getattr(document, name)
        for number, line in enumerate(text.splitlines()):
            label = "" if number else f"{name.replace('_', '-')}:"
            yield f"  {label:<10}{clean(line)}"


def _document(document: Document) -> dict[str, Any]:
    names = ("why", "incident", "done", "told", "way_back", "outage", "offline")
    fields = {name: getattr(document, name) for name in names}
    return {**_proof(document.by), **fields, "on_behalf_of": list(document.on_behalf_of)}


def _review(review: Review) -> dict[str, Any]:
    return {**_proof(review.by), "accepted": review.accepted, "reason": review.reason}


def _proof(by: Proof) -> dict[str, Any]:
    return {
        "by": by.person,
        "how": by.how,
        "principal": by.principal,
        "said_at": _iso(by.said_at),
        "received_at": _iso(by.received_at),
    }


def _by(by: Proof) -> str:
    late = f", received {_time(by.received_at)}" if (by.received_at - by.said_at).total_seconds() > 600 else ""
    how = {"signature": "signed", "ticket": "in the ticket", "socket": "by the control socket"}[by.how]
    return f"by {clean(by.person)} {_time(by.said_at)} ({how} as {clean(by.principal)}{late})"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"

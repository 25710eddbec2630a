"""Reviews of cases: whose count, of what, and when one lets a case close.

Hides that a review is only of what its reviewer could see, and that nobody reviews what they did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from agent.clean import clean, several
from agent.emergency import said_at
from agent.model import Action, Case, Close, Emergency, Review, Update
from agent.people import folded
from agent.plan.sight import Sight
from agent.plan.story import name

_NEWS = "news "
"""How the mark begins that says when a case last got new events."""
HIGH_RISK = "high-risk"
"""The mark of an emergency's case that one of its changes was of high risk: it takes a review after the work."""
_ALLOWED = ("authorised", "service-made")
_QUIET = (*_ALLOWED, "authorised-emergency", "unapplied", "excepted", "baselined")


def with_news(case: Case, at: datetime) -> Case:
    """The case, marked as having got new events at that moment: what was reviewed before is reviewed again."""
    return replace(case, told=(*(mark for mark in case.told if not mark.startswith(_NEWS)), f"{_NEWS}{at.isoformat()}"))


def news_at(case: Case) -> datetime | None:
    """When the case last got new events after it was opened."""
    found = [mark.removeprefix(_NEWS) for mark in case.told if mark.startswith(_NEWS)]
    return datetime.fromisoformat(found[-1]) if found else None


def refusal(case: Case, review: Review) -> str:
    """Why a review of a case does not count; empty where it does."""
    who = {folded(one) for one in (review.by.person, review.by.principal) if one}
    if not who.isdisjoint(map(folded, case.actors)):
        return "who made a change cannot review it"
    since = news_at(case) or case.opened_at
    if since is not None and said_at(review) < since:
        return f"the case has changed since, at {since:%Y-%m-%d %H:%M:%S} UTC"
    return ""


def is_high_risk(emergencies: Sequence[Emergency], sight: Sight) -> bool:
    """Whether a change of an emergency is seen to be of high risk."""
    items = (item for one in emergencies for event in one.events for item in sight.judged.get(event, ()))
    return any(item.verdict.risk is not None and item.verdict.risk.level == "high" for item in items)


def after_work(case: Case, emergencies: Sequence[Emergency], sight: Sight) -> tuple[Review | None, str]:
    """The newest review after the work of an emergency's case, and why it does not count; empty where it does."""
    review = sight.emergency.after_work.get(case.key)
    if review is None:
        return None, ""
    acted = {folded(name) for one in emergencies for name in one.actors or (one.person,)}
    before = [one.review for one in emergencies if one.review is not None]
    if not acted.isdisjoint(folded(name) for name in (review.by.person, review.by.principal)):
        return review, "who acted cannot review"
    if len(before) < len(emergencies) or any(said_at(review) < said_at(one) for one in before):
        return review, "the document was not accepted before it"
    return review, refusal(case, review)


def is_owed(case: Case, emergencies: Sequence[Emergency], sight: Sight) -> bool:
    """Whether an emergency's case still takes a review after the work."""
    review, why = after_work(case, emergencies, sight)
    return HIGH_RISK in case.told and (review is None or bool(why) or not review.accepted)


def told_of(review: Review) -> str:
    """The mark that a review was told of."""
    return f"reviewed {review.id}"


def reviewed(case: Case, review: Review, sight: Sight) -> Action | None:
    """What a review makes of an ordinary case; each is told of once."""
    mark = told_of(review)
    who, reason = clean(review.by.person), clean(review.reason) or "no reason given"
    refused = refusal(case, review)
    differing = [one for one in case.findings if not (sight.settled(one) or sight.tolerated(one))]
    if not refused and review.accepted and not differing:
        return Close(case, f"reviewed and accepted by {who}: {reason}; nothing differs any more that may not")
    if mark in case.told:
        return None
    if refused:
        note = f"The review by {who} does not count: {refused}."
    elif not review.accepted:
        note = f"Rejected by {who}: {reason}"
    else:
        names = [name(sight.findings[one]) for one in differing if one in sight.findings]
        left = several(names, 20) or "what was not read"
        note = f"Accepted by {who}: {reason}\nThe case stays open until nothing differs any more: {left}"
    return Update(replace(case, told=(*case.told, mark)), note)


def found_late(case: Case, sight: Sight) -> str:
    """Why every change of a case needs no answer any more: the tickets that were found; empty where one still does."""
    if any(map(sight.beyond, case.findings)):
        return ""  # what else there is about them is not known
    outcomes: Sequence[set[str]] = [set(sight.outcomes(event)) for event in case.events]
    if not outcomes or not all(one and one.issubset(_ALLOWED) for one in outcomes):
        return ""
    members = [sight.findings[one] for one in case.findings if one in sight.findings]
    if any(one.verdict.outcome not in _QUIET for one in members):
        return ""
    refs = {item.verdict.ticket for event in case.events for item in sight.judged[event]} - {""}
    by = f": {several(sorted(refs), 10)}" if refs else ""
    return f"every change in it turned out to have been authorised before it was made{by}"

"""The life of an emergency's case: documented, reviewed, brought back under control, and reminded of all three.

Hides which reminder is due once, what a later call makes undone, and that nothing but an accepted review by somebody
else, of all there is, lets such a case close; after changes of high risk a second one, after the work.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from agent.emergency import said_at
from agent.model import Action, Case, Close, Emergency, Finding, FindingId, Review, Update
from agent.plan import reviewing, wording
from agent.plan.sight import Sight
from agent.plan.story import worst

_WEEK = timedelta(days=7)
_UNDOCUMENTED = ("overdue", "rejected", "awaiting-document")
OPEN = "open"
"""Stage of a window's case while nothing was called in it."""
AFTER_WORK = "post-implementation"
"""Stage of a case that is under control again, and takes a review after the work."""
_ENDS = ("way-back", AFTER_WORK)
_STAGES = (*_UNDOCUMENTED, "awaiting-review", "accepted")
"""The most pressing first: of several emergencies in one case the most pressing makes its stage."""


def begun(case: Case, emergencies: Sequence[Emergency], sight: Sight) -> Case:
    """A new case with where its emergencies stand; reminders whose time has passed are not sent any more."""
    if not emergencies:
        return case
    case = _at(case, emergencies, sight)
    marks, _ = _due(case, emergencies, sight)
    return _graver(replace(case, told=tuple(dict.fromkeys((*case.told, *marks)))))


def filed(case: Case, emergencies: Sequence[Emergency], sight: Sight, members: Sequence[Finding]) -> Case:
    """A held case that turned out to be an emergency's, as it is filed."""
    case = begun(replace(case, state="open", grant=case.grant or emergencies[0].id), emergencies, sight)
    return replace(case, body=wording.body(case, emergencies, members, sight.emergency.escalate))


def followed(
    before: Case,
    grown: Case,
    news: str,
    emergencies: Sequence[Emergency],
    sight: Sight,
) -> Action | None:
    """What is new about an open case: `grown` is the case with its new events, `news` what there is to say of them."""
    case = _at(replace(grown, grant=before.grant or emergencies[0].id), emergencies, sight)
    differing = _differing(case, emergencies, sight)
    if case.stage == "way-back" and not differing and not news:
        return Close(case, _ended(case, emergencies, sight))
    shown = [sight.findings[finding] for finding in differing if finding in sight.findings]
    notes = [news] if news else []
    first = not before.grant or before.stage == OPEN
    if first:
        # Of a window that has a case already the approvers were told when it was declared.
        notes.insert(0, wording.joined(case, emergencies, () if before.grant else sight.emergency.escalate))
    known = {one.id for one in before.emergencies}
    others = [] if first else [one for one in emergencies if one.id not in known]
    if others:
        notes.insert(0, wording.another(others, sight.emergency.escalate))
    if _moved(before, case) and (not first or case.stage != "awaiting-document"):
        notes.append(wording.stage(case, emergencies, shown))
    elif arrived := _arrived(before, emergencies):
        # What arrived must be kept with the case, or it would arrive in every scan.
        notes += [] if notes else [f"{wording.arrived(arrived)}."]
        notes += wording.unseen(before.emergencies, emergencies)
    if not first and reviewing.HIGH_RISK in {*case.told} - {*before.told}:
        notes.append(wording.AFTER_WORK)
    review, why = reviewing.after_work(case, emergencies, sight)
    if review is not None and reviewing.told_of(review) not in case.told:
        case = replace(case, told=(*case.told, reviewing.told_of(review)))
        notes.append(wording.after_work(review, why))
    marks, note = _due(case, emergencies, sight)
    if marks and marks[-1] not in case.told:
        case = replace(case, told=tuple(dict.fromkeys((*case.told, *marks))))
        notes.append(note)
    case = _graver(case)
    if not notes and case.severity == before.severity:
        return None
    return Update(case, "\n\n".join(notes))


def _graver(case: Case) -> Case:
    """A case whose deadline has passed is of high severity at least."""
    return replace(case, severity=worst([case.severity, "high"])) if "overdue" in case.told else case


def _differing(case: Case, emergencies: Sequence[Emergency], sight: Sight) -> list[FindingId]:
    """Findings of the case, or with calls of its emergencies, that are not under control again."""
    made = {event for one in emergencies for event in one.events}
    its = dict.fromkeys((*case.findings, *sight.showing(made)))
    return [finding for finding in its if not (sight.settled(finding) or sight.others(finding, made))]


def _ended(case: Case, emergencies: Sequence[Emergency], sight: Sight) -> str:
    """Why the case is closed: who accepted it, and what still differs that is not its doing."""
    review, why = reviewing.after_work(case, emergencies, sight)
    others = (sight.findings[one] for one in case.findings if one in sight.findings and not sight.settled(one))
    return wording.accepted(emergencies, None if why else review, list(others))


def _at(case: Case, emergencies: Sequence[Emergency], sight: Sight) -> Case:
    """The case with its stage, deadline and what of the reminders still holds."""
    undocumented = [one for one in emergencies if one.state in _UNDOCUMENTED]
    deadline = min(one.deadline for one in undocumented or emergencies)
    told = case.told
    if reviewing.HIGH_RISK not in told and reviewing.is_high_risk(emergencies, sight):
        told = (*told, reviewing.HIGH_RISK)
    stage = _stage(replace(case, told=told), emergencies, sight)
    if deadline != case.deadline:
        told = _without(told, "reminder-", "overdue")
    if stage != case.stage:
        told = _without(told, "review-", "way-back-", AFTER_WORK)
        told = (*told, f"{_SINCE}{sight.at.isoformat()}") if stage == AFTER_WORK else told
    return replace(case, stage=stage, deadline=deadline, told=told, emergencies=tuple(emergencies))


_SINCE = f"{AFTER_WORK} since "


def _without(told: Iterable[str], *begins: str) -> tuple[str, ...]:
    return tuple(mark for mark in told if not mark.startswith(begins))


def _stage(case: Case, emergencies: Sequence[Emergency], sight: Sight) -> str:
    """Where the case stands: at the most pressing of its emergencies."""
    state = min((one.state for one in emergencies), key=_STAGES.index)
    if state != "accepted":
        return state
    if not _all_reviewed(case, emergencies, sight.reviews.get(case.key)):
        return "awaiting-review"
    if case.stage in _ENDS and any(map(sight.beyond, case.findings)):
        return case.stage  # how far the way back has come, only a look at all of it can tell
    if reviewing.is_owed(case, emergencies, sight) and not _differing(case, emergencies, sight):
        return AFTER_WORK
    return "way-back"


def _all_reviewed(case: Case, emergencies: Sequence[Emergency], review: Review | None) -> bool:
    """Whether the reviews are of everything the case holds: later evidence, and changes that are no emergency's."""
    since = reviewing.news_at(case)
    reviews = [one.review for one in emergencies if one.review is not None]
    if since is not None and any(said_at(one) < since for one in reviews):
        return False
    loose = set(case.events) - {event for one in emergencies for event in one.events}
    return not loose or (review is not None and review.accepted and not reviewing.refusal(case, review))


def _moved(before: Case, case: Case) -> bool:
    """Whether the stage, the deadline, or the document or review that counts is another."""

    def said(of: Case) -> set[str]:
        return {said.id for one in of.emergencies for said in (one.document, one.review) if said is not None}

    return (before.stage, before.deadline) != (case.stage, case.deadline) or said(before) != said(case)


def _arrived(before: Case, emergencies: Sequence[Emergency]) -> int:
    """How many calls came to light that the case does not know of."""
    known = {(one.id, each) for one in before.emergencies for each in one.arrivals}
    return sum(each.calls for one in emergencies for each in one.arrivals if (one.id, each) not in known)


def _due(case: Case, emergencies: Sequence[Emergency], sight: Sight) -> tuple[list[str], str]:
    """Marks of every reminder whose time has come, and what the latest of them says."""
    now, deadline = sight.at, case.deadline
    if case.stage in _UNDOCUMENTED and deadline is not None:
        passed = sorted((one for one in sight.emergency.remind if now >= deadline - one), reverse=True)
        marks = [f"reminder-{wording.period(one).replace(' ', '')}" for one in passed]
        if now > deadline:
            return [*marks, "overdue"], wording.escalation(case, sight.emergency.escalate)
        return marks, wording.reminder(case, deadline - now)
    if case.stage == "awaiting-review":
        since = max((said_at(one.document) for one in emergencies if one.document), default=now)
        return _weekly("review", since, now, "a review is waited for")
    if case.stage == AFTER_WORK:
        marks = [mark.removeprefix(_SINCE) for mark in case.told if mark.startswith(_SINCE)]
        return _weekly(AFTER_WORK, datetime.fromisoformat(marks[-1]), now, "a review after the work is waited for")
    since = max((said_at(one.review) for one in emergencies if one.review), default=now)
    return _weekly("way-back", since, now, "reviewed, and not yet under control again,")


def _weekly(name: str, since: datetime, now: datetime, what: str) -> tuple[list[str], str]:
    days = (now - since) // _WEEK * 7
    return ([f"{name}-{days}d"], wording.ageing(what, days)) if days > 0 else ([], "")

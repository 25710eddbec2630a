"""The tests that ask no ticket for its approval: may they, was it reviewed and checked, was there a freeze, was it an
emergency.

Hides when evidence counts: a test nobody lists by name is asked where there is evidence, and left out where not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from datetime import datetime
from fnmatch import fnmatchcase

from agent.authorise.question import Question
from agent.authorise.terms import Terms, shown
from agent.model import Emergency, Test

_ALL_CLEAR = Test("freeze", "pass", "no change freeze was on")
_WORST = ("fail", "unknown", "pass")


def permitted(asked: Question, _terms: Terms | None, _at: datetime, explicit: bool) -> Test | None:
    """Whether a group of the actor may change every environment concerned.

    Of a pipeline its own name counts as a group, and so do the groups of whoever merged the commit.
    """
    tests = list(_permitted(asked, explicit))
    return min(tests, key=lambda test: _WORST.index(test.result)) if tests else None


def _permitted(asked: Question, explicit: bool) -> Iterator[Test]:
    allowed = asked.grounds.authority.permitted
    for environment in asked.place.environments:
        found = [_lists(allowed, names or {""}) for names in environment.sides]
        for lists, where in zip(found, (environment.name, *sorted(environment.before)), strict=True):
            if lists:
                wanted_groups = {group.casefold(): group for groups in lists for group in groups}
                yield _may(asked, where or "what belongs nowhere", wanted_groups)
        if any(found):
            continue
        if allowed and not environment.name:
            said = "the environment is not known: neither stack nor account has one"
            yield Test("permitted", "unknown", said)
        elif explicit:
            said = f"nothing says who may change {environment.name or 'what belongs nowhere'}"
            yield Test("permitted", "fail", said)


def _lists(allowed: Mapping[str, tuple[str, ...]], names: Set[str]) -> list[tuple[str, ...]]:
    """The groups of every entry that is for an environment of these names."""
    return [groups for wanted, groups in allowed.items() if any(fnmatchcase(name, wanted.casefold()) for name in names)]


def _may(asked: Question, where: str, wanted: Mapping[str, str]) -> Test:
    actor, mine = asked.change.actor, asked.credential.groups
    parties = {asked.credential.person: mine}
    for name in asked.credential.mergers:
        parties[name] = asked.grounds.people.groups(name, asked.change.time)
    for name, groups in parties.items():
        shared = sorted(set(wanted) & groups) if groups else []
        if shared:
            return Test("permitted", "pass", f"{name} is of {wanted[shared[0]]}, which may change {where}")
    # A pipeline that is not in the map stands for whoever had it run: they would have to be known.
    machine = bool(asked.credential.trusted) and not (actor.person or actor.groups or actor.team)
    unknown = [name for name, groups in parties.items() if groups is None or (machine and not asked.credential.mergers)]
    may = ", ".join(sorted(wanted.values()))
    if unknown:
        said = f"{where} may be changed by {may}; the groups of {', '.join(sorted(unknown))} are not known"
        return Test("permitted", "unknown", said)
    who = ", ".join(sorted(parties))
    return Test("permitted", "fail", f"{where} may be changed by {may}, none of which {who} is of")


def review(asked: Question, _terms: Terms | None, at: datetime, explicit: bool) -> Test | None:
    """Whether the applied commit was approved by somebody other than its author."""
    if asked.credential.merges:
        return asked.grounds.merges.review(asked.credential.merges, at, asked.change.time)
    return _no_merge("review", asked, explicit)


def checks(asked: Question, _terms: Terms | None, _at: datetime, explicit: bool) -> Test | None:
    """Whether the required checks of the applied commit passed."""
    merges, found = asked.credential.merges, asked.credential.checks
    if not merges:
        return _no_merge("checks", asked, explicit)
    return found or (Test("checks", "fail", f"commit {merges[0].commit[:12]} has no checks") if explicit else None)


def unread(asked: Question) -> str:
    """Why nothing is known of the commit that was applied, though a forge may know it; empty: it would be known."""
    commit = _commit(asked)
    if asked.credential.merges or not commit or not asked.grounds.unread:
        return ""
    return f"commit {commit[:12]} was not looked up: {asked.grounds.unread}"


def _commit(asked: Question) -> str:
    """What a trusted pipeline's run applied; of others it is not believed."""
    run = asked.change.actor.run
    return run.commit if run and asked.credential.trusted else ""


def _no_merge(name: str, asked: Question, explicit: bool) -> Test | None:
    if said := unread(asked):
        return Test(name, "unknown", said)
    if not explicit:
        return None
    commit = _commit(asked)
    return Test(name, "fail", f"no forge knows commit {commit[:12]}" if commit else "the applied commit is not known")


def freeze(asked: Question, terms: Terms | None, _at: datetime, explicit: bool) -> Test | None:
    """Whether no change freeze was on; a ticket for an emergency is above it."""
    grounds = asked.grounds
    calendar = grounds.authority.calendar
    if not calendar.asked and not calendar.freezes:
        return Test("freeze", "fail", "no change calendar is configured") if explicit else None
    on = list(grounds.freezes.at(asked.moment))
    asked.narrow(*grounds.freezes.steady(asked.moment))
    if not on and not calendar.unread:
        return _ALL_CLEAR
    if terms is not None and terms.ticket.kind == "emergency":
        return Test("freeze", "pass", f"{terms.ref} is for an emergency, which no freeze stops")
    if on:
        named = sorted(f"{one.name} ({shown(one.start)} to {shown(one.end)})" for one in on)
        return Test("freeze", "fail", f"change freeze: {', '.join(named)}")
    return Test("freeze", "unknown", "; ".join(sorted(calendar.unread)))


def breakglass(emergency: Emergency | None) -> Test:
    """Whether an emergency covers the change, and was or still can be accounted for in time."""
    if emergency is None:
        return Test("breakglass", "fail", "made in no emergency")
    said = f"{emergency.id}: {emergency.how}"
    document, review_ = emergency.document, emergency.review
    if emergency.state == "overdue":
        return Test("breakglass", "fail", f"{said}; not documented by {shown(emergency.deadline)}")
    if emergency.state == "rejected":
        by = f" by {review_.by.person}: {review_.reason}" if review_ else ""
        return Test("breakglass", "fail", f"{said}; its document was rejected{by}")
    if emergency.state == "awaiting-document":
        return Test("breakglass", "pass", f"{said}; to be documented by {shown(emergency.deadline)}")
    told = f"{said}; documented{f' by {document.by.person}' if document else ''}"
    told += f", after {shown(emergency.deadline)}" if emergency.late else ""
    if emergency.state == "accepted":
        return Test("breakglass", "pass", f"{told}; accepted{f' by {review_.by.person}' if review_ else ''}")
    return Test("breakglass", "pass", f"{told}; to be reviewed")


ASKED: Mapping[str, Callable[[Question, Terms | None, datetime, bool], Test | None]] = {
    "permitted": permitted,
    "review": review,
    "checks": checks,
    "freeze": freeze,
}
"""By name; they take whether the path lists them, and give None where they are not asked."""

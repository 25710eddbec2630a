"""What is new about cases already open, and which may close."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from agent.model import Action, Case, CaseKey, Close, Emergency, Finding, FindingId, Held, JudgedChange, Open, Update
from agent.plan import breakglass, reviewing, windows, wording
from agent.plan.flood import critical
from agent.plan.grouping import Groups
from agent.plan.opening import actors
from agent.plan.sight import Sight, events
from agent.plan.story import counted, several_named, story, worst


def follow_up(open_cases: Sequence[Case], groups: Groups, gone: Collection[FindingId], sight: Sight) -> list[Action]:
    """The actions on open cases; `gone` are findings that are no longer so."""
    told = set(sight.answered)
    actions: list[Action] = []
    brought: dict[CaseKey, list[Case]] = defaultdict(list)
    for case in open_cases:
        if case.key in groups.merged:
            brought[groups.merged[case.key].key].append(case)
    for case in open_cases:
        merged = brought.get(case.key, [])
        its = (one for each in (case, *merged) for one in sight.members(each))
        members = list({one.id: one for one in (*its, *groups.joining.get(case.key, ()))}.values())
        emergencies = sight.emergencies_of(case, [*members, *sight.elsewhere(case)] if case.state == "open" else ())
        into = groups.merged.get(case.key)
        news = events(members, told) if into is None and case.state == "open" else ()
        told.update(news)
        if into is not None:
            action: Action | None = Close(case, f"one emergency with case {into.key}: answered for there")
        elif emergencies:
            action = _emergency(case, members, news, merged, emergencies, sight)
        elif case.stage == breakglass.OPEN:
            action = windows.over(case, sight)
        elif case.state == "held":
            action = _held(case, members, groups.joining.get(case.key, ()), gone, sight)
        else:
            action = _ordinary(case, members, news, gone, sight)
        if action is not None:
            actions.append(action)
    return actions


def _held(
    case: Case, members: Sequence[Finding], joining: Sequence[Finding], gone: Collection[FindingId], sight: Sight
) -> Action | None:
    """Nobody is told of a held case: what its session goes on with waits with it, until it must not be held, or need
    not any longer."""
    grown = _grown(case, members, events(joining, sight.answered), sight) if joining else case
    if joining:
        grown = replace(grown, body=wording.grown(grown.body, joining))
    accounts = {sight.known.keys[one].account for one in case.findings if one in sight.known.keys}
    if (
        sight.brought(members)
        or case.key in sight.accepted_holds
        or any(critical(finding, sight) for finding in members)
        or any(finding.key.account not in accounts for finding in joining)
    ):
        return Open(replace(grown, state="open"))
    if joining:
        return Held((grown,), f"a session whose case is held went on: {several_named(joining)}")
    return _closed(case, gone, sight)


def _ordinary(
    case: Case, members: Sequence[Finding], news: Sequence[str], gone: Collection[FindingId], sight: Sight
) -> Action | None:
    if news:
        fresh = [finding for finding in members if _has(finding, news)]
        return Update(_grown(case, members, news, sight), "\n\n".join(story(one, news) for one in fresh))
    more = counted(members, case.told)
    if more or _louder(case, members, sight):
        grown = replace(case, told=(*case.told, *more))
        return Update(_grown(grown, members, (), sight), "\n\n".join(map(story, members)))
    review = sight.reviews.get(case.key)
    closed = _closed(case, gone, sight)
    return reviewing.reviewed(case, review, sight) if closed is None and review is not None else closed


def _closed(case: Case, gone: Collection[FindingId], sight: Sight) -> Close | None:
    """With a change behind it a person must answer, even when the resource was put back since."""
    if not case.events and all(finding in gone for finding in case.findings):
        return Close(case, "what was found is no longer so")
    late = reviewing.found_late(case, sight)
    return Close(case, late) if late else None


def _emergency(
    case: Case,
    members: Sequence[Finding],
    news: Sequence[str],
    merged: Sequence[Case],
    emergencies: Sequence[Emergency],
    sight: Sight,
) -> Action | None:
    """An emergency's case, with those that are merged into it. It is not held."""
    grown = _grown(case, members, news, sight)
    others = (finding for other in merged for finding in other.findings)
    grown = replace(
        grown,
        findings=tuple(dict.fromkeys((*grown.findings, *others))),
        actors=tuple(sorted({*grown.actors, *(one for other in merged for one in other.actors)})),
    )
    if case.state == "held":
        return Open(breakglass.filed(grown, emergencies, sight, members))
    fresh = [finding for finding in members if _has(finding, news)]
    loose = sight.loose(emergencies, members)
    same = "is about the same emergency, and answered for here"
    notes = [f"Case {other.key} {same}: {other.title}" for other in merged]
    if case.stage == breakglass.OPEN:
        grown = replace(grown, body=wording.body(grown, emergencies, members, (), loose))
    else:
        new = _unshown(loose, sight)
        grown = replace(grown, body=wording.grown(grown.body, fresh, new))
        notes = [*wording.unshown(new), *notes]
    return breakglass.followed(
        case, grown, "\n\n".join([*(story(one, news) for one in fresh), *notes]), emergencies, sight
    )


def _unshown(loose: Iterable[JudgedChange], sight: Sight) -> list[JudgedChange]:
    """Of calls of emergencies those that came to light, and of which no finding tells."""
    return [
        item
        for item in loose
        if sight.remembered.isdisjoint(item.change.event_ids) and not sight.showing(item.change.event_ids)
    ]


def _has(finding: Finding, news: Sequence[str]) -> bool:
    """Whether a finding shows some of these events."""
    return bool(set(events([finding], frozenset())) & set(news))


def _louder(case: Case, members: Sequence[Finding], sight: Sight) -> bool:
    """Whether drift that no call explains has made an open case graver than it was filed."""
    now = worst(violation.severity for violation in sight.broken_by(members))
    return worst([case.severity, now]) != case.severity


def _grown(case: Case, members: Sequence[Finding], news: Sequence[str], sight: Sight) -> Case:
    violations = sight.broken_by(members)
    grown = replace(
        case,
        findings=tuple(dict.fromkeys((*case.findings, *(finding.id for finding in members)))),
        events=(*case.events, *news),
        severity=worst([case.severity, *(violation.severity for violation in violations)]),
        rules=tuple(sorted({*case.rules, *(violation.rule for violation in violations)})),
        controls=tuple(sorted({*case.controls, *(one for violation in violations for one in violation.controls)})),
        actors=tuple(sorted({*case.actors, *actors(members, news)})),
    )
    return reviewing.with_news(grown, sight.at) if news else grown

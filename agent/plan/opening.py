"""A new case: its key, its title and what it says.

Hides that an emergency's case is keyed by the emergency, and opened again where more calls of it come to light after it
was closed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from agent.emergency import case_key
from agent.model import Case, CaseKey, Emergency, Finding
from agent.plan import breakglass, reviewing, wording
from agent.plan.sight import Sight, events
from agent.plan.story import counted, story, title, to_answer, worst


def new_case(members: Sequence[Finding], sight: Sight) -> Case:
    """A new case, keyed by its first event: what comes to light later does not change its key."""
    violations = sight.broken_by(members)
    found = events(members, sight.answered)
    seed = found[0] if found else f"{members[0].id} {[d.live for d in members[0].differences]!r}"
    case = Case(
        CaseKey(hashlib.blake2b(seed.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()),
        title(members),
        tuple(finding.id for finding in members),
        worst(violation.severity for violation in violations),
        rules=tuple(sorted({violation.rule for violation in violations})),
        controls=tuple(sorted({control for violation in violations for control in violation.controls})),
        opened_at=sight.at,
        body="\n\n".join(story(finding) for finding in members),
        events=found,
        actors=actors(members, found),
        told=counted(members),
    )
    grants = _grants(members, found, sight)
    return _emergency(case, grants, members, sight) if grants else case


def answering(one: Emergency, sight: Sight) -> Case:
    """The case of an emergency that no open case is about: its calls are in no finding, or in a case that is closed."""
    members = [sight.findings[finding] for finding in sight.showing(one.events)]
    violations = sight.broken_by(members)
    case = Case(
        CaseKey(one.case),
        "",
        tuple(finding.id for finding in members),
        worst(violation.severity for violation in violations),
        rules=tuple(sorted({violation.rule for violation in violations})),
        controls=tuple(sorted({control for violation in violations for control in violation.controls})),
        opened_at=sight.at,
        events=tuple(event for event in one.events if event not in sight.answered),
        actors=tuple(sorted(one.actors or (one.person,))),
    )
    return _emergency(case, [one.id], members, sight)


def actors(members: Sequence[Finding], among: Sequence[str]) -> tuple[str, ...]:
    """Who made the changes of these events: ids in the identity map, else names."""
    its = set(among)
    made = (change for finding in members for change in to_answer(finding) if not its.isdisjoint(change.event_ids))
    return tuple(sorted({change.actor.person or change.actor.name for change in made}))


def _grants(members: Sequence[Finding], found: Sequence[str], sight: Sight) -> list[str]:
    """Ids of the emergencies the events are of, in the order of the events."""
    its = set(found)
    of_event = {
        event: sight.grant(item)
        for finding in members
        for item in finding.changes
        if not its.isdisjoint(item.change.event_ids)
        for event in item.change.event_ids
    }
    return list(dict.fromkeys(grant for event in found if (grant := of_event.get(event, ""))))


def _emergency(case: Case, grants: Sequence[str], members: Sequence[Finding], sight: Sight) -> Case:
    known = [sight.emergencies[grant] for grant in grants if grant in sight.emergencies]
    key = CaseKey(known[0].case) if known else case_key(grants[0])
    case = replace(
        case,
        key=key,
        title=wording.title(members, known, grants[0]),
        severity=worst([case.severity, "medium"]),
        grant=grants[0],
    )
    earlier = sight.closed(key)
    if earlier is not None:
        case = replace(
            case,
            findings=tuple(dict.fromkeys((*earlier.findings, *case.findings))),
            events=tuple(dict.fromkeys((*earlier.events, *case.events))),
            actors=tuple(sorted({*earlier.actors, *case.actors})),
            told=tuple(mark for mark in earlier.told if mark == reviewing.HIGH_RISK),
        )
        case = reviewing.with_news(case, sight.at)
    case = breakglass.begun(case, known, sight)
    loose = sight.loose(known, members)
    return replace(case, body=wording.body(case, known, members, sight.emergency.escalate, loose))

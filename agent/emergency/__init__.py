"""Break-glass: which calls are one emergency, and what became of it by what people declared. Pure.

Hides how emergencies are found again from scan to scan: by their calls, and by the cases that remember them.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace
from datetime import datetime, timedelta

from agent.emergency.calls import Gathered, Grounds, gather, grant_of, order, session
from agent.emergency.course import Courses, case_key, said_at
from agent.model import (
    GLOBAL,
    NOT_JUDGED,
    Case,
    Change,
    Declaration,
    Emergency,
    EmergencyRole,
    Finding,
    FindingId,
    JudgedChange,
    Key,
)
from agent.people import Users

__all__ = ["case_key", "findings", "fold", "grant_of", "said_at", "session"]


def fold(
    changes: Sequence[Change],
    declarations: Sequence[Declaration],
    roles: Sequence[EmergencyRole],
    cases: Sequence[Case],
    now: datetime,
    *,
    document_within: timedelta,
    environments_of: Callable[[Key], Sequence[Set[str]]],
    users: Users,
    sessions: Sequence[Change] = (),
) -> tuple[Emergency, ...]:
    """Every emergency that calls were made in, and every one an open case is about, by first call.

    `changes`: the trail's and those remembered, actors looked up. `environments_of`: all that each environment of a
    target may be called, without case (`Environment.sides`); asked with an account's key where no target is known. A
    window for some environments covers a call only where every one of them is among these. `sessions`: role sessions
    begun (`Trail.sessions`). `declarations`: all there are; those received after `now` do not count yet. `cases`: all
    there ever were. The order of none of them matters.
    """
    heard = [one for one in declarations if one.by.received_at <= now]
    gathered = gather(changes, sessions, Grounds(heard, roles, cases, environments_of))
    meeting = _meeting(gathered, cases)
    courses = Courses(heard, users, document_within, now)
    found = {one.id: courses.emergency(one, meeting[one.id]) for one in gathered.values()}
    covered = {event for one in found.values() for event in one.events}
    for case in cases:
        for kept in case.emergencies if case.state != "closed" else ():
            if kept.id not in found and covered.isdisjoint(kept.events):
                # Its calls are older than all that was read; its document, review and way back are still awaited.
                found[kept.id] = courses.emergency(Gathered(kept.id, kept.how, kept.opening), [case])
    return tuple(sorted(found.values(), key=lambda one: (one.first, one.id)))


def _meeting(gathered: Mapping[str, Gathered], cases: Sequence[Case]) -> Mapping[str, list[Case]]:
    """Emergency → the cases about it, and those that hold some of its calls."""
    home = {event: one.id for one in gathered.values() for ids in one.calls for event in ids}
    found: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        grants = {case.grant, *(kept.id for kept in case.emergencies)} & gathered.keys()
        grants |= {home[event] for event in case.events if event in home}
        grants |= {home[event] for kept in case.emergencies for event in kept.events if event in home}
        for grant in grants:
            found[grant].append(case)
    return found


def findings(emergencies: Sequence[Emergency], sessions: Sequence[Change]) -> tuple[Finding, ...]:
    """A finding for each emergency in which nothing was changed: that the role was entered is answered for too.

    Its changes are the sign-ins, not judged yet; its key is the role. `sessions` as in `fold`.
    """
    begun = {event: one for one in sessions for event in one.event_ids}
    return tuple(
        _entered(one, sorted({begun[event].event_ids: begun[event] for event in one.events}.values(), key=order))
        for one in emergencies
        if one.events and all(event in begun for event in one.events)
    )


def _entered(emergency: Emergency, sign_ins: Sequence[Change]) -> Finding:
    first = sign_ins[0]
    key = Key(_account(first.actor.role) or first.account, GLOBAL, "aws_iam_role", first.actor.role)
    digest = hashlib.blake2b(f"emergency|{emergency.id}".encode(), digest_size=6).hexdigest()
    return Finding(
        FindingId(f"F-{digest}"),
        key,
        changes=tuple(JudgedChange(replace(one, targets=(key,)), NOT_JUDGED) for one in sign_ins),
        notes=(f"{emergency.how}: entered, and the trail shows nothing changed",),
    )


def _account(arn: str) -> str:
    parts = arn.split(":")
    return parts[4] if len(parts) > 5 else ""

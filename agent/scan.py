"""The line: what was collected in, what it means and what is to be done about it out. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from agent.attribute import Attributed, attribute
from agent.authorise import Estate, authorise, verdict
from agent.collected import BreakGlass, Carried, Collected, Permissive, Reading, Scan
from agent.compare import Hidden, compare
from agent.emergency import findings as emergency_findings
from agent.emergency import fold
from agent.exempt import Exempted, exempt
from agent.focus import all_of, remembered, state_key
from agent.judge import judge, trail_findings
from agent.model import (
    GLOBAL,
    Action,
    Case,
    CaseKey,
    Change,
    Drift,
    Finding,
    Gap,
    Held,
    JudgedChange,
    Key,
    Limit,
    Opening,
    Resource,
    Review,
    Scope,
    Snapshot,
    Status,
    Tolerated,
    Violation,
)
from agent.motion import in_motion, moving
from agent.named import OPERATIONAL
from agent.people import Users, known
from agent.performed import Performed, performed
from agent.plan import EmergencyPlan, plan
from agent.plan.near import to_judge
from agent.rereading import keep, reread
from agent.states import Told, tell

__all__ = ["BreakGlass", "Collected", "Permissive", "Reading", "Scan", "scan"]


def scan(got: Collected, now: datetime) -> Scan:
    """One pass of the line: compare → attribute → authorise → judge → plan."""
    got = replace(got, trail=known(got.trail, got.authority.directory))
    live = replace(got.live, gaps=(*got.live.gaps, *_never_read(got)))
    accepted = {key: reading.attributes for key, reading in got.accepted.items()}
    since = {key: reading.at for key, reading in got.accepted.items()}
    others = (*live.resources, *_elsewhere(got, accepted))
    compared = compare(got.declared, live, accepted, got.specs, complete=got.complete, focus=got.focus)
    attributed = _attributed(got, compared.drifts, others, since, now)
    mine = attributed.findings if got.focus.whole else attributed.about(got.focus.__contains__)
    read = reread(mine, got.states, got.declared.states, accepted, since, got.specs)
    told = _states(got, attributed.changes, now)
    estate = Estate((*all_of(got.declared), *others, *attributed.gone), got.specs, attributed.changes)
    got = _with_emergencies(got, attributed.changes, estate, now)
    exempted = _stories(got, read.findings, told, estate, now)
    findings = exempted.findings
    violations = judge(findings, got.rules, got.specs)
    changes = (*_judged(attributed, mine, got, estate, now), *told.changes)
    gaps = (*_gaps(got, live), *got.trail.gaps, *_unanswered(got))
    enforced = [violation for violation in violations if not violation.observed]
    unread = Hidden(gaps, got.focus)
    actions = _planned(got, enforced, findings, changes, unread, now)
    carried = _carried(got, findings)
    return Scan(
        at=now,
        read_at=got.live.taken_at,
        status=_status(actions, got, carried, findings, enforced, gaps),
        drifts=tuple(drift for drift in compared.drifts if drift not in read.excused),
        changes=changes,
        findings=findings,
        violations=violations,
        actions=actions,
        gaps=gaps,
        limits=(*got.declared.limits, *live.limits, *compared.limits, *read.limits, *_of_trail(got, attributed)),
        declared=sum(one.key in got.focus for one in got.declared.resources),
        compared=compared.resources,
        live=sum(one.key in got.focus for one in live.resources),
        attributes=compared.attributes,
        accept=_acceptable(got, findings),
        forget=_gone(got, unread),
        pending=got.declared.pending,
        states=got.declared.states,
        keep=keep(told.keep, got.states, read, got.declared.resources, got.focus),
        emergencies=got.authority.emergencies,
        performed=_performed(got, changes, estate, now),
        tolerated=_tolerated(got, exempted),
        hits=exempted.hits,
        focus=got.focus,
        carried=carried,
    )


def _elsewhere(got: Collected, accepted: Mapping[Key, Mapping[str, Any]]) -> Iterator[Resource]:
    """What is not read now, as it was last known: calls on it are aimed and judged as in a scan of everything."""
    if got.focus.keys is not None:
        for resource in remembered(accepted, got.known.findings.values(), got.specs):
            if resource.key not in got.focus:
                yield resource


def _gaps(got: Collected, live: Snapshot) -> Iterator[Gap]:
    """The gaps on either side that hide something the scan is about, and its states that were being written."""
    gaps, keys = (*got.declared.gaps, *live.gaps), got.focus.keys
    if keys is None:
        yield from (*gaps, *in_motion(got.declared.states))
        return
    yield from (gap for gap in gaps if any(map(gap.scope.covers, keys)))
    stacks = {one.stack for one in got.declared.resources if one.key in got.focus}
    yield from in_motion(read for read in got.declared.states if read.stack in stacks)


def _performed(got: Collected, changes: Sequence[JudgedChange], estate: Estate, now: datetime) -> tuple[Performed, ...]:
    """What came of the tickets; only who judges all changes can say that nothing did."""
    if got.focus.keys is not None:
        return ()
    return performed(got.authority.tickets.found, changes, got.trail, got.authority, estate, now)


def _tolerated(got: Collected, exempted: Exempted) -> Tolerated:
    may = got.permissive.tolerated
    return replace(may, problems=(*may.problems, *exempted.problems))


def _planned(
    got: Collected,
    violations: Sequence[Violation],
    findings: Sequence[Finding],
    changes: Sequence[JudgedChange],
    unread: Hidden,
    now: datetime,
) -> tuple[Action, ...]:
    """What to do about the violations, as far as people have not said already."""
    asked = got.breakglass
    said = sorted(asked.declarations, key=lambda one: (one.by.received_at, one.id))
    reviews = [one for one in said if isinstance(one, Review)]
    return plan(
        violations,
        findings,
        got.known,
        unread,
        Counter(resource.key.account for resource in got.declared.resources),
        now,
        emergency=EmergencyPlan(
            got.authority.emergencies,
            asked.remind,
            asked.escalate,
            openings=tuple(one for one in said if isinstance(one, Opening)),
            after_work={CaseKey(one.case): one for one in reviews if one.post_implementation},
            whole=not got.trail.gaps,
        ),
        reviews={CaseKey(one.case): one for one in reviews if not one.post_implementation},
        accepted_holds=asked.released,
        observed=lambda finding: finding.stack in got.observed,
        changes=changes,
    )


def _with_emergencies(got: Collected, changes: Sequence[Change], estate: Estate, now: datetime) -> Collected:
    """With the emergencies that calls were made in, which verdicts rest on."""
    asked, authority = got.breakglass, got.authority
    found = fold(
        changes,
        asked.declarations,
        asked.roles,
        got.known.cases,
        now,
        document_within=asked.document_within,
        environments_of=lambda key: estate.environment(key, authority.environments).sides,
        users=Users(authority.directory),
        sessions=got.trail.sessions,
    )
    return replace(got, authority=replace(authority, emergencies=found))


def _unanswered(got: Collected) -> Iterator[Gap]:
    """Tickets, people, freezes and replies that could not be asked for: who left, or documented, goes unnoticed."""
    authority = got.authority
    silent = (*authority.tickets.unanswered, *authority.tickets.merges_unread)
    yield from (Gap(Scope(type="tickets"), why) for why in dict.fromkeys(silent))
    yield from (Gap(Scope(type="identities"), why) for why in authority.directory.unread)
    yield from (Gap(Scope(type="calendars"), why) for why in authority.calendar.unread)
    yield from (Gap(Scope(type="replies"), why) for why in got.breakglass.unheard)


def _attributed(
    got: Collected, drifts: Sequence[Drift], others: Iterable[Resource], since: Mapping[Key, datetime], now: datetime
) -> Attributed:
    """Whose each difference is, as far as calls have come; `others` are what is known and not declared."""
    return attribute(
        drifts,
        got.trail,
        others,
        since,
        got.specs,
        first_seen=got.known.first_seen,
        now=now,
        grace=timedelta(seconds=got.authority.grace),
        declared=all_of(got.declared),
    )


def _judged(
    attributed: Attributed, mine: Iterable[Finding], got: Collected, estate: Estate, now: datetime
) -> Iterable[JudgedChange]:
    """The changes of the trail that matter to the scan, each with the verdict over all its targets."""
    changes, emergencies = attributed.changes, got.authority.emergencies
    for change in to_judge(changes, mine, got.known, emergencies, got.focus, got.news):
        yield JudgedChange(change, verdict(change, change.targets, got.authority, estate, now))


def _states(got: Collected, changes: Sequence[Change], now: datetime) -> Told:
    """What the states say that the scan is about; `changes` are the trail's, their targets filled in."""
    trail = replace(got.trail, changes=tuple(changes))
    states = tuple(read for read in got.declared.states if state_key(read) in got.focus)
    declared = got.declared if got.focus.keys is None else replace(got.declared, states=states)
    return tell(declared, got.states, got.earlier, trail, got.authority, now, got.known.first_seen)


def _stories(got: Collected, findings: Sequence[Finding], told: Told, estate: Estate, now: datetime) -> Exempted:
    """Every finding that matters, judged, and what of it is tolerated."""
    unsettled = moving(findings, got.declared.states)
    entered = emergency_findings(got.authority.emergencies, got.trail.sessions)
    judged = authorise((*findings, *entered), got.authority, estate, got.known.first_seen, now, unsettled)
    stories = [_noted(story, told.notes) for story in judged]
    settled = frozenset(one.id for one in got.authority.emergencies if one.state == "accepted")
    states = (one for one in told.findings if one.key in got.focus)
    # The trail is read whole by every scan, and what it tells of itself and of who came in does not wait.
    matter = [story for story in (*stories, *states, *trail_findings(got.trail)) if _matters(story, settled)]
    may = got.permissive
    return exempt(matter, may.tolerated, now, may.digest, may.critical, got.specs, estate.shared)


def _noted(finding: Finding, moved: Mapping[str, str]) -> Finding:
    """The finding with how its stack's state moved, where it tells of a change: state and cloud moved together."""
    note = moved.get(finding.stack)
    return replace(finding, notes=(*finding.notes, note)) if note and finding.changes else finding


def _never_read(got: Collected) -> list[Gap]:
    """Declared in an account or region nobody was told to read: not compared, and said so."""
    accounts = {account for account, _ in got.read}
    told = Hidden(got.live.gaps)
    outside = Counter(
        (resource.key.account, resource.key.region)
        for resource in got.declared.resources
        if resource.key not in told
        and resource.key in got.focus
        and (resource.key.account, resource.key.region) not in got.read
        and not (resource.key.region == GLOBAL and resource.key.account in accounts)
    )
    # Something is open there, and whoever took the region out of the configuration does not look whether it still is.
    left = Counter(
        (key.account, key.region)
        for key in set(got.known.keys.values())
        if key.type in got.specs
        and key in got.focus
        and not (key.region == GLOBAL and key.account in accounts)
        and (key.account, key.region) not in (*got.read, *outside)
        and key not in told
    )
    found = [(outside, "declared there, but not configured to be read")]
    found += [(left, "findings are open there, and it is not configured to be read any more")]
    return [
        Gap(Scope(account=account, region=region), why, count)
        for places, why in found
        for (account, region), count in sorted(places.items())
    ]


def _of_trail(got: Collected, attributed: Attributed) -> list[Limit]:
    """The trail's limits, and the calls whose target is not known: kept, judged, and told by name."""
    limits = list(got.trail.limits)
    if attributed.unresolved:
        actions = Counter(change.action for change in attributed.unresolved)
        named = ", ".join(f"{action} ×{count}" if count > 1 else action for action, count in sorted(actions.items()))
        why = f"changes by calls whose target is not known: {named}"
        limits.append(Limit(Scope(), why, len(attributed.unresolved)))
    return limits


def _matters(finding: Finding, settled: Set[str]) -> bool:
    """Drift, or a change that was not plainly allowed: the rest is evidence, counted and not reported one by one.

    `settled` are the emergencies that were reviewed and accepted: until then each of their changes matters.

    What is in no configured stack is listed, and no finding by itself; nor is that something was started or stopped.
    """
    if not finding.drifts and finding.changes and all(map(_is_operation, finding.changes)):
        return False
    quiet = ("authorised", "authorised-emergency", "service-made")
    if any(item.verdict.late for item in finding.changes):
        return True  # that the evidence came late is told, as long as the change is looked at
    granted = {item.verdict.grant for item in finding.changes} - {""}
    if granted - settled or (granted and finding.differences):
        return True  # what an emergency brought about matters until it is gone, in whatever stack it lies
    if finding.differences == finding.drifts and finding.to_explain == ():
        if finding.drifts and not finding.changes and not finding.unexplained:
            return False
        return bool(finding.unexplained) or finding.verdict.outcome not in quiet
    return True


def _is_operation(item: JudgedChange) -> bool:
    touches = item.change.touches
    return bool(touches) and all(touch.type in OPERATIONAL for touch in touches)


def _carried(got: Collected, told: Sequence[Finding]) -> Carried:
    """What looks read after a scan of the whole estate had: it is open, though the scan leaves it to them.

    What the trail tells of itself (`told`) no scan leaves to another.
    """
    without = got.focus.without
    if got.focus.keys is not None or not without:
        return Carried()
    again = {one.id for one in told}
    findings = tuple(one for one in got.known.findings.values() if one.key in without and one.id not in again)
    declared = sum(one.key in without for one in got.declared.resources if one.key.type in got.specs)
    live = sum(one.key in without for one in got.live.resources)
    return Carried(findings, tuple(judge(findings, got.rules, got.specs)), declared, live)


def _status(
    actions: Sequence[Action],
    got: Collected,
    carried: Carried,
    findings: Sequence[Finding],
    violations: Sequence[Violation],
    gaps: Sequence[Gap],
) -> Status:
    """Of what the scan is about, and of what others read for it."""
    findings = (*findings, *carried.findings)
    violations = (*violations, *(one for one in carried.violations if not one.observed))
    if got.focus.keys is not None:
        findings = [one for one in findings if one.key in got.focus]
        its = {one.id for one in findings}
        violations = [one for one in violations if one.finding in its]
    released = {action.case.key for action in actions if not isinstance(action, Held)}
    cases = [one for one in got.known.cases if one.state == "held" and _is_about(one, got)]
    waiting = any(case.key not in released for case in cases)
    if waiting or any(isinstance(action, Held) for action in actions):
        return "held"
    if violations or any(finding.verdict.outcome == "indeterminate" for finding in findings):
        return "violations"
    waiting = any(finding.verdict.outcome == "pending" for finding in findings)
    return "incomplete" if gaps or waiting else "clean"


def _is_about(case: Case, got: Collected) -> bool:
    """Whether a case is about something that the scan is about."""
    keys = (got.known.keys.get(finding) for finding in case.findings)
    return got.focus.keys is None or any(key in got.focus for key in keys if key is not None)


def _gone(got: Collected, unread: Hidden) -> tuple[Key, ...]:
    there = {resource.key for side in (got.declared, got.live) for resource in side.resources}
    return tuple(key for key in got.accepted if key not in there and key not in unread)


def _acceptable(got: Collected, findings: Sequence[Finding]) -> tuple[Resource, ...]:
    """Readings of declared resources and their parts that no open drift speaks against."""
    # What an emergency changed is no reference before it is reverted, or written into the code.
    settled = ("authorised", "service-made", "unapplied")
    disputed = {
        key
        for finding in findings
        for drift in finding.differences
        # Authority is not convergence: what the code sets and is not so stays drift, with the change that made it.
        if finding.verdict.outcome not in settled or drift.basis == "configured"
        for key in (drift.key, drift.part)
    }
    untold = Hidden(got.declared.gaps)
    declared = {resource.key for resource in got.declared.resources}
    stacks = {read.stack for read in got.declared.states if read.in_motion}
    writing = {resource.key for resource in got.declared.resources if resource.stack in stacks}
    return tuple(
        resource
        for resource in got.live.resources
        if got.focus.sees(resource)
        and (resource.key in declared or (resource.parent in declared and resource.key not in untold))
        and resource.key not in disputed
        and resource.key not in writing
        and resource.parent not in writing
    )

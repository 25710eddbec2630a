"""The line: what was collected in, what it means and what is to be done about it out. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from agent.attribute import Attributed, attribute
from agent.authorise import Estate, authorise, verdict
from agent.compare import Hidden, compare
from agent.judge import Rule, judge, trail_findings
from agent.model import (
    GLOBAL,
    Action,
    Authority,
    Case,
    Change,
    Drift,
    Finding,
    Gap,
    Held,
    JudgedChange,
    Key,
    Limit,
    Resource,
    Scope,
    Snapshot,
    StateRead,
    Status,
    Trail,
    Unapplied,
    Violation,
)
from agent.motion import in_motion, moving
from agent.named import OPERATIONAL
from agent.people import known
from agent.plan import Known, plan
from agent.rereading import reread
from agent.resources import Spec
from agent.states import Told, tell


@dataclass(frozen=True, slots=True)
class Reading:
    """A live reading nobody objected to, and when it was taken."""

    attributes: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class Collected:
    """Everything one scan looks at."""

    declared: Snapshot
    live: Snapshot
    trail: Trail
    read: frozenset[tuple[str, str]]
    """Account and region pairs the live reader was told to read."""
    accepted: Mapping[Key, Reading]
    known: Known
    authority: Authority
    rules: Sequence[Rule]
    specs: Mapping[str, Spec]
    complete: bool = False
    """Whether the declared side is all there is: `[estate] complete`."""
    states: Mapping[str, StateRead] = field(default_factory=dict)
    """Stack → its state as the last scan that could judge it read it."""
    earlier: tuple[Finding, ...] = ()
    """Open findings about states, from earlier scans."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What one scan found, and what is to be done."""

    at: datetime
    read_at: datetime
    """When the live side was read: from then on a change may be missing from it."""
    status: Status
    drifts: tuple[Drift, ...]
    changes: tuple[JudgedChange, ...]
    """Every change the trail showed, with the verdict over all its targets."""
    findings: tuple[Finding, ...]
    violations: tuple[Violation, ...]
    actions: tuple[Action, ...]
    gaps: tuple[Gap, ...]
    limits: tuple[Limit, ...]
    declared: int
    compared: int
    live: int
    attributes: int
    accept: tuple[Resource, ...]
    """Live readings to take as the reference for what the code does not set."""
    forget: tuple[Key, ...]
    """Accepted readings of what is gone from both sides: if it comes back, it is new."""
    pending: tuple[Unapplied, ...]
    """Resources that are merged and not applied as a whole."""
    states: tuple[StateRead, ...]
    """The states as they were read."""
    keep: tuple[StateRead, ...]
    """Of them, what the next scan holds its own reading against."""

    def unread(self) -> Hidden:
        """What this scan could not read: nothing inside it is fixed."""
        return Hidden(self.gaps)


def scan(got: Collected, now: datetime) -> Scan:
    """One pass of the line: compare → attribute → authorise → judge → plan."""
    got = replace(got, trail=known(got.trail, got.authority.directory))
    live = replace(got.live, gaps=(*got.live.gaps, *_never_read(got)))
    accepted = {key: reading.attributes for key, reading in got.accepted.items()}
    since = {key: reading.at for key, reading in got.accepted.items()}
    resources = (*got.declared.resources, *got.declared.named, *live.resources)

    compared = compare(got.declared, live, accepted, got.specs, complete=got.complete)
    attributed = _attributed(got, compared.drifts, resources, since, now)
    resources = (*resources, *attributed.gone)
    read = reread(attributed.findings, got.states, got.declared.states, accepted, since, got.specs)
    told = _states(got, attributed.changes, now)
    findings = _stories(got, read.findings, told, resources, now)
    violations = judge(findings, got.rules, got.specs)
    silent = _unanswered(got.authority)
    gaps = (*got.declared.gaps, *live.gaps, *got.trail.gaps, *silent, *in_motion(got.declared.states))
    per_account = Counter(resource.key.account for resource in got.declared.resources)
    actions = plan(violations, findings, got.known, Hidden(gaps), per_account, now)

    return Scan(
        at=now,
        read_at=got.live.taken_at,
        status=_status(actions, got.known.cases, findings, violations, gaps),
        drifts=tuple(drift for drift in compared.drifts if drift not in read.excused),
        changes=(*_judged(attributed.changes, got, Estate(resources), now), *told.changes),
        findings=findings,
        violations=violations,
        actions=actions,
        gaps=gaps,
        limits=(
            *got.declared.limits,
            *live.limits,
            *compared.limits,
            *read.limits,
            *got.trail.limits,
            *_unresolved(attributed.unresolved),
        ),
        declared=len(got.declared.resources),
        compared=compared.resources,
        live=len(live.resources),
        attributes=compared.attributes,
        accept=_acceptable(got, findings),
        forget=_gone(got, Hidden(gaps)),
        pending=got.declared.pending,
        states=got.declared.states,
        keep=tuple(replace(one, reread=read.fingerprints.get(one.stack, ())) for one in told.keep),
    )


def _unanswered(authority: Authority) -> Iterator[Gap]:
    """Tickets and people that could not be asked for: whoever left is not noticed meanwhile."""
    yield from (Gap(Scope(type="tickets"), why) for why in authority.tickets.unanswered)
    yield from (Gap(Scope(type="identities"), why) for why in authority.directory.unread)


def _attributed(
    got: Collected, drifts: Sequence[Drift], resources: Iterable[Resource], since: Mapping[Key, datetime], now: datetime
) -> Attributed:
    """Whose each difference is, as far as calls have come."""
    return attribute(
        drifts,
        got.trail,
        resources,
        since,
        got.specs,
        first_seen=got.known.first_seen,
        now=now,
        grace=timedelta(seconds=got.authority.grace),
    )


def _judged(changes: Sequence[Change], got: Collected, estate: Estate, now: datetime) -> Iterable[JudgedChange]:
    """Every change of the trail, with the verdict over all its targets."""
    for change in changes:
        yield JudgedChange(change, verdict(change, change.targets, got.authority, estate, now))


def _states(got: Collected, changes: Sequence[Change], now: datetime) -> Told:
    """What the states say; `changes` are the trail's, their targets filled in."""
    trail = replace(got.trail, changes=tuple(changes))
    return tell(got.declared, got.states, got.earlier, trail, got.authority, now, got.known.first_seen)


def _stories(
    got: Collected, findings: Sequence[Finding], told: Told, resources: Sequence[Resource], now: datetime
) -> tuple[Finding, ...]:
    """Every finding that matters, judged."""
    unsettled = moving(findings, got.declared.states)
    judged = authorise(findings, got.authority, resources, got.known.first_seen, now, unsettled)
    stories = [_noted(story, told.notes) for story in judged]
    return tuple(story for story in (*stories, *told.findings, *trail_findings(got.trail)) if _matters(story))


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
        and (resource.key.account, resource.key.region) not in got.read
        and not (resource.key.region == GLOBAL and resource.key.account in accounts)
    )
    return [
        Gap(Scope(account=account, region=region), "declared there, but not configured to be read", count)
        for (account, region), count in sorted(outside.items())
    ]


def _unresolved(changes: Sequence[Change]) -> list[Limit]:
    """Calls whose target is not known: kept, judged, and told by name."""
    if not changes:
        return []
    actions = Counter(change.action for change in changes)
    named = ", ".join(f"{action} ×{count}" if count > 1 else action for action, count in sorted(actions.items()))
    return [Limit(Scope(), f"changes by calls whose target is not known: {named}", len(changes))]


def _matters(finding: Finding) -> bool:
    """Drift, or a change that was not plainly allowed: the rest is evidence, counted and not reported one by one.

    What is in no configured stack is listed, and no finding by itself; nor is that something was started or stopped.
    """
    if not finding.drifts and finding.changes and all(map(_is_operation, finding.changes)):
        return False
    quiet = ("authorised", "authorised-emergency", "service-made")
    if finding.differences == finding.drifts and finding.to_explain == ():
        if finding.drifts and not finding.changes and not finding.unexplained:
            return False
        return bool(finding.unexplained) or finding.verdict.outcome not in quiet
    return True


def _is_operation(item: JudgedChange) -> bool:
    touches = item.change.touches
    return bool(touches) and all(touch.type in OPERATIONAL for touch in touches)


def _status(
    actions: Sequence[Action],
    cases: Sequence[Case],
    findings: Sequence[Finding],
    violations: Sequence[Violation],
    gaps: Sequence[Gap],
) -> Status:
    released = {action.case.key for action in actions if not isinstance(action, Held)}
    waiting = any(case.state == "held" and case.key not in released for case in cases)
    if waiting or any(isinstance(action, Held) for action in actions):
        return "held"
    if violations or any(finding.verdict.outcome == "indeterminate" for finding in findings):
        return "violations"
    waiting = any(finding.verdict.outcome == "pending" for finding in findings)
    return "incomplete" if gaps or waiting else "clean"


def _gone(got: Collected, unread: Hidden) -> tuple[Key, ...]:
    there = {resource.key for side in (got.declared, got.live) for resource in side.resources}
    return tuple(key for key in got.accepted if key not in there and key not in unread)


def _acceptable(got: Collected, findings: Sequence[Finding]) -> tuple[Resource, ...]:
    """Readings of declared resources and their parts that no open drift speaks against."""
    settled = ("authorised", "authorised-emergency", "service-made", "unapplied")
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
        if (resource.key in declared or (resource.parent in declared and resource.key not in untold))
        and resource.key not in disputed
        and resource.key not in writing
        and resource.parent not in writing
    )

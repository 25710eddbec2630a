"""The authorise stage: a verdict for every change, made of named tests, each with the evidence that decided it.

Hides how tests combine: required tests form paths, any path that passes authorises, and a test that cannot be
answered never passes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from agent.authorise import alike, grounds
from agent.authorise.estate import Estate, called
from agent.authorise.paths import PATHS, TESTS, has_valid_ticket
from agent.authorise.who import trusted
from agent.model import (
    OUTCOMES,
    Authority,
    Change,
    Finding,
    FindingId,
    JudgedChange,
    Key,
    Resource,
    Test,
    Verdict,
)
from agent.people import SURE

__all__ = ["PATHS", "SURE", "TESTS", "Estate", "authorise", "has_valid_ticket", "trusted", "verdict"]


def authorise(
    findings: Sequence[Finding],
    authority: Authority,
    resources: Iterable[Resource] | Estate,
    first_seen: Mapping[FindingId, datetime],
    now: datetime,
    moving: Mapping[FindingId, str] | None = None,
) -> tuple[Finding, ...]:
    """The findings with a verdict on each change, and on the finding the worst of its parts.

    `resources` are those of both sides, or the estate that was made of them. `first_seen` says when an open finding was
    first reported: one nobody explains is `pending` for `authority.grace`. `moving` are findings whose state was
    written while it was read, and why we think so: their drift is `pending`.
    """
    estate = resources if isinstance(resources, Estate) else Estate(resources)
    return tuple(
        _finding(finding, authority, estate, first_seen.get(finding.id, now), now, (moving or {}).get(finding.id, ""))
        for finding in findings
    )


def verdict(change: Change, targets: Sequence[Key], authority: Authority, estate: Estate, now: datetime) -> Verdict:
    """Was this change authorised for these targets, by what, and which tests say so."""
    if change.actor.kind == "service":
        return Verdict("service-made", (Test("actor", "pass", f"{change.actor.name}: {change.actor.how}"),))
    return alike.verdict(change, tuple(targets), grounds.of(authority, estate), now)


def _finding(
    finding: Finding, authority: Authority, estate: Estate, first_seen: datetime, now: datetime, moving: str
) -> Finding:
    judged, alone = [], (finding.key,)
    for item in finding.changes:
        # Only this resource's share of the call: a ticket may cover one target and not the other.
        targets = item.change.targets
        if targets != alone:
            targets = tuple(key for key in targets if key == finding.key or _part_of(key, finding, estate.known))
        judged.append(JudgedChange(item.change, verdict(item.change, targets, authority, estate, now)))
    verdicts = [item.verdict for item in judged]
    where = called((grounds.of(authority, estate).environment(finding.key),)) if finding.unexplained or moving else ""
    if moving and finding.differences:
        verdicts.append(Verdict("pending", (Test("actor", "unknown", moving),), environment=where))
    elif finding.unexplained:
        fresh = now - first_seen < timedelta(seconds=authority.grace)
        verdicts.append(replace(_unseen(finding, fresh), environment=where))
    if finding.differences != finding.drifts:
        verdicts.append(Verdict("unapplied"))
    by_events = {item.change.event_ids: item for item in judged}
    candidates = tuple(
        replace(candidate, change=by_events[candidate.change.event_ids].change) for candidate in finding.candidates
    )
    return replace(
        finding,
        changes=tuple(judged),
        candidates=candidates,
        unexplained=moving if moving and finding.differences else finding.unexplained,
        verdict=_worst(verdicts) if verdicts else finding.verdict,
    )


def _worst(verdicts: Sequence[Verdict]) -> Verdict:
    """The worst; among equals the latest, which is the one that explains how things are now."""
    return min(reversed(verdicts), key=lambda one: OUTCOMES.index(one.outcome))


def _part_of(key: Key, finding: Finding, known: Mapping[Key, Resource]) -> bool:
    return key in known and known[key].parent == finding.key


def _unseen(finding: Finding, fresh: bool) -> Verdict:
    """Drift no change explains: nobody can be asked for authority, which is not the same as nobody had it."""
    waiting = fresh and finding.verdict.outcome == "pending"
    return Verdict("pending" if waiting else "indeterminate", (Test("actor", "unknown", finding.unexplained),))

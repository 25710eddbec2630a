"""The attribute stage: which change explains which drift, and whose story each resource's is.

Hides that most changes matter to no drift: what drifted is explained at once, the stories of resources that were only
changed are told when asked for. Abstains below the threshold: "unknown" is an answer, the newest event is not.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from operator import attrgetter

from agent.clean import several
from agent.explain import Explanation, best_first, explain, joined
from agent.model import (
    NOT_JUDGED,
    Candidate,
    Change,
    Drift,
    Finding,
    FindingId,
    JudgedChange,
    Key,
    Resource,
    Trail,
    Verdict,
)
from agent.naming import Names, aimed
from agent.resources import Spec
from agent.unseen import Unseen

TOGETHER = timedelta(minutes=15)
"""How far apart two calls of one session may be that are one piece of work: the shortest session STS gives out.
https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html"""
GRACE = timedelta(minutes=15)

_WAITS = Verdict("pending")
_SURE = 0.9
"""Score from which a call is known to have made a difference, so that it is believed of another one sooner."""


class Attributed:
    """Findings without verdicts, and the changes they rest on."""

    def __init__(self, explained: tuple[Finding, ...], names: Names, trail: Trail, known: Mapping[int, Change]) -> None:
        """`known`: changes whose targets are known already, by their position in the trail."""
        self.explained = explained
        """Findings of what drifted, with their candidates."""
        self._names = names
        self._trail = trail
        self._known = known

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """Every change of the trail, its targets filled in."""
        return tuple(self._resolved(number, change) for number, change in enumerate(self._trail.changes))

    def _resolved(self, number: int, change: Change) -> Change:
        known = self._known.get(number)
        if known is not None:
            return known
        targets = self._names.targets(change)
        return aimed(change, targets) if targets != change.targets else change

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """One finding for each resource that drifted or was changed, in the order of their keys."""
        return self._told(self.explained, _stories(self.changes, self._names))

    def about(self, meant: Callable[[Key], bool]) -> tuple[Finding, ...]:
        """Of the findings those of the resources that are meant, for less than what all of them take."""
        owners = self._names.owners
        changes = [one for one in self.changes if any(map(meant, owners(one.targets)))]
        stories = {key: its for key, its in _stories(changes, self._names).items() if meant(key)}
        return self._told([one for one in self.explained if meant(one.key)], stories)

    def _told(self, explained: Sequence[Finding], stories: Mapping[Key, Sequence[Change]]) -> tuple[Finding, ...]:
        told = {finding.key for finding in explained}
        changed = (_finding(key, (), changes, self._names) for key, changes in stories.items() if key not in told)
        return tuple(sorted((*explained, *changed), key=_place))

    @property
    def unresolved(self) -> tuple[Change, ...]:
        """Changes that no resource could be found for."""
        return tuple(change for change in self.changes if not change.targets)

    @property
    def gone(self) -> tuple[Resource, ...]:
        """Parts that a call names and neither side has (a rule added and removed again), by name and parent alone."""
        self.changes  # noqa: B018  names are met where calls are looked at
        return tuple(self._names.gone[key] for key in sorted(self._names.gone))


def attribute(
    drifts: Sequence[Drift],
    trail: Trail,
    resources: Iterable[Resource],
    clean_since: Mapping[Key, datetime],
    specs: Mapping[str, Spec],
    *,
    first_seen: Mapping[FindingId, datetime] | None = None,
    now: datetime | None = None,
    grace: timedelta = GRACE,
    declared: Sequence[Resource] = (),
) -> Attributed:
    """One finding per resource that drifted or was changed, with its changes and ranked candidates.

    `resources` are those of both sides, and the declared ones of types that nobody compares (or these, as `declared`);
    `clean_since` says when a key's live reading was last accepted: earlier changes explain nothing. `first_seen` is
    when an open finding was first reported, `now` the time of the scan (else the end of the trail), `grace` how long
    calls take to arrive. Verdicts are placeholders until the authorise stage: `pending` where evidence may yet arrive.
    """
    by_key: dict[Key, list[Drift]] = defaultdict(list)
    for drift in drifts:
        by_key[drift.key].append(drift)
    names = Names(resources, specs, by_key, declared)
    known = names.concerning(trail.changes, by_key.keys())
    stories = _stories(known.values(), names)
    unseen = Unseen(trail, first_seen or {}, now or trail.end, grace)
    explained = (
        _explained(_finding(key, by_key[key], stories.get(key, ()), names), clean_since.get(key), unseen, specs)
        for key in sorted(by_key, key=_parts)
    )
    return Attributed(tuple(explained), names, trail, known)


def _stories(changes: Iterable[Change], names: Names) -> dict[Key, list[Change]]:
    """What was done to each resource and to those of its parts that have no story of their own; some of it twice."""
    done: dict[Key, list[Change]] = defaultdict(list)
    for change in changes:
        for target in change.targets:
            done[target].append(change)
    stories: dict[Key, list[Change]] = defaultdict(list)
    for target, its in done.items():
        stories[names.owner(target)] += its
    return stories


def finding_id(key: Key) -> FindingId:
    """Stable over scans, installs and lost databases: it depends on nothing but the resource."""
    return FindingId("F-" + hashlib.blake2b(str(key).encode("utf-8", "surrogatepass"), digest_size=6).hexdigest())


def _parts(key: Key) -> tuple[str, str, str, str]:
    return (key.account, key.region, key.type, key.id)


def _place(finding: Finding) -> tuple[str, str, str, str]:
    return _parts(finding.key)


_order = attrgetter("time", "event_ids")


def _finding(key: Key, drifts: Sequence[Drift], changes: Sequence[Change], names: Names) -> Finding:
    """A resource's story: what differs, and everything that was done to it."""
    resource = names.of(key)
    once = {change.event_ids: change for change in changes}.values() if len(changes) > 1 else changes
    return Finding(
        finding_id(key),
        key,
        address=resource.address if resource else "",
        stack=resource.stack if resource else "",
        owner=resource.owner if resource else "",
        drifts=tuple(drifts),
        changes=tuple(JudgedChange(change, _WAITS) for change in sorted(once, key=_order)),
        notes=() if key.type in names.specs else (f"{key.type} is not compared: only the calls on it are known",),
    )


def _explained(finding: Finding, clean_since: datetime | None, unseen: Unseen, specs: Mapping[str, Spec]) -> Finding:
    """The finding with what explains its drift, or why nothing does."""
    # eventTime has no fractions: a change of the same second may have come after the reading.
    since = clean_since.replace(microsecond=0) if clean_since else None
    recent = [item.change for item in finding.changes if since is None or item.change.time >= since]
    told = [explain(drift, recent, specs) for drift in finding.drifts]
    sure = {cause.change.event_ids for one in told for cause in one.causes if cause.score >= _SURE}
    if sure:
        told = [
            one if one.whole else explain(drift, recent, specs, sure)
            for one, drift in zip(told, finding.drifts, strict=True)
        ]
    groups = _together({cause.change.event_ids: cause.change for one in told for cause in one.causes}.values())
    unexplained = not all(
        one.whole or drift.note == "unlisted" for one, drift in zip(told, finding.drifts, strict=True)
    )
    return replace(
        finding,
        candidates=_candidates(told, groups),
        verdict=_WAITS if unseen.waits(finding.id, clean_since) else NOT_JUDGED,
        unexplained=unseen.why(finding.id, finding.key, clean_since) if unexplained else "",
        notes=(*finding.notes, *map(_said, groups)),
    )


def _candidates(told: Sequence[Explanation], groups: Sequence[Sequence[Change]]) -> tuple[Candidate, ...]:
    """What explains any of several differences, each change once, and which belong together."""
    if len(told) == 1 and not groups:
        return told[0].candidates
    reasons: dict[tuple[str, ...], list[Candidate]] = defaultdict(list)
    for one in told:
        for candidate in one.candidates:
            reasons[candidate.change.event_ids].append(candidate)
    others = {
        change.event_ids: tuple(one.event_ids for one in group if one is not change)
        for group in groups
        for change in group
    }
    found = (replace(joined(of_one), together=others.get(events, ())) for events, of_one in reasons.items())
    return tuple(sorted(found, key=best_first))


def _together(causes: Iterable[Change]) -> list[tuple[Change, ...]]:
    """Causes of one finding that are one explanation: a session's, each within `TOGETHER` of the one before."""
    groups: list[tuple[Change, ...]] = []
    last: dict[str, int] = {}
    for change in sorted(causes, key=_order):
        session = f"{change.session} {change.actor.arn or change.actor.name}"
        at = last.get(session)
        if at is not None and change.time - groups[at][-1].time <= TOGETHER:
            groups[at] = (*groups[at], change)
        else:
            last[session] = len(groups)
            groups.append((change,))
    return [group for group in groups if len(group) > 1]


def _said(group: Sequence[Change]) -> str:
    first, last = group[0], group[-1]
    actions = several(list(dict.fromkeys(change.action for change in group)))
    span = f"{first.time:%Y-%m-%d %H:%M:%S} to {last.time:%H:%M:%S} UTC"
    return f"one explanation: {len(group)} calls by {several([first.actor.name])}, {span}: {actions}"

"""The attribute stage: which change explains which drift, and whose story each resource's is.

Hides how a call's identifiers become keys, and how candidates are ranked. Abstains below the threshold: "unknown" is
an answer, the newest event is not.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from agent.equal import canonical
from agent.model import (
    GLOBAL,
    NOT_JUDGED,
    Candidate,
    Change,
    Drift,
    Finding,
    FindingId,
    JudgedChange,
    Key,
    Resource,
    Touch,
    Trail,
    Unknown,
    Verdict,
)
from agent.resources import Attribute, Spec

THRESHOLD = 0.5
"""Below it no change is named as the cause."""

_SET_IT = 0.95  # the call asked for exactly the value that is live
_MAY_HAVE = 0.7  # the call sets this attribute, its record does not show the value
_SOME_UPDATE = 0.4  # below THRESHOLD: the record names nothing that differs, so it is shown and never explains
_SET_OTHER = 0.2  # the call set this attribute to something that is not live now


@dataclass(frozen=True, slots=True)
class Attributed:
    """Findings without verdicts, and the changes no resource could be found for."""

    findings: tuple[Finding, ...]
    unresolved: tuple[Change, ...]
    changes: tuple[Change, ...]
    """Every change of the trail, its targets filled in."""
    gone: tuple[Resource, ...]
    """Parts that a call names and neither side has (a rule added and removed again), by name and parent alone."""


def attribute(
    drifts: Sequence[Drift],
    trail: Trail,
    resources: Iterable[Resource],
    clean_since: Mapping[Key, datetime],
    specs: Mapping[str, Spec],
) -> Attributed:
    """One finding per resource that drifted or was changed, with its changes and ranked candidates.

    `resources` are those of both sides; `clean_since` says when a key's live reading was last accepted: earlier
    changes explain nothing. Verdicts are placeholders until the authorise stage: `pending` where evidence may
    yet arrive.
    """
    names = _Names(resources, specs)
    changes = tuple(replace(change, targets=names.targets(change)) for change in trail.changes)
    by_owner: dict[Key, list[Change]] = defaultdict(list)
    for change in changes:
        for owner in dict.fromkeys(names.owner(key) for key in change.targets):
            by_owner[owner].append(change)
    by_key: dict[Key, list[Drift]] = defaultdict(list)
    for drift in drifts:
        by_key[drift.key].append(drift)
    findings = [
        _finding(key, by_key.get(key, []), by_owner.get(key, []), names, clean_since.get(key), trail)
        for key in sorted({*by_key, *by_owner})
    ]
    return Attributed(tuple(findings), tuple(c for c in changes if not c.targets), changes, tuple(names.gone.values()))


def finding_id(key: Key) -> FindingId:
    """Stable over scans, installs and lost databases: it depends on nothing but the resource."""
    return FindingId("F-" + hashlib.blake2b(str(key).encode("utf-8", "surrogatepass"), digest_size=6).hexdigest())


class _Names:
    """Every name a call may know a resource by, and which resource's story a part belongs to."""

    def __init__(self, resources: Iterable[Resource], specs: Mapping[str, Spec]) -> None:
        self.specs = specs
        self.known: dict[Key, Resource] = {}
        self._keys: dict[tuple[str, str, str], dict[Key, None]] = defaultdict(dict)
        self.gone: dict[Key, Resource] = {}
        whole: dict[tuple[str, str], Key] = {}
        for resource in resources:
            key = resource.key
            previous = self.known.get(key)
            if previous is None or (resource.address and not previous.address):
                self.known[key] = resource
            for name in (key.id, *resource.identifiers):
                self._keys[(key.account, key.type, name)][key] = None
            if resource.address and resource.parent is None:
                whole[(resource.stack, resource.address)] = key
        # A part written inside its parent's block shares the parent's address, and its story.
        self._own_story = {
            key
            for key, resource in self.known.items()
            if resource.address and whole.get((resource.stack, resource.address), key) == key
        }

    def targets(self, change: Change) -> tuple[Key, ...]:
        """Keys of everything the call acts on; a resource on neither side gets a key from the name the call used."""
        found: dict[Key, None] = {}
        for touch in change.touches:
            matches = [
                key
                for name in touch.ids
                for key in self._keys.get((change.account, touch.type, name), ())
                if key.region in (change.region, GLOBAL)
            ]
            if not matches and touch.ids:
                matches = [self._unseen(change, touch)]
            found.update(dict.fromkeys(matches))
        return tuple(found)

    def _unseen(self, change: Change, touch: Touch) -> Key:
        region = GLOBAL if self.specs[touch.type].is_global else change.region
        key = Key(change.account, region, touch.type, touch.ids[0])
        owner = self.owner(key)
        if owner != key:
            self.gone[key] = Resource(key, {}, parent=owner)
        return key

    def owner(self, key: Key) -> Key:
        """The resource whose story a change of `key` belongs to: a part that nobody declares is its parent's."""
        spec = self.specs[key.type]
        if spec.parent is None or key in self._own_story:
            return key
        resource = self.known.get(key)
        if resource is not None and resource.parent is not None:
            return resource.parent
        parts = key.id.split("|")
        if len(parts) != len(spec.identity):
            return key
        by_name = dict(zip(spec.identity, parts, strict=True))
        parent = "|".join(by_name.get(name, "") for name in spec.parent.identity)
        keys = self._keys.get((key.account, spec.parent.type, parent), {})
        region = GLOBAL if self.specs[spec.parent.type].is_global else key.region
        return next(iter(keys), Key(key.account, region, spec.parent.type, parent))


def _finding(
    key: Key,
    drifts: Sequence[Drift],
    changes: Sequence[Change],
    names: _Names,
    clean_since: datetime | None,
    trail: Trail,
) -> Finding:
    resource = names.known.get(key)
    # eventTime has no fractions: a change of the same second may have come after the reading.
    since = clean_since.replace(microsecond=0) if clean_since else None
    recent = [change for change in changes if since is None or change.time >= since]
    ranked: dict[tuple[str, ...], Candidate] = {}
    explained = True
    # Drift that began inside the window may still be explained by an event on its way.
    inside = clean_since is not None and clean_since >= trail.start
    for drift in drifts:
        candidates = rank(drift, recent, names.specs)
        due = drift.kind != "unapplied" and drift.note != "unlisted"
        explained = explained and (not due or (bool(candidates) and candidates[0].score >= THRESHOLD))
        for candidate in candidates:
            best = ranked.get(candidate.change.event_ids)
            if best is None or candidate.score > best.score:
                ranked[candidate.change.event_ids] = candidate
    return Finding(
        finding_id(key),
        key,
        address=resource.address if resource else "",
        stack=resource.stack if resource else "",
        owner=resource.owner if resource else "",
        drifts=tuple(drifts),
        candidates=tuple(sorted(ranked.values(), key=_best_first)),
        changes=tuple(JudgedChange(change, Verdict("pending")) for change in changes),
        verdict=Verdict("pending") if inside else NOT_JUDGED,
        unexplained="" if explained else _NOT_SEEN if inside else _before(trail),
    )


_NOT_SEEN = "actor unknown: no call in the trail explains it"


def _before(trail: Trail) -> str:
    return (
        "actor unknown: before the trail's window, or by a call the trail does not show: "
        f"none since {trail.start:%Y-%m-%d %H:%M} UTC explains it"
    )


def rank(drift: Drift, changes: Iterable[Change], specs: Mapping[str, Spec]) -> tuple[Candidate, ...]:
    """Changes that may explain one drift, best first (newest first among equals), with a score and its reason.

    What is merged and not applied needs none.
    """
    found: list[Candidate] = []
    if drift.kind == "unapplied":
        return ()
    for change in changes:
        scored = [_score(drift, touch, change, specs) for touch in change.touches]
        score, why = max(scored, default=(0.0, ""))
        if score > 0:
            found.append(Candidate(change, score, why))
    return tuple(sorted(found, key=_best_first))


def _best_first(candidate: Candidate) -> tuple[float, float, tuple[str, ...]]:
    return (-candidate.score, -candidate.change.time.timestamp(), candidate.change.event_ids)


def _score(drift: Drift, touch: Touch, change: Change, specs: Mapping[str, Spec]) -> tuple[float, str]:
    subject = drift.part or drift.key
    if drift.part is not None or drift.kind in ("missing", "unmanaged"):
        return _whole(drift, touch, change, subject)
    if touch.type != subject.type or subject not in change.targets:
        return (0.0, "")
    if touch.act == "create":
        return (_SOME_UPDATE, "created the resource")
    if not touch.sets:
        return (_SOME_UPDATE, "updated the resource; the record does not say which attribute")
    if drift.attribute not in touch.sets:
        return (0.0, "")
    asked = touch.sets[drift.attribute]
    if isinstance(asked, Unknown):
        return (_MAY_HAVE, f"sets {drift.attribute}; the record does not show the value")
    declaration = next(a for a in specs[subject.type].attributes if a.name == drift.attribute)
    if _explains(asked, drift.live, declaration):
        return (_SET_IT, f"set {drift.attribute} to the value that is live")
    return (_SET_OTHER, f"set {drift.attribute} to another value")


def _whole(drift: Drift, touch: Touch, change: Change, subject: Key) -> tuple[float, str]:
    """A resource or part that came or went: by an act on itself, or on the parent as a whole."""
    wanted = "delete" if drift.live is None else "create"
    if touch.type == subject.type and subject in change.targets:
        if touch.act == wanted:
            return (_SET_IT, f"{wanted}d it")
        # PutRolePolicy creates and updates alike; a deletion never explains what is there.
        return (_MAY_HAVE, "wrote it") if touch.act == "update" and wanted == "create" else (0.0, "")
    if touch.type == subject.type and touch.act == wanted and _of_the_same(drift, change):
        return (_MAY_HAVE, f"{wanted}d a part of the same resource, by an id the live reading does not show")
    if touch.type == drift.key.type and drift.key in change.targets and touch.act == wanted:
        return (_MAY_HAVE, f"{wanted}d the resource it belongs to")
    return (0.0, "")


def _of_the_same(drift: Drift, change: Change) -> bool:
    """Whether the call acts on a part of this parent that no identity could be found for (`sg-1|||||sgr-2`)."""
    return any(
        target.type == drift.part.type and target.id.startswith(f"{drift.key.id}||")
        for target in change.targets
        if drift.part is not None
    )


def _explains(asked: Any, live: Any, attribute: Attribute) -> bool:
    default = canonical(attribute.default, attribute.kind)
    want, have = canonical(asked, attribute.kind), canonical(live, attribute.kind)
    if attribute.kind == "tags" and isinstance(want, dict) and isinstance(have, dict):
        # A tagging call names the tags it sets, not all there are.
        return bool(want) and want.items() <= have.items()
    return bool((default if want is None else want) == (default if have is None else have))

"""The compare stage: two snapshots in, the differences out.

Hides what is *not* a difference: values that mean the same, what nobody could read, what AWS provides by itself, and
parts of a resource that something else already declares. Keeps apart what differs between code and state (merged and
not applied) and what differs between the two of them and the cloud.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from agent.equal import canonical, parsed, unknowns
from agent.focus import EVERYTHING, Focus
from agent.model import Basis, Drift, DriftNote, Gap, Key, Limit, Resource, Scope, Snapshot
from agent.resources import Attribute, Spec

Accepted = Mapping[Key, Mapping[str, Any]]
"""Live attributes as last accepted: by an authorised change, or on a scan that found nothing to object to."""


Stand = Literal["unapplied", "ahead", "absorbed"]
"""Of an attribute whose configured value is not the recorded one. `ahead`: live is as configured already, and there is
nothing to apply. `absorbed`: a hand changed it, and state followed; the configuration and our accepted reading agree.
"""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the compare stage found, and how much it compared."""

    drifts: tuple[Drift, ...]
    resources: int
    """Declared resources that were compared with a live one, or found missing."""
    attributes: int
    limits: tuple[Limit, ...]


def compare(
    declared: Snapshot,
    live: Snapshot,
    accepted: Accepted,
    specs: Mapping[str, Spec],
    *,
    complete: bool = True,
    focus: Focus = EVERYTHING,
) -> Comparison:
    """Every difference between the two sides, sorted by key and attribute.

    For an attribute the code does not set, the reference is the last accepted reading; where there is none yet, the
    recorded state (an attribute of the first kind is `configured`, of the second `unset`). `complete`: whether the
    declared side is all there is; else what it does not declare is noted as `unlisted`. `focus`: what to compare; who
    declares what is asked of the whole declared side.
    """
    work = _Comparing(declared, live, accepted, specs, complete, focus)
    drifts = [*work.of_declared(), *work.of_undeclared()]
    drifts.sort(key=lambda drift: (str(drift.key), drift.attribute, drift.kind, str(drift.part or "")))
    return Comparison(tuple(drifts), work.resources, work.attributes, work.limits())


class Hidden:
    """Answers whether a key was not looked at: it lies inside one of many gaps, or outside the focus.

    Not every gap is tried for every key.
    """

    def __init__(self, gaps: Iterable[Gap], focus: Focus = EVERYTHING) -> None:
        self.focus = focus
        """Nothing outside it was looked at."""
        self._exact: set[tuple[str, ...]] = set()
        self._wide: list[Scope] = []
        for gap in gaps:
            scope = gap.scope
            parts = (scope.account, scope.region, scope.type, scope.id)
            if any(c in part for part in parts for c in "*?["):
                self._wide.append(scope)
            else:
                self._exact.add(parts)

    def __contains__(self, key: Key) -> bool:
        if key not in self.focus or (key.account, key.region, key.type, key.id) in self._exact:
            return True
        return any(scope.covers(key) for scope in self._wide)


class _Comparing:
    """One comparison's indexes and counts."""

    def __init__(
        self,
        declared: Snapshot,
        live: Snapshot,
        accepted: Accepted,
        specs: Mapping[str, Spec],
        complete: bool,
        focus: Focus,
    ) -> None:
        self.focus = focus
        self.unlisted: DriftNote = "" if complete else "unlisted"
        self.declared = declared.resources
        self.specs = specs
        self.accepted = accepted
        self.live = {resource.key: resource for resource in live.resources}
        self.by_key: dict[Key, list[Resource]] = defaultdict(list)
        self.by_address: dict[tuple[str, str, str], list[Resource]] = defaultdict(list)
        for resource in declared.resources:
            self.by_key[resource.key].append(resource)
            self.by_address[_facts_of(resource)].append(resource)
        # Declared as another type's alias: nobody compares it, and it is no stranger.
        self.named = {resource.key for resource in declared.named}
        self.unread = Hidden(live.gaps)
        self.undeclarable = Hidden(declared.gaps)
        self.resources = 0
        self.attributes = 0
        self.skipped: Counter[tuple[str, str]] = Counter()

    def limits(self) -> tuple[Limit, ...]:
        return tuple(Limit(Scope(type=type_), why, n) for (type_, why), n in sorted(self.skipped.items()))

    def of_declared(self) -> Iterable[Drift]:
        """Declared resources that are missing or differ, and what of them is merged and not applied."""
        for resource in filter(self.focus.sees, self.declared):
            found = self.live.get(resource.key)
            stands = self._stands(resource, found) if resource.unapplied else {}
            yield from self._unapplied(resource, stands)
            if resource.key in self.unread:
                continue
            self.resources += 1
            if found is None:
                yield from self._missing(resource)
            else:
                yield from self._attributes(resource, found, stands)

    def _missing(self, resource: Resource) -> Iterable[Drift]:
        """A part that is gone changes what declares it, unless everything declared at that address is gone."""
        siblings = self.by_address[_facts_of(resource)]
        if resource.parent is not None and self._inline(resource, resource.parent):
            yield _drift(
                resource,
                "changed",
                key=resource.parent,
                attribute=resource.attribute,
                declared=dict(resource.attributes),
                part=resource.key,
            )
        elif any(sibling.key in self.live for sibling in siblings):
            yield _drift(
                resource,
                "changed",
                attribute=self.specs[resource.key.type].identity[-1],
                declared=dict(resource.attributes),
                part=resource.key,
            )
        elif resource is siblings[0]:  # one address, told once
            yield _drift(resource, "missing", declared=dict(resource.attributes))

    def _inline(self, part: Resource, parent: Key) -> bool:
        """Whether the part is written inside its parent's block: both then share one address."""
        return any(candidate.address == part.address for candidate in self.by_key.get(parent, ()))

    def _stands(self, resource: Resource, found: Resource | None) -> Mapping[str, Stand]:
        """Where each attribute stands whose configured value is not the recorded one."""
        stands: dict[str, Stand] = {}
        accepted = self.accepted.get(resource.key, {})
        for attribute in self.specs[resource.key.type].attributes:
            name = attribute.name
            if name not in resource.unapplied or _ignored(name, resource.ignore_changes):
                continue
            want, recorded = resource.unapplied[name], resource.attributes.get(name)
            if any(unknowns(want)) or any(unknowns(recorded)) or _same(want, recorded, attribute):
                continue
            if self._ignored_entries(resource, attribute, want, recorded):
                continue
            have = found.attributes.get(name) if found else None
            if found is None or any(unknowns(have)):
                stands[name] = "unapplied"
            elif _same(want, have, attribute):
                stands[name] = "ahead"
            elif name in accepted and _same(want, accepted[name], attribute) and _same(recorded, have, attribute):
                stands[name] = "absorbed"
            else:
                stands[name] = "unapplied"
        return stands

    def _unapplied(self, resource: Resource, stands: Mapping[str, Stand]) -> Iterable[Drift]:
        for name, stand in stands.items():
            if stand == "unapplied":
                want, recorded = resource.unapplied[name], resource.attributes.get(name)
                yield _drift(resource, "unapplied", attribute=name, declared=want, live=recorded)

    def _attributes(self, resource: Resource, found: Resource, stands: Mapping[str, Stand]) -> Iterable[Drift]:
        spec = self.specs[resource.key.type]
        for attribute in spec.attributes:
            if attribute.name not in resource.attributes or _ignored(attribute.name, resource.ignore_changes):
                continue
            stand = stands.get(attribute.name)
            want = self._reference(resource, attribute, stand)
            have = found.attributes.get(attribute.name)
            missing = (*unknowns(want), *unknowns(have))
            if missing:
                self.skipped[(resource.key.type, f"{attribute.name}: {missing[0].why}")] += 1
                continue
            self.attributes += 1
            if stand == "ahead" or _same(want, have, attribute):
                continue
            if self._ignored_entries(resource, attribute, want, have):
                continue
            # What an apply wrote into state without anybody asking for it is still what a hand did.
            recorded = resource.attributes[attribute.name]
            absorbed = not any(unknowns(recorded)) and _same(recorded, have, attribute)
            yield _drift(
                resource,
                "changed",
                attribute=attribute.name,
                declared=want,
                live=have,
                basis=_basis(resource, attribute.name),
                detail=describe(want, have) if attribute.kind in ("policy", "json") else (),
                note="absorbed" if absorbed else "",
            )

    def _reference(self, resource: Resource, attribute: Attribute, stand: Stand | None) -> Any:
        """What the live value is held against."""
        recorded = resource.attributes[attribute.name]
        if stand == "absorbed":
            return resource.unapplied[attribute.name]
        if _basis(resource, attribute.name) == "configured":
            return recorded
        return self.accepted.get(resource.key, {}).get(attribute.name, recorded)

    def _ignored_entries(self, resource: Resource, attribute: Attribute, want: Any, have: Any) -> bool:
        """`ignore_changes = [tags["x"]]`: equal once the named entries are left out of both."""
        prefixes = {attribute.name, "tags" if attribute.name == "tags_all" else attribute.name}
        entries = {
            path[len(prefix) :].strip('[]."')
            for path in resource.ignore_changes
            for prefix in prefixes
            if path.startswith((f"{prefix}[", f"{prefix}."))
        }
        if not entries or not isinstance(want, Mapping | None) or not isinstance(have, Mapping | None):
            return False
        left, right = ({k: v for k, v in (side or {}).items() if k not in entries} for side in (want, have))
        return _same(left, right, attribute)

    def of_undeclared(self) -> Iterable[Drift]:
        """Live resources nothing declares: on their declared parent, on themselves, or nowhere if a parent tells it."""
        for resource in filter(self.focus.sees, self.live.values()):
            key = resource.key
            if key in self.by_key or key in self.named or key in self.undeclarable or key in self.unread:
                continue
            if resource.note:
                self.skipped[(key.type, f"not declared, {resource.note}")] += 1
                continue
            parent = resource.parent
            if parent is None:
                yield self._unmanaged(resource)
            elif parent in self.by_key:
                yield from self._added(self.by_key[parent][0], resource)
            elif self._tells_nothing(parent):
                yield self._unmanaged(resource)

    def _unmanaged(self, resource: Resource) -> Drift:
        return Drift(resource.key, "unmanaged", live=dict(resource.attributes), basis="unset", note=self.unlisted)

    def _tells_nothing(self, parent: Key) -> bool:
        """Whether a part must be told by itself: its parent is nowhere, or AWS provides it and it is no drift."""
        found = self.live.get(parent)
        if found is not None:
            return bool(found.note)
        return parent not in self.unread and parent not in self.undeclarable

    def _added(self, parent: Resource, part: Resource) -> Iterable[Drift]:
        basis = _basis(parent, part.attribute)
        known = basis == "unset" and self.accepted.get(part.key) == part.attributes
        if known or _ignored(part.attribute, parent.ignore_changes):
            return
        yield _drift(
            parent,
            "changed",
            attribute=part.attribute,
            live=dict(part.attributes),
            basis=basis,
            part=part.key,
            note="absorbed" if part.key in parent.recorded_parts else "",
        )


def describe(want: Any, have: Any) -> tuple[str, ...]:
    """What differs inside two free-form JSON values, one plain line each."""
    from deepdiff import DeepDiff  # only on unequal documents: it is hundreds of times slower than a plain walk

    diff = DeepDiff(parsed(want) or {}, parsed(have) or {}, ignore_order=True, verbose_level=2)
    return tuple(line for line in diff.pretty().splitlines() if line.strip())


def _same(want: Any, have: Any, attribute: Attribute) -> bool:
    default = canonical(attribute.default, attribute.kind)
    left, right = canonical(want, attribute.kind), canonical(have, attribute.kind)
    return bool((default if left is None else left) == (default if right is None else right))


def _basis(resource: Resource, attribute: str) -> Basis:
    return "configured" if resource.configured is None or attribute in resource.configured else "unset"


def _ignored(attribute: str, paths: tuple[str, ...]) -> bool:
    names = {attribute, "tags"} if attribute == "tags_all" else {attribute}
    return "all" in paths or not names.isdisjoint(paths)


def _facts_of(resource: Resource) -> tuple[str, str, str]:
    return (resource.stack, resource.address, resource.key.type)


def _drift(resource: Resource, kind: Any, *, key: Key | None = None, **fields: Any) -> Drift:
    return Drift(
        key or resource.key,
        kind,
        address=resource.address,
        stack=resource.stack,
        source=resource.source,
        owner=resource.owner,
        **fields,
    )

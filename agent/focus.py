"""What a scan looks at: everything, or what calls touched together with all that belongs to it.

Hides how far a touched resource reaches: by whatever name a call meant it, up to what it is a part of and down to all
the parts of that, because a fact of the cloud is told once and only who sees the parent and every part can say where.

How a caller works with it: `wanted` says what must be read again, `looks` how (each is one `aws.read(..., only=...)`),
and `focused` says after the reading what the scan is about. `remembered` gives `wanted` and the line the names of what
is declared nowhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from agent.model import GLOBAL, Change, Finding, Key, Resource, Snapshot, StateRead
from agent.motion import TYPE
from agent.naming import Names
from agent.resources import Spec, identity


@dataclass(frozen=True, slots=True)
class Focus:
    """The resources a scan is about. Everything outside stays as the scans before left it, and is no gap."""

    keys: frozenset[Key] | None = None
    """None: all there are."""
    without: frozenset[Key] = frozenset()
    """Left out all the same: what another scan has read later than this one."""

    def __contains__(self, key: Key) -> bool:
        return (self.keys is None or key in self.keys) and key not in self.without

    @property
    def whole(self) -> bool:
        """Whether it is everything."""
        return self.keys is None and not self.without

    def sees(self, resource: Resource) -> bool:
        """Whether the resource is in it, and what it is a part of: else nobody can say whose its difference is."""
        return resource.key in self and (resource.parent is None or resource.parent in self)


EVERYTHING = Focus()
_remembered: dict[Key, Resource] = {}
_MOST_REMEMBERED = 100_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What must be read again of one type in one account and region."""

    account: str
    region: str
    """`GLOBAL` for types without one."""
    type: str
    names: frozenset[str]
    """Any spelling of each. Parts are wanted by the names of their parent too, and may have none of their own."""


@dataclass(frozen=True, slots=True)
class Look:
    """One reading of a part of a service: the arguments of `aws.read`."""

    account: str
    region: str
    """`GLOBAL` for types without one: read in the region that such services answer in."""
    service: str
    only: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Type → names, as of `Wanted`."""


def wanted(
    changes: Iterable[Change],
    known: Iterable[Resource],
    specs: Mapping[str, Spec],
    keys: Iterable[Key] = (),
    declared: Snapshot | None = None,
) -> tuple[Wanted, ...]:
    """What must be read again after these changes, and of these resources (`keys`), sorted.

    `known` are the `remembered` resources, and whatever is not in `declared`. A call whose target is not known, or of a
    type without a spec, wants nothing: it is judged by itself.
    """
    reach = _Reach(Names(known, specs, declared=all_of(declared) if declared else ()))
    for change in changes:
        reach.change(change)
    for key in keys:
        reach.key(key)
    return tuple(
        Wanted(account, region, type_, frozenset(names)) for (account, region, type_), names in sorted(reach.found())
    )


def looks(want: Iterable[Wanted], specs: Mapping[str, Spec]) -> tuple[Look, ...]:
    """The readings that give all that is wanted, sorted: one for each account, region and service."""
    found: dict[tuple[str, str, str], dict[str, frozenset[str]]] = defaultdict(dict)
    for one in want:
        only = found[one.account, one.region, specs[one.type].service]
        only[one.type] = only.get(one.type, frozenset()) | one.names
    return tuple(Look(*place, only) for place, only in sorted(found.items()))


def focused(
    want: Iterable[Wanted],
    changes: Iterable[Change],
    declared: Snapshot,
    live: Snapshot,
    known: Iterable[Key],
    specs: Mapping[str, Spec],
) -> Focus:
    """What a scan is about that has read what was wanted (`live`).

    `known` are the keys of accepted readings and of open findings: what is gone from both sides is in it by them. The
    `changes` are those that it was wanted for: what they act on is in it even where nobody can read it.
    """
    resources = (*declared.resources, *live.resources)
    names = Names(live.resources, specs, declared=all_of(declared))
    known = tuple(known)
    met = _Met(want)
    for resource in resources:
        met.meet(resource.key, resource.identifiers, resource.parent)
    for key in known:
        met.meet(key, (), parent_of(key, specs))
    for change in changes:
        for target in names.targets(change):
            met.keys |= {target, names.owner(target)}
    family = met.keys | met.parents
    keys = {one.key for one in resources if one.parent in family} | {
        key for key in known if parent_of(key, specs) in family
    }
    return Focus(frozenset(family | keys))


def all_of(declared: Snapshot) -> tuple[Resource, ...]:
    """What is declared, of types that nobody compares too."""
    return (*declared.resources, *declared.named)


def remembered(
    accepted: Mapping[Key, Mapping[str, Any]], findings: Iterable[Finding], specs: Mapping[str, Spec]
) -> tuple[Resource, ...]:
    """What earlier scans read, by every name a call may use: accepted readings, and what is open and declared nowhere.

    With them a call on a resource that is not read now is aimed as a whole scan would aim it.
    """
    found = dict(accepted)
    for finding in findings:
        for drift in finding.drifts:
            if drift.kind == "unmanaged" and isinstance(drift.live, Mapping):
                found.setdefault(drift.key, drift.live)
            if drift.part is not None and isinstance(drift.live, Mapping):
                found.setdefault(drift.part, drift.live)
    return tuple(_resource(key, values, specs[key.type]) for key, values in found.items() if key.type in specs)


def state_key(read: StateRead) -> Key:
    """What a state is known by: a scan that is not about everything tells of the states whose keys are in its focus."""
    return Key(next(iter(read.accounts), "*"), GLOBAL, TYPE, read.location)


def parent_of(key: Key, specs: Mapping[str, Spec]) -> Key | None:
    """What the resource is a part of, by its identity alone; None where it is none, or where that does not tell."""
    spec = specs.get(key.type)
    if spec is None or spec.parent is None:
        return None
    parts = key.id.split("|")
    if len(parts) != len(spec.identity):
        return None
    natural = identity(spec.parent.identity, dict(zip(spec.identity, parts, strict=True)))
    return Key(key.account, _region(spec.parent.type, key.region, specs), spec.parent.type, natural)


def _region(type_: str, region: str, specs: Mapping[str, Spec]) -> str:
    return GLOBAL if specs[type_].is_global else region


def _resource(key: Key, values: Mapping[str, Any], spec: Spec) -> Resource:
    """The same one as long as the same value is given: a process that looks again and again reads it again and again,
    and decodes it once."""
    kept = _remembered.get(key)
    if kept is None or kept.attributes is not values:
        if len(_remembered) > _MOST_REMEMBERED:
            _remembered.clear()
        kept = _remembered[key] = _named(key, values, spec)
    return kept


def _named(key: Key, values: Mapping[str, Any], spec: Spec) -> Resource:
    names = (key.id, *(values.get(name) for name in spec.identifiers))
    found = tuple(dict.fromkeys(name for name in names if name and isinstance(name, str)))
    resource = Resource(key, values, found)
    if spec.parent is None:
        return resource
    # A part is known by its content, which holds the name of its parent.
    parent = Key(key.account, key.region, spec.parent.type, identity(spec.parent.identity, values))
    return replace(resource, parent=parent, attribute=spec.parent.place(values))


class _Reach:
    """What is wanted so far."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._specs = names.specs
        self._parts: dict[str, list[str]] = defaultdict(list)
        for name, spec in names.specs.items():
            if spec.parent is not None and not spec.same_as:
                self._parts[spec.parent.type].append(name)
        self._found: dict[tuple[str, str, str], set[str]] = defaultdict(set)

    def found(self) -> Iterator[tuple[tuple[str, str, str], set[str]]]:
        """Account, region and type, with the names."""
        yield from self._found.items()

    def change(self, change: Change) -> None:
        """What one call touched."""
        for touch in change.touches:
            for key in self._names.targets(replace(change, touches=(touch,))):
                self.key(key, touch.ids if key.type == touch.type else ())

    def key(self, key: Key, said: Iterable[str] = ()) -> None:
        """One resource, by what it is known by and by what a call said; its parent, and all of the parent's parts."""
        if key.type not in self._specs:
            return
        resource = self._names.of(key)
        known = resource.identifiers if resource else ()
        self._found[key.account, key.region, key.type].update((key.id, *known, *said))
        parent = resource.parent if resource and resource.parent else parent_of(key, self._specs)
        if parent is not None:
            self.key(parent)
        for part in self._parts[key.type]:
            self._found[key.account, _region(part, key.region, self._specs), part].update()


class _Met:
    """The resources that were wanted, by their names."""

    def __init__(self, want: Iterable[Wanted]) -> None:
        self._names: dict[tuple[str, str, str], frozenset[str]] = defaultdict(frozenset)
        for one in want:
            self._names[one.account, one.region, one.type] |= one.names
        self.keys: set[Key] = set()
        self.parents: set[Key] = set()

    def meet(self, key: Key, identifiers: Iterable[str], parent: Key | None) -> None:
        """One resource: it is kept where it was wanted, and then its parent with it."""
        its = self._names.get((key.account, key.region, key.type), frozenset())
        if not its.isdisjoint((key.id, *identifiers)):
            self.keys.add(key)
            if parent is not None:
                self.parents.add(parent)

"""The resources that changes are made to: by which names tickets may mean them, and where they belong.

Hides the two sides: what is declared tells what a resource is, and what is live may only make it more important.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.model import Authority, Change, Environments, Key, Resource
from agent.resources import Spec

if TYPE_CHECKING:
    from agent.authorise.grounds import Grounds

_LAST_PART = re.compile(r"[^:/|]+$")


@dataclass(frozen=True, slots=True)
class Names:
    """Everything a ticket may call a resource by."""

    exact: tuple[str, ...]
    """Addresses as they must be spelled where no wildcard is used: with the stack where two stacks share one."""
    addresses: tuple[str, ...]
    ids: tuple[str, ...]
    tags: tuple[tuple[str, str], ...]
    items: tuple[str, ...]
    """As configuration items: the Name tag, the last part of an id, the stack."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a resource belongs."""

    name: str
    """`production` as the configuration calls it first; empty: not known."""
    names: frozenset[str]
    """All that it may be called, without case; of an unknown one none."""
    production: bool = False
    before: frozenset[str] = frozenset()
    """What it is called where something raised it to production: what holds there holds besides, as whoever may tag
    could otherwise choose milder rules."""

    @property
    def sides(self) -> tuple[frozenset[str], ...]:
        """All that it may be called, and all that it was called before it was raised: a rule is asked for each."""
        return (self.names, self.before) if self.before else (self.names,)


def called(environments: Iterable[Environment]) -> str:
    """One name for where a change was made: `production` where any of it is; else the first; empty: not known."""
    found = list(environments)
    if any(one.production for one in found):
        return "production"
    return min((one.name for one in found if one.name), default="")


class Estate:
    """What is known of every resource when its changes are judged."""

    def __init__(
        self, resources: Iterable[Resource], specs: Mapping[str, Spec] | None = None, changes: Iterable[Change] = ()
    ) -> None:
        """`resources` of both sides; what is declared tells more than what is live.

        `specs` say what an attribute is about, and `changes` how much a session changed: both count for the risk. The
        changes are those of the trail, their targets filled in; a change alone is as large as its targets.
        """
        self.known: dict[Key, Resource] = {}
        self._beside: dict[Key, list[Resource]] = {}
        stacks: dict[str, set[str]] = defaultdict(set)
        for resource in resources:
            before = self.known.get(resource.key)
            if before is None or resource.address:
                self.known[resource.key] = resource
            if before is not None:
                self._beside.setdefault(resource.key, []).append(before if resource.address else resource)
            stacks[resource.address].add(resource.stack)
        self.shared = frozenset(address for address, found in stacks.items() if len(found) > 1)
        """Addresses that more than one stack has: alone they do not say which resource is meant."""
        self.specs: Mapping[str, Spec] = specs or {}
        self.grounds: tuple[Authority, Grounds] | None = None
        """What the last authority that was asked for made of this estate; see `grounds.of`."""
        self._names: dict[Key, Names] = {}
        sessions: dict[str, set[Key]] = defaultdict(set)
        for change in changes:
            sessions[_session(change)].update(change.targets)
        self._sizes = {session: len(keys) for session, keys in sessions.items()}

    def size(self, change: Change, targets: int) -> int:
        """How many resources the change's session changed, this one's `targets` at least."""
        return max(targets, self._sizes.get(_session(change), 0)) if self._sizes else targets

    def names(self, key: Key) -> Names:
        """What a resource may be called; a part also as its parent is."""
        found = self._names.get(key)
        if found is None:
            found = self._names[key] = self._named(key)
        return found

    def called(self, key: Key) -> str:
        """What a reader knows it by: its address, else type and id."""
        resource = self.known.get(key)
        return resource.address if resource and resource.address else f"{key.type} {key.id}"

    def environment(self, key: Key, given: Environments) -> Environment:
        """Of the stack, else of the account; production where any of these or a tag of either side says so."""
        resource = self.known.get(key)
        family = self._of_family(key, resource)
        account = given.accounts.get(key.account, "")
        name = next((found for one in family if (found := given.stacks.get(one.stack, ""))), account)
        said = {name.casefold(), account.casefold()}
        for one in family:
            said.add(given.stacks.get(one.stack, "").casefold())
            said |= {value.casefold() for tag, value in _tags(one) if tag == given.tag}
        own, production = frozenset({name.casefold()} - {""}), frozenset(one.casefold() for one in given.production)
        if said.isdisjoint(production):
            return Environment(name, own)
        return Environment(given.production[0], production | {"production"}, True, own - production - {"production"})

    def _of_family(self, key: Key, resource: Resource | None) -> list[Resource]:
        """The resource on every side it is known, and its parent."""
        if resource is None:
            return []
        found = [resource, *self._beside.get(key, ())]
        parent = self.known.get(resource.parent) if resource.parent else None
        return [*found, parent, *self._beside.get(parent.key, ())] if parent else found

    def _named(self, key: Key) -> Names:
        resource = self.known.get(key)
        parent = self.known.get(resource.parent) if resource and resource.parent else None
        family = [one for one in (resource, parent) if one is not None]
        ids = dict.fromkeys((key.id, *(name for one in family for name in (one.key.id, *one.identifiers))))
        exact, addresses = [], []
        for one in family:
            if one.address:
                addresses += [f"{one.stack}/{one.address}", one.address]
                exact += addresses[-2:] if one.address not in self.shared else addresses[-2:-1]
        tags = dict.fromkeys(tag for one in family for tag in _tags(one))
        items = {
            **{value: None for name, value in tags if name == "Name"},
            **{found[0]: None for name in ids if (found := _LAST_PART.search(name))},
            **{one.stack: None for one in family if one.stack},
        }
        return Names(tuple(exact), tuple(addresses), tuple(ids), tuple(tags), tuple(items))


def _tags(resource: Resource) -> Iterator[tuple[str, str]]:
    """Its tags, as far as they are known."""
    found: dict[str, str] = {}
    for attribute in ("tags", "tags_all"):
        tags = resource.attributes.get(attribute)
        if isinstance(tags, Mapping):
            found |= {name: value for name, value in tags.items() if isinstance(name, str) and isinstance(value, str)}
    yield from found.items()


def _session(change: Change) -> str:
    """The credentials' session; for long-lived keys the principal and the day."""
    if change.session.startswith("ASIA"):  # temporary credentials; AKIA… are long-lived
        return change.session
    return f"{change.actor.arn or change.actor.name} {change.time.date()}"

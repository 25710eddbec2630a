"""From the names a call uses to the resources they mean, and whose story each resource belongs to.

Hides the spellings one resource is known by, resources on neither side, and parts that nobody declares.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import fields
from operator import attrgetter, is_

from agent.model import GLOBAL, Change, Key, Resource, Touch
from agent.named import load, whole
from agent.resources import GLOBAL_TYPES, Spec

_FIELDS = [each.name for each in fields(Change)]
_AT = _FIELDS.index("targets")
_BEFORE, _AFTER = attrgetter(*_FIELDS[:_AT]), attrgetter(*_FIELDS[_AT + 1 :])
_change: Callable[..., Change] = Change


def aimed(change: Change, targets: tuple[Key, ...]) -> Change:
    """The change with its targets filled in. There are millions; `dataclasses.replace` takes twice as long."""
    return _change(*_BEFORE(change), targets, *_AFTER(change))


class Index:
    """What many resources are called by. Of the declared side it is made once, as long as that stands as it is."""

    def __init__(self, resources: Sequence[Resource], specs: Mapping[str, Spec]) -> None:
        """Of the resources of one key the first with an address counts, else the first."""
        self.known: dict[Key, Resource] = {}
        self.keys: dict[tuple[str, str], dict[str, tuple[Key, ...]]] = defaultdict(dict)
        """Account and type → a name → keys."""
        self.alike: dict[Key, list[Resource]] = defaultdict(list)
        """All that have one key."""
        self._made_of = resources, specs
        self._told: dict[int, Resource] = {}
        """What was asked for and is told; by its identity."""
        inside: dict[tuple[str, str], Key] = {}
        for resource in resources:
            key = resource.key
            self.alike[key].append(resource)
            previous = self.known.get(key)
            if previous is None or (resource.address and not previous.address):
                self.known[key] = resource
            named, alone = self.keys[key.account, key.type], (key,)
            for name in (key.id, *resource.identifiers):
                others = named.setdefault(name, alone)
                if key not in others:
                    named[name] = (*others, key)
            if resource.address and resource.parent is None:
                inside[resource.stack, resource.address] = key
        # A part written inside its parent's block shares the parent's address, and its story.
        self.own_story = {
            key
            for key, resource in self.known.items()
            if resource.address and inside.get((resource.stack, resource.address), key) == key
        }
        self.children: dict[Key, list[Key]] = defaultdict(list)
        """Of what has parts with a story of their own: these."""
        self.parts: dict[Key | None, list[Key]] = defaultdict(list)
        """Of what has parts: these; of None those that do not say what they are parts of."""
        types = {name for name, spec in specs.items() if spec.parent is not None}
        for key, resource in self.known.items():
            if resource.parent is not None and key in self.own_story:
                self.children[resource.parent].append(key)
            if key.type in types:
                self.parts[resource.parent].append(key)

    def is_of(self, resources: Sequence[Resource], specs: Mapping[str, Spec]) -> bool:
        """Whether it is made of these very values."""
        mine, its = self._made_of
        return specs is its and len(mine) == len(resources) and all(map(is_, mine, resources))

    def tells_all(self, resource: Resource) -> bool:
        """Whether it would be the same with this one too."""
        if self._told.get(id(resource)) is resource:
            return True
        key = resource.key
        if resource.address or key not in self.known:
            return False
        named = self.keys[key.account, key.type]
        told = all(key in named.get(name, ()) for name in resource.identifiers)
        if told:
            if len(self._told) > _MOST_TOLD:
                self._told.clear()
            self._told[id(resource)] = resource
        return told


_NOTHING = Index((), {})
_kept: list[Index] = []
_MOST_TOLD = 200_000
_KEPT = 2  # with values that were sealed anew, and without


def _index(resources: Sequence[Resource], specs: Mapping[str, Spec]) -> Index:
    """Of these; a process that looks again and again asks for the same, and gets it."""
    found = next((one for one in _kept if one.is_of(resources, specs)), None)
    if found is None:
        found = Index(resources, specs)
        _kept[:] = [found, *_kept[: _KEPT - 1]]
    return found


class Names:
    """Every name a call may know a resource by, and which resource's story a part belongs to."""

    def __init__(
        self,
        resources: Iterable[Resource],
        specs: Mapping[str, Spec],
        drifted: Collection[Key] = (),
        declared: Sequence[Resource] = (),
    ) -> None:
        """`resources` of both sides, and declared ones of types that nobody compares.

        `drifted`: what something is told of in any case, so that it has a story of its own. `declared` are resources
        too, and come first: they are gone through once, however often the same are given.
        """
        self.specs = specs
        self.gone: dict[Key, Resource] = {}
        """Parts that calls named and neither side has, by name and parent alone."""
        under = _index(declared, specs) if declared else _NOTHING
        more = [one for one in resources if not under.tells_all(one)]
        if declared and any(one.address for one in more):
            under, more = _NOTHING, [*declared, *more]
        # What lies over the other has no addresses, where there is another.
        self._layers = (under, Index(more, specs))
        self._meant: dict[tuple[str, str, str], dict[tuple[str, ...], tuple[Key, ...]]] = defaultdict(dict)
        """What names mean to a call: account, region and type → the names → keys. Most are called again."""
        self._owners: dict[Key, Key] = {}
        self._drifted = frozenset(drifted)
        self._children: dict[Key, list[Key]] = defaultdict(list)
        """Of these."""
        for key in self._drifted:
            resource = self.of(key)
            if resource is not None and resource.parent is not None:
                self._children[resource.parent].append(key)

    def of(self, key: Key) -> Resource | None:
        """The resource of that key; the declared one where there is one."""
        return self._layers[0].known.get(key) or self._layers[1].known.get(key)

    def _called(self, account: str, type_: str, name: str) -> tuple[Key, ...]:
        """What is called so."""
        first, second = (layer.keys.get((account, type_), {}).get(name, ()) for layer in self._layers)
        return (*first, *(key for key in second if key not in first)) if second else first

    def _parts_with_stories(self, key: Key) -> Iterator[Key]:
        for layer in self._layers:
            yield from layer.children.get(key, ())
        yield from self._children.get(key, ())

    def targets(self, change: Change) -> tuple[Key, ...]:
        """Keys of everything a call acts on; a resource on neither side gets one from the name the call used.

        Who deletes a resource deletes the parts of it that are declared by themselves.
        """
        if len(change.touches) == 1 and change.touches[0].act != "delete":
            return self._means(change.touches[0], change)
        found: dict[Key, None] = {}
        for touch in change.touches:
            keys = self._means(touch, change)
            found.update(dict.fromkeys(keys))
            if touch.act == "delete":
                found.update(dict.fromkeys(child for key in keys for child in self._parts_with_stories(key)))
        return tuple(found)

    def _means(self, touch: Touch, change: Change) -> tuple[Key, ...]:
        """Keys of what one touch of a call acts on by itself."""
        meant = self._meant[change.account, change.region, touch.type]
        keys = meant.get(touch.ids)
        if keys is None:
            keys = meant[touch.ids] = self._matches(touch, change) or self._unseen(touch, change)
        return keys

    def _matches(self, touch: Touch, change: Change) -> tuple[Key, ...]:
        """The known resources one touch of a call means; none: it is on neither side.

        The spellings stand in the order in which they can be trusted, the call's own first: one resource has them all,
        so that the first one known decides.
        """
        for name in touch.ids:
            keys = self._called(change.account, touch.type, name)
            found = tuple(key for key in keys if key.region in (change.region, GLOBAL))
            if found:
                return found
        return ()

    def _unseen(self, touch: Touch, change: Change) -> tuple[Key, ...]:
        if not touch.ids:
            return ()
        region = GLOBAL if self._is_global(touch.type) else change.region
        key = Key(change.account, region, touch.type, touch.ids[0])
        owner = self.owner(key)
        if owner != key:
            self.gone[key] = Resource(key, {}, parent=owner)
        return (key,)

    def _is_global(self, type_: str) -> bool:
        spec = self.specs.get(type_)
        return spec.is_global if spec is not None else type_ in GLOBAL_TYPES

    def owner(self, key: Key) -> Key:
        """The resource whose story a change of `key` belongs to: a part that nobody declares is its parent's."""
        owner = self._owners.get(key)
        if owner is None:
            owner = self._owners[key] = self._owner(key)
        return owner

    def _owner(self, key: Key) -> Key:
        if key in self._drifted or any(key in layer.own_story for layer in self._layers):
            return key
        spec = self.specs.get(key.type)
        if spec is None:
            return whole(key) or key
        if spec.parent is None:
            return key
        resource = self.of(key)
        if resource is not None and resource.parent is not None:
            return resource.parent
        parts = key.id.split("|")
        if len(parts) != len(spec.identity):
            return key
        by_name = dict(zip(spec.identity, parts, strict=True))
        parent = "|".join(by_name.get(name, "") for name in spec.parent.identity)
        keys = self._called(key.account, spec.parent.type, parent)
        region = GLOBAL if self._is_global(spec.parent.type) else key.region
        return next(iter(keys), Key(key.account, region, spec.parent.type, parent))

    def owners(self, targets: Sequence[Key]) -> Collection[Key]:
        """Whose stories a change of these resources belongs to, each once."""
        return (self.owner(targets[0]),) if len(targets) == 1 else dict.fromkeys(map(self.owner, targets))

    def concerning(self, changes: Sequence[Change], keys: Set[Key]) -> dict[int, Change]:
        """Of many changes those in the stories of these resources, their targets filled in, by their position.

        One short look at each change; only one that uses a name of theirs, or may act on a part, is looked at further.
        """
        unnamed = self._names(keys).isdisjoint
        loose = self._loose({key.type for key in keys})
        near = [
            number
            for number, change in enumerate(changes)
            for touch in change.touches
            if not unnamed(touch.ids) or (touch.type in loose and "|" in "".join(touch.ids[:1]))
        ]
        found: dict[int, Change] = {}
        for number in near:
            targets = self.targets(changes[number])
            if number not in found and not keys.isdisjoint(self.owners(targets)):
                found[number] = aimed(changes[number], targets)
        return found

    def _loose(self, types: Set[str]) -> Set[str]:
        """Types whose resources may be parts of resources of these types, and named after them."""
        by_spec = {name for name, spec in self.specs.items() if spec.parent is not None and spec.parent.type in types}
        return by_spec | {name for name, named in load().items() if named.parent in types}

    def _names(self, keys: Set[Key]) -> set[str]:
        """What a call in the story of one of them may name: it, a part of it, or what it is a part of."""
        about = {one.parent for key in keys if (one := self.of(key)) is not None and one.parent is not None} | keys
        for layer in self._layers:
            parts = (part for key in (*keys, None) for part in layer.parts.get(key, ()))
            about |= {part for part in parts if self.owner(part) in keys}
        named = (one for layer in self._layers for key in about for one in layer.alike.get(key, ()))
        return {key.id for key in keys} | {name for one in named for name in (one.key.id, *one.identifiers)}

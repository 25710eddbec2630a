"""From the names a call uses to the resources they mean, and whose story each resource belongs to.

Hides the spellings one resource is known by, resources on neither side, and parts that nobody declares.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import fields
from operator import attrgetter

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


class Names:
    """Every name a call may know a resource by, and which resource's story a part belongs to."""

    def __init__(self, resources: Iterable[Resource], specs: Mapping[str, Spec], drifted: Collection[Key] = ()) -> None:
        """`resources` of both sides, and declared ones of types that nobody compares.

        `drifted`: what something is told of in any case, so that it has a story of its own.
        """
        self.specs = specs
        self.known: dict[Key, Resource] = {}
        self.gone: dict[Key, Resource] = {}
        """Parts that calls named and neither side has, by name and parent alone."""
        self._resources = tuple(resources)
        self._keys: dict[tuple[str, str], dict[str, tuple[Key, ...]]] = defaultdict(dict)
        self._meant: dict[tuple[str, str, str], dict[tuple[str, ...], tuple[Key, ...]]] = defaultdict(dict)
        """What names mean to a call: account, region and type → the names → keys. Most are called again."""
        self._owners: dict[Key, Key] = {}
        self._children: dict[Key, list[Key]] = defaultdict(list)
        inside: dict[tuple[str, str], Key] = {}
        for resource in self._resources:
            key = resource.key
            previous = self.known.get(key)
            if previous is None or (resource.address and not previous.address):
                self.known[key] = resource
            named, alone = self._keys[key.account, key.type], (key,)
            for name in (key.id, *resource.identifiers):
                others = named.setdefault(name, alone)
                if key not in others:
                    named[name] = (*others, key)
            if resource.address and resource.parent is None:
                inside[resource.stack, resource.address] = key
        # A part written inside its parent's block shares the parent's address, and its story.
        self._own_story = {
            key
            for key, resource in self.known.items()
            if resource.address and inside.get((resource.stack, resource.address), key) == key
        }.union(drifted)
        for key in self._own_story:
            resource_ = self.known.get(key)
            if resource_ is not None and resource_.parent is not None:
                self._children[resource_.parent].append(key)

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
                found.update(dict.fromkeys(child for key in keys for child in self._children.get(key, ())))
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
        named = self._keys.get((change.account, touch.type), {})
        for name in touch.ids:
            found = tuple(key for key in named.get(name, ()) if key.region in (change.region, GLOBAL))
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
        if key in self._own_story:
            return key
        spec = self.specs.get(key.type)
        if spec is None:
            return whole(key) or key
        if spec.parent is None:
            return key
        resource = self.known.get(key)
        if resource is not None and resource.parent is not None:
            return resource.parent
        parts = key.id.split("|")
        if len(parts) != len(spec.identity):
            return key
        by_name = dict(zip(spec.identity, parts, strict=True))
        parent = "|".join(by_name.get(name, "") for name in spec.parent.identity)
        keys = self._keys.get((key.account, spec.parent.type), {}).get(parent, ())
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
        parts = {name for name, spec in self.specs.items() if spec.parent is not None}
        about = {one.parent for key in keys if (one := self.known.get(key)) is not None and one.parent is not None}
        about |= keys
        about |= {key for key in self.known if key.type in parts and self.owner(key) in keys}
        named = (resource for resource in self._resources if resource.key in about)
        return {key.id for key in keys} | {name for one in named for name in (one.key.id, *one.identifiers)}

"""Sensitive values on their way out of a state: which they are, and their seals.

Hides that Terraform marks places, not values: a secret also stands where the provider copied it (`tags_all`), and in
the parts a spec makes out of its resource. An index in a path counts for every element, because a set read from AWS
has another order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from agent.compare import Hidden
from agent.declared.evaluation import DeclaredInstance
from agent.declared.language.values import SENSITIVE, List, Map, Object, Sensitive, Tuple, Value, flags
from agent.declared.state import Steps
from agent.model import GLOBAL, Change, Entry, Key, Resource, Secret, Snapshot, Touch
from agent.seal import newest, seal

Call = TypeVar("Call", Change, Entry)


def sealed(key: bytes, attributes: Mapping[str, Any], paths: Iterable[Steps], marked: frozenset[Any]) -> dict[str, Any]:
    """Attributes with everything at the paths, and every scalar equal to a marked one, as `Secret`."""
    result: Any = dict(attributes)
    for path in paths:
        result = _seal_at(key, result, path)
    return {name: _seal_equal(key, value, marked) for name, value in result.items()} if marked else result


def marked_scalars(attributes: Mapping[str, Any], paths: Iterable[Steps]) -> frozenset[Any]:
    """The texts and numbers at the paths; booleans say too little to be told apart."""
    return frozenset(
        scalar
        for path in paths
        for found in _at(attributes, path)
        for scalar in _scalars(found)
        if scalar not in ("", None) and not isinstance(scalar, bool)
    )


def marks(value: Value) -> Iterator[Steps]:
    """The ways to what is sensitive in a value, as state spells them; 0 stands for any element."""
    if isinstance(value, Sensitive):
        yield ()
    elif isinstance(value, Map | Object):
        for name, each in value.items.items():
            yield from ((name, *path) for path in (marks(each) if flags(each) & SENSITIVE else ()))
    elif isinstance(value, List | Tuple):
        yield from dict.fromkeys((0, *path) for each in value.items if flags(each) & SENSITIVE for path in marks(each))
    elif flags(value) & SENSITIVE:
        yield ()


def marked_by_code(found: DeclaredInstance) -> tuple[Steps, ...]:
    """What the code of an instance calls sensitive, also where the state was written before it did."""
    paths = [(name, *path) for name, value in found.values.items() for path in marks(value)]
    copied = [path[1:] for path in paths if path[0] == "tags"]
    return (*paths, *(("tags_all", *path) for path in (*copied, *marks(found.provider.default_tags))))


def seal_alike(declared: Snapshot, live: Snapshot, key: bytes) -> Snapshot:
    """The live side with a `Secret` wherever the declared side has one.

    The live reader cannot know what a configuration calls sensitive. Without this step such a value would be a
    difference, and would be written down as one. Where a stack could not be read nobody knows: what it may have
    declared is sealed whole.
    """
    patterns: dict[Key, list[Resource]] = {}
    for resource in declared.resources:
        patterns.setdefault(resource.key, []).append(resource)
    untold = Hidden(declared.gaps)
    found = []
    for resource in live.resources:
        if resource.key not in patterns and resource.key in untold:
            whole = {name: _seal(key, value) for name, value in resource.attributes.items()}
            resource = replace(resource, attributes=whole)  # noqa: PLW2901  the same resource, sealed
        for pattern in patterns.get(resource.key, ()):
            if _holds_secret(pattern.attributes):
                attributes = {
                    name: _alike(pattern.attributes.get(name), value, key)
                    for name, value in resource.attributes.items()
                }
                resource = replace(resource, attributes=attributes)  # noqa: PLW2901  two stacks may declare it
        found.append(resource)
    return replace(live, resources=tuple(found))


def seal_calls(declared: Snapshot, calls: Iterable[Call], key: bytes) -> tuple[Call, ...]:
    """Calls with a `Secret` wherever one sets what the declared side seals; such a call keeps no request.

    Without this step a value that the code calls sensitive would be written down as CloudTrail saw it, and would
    never equal the live one. Where a stack could not be read, every value a call sets on what it may have declared
    is sealed.
    """
    return tuple(map(call_sealer(declared, key), calls))


def call_sealer(declared: Snapshot, key: bytes) -> Callable[[Call], Call]:
    """`seal_calls` for many lots of calls: what is declared is looked through once."""
    patterns: dict[tuple[str, str], Resource | None] = {}
    for resource in declared.resources:
        secret = _holds_secret(resource.attributes)
        for name in (resource.key.id, *resource.identifiers):
            if secret or (resource.key.type, name) not in patterns:
                patterns[resource.key.type, name] = resource if secret else None
    return _Calls(patterns, Hidden(declared.gaps), bool(declared.gaps), newest(key)).sealed


@dataclass(frozen=True, slots=True)
class _Calls:
    """Seals calls by what is declared of the resources they name."""

    patterns: Mapping[tuple[str, str], Resource | None]
    """Type and name → what is declared under it; None: it holds nothing secret."""
    untold: Hidden
    blind: bool
    """Whether there is anything untold."""
    key: bytes

    def sealed(self, change: Call) -> Call:
        """The call, or a copy of it without what is secret."""
        sets = [self.sets(change, touch) for touch in change.touches]
        hidden = any(map(_holds_secret, sets)) or self.may_hide(change)
        same = all(its is touch.sets for its, touch in zip(sets, change.touches, strict=True))
        if same and not (hidden and change.request):
            return change  # as most are; there are thousands
        touches = tuple(replace(touch, sets=its) for its, touch in zip(sets, change.touches, strict=True))
        return replace(change, touches=touches, request={} if hidden else change.request)

    def sets(self, change: Call, touch: Touch) -> Mapping[str, Any]:
        known, pattern = self.pattern(touch)
        if pattern is not None:
            return {name: _alike(pattern.attributes.get(name), value, self.key) for name, value in touch.sets.items()}
        if not known and self.is_untold(change, touch):
            return {name: _seal(self.key, value) for name, value in touch.sets.items()}
        return touch.sets

    def pattern(self, touch: Touch) -> tuple[bool, Resource | None]:
        """Whether it is declared, and what of it is secret."""
        for name in touch.ids:
            if (touch.type, name) in self.patterns:
                return True, self.patterns[touch.type, name]
        return False, None

    def is_untold(self, change: Call, touch: Touch) -> bool:
        if not self.blind:
            return False
        regions = (change.region, GLOBAL)
        return any(
            Key(change.account, region, touch.type, name) in self.untold for region in regions for name in touch.ids
        )

    def may_hide(self, change: Call) -> bool:
        """Whether the call may carry a secret that nobody could name: its resource is in no stack that was read."""
        if not self.blind:
            return False
        if not change.touches:
            return Key(change.account, change.region, "", "") in self.untold
        return any(not self.pattern(touch)[0] and self.is_untold(change, touch) for touch in change.touches)


def _alike(pattern: Any, value: Any, key: bytes) -> Any:
    if not _holds_secret(pattern):
        return value
    if isinstance(pattern, Mapping) and isinstance(value, Mapping):
        # An entry only the live side has may well be one more of the same kind: sealed too.
        return {name: _alike(pattern.get(name, _ANY), item, key) for name, item in value.items()}
    if isinstance(pattern, list) and isinstance(value, list):
        first = next(item for item in pattern if _holds_secret(item))
        return [_alike(first, item, key) for item in value]
    return _seal(key, value)


_ANY = Secret("")


def _holds_secret(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_holds_secret, value.values()))
    if isinstance(value, list):
        return any(map(_holds_secret, value))
    return isinstance(value, Secret)


def _seal(key: bytes, value: Any) -> Any:
    """Element by element, so that a set stays comparable."""
    return [_seal(key, item) for item in value] if isinstance(value, list) else seal(key, value)


def _seal_at(key: bytes, value: Any, path: Steps) -> Any:
    if not path:
        return _seal(key, value)
    step, rest = path[0], path[1:]
    if isinstance(value, Mapping):
        return {name: _seal_at(key, item, rest) if name == step else item for name, item in value.items()}
    if isinstance(value, list) and isinstance(step, int):
        return [_seal_at(key, item, rest) for item in value]
    return _seal(key, value)


def _seal_equal(key: bytes, value: Any, marked: frozenset[Any]) -> Any:
    if isinstance(value, Mapping):
        return {name: _seal_equal(key, item, marked) for name, item in value.items()}
    if isinstance(value, list):
        return [_seal_equal(key, item, marked) for item in value]
    is_scalar = isinstance(value, str | int | float) and not isinstance(value, bool)
    return seal(key, value) if is_scalar and value in marked else value


def _at(value: Any, path: Steps) -> Iterator[Any]:
    if not path:
        yield value
    elif isinstance(value, Mapping):
        if path[0] in value:
            yield from _at(value[path[0]], path[1:])
    elif isinstance(value, list) and isinstance(path[0], int):
        for item in value:
            yield from _at(item, path[1:])
    else:
        yield value


def _scalars(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _scalars(item)
    elif isinstance(value, list):
        for item in value:
            yield from _scalars(item)
    else:
        yield value

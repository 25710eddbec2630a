"""Merged and not applied: where the configuration differs from what state records.

Hides what is no difference: another spelling of the same value, defaults the provider filled in, what is ignored, and
what cannot be told because the configured value is not wholly known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from agent.declared.addresses import parse_address
from agent.declared.evaluation import DeclaredInstance, Evaluated
from agent.declared.evaluation.providers import ProviderConfig
from agent.declared.language.error import EvaluationError
from agent.declared.language.values import (
    NULL,
    UNKNOWN,
    List,
    Map,
    Null,
    Object,
    Sensitive,
    Set,
    Tuple,
    Unknown,
    Value,
    flags,
    force,
    same,
    to_plain,
    unmarked,
    whys,
)
from agent.declared.schemas.shape import dynamic, recorded_name
from agent.declared.state import Instance
from agent.equal import canonical
from agent.model import Unapplied
from agent.resources import WEIRD, Spec

_TAGS = "tags_all"
_REGION = "region"
_PAIRED = 500
"""Elements of a set each of which is tried with each; of more, which are in one order, the first with the first."""


@dataclass(frozen=True, slots=True)
class Configured:
    """One configured value, plain."""

    value: Any = field(repr=False)
    sensitive: bool


@dataclass(frozen=True, slots=True)
class Compared:
    """Configuration and state of one instance, compared attribute by attribute."""

    differs: Mapping[str, Configured]
    untold: Mapping[str, tuple[str, ...]]
    """Attribute whose configured value is not wholly known → why."""


def compared(
    found: DeclaredInstance, recorded: Mapping[str, Any], spec: Spec | None, *, everything: bool = False
) -> Compared:
    """What the code of an instance sets otherwise than state has it.

    `recorded` are its decoded attributes. With a specification only what that compares or splits into parts is told,
    unless `everything` the code sets is asked for; what it compares, it compares in its own way. What becomes several
    facts is told whole, because only their making says which attributes matter.
    """
    whole = everything or spec is None or spec.split is not None
    told = _told(spec) if spec else frozenset()
    differs: dict[str, Configured] = {}
    untold: dict[str, tuple[str, ...]] = {}
    unrecorded = _write_only(found)
    for name, value in _values(found).items():
        if name in unrecorded or (not whole and name not in told) or _ignored(name, found.ignore_changes):
            continue
        if name == _REGION and name not in recorded:
            continue  # written before AWS provider 6: to name the region a resource is in is no change of it
        if is_deep(value):
            untold[name] = (f"its value is nested more than {DEEPEST} levels deep",)
            continue
        bare, sensitive = unmarked(value)
        if flags(bare) & UNKNOWN:
            untold[name] = whys(bare)
        elif not isinstance(bare, Null) and not _equal(bare, recorded, name, spec, found):
            differs[name] = Configured(to_plain(bare), sensitive)
    return Compared(differs, untold)


def _told(spec: Spec) -> frozenset[str]:
    """What a specification compares, splits off or names a resource by; and the region that it is in."""
    names = {each.name for each in spec.attributes} | {each.attribute for each in spec.inline}
    place = set() if spec.is_global else {_REGION}
    return frozenset(names | set(spec.identity) | set(spec.names) | place)


DEEPEST = 100
"""Lists and objects within one another that are compared or shown; local values can nest them a thousand deep."""


def is_deep(value: Value) -> bool:
    """Whether a value is nested deeper than that."""
    level: list[Value] = [value]
    for _ in range(DEEPEST):
        level = [inner for each in level for inner in _inside(each)]
        if not level:
            return False
    return True


def _inside(value: Value) -> Iterable[Value]:
    if isinstance(value, Map | Object):
        return value.items.values()
    if isinstance(value, List | Set | Tuple):
        return value.items
    return (value.value,) if isinstance(value, Sensitive) else ()


def _write_only(found: DeclaredInstance) -> frozenset[str]:
    """Attributes that state never has."""
    known = found.schema.block.attributes if found.schema else {}
    return frozenset(name for name, each in known.items() if each.write_only)


def _values(found: DeclaredInstance) -> Mapping[str, Value]:
    """What the code sets, forced; `tags_all` as the provider makes it of `tags` and `default_tags`."""
    values: dict[str, Value] = {}
    for name, value in found.values.items():
        try:
            values[name] = value if is_deep(value) else force(value)
        except EvaluationError as error:
            values[name] = Unknown(str(error))
    block = found.schema.block if found.schema else None
    if block is not None and _TAGS in block.attributes and _TAGS not in values:
        tags = _all_tags(values.get("tags"), found.provider)
        if tags is not None:
            values[_TAGS] = tags
    return values


def _all_tags(tags: Value | None, config: ProviderConfig) -> Value | None:
    """`default_tags` under `tags`; None where the code sets neither."""
    found: dict[str, Value] = {}
    hidden = False
    sets = [each for each in (config.default_tags, tags) if each is not None and not isinstance(each, Null)]
    for each in sets:
        bare, marked = unmarked(each)
        hidden |= marked
        if not isinstance(bare, Map | Object):
            return bare
        found |= {name: value for name, value in bare.items.items() if not isinstance(value, Null)}
    if not sets:
        return None
    return Sensitive(Object(found)) if hidden else Object(found)


def _ignored(name: str, paths: tuple[str, ...]) -> bool:
    return "all" in paths or name in paths


def _equal(bare: Value, recorded: Mapping[str, Any], name: str, spec: Spec | None, found: DeclaredInstance) -> bool:
    block = found.schema.block if found.schema else None
    before = recorded.get(name)
    have = recorded_name(block, name, before) if block is not None else dynamic(before)
    if _agrees(bare, unmarked(have)[0]):
        return True
    want = to_plain(bare)
    if spec is not None and name != _REGION and (spec.split or spec.inline) and _same_facts(spec, recorded, name, want):
        return True
    if isinstance(want, dict) and isinstance(before, dict | None):
        want, before = _kept(want, name, found), _kept(before or {}, name, found)
    kind = next((each for each in spec.attributes if each.name == name), None) if spec else None
    if kind is None:
        return bool((want or None) == (before or None))
    left, right = canonical(want, kind.kind), canonical(before, kind.kind)
    default = canonical(kind.default, kind.kind)
    return bool((default if left is None else left) == (default if right is None else right))


def _agrees(want: Value, have: Value) -> bool:
    """Whether what is recorded is what was asked for: what a block leaves out the provider fills in as it likes."""
    match want, have:
        case Null(), _:
            return True
        case Object(), Object() | Map():
            return all(_agrees(each, have.items.get(name, NULL)) for name, each in want.items.items())
        case Map(), Map() | Object():
            return want.items.keys() == have.items.keys() and all(
                _agrees(each, have.items[name]) for name, each in want.items.items()
            )
        case Set(), Set():
            return len(want.items) == len(have.items) and _matched(want, have)
        case List() | Tuple() | Set(), List() | Tuple() | Set():
            return len(want.items) == len(have.items) and all(map(_agrees, want.items, have.items))
        case str(), str():
            return want == have or _same_document(want, have)
        case List() | Tuple() | Set() | Map(), Null():
            return not want.items
    return same(want, have) or (isinstance(want, str | bool | int | Decimal) and _as_text(want) == _as_text(have))


def _matched(want: Set, have: Set) -> bool:
    """Whether each element asked for has one of its own among those recorded."""
    equal = dict.fromkeys(have.items)
    rest = [each for each in want.items if equal.pop(each, each) is not None]
    left = list(equal)
    if len(rest) > _PAIRED:
        return all(map(_agrees, rest, left))
    for each in rest:
        found = next((i for i, other in enumerate(left) if _agrees(each, other)), None)
        if found is None:
            return False
        del left[found]
    return True


def _same_document(want: str, have: str) -> bool:
    """Whether two texts are one JSON document, or one policy, written in two ways."""
    if want.lstrip()[:1] not in ("{", "[") or have.lstrip()[:1] not in ("{", "["):
        return False
    return bool(canonical(want, "policy") == canonical(have, "policy"))


def _as_text(value: Value) -> str | None:
    """A primitive as state may spell it where nobody knows its type."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | Decimal) else None


def _same_facts(spec: Spec, recorded: Mapping[str, Any], name: str, want: Any) -> bool:
    """Whether the specification makes the same facts of what is configured as of what is recorded."""
    merged = {**recorded, name: want}
    try:
        if spec.split and list(spec.split(merged)) == list(spec.split(recorded)):
            return True
        parts = next((each.parts for each in spec.inline if each.attribute == name), None)
        return parts is not None and _sorted(parts(merged)) == _sorted(parts(recorded))
    except WEIRD:
        return False


def _sorted(parts: Iterable[Mapping[str, Any]]) -> list[str]:
    return sorted(repr(sorted(part.items())) for part in parts)


def _kept(value: Mapping[str, Any], name: str, found: DeclaredInstance) -> dict[str, Any]:
    """A map without the entries that `ignore_changes` or the provider's `ignore_tags` names."""
    entries = {
        path[len(name) :].strip('[]."') for path in found.ignore_changes if path.startswith((f"{name}[", f"{name}."))
    }
    keys, prefixes = found.provider.ignore_tags if name in ("tags", _TAGS) else (frozenset(), ())
    return {
        key: each
        for key, each in value.items()
        if key not in entries and key not in keys and not key.startswith(prefixes or ("\0",))
    }


def pending(stack: str, evaluated: Evaluated, instances: tuple[Instance, ...]) -> Iterator[Unapplied]:
    """What the next apply would create, adopt, move, give up or destroy as a whole.

    What lies in a module that is not to be had, or in a block nobody can tell the repetition of, is left out.
    """
    there = {each.address for each in instances}
    for each in evaluated.instances.values():
        if each.recorded_at and each.recorded_at != each.address:
            yield Unapplied(stack, each.address, "move", each.source, f"state has it as {each.recorded_at}")
        elif not each.recorded_at and each.address not in there:
            adopted = _named(each.address, evaluated.imports)
            yield Unapplied(stack, each.address, "import" if adopted else "create", each.source)
    declared = {each.recorded_at or each.address for each in evaluated.instances.values()}
    for instance in instances:
        now = evaluated.moved.get(instance.address, instance.address)
        if instance.address in declared or now in evaluated.instances or _hidden(now, evaluated):
            continue
        yield _leaving(stack, now, evaluated)


def _named(address: str, names: frozenset[str]) -> bool:
    return address in names or address.rpartition("[")[0] in names


def _hidden(address: str, evaluated: Evaluated) -> bool:
    """Whether the code that would declare it cannot be told."""
    return any(address.startswith((f"{each}.", f"{each}[")) for each in (*evaluated.unexpanded, *evaluated.absent))


def _leaving(stack: str, address: str, evaluated: Evaluated) -> Unapplied:
    parts = parse_address(address)
    for removal in evaluated.refactorings.removals:
        if parts is not None and removal.covers(parts):
            why = "a `removed` block names it"
            return Unapplied(stack, address, "destroy" if removal.destroy else "forget", removal.source, why)
    return Unapplied(stack, address, "destroy", None, "no code declares it any more")

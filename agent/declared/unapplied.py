"""Merged and not applied: where the configuration differs from what state records.

Hides what is no difference: another spelling of the same value, defaults the provider filled in, what is ignored, and
what cannot be told because the configured value is not wholly known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agent.declared.addresses import parse_address
from agent.declared.evaluation import DeclaredInstance, Evaluated
from agent.declared.evaluation.providers import ProviderConfig
from agent.declared.language.error import EvaluationError
from agent.declared.language.values import (
    UNKNOWN,
    Map,
    Null,
    Object,
    Sensitive,
    Unknown,
    Value,
    flags,
    force,
    same,
    to_plain,
    unmarked,
    whys,
)
from agent.declared.schemas import Block
from agent.declared.schemas.shape import recorded_name
from agent.declared.state import Instance
from agent.equal import canonical
from agent.model import Unapplied
from agent.resources import Attribute, Spec

_TAGS = "tags_all"


@dataclass(frozen=True, slots=True)
class Configured:
    """One configured value, plain."""

    value: Any
    sensitive: bool


@dataclass(frozen=True, slots=True)
class Compared:
    """Configuration and state of one instance, compared attribute by attribute."""

    differs: Mapping[str, Configured]
    untold: Mapping[str, tuple[str, ...]]
    """Attribute whose configured value is not wholly known → why."""


def compared(found: DeclaredInstance, recorded: Mapping[str, Any], spec: Spec | None) -> Compared:
    """What the code of an instance sets otherwise than state has it.

    `recorded` are its decoded attributes. With a specification only what that compares or splits into parts is told,
    in the way it compares; without, everything the code sets.
    """
    block = found.schema.block if found.schema else None
    kinds = {each.name: each for each in spec.attributes} if spec else {}
    inline = {each.attribute for each in spec.inline} if spec else set()
    differs: dict[str, Configured] = {}
    untold: dict[str, tuple[str, ...]] = {}
    for name, value in _values(found).items():
        if (spec is not None and name not in kinds and name not in inline) or _ignored(name, found.ignore_changes):
            continue
        bare, sensitive = unmarked(value)
        if flags(bare) & UNKNOWN:
            untold[name] = whys(bare)
        elif not isinstance(bare, Null) and not _equal(bare, recorded.get(name), name, block, kinds.get(name), found):
            differs[name] = Configured(to_plain(bare), sensitive)
    return Compared(differs, untold)


def _values(found: DeclaredInstance) -> Mapping[str, Value]:
    """What the code sets, forced; `tags_all` as the provider makes it of `tags` and `default_tags`."""
    values: dict[str, Value] = {}
    for name, value in found.values.items():
        try:
            values[name] = force(value)
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


def _equal(
    bare: Value, recorded: Any, name: str, block: Block | None, kind: Attribute | None, found: DeclaredInstance
) -> bool:
    if block is not None and same(bare, unmarked(recorded_name(block, name, recorded))[0]):
        return True
    want, have = to_plain(bare), recorded
    if isinstance(want, dict) and isinstance(have, dict | None):
        want, have = _kept(want, name, found), _kept(have or {}, name, found)
    if kind is None:
        return bool((want or None) == (have or None)) or _loosely(want) == _loosely(have)
    left, right = canonical(want, kind.kind), canonical(have, kind.kind)
    default = canonical(kind.default, kind.kind)
    return bool((default if left is None else left) == (default if right is None else right))


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


def _loosely(value: Any) -> Any:
    """Without what a provider adds: nulls, empty collections, and numbers spelled as text."""
    if isinstance(value, Mapping):
        inner = {key: _loosely(each) for key, each in value.items()}
        return {key: each for key, each in inner.items() if each is not None} or None
    if isinstance(value, list):
        return [_loosely(each) for each in value] or None
    if value == "" or value is None:
        return None
    return value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


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

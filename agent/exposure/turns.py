"""Differences and calls as one shape: an attribute that went from one value to another.

Hides where the values come from: a drift knows both, a call knows what it asked for and, at best, nothing of before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent import named
from agent.model import Act, Change, Drift, Key, Touch, Unknown
from agent.resources import Kind, Spec

Specs = Mapping[str, Spec]


@dataclass(frozen=True, slots=True)
class Signal:
    """One answer, and what it rests on."""

    value: tuple[str, ...] | Unknown
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """One attribute going from one value to another; with no attribute, a whole resource coming or going."""

    type: str
    attribute: str
    act: Act
    before: Any
    after: Any
    kind: Kind = "text"


def turns(key: Key, drifts: Sequence[Drift], change: Change | None, specs: Specs) -> tuple[Turn, ...]:
    """Everything that moved on one resource and its parts, by its drifts and by the call behind them."""
    moved = [turn for drift in drifts for turn in _of_drift(drift, specs)]
    if change is not None:
        moved += _of_change(key, drifts, change, specs)
    return tuple(moved)


def _of_drift(drift: Drift, specs: Specs) -> Iterable[Turn]:
    subject = drift.part or drift.key
    if drift.kind == "unapplied":
        return  # configuration and state differ; nothing in the cloud moved
    if drift.kind == "changed" and drift.part is None:
        yield _turn(specs, subject.type, drift.attribute, "update", drift.declared, drift.live)
    elif drift.live is None:
        yield Turn(subject.type, "", "delete", drift.declared, None)
    else:
        yield from _came(specs, subject.type, [subject.id], drift.live)


def _came(specs: Specs, type_: str, ids: Iterable[str], attributes: Mapping[str, Any]) -> Iterable[Turn]:
    """A resource that is new: as a whole, and in each attribute that its identity names or that it brought."""
    brought = {**_named(ids, specs.get(type_)), **attributes}
    yield Turn(type_, "", "create", None, brought)
    for name, value in brought.items():
        yield _turn(specs, type_, name, "create", None, value)


def _turn(specs: Specs, type_: str, name: str, act: Act, before: Any, after: Any) -> Turn:
    spec = specs.get(type_)
    kinds = {attribute.name: attribute.kind for attribute in spec.attributes} if spec else {}
    return Turn(type_, name, act, before, after, kinds.get(name, "text"))


def _of_change(key: Key, drifts: Sequence[Drift], change: Change, specs: Specs) -> Iterable[Turn]:
    declared = {(d.key.type, d.attribute): d.declared for d in drifts if d.kind == "changed" and d.part is None}
    parts = {drift.part.type for drift in drifts if drift.part is not None}
    for touch in change.touches:
        if touch.type == key.type or touch.type in parts or part_of(touch.type, key.type, specs):
            yield from _of_touch(touch, declared, specs)


def part_of(part: str, whole: str, specs: Specs) -> bool:
    """Whether resources of a type are settings of another type's, as its spec or the table of named types says."""
    spec = specs.get(part)
    if spec is not None:
        return spec.parent is not None and spec.parent.type == whole
    known = named.load().get(part)
    return known is not None and known.parent == whole


def _of_touch(touch: Touch, declared: Mapping[tuple[str, str], Any], specs: Specs) -> Iterable[Turn]:
    if touch.act == "delete":
        yield Turn(touch.type, "", "delete", None, None)
    elif touch.act == "create":
        yield from _came(specs, touch.type, touch.ids, touch.sets)
    for name, value in touch.sets.items() if touch.act == "update" else ():
        before = declared.get((touch.type, name), Unknown(f"{name} before the call is not on record"))
        # Of an attribute that drifts, the drift shows what is live; the call adds what it asked for, if that is known.
        if not (isinstance(value, Unknown) and (touch.type, name) in declared):
            yield _turn(specs, touch.type, name, "update", before, value)


def _named(ids: Iterable[str], spec: Spec | None) -> Mapping[str, Any]:
    """The attributes an identity is made of: that of a security group rule says which addresses it admits."""
    for name in ids:
        parts = name.split("|")
        if spec is not None and len(parts) == len(spec.identity) > 1:
            return dict(zip(spec.identity, parts, strict=True))
    return {}


# --- values, whoever spelt them ------------------------------------------------------------------------------


def word(value: Any) -> str:
    """A scalar in lower case; "" for nothing set, whatever spelling of nothing it is."""
    if value is None or value in ([], {}, ()):
        return ""
    return str(value).strip().lower()


def listed(value: Any) -> list[Any]:
    """A list as it is, one value as a list of one, nothing as none."""
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    return [] if word(value) == "" else [value]


def leaves(value: Any) -> dict[str, Any]:
    """Every scalar inside a value by its dotted path, list positions left out; "" for the value itself."""
    found: dict[str, Any] = {}
    waiting = [("", value)]
    while waiting:  # not recursive: requests are attacker-written, and may be nested deeper than Python's stack
        path, item = waiting.pop()
        if isinstance(item, Mapping):
            waiting.extend((f"{path}.{name}" if path else str(name), inner) for name, inner in item.items())
        elif isinstance(item, list | tuple | set | frozenset) and item:
            waiting.extend((path, inner) for inner in item)
        else:
            found[path] = item
    return found


def texts(value: Any) -> list[str]:
    """Every string inside a value, map keys left out, sorted."""
    found, waiting = set(), [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Mapping):
            waiting.extend(item.values())
        elif isinstance(item, list | tuple | set | frozenset):
            waiting.extend(item)
        elif isinstance(item, str):
            found.add(item)
    return sorted(found)

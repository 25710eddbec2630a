"""Conversion between types, and the one type that several values have in common.

Hides Terraform's rules for both (https://developer.hashicorp.com/terraform/language/expressions/type-constraints and,
for what the page leaves out, what Terraform 1.11 does).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import lru_cache

from agent.declared.language import numbers
from agent.declared.language.error import EvaluationError
from agent.declared.language.types import (
    BOOL,
    DYNAMIC,
    NUMBER,
    STRING,
    ListOf,
    MapOf,
    ObjectOf,
    Primitive,
    SetOf,
    TupleOf,
    Type,
)
from agent.declared.language.unification import convertible, has_dynamic, plain_type, unified
from agent.declared.language.values import (
    SENSITIVE,
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
    flags_of,
    type_of,
    unmarked,
    whys,
)

__all__ = ["convert", "text", "unified"]

_PLAIN = {str: STRING, bool: BOOL, int: NUMBER, Decimal: NUMBER}
_REQUIRED = {STRING: "string required", NUMBER: "a number is required", BOOL: "a bool is required"}
_KINDS = {ListOf: "list", SetOf: "set", MapOf: "map", ObjectOf: "object", TupleOf: "tuple"}


def convert(value: Value, type_: Type) -> Value:
    """The value as the type, `any` parts of which take the types the value has.

    `Sensitive` and `Unknown` stay what they are, inside and out; but a sensitive item makes a whole set sensitive.
    Attributes that `optional()` marks and the value
    lacks become null (their defaults are the variable's business). Raises `EvaluationError`.
    """
    if type_ is DYNAMIC or _PLAIN.get(type(value)) is type_:
        return value
    if isinstance(value, Sensitive):
        return Sensitive(convert(value.value, type_))
    if isinstance(value, Null | Unknown):
        return _typed(value, type_)
    if isinstance(type_, Primitive):
        return _primitive(value, type_)
    if isinstance(value, bool | int | Decimal | str):
        raise _mismatch(type_)
    if not isinstance(value, List | Set | Tuple | Map | Object):
        return convert(value.force(), type_)
    return _CONVERSIONS[type(type_)](value, type_)


def text(value: bool | int | Decimal | str) -> str:
    """A primitive as `tostring` spells it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return numbers.text(value)


def _mismatch(type_: Type) -> EvaluationError:
    if isinstance(type_, Primitive):
        return EvaluationError(_REQUIRED[type_])
    if isinstance(type_, ListOf | SetOf | MapOf) and isinstance(type_.element, Primitive):
        element = "any" if type_.element == DYNAMIC else type_.element.name
        return EvaluationError(f"{_KINDS[type(type_)]} of {element} required")
    return EvaluationError(f"{_KINDS[type(type_)]} required")


def _typed(value: Null | Unknown, type_: Type) -> Value:
    """Null or unknown of another type."""
    if not convertible(value.type, type_, unsafe=True):
        raise _mismatch(type_)
    wanted = plain_type(_closed(type_, value.type) if has_dynamic(type_) else type_)
    return Null(wanted) if isinstance(value, Null) else Unknown(value.why, wanted)


def _closed(type_: Type, own: Type) -> Type:
    """A constraint, its open parts closed by what a value's own type has there."""
    if type_ == DYNAMIC:
        return own
    if isinstance(type_, ListOf | SetOf | MapOf):
        return type(type_)(_closed(type_.element, _element(own)))
    if isinstance(type_, ObjectOf):
        named = dict(own.attributes) if isinstance(own, ObjectOf) else {}
        return ObjectOf.of({name: _closed(each, named.get(name, _element(own))) for name, each in type_.attributes})
    if isinstance(type_, TupleOf) and isinstance(own, TupleOf):
        return TupleOf(tuple(map(_closed, type_.items, own.items)))
    return type_


def _element(own: Type) -> Type:
    """The type that the elements of a value of this type have, or would come to."""
    match own:
        case ListOf(element) | SetOf(element) | MapOf(element):
            return element
        case TupleOf(items) if items:
            return unified(items) or DYNAMIC
        case ObjectOf(attributes) if attributes:
            return unified([each for _, each in attributes]) or DYNAMIC
    return DYNAMIC


def _primitive(value: Value, type_: Primitive) -> Value:
    if type_ == STRING:
        if isinstance(value, str):
            return value
        if isinstance(value, bool | int | Decimal):
            return text(value)
    elif type_ == NUMBER:
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            return value
        found = numbers.parsed(value) if isinstance(value, str) else None
        if found is not None:
            return found
    elif isinstance(value, bool):
        return value
    elif isinstance(value, str) and value in _BOOLS:
        return _BOOLS[value]
    if isinstance(value, bool | int | Decimal | str | List | Set | Tuple | Map | Object):
        raise _mismatch(type_)
    raise EvaluationError(f"{_REQUIRED[type_]}, not an object")


_BOOLS = {"true": True, "1": True, "false": False, "0": False}


def _at(step: str, item: Value, type_: Type) -> Value:
    """One item of a container, converted; errors say where it stands."""
    try:
        return convert(item, type_)
    except EvaluationError as error:
        message = str(error)
        separator = "" if message.startswith(("[", ".")) else ": "
        raise EvaluationError(f"{step}{separator}{message}") from None


def _sequence(value: Value, type_: Type) -> Sequence[Value]:
    """Items of what can become a list or a set."""
    if isinstance(value, List | Set | Tuple):
        return value.items
    raise _mismatch(type_)


def _to_list(value: Value, type_: Type) -> Value:
    assert isinstance(type_, ListOf)
    items = _sequence(value, type_)
    if isinstance(value, List) and value.element == type_.element and not _open(type_.element):
        return value
    if isinstance(value, Set) and value.flags & UNKNOWN and len(value.items) > 1:
        return Unknown(whys(value), plain_type(type_))
    if not items:
        return List((), _kept(value, type_.element))
    return _alike("list", [_at(f"[{i}]", each, type_.element) for i, each in enumerate(items)], type_.element, List)


def _to_set(value: Value, type_: Type) -> Value:
    assert isinstance(type_, SetOf)
    items = _sequence(value, type_)
    if isinstance(value, Set) and value.element == type_.element and not _open(type_.element):
        return value
    if not items:
        return Set((), _kept(value, type_.element))
    return _alike("set", [_at(f"[{i}]", each, type_.element) for i, each in enumerate(items)], type_.element, _set)


def _kept(empty: Value, element: Type) -> Type:
    """The element's type of a collection made from an empty one: what is left open is as it was."""
    if not isinstance(empty, List | Set | Map):
        return plain_type(element)
    return type_of(convert(Unknown((), empty.element), element))


def _set(items: Iterable[Value], element: Type) -> Value:
    """A set; sensitive items make it sensitive as a whole, because an item of a set has no mark."""
    items = tuple(items)
    if flags_of(items) & SENSITIVE:
        return Sensitive(Set((unmarked(each)[0] for each in items), element))
    return Set(items, element)


def _to_map(value: Value, type_: Type) -> Value:
    assert isinstance(type_, MapOf)
    if not isinstance(value, Map | Object):
        raise _mismatch(type_)
    if isinstance(value, Map) and value.element == type_.element and not _open(type_.element):
        return value
    if not value.items:
        return Map({}, _kept(value, type_.element))
    items = [_at("an element", each, type_.element) for each in value.items.values()]
    return _alike("map", items, type_.element, lambda each, kind: Map(dict(zip(value.items, each, strict=True)), kind))


def _alike(kind: str, items: list[Value], element: Type, build: Callable[[list[Value], Type], Value]) -> Value:
    """A collection of items that were converted; where the element's type is open, of the type they have in common."""
    if not _open(element):
        return build(items, element)
    if not has_dynamic(element):
        return build(items, plain_type(element))
    for _ in range(2):  # the first round may leave parts open that the second one closes
        types = list(dict.fromkeys(map(type_of, items)))
        # A null without a type joins any map, but not any list.
        joins = kind == "map" and any(isinstance(each, Null) and each.type == DYNAMIC for each in items)
        typed = [each for each in types if each != DYNAMIC] if joins else types
        if len(typed) == 1:
            return build([convert(each, typed[0]) for each in items], typed[0])
        common = unified(types)
        if common is None:
            break
        if common == DYNAMIC and any(isinstance(each, Unknown) and each.type == DYNAMIC for each in items):
            return Unknown((why for each in items for why in whys(each)), _WHOLES[kind])
        items = [convert(each, common) for each in items]
    types = list(dict.fromkeys(map(type_of, items)))
    if len(types) == 1:
        return build(items, types[0])
    raise EvaluationError(f"all {kind} elements must have the same type")


_WHOLES: dict[str, Type] = {"list": ListOf(DYNAMIC), "set": SetOf(DYNAMIC), "map": MapOf(DYNAMIC)}


def _to_object(value: Value, type_: Type) -> Value:
    assert isinstance(type_, ObjectOf)
    if not isinstance(value, Map | Object):
        raise _mismatch(type_)
    found: dict[str, Value] = {}
    for name, wanted in type_.attributes:
        if name in value.items:
            found[name] = _at(f'attribute "{name}"', value.items[name], wanted)
        elif name in type_.optional:
            found[name] = Null(plain_type(wanted))
        else:
            raise EvaluationError(f'attribute "{name}" is required')
    return Object(found)


def _to_tuple(value: Value, type_: Type) -> Value:
    assert isinstance(type_, TupleOf)
    if not isinstance(value, Tuple | List) or len(value.items) != len(type_.items):
        raise EvaluationError(f"tuple of {len(type_.items)} required")
    pairs = zip(value.items, type_.items, strict=True)
    return Tuple(_at(f"[{i}]", each, wanted) for i, (each, wanted) in enumerate(pairs))


_CONVERSIONS: dict[type, Callable[[Value, Type], Value]] = {
    ListOf: _to_list,
    SetOf: _to_set,
    MapOf: _to_map,
    ObjectOf: _to_object,
    TupleOf: _to_tuple,
}


@lru_cache(maxsize=4096)
def _open(type_: Type) -> bool:
    """Whether a type is a constraint: has parts left open or optional."""
    return has_dynamic(type_) or plain_type(type_) != type_

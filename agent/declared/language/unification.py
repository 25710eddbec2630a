"""Which types convert to which, and the type that several have in common; hides Terraform's preferences among them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

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

_RANK = {STRING: 0, NUMBER: 1, BOOL: 2, DYNAMIC: 9}
_RANKS: dict[type, int] = {ListOf: 3, SetOf: 4, TupleOf: 5, MapOf: 6, ObjectOf: 7}


def unified(types: Sequence[Type], *, unsafe: bool = False) -> Type | None:
    """The type that values of all these types can be converted to; None where there is none.

    Without loss of meaning, unless `unsafe`, as in a conditional expression: then conversions that may fail for some
    values are tried too. `DYNAMIC` says that the values have nothing in common, but one has no type yet.
    """
    distinct = tuple(dict.fromkeys(types))
    if not distinct:
        return DYNAMIC
    return distinct[0] if len(distinct) == 1 else _unified(distinct, unsafe)


@lru_cache(maxsize=4096)
def _unified(types: tuple[Type, ...], unsafe: bool) -> Type | None:
    typed = [each for each in types if each != DYNAMIC]
    kinds = {type(each) for each in typed}
    if Primitive in kinds or kinds not in _JOINED:
        return _most_general(types, unsafe)
    if len(typed) < len(types):
        return DYNAMIC
    if kinds == {ObjectOf}:
        return _objects([each for each in typed if isinstance(each, ObjectOf)], unsafe)
    if kinds == {TupleOf}:
        return _tuples([each for each in typed if isinstance(each, TupleOf)], unsafe)
    element = unified([part for each in typed for part in _parts(each)], unsafe=unsafe)
    whole = MapOf if MapOf in kinds else ListOf if ListOf in kinds else SetOf
    return None if element is None else whole(element)


_JOINED = ({MapOf}, {MapOf, ObjectOf}, {ListOf}, {ListOf, TupleOf}, {SetOf}, {ObjectOf}, {TupleOf})
"""Kinds whose elements are unified; of other mixtures one type is chosen that all others convert to."""


def _parts(type_: Type) -> Iterable[Type]:
    match type_:
        case ListOf(element) | SetOf(element) | MapOf(element):
            return (element,)
        case TupleOf(items):
            return items
        case ObjectOf(attributes):
            return tuple(each for _, each in attributes)
    return ()


def _objects(types: list[ObjectOf], unsafe: bool) -> Type | None:
    names = {tuple(name for name, _ in each.attributes) for each in types}
    if len(names) > 1:
        element = unified([part for each in types for part in _parts(each)], unsafe=unsafe)
        return None if element is None else MapOf(element)
    found: dict[str, Type] = {}
    for column in zip(*(each.attributes for each in types), strict=True):
        common = unified([each for _, each in column], unsafe=unsafe)
        if common is None:
            return None
        found[column[0][0]] = common
    return ObjectOf.of(found)


def _tuples(types: list[TupleOf], unsafe: bool) -> Type | None:
    if len({len(each.items) for each in types}) > 1:
        element = unified([part for each in types for part in each.items], unsafe=unsafe)
        return None if element is None else ListOf(element)
    items = [unified(column, unsafe=unsafe) for column in zip(*(each.items for each in types), strict=True)]
    found = tuple(each for each in items if each is not None)
    return TupleOf(found) if len(found) == len(items) else None


def _most_general(types: tuple[Type, ...], unsafe: bool) -> Type | None:
    for wanted in sorted(types, key=_generality):
        if all(convertible(each, wanted, unsafe=unsafe) for each in types):
            return wanted
    return None


def _generality(type_: Type) -> tuple[int, bool, str]:
    rank = _RANK[type_] if isinstance(type_, Primitive) else _RANKS[type(type_)]
    return rank, has_dynamic(type_), repr(type_)


def convertible(source: Type, target: Type, *, unsafe: bool = False) -> bool:
    """Whether values of a type convert to another: every value, or where `unsafe` perhaps some."""
    if DYNAMIC in (source, target) or source == target:
        return True
    if isinstance(source, Primitive) or isinstance(target, Primitive):
        if not (isinstance(source, Primitive) and isinstance(target, Primitive)):
            return False
        return target == STRING or (unsafe and source == STRING)
    match source, target:
        case ListOf(element), SetOf(wanted):  # forgets order and repetition
            return unsafe and convertible(element, wanted, unsafe=True)
        case (ListOf() | SetOf() | TupleOf(), ListOf(wanted) | SetOf(wanted)) | (MapOf() | ObjectOf(), MapOf(wanted)):
            return all(convertible(each, wanted, unsafe=unsafe) for each in _parts(source))
        case TupleOf(items), TupleOf(others):
            return len(items) == len(others) and all(
                convertible(each, wanted, unsafe=unsafe) for each, wanted in zip(items, others, strict=True)
            )
        case ListOf(element), TupleOf(others):
            return unsafe and all(convertible(element, wanted, unsafe=True) for wanted in others)
        case MapOf(element), ObjectOf(attributes):
            return unsafe and all(convertible(element, wanted, unsafe=True) for _, wanted in attributes)
        case ObjectOf(own), ObjectOf(attributes, optional):
            given = dict(own)
            return all(
                convertible(given[name], wanted, unsafe=unsafe) if name in given else name in optional
                for name, wanted in attributes
            )
    return False


@lru_cache(maxsize=4096)
def has_dynamic(type_: Type) -> bool:
    """Whether some part of a type is `any`."""
    return type_ == DYNAMIC or any(map(has_dynamic, _parts(type_)))


@lru_cache(maxsize=4096)
def plain_type(type_: Type) -> Type:
    """A constraint as the type of a value: without the marks of `optional()`."""
    match type_:
        case ListOf(element):
            return ListOf(plain_type(element))
        case SetOf(element):
            return SetOf(plain_type(element))
        case MapOf(element):
            return MapOf(plain_type(element))
        case TupleOf(items):
            return TupleOf(tuple(map(plain_type, items)))
        case ObjectOf(attributes):
            return ObjectOf(tuple((name, plain_type(each)) for name, each in attributes))
    return type_

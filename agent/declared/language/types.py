"""Terraform's types (https://developer.hashicorp.com/terraform/language/expressions/type-constraints) as values.

Hides the JSON spelling that state, schemas and `terraform metadata` use for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, eq=False)
class Primitive:
    """`string`, `number` or `bool`; `dynamic` is the type of what has none yet, `any` in a constraint.

    There are the four below and no others, so that comparing them costs nothing.
    """

    name: str


STRING = Primitive("string")
NUMBER = Primitive("number")
BOOL = Primitive("bool")
DYNAMIC = Primitive("dynamic")


@dataclass(frozen=True, slots=True)
class ListOf:
    """`list(element)`."""

    element: Type


@dataclass(frozen=True, slots=True)
class SetOf:
    """`set(element)`."""

    element: Type


@dataclass(frozen=True, slots=True)
class MapOf:
    """`map(element)`."""

    element: Type


@dataclass(frozen=True, slots=True)
class TupleOf:
    """`tuple([a, b])`."""

    items: tuple[Type, ...]


@dataclass(frozen=True, slots=True)
class ObjectOf:
    """`object({a = b})`; attributes in order of their names, so that equal types are equal values."""

    attributes: tuple[tuple[str, Type], ...]
    optional: frozenset[str] = field(default=frozenset())
    """Names that `optional()` marks; in constraints only, no value's type has any."""

    @staticmethod
    def of(attributes: Mapping[str, Type], optional: frozenset[str] = frozenset()) -> ObjectOf:
        """From a mapping in any order."""
        return ObjectOf(tuple(sorted(attributes.items())), optional)


Type = Primitive | ListOf | SetOf | MapOf | TupleOf | ObjectOf

_PRIMITIVES = {each.name: each for each in (STRING, NUMBER, BOOL, DYNAMIC)}
_COLLECTIONS: Mapping[str, type[ListOf | SetOf | MapOf]] = {"list": ListOf, "set": SetOf, "map": MapOf}


def from_json(spelled: Any) -> Type:
    """`"string"`, `["list", "string"]`, `["object", {"a": "string"}]` → the type. Raises `ValueError`."""
    match spelled:
        case str() if spelled in _PRIMITIVES:
            return _PRIMITIVES[spelled]
        case ["list" | "set" | "map" as kind, element]:
            return _COLLECTIONS[kind](from_json(element))
        case ["tuple", [*items]]:
            return TupleOf(tuple(map(from_json, items)))
        case ["object", dict(attributes)] | ["object", dict(attributes), [*_]]:
            optional = frozenset(spelled[2]) if len(spelled) > 2 else frozenset()
            return ObjectOf.of({name: from_json(each) for name, each in attributes.items()}, optional)
    raise ValueError(f"not a type: {spelled!r}")


def to_json(type_: Type) -> Any:
    """The inverse of `from_json`, as Terraform writes types into state."""
    match type_:
        case Primitive(name):
            return name
        case ListOf(element):
            return ["list", to_json(element)]
        case SetOf(element):
            return ["set", to_json(element)]
        case MapOf(element):
            return ["map", to_json(element)]
        case TupleOf(items):
            return ["tuple", [to_json(each) for each in items]]
        case ObjectOf(attributes, optional):
            plain = ["object", {name: to_json(each) for name, each in attributes}]
            return [*plain, sorted(optional)] if optional else plain

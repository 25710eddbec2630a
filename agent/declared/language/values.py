"""Values of the Terraform language.

A string is a `str` (NFC), a bool a `bool`, a number an `int` where it is whole and below 10^100, else a `Decimal`.
Everything else is one of the classes here. Containers know by their `flags`, without being walked, whether they hold
something unknown, sensitive or not yet evaluated. Values are never changed once made.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any, Protocol

from agent.declared.language import order, types
from agent.declared.language.error import TooMuch
from agent.declared.language.numbers import number
from agent.declared.language.types import (
    BOOL,
    DYNAMIC,
    NUMBER,
    STRING,
    ListOf,
    MapOf,
    ObjectOf,
    SetOf,
    TupleOf,
    Type,
)

UNKNOWN, SENSITIVE, LAZY = 1, 2, 4
"""Bits of `flags`: somewhere inside is an `Unknown`, a `Sensitive`, a `Lazy`."""

MAX_SIZE = 2_000_000
"""Parts of the largest container, at all depths, each counted where it appears: lists of lists of lists multiply."""
SHOWN_REASONS = 8
"""How many reasons an `Unknown` keeps."""


class Null:
    """`null`, with the type it was converted to; `DYNAMIC` as written."""

    __slots__ = ("type",)

    def __init__(self, type_: Type = DYNAMIC) -> None:
        self.type = type_

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Null)

    def __hash__(self) -> int:
        return hash(Null)

    def __repr__(self) -> str:
        return f"Null({types.to_json(self.type)})"


NULL = Null()


class Unknown:
    """A value that cannot be told, and the references that are to blame. Equal to nothing, not even itself."""

    __slots__ = ("type", "why")

    def __init__(self, why: Iterable[str] | str, type_: Type = DYNAMIC) -> None:
        self.why: tuple[str, ...] = (why,) if isinstance(why, str) else tuple(dict.fromkeys(why))[:SHOWN_REASONS]
        self.type = type_

    def __eq__(self, other: object) -> bool:
        return False

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"Unknown({'; '.join(self.why)})"


class Sensitive:
    """A value marked sensitive, as a whole; never holds another `Sensitive` directly."""

    __slots__ = ("value",)

    def __init__(self, value: Value) -> None:
        self.value: Value = value.value if isinstance(value, Sensitive) else value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sensitive) and self.value == other.value

    def __hash__(self) -> int:
        return hash((Sensitive, self.value))

    def __repr__(self) -> str:
        return "Sensitive(…)"


class Lazy(Protocol):
    """An object evaluated attribute by attribute: a module's outputs, a resource instance.

    Implementations set `flags = LAZY`. Containers may hold lazy objects; whoever needs a plain value calls `force`.
    """

    flags: int

    def get(self, name: str) -> Value:
        """One attribute. Raises `EvaluationError` where there is none of that name."""
        ...

    def force(self) -> Value:
        """The whole object, evaluated."""
        ...


class List:
    """`list(element)`."""

    __slots__ = ("element", "flags", "items", "size")

    def __init__(self, items: Iterable[Value], element: Type) -> None:
        self.items = tuple(items)
        self.element = element
        self.flags, self.size = measured(self.items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, List) and _same(self.items, other.items)

    def __hash__(self) -> int:
        return hash(self.items)

    def __repr__(self) -> str:
        return f"List({list(self.items)!r})"


class Set:
    """`set(element)`; items are unique and in Terraform's iteration order."""

    __slots__ = ("element", "flags", "items", "size")

    def __init__(self, items: Iterable[Value], element: Type) -> None:
        self.items = in_set_order(items)
        self.element = element
        self.flags, self.size = measured(self.items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Set) and _same(self.items, other.items)

    def __hash__(self) -> int:
        return hash(self.items)

    def __repr__(self) -> str:
        return f"Set({list(self.items)!r})"


class Tuple:
    """`tuple([…])`: what `[a, b]` evaluates to."""

    __slots__ = ("flags", "items", "size")

    def __init__(self, items: Iterable[Value]) -> None:
        self.items = tuple(items)
        self.flags, self.size = measured(self.items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tuple) and _same(self.items, other.items)

    def __hash__(self) -> int:
        return hash(self.items)

    def __repr__(self) -> str:
        return f"Tuple({list(self.items)!r})"


class Map:
    """`map(element)`; keys in order."""

    __slots__ = ("element", "flags", "items", "size")

    def __init__(self, items: Mapping[str, Value], element: Type) -> None:
        self.items = dict(sorted(items.items()))
        self.element = element
        self.flags, self.size = measured(self.items.values())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Map) and _same_items(self.items, other.items)

    def __hash__(self) -> int:
        return hash(tuple(self.items.items()))

    def __repr__(self) -> str:
        return f"Map({self.items!r})"


class Object:
    """`object({…})`: what `{a = b}` evaluates to; attributes in order of their names."""

    __slots__ = ("flags", "items", "size")

    def __init__(self, items: Mapping[str, Value]) -> None:
        self.items = dict(sorted(items.items()))
        self.flags, self.size = measured(self.items.values())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Object) and _same_items(self.items, other.items)

    def __hash__(self) -> int:
        return hash(tuple(self.items.items()))

    def __repr__(self) -> str:
        return f"Object({self.items!r})"


Value = bool | int | Decimal | str | Null | Unknown | Sensitive | List | Set | Tuple | Map | Object | Lazy


_PLAIN = frozenset({str, bool, int, Decimal, Null})
CONTAINERS = (List, Set, Tuple, Map, Object)
"""For `isinstance`."""
_SIZED = frozenset(CONTAINERS)


def measured(values: Collection[Value]) -> tuple[int, int]:
    """The flags and the size of a container of these values. Raises `TooMuch` where it holds more than `MAX_SIZE`."""
    found, size = 0, 1 + len(values)
    for value in values:
        if type(value) in _PLAIN:
            continue
        inner: Any = value.value if isinstance(value, Sensitive) else value
        if inner is not value:
            found |= SENSITIVE
        if type(inner) in _SIZED:
            found |= inner.flags
            size += inner.size
        elif type(inner) is Unknown:
            found |= UNKNOWN
        elif type(inner) not in _PLAIN:
            found |= inner.flags
    if size > MAX_SIZE:
        raise TooMuch(f"a value of more than {MAX_SIZE:,} parts: something in the configuration multiplies")
    return found, size


def flags_of(values: Collection[Value]) -> int:
    """The flags of a container of these values."""
    return measured(values)[0]


def flags(value: Value) -> int:
    """What a value is or holds, as bits."""
    return 0 if type(value) in _PLAIN else flags_of((value,))


def force(value: Value) -> Value:
    """The value with every lazy object in it, at any depth, evaluated. Raises `EvaluationError`."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Sensitive | List | Set | Tuple | Map | Object):
        return rebuilt(value, force) if flags(value) & LAZY else value
    if isinstance(value, bool | int | Decimal | str | Null | Unknown):
        return value
    return force(value.force())


def unmarked(value: Value) -> tuple[Value, bool]:
    """The value without any `Sensitive` in it, at any depth, and whether there was one. Forces nothing."""
    if type(value) in _PLAIN or not flags(value) & SENSITIVE:
        return value, False
    if isinstance(value, Sensitive):
        return unmarked(value.value)[0], True
    return rebuilt(value, lambda each: unmarked(each)[0]), True


def rebuilt(value: Value, change: Callable[[Value], Value]) -> Value:
    """A container of the same kind with `change` applied to its direct items; other values as they are."""
    match value:
        case List():
            return List(map(change, value.items), value.element)
        case Set():
            return Set(map(change, value.items), value.element)
        case Tuple():
            return Tuple(map(change, value.items))
        case Map():
            return Map({key: change(each) for key, each in value.items.items()}, value.element)
        case Object():
            return Object({key: change(each) for key, each in value.items.items()})
        case Sensitive():
            return Sensitive(change(value.value))
    return value


def whys(value: Value) -> tuple[str, ...]:
    """The reasons of everything unknown in a value, each once, at most `SHOWN_REASONS`; lazy objects are passed."""
    return Unknown(_whys(value)).why


def _whys(value: Value) -> Iterable[str]:
    if isinstance(value, Unknown):
        yield from value.why
    elif isinstance(value, Sensitive):
        yield from _whys(value.value)
    elif isinstance(value, CONTAINERS) and value.flags & UNKNOWN:
        for each in value.items.values() if isinstance(value, Map | Object) else value.items:
            yield from _whys(each)


def type_of(value: Value) -> Type:
    """The type Terraform gives the value; a lazy object is forced."""
    form = _TYPES.get(type(value))
    if form is not None:
        return form(value)
    return type_of(force(value))


_TYPES: Mapping[type, Callable[[Any], Type]] = {
    str: lambda _: STRING,
    bool: lambda _: BOOL,
    int: lambda _: NUMBER,
    Decimal: lambda _: NUMBER,
    Null: lambda value: value.type,
    Unknown: lambda value: value.type,
    Sensitive: lambda value: type_of(value.value),
    List: lambda value: ListOf(value.element),
    Set: lambda value: SetOf(value.element),
    Map: lambda value: MapOf(value.element),
    Tuple: lambda value: TupleOf(tuple([type_of(each) for each in value.items])),
    Object: lambda value: ObjectOf(tuple([(name, type_of(each)) for name, each in value.items.items()])),
}


def same(left: Value, right: Value) -> bool:
    """Whether two known, unmarked, forced values are equal as `==` has it: `true` and `1` are not."""
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _same(left: tuple[Value, ...], right: tuple[Value, ...]) -> bool:
    return len(left) == len(right) and all(map(same, left, right))


def _same_items(left: Mapping[str, Value], right: Mapping[str, Value]) -> bool:
    return left.keys() == right.keys() and all(same(each, right[key]) for key, each in left.items())


def in_set_order(items: Iterable[Value]) -> tuple[Value, ...]:
    """Each value once, in the order Terraform iterates over a set."""
    found: dict[Any, Value] = {}
    for item in items:
        found.setdefault(id(item) if flags(item) & UNKNOWN else (isinstance(item, bool), item), item)
    return tuple(sorted(found.values(), key=order.key))


def from_plain(value: Any, type_: Type = DYNAMIC) -> Value:
    """JSON-shaped data → a value: without a type, arrays are tuples and objects are objects, as `jsondecode` has it.

    With a type the data must have its shape (state, schemas); what does not becomes what it looks like.
    """
    if value is None:
        return Null(type_)
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int | float | Decimal):
        return number(value)
    if isinstance(value, list | tuple):
        match type_:
            case ListOf(element):
                return List((from_plain(each, element) for each in value), element)
            case SetOf(element):
                return Set((from_plain(each, element) for each in value), element)
            case TupleOf(items) if len(items) == len(value):
                return Tuple(map(from_plain, value, items))
        return Tuple(map(from_plain, value))
    if isinstance(type_, MapOf):
        return Map({str(key): from_plain(each, type_.element) for key, each in value.items()}, type_.element)
    known = dict(type_.attributes) if isinstance(type_, ObjectOf) else {}
    return Object({str(key): from_plain(each, known.get(str(key), DYNAMIC)) for key, each in value.items()})


def to_plain(value: Value) -> Any:
    """A known, unmarked, forced value as JSON-shaped data; numbers stay `int` or `Decimal`."""
    match value:
        case Null():
            return None
        case List() | Set() | Tuple():
            return [to_plain(each) for each in value.items]
        case Map() | Object():
            return {key: to_plain(each) for key, each in value.items.items()}
        case bool() | int() | Decimal() | str():
            return value
    raise TypeError(f"{type(value).__name__} is no plain value")

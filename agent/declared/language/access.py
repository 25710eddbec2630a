"""Attributes and elements of values: `value.name`, `value[key]`.

Hides what null, unknown and sensitive values answer. Errors name attributes, never keys, which may be secrets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from agent.declared.language.conversion import convert
from agent.declared.language.error import EvaluationError, TooMuch
from agent.declared.language.types import DYNAMIC, NUMBER, STRING, ListOf, MapOf, ObjectOf, Primitive, TupleOf, Type
from agent.declared.language.values import List, Map, Null, Object, Sensitive, Set, Tuple, Unknown, Value


def attribute(value: Value, name: str) -> Value:
    """`value.name`. Raises `EvaluationError`."""
    form = _ATTRIBUTES.get(type(value))
    if form is not None:
        return form(value, name)
    found: Value = _lazy(value).get(name)
    return found


def element(value: Value, key: Value) -> Value:
    """`value[key]`. Raises `EvaluationError`."""
    if isinstance(value, Sensitive):
        return Sensitive(element(value.value, key))
    if isinstance(key, Sensitive):
        # Of a lazy object, which would name its attribute in what it says, the whole is taken.
        found = element(value if type(value) in _ELEMENTS else _lazy(value).force(), key.value)
        return found if isinstance(value, Object) else Sensitive(found)
    if isinstance(key, Null):
        raise EvaluationError("an index is null")
    form = _ELEMENTS.get(type(value))
    if form is not None:
        return form(value, key)
    name = convert(key, STRING)
    if isinstance(name, Unknown):
        return Unknown(name.why)
    try:
        return attribute(value, str(name))
    except TooMuch:
        raise
    except EvaluationError:
        raise EvaluationError("there is no attribute with this key") from None


def _lazy(value: Any) -> Any:
    """An object evaluated attribute by attribute; every other kind of value has its form in the tables below."""
    return value


def _member(value: Object, name: str) -> Value:
    found = value.items.get(name)
    if found is None:
        raise EvaluationError(f"there is no attribute `{name}`")
    return found


def _entry(value: Map, name: str) -> Value:
    found = value.items.get(name)
    if found is None:
        raise EvaluationError(f"there is no element `{name}` in this map")
    return found


def _of_unknown(value: Unknown, name: str) -> Value:
    type_ = value.type
    if isinstance(type_, MapOf):
        return Unknown(value.why, type_.element)
    if isinstance(type_, ObjectOf):
        attributes = dict(type_.attributes)
        if name not in attributes:
            raise EvaluationError(f"there is no attribute `{name}`")
        return Unknown(value.why, attributes[name])
    if type_ != DYNAMIC:
        raise EvaluationError(f"`.{name}` of a value that has no attributes")
    return Unknown(value.why)


def _of_sensitive(value: Sensitive, name: str) -> Value:
    return Sensitive(attribute(value.value, name))


def _of_null(_value: Null, name: str) -> Value:
    raise EvaluationError(f"`.{name}` of a null value")


def _of_sequence(_value: Value, name: str) -> Value:
    raise EvaluationError(f"`.{name}` of a list, tuple or set: write `[*].{name}`, or say which element with `[0]`")


def _of_primitive(_value: Value, name: str) -> Value:
    raise EvaluationError(f"`.{name}` of a value that has no attributes")


_PRIMITIVES = (str, bool, int, Decimal)
_ATTRIBUTES: Mapping[type, Callable[[Any, str], Value]] = {
    Object: _member,
    Map: _entry,
    Unknown: _of_unknown,
    Sensitive: _of_sensitive,
    Null: _of_null,
    **dict.fromkeys((List, Set, Tuple), _of_sequence),
    **dict.fromkeys(_PRIMITIVES, _of_primitive),
}


def _at(value: List | Tuple, key: Value) -> Value:
    at = key if type(key) is int else convert(key, NUMBER)
    if isinstance(at, Unknown):
        return Unknown(at.why, value.element if isinstance(value, List) else DYNAMIC)
    if not isinstance(at, int):
        raise EvaluationError("the index of a list must be a whole number")
    if not 0 <= at < len(value.items):
        raise EvaluationError(f"there is no element with this index: there are {len(value.items)}, counted from 0")
    return value.items[at]


def _under(value: Object | Map, key: Value) -> Value:
    name = key if type(key) is str else convert(key, STRING)
    if isinstance(name, Unknown):
        return Unknown(name.why, value.element if isinstance(value, Map) else DYNAMIC)
    found = value.items.get(str(name))
    if found is None:
        kind = "element in this map" if isinstance(value, Map) else "attribute in this object"
        raise EvaluationError(f"there is no {kind} with this key")
    return found


def _in_unknown(value: Unknown, key: Value) -> Value:
    why = (*value.why, *key.why) if isinstance(key, Unknown) else value.why
    type_: Type = DYNAMIC
    if isinstance(value.type, ListOf | MapOf):
        type_ = value.type.element
    elif isinstance(value.type, ObjectOf) and isinstance(key, str):
        attributes = dict(value.type.attributes)
        if key not in attributes:
            raise EvaluationError("there is no attribute in this object with this key")
        type_ = attributes[key]
    elif isinstance(value.type, TupleOf) and isinstance(key, int):
        if not 0 <= key < len(value.type.items):
            raise EvaluationError("there is no element with this index")
        type_ = value.type.items[key]
    elif isinstance(value.type, Primitive) and value.type != DYNAMIC:
        raise EvaluationError("an index into a value that has no elements")
    return Unknown(why, type_)


def _in_null(_value: Null, _key: Value) -> Value:
    raise EvaluationError("an index into a null value")


def _in_set(_value: Set, _key: Value) -> Value:
    raise EvaluationError("elements of a set have no index: use tolist() or `one()`")


def _in_primitive(_value: Value, _key: Value) -> Value:
    raise EvaluationError("an index into a value that has no elements")


_ELEMENTS: Mapping[type, Callable[[Any, Value], Value]] = {
    List: _at,
    Tuple: _at,
    Object: _under,
    Map: _under,
    Unknown: _in_unknown,
    Null: _in_null,
    Set: _in_set,
    **dict.fromkeys(_PRIMITIVES, _in_primitive),
}

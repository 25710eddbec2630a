"""Functions over maps and objects.

Hides when a map comes out and when an object, and what is known though parts are not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.declared.language.conversion import convert
from agent.declared.language.error import EvaluationError
from agent.declared.language.functions import Function, Parameter
from agent.declared.language.functions.collections import bounded
from agent.declared.language.types import DYNAMIC, STRING, ListOf, MapOf, ObjectOf, TupleOf, Type
from agent.declared.language.values import (
    UNKNOWN,
    List,
    Map,
    Null,
    Object,
    Sensitive,
    Tuple,
    Unknown,
    Value,
    flags,
    type_of,
    unmarked,
    whys,
)


def _mapped(value: Value) -> Mapping[str, Value]:
    if isinstance(value, Map | Object):
        return value.items
    raise EvaluationError("takes a map or an object")


def _keys(value: Value) -> Value:
    names = list(_mapped(value))
    return List(names, STRING) if isinstance(value, Map) else Tuple(names)


def _values(value: Value) -> Value:
    items = _mapped(value).values()
    return List(items, value.element) if isinstance(value, Map) else Tuple(items)


def _keys_type(arguments: Sequence[Value]) -> Type:
    type_ = type_of(arguments[0])
    if isinstance(type_, MapOf):
        return ListOf(STRING)
    return TupleOf((STRING,) * len(type_.attributes)) if isinstance(type_, ObjectOf) else DYNAMIC


def _values_type(arguments: Sequence[Value]) -> Type:
    type_ = type_of(arguments[0])
    if isinstance(type_, MapOf):
        return ListOf(type_.element)
    return TupleOf(tuple(each for _, each in type_.attributes)) if isinstance(type_, ObjectOf) else DYNAMIC


def _lookup(mapping: Value, key: Value, *default: Value) -> Value:
    if len(default) > 1:
        raise EvaluationError("takes two or three arguments")
    hidden = isinstance(mapping, Sensitive) or isinstance(key, Sensitive)
    bare, name = (each.value if isinstance(each, Sensitive) else each for each in (mapping, key))
    found = _looked_up(bare, name, *default)
    return Sensitive(found) if hidden else found


def _looked_up(mapping: Value, key: Value, *default: Value) -> Value:
    type_ = type_of(mapping)
    if not isinstance(type_, MapOf | ObjectOf) and not (isinstance(mapping, Unknown) and type_ == DYNAMIC):
        raise EvaluationError("takes a map or an object")
    element = type_.element if isinstance(type_, MapOf) else DYNAMIC
    other = [convert(each, element) for each in default]
    if isinstance(mapping, Unknown) or isinstance(key, Unknown):
        return Unknown((*whys(mapping), *whys(key)) if isinstance(mapping, Unknown) else whys(key), element)
    items = _mapped(mapping)
    if isinstance(key, str) and key in items:
        return items[key]
    if not other:
        raise EvaluationError("there is no such key, and no default")
    return other[0]


def _merge(*marked: Value) -> Value:
    """A sensitive map makes the whole sensitive, a sensitive null nothing."""
    values = [each.value if isinstance(each, Sensitive) else each for each in marked]
    hidden = any(isinstance(each, Sensitive) and not isinstance(each.value, Null) for each in marked)
    found = _merged(values)
    return Sensitive(found) if hidden else found


def _merged(values: Sequence[Value]) -> Value:
    types = [type_of(each) for each in values]
    for each, type_ in zip(values, types, strict=True):
        untold = type_ == DYNAMIC and isinstance(each, Null | Unknown)
        if not isinstance(type_, MapOf | ObjectOf) and not untold:
            raise EvaluationError("takes maps and objects")
    if any(isinstance(each, Unknown) for each in values):
        return Unknown((why for each in values if isinstance(each, Unknown) for why in each.why), _merged_type(types))
    items: dict[str, Value] = {}
    for each in values:
        if not isinstance(each, Null):
            items.update(_mapped(each))
    bounded(len(items))
    type_ = types[0] if len(set(types)) == 1 else DYNAMIC
    nulls = sum(isinstance(each, Null) for each in values)
    if isinstance(type_, MapOf) and nulls in (0, len(values)):
        return Map(items, type_.element)
    return Object(items)


def _merged_type(types: Sequence[Type]) -> Type:
    return types[0] if len(set(types)) == 1 and isinstance(types[0], MapOf) else DYNAMIC


def _transpose(value: Value) -> Value:
    found: dict[str, list[Value]] = {}
    for name, texts in _mapped(value).items():
        if not isinstance(texts, List):
            raise EvaluationError("one of the lists is null")
        for each in texts.items:
            if not isinstance(each, str):
                raise EvaluationError("one of the strings is null")
            found.setdefault(each, []).append(name)
    return Map({name: List(each, STRING) for name, each in found.items()}, ListOf(STRING))


def _zipmap(keys: Value, values: Value) -> Value:
    """Keys that are sensitive, any of them, make the whole sensitive; values keep their own marks."""
    names, hidden = unmarked(keys)
    hidden = hidden or isinstance(values, Sensitive)
    found = _zipped(names, values.value if isinstance(values, Sensitive) else values)
    return Sensitive(found) if hidden else found


def _zipped(keys: Value, values: Value) -> Value:
    type_ = type_of(values)
    if not isinstance(type_, ListOf | TupleOf) and not (isinstance(values, Unknown) and type_ == DYNAMIC):
        raise EvaluationError("values must be a list or a tuple")
    if flags(keys) & UNKNOWN or isinstance(values, Unknown):
        why = (*whys(keys), *(values.why if isinstance(values, Unknown) else ()))
        return Unknown(why, MapOf(type_.element) if isinstance(type_, ListOf) else DYNAMIC)
    names = [each for each in keys.items if isinstance(each, str)] if isinstance(keys, List) else []
    if not isinstance(keys, List) or len(names) < len(keys.items):
        raise EvaluationError("one of the keys is null")
    items = values.items if isinstance(values, List | Tuple) else ()
    if len(names) != len(items):
        raise EvaluationError("keys and values must be of one length")
    pairs = dict(zip(names, items, strict=True))
    return Map(pairs, values.element) if isinstance(values, List) else Object(pairs)


FUNCTIONS: Mapping[str, Function] = {
    "keys": Function((Parameter("inputMap"),), _keys, _keys_type, items=True),
    "lookup": Function(
        (Parameter("inputMap"), Parameter("key", STRING)),
        _lookup,
        variadic=Parameter("default", null=True),
        partial=True,
        marks=True,
    ),
    "merge": Function((), _merge, variadic=Parameter("maps", null=True), partial=True, marks=True),
    "transpose": Function((Parameter("values", MapOf(ListOf(STRING))),), _transpose, MapOf(ListOf(STRING))),
    "values": Function((Parameter("mapping"),), _values, _values_type, items=True),
    "zipmap": Function((Parameter("keys", ListOf(STRING)), Parameter("values")), _zipmap, partial=True, marks=True),
}

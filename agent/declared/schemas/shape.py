"""Gives a resource's values the shape its schema says: sets are sets, numbers numbers, what is not set is null.

Hides how blocks become collections, and that some attributes may be written as blocks. State and configuration come
out alike, so that they can be compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from agent.declared.language.conversion import convert
from agent.declared.language.error import EvaluationError
from agent.declared.language.types import DYNAMIC, STRING, ListOf, ObjectOf, SetOf, Type, from_json
from agent.declared.language.values import (
    NULL,
    List,
    Map,
    Null,
    Object,
    Sensitive,
    Set,
    Tuple,
    Unknown,
    Value,
    from_plain,
    unmarked,
)
from agent.declared.schemas.block import CACHED, Attribute, Block, Nested, implied_type


def shaped(block: Block, value: Object, where: str = "") -> Object:
    """A body as it was evaluated → the object its schema describes.

    In `value`, which holds no lazy objects, nested blocks are tuples of bodies (one body alone will do), those with a
    label objects of bodies by label. An attribute that cannot be converted becomes `Unknown`, named after `where`.
    Names the schema does not have are kept as they are: a newer provider may have them.
    """
    prefix = f"{where}." if where else ""
    items = dict(_unset(block))
    for name, each in value.items.items():
        items[name] = shaped_name(block, name, each, prefix + name)
    return Object(items)


def shaped_name(block: Block, name: str, value: Value, where: str = "") -> Value:
    """`shaped`, of one attribute or nested block alone; `where` is its whole name."""
    if name in block.attributes:
        return _attribute(block.attributes[name], value, where)
    return _blocks(block.blocks[name], value, where) if name in block.blocks else value


def recorded_name(block: Block, name: str, value: Any) -> Value:
    """`recorded`, of one attribute or nested block alone."""
    if name in block.attributes:
        attribute = block.attributes[name]
        if value is None:
            return Null(attribute.type)
        return value if attribute.type is STRING and isinstance(value, str) else _decoded(value, attribute)
    return _stored(value, block.blocks[name]) if name in block.blocks else from_plain(value)


def recorded(block: Block, attributes: Mapping[str, Any]) -> Object:
    """An instance's attributes, decoded from state → the object its schema describes.

    Names the schema does not have, and values of another shape than it says, become what they look like.
    """
    items = dict(_unset(block))
    for name, each in attributes.items():
        if each is not None or name not in items:
            items[name] = recorded_name(block, name, each)
    return Object(items)


@lru_cache(CACHED)
def _unset(block: Block) -> Mapping[str, Value]:
    """What a body is in which nothing is written; not to be changed."""
    items: dict[str, Value] = {name: Null(attribute.type) for name, attribute in block.attributes.items()}
    return items | {name: _none(nested) for name, nested in block.blocks.items()}


def dynamic(value: Any) -> Value:
    """A value of no fixed type, which state wraps together with the type it has: `{"value": 1, "type": "number"}`."""
    if not isinstance(value, Mapping) or value.keys() != {"value", "type"}:
        return from_plain(value)
    try:
        return from_plain(value["value"], from_json(value["type"]))
    except ValueError:
        return from_plain(value["value"])


# --- configuration --------------------------------------------------------------------------------------------


def _attribute(attribute: Attribute, value: Value, where: str) -> Value:
    if isinstance(value, Null):
        return Null(attribute.type)
    if isinstance(value, Unknown):
        return Unknown(value.why, attribute.type)
    if isinstance(value, Sensitive):
        return Sensitive(_attribute(attribute, value.value, where))
    try:
        if attribute.nested:
            return _members(attribute.nested, value, where)
        return _typed(value, attribute.type)
    except EvaluationError as error:
        return Unknown(f"{where}: {error}", attribute.type)


def _blocks(nested: Nested, value: Value, where: str) -> Value:
    if isinstance(value, Null):
        return _none(nested)
    if isinstance(value, Unknown):
        return Unknown(value.why, nested.type)
    if isinstance(value, Sensitive):
        return Sensitive(_blocks(nested, value.value, where))
    try:
        return _members(nested, value, where)
    except EvaluationError as error:
        return Unknown(f"{where}: {error}", nested.type)


def _none(nested: Nested) -> Value:
    """What a nested block is that was not written."""
    body = implied_type(nested.block)
    match nested.mode:
        case "list":
            return List((), body)
        case "set":
            return Set((), body)
        case "map":
            return Map({}, body)
        case "group":
            return shaped(nested.block, Object({}))
    return Null(body)


def _members(nested: Nested, value: Value, where: str) -> Value:
    """Bodies as the value their mode makes of them. Raises `EvaluationError`."""
    body = implied_type(nested.block)
    if nested.mode == "map":
        if not isinstance(value, Map | Object):
            raise EvaluationError("a map is needed")
        return Map({key: _body(nested, each, where) for key, each in value.items.items()}, body)
    bodies = value.items if isinstance(value, Tuple | List | Set) else (value,)
    found = [_body(nested, each, where) for each in bodies]
    if nested.mode == "list":
        return List(found, body)
    if nested.mode == "set":
        return _set(found, body)
    if len(found) > 1:
        raise EvaluationError(f"it is written {len(found)} times, once at most would be right")
    return found[0] if found else _none(nested)


def _body(nested: Nested, value: Value, where: str) -> Value:
    body = implied_type(nested.block)
    match value:
        case Object():
            return shaped(nested.block, value, where)
        case Map():
            return shaped(nested.block, Object(value.items), where)
        case Null():
            return Null(body)
        case Unknown():
            return Unknown(value.why, body)
        case Sensitive():
            return Sensitive(_body(nested, value.value, where))
    raise EvaluationError("an object is needed")


def _set(items: Iterable[Value], element: Type) -> Value:
    """A set as Terraform makes it of blocks: sensitive as a whole where a part is; unknown parts stay inside."""
    bare = [unmarked(each) for each in items]
    plain = Set((each for each, _ in bare), element)
    return Sensitive(plain) if any(hidden for _, hidden in bare) else plain


def _typed(value: Value, type_: Type) -> Value:
    """An attribute's value as its type. Raises `EvaluationError`.

    What is a list or set of objects may be written as blocks, which need not set everything:
    https://developer.hashicorp.com/terraform/language/attr-as-blocks
    """
    if not isinstance(type_, ListOf | SetOf) or not isinstance(type_.element, ObjectOf):
        return convert(value, type_)
    if not isinstance(value, Tuple | Object):
        return convert(value, type_)
    rows = [_row(each, type_.element) for each in (value.items if isinstance(value, Tuple) else (value,))]
    return _set(rows, type_.element) if isinstance(type_, SetOf) else List(rows, type_.element)


def _row(value: Value, type_: ObjectOf) -> Value:
    if isinstance(value, Sensitive):
        return Sensitive(_row(value.value, type_))
    if not isinstance(value, Object):
        return convert(value, type_)
    found: dict[str, Value] = {}
    for name, each in type_.attributes:
        try:
            found[name] = _typed(value.items.get(name, NULL), each)
        except EvaluationError as error:
            raise EvaluationError(f"{name}: {error}") from None
    return Object(found)


# --- state ----------------------------------------------------------------------------------------------------


def _decoded(value: Any, attribute: Attribute) -> Value:
    if attribute.nested:
        return _stored(value, attribute.nested)
    if attribute.type == DYNAMIC:
        return dynamic(value)
    looks = from_plain(value)
    try:
        return convert(looks, attribute.type)
    except EvaluationError:
        return looks


def _stored(value: Any, nested: Nested) -> Value:
    if value is None:
        return _none(nested)
    body = implied_type(nested.block)
    match nested.mode, value:
        case "single" | "group", dict():
            return recorded(nested.block, value)
        case "list", list() if _are_bodies(value):
            return List((recorded(nested.block, each) for each in value), body)
        case "set", list() if _are_bodies(value):
            return Set((recorded(nested.block, each) for each in value), body)
        case "map", dict() if _are_bodies(value.values()):
            return Map({key: recorded(nested.block, each) for key, each in value.items()}, body)
    return from_plain(value)


def _are_bodies(values: Iterable[Any]) -> bool:
    return all(isinstance(each, dict) for each in values)

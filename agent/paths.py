"""JMESPath expressions made into plain functions: what JMESPath itself would find, in a fraction of the time.

Hides the parts of the language that specs and records need least: an expression that uses one is left to JMESPath's own
interpreter, whole. What a part means is https://jmespath.org/specification.html.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jmespath
from jmespath import functions

Look = Callable[[Any], Any]
"""A JSON-shaped value → what stands at the path; None where nothing does."""
_Node = Mapping[str, Any]

_FUNCTIONS = functions.Functions()


@functools.cache
def compiled(expression: str) -> Look:
    """What finds an expression.

    Raises JMESPathError if it is none; what is given back raises it where a function is given what it does not take.
    """
    parsed = jmespath.compile(expression)
    look: Look = _of(parsed.parsed) or parsed.search
    return look


def _of(node: _Node) -> Look | None:
    """The function of one part of the expression; None where it or a part of it is left to JMESPath."""
    kind, children = node["type"], node["children"]
    if kind in ("subexpression", "index_expression", "pipe") and all(each["type"] == "field" for each in children):
        return _members(*(each["value"] for each in children))
    make = _MAKERS.get(kind)
    if make is None:
        return None
    looks = [_of(each) for each in children]
    return None if None in looks else make(node, *looks)


def _field(node: _Node) -> Look:
    return _members(node["value"])


def _members(*names: str) -> Look:
    def look(found: Any) -> Any:
        try:
            for name in names:
                if found is None:
                    return None
                found = found.get(name)
        except AttributeError:
            return None
        return found

    return look


def _in_turn(_: _Node, *looks: Look) -> Look:
    def look(found: Any) -> Any:
        for each in looks:
            found = each(found)
        return found

    return look


def _index(node: _Node) -> Look:
    at: int = node["value"]

    def look(found: Any) -> Any:
        return found[at] if isinstance(found, list) and -len(found) <= at < len(found) else None

    return look


def _projection(_: _Node, base: Look, each: Look) -> Look:
    def look(found: Any) -> Any:
        items = base(found)
        if not isinstance(items, list):
            return None
        return [value for item in items if (value := each(item)) is not None]

    return look


def _filter(_: _Node, base: Look, each: Look, condition: Look) -> Look:
    def look(found: Any) -> Any:
        items = base(found)
        if not isinstance(items, list):
            return None
        kept = (item for item in items if not _is_false(condition(item)))
        return [value for item in kept if (value := each(item)) is not None]

    return look


def _flatten(_: _Node, base: Look) -> Look:
    def look(found: Any) -> Any:
        items = base(found)
        if not isinstance(items, list):
            return None
        return [each for item in items for each in (item if isinstance(item, list) else (item,))]

    return look


def _or(_: _Node, first: Look, second: Look) -> Look:
    def look(found: Any) -> Any:
        value = first(found)
        return second(found) if _is_false(value) else value

    return look


def _and(_: _Node, first: Look, second: Look) -> Look:
    def look(found: Any) -> Any:
        value = first(found)
        return value if _is_false(value) else second(found)

    return look


def _not(_: _Node, negated: Look) -> Look:
    return lambda found: _is_false(negated(found))


def _is_false(value: Any) -> bool:
    return value is None or value is False or (not value and isinstance(value, str | list | dict))


def _literal(node: _Node) -> Look:
    value = node["value"]
    return lambda _: value


def _itself(_: _Node) -> Look:
    return lambda found: found


def _list(_: _Node, *looks: Look) -> Look:
    return lambda found: None if found is None else [look(found) for look in looks]


def _object(node: _Node, *looks: Look) -> Look:
    named = tuple(zip((each["value"] for each in node["children"]), looks, strict=True))
    return lambda found: None if found is None else {name: look(found) for name, look in named}


def _function(node: _Node, *looks: Look) -> Look:
    name: str = node["value"]
    return lambda found: _FUNCTIONS.call_function(name, [look(found) for look in looks])


def _comparator(node: _Node, left: Look, right: Look) -> Look | None:
    return None if node["value"] not in ("eq", "ne") else _equals(left, right, wanted=node["value"] == "eq")


def _equals(left: Look, right: Look, *, wanted: bool) -> Look:
    def look(found: Any) -> bool:
        one, other = left(found), right(found)
        # JMESPath knows no number that is a flag.
        same = one == other and isinstance(one, bool) == isinstance(other, bool)
        return same is wanted

    return look


_MAKERS: Mapping[str, Callable[..., Look | None]] = {
    "field": _field,
    "subexpression": _in_turn,
    "index_expression": _in_turn,
    "pipe": _in_turn,
    "index": _index,
    "projection": _projection,
    "filter_projection": _filter,
    "flatten": _flatten,
    "or_expression": _or,
    "and_expression": _and,
    "not_expression": _not,
    "literal": _literal,
    "identity": _itself,
    "current": _itself,
    "multi_select_list": _list,
    "multi_select_dict": _object,
    "key_val_pair": lambda _, value: value,
    "function_expression": _function,
    "comparator": _comparator,
}

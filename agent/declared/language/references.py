"""References, indexes and splats; hides how far a reference is a namespace and where it becomes a value."""

from __future__ import annotations

from typing import Any

from agent.declared.hcl import tree
from agent.declared.language import access
from agent.declared.language.error import EvaluationError, TooMuch
from agent.declared.language.scope import KNOWN, Inner, Scope, endless, step
from agent.declared.language.types import ListOf, SetOf, TupleOf
from agent.declared.language.values import List, Null, Sensitive, Set, Tuple, Unknown, Value, type_of, whys


def variable(expression: tree.Variable, scope: Scope) -> Value:
    """`name`."""
    return _value(scope.root(expression.name), expression)


def get_attr(expression: tree.GetAttr, scope: Scope) -> Value:
    """`source.name`."""
    return _value(_member(expression, scope), expression)


def _member(expression: tree.GetAttr, scope: Scope) -> Any:
    """What `source.name` gives: a value or a namespace."""
    written = expression.source
    if isinstance(written, tree.Variable):
        source: Any = scope.root(written.name)
    elif isinstance(written, tree.GetAttr):
        source = _member(written, scope)
    else:
        source = step(written, scope)
    if type(source) not in KNOWN:
        return source.get(expression.name)
    try:
        return access.attribute(source, expression.name)
    except TooMuch:
        raise
    except EvaluationError as error:
        raise EvaluationError(f"{_spelled(written)}: {error}") from None


def _value(found: Any, expression: tree.Expression) -> Value:
    if type(found) in KNOWN or hasattr(found, "force"):
        value: Value = found
        return value
    name = _spelled(expression)
    raise EvaluationError(f"`{name}` is no value by itself: say which one, as in `{name}.NAME`")


def _spelled(expression: tree.Expression) -> str:
    """A reference as written, as far as it has names only."""
    if isinstance(expression, tree.Variable):
        return expression.name
    if isinstance(expression, tree.GetAttr):
        return f"{_spelled(expression.source)}.{expression.name}"
    if isinstance(expression, tree.Index):
        return f"{_spelled(expression.source)}[…]"
    return "(…)"


def index(expression: tree.Index, scope: Scope) -> Value:
    """`source[key]`."""
    source = step(expression.source, scope)
    key = step(expression.key, scope)
    try:
        return access.element(source, key)
    except TooMuch:
        raise
    except EvaluationError as error:
        raise EvaluationError(f"{_spelled(expression.source)}: {error}") from None


def item(expression: tree.Item, scope: Scope) -> Value:
    """The element a splat is at."""
    return _value(scope.root(_ELEMENT), expression)


_ELEMENT = ""
"""Name that a splat gives its element: no variable can have it."""


def splat(expression: tree.Splat, scope: Scope) -> Value:
    """`source[*]…`."""
    source = step(expression.source, scope)
    if isinstance(source, Sensitive):
        return Sensitive(_splatted(source.value, expression.each, scope))
    return _splatted(source, expression.each, scope)


def _splatted(source: Value, each: tree.Expression, scope: Scope) -> Value:
    if isinstance(source, Null):
        if isinstance(source.type, ListOf | SetOf | TupleOf):
            raise EvaluationError("a splat of a list that is null")
        return Tuple(())
    if endless(source):
        return Unknown(whys(source))
    inner = Inner(scope)
    found = []
    for element in source.items if isinstance(source, List | Set | Tuple) else (source,):
        inner.names[_ELEMENT] = element
        found.append(step(each, inner))
    if not isinstance(source, List | Set):
        return Tuple(found)
    if isinstance(each, tree.Item):
        return List(found, source.element)
    if not found:
        # Of an empty list, the type says what the elements would have given, or that they would have failed.
        inner.names[_ELEMENT] = Unknown((), source.element)
        return List((), type_of(step(each, inner)))
    types = set(map(type_of, found))
    return List(found, types.pop()) if len(types) == 1 else Tuple(found)

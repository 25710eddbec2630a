"""Type constraints of variables, and the defaults of `optional()` in them.

Hides how a constraint is written (https://developer.hashicorp.com/terraform/language/expressions/type-constraints).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agent.declared.hcl import tree
from agent.declared.language.budget import Budget
from agent.declared.language.conversion import convert
from agent.declared.language.error import EvaluationError
from agent.declared.language.evaluate import Names, evaluate
from agent.declared.language.functions import Place
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
from agent.declared.language.values import List, Map, Null, Object, Sensitive, Set, Tuple, Value


@dataclass(frozen=True, slots=True)
class Defaults:
    """Where in a type optional attributes have defaults."""

    values: Mapping[str, Value] = field(default_factory=dict)
    """Attribute of this object → its default."""
    inner: Mapping[str, Defaults] = field(default_factory=dict)
    """Attribute, or index of a tuple → the defaults inside it."""
    element: Defaults | None = None
    """The defaults inside every element of a collection."""

    def __bool__(self) -> bool:
        return bool(self.values or self.inner or self.element)


_WORDS = {"string": STRING, "number": NUMBER, "bool": BOOL, "any": DYNAMIC}
_COLLECTIONS: Mapping[str, Callable[[Type], Type]] = {"list": ListOf, "set": SetOf, "map": MapOf}
_NONE = Defaults()


def constraint(expression: tree.Expression) -> tuple[Type, Defaults]:
    """What a variable's `type = …` says. Raises `EvaluationError` for what is no type.

    The quoted `"string"`, `"list"` and `"map"` of old configurations are read as Terraform 0.11 did.
    """
    match expression:
        case tree.Literal(str(name)) if name in _QUOTED:
            return _QUOTED[name], _NONE
        case tree.Variable(name) if name in _WORDS:
            return _WORDS[name], _NONE
        case tree.Variable(name) if name in _COLLECTIONS:
            return _COLLECTIONS[name](DYNAMIC), _NONE
        case tree.Call(name, (element,), False) if name in _COLLECTIONS:
            type_, defaults = constraint(element)
            return _COLLECTIONS[name](type_), Defaults(element=defaults) if defaults else _NONE
        case tree.Call("object", (tree.Object(items),), False):
            return _object(items)
        case tree.Call("tuple", (tree.Tuple(items),), False):
            read = [constraint(each) for each in items]
            inner = {str(i): defaults for i, (_, defaults) in enumerate(read) if defaults}
            return TupleOf(tuple(type_ for type_, _ in read)), Defaults(inner=inner)
        case tree.Call("optional"):
            raise EvaluationError("optional() stands around the type of an object's attribute only")
    raise EvaluationError("no type: write string, number, bool, any, list(…), set(…), map(…), object({…}), tuple([…])")


_QUOTED: Mapping[str, Type] = {"string": STRING, "list": ListOf(STRING), "map": MapOf(STRING)}


def _object(items: tuple[tuple[tree.Expression, tree.Expression], ...]) -> tuple[Type, Defaults]:
    types: dict[str, Type] = {}
    optional: set[str] = set()
    values: dict[str, Value] = {}
    inner: dict[str, Defaults] = {}
    for key, written in items:
        name = key.value if isinstance(key, tree.Literal) else None
        if not isinstance(name, str):
            raise EvaluationError("an attribute of an object type is a name")
        default: Value | None = None
        inside = written
        if isinstance(written, tree.Call) and written.name == "optional":
            inside, default = _optional(written, name)
            optional.add(name)
        types[name], defaults = constraint(inside)
        if defaults:
            inner[name] = defaults
        if default is not None:
            values[name] = _default(name, default, types[name], defaults)
    return ObjectOf.of(types, frozenset(optional)), Defaults(values, inner)


def _optional(call: tree.Call, name: str) -> tuple[tree.Expression, Value | None]:
    if not 1 <= len(call.arguments) <= 2 or call.expand:
        raise EvaluationError(f"optional() of `{name}` takes a type and perhaps a default")
    default = evaluate(call.arguments[1], _Constant()) if len(call.arguments) == 2 else None
    return call.arguments[0], default


def _default(name: str, value: Value, type_: Type, defaults: Defaults) -> Value:
    """A default of an attribute's type; it lacks optional attributes of its own until it is applied."""
    try:
        return convert(value, type_) if not defaults else value
    except EvaluationError as error:
        raise EvaluationError(f"the default of the optional attribute `{name}`: {error}") from None


class _Constant:
    """A scope without names, functions of files among them."""

    def __init__(self) -> None:
        self.place = Place(Path(), Path())
        self.budget = Budget()

    def root(self, name: str) -> Value | Names:
        """See `Scope`."""
        raise EvaluationError(f"`{name}` cannot be referred to: a default in a type is a constant")


def apply(defaults: Defaults, value: Value) -> Value:
    """A forced value with the defaults of absent and null optional attributes; still to be converted to the type.

    Unknown and null values stay as they are; what does not have the type's shape is left to the conversion.
    """
    if not defaults:
        return value
    match value:
        case Sensitive(value=inner):
            return Sensitive(apply(defaults, inner))
        case List() | Set() | Tuple() if defaults.element:
            # Types of elements may differ once defaults are in: the conversion that follows makes them one again.
            return Tuple(apply(defaults.element, each) for each in value.items)
        case Map() | Object() if defaults.element:
            return Object({name: apply(defaults.element, each) for name, each in value.items.items()})
        case List() | Tuple():
            return Tuple(apply(defaults.inner.get(str(i), _NONE), each) for i, each in enumerate(value.items))
        case Map() | Object():
            return _filled(defaults, dict(value.items))
    return value


def _filled(defaults: Defaults, items: dict[str, Value]) -> Value:
    for name, default in defaults.values.items():
        found = items.get(name)
        if found is None or isinstance(found, Null):
            items[name] = default
    return Object({name: apply(defaults.inner.get(name, _NONE), each) for name, each in items.items()})

"""The value a block's body gives to one of its attributes or nested blocks, before the schema gives it its shape.

Hides nested and `dynamic` blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from agent.declared.hcl import tree
from agent.declared.language.error import EvaluationError
from agent.declared.language.evaluate import Names, Scope, evaluate
from agent.declared.language.values import (
    List,
    Map,
    Object,
    Sensitive,
    Set,
    Tuple,
    Unknown,
    Value,
    force,
)

Body = tuple[tree.Body, Scope]


def names(body: tree.Body) -> Iterator[str]:
    """The attributes and nested blocks a body sets, each once, in source order."""
    written = (each.name for each in body.attributes)
    nested = (_shows_as(each) for each in body.blocks)
    yield from dict.fromkeys((*written, *nested))


def _shows_as(block: tree.Block) -> str:
    return block.labels[0] if block.type == "dynamic" and block.labels else block.type


def value_of(body: tree.Body, name: str, scope: Scope) -> Value | None:
    """What a body sets a name to, None where it does not set it. Raises `EvaluationError`.

    Nested blocks are a tuple of objects, those with a label an object of such by label. Dynamic blocks that come to
    nothing are as if they were not written.
    """
    written = body.attribute(name)
    if written is not None:
        return force(evaluate(written, scope))
    blocks = [each for each in body.blocks if _shows_as(each) == name]
    return _nested(blocks, scope) if blocks else None


def _object(body: tree.Body, scope: Scope) -> Object:
    found = {name: value_of(body, name, scope) for name in names(body)}
    return Object({name: value for name, value in found.items() if value is not None})


def _nested(blocks: Iterable[tree.Block], scope: Scope) -> Value | None:
    """The blocks as objects, `dynamic` ones expanded; unknown where one cannot be, None where there are none."""
    found: list[Value] = []
    labelled: dict[str, Value] = {}
    for block in blocks:
        if block.type == "dynamic":
            bodies = _dynamic(block, scope)
            if isinstance(bodies, Unknown):
                return bodies
            found += [_object(body, inner) for body, inner in bodies]
        elif block.labels:
            labelled[block.labels[0]] = _object(block.body, scope)
        else:
            found.append(_object(block.body, scope))
    if labelled:
        return Object(labelled)
    return Tuple(found) if found else None


def _dynamic(block: tree.Block, scope: Scope) -> list[Body] | Unknown:
    """https://developer.hashicorp.com/terraform/language/expressions/dynamic-blocks"""
    over, content = block.body.attribute("for_each"), block.body.of_type("content")
    if over is None or len(content) != 1:
        raise EvaluationError("a dynamic block needs `for_each` and one `content` block")
    iterator = block.body.attribute("iterator")
    name = iterator.name if isinstance(iterator, tree.Variable) else block.labels[0]
    value = force(evaluate(over, scope))
    bare = value.value if isinstance(value, Sensitive) else value
    match bare:
        case Unknown():
            return bare
        case Map() | Object():
            pairs: list[tuple[Value, Value]] = list(bare.items.items())
        case List() | Tuple():
            pairs = list(enumerate(bare.items))
        case Set():
            pairs = [(each, each) for each in bare.items]
        case _:
            raise EvaluationError("a dynamic block's for_each must be a map, an object, a set, a list or a tuple")
    if isinstance(value, Sensitive):
        pairs = [(Sensitive(key), Sensitive(each)) for key, each in pairs]
    return [(content[0].body, _Iterating(scope, name, key, each)) for key, each in pairs]


class _Iterating:
    """The scope inside a dynamic block's content."""

    def __init__(self, outer: Scope, name: str, key: Value, value: Value) -> None:
        self.outer = outer
        self.place = outer.place
        self.budget = outer.budget
        self.name = name
        self.pair = _Pair(name, key, value)

    def root(self, name: str) -> Value | Names:
        return self.pair if name == self.name else self.outer.root(name)


@dataclass(frozen=True, slots=True)
class _Pair:
    name: str
    key: Value
    value: Value

    def get(self, name: str) -> Value | Names:
        if name == "key":
            return self.key
        if name == "value":
            return self.value
        raise EvaluationError(f"there is no `{self.name}.{name}`: only key and value")

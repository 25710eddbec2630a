"""How often a block is repeated: `count` and `for_each`.

Hides what they may be, and what `each` and `count` mean inside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from agent.declared.addresses import Key
from agent.declared.configuration import Item
from agent.declared.language.conversion import convert
from agent.declared.language.error import EvaluationError
from agent.declared.language.evaluate import Names, Scope, evaluate
from agent.declared.language.types import NUMBER
from agent.declared.language.values import (
    UNKNOWN,
    Map,
    Null,
    Object,
    Sensitive,
    Set,
    Tuple,
    Unknown,
    Value,
    flags,
    force,
    unmarked,
    whys,
)

MAX_INSTANCES = 20_000
"""Most instances of one block; a configuration is not trusted to name a sensible number."""


@dataclass(frozen=True, slots=True)
class Expansion:
    """The instances of one block."""

    kind: Literal["one", "count", "for_each"] = "one"
    keys: tuple[Key, ...] = (None,)
    values: Mapping[str, Value] = field(default_factory=dict)
    """What `each.value` is, by key."""
    unknown: Unknown | None = None
    """Why there is no telling how many there are; `keys` means nothing then."""

    def scope(self, outer: Scope, key: Key) -> Scope:
        """The scope of one instance's arguments."""
        return outer if self.kind == "one" else Repeated(outer, self, key)

    def collected(self, objects: Mapping[Key, Value]) -> Value:
        """What a reference to the whole block gives."""
        if self.kind == "one":
            return objects[None]
        if self.kind == "count":
            return Tuple(objects[key] for key in self.keys)
        return Object({str(key): each for key, each in objects.items()})


class Repeated:
    """The scope of one instance of a repeated block: its module's, with `each` or `count`."""

    def __init__(self, outer: Scope, expansion: Expansion, key: Key) -> None:
        self.outer = outer
        self.place = outer.place
        self.budget = outer.budget
        self.expansion = expansion
        self.key = key

    def root(self, name: str) -> Value | Names:
        """See `language.evaluate.Scope`."""
        if name == "each" and self.expansion.kind == "for_each":
            return _Each(self.expansion, self.key)
        if name == "count" and self.expansion.kind == "count":
            return _Count(self.key)
        return self.outer.root(name)


@dataclass(frozen=True, slots=True)
class _Each:
    expansion: Expansion
    key: Key

    def get(self, name: str) -> Value | Names:
        if name == "key":
            return str(self.key)
        if name == "value":
            return self.expansion.values[str(self.key)]
        raise EvaluationError(f"there is no `each.{name}`: only key and value")


@dataclass(frozen=True, slots=True)
class _Count:
    key: Key

    def get(self, name: str) -> Value | Names:
        if name != "index" or not isinstance(self.key, int):
            raise EvaluationError(f"there is no `count.{name}`: only index")
        return self.key


def expand(item: Item, module: Any, where: str) -> Expansion:
    """The instances of a block in a module instance. What cannot be told is noted as a problem of the evaluation."""
    count, for_each = item.expression("count"), item.expression("for_each")
    if count is None and for_each is None:
        return Expansion()
    name, written, read = ("count", count, _counted) if count is not None else ("for_each", for_each, _each)
    found: list[Expansion] = []

    def evaluated() -> Value:
        assert written is not None
        found.append(read(force(evaluate(written, module))))
        return Null()

    failed = module.run.attempt(f"{where} {name}", item.source, evaluated)
    return found[0] if found else Expansion(unknown=failed)


def _counted(value: Value) -> Expansion:
    bare, _ = unmarked(value)
    if isinstance(bare, Null):
        raise EvaluationError("count is null")
    number = convert(bare, NUMBER)
    if isinstance(number, Unknown):
        return Expansion(unknown=number)
    if not isinstance(number, int) or number < 0:
        raise EvaluationError("count must be a whole number, and not negative")
    if number > MAX_INSTANCES:
        raise EvaluationError(f"count is above {MAX_INSTANCES:,}")
    return Expansion("count", tuple(range(number)))


def _each(value: Value) -> Expansion:
    if isinstance(value, Sensitive):
        raise EvaluationError("for_each is sensitive: its keys would be shown in addresses")
    if isinstance(value, Unknown):
        return Expansion(unknown=value)
    if isinstance(value, Map | Object):
        items = dict(value.items)
    elif isinstance(value, Set):
        if flags(value) & UNKNOWN:
            return Expansion(unknown=Unknown(whys(value)))
        if not all(isinstance(each, str) for each in value.items):
            raise EvaluationError("for_each over a set needs a set of strings: use toset() of strings, or a map")
        items = {str(each): each for each in value.items}
    else:
        raise EvaluationError("for_each must be a map, an object or a set of strings")
    if len(items) > MAX_INSTANCES:
        raise EvaluationError(f"for_each has more than {MAX_INSTANCES:,} elements")
    return Expansion("for_each", tuple(items), items)

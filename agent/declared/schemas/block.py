"""What a provider says of a resource type: attributes, nested blocks, and the type of the whole.

Hides nothing: these are the words of https://developer.hashicorp.com/terraform/plugin/framework/handling-data/schemas
and of `terraform providers schema -json`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from agent.declared.language.types import ListOf, MapOf, ObjectOf, SetOf, Type

Mode = Literal["single", "group", "list", "set", "map"]
"""How many of a nested block there are: at most one, exactly one that need not be written, or a collection."""

CACHED = 8192
"""Blocks whose type is remembered; AWS's provider has some 7,500 different ones."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a block."""

    type: Type
    required: bool = False
    optional: bool = False
    """May be set; neither this nor `required` means that only the provider sets it."""
    computed: bool = False
    """The provider sets it where the configuration does not."""
    sensitive: bool = False
    write_only: bool = False
    """Never in state."""
    deprecated: bool = False
    nested: Nested | None = None
    """Its attributes, where the provider describes them one by one; `type` is then what they amount to."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """The body of a resource or of a nested block. Equal to itself only: a table makes each block once."""

    attributes: Mapping[str, Attribute]
    blocks: Mapping[str, Nested] = field(default_factory=dict)
    deprecated: bool = False


@dataclass(frozen=True, slots=True)
class Nested:
    """A nested block, or the description of a nested attribute."""

    mode: Mode
    block: Block
    min_items: int = 0
    max_items: int = 0
    """0: any number."""

    @property
    def type(self) -> Type:
        """What an attribute that holds it has as type."""
        return collected(self.mode, implied_type(self.block))


@dataclass(frozen=True, slots=True)
class Schema:
    """A resource type or data source."""

    version: int
    """Which layout of its state this is; the provider counts up."""
    block: Block


def collected(mode: Mode, one: Type) -> Type:
    """The type of a nested block of which `one` is the body's type."""
    match mode:
        case "list":
            return ListOf(one)
        case "set":
            return SetOf(one)
        case "map":
            return MapOf(one)
    return one


@lru_cache(CACHED)
def implied_type(block: Block) -> ObjectOf:
    """The type of a block as a value: an object of its attributes and its nested blocks."""
    attributes = {name: attribute.type for name, attribute in block.attributes.items()}
    return ObjectOf.of(attributes | {name: nested.type for name, nested in block.blocks.items()})


@lru_cache(CACHED)
def sensitive_paths(block: Block) -> tuple[tuple[str | int, ...], ...]:
    """The ways to the attributes the schema calls sensitive, in order, as state spells them.

    0 stands for any element of a list or set. What lies below a map is not told apart: the path ends at the map.
    """
    return tuple(_sensitive(block))


def _sensitive(block: Block) -> Iterator[tuple[str | int, ...]]:
    inside: dict[str, Nested] = dict(block.blocks)
    for name, attribute in block.attributes.items():
        if attribute.sensitive:
            yield (name,)
        elif attribute.nested:
            inside[name] = attribute.nested
    for name, nested in inside.items():
        below = sensitive_paths(nested.block)
        if nested.mode == "map" and below:
            yield (name,)
            continue
        steps = (name, 0) if nested.mode in ("list", "set") else (name,)
        yield from ((*steps, *path) for path in below)

"""The layout of a table of schemas on disk, shared by its reader and its writer.

A table is one file: the magic line, the length of the header in four bytes (big-endian), the header, the chunks.
Header and chunks are msgpack compressed by zlib, one by one, so that a reader inflates the header and the one chunk
that holds the type it is asked for. Inside an entry, types and blocks that are equal stand once and are named by their
position; each stands behind those it consists of.
"""

from __future__ import annotations

from msgspec import Struct, msgpack

from agent.declared.schemas.block import Mode

MAGIC = b"driftwarden schemas 1\n"
"""Raised whenever the layout changes."""
LENGTH = 4

RESOURCE, DATA_SOURCE, PROVIDER = 0, 1, 2
"""Kinds of entries. A provider's own configuration block has no name."""

MODES: tuple[Mode, ...] = ("single", "group", "list", "set", "map")
FLAGS = ("required", "optional", "computed", "sensitive", "write_only", "deprecated")
"""Bit n of an attribute's flags says whether FLAGS[n] holds."""


class TypeRow(Struct, frozen=True, array_like=True, gc=False):
    """One type: a primitive's name, or the kind of a collection and the positions of what it is made of."""

    kind: str
    parts: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    """Of an object's attributes, in the order of `parts`."""


class AttributesRow(Struct, frozen=True, array_like=True, gc=False):
    """The attributes of a block that have the same type and flags."""

    type: int
    flags: int
    names: tuple[str, ...]


class NestedRow(Struct, frozen=True, array_like=True, gc=False):
    """A nested block, or an attribute whose attributes are described."""

    name: str
    mode: int
    block: int
    min_items: int
    max_items: int
    flags: int = 0
    """Of the attribute."""


class BlockRow(Struct, frozen=True, array_like=True, gc=False):
    """One block."""

    attributes: tuple[AttributesRow, ...]
    nested_attributes: tuple[NestedRow, ...]
    blocks: tuple[NestedRow, ...]
    deprecated: bool


class Entry(Struct, frozen=True, array_like=True, gc=False):
    """One resource type or data source; its own block is the last."""

    version: int
    types: tuple[TypeRow, ...]
    blocks: tuple[BlockRow, ...]


class Place(Struct, frozen=True, array_like=True, gc=False):
    """Where an entry is; entries of a chunk follow each other in the order of their places."""

    name: str
    kind: int
    chunk: int
    size: int
    """Bytes."""


class Header(Struct, frozen=True, array_like=True, gc=False):
    """What a table is of, and its index."""

    source: str
    version: str
    made_by: str
    chunks: tuple[int, ...]
    """Bytes of each chunk, compressed."""
    places: tuple[Place, ...]


# Before threads are: where two decode a type for the first time at once, msgspec 0.22 crashes.
for _each in (Header, Entry):
    msgpack.Decoder(_each)

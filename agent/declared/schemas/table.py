"""Reads a table of one provider's schemas, one type at a time.

Hides the table's layout, and that nothing but the index is decoded before it is asked for.
"""

from __future__ import annotations

import sys
import zlib
from typing import TypeVar

import msgspec

from agent.declared.language.types import ListOf, MapOf, ObjectOf, SetOf, TupleOf, Type, from_json
from agent.declared.schemas.block import Attribute, Block, Nested, Schema, collected, implied_type
from agent.declared.schemas.wire import FLAGS, LENGTH, MAGIC, MODES, AttributesRow, BlockRow, Entry, Header, NestedRow

_T = TypeVar("_T")


class TableError(Exception):
    """A table that cannot be read: which, why, and what would be right."""


class Table:
    """One provider's schemas. Holds the file's bytes; what `entry` and `schema` give is decoded anew each time."""

    __slots__ = ("_chunks", "_name", "_places", "source", "version")

    def __init__(self, data: bytes, name: str) -> None:
        """`name` is how errors call the table. Raises `TableError`."""
        if not data.startswith(MAGIC):
            raise TableError(f"{name} is no table of schemas as this version reads it: {_REMAKE}")
        start = len(MAGIC) + LENGTH
        end = start + int.from_bytes(data[len(MAGIC) : start], "big")
        header = _decoded(data[start:end], Header, name)
        self._name = name
        self._chunks: list[bytes] = []
        for size in header.chunks:
            self._chunks.append(data[end : end + size])
            end += size
        if end != len(data):
            raise TableError(f"{name} has {len(data):,} bytes where its index says {end:,}: {_REMAKE}")
        self.source = header.source
        self.version = header.version
        self._places: dict[tuple[int, str], tuple[int, int, int]] = {}
        chunk, at = 0, 0
        for place in header.places:
            at = at if place.chunk == chunk else 0
            chunk = place.chunk
            self._places[place.kind, place.name] = (chunk, at, at + place.size)
            at += place.size

    def names(self, kind: int) -> tuple[str, ...]:
        """What there is of a kind (`wire.RESOURCE`, …), in order."""
        return tuple(name for each, name in self._places if each == kind)

    def entry(self, kind: int, name: str) -> Entry | None:
        """One type as it stands in the table. Raises `TableError` where the table is damaged."""
        place = self._places.get((kind, name))
        if place is None:
            return None
        chunk, start, end = place
        return _decoded(self._chunks[chunk], Entry, self._name, slice(start, end))

    def schema(self, kind: int, name: str) -> Schema | None:
        """One type. Raises `TableError` where the table is damaged."""
        entry = self.entry(kind, name)
        if entry is None:
            return None
        try:
            return _schema(entry)
        except (IndexError, ValueError):
            raise TableError(f"{self._name} is damaged at {name}: {_REMAKE}") from None


_REMAKE = "install driftwarden again, or make the table again with scripts/provider_schemas.py"


def _decoded(data: bytes, type_: type[_T], name: str, part: slice = slice(None)) -> _T:
    try:
        return msgspec.msgpack.decode(zlib.decompress(data)[part], type=type_)
    except (zlib.error, msgspec.MsgspecError) as error:
        raise TableError(f"{name} is damaged ({error}): {_REMAKE}") from None


def _schema(entry: Entry) -> Schema:
    types: list[Type] = []
    for row in entry.types:
        types.append(_type(row.kind, [types[part] for part in row.parts], row.names))
    blocks: list[Block] = []
    for each in entry.blocks:
        blocks.append(_block(each, types, blocks))
    return Schema(entry.version, blocks[-1])


def _type(kind: str, parts: list[Type], names: tuple[str, ...]) -> Type:
    match kind:
        case "list":
            return ListOf(parts[0])
        case "set":
            return SetOf(parts[0])
        case "map":
            return MapOf(parts[0])
        case "tuple":
            return TupleOf(tuple(parts))
        case "object":
            return ObjectOf(tuple(zip(map(sys.intern, names), parts, strict=True)))
    return from_json(kind)


def _block(row: BlockRow, types: list[Type], blocks: list[Block]) -> Block:
    attributes = {sys.intern(name): each for group in row.attributes for name, each in _attributes(group, types)}
    for nested in row.nested_attributes:
        described = _nested(nested, blocks)
        type_ = collected(described.mode, implied_type(described.block))
        attributes[sys.intern(nested.name)] = _attribute(type_, nested.flags, described)
    inside = {sys.intern(each.name): _nested(each, blocks) for each in row.blocks}
    return Block(dict(sorted(attributes.items())), inside, row.deprecated)


def _attributes(group: AttributesRow, types: list[Type]) -> list[tuple[str, Attribute]]:
    shared = _attribute(types[group.type], group.flags)
    return [(name, shared) for name in group.names]


def _attribute(type_: Type, flags: int, nested: Nested | None = None) -> Attribute:
    given = {name: bool(flags >> bit & 1) for bit, name in enumerate(FLAGS)}
    return Attribute(type_, nested=nested, **given)


def _nested(row: NestedRow, blocks: list[Block]) -> Nested:
    return Nested(MODES[row.mode], blocks[row.block], row.min_items, row.max_items)

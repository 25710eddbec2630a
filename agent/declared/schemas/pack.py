"""Packs what `terraform providers schema -json` prints of a provider into a table.

Hides how equal parts are found and how entries are grouped. `scripts/provider_schemas.py` runs it; no scan does.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec

from agent.declared.language.types import ListOf, MapOf, ObjectOf, Primitive, SetOf, TupleOf, Type, from_json
from agent.declared.schemas.wire import (
    DATA_SOURCE,
    FLAGS,
    LENGTH,
    MAGIC,
    MODES,
    PROVIDER,
    RESOURCE,
    AttributesRow,
    BlockRow,
    Entry,
    Header,
    NestedRow,
    Place,
    TypeRow,
)

CHUNK = 32_000
"""Bytes of entries compressed together: smaller chunks compress worse, larger ones take longer to read one type."""

_Row = TypeVar("_Row", TypeRow, BlockRow)


def pack(source: str, version: str, made_by: str, schemas: Mapping[str, Any]) -> bytes:
    """One provider's part of the printed JSON → a table's bytes, the same for the same input."""
    chunks: list[bytes] = []
    places: list[Place] = []
    pending = b""
    for kind, name, entry in entries(schemas):
        data = msgspec.msgpack.encode(entry)
        if pending and len(pending) + len(data) > CHUNK:
            chunks.append(zlib.compress(pending, 9))
            pending = b""
        places.append(Place(name, kind, len(chunks), len(data)))
        pending += data
    chunks.append(zlib.compress(pending, 9))
    index = Header(source, version, made_by, tuple(map(len, chunks)), tuple(places))
    header = zlib.compress(msgspec.msgpack.encode(index), 9)
    return b"".join((MAGIC, len(header).to_bytes(LENGTH, "big"), header, *chunks))


def entries(schemas: Mapping[str, Any]) -> Iterator[tuple[int, str, Entry]]:
    """Kind, name and entry of everything in one provider's part; a data source stands beside its resource."""
    parts = {RESOURCE: schemas.get("resource_schemas", {}), DATA_SOURCE: schemas.get("data_source_schemas", {})}
    named = [(name, kind, schema) for kind, part in parts.items() for name, schema in part.items()]
    named.append(("", PROVIDER, schemas.get("provider", {})))
    for name, kind, schema in sorted(named, key=lambda each: each[:2]):
        yield kind, name, _entry(schema)


def _entry(schema: Mapping[str, Any]) -> Entry:
    writer = _Writer()
    writer.block(schema.get("block", {}))
    return Entry(schema.get("version", 0), tuple(writer.types.rows), tuple(writer.blocks.rows))


@dataclass(frozen=True, slots=True)
class _Pool(Generic[_Row]):
    """Rows, each once, in the order they came."""

    rows: dict[_Row, int] = field(default_factory=dict)

    def place(self, row: _Row) -> int:
        return self.rows.setdefault(row, len(self.rows))


@dataclass(frozen=True, slots=True)
class _Writer:
    """The rows of one entry."""

    types: _Pool[TypeRow] = field(default_factory=_Pool)
    blocks: _Pool[BlockRow] = field(default_factory=_Pool)

    def block(self, spelled: Mapping[str, Any]) -> int:
        groups: dict[tuple[int, int], list[str]] = {}
        nested = []
        for name, each in sorted(spelled.get("attributes", {}).items()):
            if "nested_type" in each:
                nested.append(self.nested(name, each["nested_type"], each["nested_type"], _flags(each)))
            else:
                groups.setdefault((self.type(from_json(each["type"])), _flags(each)), []).append(name)
        blocks = [self.nested(name, e, e["block"]) for name, e in sorted(spelled.get("block_types", {}).items())]
        rows = tuple(AttributesRow(type_, flags, tuple(names)) for (type_, flags), names in sorted(groups.items()))
        return self.blocks.place(BlockRow(rows, tuple(nested), tuple(blocks), bool(spelled.get("deprecated"))))

    def nested(self, name: str, counts: Mapping[str, Any], body: Mapping[str, Any], flags: int = 0) -> NestedRow:
        mode = MODES.index(counts["nesting_mode"])
        return NestedRow(name, mode, self.block(body), counts.get("min_items", 0), counts.get("max_items", 0), flags)

    def type(self, type_: Type) -> int:
        match type_:
            case Primitive(name):
                row = TypeRow(name)
            case ListOf(element):
                row = TypeRow("list", (self.type(element),))
            case SetOf(element):
                row = TypeRow("set", (self.type(element),))
            case MapOf(element):
                row = TypeRow("map", (self.type(element),))
            case TupleOf(items):
                row = TypeRow("tuple", tuple(map(self.type, items)))
            case ObjectOf(attributes):
                names = tuple(name for name, _ in attributes)
                row = TypeRow("object", tuple(self.type(each) for _, each in attributes), names)
        return self.types.place(row)


def _flags(attribute: Mapping[str, Any]) -> int:
    return sum(1 << bit for bit, name in enumerate(FLAGS) if attribute.get(name))

"""What providers say of their resource types, from tables that ship with the package.

Hides where a provider's table is, that it is read one type at a time, and what newer versions of a provider are known
to have added.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from importlib import resources

from agent.declared.language.types import STRING
from agent.declared.schemas.block import Attribute, Block, Nested, Schema, implied_type, sensitive_paths
from agent.declared.schemas.table import Table, TableError
from agent.declared.schemas.wire import DATA_SOURCE, PROVIDER, RESOURCE

__all__ = [
    "Attribute",
    "Block",
    "Nested",
    "Provider",
    "Schema",
    "TableError",
    "agree",
    "implied_type",
    "provider",
    "sensitive_paths",
    "skew",
    "source_of",
]

HOST = "registry.terraform.io"
NAMESPACE = "hashicorp"
"""What Terraform fills in where a source leaves it out."""

AWS = f"{HOST}/{NAMESPACE}/aws"

ADDED = {(AWS, 6): {"region": Attribute(STRING, optional=True, computed=True)}}
"""Attributes that every resource type and data source of a provider has from a major version on.

AWS provider 6 lets each resource name its region; those of global services have no such attribute, and for them it
stays null. https://registry.terraform.io/providers/hashicorp/aws/latest/docs/guides/enhanced-region-support
"""


class Provider:
    """One provider's schemas, as the shipped table has them and with what its locked version is known to add."""

    __slots__ = ("_added", "_known", "_table", "locked", "source", "version")

    def __init__(self, table: Table, locked: str = "") -> None:
        """`locked` is the version a stack uses, where that is known."""
        self.source = table.source
        self.version = table.version
        """The version the table was made from."""
        self.locked = locked
        self._table = table
        self._known: dict[tuple[int, str], Schema | None] = {}
        major = _major(locked)
        added = [more for (source, since), more in ADDED.items() if source == self.source and since <= major]
        self._added = {name: attribute for more in added for name, attribute in more.items()}

    def resource(self, type_: str) -> Schema | None:
        """A resource type, None where the table has none of that name."""
        return self._schema(RESOURCE, type_)

    def data_source(self, type_: str) -> Schema | None:
        """A data source, None where the table has none of that name."""
        return self._schema(DATA_SOURCE, type_)

    def configuration(self) -> Schema | None:
        """What a `provider` block may hold."""
        return self._schema(PROVIDER, "")

    def _schema(self, kind: int, name: str) -> Schema | None:
        if (kind, name) not in self._known:
            schema = self._table.schema(kind, name)
            if schema and self._added and kind != PROVIDER:
                block = replace(schema.block, attributes={**schema.block.attributes, **self._added})
                schema = replace(schema, block=block)
            self._known[kind, name] = schema
        return self._known[kind, name]


def source_of(spelled: str) -> str:
    """A provider's source with what Terraform fills in: `aws` → `registry.terraform.io/hashicorp/aws`.

    Empty for what is no source. OpenTofu's registry carries HashiCorp's providers, so its name for them is theirs.
    """
    parts = spelled.lower().split("/")
    host, namespace, name = [*(HOST, NAMESPACE)[: max(0, 3 - len(parts))], *parts] if len(parts) <= 3 else ("", "", "")
    if host == "registry.opentofu.org" and namespace == NAMESPACE:
        host = HOST
    whole = f"{host}/{namespace}/{name}"
    return whole if _SOURCE.fullmatch(whole) else ""


_SOURCE = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[0-9]{1,5})?/[a-z0-9_-]+/[a-z0-9_-]+")


@lru_cache(64)
def provider(source: str, locked: str = "") -> Provider | None:
    """The schemas of a provider (`registry.terraform.io/hashicorp/aws` or shorter), None where no table ships.

    `locked` is the version in use, where the caller knows it. Raises `TableError` where the table is damaged.
    """
    whole = source_of(source)
    table = _table(whole) if whole else None
    return Provider(table, locked) if table else None


@lru_cache(16)
def _table(source: str) -> Table | None:
    name = f"tables/{source.replace(':', '_')}.schemas"
    file = resources.files("agent.declared.schemas").joinpath(name)
    return Table(file.read_bytes(), f"agent/declared/schemas/{name}") if file.is_file() else None


def agree(known: Provider, type_: str, schema_version: int) -> str:
    """Why a resource in state cannot be taken to have the shape the table gives its type; empty where it can."""
    schema = known.resource(type_)
    of = f"{known.source} {known.version}"
    if schema is None:
        why = f"{type_} is not among the types of {of}"
    elif schema.version != schema_version:
        why = f"state has {type_} in schema version {schema_version}, {of} in {schema.version}"
    else:
        return ""
    in_use = f" (locked is {known.locked})" if known.locked not in ("", known.version) else ""
    return f"{why}{in_use}: its attributes are compared by name only"


def skew(known: Provider) -> str:
    """What a stack that locks a newer major version than the table was made from should know; empty where none is."""
    if _major(known.locked) <= _major(known.version):
        return ""
    return (
        f"{known.source} is locked at {known.locked}, its types are known as of {known.version}: "
        "attributes that came later are compared as they look"
    )


def _major(version: str) -> int:
    head = version.partition(".")[0]
    return int(head) if head.isascii() and head.isdigit() and len(head) < 6 else 0

"""The shipped table of the AWS provider's types, and how tables are made and read."""

import importlib.util
import json
import os
import shutil
import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

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
    to_json,
)
from agent.declared.schemas import (
    Attribute,
    Block,
    Nested,
    Provider,
    Schema,
    TableError,
    agree,
    implied_type,
    provider,
    sensitive_paths,
    skew,
    source_of,
)
from agent.declared.schemas.pack import pack
from agent.declared.schemas.table import Table
from agent.declared.schemas.wire import (
    DATA_SOURCE,
    FLAGS,
    LENGTH,
    MAGIC,
    RESOURCE,
    AttributesRow,
    BlockRow,
    Entry,
    Header,
    Place,
)

ROOT = Path(__file__).parent.parent.parent
TABLES = ROOT / "agent" / "declared" / "schemas" / "tables"
AWS_TABLE = TABLES / "registry.terraform.io" / "hashicorp" / "aws.schemas"


@pytest.fixture(scope="module")
def aws() -> Provider:
    found = provider("hashicorp/aws")
    assert found is not None
    return found


def schema_of(known: Provider, type_: str) -> Schema:
    schema = known.resource(type_)
    assert schema is not None
    return schema


# --- what ships -----------------------------------------------------------------------------------------------


def test_all_tables_together_have_at_most_a_megabyte() -> None:
    assert 0 < sum(path.stat().st_size for path in TABLES.rglob("*")) <= 1_000_000


def test_a_table_says_how_it_was_made_and_nothing_of_where() -> None:
    data = AWS_TABLE.read_bytes()
    start = len(MAGIC) + LENGTH
    end = start + int.from_bytes(data[len(MAGIC) : start], "big")
    header = msgspec.msgpack.decode(zlib.decompress(data[start:end]), type=Header)
    assert header.source == "registry.terraform.io/hashicorp/aws"
    assert header.made_by.startswith("terraform ")
    assert header.made_by.endswith(" providers schema -json")
    inside = zlib.decompress(data[start:end])
    for size in header.chunks:
        inside += zlib.decompress(data[end : end + size])
        end += size
    assert b"aws_vpc" in inside
    assert [word for word in (b"/home", b"/root", b"/tmp", b"/usr", b"/opt") if word in inside] == []


def test_a_security_group_s_rules_are_a_set_of_objects_though_written_as_blocks(aws: Provider) -> None:
    schema = schema_of(aws, "aws_security_group")
    assert schema.version == 1
    assert {name: nested.mode for name, nested in schema.block.blocks.items()} == {"timeouts": "single"}
    rule = ObjectOf.of(
        {
            "cidr_blocks": ListOf(STRING),
            "description": STRING,
            "from_port": NUMBER,
            "ipv6_cidr_blocks": ListOf(STRING),
            "prefix_list_ids": ListOf(STRING),
            "protocol": STRING,
            "security_groups": SetOf(STRING),
            "self": BOOL,
            "to_port": NUMBER,
        }
    )
    assert schema.block.attributes["ingress"] == Attribute(SetOf(rule), optional=True, computed=True)
    assert schema.block.attributes["arn"] == Attribute(STRING, computed=True)
    timeouts = ObjectOf.of({"create": STRING, "delete": STRING})
    assert dict(implied_type(schema.block).attributes)["timeouts"] == timeouts


def test_an_instance(aws: Provider) -> None:
    schema = schema_of(aws, "aws_instance")
    assert schema.version == 1
    root = schema.block.blocks["root_block_device"]
    assert (root.mode, root.min_items, root.max_items) == ("list", 0, 1)
    assert root.block.attributes["volume_size"] == Attribute(NUMBER, optional=True, computed=True)
    assert schema.block.blocks["ebs_block_device"].mode == "set"
    assert schema.block.attributes["vpc_security_group_ids"].type == SetOf(STRING)
    assert schema.block.attributes["tags"] == Attribute(MapOf(STRING), optional=True)
    assert schema.block.attributes["password_data"].computed


def test_a_bucket(aws: Provider) -> None:
    block = schema_of(aws, "aws_s3_bucket").block
    assert block.attributes["acl"].deprecated
    rule = block.blocks["lifecycle_rule"]
    assert rule.mode == "list"
    assert rule.block.blocks["transition"].mode == "set"
    assert rule.block.attributes["enabled"] == Attribute(BOOL, required=True)
    types = dict(implied_type(block).attributes)
    assert isinstance(types["lifecycle_rule"], ListOf)
    assert isinstance(types["lifecycle_rule"].element, ObjectOf)


def test_secrets_and_what_is_never_in_state(aws: Provider) -> None:
    database = schema_of(aws, "aws_db_instance").block
    assert sensitive_paths(database) == (("password",), ("password_wo",))
    assert database.attributes["password_wo"].write_only
    assert ("login_profile", 0, "password") not in sensitive_paths(database)
    broker = schema_of(aws, "aws_mq_broker").block
    assert ("user", 0, "password") in sensitive_paths(broker)


def test_a_data_source_is_told_from_the_resource_of_its_name(aws: Provider) -> None:
    data = aws.data_source("aws_vpc")
    assert data is not None
    assert "filter" in data.block.blocks
    assert "filter" not in schema_of(aws, "aws_vpc").block.blocks
    assert aws.data_source("aws_iam_policy_document") is not None
    assert aws.resource("aws_iam_policy_document") is None


def test_what_a_provider_block_may_hold(aws: Provider) -> None:
    configuration = aws.configuration()
    assert configuration is not None
    assert configuration.block.blocks["default_tags"].block.attributes["tags"].type == MapOf(STRING)


def test_a_type_is_decoded_once(aws: Provider) -> None:
    assert aws.resource("aws_vpc") is aws.resource("aws_vpc")
    assert provider("hashicorp/aws") is aws


# --- which provider -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spelled", "whole"),
    [
        ("aws", "registry.terraform.io/hashicorp/aws"),
        ("hashicorp/AWS", "registry.terraform.io/hashicorp/aws"),
        ("registry.opentofu.org/hashicorp/aws", "registry.terraform.io/hashicorp/aws"),
        ("registry.opentofu.org/acme/aws", "registry.opentofu.org/acme/aws"),
        ("registry.acme.test:8443/acme/aws", "registry.acme.test:8443/acme/aws"),
        ("", ""),
        ("a/b/c/d", ""),
        ("../../etc", ""),
        ("../hashicorp/aws", ""),
        ("registry.terraform.io/hashicorp/..", ""),
        ("registry.terraform.io/hashicorp/aws\n", ""),
    ],
)
def test_sources(spelled: str, whole: str) -> None:
    assert source_of(spelled) == whole


@pytest.mark.parametrize("source", ["hashicorp/random", "../../hashicorp/aws", "", "registry.terraform.io/acme/aws"])
def test_a_provider_without_a_table_is_none(source: str) -> None:
    assert provider(source) is None


def test_from_version_6_on_every_type_of_aws_has_a_region(aws: Provider) -> None:
    newer = provider("hashicorp/aws", "6.2.0")
    assert newer is not None
    assert "region" not in schema_of(aws, "aws_vpc").block.attributes
    region = Attribute(STRING, optional=True, computed=True)
    assert schema_of(newer, "aws_vpc").block.attributes["region"] == region
    assert schema_of(newer, "aws_s3_bucket").block.attributes["region"] == region
    assert dict(implied_type(schema_of(newer, "aws_vpc").block).attributes)["region"] == STRING
    data = newer.data_source("aws_vpc")
    assert data is not None
    assert data.block.attributes["region"] == region
    assert "region" in aws.configuration().block.attributes  # the provider's own, in every version


@pytest.mark.parametrize("locked", ["", "5.31.0", "5.100.0", "v6", "six", "٦.0.0"])
def test_other_versions_have_none(locked: str) -> None:
    known = provider("hashicorp/aws", locked)
    assert known is not None
    assert "region" not in schema_of(known, "aws_vpc").block.attributes
    assert skew(known) == ""


def test_a_newer_major_version_is_said() -> None:
    known = provider("hashicorp/aws", "6.2.0")
    assert known is not None
    assert skew(known) == (
        "registry.terraform.io/hashicorp/aws is locked at 6.2.0, its types are known as of 5.100.0: "
        "attributes that came later are compared as they look"
    )


def test_a_state_agrees_with_the_table_or_it_is_said_why_not(aws: Provider) -> None:
    newer = provider("hashicorp/aws", "6.2.0")
    assert newer is not None
    assert agree(aws, "aws_instance", 1) == ""
    assert agree(aws, "aws_instance", 3) == (
        "state has aws_instance in schema version 3, registry.terraform.io/hashicorp/aws 5.100.0 in 1: "
        "its attributes are compared by name only"
    )
    assert "(locked is 6.2.0): its attributes" in agree(newer, "aws_instance", 2)
    assert agree(aws, "aws_moon", 0).startswith("aws_moon is not among the types of registry.terraform.io/hashicorp")


# --- making and reading tables --------------------------------------------------------------------------------

SMALL: Mapping[str, Any] = {
    "provider": {"version": 0, "block": {"attributes": {"url": {"type": "string", "required": True}}}},
    "resource_schemas": {
        "made_up": {
            "version": 7,
            "block": {
                "deprecated": True,
                "attributes": {
                    "any": {"type": "dynamic", "optional": True},
                    "pair": {"type": ["tuple", ["string", ["map", "number"]]], "computed": True},
                    "rows": {"type": ["set", ["list", ["object", {"a": "bool"}]]], "computed": True},
                    "secret": {"type": "string", "optional": True, "sensitive": True, "write_only": True},
                    "old": {"type": "bool", "optional": True, "deprecated": True},
                    "one": {
                        "nested_type": {
                            "nesting_mode": "single",
                            "attributes": {"key": {"type": "string", "required": True, "sensitive": True}},
                        },
                        "optional": True,
                    },
                    "by_name": {
                        "nested_type": {
                            "nesting_mode": "map",
                            "attributes": {"key": {"type": "string", "required": True, "sensitive": True}},
                        },
                        "required": True,
                    },
                },
                "block_types": {
                    "some": {
                        "nesting_mode": "set",
                        "min_items": 1,
                        "max_items": 3,
                        "block": {"block_types": {"inner": {"nesting_mode": "group", "block": {}}}},
                    }
                },
            },
        },
        "empty": {"version": 0, "block": {}},
    },
}


@pytest.fixture
def small() -> Table:
    return Table(pack("registry.acme.test/acme/small", "1.2.3", "by hand", SMALL), "small")


def test_everything_a_schema_can_say_is_read_again(small: Table) -> None:
    assert (small.source, small.version) == ("registry.acme.test/acme/small", "1.2.3")
    assert small.names(RESOURCE) == ("empty", "made_up")
    schema = small.schema(RESOURCE, "made_up")
    assert schema is not None
    assert schema.version == 7
    block = schema.block
    assert block.deprecated
    assert block.attributes["any"] == Attribute(DYNAMIC, optional=True)
    pair = TupleOf((STRING, MapOf(NUMBER)))
    assert block.attributes["pair"] == Attribute(pair, computed=True)
    assert block.attributes["rows"].type == SetOf(ListOf(ObjectOf.of({"a": BOOL})))
    assert block.attributes["secret"] == Attribute(STRING, optional=True, sensitive=True, write_only=True)
    assert block.attributes["old"] == Attribute(BOOL, optional=True, deprecated=True)
    key = ObjectOf.of({"key": STRING})
    assert block.attributes["one"].type == key
    assert block.attributes["by_name"].type == MapOf(key)
    assert block.attributes["by_name"].required
    nested = block.attributes["one"].nested
    assert nested is not None
    assert nested.block.attributes["key"] == Attribute(STRING, required=True, sensitive=True)
    some = block.blocks["some"]
    assert (some.mode, some.min_items, some.max_items) == ("set", 1, 3)
    assert some.block.blocks["inner"].mode == "group"
    assert dict(implied_type(block).attributes)["some"] == SetOf(ObjectOf.of({"inner": ObjectOf.of({})}))
    assert sensitive_paths(block) == (("secret",), ("by_name",), ("one", "key"))
    assert small.schema(DATA_SOURCE, "made_up") is None


def test_the_same_schemas_make_the_same_table() -> None:
    backwards = json.loads(json.dumps(SMALL))
    backwards["resource_schemas"] = dict(reversed(backwards["resource_schemas"].items()))
    assert pack("a/b/c", "1", "x", backwards) == pack("a/b/c", "1", "x", SMALL)


def test_equal_blocks_are_stored_once() -> None:
    inner = {"attributes": {f"a{i}": {"type": "string"} for i in range(9)}}
    block: dict[str, Any] = inner
    for _ in range(12):  # 2^12 copies of the innermost block
        block = {"block_types": {side: {"nesting_mode": "list", "block": block} for side in ("left", "right")}}
    table = Table(pack("a/b/c", "1", "x", {"resource_schemas": {"tree": {"version": 0, "block": block}}}), "tree")
    entry = table.entry(RESOURCE, "tree")
    assert entry is not None
    assert len(entry.blocks) == 13


def test_types_of_several_chunks_are_all_found() -> None:
    many = {
        f"type_{i:03}": {"version": i, "block": {"attributes": {f"a{i}_{j}": {"type": "string"} for j in range(40)}}}
        for i in range(200)
    }
    data = pack("a/b/c", "1", "x", {"resource_schemas": many, "data_source_schemas": many})
    table = Table(data, "many")
    assert len(table.names(RESOURCE)) == len(table.names(DATA_SOURCE)) == 200
    for kind in (RESOURCE, DATA_SOURCE):
        for i in range(200):
            schema = table.schema(kind, f"type_{i:03}")
            assert schema is not None
            assert (schema.version, set(schema.block.attributes)) == (i, {f"a{i}_{j}" for j in range(40)})


def test_a_table_that_contradicts_itself_is_damaged() -> None:
    entry = msgspec.msgpack.encode(Entry(0, (), (BlockRow((AttributesRow(9, 0, ("a",)),), (), (), False),)))
    chunk = zlib.compress(entry)
    index = Header("a/b/c", "1", "x", (len(chunk),), (Place("t", RESOURCE, 0, len(entry)),))
    header = zlib.compress(msgspec.msgpack.encode(index))
    table = Table(MAGIC + len(header).to_bytes(LENGTH, "big") + header + chunk, "a table")
    with pytest.raises(TableError, match="a table is damaged at t"):
        table.schema(RESOURCE, "t")


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:10],
        lambda data: data[: len(MAGIC) + 2],
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: data[: len(MAGIC)] + b"\xff\xff\xff\xff" + data[len(MAGIC) + LENGTH :],
        lambda data: data.replace(b"schemas 1", b"schemas 9"),
        lambda data: data[:40] + b"\0\0\0" + data[43:],
    ],
)
def test_a_damaged_table_is_an_error_that_says_what_to_do(damage: Any) -> None:
    data = pack("a/b/c", "1", "x", SMALL)
    with pytest.raises(TableError, match=r"scripts/provider_schemas\.py"):
        Table(damage(data), "a table")


def test_damage_inside_a_chunk_is_found_when_it_is_read() -> None:
    data = pack("a/b/c", "1", "x", SMALL)
    table = Table(data[:-20] + bytes(20), "a table")
    with pytest.raises(TableError, match="a table is damaged"):
        table.schema(RESOURCE, "made_up")


# --- against the provider -------------------------------------------------------------------------------------


def script() -> Any:
    spec = importlib.util.spec_from_file_location("provider_schemas", ROOT / "scripts" / "provider_schemas.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def type_spelled(type_: Type) -> Any:
    return to_json(type_)


def attribute_spelled(attribute: Attribute) -> Any:
    given = {name: True for name in FLAGS if getattr(attribute, name)}
    return {"type": type_spelled(attribute.type)} | given


@cache
def block_spelled(block: Block) -> Any:
    return {
        "attributes": {name: attribute_spelled(each) for name, each in block.attributes.items()},
        "block_types": {name: nested_spelled(each) for name, each in block.blocks.items()},
        "deprecated": block.deprecated,
    }


def nested_spelled(nested: Nested) -> Any:
    counts = {"min_items": nested.min_items, "max_items": nested.max_items}
    return {"nesting_mode": nested.mode, "block": block_spelled(nested.block)} | counts


def printed_block(printed: Any) -> Any:
    """What terraform printed, without descriptions and with what it leaves out."""
    words = ("type", *FLAGS)
    return {
        "attributes": {
            name: {word: each[word] for word in words if each.get(word)}
            for name, each in printed.get("attributes", {}).items()
        },
        "block_types": {
            name: {
                "nesting_mode": each["nesting_mode"],
                "block": printed_block(each["block"]),
                "min_items": each.get("min_items", 0),
                "max_items": each.get("max_items", 0),
            }
            for name, each in printed.get("block_types", {}).items()
        },
        "deprecated": printed.get("deprecated", False),
    }


@pytest.mark.terraform
@pytest.mark.sweep
def test_the_shipped_table_says_what_the_provider_says(aws: Provider) -> None:
    if shutil.which("terraform") is None:
        pytest.skip("the terraform binary is not on PATH")
    plugins = os.environ.get("DRIFTWARDEN_TF_PLUGIN_DIR", "")
    try:
        printed, version, _ = script().printed_schemas(aws.source, aws.version, plugins)
    except SystemExit as error:
        if plugins:
            raise
        pytest.skip(f"terraform could not fetch the AWS provider; DRIFTWARDEN_TF_PLUGIN_DIR names a mirror: {error}")
    assert version == aws.version
    table = Table(AWS_TABLE.read_bytes(), "aws")
    for kind, part in ((RESOURCE, "resource_schemas"), (DATA_SOURCE, "data_source_schemas")):
        assert set(table.names(kind)) == set(printed[part])
        wrong = []
        for name, schema in printed[part].items():
            ours = table.schema(kind, name)
            assert ours is not None
            if ours.version != schema["version"] or block_spelled(ours.block) != printed_block(schema["block"]):
                wrong.append(name)
        assert wrong == []

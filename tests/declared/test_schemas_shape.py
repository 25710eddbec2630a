"""Values in the shape their schema says."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from aws_schemas import fits, resource
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.declared.language.types import (
    BOOL,
    DYNAMIC,
    NUMBER,
    STRING,
    ListOf,
    MapOf,
)
from agent.declared.language.values import (
    NULL,
    List,
    Map,
    Null,
    Object,
    Sensitive,
    Set,
    Tuple,
    Unknown,
    Value,
    from_plain,
    type_of,
    whys,
)
from agent.declared.schemas import Attribute, Block, Nested, implied_type
from agent.declared.schemas.shape import recorded, recorded_name, shaped, shaped_name


def body(**items: Any) -> Object:
    """A body as evaluation gives it: lists are tuples, objects objects."""
    return Object(
        {name: each if isinstance(each, Unknown | Sensitive) else from_plain(each) for name, each in items.items()}
    )


# --- attributes -------------------------------------------------------------------------------------------------


def test_attributes_have_their_schema_s_types_and_what_is_not_set_is_null() -> None:
    block = resource("aws_instance")
    made = shaped(
        block,
        body(
            ami="ami-1",
            cpu_core_count="4",
            monitoring="true",
            vpc_security_group_ids=["sg-2", "sg-1", "sg-2"],
            tags={"Size": 3, "On": True},
        ),
    )
    assert made.items["cpu_core_count"] == 4
    assert made.items["monitoring"] is True
    assert made.items["vpc_security_group_ids"] == Set(("sg-1", "sg-2"), STRING)
    assert made.items["tags"] == Map({"Size": "3", "On": "true"}, STRING)
    user_data = made.items["user_data"]
    assert isinstance(user_data, Null)
    assert user_data.type == STRING
    assert fits(made, implied_type(block))


def test_what_cannot_be_converted_is_unknown_and_says_where_but_not_what() -> None:
    made = shaped(
        resource("aws_instance"), body(cpu_core_count="canary-four", tags={"A": ["canary"]}), "aws_instance.a"
    )
    count, tags = made.items["cpu_core_count"], made.items["tags"]
    assert isinstance(count, Unknown)
    assert count.type == NUMBER
    assert count.why == ("aws_instance.a.cpu_core_count: a number is required",)
    assert isinstance(tags, Unknown)
    assert "aws_instance.a.tags" in tags.why[0]
    assert "canary" not in str((count.why, tags.why))


def test_what_is_unknown_keeps_its_reasons_and_gets_the_type() -> None:
    made = shaped(resource("aws_instance"), body(ami=Unknown("var.ami is given no value"), tags=Unknown(("a", "b"))))
    ami, tags = made.items["ami"], made.items["tags"]
    assert isinstance(ami, Unknown)
    assert (ami.why, ami.type) == (("var.ami is given no value",), STRING)
    assert isinstance(tags, Unknown)
    assert (tags.why, tags.type) == (("a", "b"), MapOf(STRING))


def test_what_is_sensitive_stays_so() -> None:
    made = shaped(resource("aws_db_instance"), body(password=Sensitive("canary"), port=Sensitive("5432")))
    assert made.items["password"] == Sensitive("canary")
    assert made.items["port"] == Sensitive(5432)


def test_a_name_the_schema_does_not_have_is_kept() -> None:
    made = shaped(resource("aws_vpc"), body(region="eu-west-1"))
    assert made.items["region"] == "eu-west-1"


# --- nested blocks -----------------------------------------------------------------------------------------------


def test_blocks_become_what_their_mode_says() -> None:
    block = resource("aws_instance")
    made = shaped(
        block,
        body(
            root_block_device=[{"volume_size": "20", "colour": "red"}],
            ebs_block_device=[{"device_name": "/dev/sdg"}, {"device_name": "/dev/sdf"}, {"device_name": "/dev/sdg"}],
            timeouts=[{"create": "5m"}],
        ),
    )
    root, disks, timeouts = (made.items[name] for name in ("root_block_device", "ebs_block_device", "timeouts"))
    assert isinstance(root, List)
    assert isinstance(root.items[0], Object)
    assert root.items[0].items["volume_size"] == 20
    assert root.items[0].items["colour"] == "red"
    assert isinstance(root.items[0].items["iops"], Null)
    assert isinstance(disks, Set)
    assert sorted(each.items["device_name"] for each in disks.items if isinstance(each, Object)) == [
        "/dev/sdf",
        "/dev/sdg",
    ]
    assert isinstance(timeouts, Object)
    assert timeouts.items["create"] == "5m"
    assert fits(made, implied_type(block))


def test_blocks_that_are_not_written_are_empty_and_single_ones_null() -> None:
    made = shaped(resource("aws_instance"), Object({}))
    types = dict(implied_type(resource("aws_instance")).attributes)
    root, disks, timeouts = (made.items[name] for name in ("root_block_device", "ebs_block_device", "timeouts"))
    assert isinstance(root, List)
    assert root.items == ()
    assert isinstance(disks, Set)
    assert disks.items == ()
    assert isinstance(timeouts, Null)
    assert timeouts.type == types["timeouts"]


def test_a_block_of_unknown_number_is_unknown_and_one_of_unknown_content_is_not() -> None:
    block = resource("aws_instance")
    whole = shaped(block, body(ebs_block_device=Unknown("var.disks"))).items["ebs_block_device"]
    assert isinstance(whole, Unknown)
    assert whole.why == ("var.disks",)
    disk = Object({"device_name": "/dev/sdf", "kms_key_id": Unknown("aws_kms_key.a.arn")})
    partly = shaped(block, Object({"ebs_block_device": Tuple((disk,))})).items["ebs_block_device"]
    assert isinstance(partly, Set)
    assert whys(partly) == ("aws_kms_key.a.arn",)
    assert isinstance(partly.items[0], Object)
    assert partly.items[0].items["device_name"] == "/dev/sdf"


def test_a_set_of_blocks_with_something_sensitive_is_sensitive_as_a_whole_and_a_list_is_not() -> None:
    block = resource("aws_mq_broker")
    user = Object({"username": "admin", "password": Sensitive("canary")})
    users = shaped(block, Object({"user": Tuple((user,))})).items["user"]
    assert isinstance(users, Sensitive)
    assert isinstance(users.value, Set)
    device = Object({"volume_size": Sensitive(20)})
    made = shaped(resource("aws_instance"), Object({"root_block_device": Tuple((device,))})).items["root_block_device"]
    assert isinstance(made, List)
    assert isinstance(made.items[0], Object)
    assert made.items[0].items["volume_size"] == Sensitive(20)


def test_a_body_may_be_null_unknown_sensitive_or_a_map() -> None:
    block = resource("aws_instance")
    kind = implied_type(block.blocks["root_block_device"].block)
    one = Map({"volume_type": "gp3"}, STRING)
    made = shaped(block, Object({"root_block_device": Tuple((one, NULL, Unknown("x"), Sensitive(one)))}))
    root = made.items["root_block_device"]
    assert isinstance(root, List)
    assert fits(root, ListOf(kind))
    assert whys(root) == ("x",)
    assert isinstance(root.items[3], Sensitive)
    assert root.items[3].value == root.items[0]
    whole = shaped(block, Object({"root_block_device": Sensitive(Tuple((one,)))})).items["root_block_device"]
    assert whole == Sensitive(List((root.items[0],), kind))
    assert shaped(block, Object({"root_block_device": NULL})).items["root_block_device"] == List((), kind)


def test_blocks_by_label_need_a_map() -> None:
    assert whys(shaped(OTHERS, body(named=["a"])).items["named"]) == ("named: a map is needed",)


def test_rules_written_as_an_attribute_may_be_one_unknown_or_sensitive() -> None:
    block = resource("aws_security_group")
    rule = from_plain({"from_port": 1, "to_port": 2, "protocol": "tcp"})
    alone = shaped(block, Object({"ingress": rule})).items["ingress"]
    assert isinstance(alone, Set)
    assert fits(alone, block.attributes["ingress"].type)
    hidden = shaped(block, Object({"ingress": Tuple((Sensitive(rule),))})).items["ingress"]
    assert hidden == Sensitive(alone)
    unknown = shaped(block, Object({"ingress": Tuple((rule, Unknown("var.more")))})).items["ingress"]
    assert whys(unknown) == ("var.more",)
    wrong = from_plain([{"from_port": "one"}])
    assert whys(shaped(block, Object({"ingress": wrong})).items["ingress"]) == (
        "ingress: from_port: a number is required",
    )


def test_a_rule_with_something_unknown_keeps_what_is_known_of_it() -> None:
    # As in Terraform 1.11's plan, where the blocks are an attribute's.
    rule = Object({"from_port": 1, "to_port": 2, "security_groups": Tuple((Unknown("aws_security_group.b.id"),))})
    ingress = shaped(resource("aws_security_group"), Object({"ingress": Tuple((rule,))})).items["ingress"]
    assert isinstance(ingress, Set)
    assert isinstance(ingress.items[0], Object)
    assert ingress.items[0].items["from_port"] == 1
    assert whys(ingress.items[0].items["security_groups"]) == ("aws_security_group.b.id",)


def test_a_failure_inside_a_block_stays_inside_it() -> None:
    made = shaped(resource("aws_instance"), body(root_block_device=[{"volume_size": "big", "volume_type": "gp3"}]))
    root = made.items["root_block_device"]
    assert isinstance(root, List)
    assert isinstance(root.items[0], Object)
    assert root.items[0].items["volume_type"] == "gp3"
    assert whys(root) == ("root_block_device.volume_size: a number is required",)


@pytest.mark.parametrize("written", ["text", 3, [["a"]]])
def test_what_is_no_block_is_unknown(written: Any) -> None:
    made = shaped(resource("aws_instance"), body(root_block_device=written)).items["root_block_device"]
    assert whys(made) == ("root_block_device: an object is needed",)


def test_an_attribute_written_as_blocks_need_not_set_everything() -> None:
    block = resource("aws_security_group")
    rule = {"from_port": "443", "to_port": 443, "protocol": "tcp", "cidr_blocks": ["10.0.0.0/8"]}
    made = shaped(block, body(ingress=[rule, rule]))
    ingress = made.items["ingress"]
    assert isinstance(ingress, Set)
    assert len(ingress.items) == 1
    assert isinstance(ingress.items[0], Object)
    assert ingress.items[0].items["from_port"] == 443
    assert ingress.items[0].items["cidr_blocks"] == List(("10.0.0.0/8",), STRING)
    assert isinstance(ingress.items[0].items["self"], Null)
    assert fits(made, implied_type(block))
    none = shaped(block, body(ingress=[])).items["ingress"]
    assert isinstance(none, Set)
    assert isinstance(shaped(block, body()).items["ingress"], Null)


# --- what the AWS provider has none of ----------------------------------------------------------------------------

KEY = Block({"key": Attribute(STRING, required=True), "size": Attribute(NUMBER, optional=True)})
OTHERS = Block(
    attributes={
        "any": Attribute(DYNAMIC, optional=True),
        **{
            mode: Attribute(Nested(mode, KEY).type, optional=True, nested=Nested(mode, KEY))
            for mode in ("single", "list", "set", "map")
        },
    },
    blocks={"always": Nested("group", KEY), "named": Nested("map", KEY), "one": Nested("single", KEY)},
)


def test_nested_attributes_and_rare_modes() -> None:
    small = {"key": "a", "size": "1"}
    made = shaped(
        OTHERS, body(single=small, list=[small], set=[small, small], map={"x": small}, named={"y": small}, one=[small])
    )
    one = Object({"key": "a", "size": 1})
    kind = implied_type(KEY)
    assert made.items["single"] == one
    assert made.items["list"] == List((one,), kind)
    assert made.items["set"] == Set((one,), kind)
    assert made.items["map"] == Map({"x": one}, kind)
    assert made.items["named"] == Map({"y": one}, kind)
    assert made.items["one"] == one
    assert fits(made.items["always"], kind)
    assert isinstance(made.items["any"], Null)
    assert isinstance(shaped(OTHERS, body()).items["single"], Null)


def test_a_single_block_written_twice_is_said() -> None:
    made = shaped(OTHERS, body(one=[{"key": "a"}, {"key": "b"}])).items["one"]
    assert whys(made) == ("one: it is written 2 times, once at most would be right",)


def test_state_of_nested_attributes_and_of_attributes_of_any_type() -> None:
    made = recorded(
        OTHERS,
        {
            "any": {"value": ["1"], "type": ["set", "string"]},
            "list": [{"key": "a", "size": 1}],
            "single": None,
            "map": {"x": {"key": "a", "size": None}},
            "named": None,
            "one": {"key": "a", "size": 2},
            "always": {"key": "b", "size": 3},
        },
    )
    kind = implied_type(KEY)
    assert made.items["any"] == Set(("1",), STRING)
    assert made.items["list"] == List((Object({"key": "a", "size": 1}),), kind)
    assert isinstance(made.items["single"], Null)
    assert made.items["map"] == Map({"x": Object({"key": "a", "size": Null(NUMBER)})}, kind)
    assert made.items["named"] == Map({}, kind)
    assert made.items["always"] == Object({"key": "b", "size": 3})


@pytest.mark.parametrize(
    "typed", [{"value": 1, "type": "colour"}, {"value": 1, "type": ["list"]}, {"value": 1, "type": 5}]
)
def test_a_type_nobody_knows_is_what_the_value_looks_like(typed: Any) -> None:
    assert recorded(OTHERS, {"any": typed}).items["any"] == 1


# --- state -------------------------------------------------------------------------------------------------------


def test_state_gets_the_types_its_json_lost() -> None:
    block = resource("aws_security_group")
    rule = {
        "cidr_blocks": ["10.0.0.0/8"],
        "description": "",
        "from_port": 80,
        "ipv6_cidr_blocks": [],
        "prefix_list_ids": [],
        "protocol": "tcp",
        "security_groups": [],
        "self": False,
        "to_port": 80,
    }
    made = recorded(
        block, {"id": "sg-1", "ingress": [rule], "egress": [], "tags": None, "timeouts": None, "later": [1]}
    )
    ingress = made.items["ingress"]
    assert isinstance(ingress, Set)
    assert fits(ingress, block.attributes["ingress"].type)
    assert isinstance(made.items["tags"], Null)
    assert isinstance(made.items["vpc_id"], Null)
    assert made.items["later"] == Tuple((1,))


def test_state_of_another_shape_is_what_it_looks_like_or_what_that_converts_to() -> None:
    block = resource("aws_instance")
    made = recorded(
        block,
        {
            "cpu_core_count": "4",
            "monitoring": 3,
            "vpc_security_group_ids": [False, "sg-1", {}],
            "secondary_private_ips": [2, "1"],
            "root_block_device": ["text"],
            "ebs_block_device": {"device_name": "/dev/sdf"},
        },
    )
    assert made.items["cpu_core_count"] == 4
    assert made.items["monitoring"] == 3
    assert made.items["vpc_security_group_ids"] == Tuple((False, "sg-1", Object({})))
    assert made.items["secondary_private_ips"] == Set(("1", "2"), STRING)
    assert made.items["root_block_device"] == Tuple(("text",))
    assert made.items["ebs_block_device"] == Object({"device_name": "/dev/sdf"})


def test_configuration_and_state_of_the_same_rules_are_equal_whatever_their_order() -> None:
    block = resource("aws_instance")
    disks = [{"device_name": f"/dev/sd{letter}", "volume_size": 10} for letter in "gfh"]
    written = shaped(block, body(ebs_block_device=[{**disk, "volume_size": "10"} for disk in disks]))
    kept = [dict.fromkeys(block.blocks["ebs_block_device"].block.attributes) | disk for disk in reversed(disks)]
    assert recorded(block, {"ebs_block_device": kept}).items["ebs_block_device"] == written.items["ebs_block_device"]


def test_one_name_alone_is_what_it_is_in_the_whole() -> None:
    block = resource("aws_instance")
    written = body(ami="ami-1", cpu_core_count="4", root_block_device=[{"volume_size": "1"}], later=1, tags=None)
    for name, each in shaped(block, written).items.items():
        if name in written.items:
            assert shaped_name(block, name, written.items[name], name) == each
    kept = {"ami": "ami-1", "cpu_core_count": 4, "root_block_device": None, "tags": None, "later": None, "id": "i-1"}
    for name, each in recorded(block, kept).items.items():
        if name in kept:
            alone = recorded_name(block, name, kept[name])
            assert alone == each
            assert type_of(alone) == type_of(each)


# --- anything -----------------------------------------------------------------------------------------------------

TYPES = ("aws_security_group", "aws_instance", "aws_s3_bucket", "aws_cloudfront_distribution", "aws_wafv2_web_acl")
LEAVES: st.SearchStrategy[Value] = st.one_of(
    st.text(max_size=3),
    st.integers(-9, 9),
    st.booleans(),
    st.sampled_from([Decimal("0.5"), Null(), Null(STRING), Unknown("why"), Unknown("why", BOOL), Sensitive("x")]),
)


def _containers(inner: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    objects = st.dictionaries(st.sampled_from(["rule", "name", "from_port", "cidr_blocks"]), inner, max_size=3)
    return st.one_of(st.lists(inner, max_size=3).map(Tuple), objects.map(Object), inner.map(Sensitive))


@st.composite
def _bodies(draw: st.DrawFn) -> tuple[str, Mapping[str, Value]]:
    type_ = draw(st.sampled_from(TYPES))
    block = resource(type_)
    names = st.sampled_from([*block.attributes, *block.blocks])
    return type_, draw(st.dictionaries(names, st.recursive(LEAVES, _containers, max_leaves=6), max_size=5))


@settings(max_examples=150, deadline=None)
@given(_bodies())
def test_whatever_is_written_comes_out_with_the_schema_s_type(written: tuple[str, Mapping[str, Value]]) -> None:
    type_, items = written
    block = resource(type_)
    made = shaped(block, Object(items))
    names = {*block.attributes, *block.blocks}
    assert made.items.keys() == names
    for name, kind in implied_type(block).attributes:
        assert fits(made.items[name], kind), name


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(TYPES), st.data())
def test_whatever_state_holds_is_read(type_: str, data: st.DataObject) -> None:
    block = resource(type_)
    names = st.sampled_from([*block.attributes, *block.blocks, "unheard_of"])
    attributes = data.draw(st.dictionaries(names, PLAIN, max_size=5))
    made = recorded(block, attributes)
    assert made.items.keys() == {*block.attributes, *block.blocks, *attributes}

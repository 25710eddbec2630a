"""One rule, however it is written: as a block, as a rule resource of either form, in AWS's answer, in CloudTrail."""

from collections.abc import Mapping
from typing import Any

import pytest

from agent.model import Unknown
from agent.resources import Attributes, identity, load
from agent.trail.targets import Targets

SPECS = load()
RULE = SPECS["aws_security_group_rule"]
TARGETS = Targets(SPECS, b"install key")
GROUP, OTHER = "sg-0123456789abcdef0", "sg-0fedcba9876543210"

Record = Mapping[str, Any]


def identities(parts: Any) -> list[str]:
    return [identity(RULE.identity, part) for part in parts]


def written(name: str, recorded: Attributes) -> list[str]:
    """Identities of what a recorded rule resource stands for."""
    split = SPECS[name].split
    assert split is not None
    return identities(split({"security_group_id": GROUP, **recorded}))


def inline(direction: str, block: Attributes) -> list[str]:
    """Identities of what a block of the group stands for."""
    parts = {part.attribute: part.parts for part in SPECS["aws_security_group"].inline}[direction]
    return identities(parts({"id": GROUP, direction: [block]}))


def live(member: str, permission: Mapping[str, Any], name: str = "web") -> list[Mapping[str, Any]]:
    """What one IpPermission of an answer expands to."""
    assert RULE.expand is not None
    return list(RULE.expand({"GroupId": GROUP, "GroupName": name, member: [permission]}))


def ingress(protocol: str, low: int, high: int, source: str) -> str:
    return f"{GROUP}|ingress|{protocol}|{low}|{high}|{source}"


OLD, NEW = "aws_security_group_rule", "aws_vpc_security_group_ingress_rule"


@pytest.mark.parametrize(
    ("block", "resource", "newer", "permission", "content"),
    [
        pytest.param(
            {"protocol": "tcp", "from_port": 443, "to_port": 443, "cidr_blocks": ["0.0.0.0/0"]},
            {"protocol": "6", "from_port": 443, "to_port": 443, "cidr_blocks": ["0.0.0.0/0"]},
            {"ip_protocol": "TCP", "from_port": 443, "to_port": 443, "cidr_ipv4": "0.0.0.0/0"},
            {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
            ("tcp", 443, 443, "0.0.0.0/0"),
            id="IPv4",
        ),
        pytest.param(
            {"protocol": "udp", "from_port": 53, "to_port": 53, "ipv6_cidr_blocks": ["2001:db8:0::/48"]},
            {"protocol": "17", "from_port": 53, "to_port": 53, "ipv6_cidr_blocks": ["2001:DB8::/48"]},
            {"ip_protocol": "udp", "from_port": 53, "to_port": 53, "cidr_ipv6": "2001:db8::/48"},
            {"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/48"}]},
            ("udp", 53, 53, "2001:db8::/48"),
            id="IPv6",
        ),
        pytest.param(
            {"protocol": "all", "from_port": 0, "to_port": 0, "self": True},
            {"protocol": "-1", "from_port": 0, "to_port": 65535, "self": True, "cidr_blocks": None},
            {"ip_protocol": "-1", "from_port": None, "to_port": None, "referenced_security_group_id": GROUP},
            {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": GROUP, "UserId": "123456789012"}]},
            ("-1", 0, 0, GROUP),
            id="everything from itself",
        ),
        pytest.param(
            {"protocol": "tcp", "from_port": 22, "to_port": 22, "security_groups": [f"123456789012/{OTHER}"]},
            {"protocol": "tcp", "from_port": 22, "to_port": 22, "source_security_group_id": OTHER},
            {
                "ip_protocol": "tcp",
                "from_port": 22,
                "to_port": 22,
                "referenced_security_group_id": f"123456789012/{OTHER}",
            },
            {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "UserIdGroupPairs": [{"GroupId": OTHER}]},
            ("tcp", 22, 22, OTHER),
            id="another account's group",
        ),
        pytest.param(
            {"protocol": "icmp", "from_port": -1, "to_port": -1, "prefix_list_ids": ["pl-1"]},
            {"protocol": "1", "from_port": -1, "to_port": -1, "prefix_list_ids": ["pl-1"]},
            {"ip_protocol": "icmp", "from_port": -1, "to_port": -1, "prefix_list_id": "pl-1"},
            {"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1, "PrefixListIds": [{"PrefixListId": "pl-1"}]},
            ("icmp", -1, -1, "pl-1"),
            id="prefix list",
        ),
        pytest.param(
            {"protocol": "50", "from_port": 0, "to_port": 0, "cidr_blocks": ["10.0.0.0/8"]},
            {"protocol": "50", "from_port": -1, "to_port": -1, "cidr_blocks": ["10.1.2.3/8"]},
            {"ip_protocol": "50", "from_port": None, "to_port": None, "cidr_ipv4": "10.0.0.0/8"},
            {"IpProtocol": "50", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]},
            ("50", 0, 0, "10.0.0.0/8"),
            id="a protocol without ports",
        ),
    ],
)
def test_every_way_to_write_a_rule_is_the_same_fact(
    block: Attributes,
    resource: Attributes,
    newer: Attributes,
    permission: Record,
    content: tuple[str, int, int, str],
) -> None:
    expected = [ingress(*content)]
    assert expected == inline("ingress", block)
    assert expected == written(OLD, {"type": "ingress", **resource})
    assert expected == written(NEW, newer)
    assert expected == identities(live("IpPermissions", permission))


def test_lists_are_one_rule_per_source() -> None:
    block = {
        "protocol": "tcp",
        "from_port": 80,
        "to_port": 80,
        "description": "web",
        "cidr_blocks": ["10.0.0.0/8", "192.0.2.0/24"],
        "ipv6_cidr_blocks": ["::/0"],
        "prefix_list_ids": ["pl-1"],
        "security_groups": [OTHER],
        "self": True,
    }
    sources = ["10.0.0.0/8", "192.0.2.0/24", "::/0", "pl-1", OTHER, GROUP]
    assert [ingress("tcp", 80, 80, source) for source in sources] == inline("ingress", block)


def test_direction_is_identity_and_names_the_parents_attribute() -> None:
    permission = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "out"}]}
    (found,) = live("IpPermissionsEgress", permission)
    assert written("aws_vpc_security_group_egress_rule", {"ip_protocol": "-1", "cidr_ipv4": "0.0.0.0/0"}) == [
        identity(RULE.identity, found)
    ]
    assert found["description"] == "out"
    assert RULE.parent is not None
    assert RULE.parent.place(found) == "egress"
    assert identity(RULE.parent.identity, found) == GROUP


@pytest.mark.parametrize(
    ("group", "member", "permission", "reason"),
    [
        ("default", "IpPermissions", {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": GROUP}]}, True),
        ("default", "IpPermissionsEgress", {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}, True),
        ("default", "IpPermissions", {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}, False),
        ("default", "IpPermissions", {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": OTHER}]}, False),
        (
            "default",
            "IpPermissions",
            {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "UserIdGroupPairs": [{"GroupId": GROUP}]},
            False,
        ),
        ("web", "IpPermissionsEgress", {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}, False),
    ],
)
def test_only_what_a_default_group_is_born_with_is_provided(
    group: str, member: str, permission: Record, reason: bool
) -> None:
    assert RULE.provided is not None
    (found,) = live(member, permission, group)
    assert ("AWS creates it with the VPC" if reason else "") == RULE.provided(found)


# --- CloudTrail ----------------------------------------------------------------------------------------------


def touched(name: str, request: Record, answer: Record | None = None) -> list[tuple[str, tuple[str, ...], Any]]:
    record = {"eventName": name, "requestParameters": request, "responseElements": answer}
    touches = TARGETS.of("ec2.amazonaws.com", name, record)
    assert {touch.type for touch in touches} <= {"aws_security_group_rule"}
    return [(touch.act, touch.ids, dict(touch.sets)) for touch in touches]


PERMISSION = {
    "ipProtocol": "tcp",
    "fromPort": 443,
    "toPort": 443,
    "groups": {"items": [{"groupId": OTHER, "userId": "123456789012", "description": "TLS"}]},
    "ipRanges": {"items": [{"cidrIp": "10.1.2.3/8", "description": "TLS"}]},
    "ipv6Ranges": {"items": [{"cidrIpv6": "::/0", "description": "TLS"}]},
    "prefixListIds": {"items": [{"prefixListId": "pl-1", "description": "TLS"}]},
}
ALL_FOUR = [ingress("tcp", 443, 443, source) for source in ("10.0.0.0/8", "::/0", "pl-1", OTHER)]


def test_an_authorisation_creates_each_rule_its_permissions_name() -> None:
    request = {"groupId": GROUP, "ipPermissions": {"items": [PERMISSION]}}
    assert [("create", (name,), {"description": "TLS"}) for name in ALL_FOUR] == touched(
        "AuthorizeSecurityGroupIngress", request
    )


def test_a_revocation_without_an_answer_deletes_what_was_asked() -> None:
    request = {"groupId": GROUP, "ipPermissions": {"items": [PERMISSION]}}
    answer = {"requestId": "1", "_return": True}
    assert [("delete", (name,), {}) for name in ALL_FOUR] == touched("RevokeSecurityGroupIngress", request, answer)


@pytest.mark.parametrize("port", [22, "22"])
def test_a_call_without_permissions_names_one_rule(port: Any) -> None:
    request = {
        "groupId": GROUP,
        "ipPermissions": {},
        "ipProtocol": "tcp",
        "fromPort": port,
        "toPort": port,
        "cidrIp": "0.0.0.0/0",
    }
    expected = [("create", (ingress("tcp", 22, 22, "0.0.0.0/0"),), {"description": ""})]
    assert expected == touched("AuthorizeSecurityGroupIngress", request)


def test_the_answer_names_the_group_where_the_request_names_it_by_name() -> None:
    request = {"groupName": "web", "ipPermissions": {}, "ipProtocol": "-1", "cidrIp": "0.0.0.0/0"}
    entry = {
        "groupId": GROUP,
        "securityGroupRuleId": "sgr-1",
        "isEgress": True,
        "ipProtocol": "-1",
        "fromPort": -1,
        "toPort": -1,
        "cidrIpv4": "0.0.0.0/0",
    }
    answer = {"_return": True, "securityGroupRuleSet": {"items": [entry]}}
    name = f"{GROUP}|egress|-1|0|0|0.0.0.0/0"
    assert [("create", (name,), {"description": ""})] == touched("AuthorizeSecurityGroupEgress", request, answer)


def test_a_revocation_by_id_is_told_by_its_answer() -> None:
    request = {"groupId": GROUP, "ipPermissions": {}, "securityGroupRuleIds": {"items": [{"securityGroupRuleId": "s"}]}}
    entry = {"groupId": GROUP, "isEgress": False, "ipProtocol": "tcp", "fromPort": 22, "toPort": 22}
    answer = {"revokedSecurityGroupRuleSet": {"items": [{**entry, "referencedGroupId": OTHER}]}}
    expected = [("delete", (ingress("tcp", 22, 22, OTHER),), {})]
    assert expected == touched("RevokeSecurityGroupIngress", request, answer)


def test_a_revocation_by_id_without_an_answer_names_the_group_and_the_id() -> None:
    request = {
        "groupId": GROUP,
        "ipPermissions": {},
        "securityGroupRuleIds": {"items": [{"securityGroupRuleId": "sgr-1"}, {"securityGroupRuleId": "sgr-2"}]},
    }
    expected = [("delete", (f"{GROUP}|||||{name}", name), {}) for name in ("sgr-1", "sgr-2")]
    assert expected == touched("RevokeSecurityGroupIngress", request, {"_return": True})


def test_the_id_finds_a_rule_that_terraform_recorded_with_it() -> None:
    recorded = {"ip_protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_ipv4": "10.0.0.0/8"}
    split = SPECS[NEW].split
    assert split is not None
    (part,) = split({"security_group_id": GROUP, "security_group_rule_id": "sgr-1", **recorded})
    assert "sgr-1" in {part.get(name) for name in SPECS[NEW].identifiers}


def test_a_modification_ends_one_rule_and_begins_another() -> None:
    content = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIpv4": "0.0.0.0/0", "Description": "temporary"}
    update = {"tag": 1, "SecurityGroupRuleId": "sgr-1", "SecurityGroupRule": content}
    request = {"ModifySecurityGroupRulesRequest": {"GroupId": GROUP, "SecurityGroupRule": update}}
    names = tuple(f"{GROUP}|{way}|tcp|22|22|0.0.0.0/0" for way in ("ingress", "egress"))
    assert [
        ("delete", (f"{GROUP}|||||sgr-1", "sgr-1"), {}),
        ("create", names, {"description": "temporary"}),
    ] == touched("ModifySecurityGroupRules", request)


@pytest.mark.parametrize(
    ("described", "ids"),
    [
        pytest.param(
            {
                "IpPermissions": {
                    "tag": 1,
                    "IpProtocol": "tcp",
                    "FromPort": 22,
                    "ToPort": 22,
                    "IpRanges": {"tag": 1, "CidrIp": "10.0.0.0/8", "Description": "office"},
                }
            },
            (ingress("tcp", 22, 22, "10.0.0.0/8"),),
            id="by content",
        ),
        pytest.param(
            {"SecurityGroupRuleDescription": {"tag": 1, "SecurityGroupRuleId": "sgr-1", "Description": "office"}},
            (f"{GROUP}|||||sgr-1", "sgr-1"),
            id="by id",
        ),
    ],
)
def test_a_new_description_updates_the_rule(described: Record, ids: tuple[str, ...]) -> None:
    name = "UpdateSecurityGroupRuleDescriptionsIngress"
    request = {f"{name}Request": {"GroupId": GROUP, **described}}
    assert [("update", ids, {"description": "office"})] == touched(name, request)


def test_rules_described_differently_have_no_known_description() -> None:
    ranges = [{"cidrIp": "10.0.0.0/8", "description": "a"}, {"cidrIp": "192.0.2.0/24", "description": "b"}]
    permission = {"ipProtocol": "tcp", "fromPort": 1, "toPort": 1, "ipRanges": {"items": ranges}}
    found = touched("AuthorizeSecurityGroupIngress", {"groupId": GROUP, "ipPermissions": {"items": [permission]}})
    assert [Unknown("the call describes each rule differently")] * 2 == [sets["description"] for _, _, sets in found]


@pytest.mark.parametrize("request_parameters", [None, {}, {"groupId": GROUP}, {"ipPermissions": {"items": [None]}}])
def test_a_record_that_names_no_rule_touches_none(request_parameters: Record | None) -> None:
    record = {"eventName": "RevokeSecurityGroupIngress", "requestParameters": request_parameters}
    assert TARGETS.of("ec2.amazonaws.com", "RevokeSecurityGroupIngress", record) == ()

"""What is declared of types without a spec: names, an address and an owner, and nothing that is marked sensitive."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent import named
from agent.declared.stack import Stack, read
from agent.model import GLOBAL, Actor, Change, Key, Limit, Resource, Scope, Source, Touch
from agent.naming import Names
from agent.resources import load
from agent.trail.targets import Targets

ACCOUNT, REGION = "111122223333", "eu-west-1"
WHEN = datetime(2026, 3, 2, 12, tzinfo=UTC)
AWS = 'provider["registry.terraform.io/hashicorp/aws"]'
SPECS = load()
LB = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/app/web/50dc6c495c0c9188"


def instance(type_: str, attributes: Any, *sensitive: str, name: str = "it", **changes: Any) -> dict[str, Any]:
    marks = [[{"type": "get_attr", "value": each}] for each in sensitive]
    inner = {"attributes": attributes, "sensitive_attributes": marks}
    return {"mode": "managed", "type": type_, "name": name, "provider": AWS, "instances": [inner]} | changes


def stack(directory: Path, *recorded: dict[str, Any], code: str = "") -> Stack:
    (directory / "main.tf").write_text(code)
    state = {"version": 4, "terraform_version": "1.11.4", "serial": 3, "lineage": "l", "resources": recorded}
    (directory / "terraform.tfstate").write_text(json.dumps(state))
    place = {"account": ACCOUNT, "region": REGION}
    return read("prod", directory, key=b"k" * 32, taken_at=WHEN, specs=SPECS, owner="team-a", **place)


def named_of(directory: Path, *recorded: dict[str, Any], code: str = "") -> tuple[Resource, ...]:
    found = stack(directory, *recorded, code=code).snapshot
    assert (found.gaps, found.resources) == ((), ())
    return found.named


def test_a_load_balancer(tmp_path: Path) -> None:
    code = '\nresource "aws_lb" "it" {\n  name = "web"\n}\n'
    recorded = instance(
        "aws_lb", {"id": LB, "arn": LB, "name": "web", "dns_name": "web.example.com", "idle_timeout": 60}
    )
    assert named_of(tmp_path, recorded, code=code) == (
        Resource(
            key=Key(ACCOUNT, REGION, "aws_lb", LB),
            attributes={},
            identifiers=(LB,),
            address="aws_lb.it",
            stack="prod",
            source=Source("main.tf", 2),
            owner="team-a",
        ),
    )


@pytest.mark.parametrize(
    ("type_", "attributes", "key", "names"),
    [
        (
            "aws_eip",
            {"id": "eipalloc-1", "public_ip": "3.3.3.3"},
            Key(ACCOUNT, REGION, "aws_eip", "eipalloc-1"),
            ["3.3.3.3"],
        ),
        (
            "aws_iam_group_policy_attachment",
            {"id": "ops-2023", "group": "ops", "policy_arn": "arn:aws:iam::aws:policy/X"},
            Key(ACCOUNT, GLOBAL, "aws_iam_group_policy_attachment", "ops|arn:aws:iam::aws:policy/X"),
            [],
        ),
        (
            "aws_ecs_service",
            {"id": "arn:x", "cluster": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/blue", "name": "web"},
            Key(ACCOUNT, REGION, "aws_ecs_service", "blue|web"),
            ["arn:x"],
        ),
        (
            "aws_network_acl_rule",
            {"id": "nacl-9", "network_acl_id": "acl-1", "rule_number": 90, "egress": False},
            Key(ACCOUNT, REGION, "aws_network_acl_rule", "acl-1|90|false"),
            [],
        ),
        (
            "aws_route",
            {"route_table_id": "rtb-1", "destination_cidr_block": "", "destination_ipv6_cidr_block": "::/0"},
            Key(ACCOUNT, REGION, "aws_route", "rtb-1|::/0"),
            [],
        ),
        ("aws_alb", {"id": LB, "arn": LB}, Key(ACCOUNT, REGION, "aws_lb", LB), []),
        ("aws_rds_cluster_instance", {"id": "a", "identifier": "a"}, Key(ACCOUNT, REGION, "aws_db_instance", "a"), []),
        (
            "aws_iam_account_password_policy",
            {"id": "x"},
            Key(ACCOUNT, GLOBAL, "aws_iam_account_password_policy", ACCOUNT),
            [],
        ),
        (
            "aws_eks_identity_provider_config",
            {"cluster_name": "c", "oidc": [{"identity_provider_config_name": "o"}]},
            Key(ACCOUNT, REGION, "aws_eks_identity_provider_config", "c|o"),
            [],
        ),
    ],
)
def test_the_first_name_is_the_identity(
    tmp_path: Path, type_: str, attributes: dict, key: Key, names: list[str]
) -> None:
    (found,) = named_of(tmp_path, instance(type_, attributes))
    assert (found.key, found.identifiers) == (key, (key.id, *names))


def test_account_and_region_are_told_as_those_of_any_other_resource(tmp_path: Path) -> None:
    arn = "arn:aws:elasticloadbalancing:us-east-1:999988887777:loadbalancer/net/a/1"
    elsewhere = instance("aws_lb", {"id": arn, "arn": arn}, provider=f"{AWS}.other", name="a")
    along = instance("aws_eip", {"id": "eipalloc-1"}, provider=f"{AWS}.other", name="b")
    assert [found.key for found in named_of(tmp_path, elsewhere, along)] == [
        Key("999988887777", "us-east-1", "aws_lb", arn),
        Key("999988887777", "us-east-1", "aws_eip", "eipalloc-1"),
    ]


def test_what_is_sensitive_is_no_name(tmp_path: Path) -> None:
    attributes = {"id": "canary-1", "key_name": "canary-2", "key_pair_id": "canary-3", "arn": "arn-4"}
    (found,) = named_of(tmp_path, instance("aws_key_pair", {**attributes, "x": "canary-3"}, "id", "key_name", "x"))
    assert found.identifiers == ("arn-4",)
    whole = instance("aws_key_pair", attributes)
    whole["instances"][0]["sensitive_attributes"] = [[]]
    assert named_of(tmp_path, whole) == ()


@pytest.mark.parametrize("attributes", [{}, {"id": None}, {"id": ""}, {"id": 7}, {"id": ["a"]}, {"id": {"a": "b"}}])
def test_without_a_name_nothing_is_told(tmp_path: Path, attributes: dict[str, Any]) -> None:
    assert named_of(tmp_path, instance("aws_eip", attributes)) == ()


def test_other_types_and_other_providers_have_no_names(tmp_path: Path) -> None:
    other = 'provider["registry.terraform.io/somebody/else"]'
    assert (
        named_of(
            tmp_path,
            instance("aws_eip", {"id": "eipalloc-1"}, provider=other),
            instance("aws_unheard_of", {"id": "a"}),
            instance("google_storage_bucket", {"id": "a"}, name="b"),
        )
        == ()
    )


def test_names_that_cannot_be_read_are_a_limit(tmp_path: Path) -> None:
    found = stack(tmp_path, instance("aws_eip", "no object")).snapshot
    assert found.named == ()
    (limit,) = [each for each in found.limits if "not told of by address" in each.why]
    assert limit.scope == Scope(type="aws_eip")
    assert Limit(Scope(type="aws_eip"), "no resource specification", 1, uncompared=True) in found.limits


# --- from a call to an address -------------------------------------------------------------------------------


def address_of(
    directory: Path, source: str, call: str, request: Any, response: Any, *recorded: dict[str, Any]
) -> list[str]:
    """Addresses of what the call means, among what is declared."""
    made = {"requestParameters": request, "responseElements": response, "recipientAccountId": ACCOUNT}
    touches = Targets(SPECS, b"").of(f"{source}.amazonaws.com", call, made)
    change = Change(("e",), WHEN, "x", Actor("a", "person", "", "", 1.0), "console", ACCOUNT, REGION, touches)
    names = Names(named_of(directory, *recorded), SPECS)
    return [found.address for key in names.targets(change) if (found := names.of(key))]


@pytest.mark.parametrize(
    ("source", "call", "request_", "recorded"),
    [
        (
            "elasticloadbalancing",
            "SetSecurityGroups",
            {"loadBalancerArn": LB},
            instance("aws_alb", {"id": LB, "arn": LB}),
        ),
        (
            "ecs",
            "UpdateService",
            {"cluster": "blue", "service": f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/blue/web"},
            instance("aws_ecs_service", {"cluster": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/blue", "name": "web"}),
        ),
        (
            "events",
            "DisableRule",
            {"name": "nightly"},
            instance("aws_cloudwatch_event_rule", {"id": "nightly", "event_bus_name": "default", "name": "nightly"}),
        ),
        (
            "route53",
            "ChangeResourceRecordSets",
            {
                "hostedZoneId": "Z1",
                "changeBatch": {"changes": [{"resourceRecordSet": {"name": "www.example.com.", "type": "A"}}]},
            },
            instance("aws_route53_record", {"zone_id": "Z1", "fqdn": "www.example.com", "type": "A", "id": "Z1_www_A"}),
        ),
        (
            "rds",
            "ModifyDBInstance",
            {"dBInstanceIdentifier": "blue-1"},
            instance("aws_rds_cluster_instance", {"id": "blue-1", "identifier": "blue-1"}),
        ),
        (
            "cloudtrail",
            "StopLogging",
            {"name": f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/main"},
            instance("aws_cloudtrail", {"id": "main", "name": "main"}),
        ),
        (
            "ec2",
            "DisassociateAddress",
            {"associationId": "eipassoc-1"},
            instance("aws_eip_association", {"id": "eipassoc-1", "allocation_id": "eipalloc-1"}),
        ),
    ],
)
def test_a_call_leads_to_the_address(tmp_path: Path, source: str, call: str, request_: Any, recorded: dict) -> None:
    assert address_of(tmp_path, source, call, request_, None, recorded) == [f"{recorded['type']}.it"]


def test_namesakes_of_the_same_type_are_told_apart(tmp_path: Path) -> None:
    services = [
        instance("aws_ecs_service", {"id": f"arn-{c}", "cluster": c, "name": "web"}, name=c) for c in ("blue", "green")
    ]
    asked = {"cluster": "green", "service": "web"}
    assert address_of(tmp_path, "ecs", "UpdateService", asked, None, *services) == ["aws_ecs_service.green"]


def test_a_setting_belongs_to_what_it_is_a_setting_of() -> None:
    def whole(type_: str, id_: str, region: str = REGION) -> Key | None:
        return named.whole(Key(ACCOUNT, region, type_, id_))

    assert whole("aws_iam_user_policy", "bob|inline", GLOBAL) == Key(ACCOUNT, GLOBAL, "aws_iam_user", "bob")
    assert whole("aws_s3_bucket_acl", "b", GLOBAL) == Key(ACCOUNT, GLOBAL, "aws_s3_bucket", "b")
    target = whole("aws_cloudwatch_event_target", "default|nightly|lambda")
    assert target == Key(ACCOUNT, REGION, "aws_cloudwatch_event_rule", "default|nightly")
    assert whole("aws_eip", "eipalloc-1") is None
    assert whole("aws_instance", "i-1") is None
    touch = Touch("aws_unheard_of", ("a",))
    assert whole(touch.type, touch.ids[0]) is None

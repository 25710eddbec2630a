"""AWS provider 6: a resource may be in another region than its provider configuration, and its state says where."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent import resources
from agent.declared.places import Place, own_place
from agent.declared.stack import Stack, read
from agent.declared.state import read_state

ACCOUNT = "111122223333"
AWS = 'provider["registry.terraform.io/hashicorp/aws"]'
PROVIDER = 'provider "aws" {\n  region = "us-east-1"\n}\n'
RULE = {
    "id": "sgrule-1",
    "security_group_id": "sg-1",
    "type": "ingress",
    "protocol": "tcp",
    "from_port": 443,
    "to_port": 443,
    "cidr_blocks": ["10.0.0.0/8"],
}
CODE = """
resource "aws_security_group_rule" "r" {
  region            = "%s"
  security_group_id = "sg-1"
  type              = "ingress"
  protocol          = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_blocks       = ["10.0.0.0/8"]
}

resource "aws_sqs_queue" "q" {
  region = "%s"
  name   = "orders"
}
"""


def state(*recorded: tuple[str, str, Mapping[str, Any], Mapping[str, Any]]) -> bytes:
    """Of type, name, attributes, and what else stands in the instance."""
    found = [
        {"mode": "managed", "type": type_, "name": name, "provider": AWS, "instances": [{"attributes": given, **more}]}
        for type_, name, given, more in recorded
    ]
    return json.dumps({"version": 4, "serial": 1, "lineage": "l", "resources": found}).encode()


def stack(folder: Path, recorded: bytes, code: str, locked: str = "") -> Stack:
    (folder / "main.tf").write_text(PROVIDER + code)
    (folder / "terraform.tfstate").write_bytes(recorded)
    if locked:
        lock = f'provider "registry.terraform.io/hashicorp/aws" {{\n  version = "{locked}"\n}}\n'
        (folder / ".terraform.lock.hcl").write_text(lock)
    return read(
        "prod",
        folder,
        account=ACCOUNT,
        region="us-east-1",
        key=b"k" * 32,
        taken_at=datetime(2026, 1, 1, tzinfo=UTC),
        specs=resources.load(),
    )


def both(region: str | None) -> bytes:
    place = {} if region is None else {"region": region}
    return state(
        ("aws_security_group_rule", "r", {**RULE, **place}, {"schema_version": 2}),
        ("aws_sqs_queue", "q", {"name": "orders", **place}, {}),
    )


@pytest.mark.parametrize("locked", ["", "5.100.0", "6.2.0"])
def test_a_resource_is_where_its_region_says(tmp_path: Path, locked: str) -> None:
    found = stack(tmp_path, both("eu-central-1"), CODE % ("eu-central-1", "eu-central-1"), locked).snapshot
    assert {one.key.region for one in found.resources} == {"eu-central-1"}
    assert (len(found.resources), found.pending, found.gaps) == (2, (), ())
    assert [one for one in found.resources if one.unapplied] == []


@pytest.mark.parametrize("locked", ["", "5.100.0", "6.2.0"])
def test_to_write_the_region_down_before_state_has_it_is_no_change(tmp_path: Path, locked: str) -> None:
    found = stack(tmp_path, both(None), CODE % ("us-east-1", "us-east-1"), locked).snapshot
    assert {one.key.region for one in found.resources} == {"us-east-1"}
    assert (found.pending, found.gaps, [one for one in found.resources if one.unapplied]) == ((), (), [])


def test_another_region_in_the_code_is_not_applied(tmp_path: Path) -> None:
    found = stack(tmp_path, both("us-east-1"), CODE % ("eu-central-1", "us-east-1"), "6.2.0").snapshot
    assert [(one.address, one.why) for one in found.pending] == [
        ("aws_security_group_rule.r", "configured otherwise: region")
    ]
    other = stack(tmp_path, both("us-east-1"), CODE % ("us-east-1", "eu-central-1"), "6.2.0").snapshot
    assert [(one.address, one.why) for one in other.pending] == [("aws_sqs_queue.q", "configured otherwise: region")]
    assert {one.key.region for one in other.resources} == {"us-east-1"}


@pytest.mark.parametrize(
    ("type_", "attributes", "identity", "place"),
    [
        ("aws_s3_bucket", {"arn": "arn:aws:s3:::b", "region": "eu-west-1"}, None, ("", "eu-west-1")),
        (
            "aws_s3_bucket",
            {"arn": "arn:aws:s3:::b"},
            {"account_id": ACCOUNT, "region": "eu-west-1", "bucket": "b"},
            (ACCOUNT, "eu-west-1"),
        ),
        ("aws_iam_role_policy", {"id": "r:p"}, {"account_id": ACCOUNT, "role": "r", "name": "p"}, (ACCOUNT, "")),
        (
            "aws_sns_topic",
            {"region": "us-east-1"},
            {"arn": f"arn:aws:sns:eu-west-1:{ACCOUNT}:t"},
            (ACCOUNT, "eu-west-1"),
        ),
        (
            "aws_sqs_queue",
            {"arn": f"arn:aws:sqs:eu-west-1:{ACCOUNT}:q", "region": "us-east-1"},
            {"account_id": "444455556666"},
            (ACCOUNT, "eu-west-1"),
        ),
        ("aws_config_aggregate_authorization", {"region": "eu-west-1"}, None, ("", "")),
        (
            "aws_ssmincidents_replication_set",
            {"arn": f"arn:aws:ssm-incidents::{ACCOUNT}:x", "region": [{"name": "eu-west-1"}]},
            None,
            (ACCOUNT, ""),
        ),
        ("aws_sqs_queue", {"arn": 5, "region": ["x"]}, {"account_id": 7, "region": None}, ("", "")),
        ("aws_sqs_queue", {}, None, ("", "")),
    ],
)
def test_what_an_instance_tells_of_its_place(
    type_: str, attributes: Mapping[str, Any], identity: Mapping[str, Any] | None, place: tuple[str, str]
) -> None:
    more = {} if identity is None else {"identity_schema_version": 0, "identity": identity}
    (found,) = read_state(state((type_, "x", attributes, more)), "s").instances
    assert own_place(found) == Place(*place)

"""Merged and not applied: what of it is told, what is no difference, and what nobody can tell."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from roots_in_text import instance, write

from agent.declared.loading import Options
from agent.declared.stack import Stack, read
from agent.declared.variables import Given
from agent.model import Limit, Scope, Secret, Source, Unapplied
from agent.resources import load
from agent.seal import seal

ACCOUNT, KEY = "111122223333", b"k" * 32
ARN = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:"
SPECS = load()


def queue(name: str, address: str = "", **attributes: Any) -> dict[str, Any]:
    recorded = {"arn": ARN + name, "id": f"https://sqs/{name}", "name": name, "visibility_timeout_seconds": 30}
    return instance(address or f"aws_sqs_queue.{name}", {**recorded, "tags": None, "tags_all": {}, **attributes})


def stack(folder: Path, main: str, *recorded: dict[str, Any], options: Options | None = None, **files: str) -> Stack:
    write(folder, {"main": main, **{name.replace("__", "/"): text for name, text in files.items()}})
    state = {"version": 4, "serial": 3, "lineage": "l", "terraform_version": "1.11.4", "resources": list(recorded)}
    (folder / "terraform.tfstate").write_text(json.dumps(state))
    return read(
        "shop",
        folder,
        account=ACCOUNT,
        region="eu-west-1",
        key=KEY,
        taken_at=datetime(2026, 3, 1, tzinfo=UTC),
        specs=SPECS,
        options=options,
    )


def unapplied(folder: Path, body: str, *recorded: dict[str, Any], before: str = "", **changes: Any) -> dict[str, Any]:
    main = f'{before}\nresource "aws_sqs_queue" "q" {{\n  name = "q"\n{body}\n}}\n'
    (found,) = stack(folder, main, *(recorded or (queue("q"),)), **changes).snapshot.resources
    return dict(found.unapplied)


@pytest.mark.parametrize(
    ("body", "merged"),
    [
        ("visibility_timeout_seconds = 30", {}),
        ('visibility_timeout_seconds = "30"', {}),
        ("visibility_timeout_seconds = 60", {"visibility_timeout_seconds": 60}),
        ("visibility_timeout_seconds = null", {}),
        ("delay_seconds = 0", {}),
        ("delay_seconds = 5", {"delay_seconds": 5}),
        ("tags = {}", {}),
        ('tags = { A = "b" }', {"tags_all": {"A": "b"}}),
        ('policy = jsonencode({ Version = "2012-10-17" })', {"policy": '{"Version":"2012-10-17"}'}),
        ('tags = { A = "b" }\n  lifecycle { ignore_changes = [tags] }', {}),
        ('tags = { A = "b" }\n  lifecycle { ignore_changes = [tags["A"]] }', {}),
        ('tags = { A = "b" }\n  lifecycle { ignore_changes = [tags["B"]] }', {"tags_all": {"A": "b"}}),
        ("visibility_timeout_seconds = 60\n  lifecycle { ignore_changes = all }", {}),
        ("fifo_queue = false", {}),
    ],
)
def test_what_differs(tmp_path: Path, body: str, merged: dict[str, Any]) -> None:
    assert merged == unapplied(tmp_path, body)


def test_a_policy_written_another_way_is_the_same(tmp_path: Path) -> None:
    recorded = (
        '{"Statement":[{"Action":["sqs:B","sqs:A"],"Effect":"Allow","Principal":"*","Resource":"x"}],'
        '"Version":"2012-10-17"}'
    )
    body = (
        'policy = <<EOT\n{ "Version": "2012-10-17",\n "Statement": {"Effect": "Allow", "Action": ["SQS:A", "sqs:B"],'
        ' "Principal": {"AWS": "*"}, "Resource": ["x"]} }\nEOT'
    )
    assert {} == unapplied(tmp_path, body, queue("q", policy=recorded))


@pytest.mark.parametrize(
    ("tags", "recorded", "merged"),
    [
        ("", {"Team": "shop"}, {}),
        ("", {}, {"tags_all": {"Team": "shop"}}),
        ('tags = { Team = "own" }', {"Team": "own"}, {}),
        ('tags = { Name = "q" }', {"Team": "shop", "Name": "q", "Seen": "x", "aws:x": "y"}, {}),
        ('tags = { Name = "q" }', {"Name": "q"}, {"tags_all": {"Team": "shop", "Name": "q"}}),
    ],
)
def test_default_tags_and_ignored_ones(tmp_path: Path, tags: str, recorded: dict[str, str], merged: object) -> None:
    provider = 'provider "aws" {\n  default_tags { tags = { Team = "shop" } }\n  ignore_tags { keys = ["Seen"] }\n}'
    assert merged == unapplied(tmp_path, tags, queue("q", tags_all=recorded), before=provider)


def test_what_is_not_known_is_no_difference_and_is_told(tmp_path: Path) -> None:
    main = 'variable "v" {}\nresource "aws_sqs_queue" "q" {\n  name = "q"\n  delay_seconds = var.v\n}\n'
    found = stack(tmp_path, main, queue("q")).snapshot
    assert {} == found.resources[0].unapplied
    why = "whether delay_seconds is applied cannot be told: var.v is given no value"
    assert Limit(Scope(type="aws_sqs_queue", path="delay_seconds"), why, 1) in found.limits
    given = Options(given=Given(values={"v": 7}))
    assert {"delay_seconds": 7} == dict(
        stack(tmp_path, main, queue("q"), options=given).snapshot.resources[0].unapplied
    )


def test_a_sensitive_value_is_sealed(tmp_path: Path) -> None:
    main = (
        'variable "p" {\n  sensitive = true\n  default = "new-secret"\n}\n'
        'resource "aws_sqs_queue" "q" {\n  name = "q"\n  policy = var.p\n  tags = { A = var.p }\n}\n'
    )
    found = stack(tmp_path, main, queue("q", policy="old")).snapshot
    merged = found.resources[0].unapplied
    assert seal(KEY, "new-secret") == merged["policy"]
    assert {"A": seal(KEY, "new-secret")} == merged["tags_all"] or isinstance(merged["tags_all"], Secret)
    assert "new-secret" not in repr(found)


PENDING = """
resource "aws_sqs_queue" "kept" { name = "kept" }
resource "aws_sqs_queue" "new" { name = "new" }
resource "aws_sqs_queue" "adopted" { name = "adopted" }
resource "aws_sqs_queue" "after" { name = "before" }
import {
  to = aws_sqs_queue.adopted
  id = "https://sqs/adopted"
}
moved {
  from = aws_sqs_queue.before
  to   = aws_sqs_queue.after
}
removed {
  from = aws_sqs_queue.released
  lifecycle { destroy = false }
}
removed {
  from = module.gone
}
module "far" { source = "a/b/c" }
resource "aws_sqs_queue" "many" {
  count = length(aws_sqs_queue.new.arn)
}
"""


def test_what_the_next_apply_would_do_to_whole_resources(tmp_path: Path) -> None:
    released, old, inner = queue("released"), queue("old"), queue("inner", "module.gone.aws_sqs_queue.inner")
    hidden = queue("hidden", "module.far.aws_sqs_queue.hidden")
    many = queue("many", "aws_sqs_queue.many")
    many["instances"][0]["index_key"] = 0
    found = stack(tmp_path, PENDING, queue("kept"), queue("before"), released, old, inner, hidden, many).snapshot
    told = {(each.address, each.action) for each in found.pending}
    assert {
        ("aws_sqs_queue.new", "create"),
        ("aws_sqs_queue.adopted", "import"),
        ("aws_sqs_queue.after", "move"),
        ("aws_sqs_queue.released", "forget"),
        ("aws_sqs_queue.old", "destroy"),
        ("module.gone.aws_sqs_queue.inner", "destroy"),
    } == told
    created = next(each for each in found.pending if each.action == "create")
    assert Unapplied("shop", "aws_sqs_queue.new", "create", Source("main.tf", 3)) == created
    assert "aws_sqs_queue.after" in {each.address for each in found.resources}
    assert ["module"] == [each.scope.type for each in found.gaps]


def test_without_code_nothing_is_said_of_what_is_merged(tmp_path: Path) -> None:
    found = stack(tmp_path, "{ no HCL", queue("q"), options=Options(hcl=False)).snapshot
    assert ((), (), {}) == (found.gaps, found.pending, found.resources[0].unapplied)
    why = "there is no code to read: what is merged and not applied is not known"
    assert Limit(Scope(account=ACCOUNT), why) in found.limits


def test_parts_that_only_state_has_are_noted(tmp_path: Path) -> None:
    """A refresh writes them into state; nobody declares them."""
    group = {
        "id": "sg-1",
        "arn": f"arn:aws:ec2:eu-west-1:{ACCOUNT}:security-group/sg-1",
        "name": "web",
        "ingress": [
            {"from_port": 22, "to_port": 22, "protocol": "tcp", "cidr_blocks": ["0.0.0.0/0"], "description": ""}
        ],
    }
    main = 'resource "aws_security_group" "web" { name = "web" }\n'
    (found,) = stack(tmp_path, main, instance("aws_security_group.web", group)).snapshot.resources
    assert ["sg-1|ingress|tcp|22|22|0.0.0.0/0"] == [key.id for key in found.recorded_parts]


def test_a_state_is_told_without_anything_secret(tmp_path: Path) -> None:
    (tmp_path / ".terraform.lock.hcl").write_text(
        'provider "registry.terraform.io/hashicorp/aws" {\n  version = "5.100.0"\n}\n'
    )
    first = stack(tmp_path, "", queue("q", policy="a-secret")).snapshot.states[0]
    second = stack(tmp_path, "", queue("q", policy="another")).snapshot.states[0]
    assert ("shop", "l", 3, "1.11.4", (ACCOUNT,)) == (
        first.stack,
        first.lineage,
        first.serial,
        first.terraform_version,
        first.accounts,
    )
    assert {"hashicorp/aws": "5.100.0"} == dict(first.provider_versions)
    (one,), (other,) = first.addresses.values(), second.addresses.values()
    assert one.partition(".")[0] == other.partition(".")[0]
    assert one != other
    assert "secret" not in repr(first)


PLAN: dict[str, Any] = {
    "format_version": "1.2",
    "configuration": {
        "provider_config": {
            "aws.west": {
                "name": "aws",
                "full_name": "registry.terraform.io/hashicorp/aws",
                "alias": "west",
                "expressions": {"region": {"constant_value": "us-west-2"}},
            }
        },
        "root_module": {
            "resources": [
                {
                    "address": "aws_sqs_queue.q",
                    "mode": "managed",
                    "type": "aws_sqs_queue",
                    "name": "q",
                    "provider_config_key": "aws.west",
                    "expressions": {"name": {}, "delay_seconds": {}, "policy": {}, "kms_master_key_id": {}},
                }
            ],
        },
    },
    "resource_changes": [
        {
            "address": "aws_sqs_queue.q",
            "previous_address": "aws_sqs_queue.old",
            "mode": "managed",
            "type": "aws_sqs_queue",
            "name": "q",
            "provider_name": "registry.terraform.io/hashicorp/aws",
            "change": {
                "actions": ["update"],
                "after": {
                    "name": "q",
                    "delay_seconds": 9,
                    "policy": "p",
                    "visibility_timeout_seconds": 99,
                    "arn": ARN + "q",
                },
                "after_unknown": {"kms_master_key_id": True},
                "after_sensitive": {"policy": True},
            },
        },
        {
            "address": "aws_sqs_queue.gone",
            "mode": "managed",
            "type": "aws_sqs_queue",
            "name": "gone",
            "change": {"actions": ["delete"], "after": None},
        },
    ],
}


def test_a_plan_in_place_of_code(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(json.dumps(PLAN))
    options = Options(plan="plan.json")
    found = stack(tmp_path, "", queue("q", "aws_sqs_queue.old"), queue("gone"), options=options).snapshot
    one = next(each for each in found.resources if each.address == "aws_sqs_queue.q")
    assert {"delay_seconds": 9, "policy": seal(KEY, "p")} == dict(one.unapplied)
    assert Source("plan.json", 1) == one.source
    assert {("aws_sqs_queue.q", "move"), ("aws_sqs_queue.gone", "destroy")} == {
        (each.address, each.action) for each in found.pending
    }


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "it is not what `terraform show -json PLAN` writes"),
        ('{"format_version": "2.0"}', "has format version 2.0, read is version 1"),
        ('{"format_version": "1.2", "errored": true}', "ended with an error"),
        ("[" * 100_000, "it is not what `terraform show -json PLAN` writes"),
    ],
)
def test_a_plan_that_is_none_is_a_gap(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "plan.json").write_text(text)
    (gap,) = stack(tmp_path, "", queue("q"), options=Options(plan="plan.json")).snapshot.gaps
    assert why in gap.why
    (other,) = stack(tmp_path, "", queue("q"), options=Options(plan="none.json")).snapshot.gaps
    assert "No such file" in other.why


def test_a_resource_that_is_several_facts_and_a_name_that_changed(tmp_path: Path) -> None:
    arn = f"arn:aws:ssm:eu-west-1:{ACCOUNT}:parameter/p"
    parameter = {"id": "p", "name": "p", "arn": arn, "type": "String", "value": "250", "tier": "Standard"}
    main = (
        'resource "aws_ssm_parameter" "p" {\n  name = "p"\n  type = "String"\n  value = "500"\n}\n'
        'resource "aws_sqs_queue" "q" { name = "other" }\n'
        'resource "aws_security_group" "web" {\n  name = "web"\n  ingress {\n    from_port = 443\n    to_port = 443\n'
        '    protocol = "tcp"\n    cidr_blocks = ["0.0.0.0/0"]\n  }\n}\n'
    )
    rule = {"from_port": 80, "to_port": 80, "protocol": "tcp", "cidr_blocks": ["0.0.0.0/0"], "description": ""}
    group = {"id": "sg-1", "name": "web", "ingress": [rule]}
    recorded = (
        instance("aws_ssm_parameter.p", parameter),
        queue("q"),
        instance("aws_security_group.web", group),
    )
    found = stack(tmp_path, main, *recorded).snapshot
    (one,) = (each for each in found.resources if each.key.type == "aws_ssm_parameter")
    assert ["value"] == list(one.unapplied)
    assert {
        ("aws_sqs_queue.q", "update", "configured otherwise: name"),
        ("aws_security_group.web", "update", "configured otherwise: ingress"),
    } == {(each.address, each.action, each.why) for each in found.pending}

"""The declared side of an estate that the real Terraform applied: every address, every line, no secret."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from aws_schemas import fits, resource

from agent import resources
from agent.declared.language.values import to_plain
from agent.declared.schemas import implied_type
from agent.declared.schemas.shape import recorded
from agent.declared.stack import Stack, read
from agent.declared.state import read_state
from agent.model import GLOBAL, Limit, Resource, Scope, Secret

pytestmark = pytest.mark.terraform

CANARY = "canary-"


@pytest.fixture(scope="module")
def stack(estate: Path, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    return read(
        "estate",
        estate,
        account="999900001111",
        region="eu-north-1",
        key=b"k" * 32,
        taken_at=datetime(2026, 1, 1, tzinfo=UTC),
        specs=resources.load(),
        cache=tmp_path_factory.mktemp("cache"),
    )


def only(stack: Stack, address: str, type_: str = "") -> Resource:
    (found,) = (each for each in stack.snapshot.resources if each.address == address and type_ in ("", each.key.type))
    return found


def test_every_address_of_a_known_type_and_no_other(estate: Path, stack: Stack) -> None:
    env = {name: text for name, text in os.environ.items() if not name.startswith("TF_")}
    command = [str(shutil.which("terraform")), "state", "list"]
    listed = subprocess.run(
        command, cwd=estate, env=env, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    known = [each for each in listed if not each.startswith(("data.", "terraform_data."))]
    assert stack.snapshot.gaps == ()
    assert sorted(known) == sorted({each.address for each in stack.snapshot.resources})


def test_every_source_is_the_line_of_its_block(estate: Path, stack: Stack) -> None:
    for each in stack.snapshot.resources:
        assert each.source is not None
        line = (estate / each.source.file).read_text().splitlines()[each.source.line - 1]
        found = re.search(r"(?:^|\.)([a-z_0-9]+)\.([a-z_0-9]+)(?:\[[^\]]*\])?$", each.address)
        assert found
        type_, name = found.groups()
        assert f'resource "{type_}" "{name}" {{' == line


def test_provenance(estate: Path, stack: Stack) -> None:
    state = json.loads((estate / "terraform.tfstate").read_bytes())
    assert (state["lineage"], state["serial"]) == (stack.lineage, stack.serial)


def test_accounts_and_regions_come_from_the_estate(stack: Stack) -> None:
    found = {(each.key.account, each.key.region) for each in stack.snapshot.resources}
    assert {("123456789012", "us-east-1"), ("123456789012", "us-west-2"), ("123456789012", GLOBAL)} == found
    assert only(stack, "aws_sns_topic.west").key.region == "us-west-2"


def test_what_the_code_sets(stack: Stack) -> None:
    assert {"name", "tags", "tags_all"} == only(stack, "aws_sns_topic.plain").configured
    assert {"name", "display_name"} == only(stack, "aws_sns_topic.west").configured
    role = only(stack, "aws_iam_role.worker", "aws_iam_role").configured
    assert {"name", "assume_role_policy", "inline_policy", "description", "tags_all"} == role
    group = only(stack, "aws_security_group.inline", "aws_security_group").configured
    assert {"name", "vpc_id", "ingress", "tags_all"} == group


def test_what_the_code_ignores(stack: Stack) -> None:
    paths = ('tags["Seen"]', "display_name", 'tags_all["Seen"]')
    assert paths == only(stack, "aws_sns_topic.many[1]").ignore_changes
    assert only(stack, "aws_sns_topic.west").ignore_changes == ("all",)
    assert only(stack, "aws_iam_role.worker", "aws_iam_role").ignore_changes == ("max_session_duration",)


def test_rules_written_in_three_ways(stack: Stack) -> None:
    rules = [each for each in stack.snapshot.resources if each.key.type == "aws_security_group_rule"]
    groups = {
        each.address.split(".")[1]: each.key
        for each in stack.snapshot.resources
        if each.key.type == "aws_security_group"
    }
    inline, apart = groups["inline"], groups["apart"]
    assert {
        (f"{inline.id}|ingress|tcp|80|80|10.0.0.0/8", "aws_security_group.inline", inline, "ingress"),
        (f"{inline.id}|ingress|tcp|443|443|10.0.0.0/8", "aws_security_group.inline", inline, "ingress"),
        (f"{apart.id}|ingress|tcp|22|22|192.168.1.0/24", "aws_security_group_rule.two", apart, "ingress"),
        (f"{apart.id}|ingress|tcp|22|22|192.168.2.0/24", "aws_security_group_rule.two", apart, "ingress"),
        (f"{apart.id}|egress|-1|0|0|0.0.0.0/0", "aws_vpc_security_group_egress_rule.one", apart, "egress"),
    } == {(each.key.id, each.address, each.parent, each.attribute) for each in rules}


def test_data_sources_and_other_providers(stack: Stack) -> None:
    told = "it stands for nothing in the cloud: there is nothing to compare it with"
    assert Limit(Scope(type="terraform_data"), told, 1) in stack.snapshot.limits
    assert not [limit for limit in stack.snapshot.limits if "caller_identity" in limit.scope.type]


def test_no_secret_leaves(estate: Path, stack: Stack) -> None:
    state = (estate / "terraform.tfstate").read_text()
    assert {"canary-7f3d", "canary-91aa", "canary-55c0"} <= set(re.findall(rf"{CANARY}\w+", state))
    assert CANARY not in repr(stack)
    assert CANARY not in msgspec.json.encode(stack).decode()
    tags = only(stack, "aws_sns_topic.plain").attributes["tags_all"]
    assert ("yes", "platform", Secret) == (tags["Plain"], tags["Team"], type(tags["Token"]))
    deep = {
        each.attributes["tags_all"]["Token"] for each in stack.snapshot.resources if each.address.endswith("topic.deep")
    }
    assert {tags["Token"]} == deep, "equal secrets stay recognisable"
    policy = only(stack, "aws_iam_role.worker", "aws_iam_role_policy")
    assert ("worker", "read", Secret) == (
        policy.attributes["role"],
        policy.attributes["name"],
        type(policy.attributes["policy"]),
    )


def test_reading_again_gives_the_same(estate: Path, stack: Stack, tmp_path: Path) -> None:
    again = read(
        "estate",
        estate,
        state=str(estate / "terraform.tfstate"),
        account="999900001111",
        region="eu-north-1",
        key=b"k" * 32,
        taken_at=datetime(2026, 1, 1, tzinfo=UTC),
        specs=resources.load(),
    )
    # Where the state is was said another way.
    assert replace(stack.snapshot, states=()) == replace(again.snapshot, states=())
    assert (stack.serial, stack.digest) == (again.serial, again.digest)


def test_nothing_of_an_applied_estate_is_called_unapplied(stack: Stack) -> None:
    """Terraform has just written this state: whatever differs would be our own misreading of the code."""
    assert {} == {each.address: dict(each.unapplied) for each in stack.snapshot.resources if each.unapplied}
    assert () == stack.snapshot.pending
    whole = [each.why for each in stack.snapshot.limits if each.scope.type == "*"]
    assert [] == [why for why in whole if "cannot be" in why]


def test_every_resource_of_a_real_state_fits_its_schema_and_comes_back_as_it_was(estate: Path) -> None:
    state = read_state((estate / "terraform.tfstate").read_bytes(), "state")
    instances = [each for each in state.instances if each.type.startswith("aws_")]
    assert len(instances) > 5
    for each in instances:
        attributes = each.attributes()
        made = recorded(resource(each.type), attributes)
        assert fits(made, implied_type(resource(each.type))), each.address
        assert json.loads(json.dumps(to_plain(made))) == attributes, each.address

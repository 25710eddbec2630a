"""`agent.way_back`: the code that would keep what is live, and what the plan back would say."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hcl2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.declared.schemas import AWS, provider
from agent.declared.schemas.block import Block
from agent.model import Drift, DriftKind, Finding, FindingId, Key, Resource, Secret, Source, Unknown
from agent.resources import load
from agent.way_back import MOST, codify, revert, way_back

SPECS = load()
ACCOUNT, REGION = "111122223333", "eu-west-1"
QUEUE, GROUP, RULE, ROLE = "aws_sqs_queue", "aws_security_group", "aws_security_group_rule", "aws_iam_role"
SECRET = Secret("ab" * 32)
POLICY = json.dumps({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "${aws:x}"}]})


def key(type_: str = QUEUE, id_: str = "orders") -> Key:
    return Key(ACCOUNT, REGION, type_, id_)


def drift(
    attribute: str = "", declared: Any = None, live: Any = None, kind: DriftKind = "changed", **more: Any
) -> Drift:
    given = {"address": "aws_sqs_queue.orders", "source": Source("shop/main.tf", 12), **more}
    return Drift(given.pop("key", key()), kind, attribute, declared, live, **given)


def code(*drifts: Drift, resource: Resource | None = None) -> str:
    return "\n".join(codify(drifts, resource, SPECS))


def back(*drifts: Drift, resource: Resource | None = None) -> str:
    return "\n".join(revert(drifts, resource, SPECS))


# --- to keep it ----------------------------------------------------------------------------------------------


def test_an_attribute_is_set_in_its_block() -> None:
    assert code(drift("visibility_timeout_seconds", "30", "60"), drift("delay_seconds", 0, 5)) == (
        "# shop/main.tf:12\n"
        'resource "aws_sqs_queue" "orders" {\n'
        "  visibility_timeout_seconds = 60\n"
        "  delay_seconds              = 5\n"
        "}"
    )


def test_of_an_instance_in_a_module_it_is_said_where_the_block_is() -> None:
    text = code(drift("delay_seconds", 0, 5, address='module.a["x"].module.b.aws_sqs_queue.q["k"]', source=None))
    assert text.startswith(
        '# in module.a["x"].module.b, instance ["k"] alone: the arguments count for every instance\n'
        'resource "aws_sqs_queue" "q" {'
    )


@pytest.mark.parametrize(
    ("attribute", "live", "said"),
    [
        ("fifo_queue", "true", "fifo_queue = true"),
        ("delay_seconds", "abc", 'delay_seconds = "abc"'),
        ("policy", POLICY, '"Resource"  = "$${aws:x}"'),
        ("policy", "{}", "policy = jsonencode({})"),
        ("kms_master_key_id", SECRET, "# kms_master_key_id: sensitive, not shown"),
        ("kms_master_key_id", Unknown("not read"), "# kms_master_key_id: not known: not read"),
        ("kms_master_key_id", "", "# delete kms_master_key_id: live it is not set"),
        ("redrive_policy", {"a": SECRET}, "# redrive_policy: holds what is sensitive"),
        ("tags_all", {"Team": "x", "aws:cf": "y"}, 'tags = { "Team" = "x" }'),
        ("tags_all", {"T": SECRET}, "# tags: holds what is sensitive"),
        ("arn", "arn:x", '# arn follows from other arguments: "arn:x"'),
        ("not_ours", "v", 'not_ours = "v"'),
    ],
)
def test_how_a_value_is_written(attribute: str, live: Any, said: str) -> None:
    text = code(drift(attribute, "before", live))
    assert said in text
    hcl2.loads(text + "\n")
    assert SECRET.digest not in text


def test_what_nothing_declares_is_imported() -> None:
    live: dict[str, Any] = {
        "name": "Orders.fifo",
        "id": "https://sqs/1/Orders.fifo",
        "arn": "arn:x",
        "delay_seconds": "5",
    }
    live |= {"visibility_timeout_seconds": "30", "tags_all": {"Team": "x"}, "policy": "", "fifo_queue": "true"}
    one = drift(kind="unmanaged", live=live, key=key(id_="Orders.fifo"), address="", source=None)
    assert code(one) == (
        "# A beginning: complete it until `terraform plan` imports and changes nothing.\n"
        "import {\n"
        "  to = aws_sqs_queue.orders_fifo\n"
        '  id = "https://sqs/1/Orders.fifo"\n'
        "}\n"
        "\n"
        'resource "aws_sqs_queue" "orders_fifo" {\n'
        '  name          = "Orders.fifo"\n'
        "  delay_seconds = 5\n"
        "  fifo_queue    = true\n"
        '  tags          = { "Team" = "x" }\n'
        "}"
    )


@pytest.mark.parametrize(
    ("type_", "id_", "live", "import_id", "said"),
    [
        (ROLE, "deploy", {"name": "deploy"}, "deploy", 'resource "aws_iam_role" "deploy"'),
        ("aws_iam_role_policy_attachment", "r|a", {"role": "r", "policy_arn": "a"}, "r/a", 'policy_arn = "a"'),
        ("aws_iam_role_policy", "r|n", {"role": "r", "name": "n", "policy": "{}"}, "r:n", 'name   = "n"'),
        ("aws_kms_key", "12ab", {"key_id": "12ab", "description": "d"}, "12ab", '"imported_12ab" {\n  description ='),
        ("aws_ecs_service", "main|web", None, "main|web", "is said in the documentation of aws_ecs_service"),
        ("evil type\n", "x", {}, "x", 'resource "unknown_type" "x" {}'),
    ],
)
def test_the_id_an_import_takes(type_: str, id_: str, live: Any, import_id: str, said: str) -> None:
    text = code(drift(kind="unmanaged", live=live, key=key(type_, id_), address="", source=None))
    assert f'  id = "{import_id}"\n' in text
    assert said in text
    hcl2.loads(text + "\n")


def rule(source: str, protocol: str = "tcp", direction: str = "ingress") -> Mapping[str, Any]:
    found = {"security_group_id": "sg-1", "type": direction, "protocol": protocol, "from_port": 22, "to_port": 22}
    return {**found, "source": source, "description": "", "security_group_rule_id": "sgr-1"}


@pytest.mark.parametrize(
    ("live", "said"),
    [
        (rule("0.0.0.0/0"), ('"aws_vpc_security_group_ingress_rule"', 'cidr_ipv4         = "0.0.0.0/0"', "from_port")),
        (rule("::/0", direction="egress"), ('"aws_vpc_security_group_egress_rule"', "cidr_ipv6", "to_port")),
        (rule("pl-1"), ('prefix_list_id    = "pl-1"',)),
        (rule("sg-2"), ('referenced_security_group_id = "sg-2"',)),
        (rule("0.0.0.0/0", "-1"), ('ip_protocol       = "-1"',)),
    ],
)
def test_a_rule_that_was_added(live: Mapping[str, Any], said: tuple[str, ...]) -> None:
    one = drift("ingress", live=live, key=key(GROUP, "sg-1"), part=key(RULE, "sg-1|x"), basis="unset")
    text = code(one)
    assert '  id = "sgr-1"\n' in text
    assert all(each in text for each in said), text
    assert ("from_port" in text) == (live["protocol"] != "-1")
    assert "no plan knows aws_security_group_rule sg-1|x" in back(one)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("0.0.0.0/0", 'cidr_blocks = ["0.0.0.0/0"]'),
        ("::/0", 'ipv6_cidr_blocks = ["::/0"]'),
        ("pl-1", 'prefix_list_ids = ["pl-1"]'),
        ("sg-2", 'security_groups = ["sg-2"]'),
    ],
)
def test_a_rule_added_to_a_group_with_blocks(source: str, said: str) -> None:
    declared = Resource(key(GROUP, "sg-1"), {}, address="aws_security_group.web", configured=frozenset({"ingress"}))
    one = drift(
        "ingress", live=rule(source), key=declared.key, part=key(RULE, "sg-1|x"), address="aws_security_group.web"
    )
    text = code(one, resource=declared)
    assert 'resource "aws_security_group" "web" {\n  ingress {\n' in text
    assert said in " ".join(text.split())
    hcl2.loads(text + "\n")
    assert "  - ingress: aws_security_group_rule sg-1|x will be removed" in back(one, resource=declared)


def test_other_parts_of_a_resource_with_blocks() -> None:
    declared = Resource(
        key(ROLE, "r"), {}, address="aws_iam_role.r", configured=frozenset({"managed_policy_arns", "inline_policy"})
    )
    attached = drift(
        "managed_policy_arns",
        live={"role": "r", "policy_arn": "arn:a"},
        key=declared.key,
        part=key("aws_iam_role_policy_attachment", "r|arn:a"),
    )
    assert '# add "arn:a" to managed_policy_arns' in code(attached, resource=declared)
    inline = drift(
        "inline_policy",
        live={"role": "r", "name": "n", "policy": "{}"},
        key=declared.key,
        part=key("aws_iam_role_policy", "r|n"),
        address="aws_iam_role.r",
    )
    text = code(inline, resource=declared)
    assert 'inline_policy {\n    name   = "n"\n    policy = "{}"\n  }' in text


def test_what_is_gone_is_removed_from_the_code() -> None:
    gone = drift(kind="missing", declared={"name": "orders"})
    assert code(gone) == (
        "# shop/main.tf:12\n"
        '# delete the block `resource "aws_sqs_queue" "orders"`, and write\n'
        "removed {\n"
        "  from = aws_sqs_queue.orders\n"
        "\n"
        "  lifecycle {\n"
        "    destroy = false\n"
        "  }\n"
        "}"
    )
    one = drift(kind="missing", address='aws_sqs_queue.orders["a"]')
    assert code(one) == '# take aws_sqs_queue.orders["a"] out of its `count` or `for_each`: it is gone'
    assert code(drift(kind="missing", address="no address\n}")).startswith("# delete the block of aws_sqs_queue orders")
    part = drift("ingress", declared=rule("10.0.0.0/8"), part=key(RULE, "sg-1|x"))
    assert "# delete what declares aws_security_group_rule sg-1|x in aws_sqs_queue.orders" in code(part)
    assert "  + ingress: aws_security_group_rule sg-1|x will be created" in back(part)


# --- to go back ----------------------------------------------------------------------------------------------


def test_the_plan_that_goes_back() -> None:
    assert back(
        drift("visibility_timeout_seconds", 30, 60),
        drift("kms_master_key_id", SECRET, Unknown("x")),
        drift("policy", None, {"a": SECRET}),
        drift(kind="missing", address='aws_sqs_queue.gone["it\'s"]'),
    ) == (
        "terraform plan -target=aws_sqs_queue.orders\n"
        "  ~ visibility_timeout_seconds: 60 -> 30\n"
        "  ~ kms_master_key_id: (not known) -> (sensitive value)\n"
        "  ~ policy: (holds what is sensitive or not known) -> null\n"
        "\n"
        "terraform plan -target='aws_sqs_queue.gone[\"it'\\''s\"]'\n"
        '  + aws_sqs_queue.gone["it\'s"] will be created'
    )


@pytest.mark.parametrize(
    ("declared", "attribute", "wanted"),
    [(45, "visibility_timeout_seconds", "45"), (None, "visibility_timeout_seconds", "30"), (None, "policy", "nothing")],
)
def test_what_the_code_does_not_set_no_apply_brings_back(declared: Any, attribute: str, wanted: str) -> None:
    text = back(drift(attribute, declared, 60, basis="unset"))
    assert f"the code does not set {attribute}, an apply leaves it: set it to {wanted} first" in text


def test_what_no_plan_knows() -> None:
    one = drift(kind="unmanaged", live={}, address="")
    assert back(one) == "no plan knows aws_sqs_queue orders: import it and destroy it, or delete it under a ticket"
    assert back(drift("delay_seconds", 0, 5, address="")) == "no plan knows aws_sqs_queue orders"


# --- both ----------------------------------------------------------------------------------------------------


def finding(*drifts: Drift) -> Finding:
    return Finding(FindingId("F-1"), key(), drifts=drifts)


def test_both_ways_of_a_finding() -> None:
    lines = way_back(finding(drift("delay_seconds", 0, 5)), None, SPECS)
    assert lines[0] == "To keep what is live, write it into the code:"
    assert "To go back to what is declared:" in lines
    assert lines[-1] == "  ~ delay_seconds: 5 -> 0"


def test_of_what_is_not_applied_yet_there_is_no_way_back() -> None:
    assert way_back(finding(drift("delay_seconds", 0, 5, kind="unapplied")), None, SPECS) == ()
    assert way_back(finding(), None, SPECS) == ()


def test_very_many_differences_are_counted() -> None:
    many = [drift(kind="unmanaged", live={}, key=key(id_=f"q{n}")) for n in range(MOST + 5)]
    assert way_back(finding(*many), None, SPECS)[-1] == "5 more differences are not written out."


# --- Terraform takes it --------------------------------------------------------------------------------------


def sample(kind: str) -> Any:
    return {
        "number": "7",
        "bool": "true",
        "set": ["a", "b"],
        "list": ["a"],
        "map": {"a": "b"},
        "policy": POLICY,
        "json": "[1]",
        "tags": {"Name": "x", "aws:x": "y"},
    }.get(kind, "text")


def every() -> list[str]:
    """The code of an unmanaged resource of every type we compare."""
    written: list[str] = []
    for type_, spec in SPECS.items():
        if not spec.same_as:
            live: dict[str, Any] = dict.fromkeys((*spec.identity, *spec.identifiers), "text")
            live |= {one.name: sample(one.kind) for one in spec.attributes}
            live = dict(rule("10.0.0.0/8")) if type_ == RULE else live
            written += [*codify([drift(kind="unmanaged", live=live, key=key(type_, type_))], None, SPECS), ""]
    return written


def settable(block: Block) -> set[str]:
    return {name for name, one in block.attributes.items() if one.optional or one.required} | set(block.blocks)


def test_only_what_code_may_set_is_written() -> None:
    known = provider(AWS)
    assert known is not None
    for resource in hcl2.loads("\n".join(every()))["resource"]:
        for type_, named in resource.items():
            schema = known.resource(type_.strip('"'))
            assert schema is not None, type_
            for body in named.values():
                arguments = {name for name in body if not name.startswith("__")}
                assert arguments - settable(schema.block) == set(), type_
                required = {name for name, one in schema.block.attributes.items() if one.required}
                assert required <= arguments, type_


def test_the_layout_is_terraform_s(tmp_path: Path) -> None:
    binary = shutil.which("terraform")
    if binary is None:
        pytest.skip("the terraform binary is not on PATH")
    parts = [
        code(drift("policy", "{}", POLICY), drift("delay_seconds", 0, 5), drift("tags_all", {}, {"a" * 60: "b" * 60})),
        code(drift(kind="missing", declared={})),
        "\n".join(every()).rstrip("\n"),
    ]
    (tmp_path / "main.tf").write_text("\n\n".join(parts) + "\n")
    env = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    done = subprocess.run(
        [binary, "fmt", "-check", "-diff"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


TEXT = st.text(max_size=12) | st.sampled_from(['"}\n', "${x}", "*/", "\u202e", '"\nresource "a" "b" {', "%{if}"])
VALUES = st.none() | st.booleans() | st.integers() | TEXT | st.just(SECRET) | st.lists(TEXT, max_size=2)
DRIFTS = st.builds(
    drift,
    st.sampled_from(["policy", "delay_seconds", "tags_all", "fifo_queue"]) | TEXT,
    VALUES,
    VALUES | st.dictionaries(TEXT, VALUES, max_size=2),
    st.sampled_from(["changed", "missing", "unmanaged"]),
    address=st.sampled_from(["", "aws_sqs_queue.q", 'module.m["a"].aws_sqs_queue.q[0]']) | TEXT,
    source=st.none(),
    key=st.builds(key, st.sampled_from([QUEUE, RULE, "aws_x"]) | TEXT, TEXT),
    part=st.none() | st.builds(key, st.sampled_from([RULE, "aws_iam_role_policy"]), TEXT),
    basis=st.sampled_from(["configured", "unset"]),
)


@given(st.lists(DRIFTS, max_size=3))
def test_whatever_others_wrote_is_inert(drifts: list[Drift]) -> None:
    lines = way_back(finding(*drifts), None, SPECS)
    assert not any(character in line for line in lines for character in "\n\r\x1b\u202e")
    assert SECRET.digest not in "\n".join(lines)
    starts = ("To ", "resource ", "import {", "removed {", "}", "  ", "#", "terraform plan -target=", "no plan knows ")
    assert all(line.startswith(starts) for line in lines if line)

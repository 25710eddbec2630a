"""Configuration in JSON reads as its HCL twin, and names file and line of what is wrong."""

import json
from pathlib import Path

import pytest
from roots_in_text import evaluated, plain

from agent.declared.configuration import read_module
from agent.declared.hcl.error import ParseError
from agent.declared.json_syntax import lines, parse

ROOT = {
    "//": "a comment",
    "terraform": {
        "required_providers": {"aws": {"source": "hashicorp/aws"}},
        "backend": {"s3": {"bucket": "${b}", "key": "k"}},
    },
    "provider": {"aws": [{"region": "eu-west-1"}, {"alias": "west", "region": "us-west-2"}]},
    "variable": {
        "names": {"type": "list(string)", "default": ["a", "b"]},
        "plain": {"default": "${not a template}"},
        "sized": {"type": "${number}", "default": 3, "validation": {"condition": "${var.sized > 1}"}},
    },
    "locals": {"first": "${var.names[0]}", "text": "x-${var.sized}", "n": 1.5, "list": ["${var.sized}", True, None]},
    "resource": {
        "aws_sqs_queue": {
            "q": {
                "//": "another",
                "for_each": "${toset(var.names)}",
                "provider": "aws.west",
                "name": "q-${each.key}",
                "depends_on": ["aws_vpc.v"],
                "lifecycle": {"ignore_changes": ["tags", "policy"]},
            }
        },
        "aws_vpc": {"v": [{"cidr_block": "10.0.0.0/16"}]},
        "aws_security_group": {
            "g": {
                "name": "g",
                "ingress": {"from_port": 1, "to_port": 1, "protocol": "tcp"},
                "timeouts": {"create": "1m"},
                "dynamic": {"egress": {"for_each": [7], "content": {"from_port": "${egress.value}", "to_port": 7}}},
            }
        },
    },
    "module": {"m": {"source": "./m", "providers": {"aws": "aws.west"}, "in": "${aws_vpc.v.cidr_block}"}},
    "output": {"o": {"value": "${local.list}"}, "p": {"value": "${var.plain}"}, "m": {"value": "${module.m.out}"}},
    "moved": {"from": "aws_vpc.old", "to": "aws_vpc.v"},
    "import": {"to": "aws_vpc.v", "id": "vpc-1"},
}


def test_a_root_in_json(tmp_path: Path) -> None:
    (tmp_path / "main.tf.json").write_text(json.dumps(ROOT, indent=2))
    m = 'variable "in" {}\nresource "aws_vpc" "w" {}\noutput "out" { value = var.in }\n'
    found = evaluated(tmp_path, "", m__main=m)
    assert () == found.problems
    assert ["q-a", "q-b"] == [
        each.values["name"] for address, each in found.instances.items() if address.startswith("aws_sqs")
    ]
    queue, group = found.instances['aws_sqs_queue.q["a"]'], found.instances["aws_security_group.g"]
    assert ("us-west-2", ("tags", "policy", "tags_all")) == (queue.provider.region, queue.ignore_changes)
    assert "us-west-2" == found.instances["module.m.aws_vpc.w"].provider.region
    assert [1] == [each["from_port"] for each in plain(group.values["ingress"])]
    assert [7] == [each["from_port"] for each in plain(group.values["egress"])]
    assert {"o": [3, True, None], "p": "${not a template}", "m": "10.0.0.0/16"} == {
        name: plain(value) for name, value in found.outputs.items()
    }
    assert frozenset({"aws_vpc.v"}) == found.imports
    root = read_module(tmp_path, tmp_path, None)
    assert root.backend is not None
    assert {"bucket": "${b}", "key": "k"} == root.backend.settings


def test_a_json_override(tmp_path: Path) -> None:
    (tmp_path / "main_override.tf.json").write_text('{"resource": {"aws_vpc": {"v": {"cidr_block": "10.1.0.0/16"}}}}')
    found = evaluated(tmp_path, 'resource "aws_vpc" "v" { cidr_block = "10.0.0.0/16" }')
    assert "10.1.0.0/16" == found.instances["aws_vpc.v"].values["cidr_block"]


def test_lines() -> None:
    text = '{\n "a": {"b": 1,\n  "b": [\n {"c": "x: , {"}, {"c":\n 2}]},\n "d": []}'
    assert {("a",): [2], ("a", "b"): [2, 3], ("a", "b", "c"): [4, 4], ("d",): [6]} == dict(lines(text))


def test_a_resource_says_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.tf.json").write_text('{\n"resource": {\n"aws_vpc": {\n"v": {\n"cidr_block": "${nope.x}"\n}}}}')
    found = evaluated(tmp_path, "")
    one = found.instances["aws_vpc.v"]
    assert ("a.tf.json:4", "a.tf.json:5") == (str(one.source), str(one.lines["cidr_block"]))
    assert [str(each.source) for each in found.problems] == ["a.tf.json:5"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "f:1:2: not JSON"),
        ('{\n"resource": {"a": {"b": }}}', "f:2:"),
        ("3", "f:1:1: a configuration in JSON is an object"),
        ('{"nothing": {}}', "f:1:1: `nothing` is no block"),
        ('{\n"resource": {\n"a": 1}}', "f:3:1: `resource.a` must be an object here"),
        ('{"variable": {"v": 1}}', "f:1:1: `variable.v` must be an object here"),
        ("[" * 100_000, "f:1:1: JSON nested deeper than 100 levels"),
        ('{"output": {"o": {"value": "${"}}}', "f:1:"),
    ],
)
def test_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ParseError) as raised:
        parse(text.encode(), "f")
    assert str(raised.value).startswith(message), raised.value


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(ParseError, match="f:2:1: bytes that are not UTF-8"):
        parse(b'{\n"a": "\xff"}', "f")
    with pytest.raises(ParseError, match="at most"):
        parse(b" " * 5_000_001, "f")

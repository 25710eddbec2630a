"""`driftwarden declared`: configured beside recorded, where each stands, and why something is unknown."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agent.cli import main
from agent.declared.side_by_side import Declared
from agent.survey import Surveyed, shown

AWS = 'provider["registry.terraform.io/hashicorp/aws"]'

CODE = """\
variable "late" {}

provider "aws" {
  region = "eu-west-1"
}

resource "aws_sqs_queue" "q" {
  name                       = "q"
  visibility_timeout_seconds = 60
  delay_seconds              = var.late
  policy                     = sensitive("hidden-policy")
  tags                       = { Name = "\\u001b[31mred" }
  lifecycle {
    ignore_changes = [tags]
  }
}

resource "aws_sqs_queue" "new" {
  name = "new"
}

resource "aws_ssm_parameter" "s" {
  name  = "s"
  type  = "SecureString"
  value = "hidden-value"
}
"""

CONFIG = """\
[[stack]]
name = "shop"
dir = "shop"
account = "111122223333"

[[stack]]
name = "lost"
dir = "lost"
account = "111122223333"
"""


def recorded(type_: str, name_: str, /, **attributes: Any) -> dict[str, Any]:
    one = {"schema_version": 0, "attributes": attributes}
    return {"mode": "managed", "type": type_, "name": name_, "provider": AWS, "instances": [one]}


@pytest.fixture
def estate(tmp_path: Path) -> Path:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "main.tf").write_text(CODE)
    state = {
        "version": 4,
        "serial": 7,
        "lineage": "l",
        "resources": [
            recorded("aws_sqs_queue", "q", name="q", visibility_timeout_seconds=30, policy="hidden-old", arn="arn:q"),
            recorded("aws_ssm_parameter", "s", name="s", type="SecureString", value="hidden-value"),
            recorded("aws_sqs_queue", "old", name="old"),
        ],
    }
    (tmp_path / "shop" / "terraform.tfstate").write_text(json.dumps(state))
    (tmp_path / "driftwarden.toml").write_text(CONFIG)
    return tmp_path / "driftwarden.toml"


def run(estate: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["declared", "-c", str(estate), *arguments])
    assert "hidden-" not in result.output
    return result.exit_code, result.output


def test_a_line_for_each_resource(estate: Path) -> None:
    code, output = run(estate, "--stack", "shop")
    lines = output.splitlines()
    assert (0, "stack shop: terraform.tfstate, serial 7") == (code, lines[0])
    assert [
        ["aws_sqs_queue.q", "main.tf:7", "2 not applied, 1 unknown"],
        ["aws_sqs_queue.new", "main.tf:18", "in the code, not in state"],
        ["aws_ssm_parameter.s", "main.tf:22", "applied"],
        ["aws_sqs_queue.old", "in state, not in the code"],
    ] == [line.split(None, 2) if "main.tf" in line else line.split(None, 1) for line in lines[1:]]


def test_every_attribute_of_one(estate: Path) -> None:
    code, output = run(estate, "aws_sqs_queue.q", "--stack", "shop")
    assert code == 0
    for line in (
        f"aws_sqs_queue.q (main.tf:7): 2 not applied, 1 unknown; {AWS}, eu-west-1",
        '  name: configured "q", recorded "q" (main.tf:8)',
        "  visibility_timeout_seconds: configured 60, recorded 30, not applied (main.tf:9)",
        "  delay_seconds: configured unknown: var.late is given no value, recorded null (main.tf:10)",
        "  policy: configured (sensitive), recorded (sensitive), not applied (main.tf:11)",
        '  arn: recorded "arn:q"',
    ):
        assert line in output.splitlines()
    assert "\x1b" not in output
    assert ", ignored (main.tf:12)" in output


def test_as_json(estate: Path) -> None:
    code, output = run(estate, "aws_sqs_queue.q", "--output", "json")
    shop, lost = json.loads(output)
    assert code == 3
    (one,) = shop["resources"]
    assert {
        "configured": 60,
        "recorded": 30,
        "source": "main.tf:9",
        "stand": "not applied",
    } == one["attributes"]["visibility_timeout_seconds"]
    assert ["var.late is given no value"] == one["attributes"]["delay_seconds"]["why"]
    assert ("lost", []) == (lost["stack"], lost["resources"])
    assert "cannot be read" in lost["unread"][0]


def test_what_could_not_be_read_is_said(estate: Path) -> None:
    code, output = run(estate)
    assert (3, True) == (code, "not read: " in output)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("aws_vpc.nowhere", "--stack", "shop"), "no stack declares 'aws_vpc.nowhere'"),
        (("--stack", "other"), "there is no stack 'other'; configured are: shop, lost"),
    ],
)
def test_misuse(estate: Path, arguments: tuple[str, ...], said: str) -> None:
    result = CliRunner().invoke(main, ["declared", "-c", str(estate), *arguments])
    assert (2, True) == (result.exit_code, said in result.output)


def test_a_key_of_a_million_characters_does_not_widen_every_line() -> None:
    one = Declared('aws_sqs_queue.q["' + "k" * 1_000_000 + '"]', None, "p", "r", "", ())
    other = Declared("aws_sqs_queue.r", None, "p", "r", "", ())
    lines = shown(Surveyed("s", "", 0, (one, other), (), ()), in_full=False).splitlines()
    assert max(map(len, lines)) < 1000

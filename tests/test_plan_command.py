"""`driftwarden plan`: what a pipeline attaches to its ticket."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.cli import main

PLAN = Path(__file__).parent / "declared" / "data" / "plan.json"
SECRETS = ("hunter2", "s3cret")


def run(*arguments: str, given: bytes | None = None) -> Result:
    return CliRunner().invoke(main, ["plan", *arguments], input=given)


def test_the_fingerprint_and_what_changes() -> None:
    done = run(str(PLAN))
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert lines[0] == run("-", "--output", "fingerprint", given=PLAN.read_bytes()).output.strip()
    for line in ("-/+ aws_instance.web", "- aws_sqs_queue.gone", "~ aws_sqs_queue.orders", "+ aws_sqs_queue.new"):
        assert line in lines
    assert "    visibility_timeout_seconds = 60" in lines
    assert "    value = (sensitive)" in lines
    assert "    known after the apply: insecure_value, version" in lines


def test_as_json_and_nothing_secret_in_any_form() -> None:
    found = json.loads(run(str(PLAN), "--output", "json").output)
    assert found["fingerprint"] == run(str(PLAN), "--output", "fingerprint").output.strip()
    changes = {one["address"]: one for one in found["changes"]}
    tags = {"Name": "orders", "Token": {"$sensitive": True}}
    assert changes["aws_sqs_queue.orders"] == {
        "address": "aws_sqs_queue.orders",
        "act": "update",
        "attributes": {"tags": tags, "tags_all": tags, "visibility_timeout_seconds": 60},
    }
    assert changes["aws_instance.web"]["act"] == "replace"
    assert changes["aws_sqs_queue.new"]["attributes"]["arn"] == {"$unknown": True}
    assert changes["aws_security_group.web"]["attributes"]["ingress"][0]["cidr_blocks"][0] == "10.0.0.0/8"
    for output in ("table", "json"):
        assert not [secret for secret in SECRETS if secret in run(str(PLAN), "--output", output).output]


def test_a_plan_that_changes_nothing() -> None:
    done = run("-", given=b'{"format_version": "1.2"}')
    assert done.output.splitlines()[1] == "it changes nothing in the cloud"


@pytest.mark.parametrize(
    ("given", "said"), [(b"", "not what `terraform show -json PLAN` writes"), (b"{}", "no `format_version`")]
)
def test_what_is_no_plan_is_misuse(given: bytes, said: str) -> None:
    done = run("-", given=given)
    assert (done.exit_code, said in done.output) == (2, True)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    done = run(str(tmp_path / "no.json"))
    assert (done.exit_code, "No such file" in done.output) == (2, True)


def test_names_that_others_chose_are_shown_on_one_line() -> None:
    change = {
        "actions": ["create"],
        "after": {"a\nb": "x\x1b[31m\n", "deep": {"k": None}},
        "after_unknown": {"c\n": True},
    }
    plan = {
        "format_version": "1.2",
        "resource_changes": [{"address": "x.y\n\u202e", "type": "x", "change": change}],
    }
    output = run("-", given=json.dumps(plan).encode()).output
    assert "\x1b" not in output
    assert "\u202e" not in output
    assert output.count("\n") == 6

"""`agent.declared.approved_plan`: what a plan changes, the fingerprint that stands for it, and what is no plan.

`data/plan.json` is what Terraform 1.x with provider 5.x shows of `data/plan.tf`.
"""

import copy
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.declared.approved_plan import MAX_BYTES, MAX_MARKS, find_plan, find_plans, fingerprint, read_plan
from agent.declared.plan_json import PlanError
from agent.model import PlannedChange, Secret, Unknown
from agent.seal import seal

KEY = b"k" * 32
DATA = (Path(__file__).parent / "data" / "plan.json").read_bytes()
PLAN = json.loads(DATA)
FOUND = read_plan(DATA, KEY)
OPEN = Unknown("known after the apply")
QUEUE = "arn:aws:sqs:eu-west-1:111122223333:gone"
SECRETS = ("hunter2", "s3cret")


def planned(address: str) -> PlannedChange:
    assert FOUND.changes is not None
    (one,) = (each for each in FOUND.changes if each.address == address)
    return one


# --- what it changes -----------------------------------------------------------------------------------------


def test_what_a_plan_changes() -> None:
    assert FOUND.changes is not None
    assert [(one.address, one.act, one.replaces) for one in FOUND.changes] == [
        ("aws_instance.web", "create", True),
        ("aws_kms_key.new", "create", False),
        ("aws_security_group.api", "create", False),
        ("aws_security_group.web", "update", False),
        ("aws_security_group_rule.ssh", "create", False),
        ("aws_sqs_queue.gone", "delete", False),
        ("aws_sqs_queue.new", "create", False),
        ("aws_sqs_queue.orders", "update", False),
        ("aws_ssm_parameter.key", "update", False),
        ("aws_vpc_security_group_ingress_rule.https", "update", False),
    ]


def test_an_update_has_every_value_after_and_the_names_of_what_changes() -> None:
    one = planned("aws_sqs_queue.orders")
    assert one.changed == ("tags", "tags_all", "visibility_timeout_seconds")
    assert (one.sets["visibility_timeout_seconds"], one.sets["delay_seconds"]) == (60, 0)
    assert one.ids[0] == "orders"
    assert "arn:aws:sqs:eu-west-1:111122223333:orders" in one.ids


def test_what_is_gone_has_its_names_and_what_comes_has_none() -> None:
    assert QUEUE in planned("aws_sqs_queue.gone").ids
    assert planned("aws_sqs_queue.gone").sets == {}
    assert planned("aws_sqs_queue.new").ids == ()
    assert planned("aws_vpc_security_group_ingress_rule.https").ids[0] == "sg-web|ingress|tcp|8443|8443|10.3.0.0/16"


def test_what_the_apply_will_tell_is_unknown() -> None:
    assert planned("aws_sqs_queue.new").sets["kms_master_key_id"] == OPEN
    assert "kms_master_key_id" in planned("aws_sqs_queue.new").changed
    assert planned("aws_ssm_parameter.key").sets["version"] == OPEN
    assert planned("aws_security_group.web").sets["ingress"][0]["cidr_blocks"] == ["10.0.0.0/8", "192.168.0.0/16"]


def test_what_is_sensitive_is_sealed_wherever_it_stands() -> None:
    secret = seal(KEY, "hunter2")
    assert planned("aws_sqs_queue.orders").sets["tags_all"] == {"Name": "orders", "Token": secret}
    assert planned("aws_ssm_parameter.key").sets["value"] == seal(KEY, "s3cret")
    assert not [secret for secret in SECRETS if secret in repr(FOUND)]


def change(before: Any, after: Any, type_: str = "aws_sqs_queue", **more: Any) -> dict[str, Any]:
    actions = ["create"] if before is None else ["delete"] if after is None else ["update"]
    given = {"actions": actions, "before": before, "after": after, **more}
    return {"address": f"{type_}.x", "mode": "managed", "type": type_, "name": "x", "change": given}


def plan(*changes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"format_version": "1.2", "resource_changes": list(changes), **more}


def read(*changes: dict[str, Any], **more: Any) -> tuple[PlannedChange, ...]:
    return read_plan(json.dumps(plan(*changes, **more)).encode(), KEY).changes or ()


@pytest.mark.parametrize(
    ("value", "marks", "expected"),
    [
        ("v", False, "v"),
        ("v", True, OPEN),
        (None, {"a": False}, None),
        ({"a": 1}, {"b": True}, {"a": 1, "b": OPEN}),
        ({"a": None}, {"a": True}, {"a": OPEN}),
        ([1, 2], [False, True], [1, OPEN]),
        ([1, 2], [True], [OPEN, 2]),
        ([1], [False, True], OPEN),
        (None, [True], OPEN),
        ([{"a": 1}], [{}], [{"a": 1}]),
        ({"a": 1}, [], {"a": 1}),
        ([], {}, []),
    ],
)
def test_marks_of_what_is_unknown(value: Any, marks: Any, expected: Any) -> None:
    (one,) = read(change(None, {"policy": value}, after_unknown={"policy": marks}))
    assert one.sets["policy"] == expected


@pytest.mark.parametrize(
    "marks",
    [True, {"policy": True}, {"policy": {"a": True}}, {"policy": [{}, True]}],
)
def test_marks_of_what_is_sensitive(marks: Any) -> None:
    value = ["x", "hush"] if isinstance(marks, dict) and isinstance(marks["policy"], list) else {"a": "hush"}
    (one,) = read(change(None, {"policy": value, "other": "hush"}, after_sensitive=marks))
    assert "hush" not in repr(one)
    assert isinstance(one.sets["other"], Secret)


def test_very_many_marks_seal_whole_attributes() -> None:
    tags = {f"t{n}": f"v{n}" for n in range(MAX_MARKS + 1)}
    many = change(None, {"tags": tags, "name": "x"}, after_sensitive={"tags": dict.fromkeys(tags, True)})
    (one,) = read(many)
    assert all(isinstance(value, Secret) for value in one.sets["tags"].values())
    assert one.sets["name"] == "x"
    with pytest.raises(PlanError, match=f"more than {MAX_MARKS}"):
        read(change(None, tags, after_sensitive=dict.fromkeys(tags, True)))


def test_a_type_without_a_specification_has_its_names_too() -> None:
    arn = "arn:aws:ecs:eu-west-1:111122223333:service/main/web"
    (one,) = read(change({"id": arn, "name": "web", "cluster": "main"}, None, "aws_ecs_service"))
    assert one.ids == (arn, "web", "main|web")
    (alien,) = read(change({"id": "z", "other": 1}, None, "cloudflare_record"))
    assert alien.ids == ("z",)


def test_what_another_version_of_the_provider_wrote_is_found_by_its_ids() -> None:
    rule = change({"id": "sgrule-1", "security_group_rule_id": "sgr-1"}, None, "aws_security_group_rule")
    assert read(rule)[0].ids == ("sgr-1",)


# --- the fingerprint -----------------------------------------------------------------------------------------


def test_the_fingerprint_of_a_file_is_that_of_its_json() -> None:
    assert FOUND.fingerprint == fingerprint(PLAN)
    assert FOUND.fingerprint.startswith("sha256:")
    assert len(FOUND.fingerprint) == 71


def shuffled(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: shuffled(item) for name, item in reversed(value.items())}
    return [shuffled(item) for item in value] if isinstance(value, list) else value


def test_order_times_and_versions_do_not_count() -> None:
    other = shuffled(PLAN)
    other["resource_changes"].reverse()
    other |= {"timestamp": "2031-01-01T00:00:00Z", "terraform_version": "9.9.9", "format_version": "1.9", "x": 1}
    for each in other["resource_changes"]:
        each["provider_name"] = "registry.opentofu.org/hashicorp/aws"
        after = each["change"]["after"]
        each["change"]["after"] = after and {name: value for name, value in after.items() if value is not None}
    quiet = change({"name": "same"}, {"name": "same"})
    quiet["change"]["actions"] = ["no-op"]
    data = change(None, {"name": "read"}) | {"mode": "data"}
    other["resource_changes"] += [quiet, data]
    assert fingerprint(other) == fingerprint(PLAN)
    assert read_plan(json.dumps(other).encode(), KEY).fingerprint == FOUND.fingerprint


def edited(change_of: str, edit: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    other: dict[str, Any] = copy.deepcopy(PLAN)
    (one,) = (each for each in other["resource_changes"] if each["address"] == change_of)
    edit(one)
    return other


@pytest.mark.parametrize(
    ("address", "edit"),
    [
        ("aws_sqs_queue.orders", lambda one: one["change"]["after"].update(visibility_timeout_seconds=61)),
        ("aws_sqs_queue.orders", lambda one: one["change"]["after"].update(visibility_timeout_seconds="60")),
        ("aws_sqs_queue.orders", lambda one: one["change"]["after"].update(policy=["unknown"])),
        ("aws_sqs_queue.orders", lambda one: one["change"]["after_unknown"].update(policy=True)),
        ("aws_sqs_queue.orders", lambda one: one["change"]["after_sensitive"].update(delay_seconds=True)),
        ("aws_sqs_queue.orders", lambda one: one.update(address="module.a.aws_sqs_queue.orders")),
        ("aws_sqs_queue.orders", lambda one: one["change"].update(importing={"id": "x"})),
        ("aws_sqs_queue.gone", lambda one: one["change"].update(actions=["forget"])),
        ("aws_sqs_queue.gone", lambda one: one.update(deposed="abcd1234")),
        ("aws_instance.web", lambda one: one["change"].update(actions=["create", "delete"])),
        ("aws_ssm_parameter.key", lambda one: one.update(previous_address="aws_ssm_parameter.other")),
    ],
)
def test_whatever_changes_something_counts(address: str, edit: Callable[[dict[str, Any]], object]) -> None:
    assert fingerprint(edited(address, edit)) != fingerprint(PLAN)


def test_a_secret_cannot_be_guessed_from_the_fingerprint() -> None:
    text = json.dumps(PLAN)
    for secret in SECRETS:
        text = text.replace(secret, "other-secret")
    assert text != json.dumps(PLAN)
    assert fingerprint(json.loads(text)) == fingerprint(PLAN)
    assert read_plan(text.encode(), KEY) != FOUND


def test_moves_and_imports_change_state_and_count() -> None:
    quiet = change({"name": "a"}, {"name": "a"})
    quiet["change"]["actions"] = ["no-op"]
    moved, imported = quiet | {"previous_address": "aws_sqs_queue.y"}, copy.deepcopy(quiet)
    imported["change"]["importing"] = {"id": "x"}
    nothing = fingerprint(plan(quiet | {"previous_address": "aws_sqs_queue.x"}))
    assert nothing == fingerprint(plan())
    assert len({nothing, fingerprint(plan(moved)), fingerprint(plan(imported))}) == 3
    assert read(moved, imported) == ()


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "a", "unknown", "map"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
    max_leaves=8,
)


@given(JSON, JSON, JSON, JSON)
def test_any_marks_on_any_value_are_read(value: Any, other: Any, unknown: Any, sensitive: Any) -> None:
    one = change(None, {"policy": value}, after_unknown={"policy": unknown}, after_sensitive={"policy": sensitive})
    two = change(None, {"policy": other})
    assert read_plan(json.dumps(plan(one)).encode(), KEY).fingerprint == fingerprint(plan(one))
    if fingerprint(plan(change(None, {"policy": value}))) == fingerprint(plan(two)):
        # As JSON, true is not 1 and null in a map is no entry.
        assert json.dumps(bare(value), sort_keys=True) == json.dumps(bare(other), sort_keys=True)


def bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: bare(item) for name, item in value.items() if item is not None}
    return [bare(item) for item in value] if isinstance(value, list) else value


# --- what is no plan -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not what `terraform show -json PLAN` writes"),
        (b"PK\x03\x04", "not what"),
        (b"\xff\xfe", "not what"),
        (b"[]", "not what"),
        (b"{}", "no `format_version`"),
        (DATA[:-40], "not what"),
        (b'{"format_version": "2.0"}', "format version 2.0, read is version 1"),
        (b'{"format_version": "1.0", "values": {}}', "a state and no plan"),
        (b'{"format_version": "1.2", "errored": true}', "plan again"),
        (b'{"format_version": "1.2", "resource_changes": [{"address": 1}]}', "Expected `str`"),
        (b'{"format_version": "1.2", "resource_changes": ' + b"[" * 100_000, "not what"),
        (json.dumps(plan(change(None, {"a": 0}))).replace("0", "[" * 900 + "]" * 900).encode(), "not what"),
    ],
)
def test_what_is_no_plan(data: bytes, said: str) -> None:
    with pytest.raises(PlanError, match=said):
        read_plan(data, KEY)


def test_what_is_no_plan_as_json() -> None:
    with pytest.raises(PlanError, match="not what"):
        fingerprint({"format_version": 1})
    with pytest.raises(PlanError, match="plan again"):
        fingerprint({"format_version": "1.2", "errored": True})


def test_a_plan_too_large_is_not_decoded() -> None:
    with pytest.raises(PlanError, match="at most"):
        read_plan(b" " * (MAX_BYTES + 1), KEY)


def test_marks_that_try_the_patience_end_soon() -> None:
    deep: Any = True
    for _ in range(200):
        deep = {"a": deep}
    value = {"a": [{"b": n} for n in range(5_000)]}
    begun = time.process_time()
    read(change(None, {"policy": value}, after_unknown={"policy": deep}, after_sensitive={"policy": deep}))
    assert time.process_time() - begun < 2


# --- in a folder ---------------------------------------------------------------------------------------------


def test_a_plan_is_found_by_its_fingerprint(tmp_path: Path) -> None:
    other = json.dumps(plan(change(None, {"name": "x"})))
    (tmp_path / "a.json").write_text(other)
    (tmp_path / "b.json").write_bytes(DATA)
    (tmp_path / "c.txt").write_text("no plan")
    assert find_plan(FOUND.fingerprint, tmp_path, KEY) == FOUND
    (tmp_path / "z.json").write_text("never looked at")
    assert find_plan(FOUND.fingerprint, tmp_path, KEY) == FOUND
    both = find_plans([FOUND.fingerprint, fingerprint(json.loads(other))], tmp_path, KEY)
    assert [one.changes is None for one in both.values()] == [False, False]


def test_a_plan_that_is_not_there_says_what_was_looked_at(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "b.json").write_bytes(DATA)
    (tmp_path / "c.json").mkdir()
    os.mkfifo(tmp_path / "d.json")
    found = find_plan("sha256:0", tmp_path, KEY)
    assert found.changes is None
    assert found.why.startswith(f"no plan with this fingerprint among the 1 in {tmp_path}; not read: a.json: the plan")
    assert "c.json: it is no regular file" in found.why
    assert "d.json" in found.why


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert find_plan("sha256:0", tmp_path / "no", KEY).why == f"{tmp_path}/no: no such folder of plans"
    assert "File name too long" in find_plan("sha256:0", tmp_path / ("x" * 300), KEY).why


def test_a_folder_with_too_much_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.declared.approved_plan.MAX_FOLDER", len(DATA) + 10)
    (tmp_path / "a.json").write_bytes(DATA.replace(b"orders", b"orderz"))
    (tmp_path / "b.json").write_bytes(DATA)
    found = find_plan(FOUND.fingerprint, tmp_path, KEY)
    assert found.changes is None
    assert "b.json and what comes after it: more than" in found.why


# --- what Terraform itself writes ----------------------------------------------------------------------------

ROOT = """
variable "token" {
  sensitive = true
}
resource "terraform_data" "one" {
  input = { size = 3, token = var.token }
}
resource "terraform_data" "two" {
  input = terraform_data.one.id
}
"""


def test_two_plans_of_the_same_have_the_same_fingerprint(tmp_path: Path) -> None:
    """With the provider that is built into Terraform: nothing is fetched."""
    binary = shutil.which("terraform")
    if binary is None:
        pytest.skip("the terraform binary is not on PATH")
    (tmp_path / "main.tf").write_text(ROOT)
    env = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}

    def run(*arguments: str) -> bytes:
        done = subprocess.run(
            [binary, *arguments],
            cwd=tmp_path,
            env=env | {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"},
            capture_output=True,
            timeout=120,
            check=True,
        )
        return done.stdout

    def planned(token: str) -> bytes:
        run("plan", "-input=false", f"-var=token={token}", "-out=p.bin")
        return run("show", "-json", "p.bin")

    run("init", "-input=false")
    first, second = planned("hunter2"), planned("other")
    found = read_plan(first, KEY)
    assert found.fingerprint == read_plan(second, KEY).fingerprint
    assert first != second
    assert found.changes is not None
    one, two = found.changes
    assert one.sets["input"] == {"size": 3, "token": seal(KEY, "hunter2")}
    assert two.sets["input"] == OPEN

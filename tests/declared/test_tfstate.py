"""The state reader: what Terraform writes, and everything it would never write."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.declared.state import State, StateError, read_state

ROOTS = Path(__file__).parent / "roots"


def resource(**changes: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "mode": "managed",
        "type": "aws_sqs_queue",
        "name": "q",
        "provider": 'provider["registry.terraform.io/hashicorp/aws"]',
        "instances": [{"schema_version": 0, "attributes": {"id": "1"}, "sensitive_attributes": []}],
    }
    return whole | changes


def content(*resources: Any, **changes: Any) -> bytes:
    whole = {"version": 4, "terraform_version": "1.11.4", "serial": 7, "lineage": "l-1", "outputs": {}}
    return json.dumps(whole | {"resources": list(resources)} | changes).encode()


def read(*resources: Any, **changes: Any) -> State:
    return read_state(content(*resources, **changes), "prod.tfstate")


@pytest.mark.terraform
def test_addresses_are_spelled_as_terraform_does(terraform: Callable[..., Path]) -> None:
    root = terraform(ROOTS / "keys")
    env = {name: text for name, text in os.environ.items() if not name.startswith("TF_")}
    command = [str(shutil.which("terraform")), "state", "list"]
    listed = subprocess.run(command, cwd=root, env=env, capture_output=True, check=True).stdout.decode()
    state = read_state((root / "terraform.tfstate").read_bytes(), "keys")
    assert sorted(listed.split("\n")[:-1]) == sorted(each.address for each in state.instances)
    assert len(state.instances) == 19 + 2 + 19 + 2
    assert {("input",)} == {path for each in state.instances if each.module for path in each.sensitive}
    assert "canary" not in repr(state)


def test_what_an_instance_is_made_of() -> None:
    first = {
        "index_key": "a",
        "schema_version": 2,
        "attributes": {"id": "1", "n": 5, "list": [{"b": None}]},
        "sensitive_attributes": [],
        "dependencies": ["aws_vpc.v"],
    }
    state = read(resource(module='module.m["k"]', instances=[first]))
    (instance,) = state.instances
    assert (state.lineage, state.serial, state.terraform_version) == ("l-1", 7, "1.11.4")
    assert hashlib.sha256(content(resource(module='module.m["k"]', instances=[first]))).hexdigest() == state.digest
    assert instance.address == 'module.m["k"].aws_sqs_queue.q["a"]'
    assert (
        instance.module,
        instance.type,
        instance.name,
        instance.index,
        instance.schema_version,
    ) == ('module.m["k"]', "aws_sqs_queue", "q", "a", 2)
    assert instance.dependencies == ("aws_vpc.v",)
    assert instance.attributes() == {"id": "1", "n": 5, "list": [{"b": None}]}


def test_sensitive_paths() -> None:
    def step(kind: str, value: Any) -> dict[str, Any]:
        return {"type": kind, "value": value}

    marks = [
        [step("get_attr", "password")],
        [step("get_attr", "tags"), step("index", {"type": "string", "value": "t"})],
        [step("get_attr", "block"), step("index", {"type": "number", "value": 0}), step("get_attr", "x")],
        [step("get_attr", "set"), step("index", {"type": "object", "value": {"x": 1}}), step("get_attr", "x")],
        [step("get_attr", "future"), step("slice", [1, 2])],
        [],
    ]
    state = read(resource(instances=[{"attributes": {}, "sensitive_attributes": marks}]))
    paths = (("password",), ("tags", "t"), ("block", 0, "x"), ("set",), ("future",), ())
    assert paths == state.instances[0].sensitive


def test_data_sources_are_apart() -> None:
    found = resource(mode="data", type="aws_ami", name="a", module="module.m", instances=[{"attributes": {"id": "x"}}])
    state = read(resource(), found, resource(mode="future", name="f"))
    assert [(each.mode, each.address) for each in state.instances] == [("managed", "aws_sqs_queue.q")]
    assert [(each.mode, each.address, each.attributes()) for each in state.data] == [
        ("data", "module.m.data.aws_ami.a", {"id": "x"})
    ]
    assert state.notes == (("aws_sqs_queue.f", "of the unknown mode `future`"),)


def test_what_else_an_instance_says() -> None:
    bare, full = {"attributes": {}}, {"attributes": {"x": 0.10}, "index_key": 1, "status": "tainted"}
    named = {"identity": {"account_id": "1", "id": "x"}, "identity_schema_version": 1, "private": "bnVsbA=="}
    nulls = {"index_key": 2, "attributes": {}, "dependencies": None, "sensitive_attributes": None, "identity": None}
    state = read(resource(instances=[bare, full | named, nulls]))
    assert [each.tainted for each in state.instances] == [False, True, False]
    assert [each.identity() for each in state.instances] == [{}, {"account_id": "1", "id": "x"}, {}]
    assert state.instances[1].attributes() == {"x": 0.1}
    assert state.instances[1].exact() == {"x": Decimal("0.1")}


def test_outputs() -> None:
    outputs = {
        "secret": {"value": "canary", "type": "string", "sensitive": True},
        "list": {"value": [1, 2.50, 10**30], "type": ["list", "number"]},
        "nothing": {"value": None, "type": "dynamic"},
    }
    state = read(outputs=outputs, check_results=[{"object_kind": "output", "objects": None}])
    assert [(name, each.name, each.sensitive) for name, each in state.outputs.items()] == [
        ("secret", "secret", True),
        ("list", "list", False),
        ("nothing", "nothing", False),
    ]
    assert "canary" not in repr(state)
    assert state.outputs["secret"].value() == "canary"
    assert state.outputs["list"].value() == [1, Decimal("2.5"), 10**30]
    assert [each.type() for each in state.outputs.values()] == ["string", ["list", "number"], "dynamic"]
    assert state.outputs["nothing"].value() is None
    assert read(outputs=None, resources=None).outputs == {}


def test_what_is_left_out() -> None:
    state = read(
        resource(mode="data", instances=[{"deposed": "00a1"}, {}]),
        resource(instances=[{"attributes": {"id": "1"}}, {"deposed": "00a1", "attributes": {"id": "2"}}]),
        resource(name="old", instances=[{"attributes_flat": {"id": "3"}}]),
    )
    assert [each.address for each in state.instances] == ["aws_sqs_queue.q"]
    assert state.notes == (
        ("aws_sqs_queue.q", "a deposed object, which the next apply destroys"),
        ("aws_sqs_queue.old", "recorded without attributes by a Terraform before 0.12"),
    )


WRONG = {
    b"": "prod.tfstate is empty",
    b" \n": "prod.tfstate is empty",
    b'{"version": 4, "ser': "is not whole JSON: it ends at byte 19 in the middle; restore the last good state",
    b'{"version": 4]': "is not whole JSON: JSON is malformed: expected ',' or '}' (byte 13)",
    b"<html>": "is not whole JSON: JSON is malformed: invalid character (byte 0)",
    b"\xff\xfe\x00": "is not whole JSON",
    b"[]": "is not a state as Terraform writes it: Expected `object`, got `array`",
    b"{}": "is not a Terraform state: it has no `version`",
    b'{"version": "4"}': "Expected `int | null`, got `str` - at `$.version`",
    b'{"version": 3}': "has format version 3, read is version 4: run `terraform apply -refresh-only`",
    b'{"version": 5}': "has format version 5, read is version 4: update driftwarden",
    b'{"version": 4}': "missing required field `lineage`",
    b'{"encrypted_data": "x", "encryption_version": "v0"}': "is encrypted by OpenTofu",
    content(resources={}): "Expected `array | null`, got `object` - at `$.resources`",
    content(resources=[1]): "Expected `object`, got `int` - at `$.resources[0]`",
    content(resource(instances={})): "Expected `array`, got `object` - at `$.resources[0].instances`",
    content(resource(name=None)): "Expected `str`, got `null` - at `$.resources[0].name`",
    content(resource(instances=[{"index_key": [1], "attributes": {}}])): "$.resources[0].instances[0].index_key",
    content(resource(), resource()): "records aws_sqs_queue.q twice: remove one with `terraform state rm`",
    b'{"version": 4, "x": ' + b"[" * 100_000: "is not a state as Terraform writes it: RecursionError",
}


@pytest.mark.parametrize("data", WRONG, ids=lambda data: repr(data[:40]))
def test_what_is_no_state(data: bytes) -> None:
    with pytest.raises(StateError) as error:
        read_state(data, "prod.tfstate")
    assert str(error.value).startswith("prod.tfstate ")
    assert WRONG[data] in str(error.value)


@pytest.mark.parametrize(
    ("attributes", "told"),
    [(b"[]", "Expected `object`, got `array`"), (b'{"a": "\xff"}', "UnicodeDecodeError"), (b'{"a": 1e999}', "Number")],
)
def test_attributes_that_do_not_decode(attributes: bytes, told: str) -> None:
    data = content(resource(instances=[{"attributes": {"mark": 1}}])).replace(b'{"mark": 1}', attributes)
    (instance,) = read_state(data, "prod.tfstate").instances
    with pytest.raises(StateError, match=f"state of aws_sqs_queue.q .*{told}"):
        instance.attributes()


def test_a_state_that_is_too_large_is_not_read() -> None:
    data = content(resource())
    assert read_state(data, "s", limit=len(data)).serial == 7
    with pytest.raises(
        StateError, match=f"^s has {len(data)} bytes, at most {len(data) - 1} are read: split the stack$"
    ):
        read_state(data, "s", limit=len(data) - 1)


def test_reading_takes_little_more_than_the_state_itself() -> None:
    instances = [{"index_key": n, "attributes": {"id": str(n), "blob": ["x" * 50] * 100}} for n in range(2_000)]
    data = content(resource(instances=instances))
    tracemalloc.start()
    try:
        state = read_state(data, "big")
        ids = [each.attributes()["id"] for each in state.instances]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [str(n) for n in range(2_000)] == ids
    assert len(data) > 10_000_000
    assert peak < len(data) / 2, "besides the bytes themselves"


MEASURE = """
import re, sys
from pathlib import Path
from agent.declared.state import read_state

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

resting = peak()
data = Path(sys.argv[1]).read_bytes()
state = read_state(data, "big")
ids = sum(each.attributes()["id"] == str(n) for n, each in enumerate(state.instances))
print(len(data), len(state.instances), ids, resting, peak())
"""
"""Not by getrusage: its peak is inherited over exec from a larger parent."""


def test_200_mb_take_at_most_three_times_as_much_memory(tmp_path: Path) -> None:
    """Small instances are the worst case: what is kept of each weighs most against its text."""
    path, count = tmp_path / "big.tfstate", 100_000
    head, _, tail = content(resource(instances=["@"])).partition(b'"@"')
    one = json.dumps({"index_key": "@", "attributes": {"id": "@", "tags": {"n": "x" * 1_900}}, "dependencies": ["a.b"]})
    with path.open("wb") as file:
        file.write(head + b",".join(one.replace('"@"', f'"{n}"').encode() for n in range(count)) + tail)
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", MEASURE, path], env=env, capture_output=True, text=True, check=True)
    path.unlink()
    size, instances, ids, resting, peak = map(int, done.stdout.split())
    assert (instances, ids) == (count, count)
    assert size > 195_000_000
    assert peak > size + resting / 2, "the measure measures"
    assert peak - resting < 3 * size, f"{(peak - resting) / size:.2f} times its size"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(["resources", "lineage", "serial", "version"]), JSON)
def test_any_shape_is_a_state_or_an_error(name: str, value: Any) -> None:
    try:
        assert read_state(content(resource(), **{name: value}), "s").serial >= -(2**63)
    except StateError as error:
        assert str(error).startswith("s ")


@given(st.sampled_from(["mode", "type", "name", "provider", "instances", "module"]), JSON)
def test_any_resource_is_read_or_an_error(name: str, value: Any) -> None:
    try:
        assert len(read_state(content(resource(**{name: value})), "s").instances) <= 3
    except StateError as error:
        assert str(error).startswith("s ")

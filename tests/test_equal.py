"""Same meaning, same canonical form; different meaning, different form."""

import json
from typing import Any

import pytest
from deepdiff import DeepDiff
from hypothesis import given
from hypothesis import strategies as st

from agent.equal import canonical, parsed, unknowns
from agent.model import Secret, Unknown
from agent.resources import Kind

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("number", 30, "30"),
        ("number", "1.50", 1.5),
        ("number", 1e3, 1000),
        ("bool", True, "true"),
        ("bool", "0", False),
        ("text", None, ""),
        ("text", 5, "5"),
        ("text", True, "true"),
        ("set", ["a", "b"], ["b", "a"]),
        ("set", "a", ["a"]),
        ("set", [], None),
        ("set", [{"x": ["2", "1"]}], [{"x": [1, 2], "y": None, "z": False}]),
        ("list", [{"a": "", "on": False}], [{"a": None, "on": None}]),
        ("list", [{"b": [{"c": []}]}], [{"b": [{"c": None}]}]),
        ("list", {"a": 1}, [{"a": "1"}]),
        ("map", {"a": None, "b": 1}, {"b": "1"}),
        ("tags", {"a": "1", "aws:cloudformation:stack-name": "s"}, {"a": "1"}),
        ("tags", {}, None),
        ("json", '{"b": 1, "a": [1, 2]}', {"a": [1, 2], "b": 1}),
        ("json", "not json", "not json"),
        ("policy", "not a policy", "not a policy"),
        ("policy", '"text"', "text"),
    ],
)
def test_the_same(kind: Kind, one: Any, other: Any) -> None:
    assert canonical(one, kind) == canonical(other, kind)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("number", 30, 31),
        ("number", "many", "more"),
        ("number", "NaN", "1"),
        ("bool", True, False),
        ("bool", "maybe", True),
        ("text", "1.0", "1"),
        ("text", "a", "A"),
        ("set", ["a"], ["a", "b"]),
        ("list", ["a", "b"], ["b", "a"]),
        ("tags", {"a": "1"}, {"a": "2"}),
        ("json", "[1, 2]", "[2, 1]"),
        ("json", '{"a": false}', "{}"),
        ("number", Secret("a" * 64), Secret("b" * 64)),
        ("text", Secret("a" * 64), "a" * 64),
    ],
)
def test_not_the_same(kind: Kind, one: Any, other: Any) -> None:
    assert canonical(one, kind) != canonical(other, kind)


def statement(**fields: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"} | fields


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (statement(Action=["s3:B", "s3:A"]), statement(Action=["s3:a", "s3:B"])),
        (statement(Action="s3:*"), statement(Action=["s3:*"])),
        (statement(NotAction="s3:*"), statement(NotAction=["S3:*"])),
        (statement(Resource=["x", "y"]), statement(Resource=["y", "x"])),
        (statement(Principal="*"), statement(Principal={"AWS": "*"})),
        (
            statement(Principal={"AWS": "123456789012"}),
            statement(Principal={"AWS": ["arn:aws:iam::123456789012:root"]}),
        ),
        (
            statement(Condition={"Bool": {"aws:SecureTransport": False}}),
            statement(Condition={"Bool": {"aws:securetransport": ["false"]}}),
        ),
        (statement(Sid=""), statement()),
    ],
)
def test_policies_that_say_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    left = {"Version": "2012-10-17", "Statement": [one]}
    right = json.dumps({"Statement": other, "Version": "2012-10-17"})
    assert canonical(left, "policy") == canonical(right, "policy")


@pytest.mark.parametrize(
    "other",
    [
        statement(Effect="Deny"),
        statement(Action="s3:PutObject"),
        statement(Resource="arn:aws:s3:::x/*"),
        statement(Principal="*"),
        statement(Principal=["odd"]),
        statement(Condition={"Bool": {"aws:SecureTransport": "true"}}),
        statement(Condition={"Bool": "odd"}),
        statement(Condition=["odd"]),
        "odd",
    ],
)
def test_policies_that_do_not(other: Any) -> None:
    one = {"Version": "2012-10-17", "Statement": [statement()]}
    assert canonical(one, "policy") != canonical({**one, "Statement": [other]}, "policy")


@given(TREES)
def test_a_value_equals_itself_through_json(value: Any) -> None:
    again = json.loads(json.dumps(value))
    for kind in ("text", "json", "list", "set", "map"):
        assert canonical(value, kind) == canonical(again, kind)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), SCALARS, max_size=3), max_size=5), st.randoms())
def test_reordering_a_set_changes_nothing(items: list[Any], random: Any) -> None:
    shuffled = items[:]
    random.shuffle(shuffled)
    assert canonical(items, "set") == canonical(shuffled, "set")


@given(TREES, TREES)
def test_json_agrees_with_deepdiff(one: Any, other: Any) -> None:
    """DeepDiff is the oracle: what it calls the same is the same here, and our form never differs where it does not."""
    left, right = canonical([one], "json"), canonical([other], "json")
    assert (not DeepDiff(left, right)) == (left == right)


@given(
    st.lists(st.builds(statement, Action=st.lists(st.sampled_from(["s3:A", "s3:B", "sqs:C"]), min_size=1))),
    st.randoms(),
)
def test_the_order_of_a_policy_never_matters(statements: list[dict[str, Any]], random: Any) -> None:
    other = [{**one, "Action": random.sample(one["Action"], len(one["Action"]))} for one in statements]
    random.shuffle(other)
    assert canonical({"Statement": statements}, "policy") == canonical({"Statement": other}, "policy")


def test_unknowns_are_found_anywhere() -> None:
    one, two = Unknown("first"), Unknown("second")
    assert unknowns({"a": [one, {"b": two}], "c": "x"}) == (one, two)
    assert unknowns("plain") == ()


def test_parsed_leaves_what_is_no_json() -> None:
    assert parsed('{"a": 1}') == {"a": 1}
    assert parsed("{") == "{"
    assert parsed(7) == 7
    assert parsed("[" * 100_000) == "[" * 100_000


def test_a_value_nested_too_deep_to_walk_stays_what_it_is() -> None:
    deep = "[" * 500 + "]" * 500
    assert canonical(deep, "json") == canonical(deep, "json")
    bottomless: list[Any] = []
    bottomless.append([bottomless])
    assert canonical(bottomless, "json") == repr(list)


@pytest.mark.parametrize("value", ["1e9999999", "-1e9999999", "Infinity"])
def test_a_number_beyond_all_bounds_stays_text(value: str) -> None:
    assert canonical(value, "number") == value


def test_tags_that_are_no_map_are_compared_as_they_are() -> None:
    assert canonical(["a"], "tags") == ["a"]
    assert canonical({"break-glass": ""}, "tags") == {"break-glass": ""}

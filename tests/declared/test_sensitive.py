"""Sealing: what Terraform marks, where it was copied to, and the same places on the live side."""

from datetime import UTC, datetime
from typing import Any

from agent.declared.sensitive import marked_scalars, seal_alike, sealed
from agent.model import Key, Resource, Secret, Snapshot
from agent.seal import seal

KEY = b"k" * 32
WHEN = datetime(2026, 1, 1, tzinfo=UTC)


def secret(value: Any) -> Secret:
    found = seal(KEY, value)
    assert isinstance(found, Secret)
    return found


def test_paths_and_copies() -> None:
    recorded = {
        "password": "p1",
        "tags": {"token": "t1", "plain": "x"},
        "tags_all": {"token": "t1", "plain": "x", "team": "y"},
        "env": [{"name": "A", "value": "v1"}, {"name": "B", "value": "v2"}],
        "set": ["s1", "s2"],
        "pin": 1234,
        "flag": True,
        "also": [True, 1234, "1234", "p1", None, ""],
        "empty": None,
    }
    paths = (
        ("password",),
        ("tags", "token"),
        ("env", 0, "value"),
        ("set",),
        ("pin",),
        ("flag",),
        ("empty", "x"),
        ("no",),
    )
    assert {"p1", "t1", "v1", "v2", "s1", "s2", 1234} == marked_scalars(recorded, paths)
    assert {
        "password": secret("p1"),
        "tags": {"token": secret("t1"), "plain": "x"},
        "tags_all": {"token": secret("t1"), "plain": "x", "team": "y"},
        "env": [{"name": "A", "value": secret("v1")}, {"name": "B", "value": secret("v2")}],
        "set": [secret("s1"), secret("s2")],
        "pin": secret(1234),
        "flag": secret(True),
        "also": [True, secret(1234), "1234", secret("p1"), None, ""],
        "empty": None,
    } == sealed(KEY, recorded, paths, marked_scalars(recorded, paths))


def test_a_path_that_does_not_fit_hides_all() -> None:
    recorded = {"a": "text", "b": ["x"], "c": {"d": "e"}}
    paths: tuple[tuple[str | int, ...], ...] = (("a", "deeper"), ("b", "name"), ("c", "d", 0))
    assert {"a": secret("text"), "b": [secret("x")], "c": {"d": secret("e")}} == sealed(
        KEY, recorded, paths, frozenset()
    )


def test_the_whole_of_it() -> None:
    assert {"a": secret("x"), "b": {"c": secret("y")}} == sealed(KEY, {"a": "x", "b": {"c": "y"}}, ((),), frozenset())


def snapshots(declared: dict[str, Any], live: dict[str, Any]) -> tuple[Snapshot, Snapshot]:
    key = Key("1", "r", "t", "i")
    return (
        Snapshot("declared", WHEN, (Resource(key, declared),)),
        Snapshot("live", WHEN, (Resource(key, live), Resource(Key("1", "r", "t", "other"), live))),
    )


def test_the_live_side_alike() -> None:
    declared = {
        "password": secret("p"),
        "plain": "x",
        "env": {"A": secret("a"), "B": "b"},
        "list": [{"n": 1, "v": secret("v")}, {"n": 2, "v": secret("w")}],
        "set": [secret("s1"), secret("s2")],
        "unset": None,
    }
    live = {
        "password": "p",
        "plain": "x",
        "env": {"A": "changed", "B": "b", "C": "added"},
        "list": [{"n": 2, "v": "w"}, {"n": 1, "v": "v"}],
        "set": ["s2", "s1", "s3"],
        "unset": "u",
        "more": "m",
    }
    left, right = snapshots(declared, live)
    alike, other = seal_alike(left, right, KEY).resources
    assert {
        "password": secret("p"),
        "plain": "x",
        "env": {"A": secret("changed"), "B": "b", "C": secret("added")},
        "list": [{"n": 2, "v": secret("w")}, {"n": 1, "v": secret("v")}],
        "set": [secret("s2"), secret("s1"), secret("s3")],
        "unset": "u",
        "more": "m",
    } == alike.attributes
    assert live == other.attributes


def test_what_the_live_side_does_not_have_stays_absent() -> None:
    left, right = snapshots(
        {"a": secret("x"), "b": {"c": secret("y")}, "d": [secret("z")]}, {"a": None, "b": {}, "d": []}
    )
    assert seal_alike(left, right, KEY).resources[0].attributes == {"a": None, "b": {}, "d": []}

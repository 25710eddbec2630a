"""The codec gives back exactly what it was given, whatever the user's data looks like."""

import dataclasses
import functools
import json
import re
import types
import typing
from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum
from time import process_time
from typing import Any, Literal, NewType, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import agent.model
from agent.model import Finding, Key, Open, Resource, Scope, Secret, Snapshot, Source, Unknown, Verdict
from agent.store.codec import decode, digest, encode

_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_TAGS = ["$", "$$", "items", "value", "tuple", "set", "dict", "time", "float", "Unknown", "why", "Key", "__class__"]

# JSON itself reads two halves of a surrogate pair, side by side, as the one character they encode.
texts = st.sampled_from(_TAGS) | st.text(st.characters(), max_size=6).filter(lambda text: not _PAIR.search(text))
moments = st.datetimes(timezones=st.just(UTC))
atoms = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | texts
    | moments
    | st.builds(Unknown, texts)
    | st.builds(Secret, texts)
    | st.builds(Key, texts, texts, texts, texts)
)
anything = st.recursive(
    atoms,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(texts, inner, max_size=3)
        | st.frozensets(atoms, max_size=3)
    ),
    max_leaves=6,
)


@functools.cache
def of(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type as the model's annotations name it."""
    if kind is Any:
        return anything
    if isinstance(kind, NewType):
        return of(kind.__supertype__)
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        return st.deferred(lambda: st.builds(kind, **{f.name: of(hints[f.name]) for f in dataclasses.fields(kind)}))
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        return st.sampled_from(args)
    if origin in (Union, types.UnionType):
        return st.one_of([of(arg) for arg in args])
    if origin is tuple:
        return st.lists(of(args[0]), max_size=2).map(tuple)
    if origin is frozenset:
        return st.frozensets(of(args[0]), max_size=3)
    if origin is Mapping:
        return st.dictionaries(texts, of(args[1]), max_size=3)
    simple = {str: texts, int: st.integers(), float: st.floats(allow_nan=False), bool: st.booleans(), datetime: moments}
    return st.none() if kind is type(None) else simple[kind]


KINDS = [kind for kind in vars(agent.model).values() if isinstance(kind, type) and dataclasses.is_dataclass(kind)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_every_value_of_the_model_comes_back(kind: type[Any], data: st.DataObject) -> None:
    value = data.draw(of(kind))
    text = encode(value)
    back = decode(kind, text)
    assert value == back
    assert text == encode(back)  # also tells True from 1 from 1.0
    assert text.isascii()


@settings(max_examples=300, deadline=None)
@given(anything)
def test_any_json_shaped_value_comes_back(value: Any) -> None:
    text = encode(value)
    back = decode(object, text)
    assert value == back
    assert text == encode(back)
    assert type(value) is type(back)


@pytest.mark.parametrize(
    "value",
    [
        {"$": "Unknown", "why": "not one of ours"},
        {"$": "tuple", "items": [1]},
        {"$": {"$": {"$": None}}},
        {"$": "dict", "items": [["$", "x"]]},
        {"$": "no such thing"},
        [{"$": "time", "value": "not a time"}],
    ],
)
def test_data_that_looks_like_ours_stays_data(value: Any) -> None:
    assert value == decode(object, encode(value))


def test_tuples_and_sets_and_numbers_keep_their_kind() -> None:
    value = {"t": (1, (True, 1.0)), "s": frozenset({"b", "a"}), "l": [1, True, 1.0], "big": 2**200}
    back = decode(dict, encode(value))
    assert value == back
    assert [int, bool, float] == [type(item) for item in back["l"]]


def test_text_is_readable_and_leaves_defaults_out() -> None:
    text = encode(Open(agent.model.Case("C-1", "q", ("F-1",), "high")))
    assert text == (
        '{"$":"Open","case":{"$":"Case","findings":{"$":"tuple","items":["F-1"]},'
        '"key":"C-1","severity":"high","title":"q"}}'
    )


def test_equal_values_have_equal_digests() -> None:
    one = Verdict("authorised", path="".join(["man", "ual"]))
    other = Verdict("authorised", path="manual", tests=(), late=False)
    assert digest(encode(one)) == digest(encode(other))
    assert encode({"a": 1, "b": frozenset("xyz")}) == encode({"b": frozenset("zyx"), "a": 1})
    assert encode({"a": 1}) != encode({"a": True})


def test_times_become_utc() -> None:
    berlin = datetime(2026, 7, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    assert datetime(2026, 7, 1, 10, tzinfo=UTC) == decode(datetime, encode(berlin))
    assert decode(datetime, encode(berlin)).tzinfo == UTC


def test_subclasses_become_what_they_are() -> None:
    class Token(str):
        """As a parser makes them."""

    class Port(IntEnum):
        """As a library may name numbers."""

        HTTPS = 443

    class Block(list[str]):
        """As a parser makes them."""

    value = OrderedDict({Token("a"): Token("b")})
    assert decode(list, encode([Port.HTTPS, Block(["x"])])) == [443, ["x"]]
    back = decode(dict, encode(value))
    assert back == {"a": "b"}
    assert str is type(back["a"])


@pytest.mark.parametrize(
    ("value", "error", "says"),
    [
        ({1: "a"}, TypeError, "a mapping key must be a string, not int"),
        (b"a", TypeError, "a bytes cannot be stored"),
        (datetime(2026, 1, 1), ValueError, "a time without a zone"),  # noqa: DTZ001 - the mistake under test
    ],
)
def test_what_cannot_be_kept_is_refused(value: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        encode([value])


def test_nesting_without_end_is_refused() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(ValueError, match="nested too deeply"):
        encode(value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"$":"Keys"}', "'Keys', which this version does not know"),
        ('{"$":"Key","account":"1"}', "does not fit this version"),
        ('{"$":"Unknown","why":"x","colour":"red"}', "does not fit this version"),
        ('{"$":["Key"]}', "does not fit this version"),
        ("[]", "is a list, expected a Finding"),
        ('{"$":"Fin', "Unterminated"),
    ],
)
def test_what_does_not_fit_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        decode(Finding, text)


def test_a_member_added_later_takes_its_default() -> None:
    written_before = json.dumps({"$": "Scope", "account": "1"})
    assert Scope(account="1") == decode(Scope, written_before)


def test_five_thousand_resources_in_well_under_a_second() -> None:
    snapshot = Snapshot("live", datetime(2026, 1, 1, tzinfo=UTC), tuple(_resource(n) for n in range(5000)))
    begun = process_time()
    back = decode(Snapshot, encode(snapshot))
    took = process_time() - begun
    assert snapshot == back
    assert took < 2  # 0.5 s here; room for a slower machine


def _resource(number: int) -> Resource:
    plain = {f"attribute_{n}": (f"value {n} of {number}" if n % 3 else n) for n in range(16)}
    other = {"tags": {"Name": f"n{number}"}, "rules": [{"port": 1}], "policy": Unknown("x"), "key": Secret("ab" * 32)}
    return Resource(
        Key("123456789012", "eu-west-1", "aws_sqs_queue", f"q{number}"),
        plain | other,
        (f"arn:aws:sqs:eu-west-1:123456789012:q{number}",),
        address=f"aws_sqs_queue.q{number}",
        source=Source("main.tf", number),
        configured=frozenset(plain),
    )


def test_the_model_is_covered() -> None:
    assert {"Finding", "Snapshot", "Ticket", "Held"} <= {kind.__name__ for kind in KINDS}
    assert all(typing.get_type_hints(kind) for kind in KINDS)

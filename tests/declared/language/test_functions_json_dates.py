"""JSON and points in time: expected results are what Terraform 1.11.4 gives."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from text_function_calls import called, plain, refused, typed

from agent.declared.language.types import STRING, ListOf, MapOf
from agent.declared.language.values import List, Map, Set, Tuple, Unknown, Value, type_of


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "null"),
        (
            '<>&\u2028\u2029\x7f\x01\b\f\n\r\t é"\\',
            '"\\u003c\\u003e\\u0026\\u2028\\u2029\x7f\\u0001\\b\\f\\n\\r\\t é\\"\\\\"',
        ),
        (
            {"b": 1, "a": [1.5, Decimal("1e30"), 1e-10, None, True]},
            '{"a":[1.5,1000000000000000000000000000000,0.0000000001,null,true],"b":1}',
        ),
        (0.1, "0.1"),
    ],
)
def test_writing_json(value: Any, expected: str) -> None:
    assert plain("jsonencode", value) == expected


def test_collections_are_written_in_order() -> None:
    assert called("jsonencode", Set(["b", "a"], STRING)) == '["a","b"]'
    assert called("jsonencode", Map({"b": List([], STRING), "a": List(["<"], STRING)}, ListOf(STRING))) == (
        '{"a":["\\u003c"],"b":[]}'
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a":1,"a":"x"}', (["object", {"a": "string"}], {"a": "x"})),
        ("[1e400, 1.0, -0, 0.10, 1E2]", (["tuple", ["number"] * 5], [Decimal("1e400"), 1, 0, Decimal("0.1"), 100])),
        ('"\\ud800\\ud83d\\ude00"', ("string", "\ufffd😀")),
        ('"e\\u0301"', ("string", "é")),
        (" [null, {}, []] ", (["tuple", ["dynamic", ["object", {}], ["tuple", []]]], [None, {}, []])),
        ("true]{,:", ("bool", True)),
        ("12345678901234567890123", ("number", 12345678901234567890123)),
    ],
)
def test_reading_json(text: str, expected: Any) -> None:
    assert typed("jsondecode", text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "line 1, column 1"),
        ("[1] x", "column 5"),
        ("NaN", "NaN is no number"),
        ("[-Infinity]", "-Infinity is no number"),
        ('"\n"', "line 1"),
        ("1e999999999999", "digits"),
        ("1" * 30_000, "digits"),
        ("[" * 102 + "]" * 102, "nested"),
        ("[" * 1_000_000, "no JSON"),
    ],
)
def test_what_is_no_json(text: str, why: str) -> None:
    assert why in refused("jsondecode", text)


def test_what_json_cannot_hold() -> None:
    assert "infinity" in refused("jsonencode", Decimal("Infinity"))
    deep: Value = "x"
    for _ in range(102):
        deep = Tuple([deep])
    assert "nested deeper" in refused("jsonencode", deep)
    assert "at most" in refused("jsonencode", ["<" * 4_000_000])


def test_json_of_something_partly_unknown_is_unknown() -> None:
    assert isinstance(called("jsonencode", {"a": Unknown("x", STRING), "b": 1}), Unknown)


TEXT = st.text("aé\"\\< :-#\n\t\x85'👩", max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.decimals(-1000, 1000, places=3) | TEXT,
    lambda inside: (
        st.lists(inside, max_size=4) | st.dictionaries(TEXT.filter(lambda key: key != "<<"), inside, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("form", ["json", "yaml"])
@settings(max_examples=60, deadline=None)
@given(data=JSON)
def test_what_is_written_is_read_again(form: str, data: Any) -> None:
    again = called(f"{form}decode", called(f"{form}encode", data))
    assert called("jsonencode", again) == called("jsonencode", data)


# --- points in time ------------------------------------------------------------------------------------------

EVERYTHING = "YYYY YY MMMM MMM MM M DD D EEEE EEE hh h HH H AA aa mm m ss s ZZZZZ ZZZZ ZZZ Z"


@pytest.mark.parametrize(
    ("template", "stamp", "expected"),
    [
        (
            EVERYTHING,
            "2021-03-04T05:06:07+01:30",
            "2021 21 March Mar 03 3 04 4 Thursday Thu 05 5 05 5 AM am 06 6 07 7 +01:30 +0130 +0130 +01:30",
        ),
        (
            EVERYTHING,
            "2021-12-14T15:16:17Z",
            "2021 21 December Dec 12 12 14 14 Tuesday Tue 15 15 03 3 PM pm 16 16 17 17 +00:00 +0000 UTC Z",
        ),
        ("HH H AA aa", "2021-12-14T00:16:17Z", "12 12 AM am"),
        ("ZZZ Z", "2021-12-14T12:16:17-00:00", "UTC Z"),
        ("'it''s' 'YYYY'-YYYY年", "2021-12-14T12:16:17.123456789123Z", "it's YYYY-2021年"),
        ("''", "2021-12-14T12:16:17Z", "'"),
        ("''''", "2021-12-14T12:16:17Z", "''"),
        ("'a''", "2021-12-14T12:16:17Z", "a'"),
        ("'a'''", "2021-12-14T12:16:17Z", "a'"),
        ("'''a'aa", "2021-12-14T12:16:17Z", "'apm"),
        ("YYYY EEE", "0000-01-01T00:00:00Z", "0000 Sat"),
        ("YYYY EEE", "9999-12-31T23:59:59Z", "9999 Fri"),
    ],
)
def test_dates(template: str, stamp: str, expected: str) -> None:
    assert plain("formatdate", template, stamp) == expected


@pytest.mark.parametrize(
    "template",
    ["'a", "'", "a'", "YYY", "YYYYY", "MMMMM", "DDD", "EE", "hhh", "A", "a", "x", "T", "ZZ", "ZZZZZZ", "''''a'"],
)
def test_templates_that_are_none(template: str) -> None:
    assert "`format`" in refused("formatdate", template, "2021-12-14T12:16:17Z")


@pytest.mark.parametrize(
    "stamp",
    [
        *(
            "",
            "2021-12-14",
            "2021-12-14T12:16:60Z",
            "2021-12-14T12:16:17.Z",
            "2021-12-14T12:16:17,5Z",
            "2021-12-14t12:16:17z",
        ),
        *(
            "2021-12-14 12:16:17Z",
            "2021-12-14T12:16:17",
            "2021-12-14T24:00:00Z",
            "2021-02-29T00:00:00Z",
            "2021-1-1T00:00:00Z",
        ),
        *(
            "2021-12-14T12:16:17+24:00",
            "2021-12-14T12:16:17+01:60",
            "2021-12-14T12:16:17+0100",
            "20211-12-14T12:16:17Z",
        ),
        *("2021-00-14T12:16:17Z", "2021-12-00T12:16:17Z", "٢٠21-12-14T12:16:17Z", "2021-12-14T12:16:17Z\n"),
    ],
)
def test_stamps_that_are_none(stamp: str) -> None:
    assert "`time`" in refused("formatdate", "YYYY", stamp)


@pytest.mark.parametrize(
    ("stamp", "duration", "expected"),
    [
        ("2021-12-14T12:16:17Z", "-1h30m5s", "2021-12-14T10:46:12Z"),
        ("2021-12-14T12:16:17Z", "+1.5h", "2021-12-14T13:46:17Z"),
        ("2021-12-14T12:16:17Z", ".5m1.m", "2021-12-14T12:17:47Z"),
        ("2021-12-14T12:16:17Z", "1500000µs", "2021-12-14T12:16:18Z"),
        ("2021-12-14T12:16:17Z", "1500000μs", "2021-12-14T12:16:18Z"),
        ("2021-12-14T12:16:17.5Z", "-600ms", "2021-12-14T12:16:16Z"),
        ("2021-12-14T12:16:17Z", "0.3333333333333333333h", "2021-12-14T12:36:17Z"),
        ("2021-12-14T12:16:17Z", "-0", "2021-12-14T12:16:17Z"),
        ("2021-12-14T12:16:17Z", "-9223372036854775808ns", "1729-09-04T12:29:00Z"),
        ("9999-12-31T23:59:59Z", "1s", "10000-01-01T00:00:00Z"),
        ("0000-01-01T00:00:00Z", "-1s", "-0001-12-31T23:59:59Z"),
        ("2021-12-14T00:16:17-08:00", "-1h", "2021-12-13T23:16:17-08:00"),
        ("2021-12-14T12:16:17+00:00", "1h", "2021-12-14T13:16:17Z"),
    ],
)
def test_adding_durations(stamp: str, duration: str, expected: str) -> None:
    assert plain("timeadd", stamp, duration) == expected


@pytest.mark.parametrize(
    "duration",
    ["", "1", "1d", "1h 5m", "-", "h", ".h", "--1h", "2562048h", "9223372036854775808ns", "1" * 1000 + "h", "٣h"],
)
def test_durations_that_are_none(duration: str) -> None:
    assert "`duration`" in refused("timeadd", "2021-12-14T12:16:17Z", duration)


def test_comparing_times() -> None:
    assert plain("timecmp", "2021-12-14T12:16:17Z", "2021-12-14T13:16:17+01:00") == 0
    assert plain("timecmp", "2021-12-14T12:16:17Z", "2021-12-14T12:16:17.001Z") == -1
    assert plain("timecmp", "2021-12-14T12:16:18Z", "2021-12-14T12:16:17.001Z") == 1
    assert "`timestamp_b`" in refused("timecmp", "2021-12-14T12:16:18Z", "x")


def test_types_of_what_is_decoded_are_open() -> None:
    assert type_of(called("jsondecode", Unknown("x", STRING))) != MapOf(STRING)
    assert type_of(called("timeadd", Unknown("x", STRING), "1h")) == STRING

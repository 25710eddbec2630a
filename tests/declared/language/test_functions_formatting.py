"""`format`, `formatlist` and `parseint`: expected results are what Terraform 1.11.4 gives."""

from decimal import Decimal
from typing import Any

import pytest
from text_function_calls import called, plain, refused, typed

from agent.declared.language.types import STRING
from agent.declared.language.values import NULL, List, Null, Tuple, Unknown, flags, whys
from agent.declared.language.values import UNKNOWN as UNKNOWN_FLAG


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["%%"], "%"),
        (["%5v|%-5v|%05v|", "a", "b", "c"], "    a|b    |0000c|"),
        (["%05s|%-05s|%-05d|%05d|%+d|% d", "a", "b", 3, 4, 5, 6], "0000a|b0000|3    |00004|+5| 6"),
        (["%x|%X|%#x|%o|%#o|%b|%#b", 255, 255, 255, 8, 8, 5, 5], "ff|FF|0xff|10|010|101|0b101"),
        (["%05x|%#05x|%#010b|%08.3d|%.3x|%X", 10, 10, 5, 5, 10, -255], "0000a|0x00a|0b00000101|     005|00a|-FF"),
        (["%.3d|%.0d|%5.3d", 5, 0, 5], "005||  005"),
        (
            ["%e|%E|%f|%g|%G|%+.1e", 1.5, 1.5, 1.5, 1.5, 1e20, 2.345],
            "1.500000e+00|1.500000E+00|1.500000|1.5|1E+20|+2.3e+00",
        ),
        (["%.2f|%10.2f|%-10.2f|%010.2f", 2.345, 2.345, 2.345, 2.345], "2.34|      2.34|2.34      |0000002.34"),
        (["%.1f|%.1f|%.2f|%.0f|%.f", 0.15, 0.25, 1.005, 0.5, 3.5], "0.2|0.2|1.00|0|4"),
        (["%v|%v|%v|%v|%v", 100000, 1000000, 123456789, 0.00001, -12.5], "100000|1e+06|1.23456789e+08|1e-05|-12.5"),
        (
            ["%g|%g|%g|%.3g|%.10g|%.0g|%.2g", 0.0001, 123456, 1000001, 100, 100, 15, 1234.5],
            "0.0001|123456|1.000001e+06|100|100|2e+01|1.2e+03",
        ),
        (["%e|%g|%f|%d", 0, 0, 0, 0], "0.000000e+00|0|0.000000|0"),
        (["%s|%s|%s|%s", 1000000, Decimal("1e30"), 1.5, True], "1000000|1000000000000000000000000000000|1.5|true"),
        (["%d|%t|%5t|%5.1f", "12", "1", True, "12.34"], "12|true|true| 12.3"),
        (["%.2s|%5.1s|%.s|", "héllo", "abc", "abc"], "hé|    a|abc|"),
        (["%5s|%5s|", "e\u0301", "👩‍👩‍👧"], "    é|    👩‍👩‍👧|"),
        (["%q|%8q|%q", '<>&\u2028"', "a", 5], '"\\u003c\\u003e\\u0026\\u2028\\""|     "a"|"5"'),
        (["%v|%#v|%v|%5v", [1, "a"], "<", {"a": None}, True], '[1,"a"]|"\\u003c"|{"a":null}| true'),
        (["%v|%5v", Null(STRING), Null(STRING)], "null| null"),
        (["%[2]s %[1]s %s|%5[1]s", "a", "b"], "b a b|    a"),
        (["%[2]s", "a", "b"], "b"),
        (["%.0s|%-5.0q|", "ab", 1], 'ab|"1"  |'),
        (["%v|%f|%5g", Decimal("Infinity"), Decimal("-Infinity"), Decimal("Infinity")], "+Inf|-Inf| +Inf"),
    ],
)
def test_verbs(arguments: list[Any], expected: str) -> None:
    assert plain("format", *arguments) == expected


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["100%"], "no verb"),
        (["%z", 1], "no verb"),
        (["%5%"], "no verb"),
        (["%*d", 5, 1], "no verb"),
        (["%[1]5d", 1], "no verb"),
        (["%[0]s", 1], "no verb"),
        (["%s %s", "a"], "no argument 2"),
        (["%[99999999999999999999]s", "a"], "no argument"),
        (["%s", "a", "b"], "uses 1 of 2"),
        (["a", "b"], "uses 0 of 1"),
        (["%d", 1.5], "whole number"),
        (["%d", Decimal("Infinity")], "whole number"),
        (["%d", "a"], "argument 1"),
        (["%d", True], "argument 1"),
        (["%s", [1]], "argument 1"),
        (["%s", Null(STRING)], "null"),
        (["%.99999999999f", 1], "at most"),
        (["%9999999999d", 1], "at most"),
        (["%9000000s%9000000s", "a", "b"], "at most"),
    ],
)
def test_what_is_refused_says_why(arguments: list[Any], why: str) -> None:
    assert why in refused("format", *arguments)


def test_a_null_without_a_type_leaves_the_text_unknown() -> None:
    assert isinstance(called("format", "%v", NULL), Unknown)
    assert isinstance(called("formatlist", "%v", NULL), Unknown)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["%s-%s", ["a", "b"], "c"], ["a-c", "b-c"]),
        (["%s", []], []),
        (["x"], ["x"]),
        (["x", []], []),
        (["%v", {"a": 1}], ['{"a":1}']),
        (["%v", [[1, 2], [3]]], ["[1,2]", "[3]"]),
    ],
)
def test_lists_of_texts(arguments: list[Any], expected: list[str]) -> None:
    assert typed("formatlist", *arguments) == (["list", "string"], expected)


def test_lists_of_different_lengths_are_refused() -> None:
    assert "differ in length: 1, 2" in refused("formatlist", "%s-%s", ["a", "b"], ["c"])


def test_one_unknown_item_makes_one_text_unknown() -> None:
    made = called("formatlist", "%s-%s", Tuple(["a", Unknown("aws_vpc.a.id", STRING)]), "c")
    assert isinstance(made, List)
    assert made.items[0] == "a-c"
    assert whys(made.items[1]) == ("aws_vpc.a.id",)
    assert flags(called("format", "%v", [Unknown("x", STRING)])) & UNKNOWN_FLAG


@pytest.mark.parametrize(
    ("spelled", "base", "expected"),
    [
        ("ff", 16, 255),
        ("FF", 16, 255),
        ("-7", 8, -7),
        ("+7", 8, 7),
        ("zZ", 62, 2231),
        ("Aa", 37, 1342),
        ("9" * 44, 10, int("9" * 44)),
    ],
)
def test_numbers_of_any_base(spelled: str, base: int, expected: int) -> None:
    assert plain("parseint", spelled, base) == expected


@pytest.mark.parametrize(
    ("spelled", "base"),
    [
        ("1", 1),
        ("1", 63),
        ("1_0", 10),
        (" 1", 10),
        ("", 10),
        ("-", 10),
        ("0x1f", 16),
        ("9", 8),
        (12, 10),
        ("1", 10.5),
        ("٣", 10),
        ("K", 20),
        ("1" * 5000, 10),
    ],
)
def test_what_is_no_number(spelled: Any, base: Any) -> None:
    assert refused("parseint", spelled, base).startswith("parseint: ")

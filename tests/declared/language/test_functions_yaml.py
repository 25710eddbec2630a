"""YAML: expected results are what Terraform 1.11.4 gives."""

from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from text_function_calls import called, plain, refused, typed

from agent.declared.language.error import EvaluationError
from agent.declared.language.types import STRING
from agent.declared.language.values import Set, Tuple, Unknown, Value

REFUSED = object()


@pytest.mark.parametrize(
    ("spelled", "expected"),
    [
        *[(word, None) for word in ("~", "null", "Null", "NULL", "", "!!null", "!!null a", "!!int", "!!bool ~")],
        *[
            (word, True)
            for word in ("y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE", "!!bool yes")
        ],
        *[(word, False) for word in ("n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE")],
        *[
            (word, word)
            for word in ("nULL", "tRUE", "yES", "oN", "+", "--", "...", "=", "<<", "١", "inf", "nan", "1/2")
        ],
        *[
            (word, word)
            for word in ("1_000", "0X1f", "-0x1F", "+0x1f", "0b101", "0x", "0o8", "-0o7", "1e", "1a", "1p3", "1,5")
        ],
        *[(word, word) for word in ("12:30", "12:30:00", "190:20:30", "2001-13-01", "2001-02-30", "2001-01", "1.2.3")],
        *[
            (word, word)
            for word in ("2001-12-15T02:59", "2001-01-01T00:00:00", "2001-12-14 21:59:43 Z", "a:b", "a#c", "http://x/y")
        ],
        *[("010", 10), ("0o10", 8), ("0x1F", 31), ("08", 8), ("-010", -10), ("1e3", 1000), (".5", Decimal("0.5"))],
        *[
            ("1.", 1),
            ("-.5e1", -5),
            ("+1E-3", Decimal("0.001")),
            ("-0.0", 0),
            ("9" * 30, int("9" * 30)),
            ("0x7fffffffffffffff", 2**63 - 1),
        ],
        *[("2001-1-1", "2001-01-01T00:00:00Z"), ("0000-01-01", "0000-01-01T00:00:00Z")],
        *[
            ("2001-12-14t21:59:43.10-05:00", "2001-12-14T21:59:43-05:00"),
            ("2001-12-15 2:59:43.1", "2001-12-15T02:59:43Z"),
        ],
        *[
            ("!!str 1", "1"),
            ("!!str", ""),
            ("!!int '1'", "1"),
            ("!!int true", True),
            ("!!float 0x10", 16),
            ("!!bool 1", 1),
        ],
        *[
            ("!!null ''", ""),
            ("!!null 1", 1),
            ("!!binary aGk=", "aGk="),
            ("!!timestamp 2001-01-01", "2001-01-01T00:00:00Z"),
        ],
        *[
            ("'1'", "1"),
            ('"true"', "true"),
            ("'2001-01-01'", "2001-01-01"),
            ('"\\x41\\u00e9\\e\\\'"', "Aé\x1b'"),
            ("|\n  1", "1"),
        ],
        *[
            ("a\tb", "a\tb"),
            ("a\t", "a"),
            ("a\t# c", "a"),
            ("e\u0301", "é"),
            ("x\n  y\n\n  z", "x y\nz"),
            ("-a", "-a"),
            ("?a", "?a"),
        ],
        *[
            (wrong, REFUSED)
            for wrong in (".nan", "!!int a", "!!int 2001-01-01", "!!float ''a", "!!timestamp a", "!!binary a", "! a")
        ],
        *[
            (wrong, REFUSED)
            for wrong in (
                "!foo 1",
                "!!set {a, b}",
                "!!omap [a: 1]",
                "!!seq {a: 1}",
                "!!map [1]",
                "!!merge <<",
                "@",
                "`a",
                "%a",
            )
        ],
        *[
            (wrong, REFUSED)
            for wrong in (
                '"\\/"',
                '"\\z"',
                '"\\ud83d\\ude00"',
                "*x",
                "&x [*x]",
                "&é b",
                "&x.y b",
                "0x10000000000000000",
            )
        ],
        *[
            (wrong, REFUSED)
            for wrong in (
                "a: b: c",
                "'b' c",
                "[a",
                "a\x01",
                "\x85b",
                "x\u2028y",
                "{null: 1}",
                "{[a]: 1}",
                "{&x a: 1, *x : 2}",
            )
        ],
    ],
)
def test_scalars(spelled: str, expected: Any) -> None:
    if expected is REFUSED:
        assert refused("yamldecode", f"- {spelled}").startswith("yamldecode: ")
    else:
        found = plain("yamldecode", f"- {spelled}")
        assert found == [expected]
        assert isinstance(found[0], bool) is isinstance(expected, bool)


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("|-\n  yes", "true"),
        (">-\n  010\n", "10"),
        ("|-\n  1.50", "1.5"),
        ("|\n  2001-01-01", "2001-01-01T00:00:00Z"),
        ("|-\n  ~", None),
        ("|\n  yes\n", "yes\n"),
        ("!!str |-\n  yes", "yes"),
        ("!!int |-\n  1_000", 1000),
        ("!!int -0x1_f", -31),
        ("!!float 1_000.5", Decimal("1000.5")),
    ],
)
def test_blocks_and_tags_mean_more_than_they_say(block: str, expected: Any) -> None:
    assert plain("yamldecode", f"- {block}") == [expected]


def test_a_block_is_always_a_text() -> None:
    assert typed("yamldecode", "|-\n  ~") == ("string", None)
    assert typed("yamldecode", "- ~\n- |-\n  1") == (["tuple", ["dynamic", "string"]], [None, "1"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("---", None),
        ("%YAML 1.1\n--- a\n...\n# c\n", "a"),
        ("%TAG !e! tag:yaml.org,2002:\n---\n!e!str 1", "1"),
        ("\ufeffa: 1\r\nb:\t2\r\n", {"a": 1, "b": 2}),
        ("? |\n  a\n: b", {"a\n": "b"}),
        ("a:\n- b\n- - c\n", {"a": ["b", ["c"]]}),
        ("1.50: a\n0x10: b\ny: c\n2001-01-01: d", {"1.5": "a", "16": "b", "true": "c", "2001-01-01T00:00:00Z": "d"}),
        ("1: a\n01: b", {"1": "b"}),
        ("{a: 1, b, 'c':2, d:3}", {"a": 1, "b": None, "c": 2, "d:3": None}),
        ("[a: 1, ? b : 2, ]", [{"a": 1}, {"b": 2}]),
        ("a: &x {b: 1}\nc: *x\nd: &x 2\ne: *x", {"a": {"b": 1}, "c": {"b": 1}, "d": 2, "e": 2}),
        ("a: 2\n<<: {a: 1}", {"a": 1}),
        ("<<: {a: 1}\na: 2", {"a": 2}),
        ("'<<': {a: 1}\n<<: {<<: {b: 2}, c: 3}", {"a": 1, "b": 2, "c": 3}),
        ("a: |+\n  x\n\nb: >-\n  x\n   y\n  z\n", {"a": "x\n\n", "b": "x\n y\nz"}),
    ],
)
def test_documents(text: str, expected: Any) -> None:
    assert plain("yamldecode", text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no YAML document"),
        ("# c", "no YAML document"),
        ("a: 1\n---\nb: 2", "line 2 of the YAML: a second document"),
        ("%YAML 1.2\n---\na", "not 1.1"),
        ("%FOO\n---\na", "directive"),
        ("a: 1\nb: [1,\n", "line 3 of the text is no YAML"),
        ("\ta: 1", "line 1 of the text is no YAML"),
        ("a: x\n\ty", "tab"),
        ("a: |\n  \tx", "tab"),
        ("!!str <<: 1\n<<: 1", "line 2 of the YAML: what is merged"),
        ("<<: [{a: 1}]", "no mapping"),
        ("a: *b", "no anchor"),
        ("null: a", "a key that is null"),
        ("a: !x b\n", "tag"),
        ("[" * 102 + "]" * 102, "nested deeper than 100"),
        ("- " * 200_000, "nested deeper than 100"),
        ("a: " + "x" * 2**20, "at most 1,048,576"),
    ],
)
def test_what_is_no_yaml_says_where(text: str, why: str) -> None:
    assert why in refused("yamldecode", text)


def test_aliases_do_not_multiply_without_end() -> None:
    laughs = "".join(f"x{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30))
    assert "more than 200,000 values" in refused("yamldecode", f"x0: &a0 [1]\n{laughs}")


@settings(max_examples=150, deadline=None)
@given(st.text("ab:-?#&*!|>'\"%@`{}[],\n \t0~.<=y\\é\x85\ud800", max_size=40))
def test_any_text_is_yaml_or_refused(text: str) -> None:
    with suppress(EvaluationError):
        called("yamldecode", text)


# --- writing -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", '"a"\n'),
        (None, "null\n...\n"),
        (True, "true\n...\n"),
        (1.5, "1.5\n...\n"),
        (Decimal("1e30"), "1000000000000000000000000000000\n...\n"),
        ([], "[]\n"),
        ({}, "{}\n"),
        ([1, [2, [3]], []], "- 1\n- - 2\n  - - 3\n- []\n"),
        (
            {"a": [1, {"b": 2, "c": [3]}], "d": [[]], "e": {}},
            '"a":\n- 1\n- "b": 2\n  "c":\n  - 3\n"d":\n- []\n"e": {}\n',
        ),
        ([[{"a": 1}], [[1, 2], 3]], '- - "a": 1\n- - - 1\n    - 2\n  - 3\n'),
        ("a\nb", "|-\n  a\n  b\n"),
        ("a\nb\n", "|\n  a\n  b\n"),
        ("a\nb\n\n", "|+\n  a\n  b\n\n"),
        ("\n", "|2+\n\n"),
        (" a\n\nb", "|2-\n   a\n\n  b\n"),
        ("a\u2028b\n", "|\n  a\u2028  b\n"),
        ("a \nb", '"a \\nb"\n'),
        ("a\tb\n", '"a\\tb\\n"\n'),
        ("👩\n日", '"\\U0001F469\\n日"\n'),
        ('\0\x01\x7f\x85\xa0\u2028\u2029\ufeff\x1b"\\', '"\\0\\x01\\x7F\\N\xa0\\L\\P\\uFEFF\\e\\"\\\\"\n'),
        ({"a": "x\ny\n", "b": ["p\nq"]}, '"a": |\n  x\n  y\n"b":\n- |-\n  p\n  q\n'),
        ([[["a\nb"]]], "- - - |-\n      a\n      b\n"),
        ({"a\nb": [1, 2], "a\rb": {"c": 1}}, '? |-\n  a\n  b\n: - 1\n  - 2\n? "a\\rb"\n: "c": 1\n'),
        ({"x" * 128: 1, "x" * 129: 1}, f'"{"x" * 128}": 1\n? "{"x" * 129}"\n: 1\n'),
        ("lorem ipsum " * 8 + "end", f'"{"lorem ipsum " * 6}lorem ipsum\n  lorem ipsum end"\n'),
    ],
)
def test_writing(value: Any, expected: str) -> None:
    assert plain("yamlencode", value) == expected


def test_collections_are_written_in_order() -> None:
    assert called("yamlencode", Set(["b", "a"], STRING)) == '- "a"\n- "b"\n'


def test_what_is_not_written() -> None:
    deep: Value = "x"
    for _ in range(102):
        deep = Tuple([deep])
    assert "nested deeper" in refused("yamlencode", deep)
    assert "at most" in refused("yamlencode", ["\x01" * 5_000_000])
    assert isinstance(called("yamlencode", {"a": Unknown("x", STRING)}), Unknown)


def test_types_of_what_is_read() -> None:
    assert typed("yamldecode", "a: [1, x, ~, yes]") == (
        ["object", {"a": ["tuple", ["number", "string", "dynamic", "bool"]]}],
        {"a": [1, "x", None, True]},
    )

"""Functions over text: expected results are what Terraform 1.11.4 gives."""

from typing import Any

import pytest
from text_function_calls import called, plain, refused, typed

from agent.declared.language.functions.text import LARGEST_RESULT, graphemes
from agent.declared.language.types import STRING, ListOf
from agent.declared.language.values import List, Sensitive, Unknown, type_of, whys


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("chomp", ["a\r\n\n\r"], "a"),
        ("endswith", ["abc", "bc"], True),
        ("startswith", ["abc", "b"], False),
        ("strcontains", ["abc", ""], True),
        ("indent", [2, "a\nb\n"], "a\n  b\n  "),
        ("join", [",", [1, True], ["b"]], "1,true,b"),
        ("join", [",", [], []], ""),
        ("join", ["", ["e", "\u0301"]], "é"),
        ("lower", ["İΣ ΑΣ"], "iσ ασ"),
        ("upper", ["ßŉᾳǆ"], "ßŉᾼǄ"),
        ("title", ["hello wORLD foo-bar it's ǆx ßa 1a _a"], "Hello WORLD Foo-Bar It'S ǅx ßa 1a _a"),
        ("split", ["", "aé"], ["a", "é"]),
        ("split", ["", ""], []),
        ("split", [",", ""], [""]),
        ("strrev", ["🇩🇪🇫🇷👩‍👩‍👧x"], "x👩‍👩‍👧🇫🇷🇩🇪"),
        ("strrev", ["a\r\nb"], "b\r\na"),
        ("strrev", ["क्षि"], "षिक्"),
        ("substr", ["hello", -9, 2], "he"),
        ("substr", ["hello", -3, 0], "llo"),
        ("substr", ["hello", 3, 0], ""),
        ("substr", ["hello", 2, -7], "llo"),
        ("substr", ["hello", 9, 1], ""),
        ("substr", ["🇩🇪🇫🇷", 1, 1], "🇫🇷"),
        ("trim", ["éaé", "é"], "a"),
        ("trimprefix", ["aab", "a"], "ab"),
        ("trimsuffix", ["abb", "b"], "ab"),
        ("trimspace", ["\u001c a \u00a0\u2003\u200b"], "\u001c a \u00a0\u2003\u200b"),
        ("trimspace", ["\u00a0\u2003a\u3000\t"], "a"),
    ],
)
def test_what_terraform_makes_of_texts(name: str, arguments: list[Any], expected: Any) -> None:
    assert plain(name, *arguments) == expected


@pytest.mark.parametrize(
    ("name", "arguments", "why"),
    [
        ("indent", [-1, "a"], "0 or more"),
        ("indent", [1.5, "a"], "whole number"),
        ("substr", ["a", 2**70, 1], "64 bits"),
        ("join", [","], "at least one list"),
        ("join", [",", ["a", None]], "null"),
        ("upper", [None], "null"),
        ("indent", [10**9, "\n"], "at most"),
        ("join", ["x" * 10**6, ["a"] * 100], "at most"),
        ("replace", ["a" * 10**6, "", "x" * 20], "at most"),
    ],
)
def test_what_is_refused_says_why(name: str, arguments: list[Any], why: str) -> None:
    assert why in refused(name, *arguments)


def test_errors_quote_no_values() -> None:
    assert "hunter2" not in refused("regex", "x", "hunter2") + refused("jsondecode", "hunter2") + refused(
        "yamldecode", "a: [hunter2"
    ) + refused("base64decode", "hunter2!") + refused("format", "%d", "hunter2") + refused("parseint", "hunter2", 10)


def test_a_join_with_something_unknown_is_unknown_and_names_it() -> None:
    joined = called("join", ",", List(["a", Unknown("aws_vpc.a.id", STRING)], STRING))
    assert type_of(joined) == STRING
    assert whys(joined) == ("aws_vpc.a.id",)


def test_what_is_made_of_something_sensitive_is_sensitive() -> None:
    assert called("upper", Sensitive("a")) == Sensitive("A")
    assert called("format", "%s-%s", "a", Sensitive("b")) == Sensitive("a-b")


def test_the_type_of_a_split_is_known_before_its_value() -> None:
    assert typed("split", ",", "a,b") == (["list", "string"], ["a", "b"])
    assert type_of(called("split", ",", Unknown("x", STRING))) == ListOf(STRING)


def test_clusters_of_plain_text_are_its_characters() -> None:
    assert graphemes("ab c") == ["a", "b", " ", "c"]
    assert graphemes("e\u0301\u0301x\r\n") == ["e\u0301\u0301", "x", "\r\n"]


def test_long_runs_of_joiners_take_no_long_time() -> None:
    assert len(graphemes("\u200d" * 200_000)) == 1
    assert len(graphemes("👩\u200d" * 100_000)) == 1


def test_results_have_a_largest_size() -> None:
    assert len(plain("format", f"%{LARGEST_RESULT - 8}s", "a")) == LARGEST_RESULT - 8
    assert "at most" in refused("format", f"%{LARGEST_RESULT + 1}s", "a")

"""Regular expressions: expected results are what Terraform 1.11.4 gives."""

from typing import Any

import pytest
from text_function_calls import called, plain, refused, typed

from agent.declared.language.types import STRING, ListOf, ObjectOf
from agent.declared.language.values import Unknown, type_of


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["a", "b"], (["list", "string"], [])),
        (["a*", "baac"], (["list", "string"], ["", "aa", ""])),
        (["", "é1"], (["list", "string"], ["", "", ""])),
        (["(a)(b)?", "aabx"], (["list", ["tuple", ["string", "string"]]], [["a", None], ["a", "b"]])),
        (["(?P<x>a)", "b"], (["list", ["object", {"x": "string"}]], [])),
        (["(?m)^.", "a\nb"], (["list", "string"], ["a", "b"])),
        (["^", "a\nb"], (["list", "string"], [""])),
    ],
)
def test_all_matches(arguments: list[str], expected: Any) -> None:
    assert typed("regexall", *arguments) == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["", "b"], ("string", "")),
        (["a(b)?(c)", "ac"], (["tuple", ["string", "string"]], [None, "c"])),
        (["(?P<x>a)(?<y>b)?", "a"], (["object", {"x": "string", "y": "string"}], {"x": "a", "y": None})),
        (["[[:alpha:]]+", "1ab"], ("string", "ab")),
        ([r"\pL+", "éa1"], ("string", "éa")),
        (["(?i)É", "é"], ("string", "é")),
        ([r"\p{Greek}+", "aαβ"], ("string", "αβ")),
    ],
)
def test_the_first_match(arguments: list[str], expected: Any) -> None:
    assert typed("regex", *arguments) == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["hello", "/", "x"], "hello"),
        (["hello", "//", "x"], "xhxexlxlxox"),
        (["aé", "", "-"], "-a-é-"),
        (["baaac", "/a*/", "x"], "xbxcx"),
        (["héé", "/$/", "-"], "héé-"),
        (["a.b", r"/(a)\.(b)/", "$2.$1x$${1}$$"], "b.${1}$"),
        (["abc", "/(?P<x>b)/", "[${x}][$x][$y][$x1][${1}]"], "a[b][b][][][b]c"),
        (["abc", "/b/", r"$0 $ ${ ${x $- \0"], r"ab $ ${ ${x $- \0c"),
        (["abc", "/b/", "$99999999999999999999"], "ac"),
    ],
)
def test_replacing(arguments: list[str], expected: str) -> None:
    assert plain("replace", *arguments) == expected


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("a", "matches no part"),
        ("(a", "no regular expression"),
        ("a{1001}", "no regular expression"),
        ("((a{0,100}){0,100}){0,100}", "no regular expression"),
        (r"(b)\1", "no regular expression"),
        ("(?=b)", "no regular expression"),
        (r"\C", "Terraform's regular expressions lack"),
        ("(b)(?P<x>b)", "name all or none"),
        ("(?P<é>b)", "other than ASCII"),
        ("b" * 10_001, "at most 10,000"),
    ],
)
def test_patterns_that_are_refused(pattern: str, why: str) -> None:
    assert why in refused("regex", pattern, "b")


def test_a_pattern_that_would_look_at_everything_again_and_again_is_stopped() -> None:
    assert "too many matches" in refused("regexall", "a.*b|a", "a" * 300_000)


def test_a_pattern_that_runs_away_elsewhere_does_not_here() -> None:
    assert plain("regexall", "(x+x+)+y", "x" * 50_000) == []


def test_the_type_of_a_match_is_known_from_the_pattern() -> None:
    text = Unknown("aws_vpc.a.id", STRING)
    named = ObjectOf.of({"x": STRING})
    assert type_of(called("regex", "(?P<x>a)", text)) == named
    assert type_of(called("regexall", "(?P<x>a)", text)) == ListOf(named)

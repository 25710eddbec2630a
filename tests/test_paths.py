"""Quick paths against JMESPath's own interpreter: the same answer, the same refusal, on whatever they are given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jmespath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jmespath.exceptions import JMESPathError

from agent import paths, resources

PARTS = (
    "a.b",
    "a.b.c",
    "a | b",
    "a.b[].c",
    "a[].b[].c[]",
    "a[0].b",
    "a[-1]",
    "a[*].b",
    "a[1:3]",
    "a.*.b",
    "a[?b == 'x'].c | [0]",
    "a[?b != `1`]",
    "a[?b > `1`].c",
    "a[?starts_with(b, 'x')].b",
    "(a[?b=='x'].c | [0]) || b",
    "a && b",
    "!(a.b)",
    "!a || b",
    "a == b",
    "a == `true`",
    "a.[b, c][] | [0]",
    "a.{x: b, y: c}",
    "a | [{x: b}]",
    "join('|', a.[b, c])",
    "contains(a.b || '', 'x')",
    "sort_by(a, &b)",
    "@",
    "`[1, 2]`",
)
LEAVES = st.none() | st.booleans() | st.sampled_from([0, 1, 1.0, 2, "", "x", "x-1", "é"])
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)


def outcome(look: Callable[[Any], Any], value: Any) -> tuple[str, Any]:
    try:
        return "found", repr(look(value))
    except (JMESPathError, TypeError) as error:
        return "refused", type(error)


@settings(max_examples=200, deadline=None)
@given(value=VALUES)
def test_finds_what_jmespath_finds(value: Any) -> None:
    for expression in PARTS:
        quick, slow = paths.compiled(expression), jmespath.compile(expression).search
        assert outcome(quick, value) == outcome(slow, value), expression


def test_what_the_specs_say_of_records_is_quick() -> None:
    """None of it is left to the interpreter."""
    said = {
        path
        for spec in resources.load().values()
        for event in spec.events
        for path in (event.ids, event.when, *event.sets.values())
        if isinstance(path, str) and path
    }
    assert len(said) > 100
    for expression in said:
        assert getattr(paths.compiled(expression), "__self__", None) is None, expression


def test_what_is_no_expression_is_refused() -> None:
    with pytest.raises(JMESPathError):
        paths.compiled("a.[")

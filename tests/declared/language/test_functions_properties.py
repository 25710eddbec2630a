"""Whatever a function is called with: a value comes out or an `EvaluationError`, secrets stay secret, and what is not
known does not become known."""

from decimal import Decimal
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.declared.language.error import EvaluationError
from agent.declared.language.functions import (
    Place,
    call,
    collections,
    conversions,
    files,
    functions,
    mappings,
    network,
    numeric,
    sets,
)
from agent.declared.language.types import BOOL, DYNAMIC, NUMBER, STRING, ListOf, MapOf, SetOf
from agent.declared.language.values import (
    SENSITIVE,
    UNKNOWN,
    List,
    Map,
    Null,
    Object,
    Sensitive,
    Set,
    Tuple,
    Unknown,
    Value,
    flags,
    force,
    same,
    type_of,
)

OURS = sorted(
    name for family in (collections, conversions, files, mappings, network, numeric, sets) for name in family.FUNCTIONS
)
TYPES = st.sampled_from([STRING, NUMBER, BOOL, DYNAMIC, ListOf(STRING), SetOf(NUMBER), MapOf(DYNAMIC)])
TEXTS = st.sampled_from(["", "a", "b", "10.0.0.0/8", "::1/64", "1", "true", "é", "**", "[", "{a,b}", "../..", "a\0"])
NUMBERS = st.one_of(
    st.integers(-3, 5),
    st.sampled_from([10**18, -(10**30), Decimal("1e400"), Decimal("0.5"), Decimal("-1.25"), Decimal("Infinity")]),
)
PLAIN: st.SearchStrategy[Value] = st.one_of(TEXTS, NUMBERS, st.booleans(), st.builds(Null, TYPES))
KNOWN: st.SearchStrategy[Value] = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.builds(Tuple, st.lists(inner, max_size=4)),
        st.builds(Object, st.dictionaries(TEXTS, inner, max_size=3)),
        st.builds(List, st.lists(TEXTS, max_size=4), st.just(STRING)),
        st.builds(Set, st.lists(NUMBERS, max_size=4), st.just(NUMBER)),
        st.builds(Map, st.dictionaries(TEXTS, st.booleans(), max_size=3), st.just(BOOL)),
    ),
    max_leaves=8,
)
UNTOLD: st.SearchStrategy[Value] = st.recursive(
    st.one_of(PLAIN, st.builds(Unknown, st.just("why"), TYPES), st.builds(Sensitive, PLAIN)),
    lambda inner: st.one_of(
        st.builds(Tuple, st.lists(inner, max_size=4)),
        st.builds(Object, st.dictionaries(TEXTS, inner, max_size=3)),
        st.builds(Sensitive, st.builds(Tuple, st.lists(inner, max_size=2))),
    ),
    max_leaves=8,
)
PLACE = Place(Path("/nowhere"), Path("/nowhere"))


def result(name: str, arguments: list[Value]) -> Value | None:
    """None where the call is refused."""
    try:
        return force(call(name, arguments, PLACE))
    except EvaluationError:
        return None


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(OURS), st.lists(UNTOLD, max_size=4))
def test_nothing_but_values_and_evaluation_errors_comes_out(name: str, arguments: list[Value]) -> None:
    found = result(name, arguments)
    if found is not None:
        type_of(found)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([name for name in OURS if name != "nonsensitive"]), st.lists(KNOWN, min_size=1, max_size=3))
def test_a_sensitive_argument_makes_a_sensitive_result(name: str, arguments: list[Value]) -> None:
    shown, hidden = result(name, arguments), result(name, [*arguments[:-1], Sensitive(arguments[-1])])
    ignored = name == "merge" and isinstance(arguments[-1], Null)
    beside = name in ("lookup", "issensitive")  # the default may go unused; whether something is a secret is none
    if shown is not None and not ignored and not beside:
        assert hidden is not None
        assert flags(hidden) & SENSITIVE


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(OURS), st.lists(KNOWN, min_size=1, max_size=3), st.data())
def test_what_is_known_beside_the_unknown_is_right(name: str, arguments: list[Value], data: st.DataObject) -> None:
    """Hides one part of an argument: what is then known must be what it was."""
    at = data.draw(st.integers(0, len(arguments) - 1))
    full = result(name, arguments)
    veiled = result(name, [*arguments[:at], _veiled(arguments[at], data), *arguments[at + 1 :]])
    if full is not None and name != "issensitive":
        assert veiled is not None, "refused, though it may well have a result"
        if not flags(veiled) & UNKNOWN:
            assert same(veiled, full)


def _veiled(value: Value, data: st.DataObject) -> Value:
    """The value with one of its items, or all of it, unknown."""
    if isinstance(value, Tuple) and value.items and data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(value.items) - 1))
        return Tuple([*value.items[:at], Unknown("veiled", type_of(value.items[at])), *value.items[at + 1 :]])
    if isinstance(value, Object) and value.items and data.draw(st.booleans()):
        key = data.draw(st.sampled_from(sorted(value.items)))
        return Object({**value.items, key: Unknown("veiled", type_of(value.items[key]))})
    return Unknown("veiled", type_of(value))


def test_every_function_has_a_family_and_no_name_is_used_twice() -> None:
    assert len(set(OURS)) == len(OURS)
    assert set(OURS) <= functions().keys()

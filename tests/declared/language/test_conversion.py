"""Conversion and unification of types: as Terraform 1.11 has them, and the laws they keep."""

from random import Random

import pytest
from evaluated_text import value
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.declared.language.conversion import convert, text, unified
from agent.declared.language.error import EvaluationError
from agent.declared.language.types import (
    BOOL,
    DYNAMIC,
    NUMBER,
    STRING,
    ListOf,
    MapOf,
    ObjectOf,
    SetOf,
    TupleOf,
    Type,
    from_json,
)
from agent.declared.language.unification import convertible, has_dynamic, plain_type
from agent.declared.language.values import (
    NULL,
    List,
    Map,
    Null,
    Object,
    Sensitive,
    Set,
    Tuple,
    Unknown,
    Value,
    from_plain,
    same,
    to_plain,
    type_of,
)

FAST = settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])

A = ObjectOf.of({"a": STRING})
OPTIONAL = ObjectOf.of({"a": STRING, "c": NUMBER}, frozenset({"c"}))

CONVERTED = [
    ("[1, true, null]", ListOf(STRING), ["1", "true", None], None),
    ('["b", "a", "a"]', SetOf(STRING), ["a", "b"], None),
    ('["1", "2"]', ListOf(NUMBER), [1, 2], None),
    ("{a = 1, b = true}", MapOf(STRING), {"a": "1", "b": "true"}, None),
    ("{a = [1], b = []}", MapOf(ListOf(STRING)), {"a": ["1"], "b": []}, None),
    ("{a = 1, b = 2}", A, {"a": "1"}, None),
    ("{a = 1}", OPTIONAL, {"a": "1", "c": None}, plain_type(OPTIONAL)),
    ('["a", "5"]', TupleOf((STRING, NUMBER)), ["a", 5], None),
    ("[{a = 1, b = 2}, {a = 2}]", ListOf(A), [{"a": "1"}, {"a": "2"}], None),
    ('[1, "a"]', ListOf(DYNAMIC), ["1", "a"], ListOf(STRING)),
    ("[]", ListOf(DYNAMIC), [], ListOf(DYNAMIC)),
    ("[null]", ListOf(DYNAMIC), [None], ListOf(DYNAMIC)),
    ("[null, 1]", ListOf(DYNAMIC), [None, 1], ListOf(NUMBER)),
    ("[{a = 1}, {b = 2}]", ListOf(DYNAMIC), [{"a": 1}, {"b": 2}], ListOf(MapOf(NUMBER))),
    ('[[1], ["a", "b"]]', ListOf(DYNAMIC), [["1"], ["a", "b"]], ListOf(ListOf(STRING))),
    ("{a = [1], b = null}", MapOf(DYNAMIC), {"a": [1], "b": None}, MapOf(TupleOf((NUMBER,)))),
    ('[1, "1"]', SetOf(DYNAMIC), ["1"], SetOf(STRING)),
    ('{a = [1, "x"]}', ObjectOf.of({"a": DYNAMIC}), {"a": [1, "x"]}, ObjectOf.of({"a": TupleOf((NUMBER, STRING))})),
    ("null", ListOf(STRING), None, None),
    ("null", OPTIONAL, None, plain_type(OPTIONAL)),
    ("{a = null}", ObjectOf.of({"a": A}), {"a": None}, None),
    ('"1"', BOOL, True, None),
    ('"false"', BOOL, False, None),
    ('"007"', NUMBER, 7, None),
    ('".5e1"', NUMBER, 5, None),
    ("1.50", STRING, "1.5", None),
    ("tomap({a = 1})", A, {"a": "1"}, None),
    ("tolist([1, 2])", TupleOf((STRING, NUMBER)), ["1", 2], None),
    ("toset([3, 1])", ListOf(NUMBER), [1, 3], None),
    ("tolist([3, 1, 3])", SetOf(STRING), ["1", "3"], None),
]
"""Expression, type, what it becomes, and its type where that is another than the one asked for."""

REFUSED = [
    ("[{a = 1}, null]", ListOf(DYNAMIC), "all list elements must have the same type"),
    ("[{a = 1}, {b = [2]}]", ListOf(DYNAMIC), "all list elements must have the same type"),
    ("{a = 1, b = true}", MapOf(DYNAMIC), "all map elements must have the same type"),
    ("{a = [1], b = null, c = 1}", MapOf(DYNAMIC), "all map elements must have the same type"),
    ('"a"', ListOf(STRING), "list of string required"),
    ('["x"]', ListOf(NUMBER), "[0]: a number is required"),
    ('[["x"]]', ListOf(ListOf(NUMBER)), "[0][0]: a number is required"),
    ("{a = [1]}", MapOf(STRING), "an element: string required"),
    ("{a = 1}", ObjectOf.of({"a": STRING, "c": NUMBER}), 'attribute "c" is required'),
    ('{a = "x"}', ObjectOf.of({"a": NUMBER}), 'attribute "a": a number is required'),
    ('["a"]', TupleOf((STRING, NUMBER)), "tuple of 2 required"),
    ('"yes"', BOOL, "a bool is required"),
    ('"TRUE"', BOOL, "a bool is required"),
    ("1", BOOL, "a bool is required"),
    ("true", NUMBER, "a number is required"),
    ('" 1"', NUMBER, "a number is required"),
    ('"0x10"', NUMBER, "a number is required"),
    ('"1_000"', NUMBER, "a number is required"),
    ('""', NUMBER, "a number is required"),
    ("[1]", STRING, "string required"),
    ("[1]", A, "object required"),
    ("{a = 1}", ListOf(DYNAMIC), "list of any required"),
]


@pytest.mark.parametrize(("written", "type_", "plain", "found_type"), CONVERTED)
def test_conversions(written: str, type_: Type, plain: object, found_type: Type | None) -> None:
    found = convert(value(written), type_)
    assert to_plain(found) == plain
    assert type_of(found) == (found_type or type_)


@pytest.mark.parametrize(("written", "type_", "message"), REFUSED)
def test_refused_conversions(written: str, type_: Type, message: str) -> None:
    with pytest.raises(EvaluationError) as error:
        convert(value(written), type_)
    assert str(error.value) == message


def test_text_is_what_tostring_spells() -> None:
    assert [text(each) for each in (True, False, 10**21, "x")] == ["true", "false", "1" + "0" * 21, "x"]


UNIFIED = [
    (["string", "number", "bool"], "string"),
    (["number", "bool"], None),
    (["dynamic", "number"], "number"),
    ([["tuple", ["number"]], ["tuple", ["string"]]], ["tuple", ["string"]]),
    ([["tuple", ["number"]], ["tuple", ["bool"]]], None),
    ([["tuple", ["number"]], ["tuple", ["string", "bool"]]], ["list", "string"]),
    ([["tuple", []], ["tuple", ["number"]]], ["list", "number"]),
    ([["list", "number"], ["tuple", ["string"]]], ["list", "string"]),
    ([["list", "number"], ["set", "number"]], ["list", "number"]),
    ([["list", "number"], ["set", "string"]], None),
    ([["set", "string"], ["tuple", ["number"]]], ["set", "string"]),
    ([["set", "number"], ["tuple", ["string"]]], None),
    ([["list", "dynamic"], ["list", "string"]], ["list", "string"]),
    ([["list", "string"], "dynamic"], "dynamic"),
    ([["object", {"a": "number"}], ["object", {"a": "string"}]], ["object", {"a": "string"}]),
    ([["object", {"a": "number"}], ["object", {"b": "string"}]], ["map", "string"]),
    ([["object", {"a": "number"}], ["object", {}]], ["map", "number"]),
    ([["object", {"a": "number", "b": "string"}], ["object", {"a": "bool", "b": "string"}]], None),
    ([["map", "number"], ["object", {"b": "string"}]], ["map", "string"]),
    ([["map", "number"], ["map", "bool"]], None),
    ([["tuple", ["number"]], ["object", {"a": "number"}]], None),
    ([["tuple", ["number"]], "number", "dynamic"], "dynamic"),
    ([], "dynamic"),
]


@pytest.mark.parametrize(("types", "common"), UNIFIED)
def test_unification(types: list[object], common: object) -> None:
    wanted = None if common is None else from_json(common)
    assert unified([from_json(each) for each in types]) == wanted
    assert unified([from_json(each) for each in reversed(types)]) == wanted


def test_a_conditional_unifies_what_may_fail_too() -> None:
    types = [ListOf(NUMBER), SetOf(STRING)]
    assert unified(types) is None
    assert unified(types, unsafe=True) == ListOf(NUMBER)


@pytest.mark.parametrize(
    ("written", "ordered"),
    [
        ("[3, 1, 2, 10, -5, 1.5]", [-5, 1, 1.5, 2, 3, 10]),
        ("[true, false]", [False, True]),
        ('["b", "a", "B", "é", "e", "10", "9"]', ["10", "9", "B", "a", "b", "e", "é"]),
        ('[null, "a", "~", "}"]', ["a", "}", "~", None]),
        ("[{a = 1}, {a = 2}, {a = 10}, {a = -1}]", [{"a": -1}, {"a": 10}, {"a": 1}, {"a": 2}]),
        ('[{z = "1", a = "2"}, {a = "1", z = "3"}]', [{"a": "1", "z": "3"}, {"a": "2", "z": "1"}]),
        ("[[2], [10], [1], [1, 2], []]", [[10], [1, 2], [1], [2], []]),
        ("[[1000000], [999999], [10000000], [0.1]]", [[0.1], [10000000], [1000000], [999999]]),
        ('[["a\\"b"], ["a!b"], ["~"], [null], ["é"]]', [["a!b"], ['a"b'], ["~"], ["é"], [None]]),
        ("[tomap({a = 1}), tomap({b = 0}), tomap({a = 10})]", [{"a": 10}, {"a": 1}, {"b": 0}]),
        ("[toset([2, 1]), toset([3]), toset([1, 10])]", [[1, 10], [1, 2], [3]]),
    ],
)
def test_sets_are_in_terraforms_order(written: str, ordered: list[object]) -> None:
    def floats(plain: object) -> object:
        if isinstance(plain, list):
            return [floats(each) for each in plain]
        if isinstance(plain, dict):
            return {name: floats(each) for name, each in plain.items()}
        return plain if plain is None or isinstance(plain, str | bool) else float(str(plain))

    found = value(f"[for each in toset({written}) : each]")
    assert floats(to_plain(found)) == floats(ordered)


def test_null_unknown_and_sensitive_stay_what_they_are() -> None:
    assert type_of(convert(NULL, ListOf(STRING))) == ListOf(STRING)
    unknown = convert(Unknown("aws_x.a.id"), NUMBER)
    assert isinstance(unknown, Unknown)
    assert (unknown.why, unknown.type) == (("aws_x.a.id",), NUMBER)
    assert convert(Sensitive("1"), NUMBER) == Sensitive(1)
    assert convert(Tuple((Sensitive(1), 2)), ListOf(STRING)) == List((Sensitive("1"), "2"), STRING)
    with pytest.raises(EvaluationError, match="list of string required"):
        convert(Unknown("x", NUMBER), ListOf(STRING))
    with pytest.raises(EvaluationError, match="a number is required"):
        convert(Null(ListOf(STRING)), NUMBER)


def test_a_sensitive_item_makes_a_set_sensitive() -> None:
    assert convert(Tuple((Sensitive("b"), "a")), SetOf(STRING)) == Sensitive(Set(("a", "b"), STRING))


def test_an_unknown_item_stays_in_a_set_and_hides_its_order() -> None:
    found = convert(Tuple((Unknown("x"), "a")), SetOf(STRING))
    assert isinstance(found, Set)
    assert len(found.items) == 2
    assert isinstance(convert(found, ListOf(STRING)), Unknown)


def test_errors_never_quote_values() -> None:
    for written, type_ in [
        ('"canary-0c5e"', NUMBER),
        ('{"canary-0c5e" = [1]}', MapOf(STRING)),
        ('["canary-0c5e"]', ListOf(BOOL)),
    ]:
        with pytest.raises(EvaluationError) as error:
            convert(value(written), type_)
        assert "canary" not in str(error.value)


# --- laws ----------------------------------------------------------------------------------------------------

LEAF_TYPES = st.sampled_from([STRING, NUMBER, BOOL])
TYPES = st.recursive(
    LEAF_TYPES | st.just(DYNAMIC),
    lambda inner: st.one_of(
        st.builds(ListOf, inner),
        st.builds(SetOf, inner),
        st.builds(MapOf, inner),
        st.lists(inner, max_size=2).map(lambda items: TupleOf(tuple(items))),
        st.dictionaries(st.sampled_from("abc"), inner, max_size=2).map(ObjectOf.of),
    ),
    max_leaves=5,
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 1000) | st.sampled_from(["", "a", "1", "true", "0.5"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
VALUES = PLAIN.map(from_plain)


@given(VALUES, TYPES)
@FAST
def test_conversion_is_idempotent_and_keeps_its_promise(before: Value, type_: Type) -> None:
    try:
        once = convert(before, type_)
    except EvaluationError:
        return
    assert same(convert(once, type_), once)
    assert type_of(convert(once, type_)) == type_of(once)
    if not has_dynamic(type_):
        assert type_of(once) == type_


@given(VALUES)
@FAST
def test_a_value_converts_to_its_own_type(before: Value) -> None:
    found = convert(before, type_of(before))
    assert same(found, before)
    assert type_of(found) == type_of(before)


@given(st.lists(TYPES, min_size=1, max_size=4), st.randoms())
@FAST
def test_unification_does_not_depend_on_order(types: list[Type], random: Random) -> None:
    shuffled = list(types)
    random.shuffle(shuffled)
    assert unified(types) == unified(shuffled)


@given(LEAF_TYPES, LEAF_TYPES, LEAF_TYPES)
def test_unification_of_primitives_is_associative_where_defined(a: Type, b: Type, c: Type) -> None:
    left, right = unified([a, b]), unified([b, c])
    if left is not None and right is not None:
        assert unified([left, c]) == unified([a, right]) == unified([a, b, c])


@given(st.lists(TYPES, min_size=1, max_size=3))
@FAST
def test_all_types_convert_to_the_one_they_have_in_common(types: list[Type]) -> None:
    common = unified(types)
    assert common is None or all(convertible(each, common) for each in types)


@given(st.dictionaries(st.sampled_from("abc"), PLAIN, max_size=3))
@FAST
def test_maps_and_objects_keep_their_keys(plain: dict[str, object]) -> None:
    found = convert(from_plain(plain), ObjectOf.of(dict.fromkeys(plain, DYNAMIC)))
    assert isinstance(found, Object)
    assert list(found.items) == sorted(plain)
    assert list(Map(found.items, DYNAMIC).items) == sorted(plain)

"""What functions over collections know though something in them is unknown, what they mark, and where they stop."""

import pytest
from text_function_calls import called, refused

from agent.declared.language.error import EvaluationError, TooMuch
from agent.declared.language.functions import collections, functions
from agent.declared.language.types import BOOL, DYNAMIC, NUMBER, STRING, ListOf, MapOf, SetOf, TupleOf
from agent.declared.language.values import List, Map, Null, Object, Sensitive, Set, Tuple, Unknown, Value, type_of

OPEN = Unknown("aws_vpc.a.id", STRING)
ANY = Unknown("data.b.c.d")
TEXTS = Unknown("local.texts", ListOf(STRING))
NAMED = Unknown("local.named", MapOf(STRING))
COUNT = Unknown("var.count", NUMBER)


def texts(*items: Value) -> List:
    return List(items, STRING)


def shown(value: Value) -> str:
    """A value with unknown parts, as text."""
    return repr(value)


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("anytrue", [[True, Unknown("a", BOOL)]], "True"),
        ("anytrue", [[Unknown("a", BOOL), True]], "True"),
        ("alltrue", [[Unknown("a", BOOL), False]], "False"),
        ("chunklist", [["a", OPEN], 1], "List([List(['a']), List([Unknown(aws_vpc.a.id)])])"),
        ("coalesce", ["b", OPEN], "'b'"),
        ("coalesce", [1, OPEN], "'1'"),
        ("coalesce", [1, ANY], "1"),
        ("coalesce", [["a", OPEN], ["b", "c"]], "Tuple(['a', Unknown(aws_vpc.a.id)])"),
        ("coalescelist", [["a"], ANY], "Tuple(['a'])"),
        ("coalescelist", [[], [OPEN]], "Tuple([Unknown(aws_vpc.a.id)])"),
        ("concat", [["a"], [OPEN]], "Tuple(['a', Unknown(aws_vpc.a.id)])"),
        ("concat", [["a"], [ANY]], "Tuple(['a', Unknown(data.b.c.d)])"),
        ("contains", [["a", OPEN], "a"], "True"),
        ("contains", [[["a", OPEN]], ["b", "c"]], "False"),
        ("contains", [[{"a": OPEN}], {"b": OPEN}], "False"),
        ("element", [["a", OPEN], 0], "'a'"),
        ("flatten", [[["a", OPEN], "b"]], "Tuple(['a', Unknown(aws_vpc.a.id), 'b'])"),
        ("flatten", [[["a"], OPEN]], "Tuple(['a', Unknown(aws_vpc.a.id)])"),
        ("index", [["a", OPEN], "a"], "0"),
        ("keys", [{"a": OPEN}], "Tuple(['a'])"),
        ("length", [[ANY]], "1"),
        ("length", [{"a": OPEN}], "1"),
        ("lookup", [{"a": OPEN, "b": 1}, "b"], "1"),
        ("lookup", [{"a": OPEN}, "b", "c"], "'c'"),
        ("lookup", [{"a": "b"}, "a", ANY], "'b'"),
        ("merge", [{"a": 1}, {"b": ANY}], "Object({'a': 1, 'b': Unknown(data.b.c.d)})"),
        ("merge", [{"a": OPEN}, {"a": 1}], "Object({'a': 1})"),
        ("reverse", [["a", OPEN]], "Tuple([Unknown(aws_vpc.a.id), 'a'])"),
        ("setproduct", [["a"], [OPEN]], "List([Tuple(['a', Unknown(aws_vpc.a.id)])])"),
        ("setproduct", [[], [OPEN]], "List([])"),
        ("slice", [["a", OPEN], 0, 1], "Tuple(['a'])"),
        ("values", [{"a": OPEN, "b": 1}], "Tuple([Unknown(aws_vpc.a.id), 1])"),
        ("zipmap", [["a", "b"], [OPEN, 1]], "Object({'a': Unknown(aws_vpc.a.id), 'b': 1})"),
    ],
)
def test_what_is_known_beside_the_unknown(name: str, arguments: list[object], expected: str) -> None:
    assert shown(called(name, *arguments)) == expected


@pytest.mark.parametrize(
    ("name", "arguments", "why", "type_"),
    [
        ("alltrue", [[True, Unknown("a", BOOL)]], "a", BOOL),
        ("anytrue", [TEXTS], "local.texts", BOOL),
        ("chunklist", [TEXTS, 1], "local.texts", ListOf(ListOf(DYNAMIC))),
        ("coalesce", [OPEN, "b"], "aws_vpc.a.id", STRING),
        ("coalesce", [ANY, "b"], "data.b.c.d", DYNAMIC),
        ("coalescelist", [[], TEXTS], "local.texts", DYNAMIC),
        ("compact", [["a", OPEN]], "aws_vpc.a.id", ListOf(STRING)),
        ("concat", [["a"], TEXTS], "local.texts", DYNAMIC),
        ("concat", [texts("a"), TEXTS], "local.texts", ListOf(STRING)),
        ("contains", [["a", OPEN], "b"], "aws_vpc.a.id", BOOL),
        ("contains", [[], OPEN], "aws_vpc.a.id", BOOL),
        ("distinct", [["a", OPEN]], "aws_vpc.a.id", ListOf(STRING)),
        ("element", [["a", "b"], COUNT], "var.count", DYNAMIC),
        ("element", [TEXTS, 0], "local.texts", STRING),
        ("flatten", [[["a"], ANY]], "data.b.c.d", DYNAMIC),
        ("flatten", [[["a"], TEXTS]], "local.texts", DYNAMIC),
        ("index", [[OPEN, "a"], "a"], "aws_vpc.a.id", NUMBER),
        ("keys", [NAMED], "local.named", ListOf(STRING)),
        ("length", [ANY], "data.b.c.d", NUMBER),
        ("lookup", [NAMED, "a", "b"], "local.named", STRING),
        ("lookup", [{"a": 1}, OPEN, 2], "aws_vpc.a.id", DYNAMIC),
        ("matchkeys", [["a"], [OPEN], ["b"]], "aws_vpc.a.id", ListOf(STRING)),
        ("merge", [{"a": 1}, ANY], "data.b.c.d", DYNAMIC),
        ("merge", [NAMED, NAMED], "local.named", MapOf(STRING)),
        ("one", [ANY], "data.b.c.d", DYNAMIC),
        ("one", [TEXTS], "local.texts", STRING),
        ("reverse", [TEXTS], "local.texts", ListOf(STRING)),
        ("setintersection", [["a"], [OPEN]], "aws_vpc.a.id", SetOf(STRING)),
        ("setproduct", [[], TEXTS], "local.texts", DYNAMIC),
        ("slice", [["a"], 0, COUNT], "var.count", DYNAMIC),
        ("sum", [[1, COUNT]], "var.count", NUMBER),
        ("transpose", [{"a": [OPEN]}], "aws_vpc.a.id", MapOf(ListOf(STRING))),
        ("values", [NAMED], "local.named", ListOf(STRING)),
        ("zipmap", [["a", OPEN], [1, 2]], "aws_vpc.a.id", DYNAMIC),
        ("zipmap", [["a"], TEXTS], "local.texts", MapOf(STRING)),
        ("range", [COUNT], "var.count", ListOf(NUMBER)),
        ("issensitive", [OPEN], "aws_vpc.a.id", BOOL),
    ],
)
def test_what_is_unknown_says_why_and_of_what_type(name: str, arguments: list[object], why: str, type_: object) -> None:
    found = called(name, *arguments)
    assert isinstance(found, Unknown)
    assert found.why == (why,)
    assert found.type == type_


def test_a_sorted_list_has_its_length_whatever_is_in_it() -> None:
    found = called("sort", ["b", OPEN])
    assert isinstance(found, List)
    assert [isinstance(each, Unknown) for each in found.items] == [True, True]


@pytest.mark.parametrize(
    "name", ["keys", "values", "reverse", "length", "element", "lookup", "flatten", "one", "merge"]
)
def test_what_has_a_wrong_type_is_refused_though_it_is_unknown_or_known(name: str) -> None:
    assert name in refused(name, True, *([0] if name in ("element", "lookup") else []))


def test_marks_stay_where_they_are() -> None:
    secret = Sensitive("x")
    assert called("concat", ["a"], [secret]) == Tuple(["a", secret])
    assert called("concat", ["a"], Sensitive(Tuple(["b"]))) == Sensitive(Tuple(["a", "b"]))
    assert called("merge", {"a": secret}, {"b": 1}) == Object({"a": secret, "b": 1})
    assert called("merge", Sensitive(Null()), {"b": 1}) == Object({"b": 1})
    assert called("flatten", [["a"], [secret]]) == Tuple(["a", secret])
    assert called("flatten", [["a"], Sensitive(Tuple(["b"]))]) == Sensitive(Tuple(["a", "b"]))
    assert called("lookup", {"a": secret, "b": 1}, "b") == 1
    assert called("lookup", {"b": 1}, Sensitive("b")) == Sensitive(1)
    assert called("zipmap", ["a", secret], [1, 2]) == Sensitive(Object({"a": 1, "x": 2}))
    assert called("distinct", ["a", secret]) == Sensitive(texts("a", "x"))
    assert called("coalesce", "a", secret) == Sensitive("a")
    assert called("nonsensitive", Sensitive(Tuple([secret]))) == Tuple([secret])


def test_a_result_has_bounds() -> None:
    many: Value = Tuple(range(1_000))
    with pytest.raises(TooMuch, match="100,000 items"):
        called("setproduct", many, many)
    shared: Value = Tuple(["a"])
    for _ in range(18):
        shared = Tuple([shared, shared])
    with pytest.raises(TooMuch, match="flatten"):
        called("flatten", shared)
    with pytest.raises(EvaluationError, match="1024 numbers"):
        called("range", 10**9)
    assert "whole number" in refused("chunklist", [1], 10**30)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("index", [["password"], "secret"]),
        ("lookup", [{"a": "password"}, "secret"]),
        ("element", [["password"], 10**30]),
        ("sum", [["password"]]),
        ("sort", [["password", None]]),
        ("cidrhost", ["password", 1]),
        ("zipmap", [["password"], ["secret", "x"]]),
    ],
)
def test_errors_name_no_value(name: str, arguments: list[object]) -> None:
    said = refused(name, *arguments)
    assert said.startswith(name)
    assert "password" not in said
    assert "secret" not in said


def test_equality_is_of_types_too() -> None:
    assert collections.equal(Tuple([1]), texts("1")) is False
    assert collections.equal(True, 1) is False
    assert collections.equal(Map({"a": OPEN}, STRING), Map({"a": "x"}, STRING)) is None
    assert collections.equal(Map({"a": OPEN}, STRING), Map({"b": "x"}, STRING)) is False
    assert collections.equal(List([OPEN], STRING), List(["x", "y"], STRING)) is False
    assert collections.equal(List([OPEN], STRING), Tuple(["x"])) is False
    assert collections.equal(Tuple([1]), Tuple([1])) is True


def test_sets_of_unknown_items_have_no_length() -> None:
    several = Set([OPEN, Unknown("b", STRING)], STRING)
    assert isinstance(called("length", Tuple([1])), int)
    assert isinstance(functions()["length"].call(several), Unknown)
    assert isinstance(functions()["one"].call(several), Unknown)
    assert isinstance(functions()["setproduct"].call(several, Tuple([1])), Unknown)
    assert isinstance(functions()["flatten"].call(Tuple([several])), Unknown)


def test_results_have_their_type_where_the_argument_is_empty() -> None:
    assert type_of(called("concat", List([], STRING))) == ListOf(STRING)
    assert type_of(called("one", List([], STRING))) == STRING
    assert type_of(called("keys", Map({}, STRING))) == ListOf(STRING)
    assert type_of(called("keys", {})) == TupleOf(())

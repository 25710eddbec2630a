"""What every form of an expression evaluates to; null, unknown and sensitive values in each of them."""

import pytest
from evaluated_text import value

from agent.declared.language.error import EvaluationError
from agent.declared.language.types import BOOL, DYNAMIC, NUMBER, STRING, ListOf, MapOf, ObjectOf, TupleOf, Type
from agent.declared.language.values import (
    LAZY,
    NULL,
    Null,
    Object,
    Sensitive,
    Tuple,
    Unknown,
    Value,
    force,
    to_plain,
    type_of,
)

FORMS = {
    "null": None,
    '"text"': "text",
    "1.50 == 1.5": True,
    "{a = 1, a = 2}": {"a": 2},
    '{(upper("a")) = 1, (1) = 2, true = 3}': {"A": 1, "1": 2, "true": 3},
    "[1, [2]]": [1, [2]],
    '"${1}"': 1,
    '"${[1]}"': [1],
    '"a${true}${1.50}"': "atrue1.5",
    '"${"a"}${""}"': "a",
    '"%{ if "true" }yes%{ else }no%{ endif }"': "yes",
    '"%{ if false }yes%{ endif }"': "",
    '"%{ for k, v in {b = 1, a = 2} }${k}${v},%{ endfor }"': "a2,b1,",
    '"%{ for x in toset([2, 1]) }${x}%{ endfor }"': "12",
    "<<-EOT\n    a ${1}\n      b\n  EOT": "a 1\n  b\n",
    "[for v in [1, 2, 3] : v * 2 if v > 1]": [4, 6],
    "[for k, v in {b = 1, a = 2} : k]": ["a", "b"],
    "[for i, v in [7] : i]": [0],
    '[for k, v in toset(["b", "a"]) : k]': ["a", "b"],
    "{for v in [1, 2] : v => v}": {"1": 1, "2": 2},
    '{for v in ["a", "b", "a"] : v => 1...}': {"a": [1, 1], "b": [1]},
    "[for a in [[1], [2]] : [for b in a : b + 1]]": [[2], [3]],
    "true ? 1 : 2": 1,
    'false ? 1 : "a"': "a",
    '"1" ? 1 : 2': 1,
    "1 + 2 * 3 - 4 / 8": 6.5,
    '"1" + "2"': 3,
    "-7 % 3": -1,
    '-"5"': -5,
    "1 < 2 && 2 <= 2 && 3 > 2 && 3 >= 3": True,
    '!"true" || false': False,
    '1 == "1"': False,
    '"a" != 1': True,
    "[1] == [1] && {a = [1]} == {a = [1]}": True,
    "[1] == tolist([1])": False,
    "tolist([]) == tolist([1])": False,
    "null == null && tostring(null) == tonumber(null)": True,
    "max([1, 2]...)": 2,
    "max(1, toset([3])...)": 3,
    "{a = {b = [1, 2]}}.a.b[1]": 2,
    '[1, 2]["1"]': 2,
    '{"1" = 5}[1]': 5,
    "tomap({a = 1}).a": 1,
    "[{a = 1}, {a = 2}][*].a": [1, 2],
    "null[*].a": [],
    '"x"[*]': ["x"],
    "{a = 1}[*].a": [1],
    "[[1], [2]][*][0]": [1, 2],
    "[{b = [{c = 1}, {c = 2}]}][*].b[*].c": [[1, 2]],
    "try([][0], {}.a, 5)": 5,
    "can([][0])": False,
    "can(1)": True,
    'try(tonumber("x"), "fallback")': "fallback",
    'templatefile("greeting.tftpl", {name = "you", many = [1, 2]})': "Hello you: 1 2 \n",
}


@pytest.mark.parametrize("written", FORMS)
def test_forms(written: str) -> None:
    found = to_plain(value(written))
    assert found == FORMS[written]
    assert type(found) is type(FORMS[written]) or isinstance(FORMS[written], float)


TYPES = {
    "true ? [1] : [2, 3]": ListOf(NUMBER),
    'true ? [1] : ["a"]': TupleOf((STRING,)),
    "true ? {a = 1} : {b = 2}": MapOf(NUMBER),
    'true ? null : "a"': STRING,
    "true ? null : null": DYNAMIC,
    "true ? [1] : null": TupleOf((NUMBER,)),
    "false ? [][0] : 1": NUMBER,
    "true ? tolist([]) : [1]": ListOf(NUMBER),
    "true ? {a = null} : {a = 1}": ObjectOf.of({"a": NUMBER}),
    "tolist([{a = 1}])[*].a": ListOf(NUMBER),
    "toset([{a = 1}])[*].a": ListOf(NUMBER),
    "[{a = 1}][*].a": TupleOf((NUMBER,)),
}


@pytest.mark.parametrize("written", TYPES)
def test_types(written: str) -> None:
    assert type_of(value(written)) == TYPES[written]


REFUSED = {
    "null + 1": "operand of `+` is null",
    '1 + "canary"': "operand of `+`: a number is required",
    "1 && true": "operand of `&&`: a bool is required",
    "false && null": "operand of `&&` is null",
    "!null": "operand of `!` is null",
    "0 / 0": "`/` of zeros or infinities has no result",
    "null ? 1 : 2": "condition of `? :` is null",
    "1 ? 1 : 2": "condition of `? :`: a bool is required",
    "true ? 1 : true": "the two results of a conditional have no type in common",
    '[1]["canary"]': "(…): a number is required",
    "[1][1]": "(…): there is no element with this index: there are 1, counted from 0",
    "[1][-1]": "(…): there is no element with this index",
    "[1][0.5]": "(…): the index of a list must be a whole number",
    '{a = 1}["canary"]': "(…): there is no attribute in this object with this key",
    'tomap({a = 1})["canary"]': "(…): there is no element in this map with this key",
    "{a = 1}[null]": "(…): an index is null",
    "null[0]": "(…): an index into a null value",
    "toset([1])[0]": "(…): elements of a set have no index",
    '"canary"[0]': "(…): an index into a value that has no elements",
    "{a = 1}.b": "(…): there is no attribute `b`",
    "[1].a": "(…): `.a` of a list, tuple or set: write `[*].a`",
    "null.a": "(…): `.a` of a null value",
    '"canary".a': "(…): `.a` of a value that has no attributes",
    '[for v in "canary" : v]': "a `for` runs over a value that has no elements",
    "[for v in null : v]": "a `for` runs over a null value",
    "[for v in [1] : v if null]": "condition of `for … if` is null",
    "{for v in [null] : v => v}": "a key of a `for` expression is null",
    "{for v in [[1]] : v => v}": "a key of a `for` expression: string required",
    '{for v in ["canary", "canary"] : v => v}': "two elements of a `for` give the same key",
    "{(null) = 1}": "a key of an object is null",
    '"a${null}"': "a template inserts a value that is null",
    '"a${["canary"]}"': "a template inserts a value that has no text",
    '"%{ if null }a%{ endif }"': "condition of `%{ if }` is null",
    '"%{ for x in null }a%{ endfor }"': "a `for` runs over a null value",
    "max(null...)": "max: what stands before `...` must be a list, tuple or set",
    "nope(1)": "there is no function `nope`",
    "try()": "try: needs an argument",
    "try([][0])": "try: no argument succeeds; the last one: (…): there is no element",
    "can()": "can: takes one argument",
    "space": "`space` is no value by itself: say which one, as in `space.NAME`",
    "space.x": "there is no `x`",
    "nothing.x": "there is no `nothing`",
    'templatestring("a", {})': "templatestring: the template must be a reference",
    'templatefile("nested.tftpl", {})': "a template cannot render another template",
    'templatefile("greeting.tftpl", {})': "the template refers to `name`, which its variables do not have",
    'templatefile("broken.tftpl", {})': "broken.tftpl:2:9: unexpected `2`: `}` would be right",
}


@pytest.mark.parametrize("written", REFUSED)
def test_errors_say_what_is_wrong_and_quote_no_value(written: str) -> None:
    with pytest.raises(EvaluationError) as error:
        value(written)
    assert REFUSED[written] in str(error.value)
    assert "canary" not in str(error.value)


U = Unknown("aws_x.a.id", STRING)
UO = Object({"id": U, "name": "n"})
S = Sensitive("secret")

UNKNOWN: dict[str, Type] = {
    '"a${u}"': STRING,
    '"%{ if u == "x" }a%{ endif }"': STRING,
    '"%{ for x in split(",", u) }a%{ endfor }"': STRING,
    "u + 1": NUMBER,
    "-u": NUMBER,
    "u < 1": BOOL,
    'u == "a"': BOOL,
    "!(u == 1)": BOOL,
    'u == "x" ? "a" : "b"': STRING,
    'u == "x" ? [1] : [1, 2]': ListOf(NUMBER),
    "d.x.y": DYNAMIC,
    "d[0]": DYNAMIC,
    "d[*].id": DYNAMIC,
    "[for x in d : 1]": DYNAMIC,
    "[for x in [1] : x if u == x]": DYNAMIC,
    "{for x in [u] : x => 1}": DYNAMIC,
    "{(u) = 1}": DYNAMIC,
    "[1, 2][tonumber(u)]": DYNAMIC,
    "tomap({a = 1})[u]": NUMBER,
    "try([u], 1)": DYNAMIC,
    "try(u, 1)": STRING,
    "can(u)": BOOL,
    "max(d...)": DYNAMIC,
    "provider::x::f(u)": DYNAMIC,
    "[1, u] == [1, 2]": BOOL,
    "length(toset([u, 1])) == 1": BOOL,
}


@pytest.mark.parametrize("written", UNKNOWN)
def test_unknown_values_make_unknown_results_that_say_why(written: str) -> None:
    found = value(written, u=U, d=Unknown("aws_x.a.id"))
    assert isinstance(found, Unknown)
    assert found.type == UNKNOWN[written]
    assert "aws_x.a.id" in found.why


KNOWN = {
    "[u, 1][1]": 1,
    "o.name": "n",
    "try(o, 1).name": "n",
    "false && u == 1": False,
    "u == 1 || true": True,
    "[u, 1] == [u, 2]": False,
    "[u] == [u, u]": False,
    "u == 1 ? 2 : 2": 2,
    "[for x in toset([u]) : 1]": [1],
    "true ? 1 : u": "1",
    "{for k, v in o : k => 1}": {"id": 1, "name": 1},
}


@pytest.mark.parametrize("written", KNOWN)
def test_what_does_not_depend_on_the_unknown_is_known(written: str) -> None:
    assert to_plain(value(written, u=U, o=UO)) == KNOWN[written]


SENSITIVE: dict[str, Value] = {
    '"${s}"': Sensitive("secret"),
    '"a${s}"': Sensitive("asecret"),
    '"%{ if s == "x" }a%{ else }b%{ endif }"': Sensitive("b"),
    '"%{ for x in [s] }${x}%{ endfor }"': Sensitive("secret"),
    's == "x"': Sensitive(False),
    "[s] == [1]": Sensitive(False),
    "n + 1": Sensitive(3),
    "-n": Sensitive(-2),
    "n > 1 && false": Sensitive(False),
    "n > 1 ? 1 : 2": Sensitive(1),
    "true ? 1 : n": Sensitive(1),
    "o.a": Sensitive(1),
    'o["a"]': Sensitive(1),
    "[1, 2, 3][n]": Sensitive(3),
    "[for k, v in o : v]": Sensitive(Tuple((1,))),
    "[for x in [1, n] : x if x > 0]": Sensitive(Tuple((1, Sensitive(2)))),
    "{for x in [s] : x => 1}": Sensitive(Object({"secret": 1})),
    "{(s) = 1}": Sensitive(Object({"secret": 1})),
    "o[*].a": Sensitive(Tuple((1,))),
    "[o][*].a": Tuple((Sensitive(1),)),
    "max([1, n]...)": Sensitive(2),
    "[s]": Tuple((Sensitive("secret"),)),
    "[for x in [s] : x]": Tuple((Sensitive("secret"),)),
    'tomap({a = 1})[s == "x" ? "b" : "a"]': Sensitive(1),
    '{a = 1}[s == "x" ? "b" : "a"]': 1,
    "try(n, 1)": Sensitive(2),
    "can(n)": True,
}


@pytest.mark.parametrize("written", SENSITIVE)
def test_marks_go_where_terraform_lets_them_go(written: str) -> None:
    found = value(written, s=S, n=Sensitive(2), o=Sensitive(Object({"a": 1})))
    assert repr(found) == repr(SENSITIVE[written])
    assert found == SENSITIVE[written]


class Instance:
    """A resource instance that says which attributes were asked for."""

    flags = LAZY

    def __init__(self) -> None:
        self.asked: list[str] = []

    def get(self, name: str) -> Value:
        """See `Lazy`."""
        self.asked.append(name)
        if name == "missing":
            raise EvaluationError("there is no attribute `missing`")
        return f"{name}!"

    def force(self) -> Value:
        """See `Lazy`."""
        return Object({name: self.get(name) for name in ("arn", "id")})


@pytest.mark.parametrize(
    ("written", "plain", "asked"),
    [
        ("x.id", "id!", ["id"]),
        ('x["id"]', "id!", ["id"]),
        ("[x, x][*].id", ["id!", "id!"], ["id", "id"]),
        ("[for i in [x] : i.arn]", ["arn!"], ["arn"]),
        ("(true ? x : null).id", "id!", ["id"]),
        ("(false ? [] : [x])[0].id", "id!", ["id"]),
        ("{a = x}.a.id", "id!", ["id"]),
        ("try(x.missing, x.id)", "id!", ["missing", "id"]),
        ("[for k, v in x : k]", ["arn", "id"], ["arn", "id"]),
        ("x == x", True, ["arn", "id", "arn", "id"]),
        ('x == {arn = "arn!", id = "id!"}', True, ["arn", "id"]),
    ],
)
def test_lazy_objects_are_asked_for_what_is_needed(written: str, plain: object, asked: list[str]) -> None:
    x = Instance()
    assert to_plain(force(value(written, x=x))) == plain
    assert x.asked == asked


def test_names_hide_what_stands_outside() -> None:
    assert to_plain(value('[for x in [1] : "${x}-${y}"]', x="outer", y="y")) == ["1-y"]
    assert value("x", x="outer") == "outer"


def test_strings_are_in_normal_form_c() -> None:
    assert value('"e${"\u0301"}"') == "\u00e9"
    assert value('"e\u0301" == "\u00e9"') is True


def test_types_of_nulls_and_elements() -> None:
    assert value("[null, x]", x=Null(STRING)) == Tuple((NULL, Null(STRING)))
    assert type_of(value("x[0]", x=Unknown("x", ListOf(NUMBER)))) == NUMBER
    assert type_of(value("x.a", x=Unknown("x", ObjectOf.of({"a": BOOL})))) == BOOL
    assert type_of(value('x["a"]', x=Unknown("x", MapOf(BOOL)))) == BOOL
    with pytest.raises(EvaluationError, match="there is no attribute `b`"):
        value("x.b", x=Unknown("x", ObjectOf.of({"a": BOOL})))

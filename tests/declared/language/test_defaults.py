"""Type constraints of variables, and the defaults of `optional()` in them, as Terraform 1.11 applies them."""

import pytest
from evaluated_text import value

from agent.declared.hcl import tree
from agent.declared.hcl.parse import parse
from agent.declared.language.conversion import convert
from agent.declared.language.defaults import apply, constraint
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
    to_json,
)
from agent.declared.language.values import Null, Object, Sensitive, Unknown, to_plain, type_of


def expression(text: str) -> tree.Expression:
    found = parse(f"v = {text}\n".encode()).attribute("v")
    assert found is not None
    return found


CONSTRAINTS: dict[str, Type] = {
    "string": STRING,
    "any": DYNAMIC,
    "list": ListOf(DYNAMIC),
    "map": MapOf(DYNAMIC),
    '"string"': STRING,
    '"list"': ListOf(STRING),
    '"map"': MapOf(STRING),
    "set(number)": SetOf(NUMBER),
    "map(list(bool))": MapOf(ListOf(BOOL)),
    "tuple([string, any])": TupleOf((STRING, DYNAMIC)),
    'object({b = number, "a" = optional(string)})': ObjectOf.of({"a": STRING, "b": NUMBER}, frozenset({"a"})),
    "object({})": ObjectOf(()),
}


@pytest.mark.parametrize("text", CONSTRAINTS)
def test_constraints(text: str) -> None:
    type_, defaults = constraint(expression(text))
    assert type_ == CONSTRAINTS[text]
    assert not defaults


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optional(string)", "around the type of an object's attribute only"),
        ("list(optional(string))", "around the type of an object's attribute only"),
        ("object({a = optional()})", "optional() of `a` takes a type and perhaps a default"),
        ("object({a = optional(string, 1, 2)})", "optional() of `a` takes a type and perhaps a default"),
        ('object({a = optional(number, "canary")})', "the default of the optional attribute `a`: a number is required"),
        ("object({a = optional(string, var.x)})", "`var` cannot be referred to"),
        ("object({(a) = string})", "an attribute of an object type is a name"),
        ('"canary"', "no type: write string"),
        ("nope", "no type: write string"),
        ("list(string, string)", "no type: write string"),
        ("var.x", "no type: write string"),
    ],
)
def test_what_is_no_type(text: str, message: str) -> None:
    with pytest.raises(EvaluationError) as error:
        constraint(expression(text))
    assert message in str(error.value)
    assert "canary" not in str(error.value)


NESTED = 'object({a = optional(object({b = optional(string, "x"), c = optional(number)}), {c = 3})})'
APPLIED = [
    ("object({a = string, c = optional(number, 5)})", "{a = 1}", {"a": "1", "c": 5}),
    ("object({a = string, c = optional(number, 5)})", "{a = 1, c = null}", {"a": "1", "c": 5}),
    ("object({a = string, c = optional(number)})", "{a = 1}", {"a": "1", "c": None}),
    (NESTED, "{}", {"a": {"b": "x", "c": 3}}),
    (NESTED, "{a = {}}", {"a": {"b": "x", "c": None}}),
    ('object({a = optional(object({b = optional(string, "x")}))})', "{}", {"a": None}),
    ('list(object({a = optional(string, "d")}))', '[{}, {a = "z"}]', [{"a": "d"}, {"a": "z"}]),
    ('map(object({a = optional(string, "d")}))', "{x = {}, y = {a = null}}", {"x": {"a": "d"}, "y": {"a": "d"}}),
    ('set(object({a = optional(string, "d")}))', '[{}, {a = "d"}]', [{"a": "d"}]),
    ("tuple([string, object({a = optional(number, 1)})])", '["x", {}]', ["x", {"a": 1}]),
    ('object({a = optional(list(object({b = optional(string, "x")})), [{}])})', "{}", {"a": [{"b": "x"}]}),
    ('object({a = optional(any, "q")})', "{}", {"a": "q"}),
    ("object({a = optional(any, {})})", "{a = {z = 1}}", {"a": {"z": 1}}),
    ("object({a = optional(string, 5)})", "{}", {"a": "5"}),
    ("object({a = optional(list(string), null)})", "{}", {"a": None}),
    ('map(object({a = optional(any, "z")}))', "{x = {a = 1}, y = {}}", {"x": {"a": "1"}, "y": {"a": "z"}}),
    ("object({a = optional(number, 1)})", "null", None),
]


@pytest.mark.parametrize(("type_text", "written", "plain"), APPLIED)
def test_defaults_are_applied_before_conversion(type_text: str, written: str, plain: object) -> None:
    type_, defaults = constraint(expression(type_text))
    found = convert(apply(defaults, value(written)), type_)
    assert to_plain(found) == plain
    if "any" not in type_text:
        assert to_json(type_of(found)) == to_json(type_of(convert(found, type_)))


def test_null_unknown_and_sensitive_values_get_no_defaults_but_what_is_in_them_does() -> None:
    type_, defaults = constraint(expression("object({a = optional(object({b = optional(number, 1)}))})"))
    assert isinstance(apply(defaults, Null(type_)), Null)
    unknown = Unknown("x")
    assert apply(defaults, unknown) is unknown
    found = apply(defaults, Sensitive(Object({"a": Object({})})))
    assert found == Sensitive(Object({"a": Object({"b": 1})}))


def test_a_value_of_another_shape_is_left_to_the_conversion() -> None:
    _, defaults = constraint(expression("list(object({a = optional(number, 1)}))"))
    assert apply(defaults, "text") == "text"

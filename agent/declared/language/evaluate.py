"""`evaluate`: the value of an expression in a scope.

Hides what every form of an expression means, and which of them see null, unknown and sensitive values. References are
the scope's; there is no clock, no network, and no file but those functions read through the scope's `Place`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from agent.declared.hcl import tree
from agent.declared.hcl.error import ParseError
from agent.declared.hcl.template import parse_template
from agent.declared.language import functions, loops, operators, references, templates
from agent.declared.language.budget import Budget
from agent.declared.language.error import EvaluationError, TooMuch
from agent.declared.language.numbers import nearest
from agent.declared.language.scope import FORMS, Names, Scope, bare, endless, step, weight
from agent.declared.language.types import BOOL
from agent.declared.language.values import (
    UNKNOWN,
    List,
    Null,
    Object,
    Sensitive,
    Set,
    Tuple,
    Unknown,
    Value,
    flags,
    whys,
)

__all__ = ["Budget", "Names", "Scope", "TooMuch", "evaluate"]


def evaluate(expression: tree.Expression, scope: Scope) -> Value:
    """The value; lazy objects in it are left as they are. Raises `EvaluationError`, of which `TooMuch` is one."""
    try:
        return step(expression, scope)
    except RecursionError:
        raise TooMuch("expressions are nested, or refer to one another, too deeply to evaluate") from None


class _Template:
    """The scope of `templatefile` and `templatestring`: the variables given to them, and nothing else."""

    __slots__ = ("budget", "place", "variables")

    def __init__(self, variables: Mapping[str, Value], scope: Scope) -> None:
        self.variables = variables
        self.place = replace(scope.place, render=_no_template)
        self.budget = scope.budget

    def root(self, name: str) -> Value | Names:
        """See `Scope`."""
        if name not in self.variables:
            raise EvaluationError(f"the template refers to `{name}`, which its variables do not have")
        return self.variables[name]


def _no_template(_text: str, _name: str, _variables: Mapping[str, Value]) -> Value:
    raise EvaluationError("a template cannot render another template")


def _literal(expression: tree.Literal, _scope: Scope) -> Value:
    value = expression.value
    return Null() if value is None else value


def _number(expression: tree.Number, _scope: Scope) -> Value:
    return nearest(expression.value)


def _tuple(expression: tree.Tuple, scope: Scope) -> Value:
    return Tuple([step(each, scope) for each in expression.items])


def _bare_key(_expression: tree.BareKey, _scope: Scope) -> Value:
    raise EvaluationError("a reference as a key: put it in parentheses, or quote it")


def _object(expression: tree.Object, scope: Scope) -> Value:
    """The last of several values for one key wins, as in Terraform."""
    found: dict[str, Value] = {}
    why: list[str] = []
    hidden = unknown = False
    for key, written in expression.items:
        if isinstance(key, tree.Literal) and isinstance(key.value, str):
            name: str | Unknown = key.value
        else:
            plain, marked = bare(step(key, scope))
            hidden |= marked
            name = loops.key_text(plain, "of an object")
        value = step(written, scope)
        if isinstance(name, Unknown):
            why += name.why
            unknown = True
        else:
            found[name] = value
    result: Value = Unknown(why) if unknown else Object(found)
    return Sensitive(result) if hidden else result


def _binary(expression: tree.Binary, scope: Scope) -> Value:
    left, right = step(expression.left, scope), step(expression.right, scope)
    if expression.operator in ("==", "!="):
        scope.budget.spend(weight(left) + weight(right))
    return operators.binary(expression.operator, left, right)


def _unary(expression: tree.Unary, scope: Scope) -> Value:
    return operators.unary(expression.operator, step(expression.operand, scope))


def _call(expression: tree.Call, scope: Scope) -> Value:
    name = expression.name
    if name == "try":
        return _try(expression, scope)
    if name == "can":
        return _can(expression, scope)
    if name == "templatestring" and not _is_reference(expression.arguments[:1]):
        raise EvaluationError("templatestring: the template must be a reference: give it a local value, or use `${}`")
    arguments = [step(each, scope) for each in expression.arguments]
    hidden = False
    if expression.expand:
        last, hidden = bare(arguments.pop())
        if endless(last):
            return Unknown(whys(last))
        if not isinstance(last, List | Set | Tuple):
            raise EvaluationError(f"{name}: what stands before `...` must be a list, tuple or set")
        arguments += last.items
    if "::" in name:
        return Unknown((f"{name}(): a provider's function", *(why for each in arguments for why in whys(each))))
    scope.budget.spend(sum(map(weight, arguments)))
    place = scope.place
    if place.render is None and name.startswith("template"):
        place = replace(place, render=_renderer(scope))
    result = functions.call(name, arguments, place)
    if isinstance(result, str):
        result = templates.bounded(result, scope)
    return Sensitive(result) if hidden else result


def _is_reference(first: tuple[tree.Expression, ...]) -> bool:
    return bool(first) and isinstance(first[0], tree.Variable | tree.GetAttr | tree.Index)


def _renderer(scope: Scope) -> Callable[[str, str, Mapping[str, Value]], Value]:
    def render(written: str, name: str, variables: Mapping[str, Value]) -> Value:
        try:
            expression = parse_template(written, name, 1)
        except ParseError as error:
            raise EvaluationError(str(error)) from None
        return evaluate(expression, _Template(variables, scope))

    return render


def _try(expression: tree.Call, scope: Scope) -> Value:
    """The first argument that does not fail; unknown while it might still fail once everything is known."""
    failure = ""
    for each in expression.arguments:
        try:
            found = step(each, scope)
        except TooMuch:
            raise
        except EvaluationError as error:
            failure = str(error)
            continue
        if flags(found) & UNKNOWN and not isinstance(each, tree.Variable | tree.GetAttr):
            return Unknown(whys(found))
        return found
    raise EvaluationError(
        f"try: no argument succeeds; the last one: {failure}" if failure else "try: needs an argument"
    )


def _can(expression: tree.Call, scope: Scope) -> Value:
    if len(expression.arguments) != 1:
        raise EvaluationError("can: takes one argument")
    try:
        found = step(expression.arguments[0], scope)
    except TooMuch:
        raise
    except EvaluationError:
        return False
    return Unknown(whys(found), BOOL) if flags(found) & UNKNOWN else True


FORMS.update(
    {
        tree.Literal: _literal,
        tree.Number: _number,
        tree.Template: templates.template,
        tree.Tuple: _tuple,
        tree.Object: _object,
        tree.BareKey: _bare_key,
        tree.For: loops.for_,
        tree.Conditional: loops.conditional,
        tree.Binary: _binary,
        tree.Unary: _unary,
        tree.Call: _call,
        tree.Variable: references.variable,
        tree.GetAttr: references.get_attr,
        tree.Index: references.index,
        tree.Splat: references.splat,
        tree.Item: references.item,
    }
)

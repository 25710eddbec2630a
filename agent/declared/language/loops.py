"""`for` and conditional expressions; hides which elements a loop sees, and which type two branches share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from agent.declared.hcl import tree
from agent.declared.language.conversion import convert
from agent.declared.language.error import EvaluationError, TooMuch
from agent.declared.language.scope import KNOWN, Inner, Scope, bare, endless, step, weight
from agent.declared.language.types import BOOL, DYNAMIC, NUMBER, STRING, Type
from agent.declared.language.unification import unified
from agent.declared.language.values import (
    LAZY,
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
    type_of,
    whys,
)


def each_element(key_name: str, value_name: str, source: Value, inner: Inner) -> Iterator[Inner]:
    """The loop's scope, once for every element: one scope, whose names change. Raises `EvaluationError`."""
    if isinstance(source, Null):
        raise EvaluationError("a `for` runs over a null value")
    whole = force(source) if type(source) not in KNOWN else source
    entries: Iterable[tuple[Value, Value]]
    if isinstance(whole, List | Tuple):
        entries = enumerate(whole.items)
    elif isinstance(whole, Set):
        entries = ((each, each) for each in whole.items)
    elif isinstance(whole, Map | Object):
        entries = whole.items.items()
    else:
        raise EvaluationError("a `for` runs over a value that has no elements")
    for key, value in entries:
        inner.budget.spend(1)
        if key_name:
            inner.names[key_name] = key
        inner.names[value_name] = value
        yield inner


def for_(expression: tree.For, scope: Scope) -> Value:
    """`[for …]` and `{for …}`."""
    source, hidden = bare(step(expression.collection, scope))
    if endless(source):
        result: Value = Unknown(whys(source))
        return Sensitive(result) if hidden else result
    loop = _Loop(expression)
    inner = Inner(scope)
    for one in each_element(expression.key_name, expression.value_name, source, inner):
        loop.step(one)
    if expression.condition is not None and not inner.names:
        # A condition that can only fail is refused though there is no element.
        inner.names.update({expression.key_name: Unknown(()), expression.value_name: Unknown(())})
        condition(expression.condition, "for … if", inner)
    result = loop.result()
    return Sensitive(result) if hidden or loop.hidden else result


class _Loop:
    """What a `for` expression gathers."""

    def __init__(self, expression: tree.For) -> None:
        self.expression = expression
        self.items: list[Value] = []
        self.members: dict[str, Value] = {}
        self.groups: dict[str, list[Value]] = {}
        self.why: list[str] = []
        self.unknown = self.hidden = False

    def step(self, inner: Inner) -> None:
        written = self.expression
        if written.condition is not None:
            kept, marked = condition(written.condition, "for … if", inner)
            self.hidden |= marked
            if isinstance(kept, Unknown):
                self.unknown = True
                self.why += kept.why
                return
            if not kept:
                return
        if written.key is None:
            self.items.append(step(written.value, inner))
            return
        plain, marked = bare(step(written.key, inner))
        self.hidden |= marked
        key = key_text(plain, "of a `for` expression")
        value = step(written.value, inner)
        if isinstance(key, Unknown):
            self.unknown = True
            self.why += key.why
        elif written.grouped:
            self.groups.setdefault(key, []).append(value)
        elif key in self.members:
            raise EvaluationError(
                "two elements of a `for` give the same key: write `...` behind the value to group them"
            )
        else:
            self.members[key] = value

    def result(self) -> Value:
        if self.unknown:
            return Unknown(self.why)
        if self.expression.key is None:
            return Tuple(self.items)
        if self.expression.grouped:
            return Object({key: Tuple(group) for key, group in self.groups.items()})
        return Object(self.members)


def condition(expression: tree.Expression, where: str, scope: Scope) -> tuple[bool | Unknown, bool]:
    """A condition's value, and whether it is sensitive."""
    value, hidden = bare(step(expression, scope))
    try:
        found = convert(value, BOOL)
    except EvaluationError as error:
        raise EvaluationError(f"condition of `{where}`: {error}") from None
    if isinstance(found, bool | Unknown):
        return found, hidden
    raise EvaluationError(f"condition of `{where}` is null")


def conditional(expression: tree.Conditional, scope: Scope) -> Value:
    """`condition ? yes : no`; both branches are evaluated, because both decide the type."""
    decided, hidden = condition(expression.condition, "? :", scope)
    if isinstance(decided, Unknown):
        yes, no = step(expression.yes, scope), step(expression.no, scope)
        result: Value = _undecided(decided, yes, no, scope)
    else:
        chosen, other = (expression.yes, expression.no) if decided else (expression.no, expression.yes)
        yes, no = step(chosen, scope), _attempted(other, scope)
        result = _chosen(yes, no, scope)
    # A sensitive branch makes the result sensitive even where it is not taken.
    return Sensitive(result) if hidden or isinstance(yes, Sensitive) or isinstance(no, Sensitive) else result


def _undecided(condition: Unknown, yes: Value, no: Value, scope: Scope) -> Value:
    if (flags(yes) | flags(no)) & LAZY:
        return Unknown(condition.why)
    common = _common(yes, no, scope)
    left, right = (bare(convert(each, common))[0] for each in (yes, no))
    if common == NUMBER and isinstance(left, int | Decimal) and left == right:
        return left
    return Unknown(condition.why, common)


def _attempted(expression: tree.Expression, scope: Scope) -> Value:
    """The branch that is not taken: only its type matters. Where part of a constructor fails, the rest has its own."""
    try:
        return step(expression, scope)
    except TooMuch:
        raise
    except EvaluationError:
        pass
    if isinstance(expression, tree.Tuple):
        return Tuple([_attempted(each, scope) for each in expression.items])
    if isinstance(expression, tree.Object):
        pairs = [(key.value, each) for key, each in expression.items if isinstance(key, tree.Literal)]
        if len(pairs) == len(expression.items):
            return Object({str(key): _attempted(each, scope) for key, each in pairs})
    return Unknown(())


def _chosen(chosen: Value, other: Value, scope: Scope) -> Value:
    if type(chosen) is type(other) and isinstance(chosen, str | bool):
        return chosen
    # Lazy objects keep their types to themselves: two of them in one conditional are of one kind in all but odd code.
    if (flags(chosen) | flags(other)) & LAZY:
        return chosen
    return convert(chosen, _common(chosen, other, scope))


def _common(left: Value, right: Value, scope: Scope) -> Type:
    scope.budget.spend(weight(left) + weight(right))
    types = [type_of(left), type_of(right)]
    for value, other in ((left, types[1]), (right, types[0])):
        if isinstance(value, Null) and value.type == DYNAMIC:
            return other
    common = unified(types, unsafe=True)
    if common is None:
        raise EvaluationError("the two results of a conditional have no type in common")
    return common


def key_text(value: Value, whose: str) -> str | Unknown:
    """A key as a string. Raises `EvaluationError`; `whose` is its wording."""
    if isinstance(value, Null):
        raise EvaluationError(f"a key {whose} is null")
    try:
        found = convert(value, STRING)
    except EvaluationError as error:
        raise EvaluationError(f"a key {whose}: {error}") from None
    return found if isinstance(found, Unknown) else str(found)

"""What names mean where an expression stands, and the step from an expression to its form.

Hides how forms find each other: each module of forms evaluates its parts with `step`.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Protocol

from agent.declared.hcl import tree
from agent.declared.language.budget import Budget
from agent.declared.language.functions import Place
from agent.declared.language.values import UNKNOWN, List, Map, Null, Object, Sensitive, Set, Tuple, Unknown, Value


class Names(Protocol):
    """A namespace such as `var` or `data`: has members, and is no value by itself."""

    def get(self, name: str) -> Value | Names:
        """A member. Raises `EvaluationError` where there is none of that name."""
        ...


class Scope(Protocol):
    """What names mean where an expression stands."""

    place: Place
    budget: Budget

    def root(self, name: str) -> Value | Names:
        """The meaning of a reference's first word. Raises `EvaluationError` where it has none."""
        ...


FORMS: dict[type, Callable[[Any, Scope], Value]] = {}
"""Kind of expression → what evaluates it; `evaluate` fills it."""


def step(expression: tree.Expression, scope: Scope) -> Value:
    """The value of an expression. Raises `EvaluationError`, and `RecursionError` at its own peril."""
    budget = scope.budget
    budget.steps -= 1
    if budget.steps < 0:
        budget.spend(0)
    return FORMS[type(expression)](expression, scope)


class Inner:
    """The scope of a `for`, a template's loop or a splat: the names it gives, then those around it."""

    __slots__ = ("budget", "names", "outer", "place")

    def __init__(self, outer: Scope) -> None:
        self.outer = outer
        self.place = outer.place
        self.budget = outer.budget
        self.names: dict[str, Value] = {}

    def root(self, name: str) -> Value | Names:
        """See `Scope`."""
        found = self.names.get(name)
        return self.outer.root(name) if found is None else found


_SMALL = frozenset({bool, int, Decimal, Null})
KNOWN = frozenset({str, bool, int, Decimal, Null, Unknown, Sensitive, List, Set, Tuple, Map, Object})


"""Every kind of value but lazy objects."""


def bare(value: Value) -> tuple[Value, bool]:
    """A value without its own mark, and whether it had one."""
    return (value.value, True) if isinstance(value, Sensitive) else (value, False)


def weight(value: Value) -> int:
    """Steps that walking a value once is worth."""
    if type(value) in _SMALL:
        return 1
    plain = value.value if isinstance(value, Sensitive) else value
    return len(plain) >> 5 if isinstance(plain, str) else getattr(plain, "size", 1)


def endless(source: Value) -> bool:
    """Whether nobody can tell what a loop over the value would see."""
    if isinstance(source, Set):  # unknown items may turn out to be one
        return bool(source.flags & UNKNOWN) and len(source.items) > 1
    return isinstance(source, Unknown)

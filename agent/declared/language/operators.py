"""Operators between values; hides their conversions, and what null, unknown and sensitive operands make of them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from decimal import Decimal

from agent.declared.language.conversion import convert
from agent.declared.language.error import EvaluationError
from agent.declared.language.numbers import ARITHMETIC, negative
from agent.declared.language.types import BOOL, NUMBER, Primitive
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
    unmarked,
    whys,
)

_COMPARISONS: Mapping[str, Callable[[int | Decimal, int | Decimal], bool]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


def binary(sign: str, left: Value, right: Value) -> Value:
    """`left sign right`. Raises `EvaluationError`."""
    if sign in ("==", "!="):
        found = _equality(left, right)
        return found if sign == "==" else unary("!", found)
    if isinstance(left, Sensitive) or isinstance(right, Sensitive):
        plain = (each.value if isinstance(each, Sensitive) else each for each in (left, right))
        return Sensitive(binary(sign, *plain))
    if sign in ("&&", "||"):
        return _logic(sign, _operand(sign, left, BOOL), _operand(sign, right, BOOL))
    a, b = _operand(sign, left, NUMBER), _operand(sign, right, NUMBER)
    if isinstance(a, int | Decimal) and isinstance(b, int | Decimal):
        return ARITHMETIC[sign](a, b) if sign in ARITHMETIC else _COMPARISONS[sign](a, b)
    return Unknown((*whys(a), *whys(b)), NUMBER if sign in ARITHMETIC else BOOL)


def unary(sign: str, value: Value) -> Value:
    """`!value` or `-value`. Raises `EvaluationError`."""
    if isinstance(value, Sensitive):
        return Sensitive(unary(sign, value.value))
    found = _operand(sign, value, BOOL if sign == "!" else NUMBER)
    if isinstance(found, bool):
        return not found
    if isinstance(found, int | Decimal):
        return negative(found)
    return found


def _operand(sign: str, value: Value, type_: Primitive) -> Value:
    if type_ is NUMBER and type(value) is int:
        return value
    try:
        found = convert(value, type_)
    except EvaluationError as error:
        raise EvaluationError(f"operand of `{sign}`: {error}") from None
    if isinstance(found, Null):
        raise EvaluationError(f"operand of `{sign}` is null")
    return found


def _logic(sign: str, left: Value, right: Value) -> Value:
    decides = sign == "||"
    if left is decides or right is decides:
        return decides
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return Unknown((*whys(left), *whys(right)), BOOL)
    return not decides


def _equality(left: Value, right: Value) -> Value:
    hidden = (flags(left) | flags(right)) & SENSITIVE
    a, b = (force(unmarked(each)[0]) for each in (left, right))
    found = equal(a, b)
    result: Value = Unknown((*whys(a), *whys(b)), BOOL) if found is None else found
    return Sensitive(result) if hidden else result


_CONTAINERS = (List, Set, Tuple, Map, Object)


def equal(left: Value, right: Value) -> bool | None:
    """Whether unmarked, forced values are equal, types and all, as `==` has it; None where nobody can tell."""
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return None
    if not isinstance(left, _CONTAINERS) or not isinstance(right, _CONTAINERS):
        return same(left, right)
    if (left.flags | right.flags) & UNKNOWN:
        return _partly(left, right)
    return same(left, right) and type_of(left) == type_of(right)


def _partly(left: Value, right: Value) -> bool | None:
    """Equality of containers that hold something unknown: a difference elsewhere decides."""
    if isinstance(left, Map | Object) and isinstance(right, Map | Object) and type(left) is type(right):
        if left.items.keys() != right.items.keys():
            return False
        pairs = [(each, right.items[name]) for name, each in left.items.items()]
    elif isinstance(left, List | Tuple) and isinstance(right, List | Tuple) and type(left) is type(right):
        if len(left.items) != len(right.items):
            return False
        pairs = list(zip(left.items, right.items, strict=True))
    else:
        return None if type(left) is type(right) else False
    found = {equal(*pair) for pair in pairs}
    return False if False in found else None if None in found else True

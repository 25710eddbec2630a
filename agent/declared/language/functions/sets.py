"""Functions over sets, and the product of collections.

Hides how their items come to one type, and when a product is a set and when a list.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

from agent.declared.language.conversion import convert, unified
from agent.declared.language.error import EvaluationError
from agent.declared.language.functions import Function, Parameter
from agent.declared.language.functions.collections import bounded, items_type, listed, uncertain
from agent.declared.language.types import DYNAMIC, SetOf, TupleOf, Type
from agent.declared.language.values import List, Set, Tuple, Unknown, Value, type_of, whys


def _alike(sets: Sequence[Value]) -> tuple[list[tuple[Value, ...]], Type]:
    """Items of several sets, and the type they all were brought to."""
    # An empty set of no type has no say.
    elements = [each.element for each in sets if isinstance(each, Set) and (each.items or each.element != DYNAMIC)]
    type_ = unified(elements) if elements else DYNAMIC
    if type_ is None:
        raise EvaluationError("the sets' items have no type in common")
    converted = [convert(each, SetOf(type_)) for each in sets]
    return [listed(each, sets=True) for each in converted], type_


def _told_apart(value: Value) -> tuple[bool, Value]:
    """What a value is looked up by: `true` and `1` are equal to Python."""
    return isinstance(value, bool), value


def _setunion(*sets: Value) -> Value:
    if any(isinstance(each, Unknown) for each in sets):
        return Unknown((why for each in sets for why in whys(each)), _united_type(sets))
    items, type_ = _alike(sets)
    return Set(itertools.chain(*items), type_)


def _setintersection(*sets: Value) -> Value:
    (first, *others), type_ = _alike(sets)
    kept = set(map(_told_apart, first)).intersection(*(map(_told_apart, each) for each in others))
    return Set((each for each in first if _told_apart(each) in kept), type_)


def _setsubtract(left: Value, right: Value) -> Value:
    (first, second), type_ = _alike((left, right))
    removed = set(map(_told_apart, second))
    return Set((each for each in first if _told_apart(each) not in removed), type_)


def _united_type(arguments: Sequence[Value]) -> Type:
    types = [type_of(each) for each in arguments]
    return SetOf(unified([each.element for each in types if isinstance(each, SetOf)]) or DYNAMIC)


def _setproduct(*values: Value) -> Value:
    if len(values) < 2:
        raise EvaluationError("takes at least two collections")
    if any(isinstance(each, Unknown) or uncertain(each) for each in values):
        return Unknown(why for each in values if isinstance(each, Unknown) or uncertain(each) for why in whys(each))
    columns: list[list[Value]] = []
    types: list[Type] = []
    for each in values:
        items = listed(each, sets=True)
        type_ = each.element if isinstance(each, Set) else items_type(each)
        type_ = DYNAMIC if not items and isinstance(each, Tuple) else type_
        types.append(type_)
        columns.append([convert(item, type_) for item in items])
    bounded(math.prod(map(len, columns)))
    row = TupleOf(tuple(types))
    rows = map(Tuple, itertools.product(*columns))
    return Set(rows, row) if any(isinstance(each, Set) for each in values) else List(rows, row)


_ANY = SetOf(DYNAMIC)
_FIRST, _OTHERS = Parameter("first_set", _ANY), Parameter("other_sets", _ANY)

FUNCTIONS: Mapping[str, Function] = {
    "setintersection": Function((_FIRST,), _setintersection, _united_type, variadic=_OTHERS),
    "setproduct": Function((), _setproduct, variadic=Parameter("sets"), partial=True, items=True),
    "setsubtract": Function((Parameter("a", _ANY), Parameter("b", _ANY)), _setsubtract, _united_type),
    "setunion": Function((_FIRST,), _setunion, _united_type, variadic=_OTHERS, partial=True),
}

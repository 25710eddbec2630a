"""Functions over lists, sets and tuples, one at a time or several.

Hides what type comes out (a list or a tuple, and of what), and what is known though parts are not. Here "collection"
is whatever has items in an order: list, set, tuple.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import regex

from agent.declared.language.conversion import convert, unified
from agent.declared.language.error import EvaluationError, TooMuch
from agent.declared.language.functions import Function, Parameter
from agent.declared.language.functions.numeric import whole
from agent.declared.language.numbers import Number
from agent.declared.language.types import BOOL, DYNAMIC, NUMBER, STRING, ListOf, Primitive, SetOf, TupleOf, Type
from agent.declared.language.values import (
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
    same,
    type_of,
    whys,
)

LARGEST = 100_000
"""Items a function's result may have; Terraform knows no limit."""


def bounded(count: int) -> None:
    """Raises `TooMuch` where a result would have more than `LARGEST` items."""
    if count > LARGEST:
        raise TooMuch(f"the result has more than {LARGEST:,} items")


def equal(left: Value, right: Value) -> bool | None:
    """Whether two unmarked values are equal, of the same type and all; None where what is unknown decides."""
    if not (flags(left) | flags(right)) & UNKNOWN:
        return same(left, right)
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return None
    if (isinstance(left, Tuple) and isinstance(right, Tuple)) or (isinstance(left, List) and isinstance(right, List)):
        if len(left.items) != len(right.items):
            return False
        return _all(map(equal, left.items, right.items))
    if (isinstance(left, Object) and isinstance(right, Object)) or (isinstance(left, Map) and isinstance(right, Map)):
        if left.items.keys() != right.items.keys():
            return False
        return _all(equal(each, right.items[name]) for name, each in left.items.items())
    return None if isinstance(left, Set) and isinstance(right, Set) else False


def _all(answers: Iterable[bool | None]) -> bool | None:
    found = set(answers)
    return False if False in found else None if None in found else True


def uncertain(value: Value) -> bool:
    """Whether it is a set of which unknown items may turn out to be the same: nobody can say how many it has."""
    return isinstance(value, Set) and len(value.items) > 1 and bool(value.flags & UNKNOWN)


def listed(value: Value, *, sets: bool = False) -> tuple[Value, ...]:
    """Items of a list or tuple, or set. Raises `EvaluationError` for everything else."""
    if isinstance(value, List | Tuple) or (sets and isinstance(value, Set)):
        return value.items
    raise EvaluationError(f"takes {'a list, set or tuple' if sets else 'a list or a tuple'}")


def items_type(value: Value) -> Type:
    """The one type of a collection's items. Raises `EvaluationError` where a tuple's have none in common."""
    if isinstance(value, List | Set):
        return value.element
    found = unified([type_of(each) for each in listed(value)])
    if found is None:
        raise EvaluationError("the items have no type in common")
    return found


def _listed_type(arguments: Sequence[Value]) -> Type:
    """That of the first argument's items, for results that are such an item."""
    type_ = type_of(arguments[0])
    return type_.element if isinstance(type_, ListOf | SetOf) else DYNAMIC


def _first_type(arguments: Sequence[Value]) -> Type:
    type_ = type_of(arguments[0])
    return type_ if isinstance(type_, ListOf) else DYNAMIC


# --- asking ----------------------------------------------------------------------------------------------------


def _alltrue(values: Value) -> Value:
    return _decided(values, until=False)


def _anytrue(values: Value) -> Value:
    return _decided(values, until=True)


def _decided(values: Value, *, until: bool) -> Value:
    """One that decides is enough, whatever is unknown; null is not true."""
    if isinstance(values, Unknown):
        return Unknown(values.why, BOOL)
    open_: tuple[str, ...] = ()
    for each in listed(values):
        if isinstance(each, Unknown):
            open_ = open_ or each.why
        elif (each is True) == until:
            return until
    return Unknown(open_, BOOL) if open_ else not until


def _contains(values: Value, wanted: Value) -> Value:
    if isinstance(values, Unknown):
        return Unknown((*values.why, *whys(wanted)), BOOL)
    if isinstance(wanted, Unknown):
        return Unknown(wanted.why, BOOL)
    answers = [equal(each, wanted) for each in listed(values, sets=True)]
    if True in answers:
        return True
    return Unknown((*whys(values), *whys(wanted)), BOOL) if None in answers else False


def _index(values: Value, wanted: Value) -> Value:
    if isinstance(values, Unknown) or isinstance(wanted, Unknown):
        return Unknown((*whys(values), *whys(wanted)), NUMBER)
    for position, each in enumerate(listed(values)):
        answer = equal(each, wanted)
        if answer is None:
            return Unknown((*whys(each), *whys(wanted)), NUMBER)
        if answer:
            return position
    raise EvaluationError("the list has no such item")


def _length(value: Value) -> Value:
    if isinstance(value, str):
        return len(regex.findall(r"\X", value))
    if uncertain(value):
        return Unknown(whys(value), NUMBER)
    if isinstance(value, List | Set | Tuple | Map | Object):
        return len(value.items)
    raise EvaluationError("takes a string or a collection")


def _element(values: Value, index: Number) -> Value:
    items, position = listed(values), whole(index, "the index")
    if not items:
        raise EvaluationError("an empty list has no element")
    # Lists count backwards from their end, tuples do not.
    if position < 0 and position % len(items) and isinstance(values, Tuple):
        raise EvaluationError("the index is negative")
    return items[position % len(items)]


def _one(values: Value) -> Value:
    if isinstance(values, Unknown) or uncertain(values):
        return Unknown(whys(values), _listed_type([values]))
    items = listed(values, sets=True)
    if len(items) > 1:
        raise EvaluationError("takes at most one item")
    return items[0] if items else Null(_listed_type([values]))


# --- the first that is something --------------------------------------------------------------------------------


def _coalesce(*values: Value) -> Value:
    types = [type_of(each) for each in values]
    type_ = unified(types)
    if not values or type_ is None:
        raise EvaluationError("all arguments must have one type" if values else "takes at least one argument")
    if any(isinstance(each, Unknown) and each.type == DYNAMIC for each in values):
        type_ = DYNAMIC
    for each in values:
        if isinstance(each, Unknown):
            return Unknown(each.why, type_)
        if isinstance(each, Null) or (each == "" and type_ in (STRING, DYNAMIC)):
            continue
        return each if type_ == DYNAMIC else convert(each, type_)
    raise EvaluationError("every argument is null or an empty string")


def _coalescelist(*values: Value) -> Value:
    if not values:
        raise EvaluationError("takes at least one argument")
    for each in values:
        if not isinstance(type_of(each), ListOf | TupleOf) and not _open(each):
            raise EvaluationError("takes lists and tuples")
    for each in values:
        if isinstance(each, Unknown):
            return Unknown(each.why)
        if not isinstance(each, Null) and listed(each):
            return each
    raise EvaluationError("every argument is empty")


def _open(value: Value) -> bool:
    return isinstance(value, Unknown) and value.type == DYNAMIC


# --- making of one ----------------------------------------------------------------------------------------------


def _chunklist(values: Value, size: Number) -> Value:
    width, items = whole(size, "the size"), listed(values)
    if width < 0:
        raise EvaluationError("the size is negative")
    type_ = items_type(values)
    chunks = [items[at : at + width] for at in range(0, len(items), width)] if width else [items][: len(items)]
    return List((List(each, type_) for each in chunks), ListOf(type_))


def _compact(values: Value) -> Value:
    return List((each for each in listed(values) if each != "" and not isinstance(each, Null)), STRING)


def _distinct(values: Value) -> Value:
    type_ = items_type(values)
    found: dict[tuple[bool, Value], Value] = {}
    for each in listed(values):
        found.setdefault(_told_apart(each), each)
    return List(found.values(), type_)


def _flatten(values: Value) -> Value:
    found: list[Value] = []
    hidden, why = _flatten_into(found, values)
    if why:
        return Unknown(why)
    return Sensitive(Tuple(found)) if hidden else Tuple(found)


def _flatten_into(found: list[Value], values: Value) -> tuple[bool, tuple[str, ...]]:
    """Whether a collection in there is sensitive, and why its items cannot be told."""
    if uncertain(values):
        return False, whys(values)
    hidden = False
    why: tuple[str, ...] = ()
    for each in listed(values, sets=True):
        bare = each.value if isinstance(each, Sensitive) else each
        if isinstance(bare, List | Set | Tuple):
            inner, reasons = _flatten_into(found, bare)
            hidden, why = hidden or inner or bare is not each, (*why, *reasons)
        elif isinstance(bare, Unknown) and (bare.type == DYNAMIC or not isinstance(bare.type, Primitive)):
            why = (*why, *bare.why)
        else:
            found.append(each)
            bounded(len(found))
    return hidden, why


def _reverse(values: Value) -> Value:
    items = reversed(listed(values, sets=True))
    return List(items, values.element) if isinstance(values, List | Set) else Tuple(items)


def _slice(values: Value, start: Number, end: Number) -> Value:
    items, first, last = listed(values), whole(start, "the start"), whole(end, "the end")
    if not 0 <= first <= last <= len(items):
        raise EvaluationError("start and end must lie within the list, the start not behind the end")
    return List(items[first:last], values.element) if isinstance(values, List) else Tuple(items[first:last])


def _sort(values: Value) -> Value:
    if isinstance(values, Unknown):
        return Unknown(values.why, ListOf(STRING))
    items = listed(values)
    if flags(values) & UNKNOWN:
        return List((Unknown(whys(values), STRING) for _ in items), STRING)
    texts = [each for each in items if isinstance(each, str)]
    if len(texts) < len(items):
        raise EvaluationError("one of the strings is null")
    return List(sorted(texts), STRING)


# --- making of several ------------------------------------------------------------------------------------------


def _concat(*values: Value) -> Value:
    if not values:
        raise EvaluationError("takes at least one list")
    type_ = _concatenated(values)
    if any(isinstance(each, Unknown) for each in values):
        blamed = [each for each in values if isinstance(each, Unknown)]
        return Unknown((why for each in blamed for why in each.why), type_)
    items = [item for each in values for item in listed(each)]
    bounded(len(items))
    if isinstance(type_, ListOf):
        return convert(Tuple(items), type_) if items else List((), type_.element)
    return Tuple(items)


def _concatenated(values: Sequence[Value]) -> Type:
    types = [type_of(each) for each in values]
    for each, type_ in zip(values, types, strict=True):
        if not isinstance(type_, ListOf | TupleOf) and not _open(each):
            raise EvaluationError("takes lists and tuples")
    common = unified(types) if all(isinstance(each, ListOf) for each in types) else None
    return common if isinstance(common, ListOf) else DYNAMIC


def _matchkeys(values: Value, keys: Value, wanted: Value) -> Value:
    items, names, searched = listed(values), listed(keys), listed(wanted)
    if len(items) != len(names):
        raise EvaluationError("values and keys must be of one length")
    name_type = unified([items_type(keys), items_type(wanted)])
    if name_type is None:
        raise EvaluationError("keys and searchset must have one type")
    among = {_told_apart(convert(each, name_type)) for each in searched}
    pairs = zip(items, names, strict=True)
    found = [item for item, name in pairs if _told_apart(convert(name, name_type)) in among]
    return List(found, items_type(values))


def _told_apart(value: Value) -> tuple[bool, Value]:
    """For sets and dictionaries of Python, to which `true` and `1` are the same."""
    return isinstance(value, bool), value


_LIST, _VALUE = Parameter("list"), Parameter("value")
_OF_ANY, _OF_BOOL, _OF_STRING = (Parameter("list", ListOf(each)) for each in (DYNAMIC, BOOL, STRING))
_ANY_LIST = ListOf(DYNAMIC)

FUNCTIONS: Mapping[str, Function] = {
    "alltrue": Function((_OF_BOOL,), _alltrue, BOOL, partial=True),
    "anytrue": Function((_OF_BOOL,), _anytrue, BOOL, partial=True),
    "chunklist": Function((_OF_ANY, Parameter("size", NUMBER)), _chunklist, ListOf(_ANY_LIST), items=True),
    "coalesce": Function((), _coalesce, variadic=Parameter("vals", null=True), partial=True),
    "coalescelist": Function((), _coalescelist, variadic=Parameter("vals", null=True), partial=True),
    "compact": Function((_OF_STRING,), _compact, ListOf(STRING)),
    "concat": Function((), _concat, variadic=Parameter("seqs"), items=True, partial=True),
    "contains": Function((_LIST, _VALUE), _contains, BOOL, partial=True),
    "distinct": Function((_OF_ANY,), _distinct, _first_type),
    "element": Function((_LIST, Parameter("index", NUMBER)), _element, _listed_type, items=True),
    "flatten": Function((_LIST,), _flatten, items=True),
    "index": Function((_LIST, _VALUE), _index, NUMBER, partial=True),
    "length": Function((_VALUE,), _length, NUMBER, items=True),
    "matchkeys": Function(
        (Parameter("values", _ANY_LIST), Parameter("keys", _ANY_LIST), Parameter("searchset", _ANY_LIST)),
        _matchkeys,
        _first_type,
    ),
    "one": Function((_LIST,), _one, _listed_type, partial=True),
    "reverse": Function((_LIST,), _reverse, _first_type, items=True),
    "slice": Function(
        (_LIST, Parameter("start_index", NUMBER), Parameter("end_index", NUMBER)), _slice, _first_type, items=True
    ),
    "sort": Function((_OF_STRING,), _sort, ListOf(STRING), partial=True),
}

"""`jsondecode` and `jsonencode`.

Hides how Terraform spells JSON (https://developer.hashicorp.com/terraform/language/functions/jsonencode): safe inside
HTML, keys in order, numbers without an exponent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from agent.declared.language.conversion import text
from agent.declared.language.error import EvaluationError
from agent.declared.language.functions import Function, Parameter
from agent.declared.language.functions.text import bounded, nfc
from agent.declared.language.numbers import Number, parsed
from agent.declared.language.types import DYNAMIC, STRING
from agent.declared.language.values import NULL, List, Map, Null, Object, Set, Tuple, Value

DEEPEST = 100
"""Levels of lists and objects that are read or written."""

_HTML = {ord(each): f"\\u{ord(each):04x}" for each in "<>&\u2028\u2029"}

_SURROGATE = re.compile("[\ud800-\udfff]")


def quoted(value: str) -> str:
    """A text as `jsonencode` and `format("%q")` write it, quotes included."""
    return json.dumps(value, ensure_ascii=False).translate(_HTML)


def encoded(value: Value) -> str:
    """A known, unmarked, forced value as JSON. Raises `EvaluationError`."""
    size, parts = 0, []
    for part in _parts(value, 0):
        size += len(part)
        bounded(size)
        parts.append(part)
    return "".join(parts)


def _parts(value: Value, depth: int) -> Iterator[str]:
    if depth > DEEPEST:
        raise EvaluationError(f"the value is nested deeper than {DEEPEST} levels")
    match value:
        case Null():
            yield "null"
        case Decimal() if value.is_infinite():
            raise EvaluationError("infinity cannot be written as JSON")
        case bool() | int() | Decimal():
            yield text(value)
        case str():
            yield quoted(value)
        case List() | Set() | Tuple():
            yield "["
            for index, each in enumerate(value.items):
                yield "," if index else ""
                yield from _parts(each, depth + 1)
            yield "]"
        case Map() | Object():
            yield "{"
            for index, (key, each) in enumerate(value.items.items()):
                yield f"{',' if index else ''}{quoted(key)}:"
                yield from _parts(each, depth + 1)
            yield "}"


def _number(spelled: str) -> Number:
    value = parsed(spelled)
    if value is None:
        raise EvaluationError("the text is no JSON: a number is none")
    return value


def _start(source: str, position: int = 0) -> int:
    found = _SPACE.match(source, position)
    return found.end() if found else position


def decoded(source: str) -> Value:
    """JSON → value: arrays are tuples, objects are objects. Raises `EvaluationError`."""
    try:
        data, end = _DECODER.raw_decode(source, _start(source))
        if not _END.match(source, end):
            raise json.JSONDecodeError("Extra data", source, _start(source, end))
    except json.JSONDecodeError as error:
        raise EvaluationError(f"the text is no JSON: line {error.lineno}, column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise EvaluationError("the text is no JSON of a size that is read") from None
    return _value(data, 0)


def _constant(name: str) -> Any:
    raise EvaluationError(f"the text is no JSON: {name} is no number there")


_DECODER = json.JSONDecoder(parse_int=_number, parse_float=_number, parse_constant=_constant)
_SPACE = re.compile(r"[ \t\r\n]*")
_END = re.compile(r"[ \t\r\n]*(?:[\]}]|\Z)")
"""Where a value ends. Go looks no further than a bracket, and takes what comes for the next value's business."""


def _value(data: Any, depth: int) -> Value:
    if depth > DEEPEST:
        raise EvaluationError(f"the JSON is nested deeper than {DEEPEST} levels")
    if data is None:
        return NULL
    if isinstance(data, bool | int | Decimal):
        return data
    if isinstance(data, str):
        return _text(data)
    if isinstance(data, list):
        return Tuple([_value(each, depth + 1) for each in data])
    return Object({_text(key): _value(each, depth + 1) for key, each in data.items()})


def _text(data: str) -> str:
    """Half a surrogate pair is no character: Go replaces it."""
    return nfc(data if data.isascii() else _SURROGATE.sub("\ufffd", data))


FUNCTIONS: Mapping[str, Function] = {
    "jsondecode": Function((Parameter("str", STRING),), decoded, DYNAMIC),
    "jsonencode": Function((Parameter("val", null=True),), encoded, STRING),
}

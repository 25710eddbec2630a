"""JSON as programs written in Go write it when they have read it: AWS's policies as the provider renders them.

Hides how Go spells numbers and characters (https://pkg.go.dev/encoding/json), and its bounds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from agent.declared.language.error import EvaluationError, TooMuch

DEEPEST = 100
"""Levels of lists and objects; Go has 10,000."""

_HTML = {ord(each): f"\\u{ord(each):04x}" for each in "<>&\u2028\u2029"}
_SURROGATES = re.compile("[\ud800-\udfff]")


def read_json(text: str) -> Any:
    """Dicts, lists, strings, bools, None, and `float` for every number. Raises `EvaluationError`."""
    try:
        return _bounded(json.loads(text, parse_int=_number, parse_float=_number, parse_constant=_no_number))
    except RecursionError:
        raise TooMuch("the JSON is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise EvaluationError(f"the JSON is not valid: line {error.lineno}, column {error.colno}") from None


def _number(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise EvaluationError("the JSON has a number beyond 64 bits")
    return value


def _no_number(_text: str) -> float:
    raise EvaluationError("the JSON has a number that is none")


def _bounded(value: Any, depth: int = 0) -> Any:
    if depth > DEEPEST:
        raise TooMuch("the JSON is nested too deeply")
    if isinstance(value, dict):
        return {_SURROGATES.sub("\ufffd", key): _bounded(each, depth + 1) for key, each in value.items()}
    if isinstance(value, list):
        return [_bounded(each, depth + 1) for each in value]
    return _SURROGATES.sub("\ufffd", value) if isinstance(value, str) else value


def sorted_keys(value: Any) -> Any:
    """The same with the keys of every object in order, as Go writes maps; structures keep the order of their fields."""
    if isinstance(value, dict):
        return {key: sorted_keys(each) for key, each in sorted(value.items())}
    return [sorted_keys(each) for each in value] if isinstance(value, list) else value


def compact(value: Any) -> str:
    """In one line, without spaces."""
    return "".join(_written(value, ""))


def indented(value: Any) -> str:
    """With two spaces for each level."""
    return "".join(_written(value, "\n"))


def _written(value: Any, line: str) -> Iterator[str]:
    """`line` is what begins a line, empty for JSON in one line."""
    if isinstance(value, dict | list) and value:
        inner = line and line + "  "
        opening, closing = "{}" if isinstance(value, dict) else "[]"
        ordered = value.items() if isinstance(value, dict) else ((None, each) for each in value)
        between = opening
        for key, each in ordered:
            yield between + inner
            if key is not None:
                yield _quoted(key) + (": " if line else ":")
            yield from _written(each, inner)
            between = ","
        yield line + closing
    elif isinstance(value, float):
        yield _spelled(value)
    elif isinstance(value, str):
        yield _quoted(value)
    else:
        yield json.dumps(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).translate(_HTML)


def _spelled(value: float) -> str:
    """Shortest, and with an exponent where it is below 1e-6 or from 1e21 on."""
    if value and not 1e-6 <= abs(value) < 1e21:
        return re.sub(r"e([+-])0+(?=\d)", r"e\1", repr(value)).replace(".0e", "e")
    plain = f"{Decimal(repr(value)):f}"
    return plain.removesuffix(".0")

"""Values of `agent.model` as JSON text and back, without loss.

Hides how JSON is made to carry what it has no word for: every dataclass of the model, tuples, sets, times and
non-finite numbers, anywhere, next to user data that may look the same. Equal values give equal text, so that a digest
of the text identifies the value.

An object with the member `$` is one of ours: `{"$":"Key","account":…}` for a dataclass (members at their default are
left out, so that a later version may add fields), `{"$":"tuple","items":[…]}` for the rest. A user's mapping that has
a key `$` of its own is written as a list of pairs.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import agent.model

T = TypeVar("T")

_MARK = "$"
_write = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, check_circular=False).encode
_REQUIRED = object()


def _defaults(kind: type[Any]) -> tuple[tuple[str, Any], ...]:
    """Field name → default value, `_REQUIRED` where there is none."""
    found = []
    for field in dataclasses.fields(kind):
        default: Any = _REQUIRED
        if field.default is not dataclasses.MISSING:
            default = field.default
        elif field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        found.append((field.name, default))
    return tuple(found)


_KINDS: Mapping[str, type[Any]] = {
    name: kind for name, kind in vars(agent.model).items() if isinstance(kind, type) and dataclasses.is_dataclass(kind)
}
_PLAIN = frozenset({str, int, bool, type(None)})
"""Tested before each call of `_marked`: most values are of these, and the call costs more than the test."""
_FIELDS = {kind: (name, _defaults(kind)) for name, kind in _KINDS.items()}


def encode(value: Any) -> str:
    """A model value, or any JSON-shaped value with model values inside, as canonical ASCII JSON.

    Raises TypeError for what the codec does not know (and for mapping keys that are no strings), ValueError for a
    time without a zone and for values nested too deeply to walk.
    """
    try:
        return _write(_marked(value))
    except RecursionError:
        raise ValueError("a value is nested too deeply to be stored") from None


def digest(text: str) -> str:
    """SHA-256, hex, of what `encode` wrote: the same for equal values, and only for them."""
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def decode(kind: type[T], text: str | bytes) -> T:
    """What `encode` wrote, as the type the caller expects (`object` for any).

    Raises ValueError when the text is not JSON, names something this version does not know, or holds another type.
    """
    try:
        value = json.loads(text, object_hook=_restored)
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"stored value does not fit this version of the model: {error}") from None
    if not isinstance(value, kind):
        raise ValueError(f"stored value is a {type(value).__name__}, expected a {kind.__name__}")
    return value


def _marked(value: Any) -> Any:
    """The value in what JSON has words for."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind in _FIELDS:
        return _object(value, *_FIELDS[kind])
    if kind is dict:
        return _mapping(value)
    if kind is list:
        return _list(value)
    if kind is tuple:
        return {_MARK: "tuple", "items": _list(value)}
    return _rare(value)


def _list(value: Iterable[Any]) -> list[Any]:
    return [item if type(item) in _PLAIN else _marked(item) for item in value]


def _object(value: Any, name: str, fields: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    marked: dict[str, Any] = {_MARK: name}
    for field, default in fields:
        item = getattr(value, field)
        if item != default:
            marked[field] = item if type(item) in _PLAIN else _marked(item)
    return marked


def _mapping(value: Mapping[Any, Any]) -> dict[str, Any]:
    marked = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise TypeError(f"a mapping key must be a string, not {type(key).__name__}")
        marked[key] = item if type(item) in _PLAIN else _marked(item)
    if _MARK in marked:
        return {_MARK: "dict", "items": sorted(map(list, marked.items()), key=lambda pair: str(pair[0]))}
    return marked


def _rare(value: Any) -> Any:
    """Types that seldom occur, and subclasses of the common ones (a parser's string with a position)."""
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {_MARK: "float", "value": str(float(value))}
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        return {_MARK: "time", "value": value.astimezone(UTC).isoformat()}
    if isinstance(value, frozenset | set):
        return {_MARK: "set", "items": _sorted(value)}
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, Mapping):
        return _mapping(value)
    if isinstance(value, list):
        return _list(value)
    raise TypeError(f"a {type(value).__name__} cannot be stored")


def _sorted(value: Iterable[Any]) -> list[Any]:
    marked = _list(value)
    if all(type(item) is str for item in marked):
        return sorted(marked)
    return sorted(marked, key=_write)


def _restored(found: dict[str, Any]) -> Any:
    """Called by the JSON parser for each object, innermost first."""
    mark = found.pop(_MARK, None)
    if mark is None:
        return found
    kind = _KINDS.get(mark)
    if kind is not None:
        return kind(**found)
    match mark:
        case "tuple":
            return tuple(found["items"])
        case "set":
            return frozenset(found["items"])
        case "dict":
            return _paired(found["items"])
        case "time":
            return datetime.fromisoformat(found["value"])
        case "float":
            return float(found["value"])
    raise ValueError(f"stored value is a {mark!r}, which this version does not know")


def _paired(items: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    return {key: item for key, item in items}  # noqa: C416 - dict() of lists of two is what the type checker refuses

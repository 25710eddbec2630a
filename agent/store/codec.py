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
import functools
import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii
from operator import attrgetter
from typing import Any, TypeVar

import msgspec

import agent.model
from agent.model import Identity

T = TypeVar("T")

_MARK = "$"
_REQUIRED = object()
_SCANNER = msgspec.json.Decoder()
_quoted: Callable[[str], str] = encode_basestring_ascii


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


def encode(value: Any) -> str:
    """A model value, or any JSON-shaped value with model values inside, as canonical ASCII JSON.

    Raises TypeError for what the codec does not know (and for mapping keys that are no strings), ValueError for a
    time without a zone and for values nested too deeply to walk.
    """
    try:
        return _text(value)
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
        value = _reader(text)
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"stored value does not fit this version of the model: {error}") from None
    if not isinstance(value, kind):
        raise ValueError(f"stored value is a {type(value).__name__}, expected a {kind.__name__}")
    return value


def remember(most: int) -> None:
    """From now on this process keeps so many of the values it decoded, and gives the same one for the same text.

    For one that reads the same rows again and again. Values are not to be changed in any case.
    """
    global _reader  # noqa: PLW0603  one process, one way to read
    _reader = functools.lru_cache(maxsize=most)(_read)


# --- writing -------------------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    write = _WRITERS.get(type(value))
    return write(value) if write is not None else _rare(value)


def _writer(name: str, kind: type[Any]) -> Callable[[Any], str]:
    """Members stand in the order of their names, those at their default are left out."""
    head = f'{{"{_MARK}":"{name}"'
    fields = sorted(_defaults(kind), key=lambda field: field[0])
    leads = [(default, f',"{field}":') for field, default in fields]
    values_of = attrgetter(*(field for field, _ in fields), "__class__")  # the last makes it a tuple, always

    def write(value: Any) -> str:
        text = head
        for item, (default, lead) in zip(values_of(value), leads, strict=False):
            if item is not default and item != default:
                text += lead + (_quoted(item) if type(item) is str else _text(item))
        return text + "}"

    return write


def _list(value: Iterable[Any]) -> str:
    return "[" + ",".join([_quoted(item) if type(item) is str else _text(item) for item in value]) + "]"


def _tuple(value: Iterable[Any]) -> str:
    return f'{{"{_MARK}":"tuple","items":{_list(value)}}}'


def _mapping(value: Mapping[Any, Any]) -> str:
    for key in value:
        if not isinstance(key, str):
            raise TypeError(f"a mapping key must be a string, not {type(key).__name__}")
    entries = sorted(value.items(), key=_first)
    if _MARK in value:
        return f'{{"{_MARK}":"dict","items":{_list(map(list, entries))}}}'
    return "{" + ",".join([f"{_quoted(key)}:{_text(item)}" for key, item in entries]) + "}"


def _first(entry: tuple[str, Any]) -> str:
    return entry[0]


def _float(value: float) -> str:
    return float.__repr__(value) if math.isfinite(value) else f'{{"{_MARK}":"float","value":"{float(value)}"}}'


def _time(value: datetime) -> str:
    if value.tzinfo is None:
        raise ValueError("a time without a zone cannot be stored")
    moment = value if value.tzinfo is UTC else value.astimezone(UTC)
    return f'{{"{_MARK}":"time","value":"{moment.isoformat()}"}}'


def _set(value: Iterable[Any]) -> str:
    items = list(value)
    if all(isinstance(item, str) for item in items):
        return f'{{"{_MARK}":"set","items":{_list(sorted(items))}}}'
    return f'{{"{_MARK}":"set","items":[{",".join(sorted(map(_text, items)))}]}}'


def _rare(value: Any) -> str:
    """Subclasses of the common types (a parser's string with a position) and other mappings."""
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, datetime):
        return _time(value)
    if isinstance(value, frozenset | set):
        return _set(value)
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, Mapping):
        return _mapping(value)
    if isinstance(value, list):
        return _list(value)
    raise TypeError(f"a {type(value).__name__} cannot be stored")


_WRITERS: dict[type[Any], Callable[[Any], str]] = {
    str: _quoted,
    int: int.__repr__,
    bool: {True: "true", False: "false"}.__getitem__,
    type(None): lambda _: "null",
    float: _float,
    datetime: _time,
    dict: _mapping,
    list: _list,
    tuple: _tuple,
    frozenset: _set,
    set: _set,
    **{kind: _writer(name, kind) for name, kind in _KINDS.items()},
}


# --- reading -------------------------------------------------------------------------------------------------


def _read(text: str | bytes) -> Any:
    try:
        found = _SCANNER.decode(text)
    except (msgspec.DecodeError, UnicodeError):
        # Text may hold half of a surrogate pair, which only `json` reads.
        return json.loads(text, object_hook=_restored)
    if type(found) is dict:
        return _restored_within(found)
    if type(found) is list:
        _restore_items(found)
    return found


def _restored_within(found: dict[str, Any]) -> Any:
    """One object, with what is in it restored first."""
    for name, item in found.items():
        kind = type(item)
        if kind is dict:
            found[name] = _restored_within(item)
        elif kind is list:
            _restore_items(item)
    return _restored(found) if _MARK in found else found


def _restore_items(found: list[Any]) -> None:
    """In place."""
    for at, item in enumerate(found):
        kind = type(item)
        if kind is dict:
            found[at] = _restored_within(item)
        elif kind is list:
            _restore_items(item)


def _restored(found: dict[str, Any]) -> Any:
    """One object, whose members are restored."""
    mark = found.pop(_MARK, None)
    if mark is None:
        return found
    restore = _RESTORERS.get(mark)
    if restore is not None:
        return restore(found)
    kind = _KINDS.get(mark)
    if kind is not None:
        return kind(**found)
    raise ValueError(f"stored value is a {mark!r}, which this version does not know")


@functools.lru_cache(maxsize=4096)  # one session makes many calls
def _identity(members: tuple[tuple[str, Any], ...]) -> Identity:
    return Identity(**dict(members))


_RESTORERS: Mapping[str, Callable[[dict[str, Any]], Any]] = {
    "Identity": lambda found: _identity(tuple(found.items())),
    "tuple": lambda found: tuple(found["items"]),
    "set": lambda found: frozenset(found["items"]),
    "dict": lambda found: _paired(found["items"]),
    "time": lambda found: datetime.fromisoformat(found["value"]),
    "float": lambda found: float(found["value"]),
}


def _paired(items: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    return {key: item for key, item in items}  # noqa: C416 - dict() of lists of two is what the type checker refuses


_reader: Callable[[str | bytes], Any] = _read

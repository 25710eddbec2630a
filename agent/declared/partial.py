"""Settings of a backend that do not stand in its block: `-backend-config`, and what `terraform init` remembered.

Hides their file formats. What is found may be secret: errors name settings and files, never values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from agent.declared.hcl import tree
from agent.declared.hcl.error import ParseError
from agent.declared.hcl.parse import parse
from agent.declared.regular import read_regular
from agent.declared.state import StateError

MAX_BYTES = 1024 * 1024
"""Largest file of settings."""
_DIGITS = 300  # of a number; `1e99999999` is none that a setting has


def given(items: Iterable[str], directory: Path) -> Mapping[str, Any]:
    """What `terraform init -backend-config=…` would take: `key=value`, or the path of a file of settings.

    Paths are relative to `directory`; a later item outranks an earlier one. Raises `StateError`.
    """
    found: dict[str, Any] = {}
    for item in items:
        name, separator, value = item.partition("=")
        if separator:
            found[name.strip()] = _value(value)
        else:
            found |= _file(directory / item)
    return found


def _value(text: str) -> Any:
    """Text, save where it is written as an object or a list."""
    if text.lstrip()[:1] not in ("{", "["):
        return text
    try:
        return plain(parse(f"value = {text}\n".encode()).attributes[0].value)
    except (ParseError, ValueError, IndexError):
        return text


def _file(path: Path) -> Mapping[str, Any]:
    try:
        data = read_regular(path, MAX_BYTES + 1)
    except OSError as error:
        raise StateError(f"backend settings {path}: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise StateError(f"backend settings {path}: at most {MAX_BYTES:,} bytes are read")
    if path.name.endswith(".json"):
        try:
            return msgspec.json.decode(data, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise StateError(f"backend settings {path}: not an object in JSON") from None
    try:
        return body(parse(data, str(path)), str(path))
    except ParseError as error:
        raise StateError(f"backend settings {error.discreet()}") from None


def body(block: tree.Body, file: str) -> Mapping[str, Any]:
    """The settings in a body that refers to nothing; each type of block inside becomes a list of its bodies.

    Raises `StateError` for a value that is not written out.
    """
    found: dict[str, Any] = {}
    for each in block.attributes:
        try:
            found[each.name] = plain(each.value)
        except ValueError:
            raise StateError(f"{file}:{each.line}: `{each.name}` is not written out: give its value") from None
    for inner in block.blocks:
        found.setdefault(inner.type, []).append(body(inner.body, file))
    return found


def plain(value: tree.Expression) -> Any:
    """The JSON-shaped value of an expression that is written out. Raises `ValueError` for any other."""
    match value:
        case tree.Literal(value=literal):
            return literal
        case tree.Number(value=number) if abs(number.adjusted()) <= _DIGITS:
            return int(number) if number == number.to_integral_value() else float(number)
        case tree.Tuple(items=items):
            return [plain(each) for each in items]
        case tree.Object(items=pairs):
            return {str(plain(key)): plain(each) for key, each in pairs}
        case tree.Template(parts=parts) if all(isinstance(each, str) for each in parts):
            return "".join(map(str, parts))
    raise ValueError


class _Backend(msgspec.Struct):
    type: str = ""
    config: dict[str, Any] | None = None


class _Memory(msgspec.Struct):
    backend: _Backend | None = None


# Before threads are: where two decode a type for the first time at once, msgspec 0.22 crashes.
_MEMORY = msgspec.json.Decoder(_Memory)


def remembered(directory: Path, data: str = "") -> tuple[str, Mapping[str, Any]]:
    """Type and settings of the backend that `terraform init` was last run with in `directory`; `("", {})`: never.

    `data` is Terraform's data directory, `.terraform` where it is empty. Raises `StateError`.
    """
    path = directory / (data or ".terraform") / "terraform.tfstate"
    try:
        raw = read_regular(path, MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return "", {}
    except OSError as error:
        raise StateError(f"{path} cannot be read: {error.strerror}") from None
    try:
        backend = _MEMORY.decode(raw).backend
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise StateError(f"{path} is not what `terraform init` writes: remove it") from None
    if backend is None:
        return "", {}
    return backend.type, {name: value for name, value in (backend.config or {}).items() if value is not None}


def same(written: Any, memory: Any) -> bool:
    """Whether a setting that is written out may be the remembered one, None where that is none.

    What is more than a text or a number may always be.
    """
    primitive = (str, int, float, Decimal)
    if not isinstance(written, primitive) or not isinstance(memory, (*primitive, type(None))):
        return True
    return memory is not None and _text(written) == _text(memory)


def _text(value: str | float | Decimal) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def flag(value: Any) -> bool:
    """A setting that is a boolean, also as a variable of the environment or `key=value` spells it."""
    return value is True or str(value).lower() in ("true", "1")


def block(settings: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The settings of a block inside the backend's, `{}` where it is not there."""
    inner = settings.get(name)
    if isinstance(inner, list | tuple):
        inner = inner[0] if inner else None
    return {each: value for each, value in inner.items() if value is not None} if isinstance(inner, Mapping) else {}

"""Reads a Terraform state file, format version 4.

Hides the file's layout (https://developer.hashicorp.com/terraform/internals/json-format has the public half; the rest
is what Terraform 1.11 writes) and keeps what is secret where it is: an instance's attributes stay undecoded text until
they are asked for, and outputs are never decoded at all.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

MAX_BYTES = 500 * 1024 * 1024
"""Largest state read. Reading takes about its size again in memory."""

Steps = tuple[str | int, ...]
"""The way from an instance's attributes to a value: attribute names, map keys, list indexes."""


_T = TypeVar("_T")


class StateError(Exception):
    """A state that cannot be read: which, why, and what would be right."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One managed resource instance as state records it."""

    address: str
    """In Terraform's spelling: `module.a["x"].aws_b.c[0]`."""
    module: str
    """Address of its module instance; empty for the root module."""
    type: str
    name: str
    index: int | str | None
    provider: str
    """Address of its provider configuration: `provider["registry.terraform.io/hashicorp/aws"].west`."""
    schema_version: int
    dependencies: tuple[str, ...]
    sensitive: tuple[Steps, ...]
    """Where its attributes are marked sensitive; `()` means all of them."""
    recorded: msgspec.Raw = field(repr=False)

    def attributes(self) -> dict[str, Any]:
        """Decodes what state records of it, secrets included: seal before keeping. Raises `StateError`."""
        return _decode(self.recorded, dict[str, Any], f"state of {self.address}")


@dataclass(frozen=True, slots=True)
class State:
    """One state file."""

    lineage: str
    """Random name Terraform gives a state when it is first written."""
    serial: int
    """Goes up with every change."""
    terraform_version: str
    digest: str
    """SHA-256 of the file, hex."""
    instances: tuple[Instance, ...]
    notes: tuple[tuple[str, str], ...] = ()
    """Address and reason of what was left out: objects that are waiting to be destroyed."""


class _Step(msgspec.Struct):
    type: str
    value: Any = None


class _Instance(msgspec.Struct):
    attributes: msgspec.Raw = msgspec.Raw(b"null")
    schema_version: int = 0
    index_key: int | str | None = None
    deposed: str = ""
    dependencies: tuple[str, ...] = ()
    sensitive_attributes: tuple[tuple[_Step, ...], ...] = ()


class _Resource(msgspec.Struct):
    mode: str
    type: str
    name: str
    provider: str
    instances: tuple[_Instance, ...]
    module: str = ""


class _State(msgspec.Struct):
    lineage: str
    serial: int
    resources: tuple[_Resource, ...] = ()
    terraform_version: str = ""


class _Head(msgspec.Struct):
    version: int | None = None
    encrypted_data: msgspec.Raw = msgspec.Raw()


def read_state(data: bytes, name: str, *, limit: int = MAX_BYTES) -> State:
    """A state file's content → the managed instances in it, in file order.

    `name` is how errors call the state. Raises `StateError`.
    """
    refuse_size(len(data), name, limit)
    if not data.strip():
        raise StateError(f"{name} is empty: Terraform writes at least a version, restore the last good state")
    _check_head(_decode(data, _Head, name), name)
    state = _decode(data, _State, name)
    instances: list[Instance] = []
    notes: list[tuple[str, str]] = []
    for resource in state.resources:
        if resource.mode != "managed":
            continue
        for each in resource.instances:
            if each.deposed:
                notes.append((_address(resource, each), "a deposed object, which the next apply destroys"))
            elif bytes(each.attributes) == b"null":
                notes.append((_address(resource, each), "recorded without attributes by a Terraform before 0.12"))
            else:
                instances.append(_instance(resource, each))
    twice = [address for address, n in Counter(each.address for each in instances).items() if n > 1]
    if twice:
        raise StateError(f"{name} records {twice[0]} twice: remove one with `terraform state rm`")
    digest = hashlib.sha256(data).hexdigest()
    return State(state.lineage, state.serial, state.terraform_version, digest, tuple(instances), tuple(notes))


def refuse_size(size: int, name: str, limit: int = MAX_BYTES) -> None:
    """Raises `StateError` if a state of so many bytes is too large to read; for whoever knows before reading."""
    if size > limit:
        raise StateError(f"{name} has {size:,} bytes, at most {limit:,} are read: split the stack")


def _decode(data: bytes | msgspec.Raw, type_: type[_T], name: str) -> _T:
    try:
        return msgspec.json.decode(data, type=type_)
    except msgspec.ValidationError as error:
        raise StateError(f"{name} is not a state as Terraform writes it: {error}") from None
    except msgspec.DecodeError as error:
        why = f"it ends at byte {len(bytes(data)):,} in the middle" if "truncated" in str(error) else str(error)
        raise StateError(f"{name} is not whole JSON: {why}; restore the last good state") from None
    except (UnicodeDecodeError, RecursionError) as error:
        raise StateError(f"{name} is not a state as Terraform writes it: {type(error).__name__}") from None


def _check_head(head: _Head, name: str) -> None:
    if bytes(head.encrypted_data):
        raise StateError(f"{name} is encrypted by OpenTofu: give a state that is not, encrypted ones are not read")
    if head.version is None:
        raise StateError(f"{name} is not a Terraform state: it has no `version`")
    if head.version < 4:
        raise StateError(
            f"{name} has format version {head.version}, read is version 4: "
            "run `terraform apply -refresh-only` with Terraform 0.12 or later to upgrade it"
        )
    if head.version > 4:
        raise StateError(f"{name} has format version {head.version}, read is version 4: update driftwarden")


def _instance(resource: _Resource, each: _Instance) -> Instance:
    return Instance(
        address=_address(resource, each),
        module=resource.module,
        type=resource.type,
        name=resource.name,
        index=each.index_key,
        provider=resource.provider,
        schema_version=each.schema_version,
        dependencies=each.dependencies,
        sensitive=tuple(_path(steps) for steps in each.sensitive_attributes),
        recorded=each.attributes,
    )


def _address(resource: _Resource, each: _Instance) -> str:
    module = f"{resource.module}." if resource.module else ""
    return f"{module}{resource.type}.{resource.name}{_bracketed(each.index_key)}"


def _bracketed(key: int | str | None) -> str:
    if key is None:
        return ""
    return f"[{key}]" if isinstance(key, int) else f'["{"".join(_escaped(key))}"]'


_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


def _escaped(key: str) -> Iterator[str]:
    """A map key as Terraform prints it: HCL escapes, and numbers for what is not printable."""
    for i, character in enumerate(key):
        if character in _ESCAPES:
            yield _ESCAPES[character]
        elif character in "$%" and key[i + 1 : i + 2] == "{":
            yield character * 2
        elif character.isprintable():
            yield character
        else:
            yield f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"


def _path(steps: tuple[_Step, ...]) -> Steps:
    """Steps up to the first that is not understood: what holds a sensitive value is sensitive as a whole."""
    path: list[str | int] = []
    for step in steps:
        value = step.value.get("value") if step.type == "index" and isinstance(step.value, dict) else step.value
        if step.type not in ("get_attr", "index") or not isinstance(value, str | int):
            break
        path.append(value)
    return tuple(path)

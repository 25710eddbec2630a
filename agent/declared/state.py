"""Reads a Terraform state file, format version 4.

Hides the file's layout (https://developer.hashicorp.com/terraform/internals/json-format has the public half; the rest
is what Terraform 1.11 writes) and keeps what is secret where it is: attributes and outputs stay undecoded text, slices
of the file, until they are asked for.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from agent.declared.addresses import bracketed

MAX_BYTES = 500 * 1024 * 1024
"""Largest state read. Reading takes about its size again in memory."""

Steps = tuple[str | int, ...]
"""The way from an instance's attributes to a value: attribute names, map keys, list indexes."""


_T = TypeVar("_T")


class StateError(Exception):
    """A state that cannot be read: which, why, and what would be right."""


class NoStateError(StateError):
    """There is no state at its place: nothing was applied yet, or the place is the wrong one."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One resource instance as state records it, managed or data."""

    address: str
    """In Terraform's spelling: `module.a["x"].aws_b.c[0]`, `data.aws_b.c`."""
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
    mode: str = "managed"
    """`managed` or `data`."""
    tainted: bool = False
    """The next apply replaces it: its creation failed half-way, or `terraform taint` said so."""
    named: msgspec.Raw | None = field(default=None, repr=False)
    """Its resource identity, undecoded; see `identity`."""

    def attributes(self) -> dict[str, Any]:
        """Decodes what state records of it, secrets included: seal before keeping. Raises `StateError`."""
        return _decode(self.recorded, dict[str, Any], f"state of {self.address}")

    def exact(self) -> dict[str, Any]:
        """`attributes` with fractions as `Decimal`: Terraform's numbers are decimal. Raises `StateError`."""
        return _decode(self.recorded, dict[str, Any], f"state of {self.address}", exact=True)

    def identity(self) -> dict[str, Any]:
        """What names it at its provider (AWS provider 6 and later); empty where that is not recorded.

        Raises `StateError`.
        """
        return {} if self.named is None else _decode(self.named, dict[str, Any], f"state of {self.address}")


@dataclass(frozen=True, slots=True)
class Output:
    """One output of the root module, as the last apply left it."""

    name: str
    sensitive: bool
    recorded: msgspec.Raw = field(repr=False)
    spelled: msgspec.Raw = field(repr=False)

    def value(self) -> Any:
        """JSON-shaped, fractions as `Decimal`, secrets included. Raises `StateError`."""
        return _decode(self.recorded, Any, f"state of output {self.name}", exact=True)

    def type(self) -> Any:
        """Its type in the JSON spelling, `["list", "string"]` (see `language.types.from_json`). Raises `StateError`."""
        return _decode(self.spelled, Any, f"state of output {self.name}")


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
    """Managed ones, in file order."""
    notes: tuple[tuple[str, str], ...] = ()
    """Address and reason of what was left out: objects that are waiting to be destroyed."""
    data: tuple[Instance, ...] = ()
    """Data sources as they were last read, in file order."""
    outputs: Mapping[str, Output] = field(default_factory=dict)
    """Outputs of the root module, by name."""


class _Step(msgspec.Struct):
    type: str
    value: Any = None


class _Instance(msgspec.Struct, gc=False):
    attributes: msgspec.Raw = msgspec.Raw(b"null")
    schema_version: int = 0
    index_key: int | str | None = None
    status: str = ""
    deposed: str = ""
    dependencies: tuple[str, ...] | None = None
    sensitive_attributes: tuple[tuple[_Step, ...], ...] | None = None
    identity: msgspec.Raw = msgspec.Raw(b"null")


class _Output(msgspec.Struct):
    value: msgspec.Raw
    type: msgspec.Raw = msgspec.Raw(b'"dynamic"')
    sensitive: bool = False


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
    resources: tuple[_Resource, ...] | None = None
    terraform_version: str = ""
    outputs: dict[str, _Output] | None = None


class _Head(msgspec.Struct):
    version: int | None = None
    encrypted_data: msgspec.Raw = msgspec.Raw()


# Before threads are: where two decode a type for the first time at once, msgspec 0.22 crashes.
for _each in (_State, _Head):
    msgspec.json.Decoder(_each)


def read_state(data: bytes, name: str, *, limit: int = MAX_BYTES) -> State:
    """A state file's content → what is in it.

    Attributes and outputs are slices of `data`, which lives as long as they do: memory is little more than its size.

    `name` is how errors call the state. Raises `StateError`.
    """
    refuse_size(len(data), name, limit)
    if not data.strip():
        raise StateError(f"{name} is empty: Terraform writes at least a version, restore the last good state")
    _check_head(_decode(data, _Head, name), name)
    state = _decode(data, _State, name)
    instances: dict[str, list[Instance]] = {"managed": [], "data": []}
    notes: list[tuple[str, str]] = []
    for resource in state.resources or ():
        if resource.mode not in instances:
            notes.append((f"{resource.type}.{resource.name}", f"of the unknown mode `{resource.mode[:40]}`"))
            continue
        for each in resource.instances:
            why = _left_out(each)
            if why and resource.mode == "managed":
                notes.append((_address(resource, each), why))
            elif not why:
                instances[resource.mode].append(_instance(resource, each))
    for found in instances.values():
        _refuse_twice(found, name)
    return State(
        lineage=state.lineage,
        serial=state.serial,
        terraform_version=state.terraform_version,
        digest=hashlib.sha256(data).hexdigest(),
        instances=tuple(instances["managed"]),
        notes=tuple(notes),
        data=tuple(instances["data"]),
        outputs={
            each: Output(each, output.sensitive, output.value, output.type)
            for each, output in (state.outputs or {}).items()
        },
    )


def _left_out(each: _Instance) -> str:
    """Why an instance is not among a state's instances; empty where it is."""
    if each.deposed:
        return "a deposed object, which the next apply destroys"
    return "recorded without attributes by a Terraform before 0.12" if _is_null(each.attributes) else ""


def _is_null(raw: msgspec.Raw) -> bool:
    return bytes(memoryview(raw)[:5]) == b"null"  # not of the whole, which may be large and would be copied


def _refuse_twice(instances: Iterable[Instance], name: str) -> None:
    twice = [address for address, n in Counter(each.address for each in instances).items() if n > 1]
    if twice:
        raise StateError(f"{name} records {twice[0]} twice: remove one with `terraform state rm`")


def refuse_size(size: int, name: str, limit: int = MAX_BYTES) -> None:
    """Raises `StateError` if a state of so many bytes is too large to read; for whoever knows before reading."""
    if size > limit:
        raise StateError(f"{name} has {size:,} bytes, at most {limit:,} are read: split the stack")


def _decode(data: bytes | msgspec.Raw, type_: type[_T], name: str, *, exact: bool = False) -> _T:
    try:
        return msgspec.json.Decoder(type_, float_hook=_exact if exact else None).decode(data)
    except msgspec.ValidationError as error:
        raise StateError(f"{name} is not a state as Terraform writes it: {error}") from None
    except msgspec.DecodeError as error:
        why = f"it ends at byte {len(memoryview(data)):,} in the middle" if "truncated" in str(error) else str(error)
        raise StateError(f"{name} is not whole JSON: {why}; restore the last good state") from None
    except (UnicodeDecodeError, RecursionError) as error:
        raise StateError(f"{name} is not a state as Terraform writes it: {type(error).__name__}") from None


def _exact(text: str) -> Decimal:
    """A fraction. Raises `ValueError` for one of more digits than any provider writes, which would fill the memory."""
    _, _, exponent = text.lower().partition("e")
    if abs(int(exponent or 0)) > _DIGITS:
        raise ValueError(f"a number of more than {_DIGITS:,} digits")
    return Decimal(text)


_DIGITS = 20_000


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
        dependencies=each.dependencies or (),
        sensitive=tuple(_path(steps) for steps in each.sensitive_attributes or ()),
        recorded=each.attributes,
        mode=resource.mode,
        tainted=each.status == "tainted",
        named=None if _is_null(each.identity) else each.identity,
    )


def _address(resource: _Resource, each: _Instance) -> str:
    module = f"{resource.module}." if resource.module else ""
    module += "data." if resource.mode == "data" else ""
    return f"{module}{resource.type}.{resource.name}{bracketed(each.index_key)}"


def _path(steps: tuple[_Step, ...]) -> Steps:
    """Steps up to the first that is not understood: what holds a sensitive value is sensitive as a whole."""
    path: list[str | int] = []
    for step in steps:
        value = step.value.get("value") if step.type == "index" and isinstance(step.value, dict) else step.value
        if step.type not in ("get_attr", "index") or not isinstance(value, str | int):
            break
        path.append(value)
    return tuple(path)

"""Where states are kept: one module per backend, named as its `backend` block; a new file is the registration.

Hides which backend a location belongs to. A backend has `location(settings, workspace)`, the place its block names, and
`read(location, access, version)`, what lies there; it may have `history(location, access)`, the versions it keeps,
`ENVIRONMENT`, the variables that give settings, and `OURS`, the settings that code may not give. All raise
`StateError`. A location is a path relative to the stack's directory, or begins with the backend's name:
`s3://bucket/key`. It is shown in reports, and never holds a secret.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import msgspec

from agent.clean import clean
from agent.declared.partial import remembered, same
from agent.declared.state import MAX_BYTES, StateError

if TYPE_CHECKING:
    import boto3

DEFAULT_WORKSPACE = "default"


@dataclass(frozen=True, slots=True)
class Access:
    """What a backend may need to read a state."""

    directory: Path
    """The stack's directory."""
    session: boto3.Session | None = None
    limit: int = MAX_BYTES
    """Largest state in bytes."""
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The backend's settings, as `settle` gives them; may hold secrets."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Where tokens and passwords are that no setting gives."""
    timeout: float = 30.0
    """Seconds a server may be silent."""
    patience: float = 600.0
    """Seconds a state may take to arrive."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A state file, and what its backend says about it."""

    data: bytes = field(repr=False)
    version: str = ""
    """Names it for `read`; empty where the backend keeps one version only."""
    modified: datetime | None = None
    locked: str = ""
    """Who holds its lock, as Terraform noted it: the state may be in motion. Empty: nobody, or `unseen`."""
    unseen: str = ""
    """Why it cannot be told whether it is locked; empty where it can."""
    writer: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """A state file that the backend keeps."""

    id: str
    """For `read`."""
    modified: datetime | None = None
    size: int | None = None
    """Bytes."""
    serial: int | None = None
    commit: str = ""
    """The configuration's commit it was applied from, where the backend knows."""
    writer: str = ""


class _Backend(Protocol):
    def location(self, settings: Mapping[str, Any], workspace: str) -> str: ...
    def read(self, location: str, access: Access, version: str) -> Fetched: ...


def settle(
    name: str,
    written: Mapping[str, Any],
    *,
    directory: Path,
    given: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Mapping[str, Any]:
    """A backend's settings from wherever Terraform would take them; blocks inside are mappings or lists of them.

    `given` (our configuration, see `partial.given`) outranks `written` (the `backend` block), which outranks what
    `terraform init` remembered in `directory`, which outranks `environment`. Raises `StateError`, also where block and
    memory contradict each other: the block was edited since, or `-backend-config` overrode it, so two states are named.
    """
    given, environment = given or {}, environment or {}
    variables: Mapping[str, tuple[str, ...]] = getattr(_backend(name), "ENVIRONMENT", {})
    found: dict[str, Any] = {
        setting: next(filter(None, map(environment.get, names)), None) for setting, names in variables.items()
    }
    type_, memory = remembered(directory, environment.get("TF_DATA_DIR", ""))
    if type_ == name:
        torn = [each for each, value in written.items() if each not in given and not same(value, memory.get(each))]
        if torn:
            raise StateError(
                f'the `backend "{name}"` block and what `terraform init` left in {directory}/.terraform differ in '
                f"{', '.join(sorted(torn))}: run `terraform init` there, or set them in the stack's `backend_config`"
            )
        found |= _set(memory)
    for each in getattr(_backend(name), "OURS", ()):
        by_code = {**(memory if type_ == name else {}), **_set(written)}.get(each)
        if by_code is not None and each not in given and by_code not in map(environment.get, variables.get(each, ())):
            raise StateError(f"code may not say where our credentials go: set `{each}` in the stack's `backend_config`")
    return _set({**found, **_set(written), **given})


def _set(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}


def locate(name: str, settings: Mapping[str, Any], workspace: str) -> str:
    """The location that a `backend` block's type and settings name. Raises `StateError`."""
    return _backend(name).location(settings, workspace)


def read(location: str, access: Access, version: str = "") -> Fetched:
    """The state file at a location, or an earlier version of it. Raises `StateError`."""
    found = _at(location).read(location, access, version)
    if found.data[:64].lstrip()[:1] == b"<":
        raise StateError(f"{location} holds HTML or XML, not a state: it may be a login page; correct the location")
    return found


def fetch(location: str, access: Access) -> bytes:
    """The state file at a location. Raises `StateError`."""
    return read(location, access).data


def history(location: str, access: Access) -> Iterable[Version]:
    """The versions that the backend keeps, newest first, page by page as they are taken; none where it keeps none.

    Raises `StateError`, also while it is iterated.
    """
    versions = getattr(_at(location), "history", None)
    return () if versions is None else cast(Iterable[Version], versions(location, access))


class _Lock(msgspec.Struct, rename="pascal"):
    """What Terraform notes of who holds a lock."""

    who: str = ""
    operation: str = ""
    created: str = ""


# Before threads are: where two decode a type for the first time at once, msgspec 0.22 crashes.
_LOCK = msgspec.json.Decoder(_Lock)


def holder(info: bytes | str) -> str:
    """Who holds a lock, by the JSON that Terraform leaves in it: `ann@host (OperationTypeApply since 2026-…)`."""
    try:
        lock = _LOCK.decode(info)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "somebody"
    since = f" since {lock.created}" if lock.created else ""
    return clean(f"{lock.who or 'somebody'} ({lock.operation or 'unknown operation'}{since})", 200)


_SCHEMES = {"https": "http"}


def name_of(location: str) -> str:
    """The backend a location belongs to."""
    name, separator, _ = location.partition("://")
    return _SCHEMES.get(name, name) if separator else "local"


def _at(location: str) -> _Backend:
    return _backend(name_of(location))


def _backend(name: str) -> _Backend:
    known = sorted(module.name for module in pkgutil.iter_modules(__path__))
    if name not in known:  # the name comes from the configuration: nothing else may be imported by it
        raise StateError(
            f"states in `{name[:40]}` are not read, only in {', '.join(known)}: "
            "copy it with `terraform state pull` and give the stack the path as `state`"
        )
    return cast(_Backend, importlib.import_module(f"{__name__}.{name}"))

"""Where states are kept: one module per backend, named as its `backend` block; a new file is the registration.

Hides which backend a location belongs to. A backend has `location(settings, workspace)`, the place its block names,
and `fetch(location, access)`, the bytes that lie there; both raise `StateError`. A location is a path relative to the
stack's directory, or begins with the backend's name: `s3://bucket/key`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

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


class _Backend(Protocol):
    def location(self, settings: Mapping[str, Any], workspace: str) -> str: ...
    def fetch(self, location: str, access: Access) -> bytes: ...


def locate(name: str, settings: Mapping[str, Any], workspace: str) -> str:
    """The location that a `backend` block's type and settings name. Raises `StateError`."""
    return _backend(name).location(settings, workspace)


def fetch(location: str, access: Access) -> bytes:
    """The state file at a location. Raises `StateError`."""
    name, separator, _ = location.partition("://")
    return _backend(name if separator else "local").fetch(location, access)


def _backend(name: str) -> _Backend:
    known = sorted(module.name for module in pkgutil.iter_modules(__path__))
    if name not in known:  # the name comes from the configuration: nothing else may be imported by it
        raise StateError(
            f"states in `{name[:40]}` are not read, only in {', '.join(known)}: "
            "copy it with `terraform state pull` and give the stack the path as `state`"
        )
    return cast(_Backend, importlib.import_module(f"{__name__}.{name}"))

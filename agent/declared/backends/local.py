"""State in a file beside the configuration; hides where Terraform puts a workspace's, and how it locks the file."""

import fcntl
import os
import struct
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from agent.declared.backends import DEFAULT_WORKSPACE, Access, Fetched, holder
from agent.declared.regular import read_regular
from agent.declared.state import NoStateError, StateError, refuse_size

_FLOCK = "hhqqi4x"
"""`struct flock` on 64-bit Linux: type, whence, start, length, process (`man 2 fcntl`)."""


def location(settings: Mapping[str, Any], workspace: str) -> str:
    """The path, relative to the stack's directory (https://developer.hashicorp.com/terraform/language/backend/local)."""
    if workspace != DEFAULT_WORKSPACE:
        folder = settings.get("workspace_dir") or "terraform.tfstate.d"
        return str(PurePosixPath(str(folder), workspace, "terraform.tfstate"))
    return str(settings.get("path") or "terraform.tfstate")


def read(location: str, access: Access, version: str) -> Fetched:
    """The file's content; it has no versions."""
    path = access.directory / location
    if version:
        raise StateError(f"{path} has no versions")
    try:
        if not path.is_file():
            raise NoStateError(f"there is no state file {path}: apply the stack, or set where its `state` is")
        with path.open("rb") as file:
            refuse_size(os.fstat(file.fileno()).st_size, str(path), access.limit)
            locked = _is_locked(file.fileno())
            data = file.read(access.limit + 1)
            modified = datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, UTC)
            locked = locked or _is_locked(file.fileno())
        refuse_size(len(data), str(path), access.limit)
    except OSError as error:
        raise StateError(f"{path} cannot be read: {error.strerror}") from None
    return Fetched(data, modified=modified, locked=_holder(path) if locked else "")


def _is_locked(descriptor: int) -> bool:
    """Whether another process holds Terraform's lock; its note alone may be left over from one that was killed."""
    wanted = struct.pack(_FLOCK, fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
    kind, *_ = struct.unpack(_FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, wanted))
    return bool(kind != fcntl.F_UNLCK)


def _holder(path: Path) -> str:
    try:
        return holder(read_regular(path.with_name(f".{path.name}.lock.info"), 10_000))
    except OSError:
        return "somebody"

"""State in a file beside the configuration; hides where Terraform puts a workspace's."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from agent.declared.backends import DEFAULT_WORKSPACE, Access
from agent.declared.state import StateError, refuse_size


def location(settings: Mapping[str, Any], workspace: str) -> str:
    """The path, relative to the stack's directory (https://developer.hashicorp.com/terraform/language/backend/local)."""
    if workspace != DEFAULT_WORKSPACE:
        folder = settings.get("workspace_dir") or "terraform.tfstate.d"
        return str(PurePosixPath(str(folder), workspace, "terraform.tfstate"))
    return str(settings.get("path") or "terraform.tfstate")


def fetch(location: str, access: Access) -> bytes:
    """The file's content."""
    path = access.directory / location
    try:
        if not path.is_file():
            raise StateError(f"there is no state file {path}: apply the stack, or set where its `state` is")
        refuse_size(path.stat().st_size, str(path), access.limit)
        return path.read_bytes()
    except OSError as error:
        raise StateError(f"{path} cannot be read: {error.strerror}") from None

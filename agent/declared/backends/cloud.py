"""State in HCP Terraform by a `cloud` block; hides how it picks a workspace. The rest is `remote`'s.

https://developer.hashicorp.com/terraform/cli/cloud/settings
"""

from collections.abc import Mapping
from typing import Any

from agent.declared import partial
from agent.declared.backends import DEFAULT_WORKSPACE
from agent.declared.backends.remote import history, place, read
from agent.declared.state import StateError

ENVIRONMENT = {"organization": ("TF_CLOUD_ORGANIZATION",), "hostname": ("TF_CLOUD_HOSTNAME",)}

__all__ = ["ENVIRONMENT", "history", "location", "read"]


def location(settings: Mapping[str, Any], workspace: str) -> str:
    """`remote://host/organization/workspace`: the named workspace, or the selected one among those of the tags."""
    name = partial.block(settings, "workspaces").get("name")
    if not name and workspace == DEFAULT_WORKSPACE:
        raise StateError(
            "the `cloud` block names no workspace and none is selected: run `terraform workspace select`, "
            "or set the stack's `state` to remote://host/organization/workspace"
        )
    return place(settings, str(name or workspace))

"""IAM role. Its policies are parts: `aws_iam_role_policy` and `aws_iam_role_policy_attachment`."""

from collections.abc import Iterable, Mapping
from typing import Any

from agent import tags
from agent.resources import Attribute, Attributes, Call, Event, Inline, Item, Spec

LISTING = {"Filter": ["Role", "LocalManagedPolicy"]}
"""One answer for all IAM types; without the filter it also holds the thousand policies that AWS manages."""


def provided(item: Item) -> str:
    """Why AWS owns the role (and so the role's policies), else ""."""
    if item["Path"].startswith("/aws-service-role/"):
        return f"service-linked role of {item['Path'].split('/')[2]}"
    return "made by IAM Identity Center" if item["Path"].startswith("/aws-reserved/") else ""


def _listed(name: str) -> Any:
    def value(item: Item) -> Any:
        for role in item["Roles"]:
            if role["RoleName"] == item["RoleName"]:
                return role.get(name)
        raise LookupError("the role is not in list_roles")

    return value


def _inline_policies(role: Attributes) -> Iterable[Attributes]:
    for policy in role.get("inline_policy") or ():
        if policy.get("name"):
            yield {"role": role["name"], "name": policy["name"], "policy": policy.get("policy")}


def _attachments(role: Attributes) -> Iterable[Attributes]:
    for arn in role.get("managed_policy_arns") or ():
        yield {"role": role["name"], "policy_arn": arn}


def _no_boundary(_record: Mapping[str, Any]) -> str:
    return ""


SPEC = Spec(
    service="iam",
    listing=Call("get_account_authorization_details", items="RoleDetailList", args=LISTING),
    # What the account's details leave out; the same one call for all roles.
    details=(
        Call(
            "list_roles",
            items="Roles[].{RoleName: RoleName, Description: Description, MaxSessionDuration: MaxSessionDuration}",
            into="Roles",
        ),
    ),
    identity=("name",),
    identifiers=("id", "arn", "name", "unique_id"),
    names={"name": "RoleName", "id": "RoleName", "arn": "Arn", "unique_id": "RoleId"},
    is_global=True,
    attributes=(
        Attribute("assume_role_policy", "AssumeRolePolicyDocument", "policy", "identity"),
        Attribute("permissions_boundary", "PermissionsBoundary.PermissionsBoundaryArn", topic="identity"),
        Attribute("max_session_duration", _listed("MaxSessionDuration"), "number", "identity", default=3600),
        Attribute("path", "Path", default="/"),
        Attribute("description", _listed("Description")),
        Attribute("tags_all", "Tags", "tags"),
    ),
    inline=(
        Inline("inline_policy", "aws_iam_role_policy", _inline_policies),
        Inline("managed_policy_arns", "aws_iam_role_policy_attachment", _attachments),
    ),
    provided=provided,
    events=(
        Event(
            "CreateRole",
            "requestParameters.roleName",
            "create",
            sets={
                "assume_role_policy": "requestParameters.assumeRolePolicyDocument",
                "permissions_boundary": "requestParameters.permissionsBoundary",
                "max_session_duration": "requestParameters.maxSessionDuration",
                "path": "requestParameters.path",
                "description": "requestParameters.description",
                "tags_all": tags.at("requestParameters.tags"),
            },
        ),
        Event("CreateServiceLinkedRole", "responseElements.role.roleName", "create"),
        Event("DeleteRole", "requestParameters.roleName", "delete"),
        Event("DeleteServiceLinkedRole", "requestParameters.roleName", "delete"),
        Event(
            "UpdateAssumeRolePolicy",
            "requestParameters.roleName",
            sets={"assume_role_policy": "requestParameters.policyDocument"},
        ),
        Event(
            "UpdateRole",
            "requestParameters.roleName",
            sets={
                "max_session_duration": "requestParameters.maxSessionDuration",
                "description": "requestParameters.description",
            },
        ),
        Event(
            "UpdateRoleDescription",
            "requestParameters.roleName",
            sets={"description": "requestParameters.description"},
        ),
        Event(
            "PutRolePermissionsBoundary",
            "requestParameters.roleName",
            sets={"permissions_boundary": "requestParameters.permissionsBoundary"},
        ),
        Event(
            "DeleteRolePermissionsBoundary",
            "requestParameters.roleName",
            sets={"permissions_boundary": _no_boundary},
        ),
        Event("TagRole", "requestParameters.roleName", sets={"tags_all": tags.at("requestParameters.tags")}),
        Event("UntagRole", "requestParameters.roleName", sets={"tags_all": ""}),
    ),
)

"""IAM role. Its policies are parts: `aws_iam_role_policy` and `aws_iam_role_policy_attachment`."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agent import tags
from agent.resources import Ask, Attribute, Attributes, Call, Event, Inline, Item, One, Spec

LISTING = {"Filter": ["Role", "LocalManagedPolicy"]}
"""One answer for all IAM types; without the filter it also holds the thousand policies that AWS manages."""


def provided(item: Item) -> str:
    """Why AWS owns the role (and so the role's policies), else ""."""
    if item["Path"].startswith("/aws-service-role/"):
        return f"service-linked role of {item['Path'].split('/')[2]}"
    return "made by IAM Identity Center" if item["Path"].startswith("/aws-reserved/") else ""


GONE = ("NoSuchEntity",)
_ROLE = Call("get_role", items="Role", gone=GONE)
_INLINE = Call("list_role_policies", items="PolicyNames", gone=GONE)
_DOCUMENT = Call("get_role_policy", items="{PolicyName: PolicyName, PolicyDocument: PolicyDocument}", gone=GONE)
_ATTACHED = Call("list_attached_role_policies", items="AttachedPolicies", gone=GONE)


def _by_name(ask: Ask, names: Sequence[str]) -> Iterable[Item]:
    """Roles with their policies, as the account's details show them."""
    for name in names:
        role = ask(_ROLE, RoleName=name)
        if role is not None:
            policies = (ask(_DOCUMENT, RoleName=name, PolicyName=one) for one in ask(_INLINE, RoleName=name) or ())
            yield {
                **role,
                "RolePolicyList": [one for one in policies if one is not None],
                "AttachedManagedPolicies": ask(_ATTACHED, RoleName=name) or [],
                "Roles": [role],
            }


def _asked_by(name: str) -> str:
    """The name, which ends the ARN; an id (`AROA…`) stands beside it."""
    return "" if re.fullmatch("AROA[A-Z0-9]{12,}", name) else name.rsplit("/", 1)[-1]


BY_NAME = One((_ROLE, _INLINE, _DOCUMENT, _ATTACHED), _asked_by, _by_name, details=())
"""One answer for a role and its parts. The account's details take seconds where there are thousands of roles."""


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
    one=BY_NAME,
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

"""Managed policy attached to an IAM role."""

from collections.abc import Iterable

from agent.resources import Attribute, Call, Event, Item, Parent, Spec
from agent.resources.aws_iam_role import BY_NAME, LISTING, provided

IDS = "join('|', requestParameters.[roleName, policyArn])"


def _expand(role: Item) -> Iterable[Item]:
    for policy in role["AttachedManagedPolicies"]:
        yield {"RoleName": role["RoleName"], "Path": role["Path"], **policy}


SPEC = Spec(
    service="iam",
    listing=Call("get_account_authorization_details", items="RoleDetailList", args=LISTING),
    one=BY_NAME,
    expand=_expand,
    identity=("role", "policy_arn"),
    # Terraform's id (`role-20221122…`) is made up: no call names the attachment by it.
    identifiers=(),
    names={"role": "RoleName"},
    is_global=True,
    attributes=(Attribute("policy_arn", "PolicyArn", topic="identity"),),
    parent=Parent("aws_iam_role", "managed_policy_arns", ("role",)),
    provided=provided,
    events=(
        Event("AttachRolePolicy", IDS, "create", sets={"policy_arn": "requestParameters.policyArn"}),
        Event("DetachRolePolicy", IDS, "delete"),
    ),
)

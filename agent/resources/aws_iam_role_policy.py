"""Inline policy of an IAM role."""

from collections.abc import Iterable

from agent.resources import Attribute, Call, Event, Item, Parent, Spec
from agent.resources.aws_iam_role import BY_NAME, LISTING, provided

IDS = "join('|', requestParameters.[roleName, policyName])"


def _expand(role: Item) -> Iterable[Item]:
    for policy in role["RolePolicyList"]:
        yield {"RoleName": role["RoleName"], "Path": role["Path"], **policy}


SPEC = Spec(
    service="iam",
    listing=Call("get_account_authorization_details", items="RoleDetailList", args=LISTING),
    one=BY_NAME,
    expand=_expand,
    identity=("role", "name"),
    identifiers=("id",),
    names={"role": "RoleName", "name": "PolicyName", "id": "join(':', [RoleName, PolicyName])"},
    is_global=True,
    attributes=(Attribute("policy", "PolicyDocument", "policy", "identity"),),
    parent=Parent("aws_iam_role", "inline_policy", ("role",)),
    provided=provided,
    events=(
        Event("PutRolePolicy", IDS, sets={"policy": "requestParameters.policyDocument"}),
        Event("DeleteRolePolicy", IDS, "delete"),
    ),
)

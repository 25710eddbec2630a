"""IAM policy managed by the customer."""

from collections.abc import Iterable, Sequence

from agent import tags
from agent.resources import Ask, Attribute, Call, Event, Item, One, Spec
from agent.resources.aws_iam_role import GONE, LISTING

_POLICY = Call("get_policy", items="Policy", bind={"PolicyArn": "Arn"}, into="Policy", gone=GONE)
_VERSION = Call("get_policy_version", items="PolicyVersion", gone=GONE)


def _asked_by(arn: str) -> str:
    """Not by a name, which stands beside the ARN; nor the policies of AWS itself, which are not listed either."""
    return arn if arn.startswith("arn:") and ":iam::aws:" not in arn else ""


def _by_arn(ask: Ask, arns: Sequence[str]) -> Iterable[Item]:
    """Policies with the version that is in force, as the account's details show them."""
    for arn in arns:
        policy = ask(_POLICY, PolicyArn=arn)
        version = ask(_VERSION, PolicyArn=arn, VersionId=policy["DefaultVersionId"]) if policy is not None else None
        if version is not None:
            yield {**policy, "PolicyVersionList": [version], "Policy": policy}


SPEC = Spec(
    service="iam",
    listing=Call("get_account_authorization_details", items="Policies", args=LISTING),
    details=(_POLICY,),
    one=One((_POLICY, _VERSION), _asked_by, _by_arn, details=()),
    identity=("arn",),
    names={"arn": "Arn", "id": "Arn", "name": lambda item: item["Arn"].rsplit("/", 1)[-1]},
    is_global=True,
    attributes=(
        Attribute("policy", "PolicyVersionList[?IsDefaultVersion].Document | [0]", "policy", "identity"),
        Attribute("path", "Path", default="/"),
        Attribute("description", "Policy.Description"),
        Attribute("tags_all", "Policy.Tags", "tags"),
    ),
    events=(
        Event(
            "CreatePolicy",
            "responseElements.policy.arn",
            "create",
            sets={
                "policy": "requestParameters.policyDocument",
                "path": "requestParameters.path",
                "description": "requestParameters.description",
                "tags_all": tags.at("requestParameters.tags"),
            },
        ),
        Event("DeletePolicy", "requestParameters.policyArn", "delete"),
        Event(
            "CreatePolicyVersion",
            "requestParameters.policyArn",
            sets={"policy": "requestParameters.policyDocument"},
            # Another version than the default one grants nothing.
            when="requestParameters.setAsDefault",
        ),
        Event("SetDefaultPolicyVersion", "requestParameters.policyArn", sets={"policy": ""}),
        Event("TagPolicy", "requestParameters.policyArn", sets={"tags_all": tags.at("requestParameters.tags")}),
        Event("UntagPolicy", "requestParameters.policyArn", sets={"tags_all": ""}),
    ),
)

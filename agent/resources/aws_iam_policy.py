"""IAM policy managed by the customer."""

from agent import tags
from agent.resources import Attribute, Call, Event, Spec
from agent.resources.aws_iam_role import LISTING

SPEC = Spec(
    service="iam",
    listing=Call("get_account_authorization_details", items="Policies", args=LISTING),
    details=(Call("get_policy", items="Policy", bind={"PolicyArn": "Arn"}, into="Policy", gone=("NoSuchEntity",)),),
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

"""CloudWatch Logs log group."""

from agent import tags
from agent.resources import Attribute, Call, Event, Item, Spec, tags_at, tags_of_all

_BY_SERVICES = ("/aws/", "/aws-glue/", "API-Gateway-Execution-Logs_", "RDSOSMetrics", "sns/")
"""How the names begin under which services make their own groups, once something is logged."""


def _provided(item: Item) -> str:
    return "created by the service that logs to it" if item["logGroupName"].startswith(_BY_SERVICES) else ""


_NAME = "requestParameters.[logGroupName, resourceIdentifier, resourceArn][] | [0]"
_ON_GROUPS = "contains(requestParameters.resourceArn || '', ':log-group:')"

SPEC = Spec(
    service="logs",
    listing=Call("describe_log_groups", items="logGroups"),
    details=(tags_of_all("logs"),),
    identity=("name",),
    identifiers=("name", "arn"),
    names={"name": "logGroupName", "arn": "logGroupArn"},
    provided=_provided,
    attributes=(
        Attribute("retention_in_days", "retentionInDays", "number", "logging", default=0),
        Attribute("kms_key_id", "kmsKeyId", topic="encryption"),
        Attribute("log_group_class", "logGroupClass", topic="logging", default="STANDARD"),
        Attribute("tags_all", tags_at("logGroupArn"), "tags"),
    ),
    events=(
        Event(
            "CreateLogGroup",
            _NAME,
            "create",
            sets={
                "kms_key_id": "requestParameters.kmsKeyId",
                "log_group_class": "requestParameters.logGroupClass",
                "tags_all": tags.at("requestParameters.tags"),
            },
        ),
        Event("DeleteLogGroup", _NAME, "delete"),
        Event("PutRetentionPolicy", _NAME, sets={"retention_in_days": "requestParameters.retentionInDays"}),
        Event("DeleteRetentionPolicy", _NAME, sets={"retention_in_days": lambda _: 0}),
        Event("AssociateKmsKey", _NAME, sets={"kms_key_id": "requestParameters.kmsKeyId"}),
        Event("DisassociateKmsKey", _NAME, sets={"kms_key_id": lambda _: ""}),
        Event("TagLogGroup", _NAME, sets={"tags_all": tags.at("requestParameters.tags")}),
        Event("UntagLogGroup", _NAME, sets={"tags_all": ""}),
        Event("TagResource", _NAME, sets={"tags_all": tags.at("requestParameters.tags")}, when=_ON_GROUPS),
        Event("UntagResource", _NAME, sets={"tags_all": ""}, when=_ON_GROUPS),
        # Where the events also go: a resource type of its own, without a spec.
        Event("PutSubscriptionFilter", _NAME, sets={"subscription_filter": ""}),
        Event("DeleteSubscriptionFilter", _NAME, sets={"subscription_filter": ""}),
    ),
)

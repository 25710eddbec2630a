"""CloudWatch Logs log group."""

from collections.abc import Iterable, Sequence

from agent import tags
from agent.resources import OWN_TAGS, Ask, Attribute, Call, Event, Item, One, Spec, tags_at, tags_of_all

_BY_SERVICES = ("/aws/", "/aws-glue/", "API-Gateway-Execution-Logs_", "RDSOSMetrics", "sns/")
"""How the names begin under which services make their own groups, once something is logged."""


def _provided(item: Item) -> str:
    return "created by the service that logs to it" if item["logGroupName"].startswith(_BY_SERVICES) else ""


_NAME = "requestParameters.[logGroupName, resourceIdentifier, resourceArn][] | [0]"
_ON_GROUPS = "contains(requestParameters.resourceArn || '', ':log-group:')"

_LISTING = Call("describe_log_groups", items="logGroups")


def _by_name(ask: Ask, names: Sequence[str]) -> Iterable[Item]:
    """All whose names begin so; the reader takes what is meant."""
    return [group for name in names for group in ask(_LISTING, logGroupNamePrefix=name) or ()]


SPEC = Spec(
    service="logs",
    listing=_LISTING,
    details=(tags_of_all("logs"),),
    one=One(
        (_LISTING,),
        lambda name: name.split(":log-group:")[-1].removesuffix(":*"),
        _by_name,
        details=(
            Call(
                "list_tags_for_resource",
                items="tags",
                bind={"resourceArn": "logGroupArn"},
                into=OWN_TAGS,
                gone=("ResourceNotFoundException",),
            ),
        ),
    ),
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

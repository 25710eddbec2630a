"""Amazon SNS topic."""

from collections.abc import Callable, Mapping
from typing import Any

from agent import tags
from agent.resources import OWN_TAGS, Attribute, Call, Event, One, Spec, tags_at, tags_of_all

ATTRIBUTES = (
    Attribute("policy", "Attributes.Policy", "policy", "exposure"),
    Attribute("kms_master_key_id", "Attributes.KmsMasterKeyId", topic="encryption"),
    Attribute("delivery_policy", "Attributes.DeliveryPolicy", "json"),
    Attribute("display_name", "Attributes.DisplayName"),
    Attribute("fifo_topic", "Attributes.FifoTopic", "bool", default=False),
    Attribute("content_based_deduplication", "Attributes.ContentBasedDeduplication", "bool", default=False),
    Attribute("signature_version", "Attributes.SignatureVersion", "number", "encryption", default=0),
    Attribute("tracing_config", "Attributes.TracingConfig", topic="logging"),
    *(
        Attribute(
            f"{protocol.lower()}_{outcome.lower()}_feedback_role_arn",
            f"Attributes.{protocol}{outcome}FeedbackRoleArn",
            topic="logging",
        )
        for protocol in ("Application", "Firehose", "HTTP", "Lambda", "SQS")
        for outcome in ("Success", "Failure")
    ),
)


def _asked(member: str) -> Callable[[Mapping[str, Any]], Any]:
    """What SetTopicAttributes sets this member to: "" where it clears it, None where it sets another one."""

    def value(record: Mapping[str, Any]) -> Any:
        asked = record.get("requestParameters") or {}
        return asked.get("attributeValue") or "" if asked.get("attributeName") == member else None

    return value


_GONE = ("NotFound", "NotFoundException")
_TOPIC_ATTRIBUTES = Call(
    "get_topic_attributes", items="Attributes", bind={"TopicArn": "TopicArn"}, into="Attributes", gone=_GONE
)

SPEC = Spec(
    service="sns",
    listing=Call("list_topics", items="Topics"),
    details=(
        _TOPIC_ATTRIBUTES,
        tags_of_all("sns"),
    ),
    one=One(
        (),
        lambda name: name if name.startswith("arn:") else "",
        lambda _, arns: [{"TopicArn": arn} for arn in arns],
        details=(
            _TOPIC_ATTRIBUTES,
            Call(
                "list_tags_for_resource",
                items="Tags",
                bind={"ResourceArn": "TopicArn"},
                into=OWN_TAGS,
                gone=(*_GONE, "ResourceNotFound", "ResourceNotFoundException"),
            ),
        ),
    ),
    identity=("arn",),
    names={"arn": "TopicArn", "id": "TopicArn", "name": lambda item: item["TopicArn"].rsplit(":", 1)[-1]},
    attributes=(*ATTRIBUTES, Attribute("tags_all", tags_at("TopicArn"), "tags")),
    events=(
        Event(
            "CreateTopic",
            "responseElements.topicArn",
            "create",
            sets={
                **{
                    attribute.name: str(attribute.path).replace("Attributes", "requestParameters.attributes")
                    for attribute in ATTRIBUTES
                },
                "tags_all": tags.at("requestParameters.tags"),
            },
        ),
        Event("DeleteTopic", "requestParameters.topicArn", "delete"),
        Event(
            "SetTopicAttributes",
            "requestParameters.topicArn",
            sets={attribute.name: _asked(str(attribute.path).removeprefix("Attributes.")) for attribute in ATTRIBUTES},
        ),
        Event("AddPermission", "requestParameters.topicArn", sets={"policy": ""}),
        Event("RemovePermission", "requestParameters.topicArn", sets={"policy": ""}),
        Event("TagResource", "requestParameters.resourceArn", sets={"tags_all": tags.at("requestParameters.tags")}),
        Event("UntagResource", "requestParameters.resourceArn", sets={"tags_all": ""}),
    ),
)

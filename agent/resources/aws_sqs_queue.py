"""Amazon SQS queue."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agent import tags
from agent.resources import OWN_TAGS, Ask, Attribute, Call, Event, Item, One, Spec, tags_at, tags_of_all

GONE = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")

ATTRIBUTES = (
    Attribute("visibility_timeout_seconds", "Attributes.VisibilityTimeout", "number", default=30),
    Attribute("delay_seconds", "Attributes.DelaySeconds", "number", default=0),
    Attribute("message_retention_seconds", "Attributes.MessageRetentionPeriod", "number", "data", default=345600),
    Attribute("max_message_size", "Attributes.MaximumMessageSize", "number", default=262144),
    Attribute("receive_wait_time_seconds", "Attributes.ReceiveMessageWaitTimeSeconds", "number", default=0),
    Attribute("fifo_queue", "Attributes.FifoQueue", "bool", default=False),
    Attribute("content_based_deduplication", "Attributes.ContentBasedDeduplication", "bool", default=False),
    Attribute("deduplication_scope", "Attributes.DeduplicationScope"),
    Attribute("fifo_throughput_limit", "Attributes.FifoThroughputLimit"),
    Attribute("kms_master_key_id", "Attributes.KmsMasterKeyId", topic="encryption"),
    Attribute(
        "kms_data_key_reuse_period_seconds",
        "Attributes.KmsDataKeyReusePeriodSeconds",
        "number",
        "encryption",
        default=300,
    ),
    Attribute("sqs_managed_sse_enabled", "Attributes.SqsManagedSseEnabled", "bool", "encryption", default=False),
    Attribute("policy", "Attributes.Policy", "policy", "exposure"),
    Attribute("redrive_policy", "Attributes.RedrivePolicy", "json", "data"),
    Attribute("redrive_allow_policy", "Attributes.RedriveAllowPolicy", "json", "data"),
)

ASKED = {
    attribute.name: str(attribute.path).replace("Attributes", "requestParameters.attributes")
    for attribute in ATTRIBUTES
}


def _queue(record: Mapping[str, Any]) -> list[list[str]]:
    """The queue's URL as the call spells it (there are older forms), and its name where the queue is the account's."""
    asked, answered = (record.get(part) or {} for part in ("requestParameters", "responseElements"))
    url = str(asked.get("queueUrl") or answered["queueUrl"])
    _, account, name = url.rsplit("/", 2)
    return [[url, name] if account == record.get("recipientAccountId") else [url]]


_QUEUE_ATTRIBUTES = Call(
    "get_queue_attributes",
    items="Attributes",
    bind={"QueueUrl": "QueueUrl"},
    args={"AttributeNames": ["All"]},
    into="Attributes",
    gone=GONE,
)
_URL = Call("get_queue_url", gone=GONE)


def _by_name(ask: Ask, names: Sequence[str]) -> Iterable[Item]:
    """Unlike the listing, which may lag by a minute after a queue is made or deleted."""
    return [found for name in names if (found := ask(_URL, QueueName=name)) is not None]


SPEC = Spec(
    service="sqs",
    listing=Call("list_queues", items="QueueUrls[].{QueueUrl: @}", args={"MaxResults": 1000}),
    details=(
        _QUEUE_ATTRIBUTES,
        tags_of_all("sqs"),
    ),
    one=One(
        (_URL,),
        lambda name: name.rsplit("/", 1)[-1].rsplit(":", 1)[-1],
        _by_name,
        details=(
            _QUEUE_ATTRIBUTES,
            Call("list_queue_tags", items="Tags", bind={"QueueUrl": "QueueUrl"}, into=OWN_TAGS, gone=GONE),
        ),
    ),
    # The name and not the ARN: the listing gives it, so a queue whose details are refused still has its name.
    identity=("name",),
    identifiers=("id", "url", "arn", "name"),
    names={
        "arn": "Attributes.QueueArn",
        "url": "QueueUrl",
        "id": "QueueUrl",
        "name": lambda item: item["QueueUrl"].rsplit("/", 1)[-1],
    },
    attributes=(*ATTRIBUTES, Attribute("tags_all", tags_at("Attributes.QueueArn"), "tags")),
    events=(
        Event(
            "CreateQueue",
            _queue,
            "create",
            sets={**ASKED, "tags_all": tags.at("requestParameters.tags")},
        ),
        Event("DeleteQueue", _queue, "delete"),
        Event(
            "SetQueueAttributes",
            _queue,
            sets=ASKED,
        ),
        Event("AddPermission", _queue, sets={"policy": ""}),
        Event("RemovePermission", _queue, sets={"policy": ""}),
        Event("TagQueue", _queue, sets={"tags_all": tags.at("requestParameters.tags")}),
        Event("UntagQueue", _queue, sets={"tags_all": ""}),
    ),
)

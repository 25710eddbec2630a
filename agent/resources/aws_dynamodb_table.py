"""Amazon DynamoDB table."""

from collections.abc import Mapping
from typing import Any

from agent import tags
from agent.model import Unknown
from agent.resources import OWN_TAGS, Attribute, Call, Event, Item, One, Path, Spec, tags_at, tags_of_all

LONGEST_RECOVERY = 35
"""Days that a table can be taken back where the call does not say:
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PointInTimeRecoverySpecification.html"""

GONE = ("ResourceNotFoundException", "TableNotFoundException")


def _keys(schema: Any) -> dict[str, Any]:
    names = {element["KeyType"]: element["AttributeName"] for element in schema or ()}
    return {"hash_key": names.get("HASH"), "range_key": names.get("RANGE")}


def _index(index: Mapping[str, Any]) -> dict[str, Any]:
    projection = index.get("Projection") or {}
    return {
        "name": index["IndexName"],
        **_keys(index.get("KeySchema")),
        "projection_type": projection.get("ProjectionType"),
        "non_key_attributes": sorted(projection.get("NonKeyAttributes") or ()),
    }


def _global_index(index: Mapping[str, Any]) -> dict[str, Any]:
    throughput = index.get("ProvisionedThroughput") or {}
    return {
        **_index(index),
        "read_capacity": throughput.get("ReadCapacityUnits", 0),
        "write_capacity": throughput.get("WriteCapacityUnits", 0),
    }


def _global_indexes(item: Item) -> list[dict[str, Any]]:
    return [_global_index(index) for index in item["Table"].get("GlobalSecondaryIndexes") or ()]


def _local_indexes(item: Item) -> list[dict[str, Any]]:
    found = [_index(index) for index in item["Table"].get("LocalSecondaryIndexes") or ()]
    return [{name: value for name, value in index.items() if name != "hash_key"} for index in found]


def _encryption(item: Item) -> list[dict[str, Any]]:
    # Described only where the key is not DynamoDB's own.
    described = item["Table"].get("SSEDescription") or {}
    return [{"enabled": True, "kms_key_arn": described.get("KMSMasterKeyArn")}] if described else []


def _recovery(item: Item) -> list[dict[str, Any]]:
    described = item["Backups"].get("PointInTimeRecoveryDescription") or {}
    enabled = described.get("PointInTimeRecoveryStatus") == "ENABLED"
    return [{"enabled": enabled, "recovery_period_in_days": described.get("RecoveryPeriodInDays", 0)}]


def _ttl(item: Item) -> list[dict[str, Any]]:
    enabled = item["Ttl"].get("TimeToLiveStatus") in ("ENABLED", "ENABLING")
    return [{"enabled": enabled, "attribute_name": item["Ttl"].get("AttributeName", "")}]


def _asked(record: Mapping[str, Any], member: str) -> Mapping[str, Any]:
    return (record.get("requestParameters") or {}).get(member) or {}


def _asked_recovery(record: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    asked = _asked(record, "pointInTimeRecoverySpecification")
    if not asked:
        return None
    enabled = asked.get("pointInTimeRecoveryEnabled")
    days = asked.get("recoveryPeriodInDays", LONGEST_RECOVERY if enabled else 0)
    return [{"enabled": enabled, "recovery_period_in_days": days}]


def _asked_encryption(record: Mapping[str, Any]) -> list[dict[str, Any]] | Unknown | None:
    asked = _asked(record, "sSESpecification")
    if not asked:
        return None
    if not asked.get("enabled"):
        return []
    key = str(asked.get("kMSMasterKeyId", ""))
    return [{"enabled": True, "kms_key_arn": key}] if key.startswith("arn:") else Unknown("the call names no key ARN")


def _asked_indexes(record: Mapping[str, Any]) -> Unknown | None:
    return Unknown("the call tells steps, not the result") if _asked(record, "globalSecondaryIndexUpdates") else None


def _asked_ttl(record: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    asked = _asked(record, "timeToLiveSpecification")
    return [{"enabled": asked.get("enabled"), "attribute_name": asked.get("attributeName", "")}] if asked else None


_ASKED: Mapping[str, Path] = {
    "attribute": "requestParameters.attributeDefinitions[].{name: attributeName, type: attributeType}",
    "server_side_encryption": _asked_encryption,
    "billing_mode": "requestParameters.billingMode",
    "read_capacity": "requestParameters.provisionedThroughput.readCapacityUnits",
    "write_capacity": "requestParameters.provisionedThroughput.writeCapacityUnits",
    "table_class": "requestParameters.tableClass",
    "deletion_protection_enabled": "requestParameters.deletionProtectionEnabled",
    "stream_enabled": "requestParameters.streamSpecification.streamEnabled",
    "stream_view_type": "requestParameters.streamSpecification.streamViewType",
}
"""What creating a table and updating it have in common."""


def _detail(operation: str, items: str, into: str) -> Call:
    return Call(operation, items=items, bind={"TableName": "TableName"}, into=into, gone=GONE)


_DETAILS = (
    _detail("describe_table", "Table", "Table"),
    _detail("describe_continuous_backups", "ContinuousBackupsDescription", "Backups"),
    _detail("describe_time_to_live", "TimeToLiveDescription", "Ttl"),
)

SPEC = Spec(
    service="dynamodb",
    listing=Call("list_tables", items="TableNames[].{TableName: @}"),
    details=(*_DETAILS, tags_of_all("dynamodb")),
    one=One(
        (),
        lambda name: name.split(":table/")[-1].split("/")[0],
        lambda _, names: [{"TableName": name} for name in names],
        details=(
            *_DETAILS,
            Call(
                "list_tags_of_resource",
                items="Tags",
                bind={"ResourceArn": "Table.TableArn"},
                into=OWN_TAGS,
                gone=GONE,
            ),
        ),
    ),
    identity=("name",),
    names={"name": "TableName", "id": "TableName", "arn": "Table.TableArn"},
    attributes=(
        Attribute(
            "attribute", "Table.AttributeDefinitions[].{name: AttributeName, type: AttributeType}", "set", "data"
        ),
        Attribute("hash_key", lambda item: _keys(item["Table"]["KeySchema"])["hash_key"], topic="data"),
        Attribute("range_key", lambda item: _keys(item["Table"]["KeySchema"])["range_key"], topic="data"),
        Attribute("global_secondary_index", _global_indexes, "set", "data"),
        Attribute("local_secondary_index", _local_indexes, "set", "data"),
        Attribute("billing_mode", "Table.BillingModeSummary.BillingMode || 'PROVISIONED'", default="PROVISIONED"),
        Attribute("read_capacity", "Table.ProvisionedThroughput.ReadCapacityUnits", "number", default=0),
        Attribute("write_capacity", "Table.ProvisionedThroughput.WriteCapacityUnits", "number", default=0),
        Attribute("table_class", "Table.TableClassSummary.TableClass || 'STANDARD'", default="STANDARD"),
        Attribute("deletion_protection_enabled", "Table.DeletionProtectionEnabled", "bool", "data", default=False),
        Attribute("point_in_time_recovery", _recovery, "list", "data"),
        Attribute("server_side_encryption", _encryption, "list", "encryption"),
        Attribute("stream_enabled", "Table.StreamSpecification.StreamEnabled", "bool", "data", default=False),
        Attribute("stream_view_type", "Table.StreamSpecification.StreamViewType", topic="data"),
        Attribute("ttl", _ttl, "list", "data"),
        Attribute("tags_all", tags_at("Table.TableArn"), "tags"),
    ),
    events=(
        Event(
            "CreateTable",
            "requestParameters.tableName",
            "create",
            sets={
                **_ASKED,
                "tags_all": tags.at("requestParameters.tags"),
            },
        ),
        Event("DeleteTable", "requestParameters.tableName", "delete"),
        Event(
            "UpdateTable",
            "requestParameters.tableName",
            sets={
                **_ASKED,
                "global_secondary_index": _asked_indexes,
            },
        ),
        Event(
            "UpdateContinuousBackups", "requestParameters.tableName", sets={"point_in_time_recovery": _asked_recovery}
        ),
        Event("UpdateTimeToLive", "requestParameters.tableName", sets={"ttl": _asked_ttl}),
        Event("TagResource", "requestParameters.resourceArn", sets={"tags_all": tags.at("requestParameters.tags")}),
        Event("UntagResource", "requestParameters.resourceArn", sets={"tags_all": ""}),
    ),
)

"""RDS database instance. Members of a cluster are `aws_rds_cluster_instance`, and not listed here."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agent import tags
from agent.model import Unknown
from agent.resources import Ask, Attribute, Call, Event, Item, One, Path, Spec

_ID = "responseElements.dBInstanceIdentifier || requestParameters.dBInstanceIdentifier"
"""A request may write capitals; RDS keeps the identifier in lower case."""


def _exports(record: Mapping[str, Any]) -> Unknown | None:
    asked = record.get("requestParameters") or {}
    unclear = "cloudwatchLogsExportConfiguration" in asked
    return Unknown("the record shows only which logs were added and taken away") if unclear else None


def _password(record: Mapping[str, Any]) -> Unknown | None:
    """That it was set, and never to what: CloudTrail masks it, other exports may not."""
    asked = record.get("requestParameters") or {}
    return Unknown("a password is not kept") if "masterUserPassword" in asked else None


_ASKED: Mapping[str, Path] = {
    "engine_version_actual": "requestParameters.engineVersion",
    "instance_class": "requestParameters.dBInstanceClass",
    "allocated_storage": "requestParameters.allocatedStorage",
    "max_allocated_storage": "requestParameters.maxAllocatedStorage",
    "storage_type": "requestParameters.storageType",
    "iops": "requestParameters.iops",
    "storage_throughput": "requestParameters.storageThroughput",
    "multi_az": "requestParameters.multiAZ",
    "publicly_accessible": "requestParameters.publiclyAccessible",
    "vpc_security_group_ids": "requestParameters.vpcSecurityGroupIds",
    "db_subnet_group_name": "requestParameters.dBSubnetGroupName",
    "parameter_group_name": "requestParameters.dBParameterGroupName",
    "option_group_name": "requestParameters.optionGroupName",
    "ca_cert_identifier": "requestParameters.cACertificateIdentifier",
    "iam_database_authentication_enabled": "requestParameters.enableIAMDatabaseAuthentication",
    "deletion_protection": "requestParameters.deletionProtection",
    "backup_retention_period": "requestParameters.backupRetentionPeriod",
    "backup_window": "requestParameters.preferredBackupWindow",
    "maintenance_window": "requestParameters.preferredMaintenanceWindow",
    "copy_tags_to_snapshot": "requestParameters.copyTagsToSnapshot",
    "auto_minor_version_upgrade": "requestParameters.autoMinorVersionUpgrade",
    "monitoring_interval": "requestParameters.monitoringInterval",
    "monitoring_role_arn": "requestParameters.monitoringRoleArn",
    "performance_insights_enabled": "requestParameters.enablePerformanceInsights",
    "performance_insights_kms_key_id": "requestParameters.performanceInsightsKMSKeyId",
    "performance_insights_retention_period": "requestParameters.performanceInsightsRetentionPeriod",
    "password": _password,
}

_LISTING = Call(
    "describe_db_instances",
    items="DBInstances[?!DBClusterIdentifier]",
    gone=("DBInstanceNotFound", "DBInstanceNotFoundFault"),
)


def _by_name(ask: Ask, names: Sequence[str]) -> Iterable[Item]:
    return [found for name in names for found in ask(_LISTING, DBInstanceIdentifier=name) or ()]


SPEC = Spec(
    service="rds",
    listing=_LISTING,
    one=One((_LISTING,), lambda name: name.rsplit(":", 1)[-1], _by_name),
    identity=("identifier",),
    identifiers=("identifier", "arn"),
    names={"identifier": "DBInstanceIdentifier", "arn": "DBInstanceArn"},
    attributes=(
        Attribute("engine", "Engine", topic="compute"),
        # Not engine_version: state keeps what the code says, `8.0` where AWS runs 8.0.36.
        Attribute("engine_version_actual", "EngineVersion", topic="compute"),
        Attribute("instance_class", "DBInstanceClass", topic="compute"),
        Attribute("allocated_storage", "AllocatedStorage", "number", "data"),
        Attribute("max_allocated_storage", "MaxAllocatedStorage", "number", "data", default=0),
        Attribute("storage_type", "StorageType", topic="data"),
        Attribute("iops", "Iops", "number", "data", default=0),
        Attribute("storage_throughput", "StorageThroughput", "number", "data", default=0),
        Attribute("storage_encrypted", "StorageEncrypted", "bool", "encryption", default=False),
        Attribute("kms_key_id", "KmsKeyId", topic="encryption"),
        Attribute("multi_az", "MultiAZ", "bool", "data", default=False),
        Attribute("publicly_accessible", "PubliclyAccessible", "bool", "exposure", default=False),
        Attribute("vpc_security_group_ids", "VpcSecurityGroups[].VpcSecurityGroupId", "set", "network"),
        Attribute("db_subnet_group_name", "DBSubnetGroup.DBSubnetGroupName", topic="network"),
        Attribute("port", "Endpoint.Port", "number", "network"),
        Attribute("parameter_group_name", "DBParameterGroups[0].DBParameterGroupName", topic="compute"),
        Attribute("option_group_name", "OptionGroupMemberships[0].OptionGroupName", topic="compute"),
        Attribute("ca_cert_identifier", "CACertificateIdentifier", topic="encryption"),
        Attribute(
            "iam_database_authentication_enabled", "IAMDatabaseAuthenticationEnabled", "bool", "identity", default=False
        ),
        Attribute("username", "MasterUsername", topic="identity"),
        Attribute("deletion_protection", "DeletionProtection", "bool", "data", default=False),
        Attribute("backup_retention_period", "BackupRetentionPeriod", "number", "data", default=0),
        Attribute("backup_window", "PreferredBackupWindow", topic="data"),
        Attribute("maintenance_window", "PreferredMaintenanceWindow"),
        Attribute("copy_tags_to_snapshot", "CopyTagsToSnapshot", "bool", default=False),
        Attribute("auto_minor_version_upgrade", "AutoMinorVersionUpgrade", "bool", "compute", default=True),
        Attribute("enabled_cloudwatch_logs_exports", "EnabledCloudwatchLogsExports", "set", "logging"),
        Attribute("monitoring_interval", "MonitoringInterval", "number", "logging", default=0),
        Attribute("monitoring_role_arn", "MonitoringRoleArn", topic="logging"),
        Attribute("performance_insights_enabled", "PerformanceInsightsEnabled", "bool", "logging", default=False),
        Attribute("performance_insights_kms_key_id", "PerformanceInsightsKMSKeyId", topic="encryption"),
        Attribute(
            "performance_insights_retention_period",
            "PerformanceInsightsRetentionPeriod",
            "number",
            "logging",
            default=0,
        ),
        Attribute("tags_all", "TagList", "tags"),
    ),
    events=(
        Event(
            "CreateDBInstance",
            _ID,
            "create",
            sets={
                **_ASKED,
                "engine": "requestParameters.engine",
                "storage_encrypted": "requestParameters.storageEncrypted",
                "kms_key_id": "requestParameters.kmsKeyId",
                "enabled_cloudwatch_logs_exports": "requestParameters.enableCloudwatchLogsExports",
                "tags_all": tags.at("requestParameters.tags"),
            },
        ),
        *(
            Event(name, _ID, "create", sets=_ASKED)
            for name in ("CreateDBInstanceReadReplica", "RestoreDBInstanceFromDBSnapshot", "RestoreDBInstanceFromS3")
        ),
        Event("RestoreDBInstanceToPointInTime", "requestParameters.targetDBInstanceIdentifier", "create", sets=_ASKED),
        Event("DeleteDBInstance", _ID, "delete"),
        Event(
            "ModifyDBInstance",
            _ID,
            sets={
                **_ASKED,
                "port": "requestParameters.dBPortNumber",
                "enabled_cloudwatch_logs_exports": _exports,
                "identifier": "requestParameters.newDBInstanceIdentifier",
            },
        ),
        Event("PromoteReadReplica", _ID, sets={**_ASKED, "replicate_source_db": lambda _: ""}),
        Event(
            "ApplyPendingMaintenanceAction",
            "requestParameters.resourceIdentifier",
            sets={"engine_version_actual": ""},
            when="contains(requestParameters.resourceIdentifier || '', ':db:')",
        ),
        # Roles of an instance are a resource type of their own, without a spec.
        *(
            Event(name, _ID, sets={"associated_roles": ""})
            for name in ("AddRoleToDBInstance", "RemoveRoleFromDBInstance")
        ),
        *(
            Event(
                name,
                "requestParameters.resourceName",
                sets={"tags_all": given},
                when="contains(requestParameters.resourceName || '', ':db:')",
            )
            for name, given in (
                ("AddTagsToResource", tags.at("requestParameters.tags")),
                ("RemoveTagsFromResource", ""),
            )
        ),
    ),
)

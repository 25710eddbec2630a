"""What the EC2, Lambda, RDS, Logs and SSM specs make of items and records that moto does not give."""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import jmespath
import pytest

from agent.live.aws import read
from agent.live.requests import Calls
from agent.model import Unknown
from agent.resources import load
from agent.trail.targets import Targets

ACCOUNT, REGION = "123456789012", "us-east-1"
KEY = b"install key"
SPECS = load()
TARGETS = Targets(SPECS, KEY)
SERVICES = ("ec2", "lambda", "rds", "logs", "ssm")
HIDDEN = "(not in the record)"

DATA = Path(
    os.environ.get("DRIFTWARDEN_CLOUDTRAIL_DATA", "") or Path(__file__).parents[3] / "shared" / "data" / "cloudtrail"
)

Item = Mapping[str, Any]


def touched(service: str, event: str, asked: Item, answered: Item | None = None) -> list[tuple[Any, ...]]:
    """What a call touches of types that have a spec."""
    record = {
        "eventName": event,
        "recipientAccountId": ACCOUNT,
        "requestParameters": asked,
        "responseElements": answered,
    }
    return [
        (touch.type, touch.ids, touch.act, {name: shown(value) for name, value in touch.sets.items()})
        for touch in TARGETS.of(f"{service}.amazonaws.com", event, record)
        if touch.type in SPECS
    ]


def shown(value: Any) -> Any:
    return HIDDEN if isinstance(value, Unknown) else value


# --- events --------------------------------------------------------------------------------------------------

INSTANCE = "i-0123456789abcdef0"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:orders"
DATABASE = f"arn:aws:rds:{REGION}:{ACCOUNT}:db:orders"


def association(event: str) -> Item:
    profile = {"arn": f"arn:aws:iam::{ACCOUNT}:instance-profile/web/admin", "id": "AIPA"}
    return {
        f"{event}Response": {"iamInstanceProfileAssociation": {"instanceId": INSTANCE, "iamInstanceProfile": profile}}
    }


@pytest.mark.parametrize(
    ("event", "sets"),
    [
        ("AssociateIamInstanceProfile", {"iam_instance_profile": "admin"}),
        ("ReplaceIamInstanceProfileAssociation", {"iam_instance_profile": "admin"}),
        ("DisassociateIamInstanceProfile", {"iam_instance_profile": ""}),
    ],
)
def test_a_profile_is_named_by_the_answer(event: str, sets: Item) -> None:
    asked = {f"{event}Request": {"AssociationId": "iip-assoc-1"}}
    assert [("aws_instance", (INSTANCE,), "update", sets)] == touched("ec2", event, asked, association(event))


@pytest.mark.parametrize(
    ("event", "asked", "sets"),
    [
        ("MonitorInstances", {"instancesSet": {"items": [{"instanceId": INSTANCE}]}}, {"monitoring": True}),
        ("UnmonitorInstances", {"instancesSet": {"items": [{"instanceId": INSTANCE}]}}, {"monitoring": False}),
        (
            "ModifyInstanceAttribute",
            {"instanceId": INSTANCE, "userData": "<sensitiveDataRemoved>"},
            {"user_data": HIDDEN},
        ),
        (
            "ModifyInstanceAttribute",
            {"instanceId": INSTANCE, "disableApiTermination": {"value": False}},
            {"disable_api_termination": False},
        ),
        (
            "ModifyInstancePlacement",
            {"ModifyInstancePlacementRequest": {"InstanceId": INSTANCE, "Tenancy": "dedicated"}},
            {"tenancy": "dedicated", "host_id": HIDDEN},
        ),
    ],
)
def test_calls_on_an_instance(event: str, asked: Item, sets: Item) -> None:
    assert [("aws_instance", (INSTANCE,), "update", sets)] == touched("ec2", event, asked)


@pytest.mark.parametrize("event", ["StartInstances", "StopInstances", "RebootInstances"])
def test_running_is_no_configuration(event: str) -> None:
    assert touched("ec2", event, {"instancesSet": {"items": [{"instanceId": INSTANCE}]}}) == []


def test_the_tenancy_of_a_vpc() -> None:
    asked = {"ModifyVpcTenancyRequest": {"VpcId": "vpc-1", "InstanceTenancy": "default"}}
    expected = [("aws_vpc", ("vpc-1",), "update", {"instance_tenancy": "default"})]
    assert expected == touched("ec2", "ModifyVpcTenancy", asked)


@pytest.mark.parametrize(
    ("named", "names"),
    [
        ({"functionName": "orders"}, {"orders"}),
        ({"functionName": "orders:live"}, {"orders"}),
        ({"functionName": f"{ACCOUNT}:function:orders"}, {"orders"}),
        ({"functionName": f"{ACCOUNT}:function:orders:live"}, {"orders"}),
        ({"functionName": FUNCTION}, {FUNCTION, "orders"}),
        ({"functionName": f"{FUNCTION}:$LATEST"}, {f"{FUNCTION}:$LATEST", "orders"}),
        ({"functionName": "-", "fullyQualifiedArn": {"relativeId": {"functionName": "orders"}}}, {"orders"}),
        ({"functionName": f"arn:aws:lambda:{REGION}:999999999999:function:orders"},
         {f"arn:aws:lambda:{REGION}:999999999999:function:orders"}),
    ],
)  # fmt: skip
def test_a_function_is_found_by_every_form_of_its_name(named: Item, names: set[str]) -> None:
    ((_, ids, _, _),) = touched("lambda", "UpdateFunctionConfiguration", {**named, "timeout": 5})
    assert names == set(ids)


def test_what_a_function_is_configured_with_is_not_all_recorded() -> None:
    asked = {
        "functionName": "orders",
        "environment": {},
        "memorySize": 256,
        "layers": ["arn:layer:1"],
        "deadLetterConfig": {"targetArn": "arn:queue"},
        "ephemeralStorage": {"size": 1024},
        "vpcConfig": {"subnetIds": ["subnet-1"]},
    }
    sets = {
        "environment": HIDDEN,
        "memory_size": 256,
        "layers": ["arn:layer:1"],
        "dead_letter_config": [{"target_arn": "arn:queue"}],
        "ephemeral_storage": [{"size": 1024}],
        "vpc_config": HIDDEN,
    }
    expected = [("aws_lambda_function", ("orders",), "update", sets)]
    assert expected == touched("lambda", "UpdateFunctionConfiguration", asked)


@pytest.mark.parametrize(
    ("event", "asked"),
    [
        pytest.param("UpdateFunctionCode", {"functionName": "orders", "dryRun": True}, id="dry run"),
        pytest.param("DeleteFunction", {"functionName": "orders", "qualifier": "3"}, id="one version"),
        pytest.param(
            "TagResource", {"resource": f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:x", "tags": {}}, id="a layer"
        ),
    ],
)
def test_calls_that_leave_the_function_as_it_is(event: str, asked: Item) -> None:
    assert touched("lambda", event, asked) == []


@pytest.mark.parametrize("event", ["AddPermission", "RemovePermission", "UpdateFunctionUrlConfig"])
def test_a_grant_on_a_function_is_a_change_of_it(event: str) -> None:
    expected = [("aws_lambda_function", ("orders",), "update", {"policy": HIDDEN})]
    assert expected == touched("lambda", event, {"functionName": "orders", "principal": "*"})


@pytest.mark.parametrize(
    ("event", "asked", "act", "sets"),
    [
        (
            "ModifyDBInstance",
            {"dBInstanceIdentifier": "orders", "masterUserPassword": "****", "applyImmediately": True},
            "update",
            {"password": HIDDEN},
        ),
        (
            "ModifyDBInstance",
            {"dBInstanceIdentifier": "orders", "cloudwatchLogsExportConfiguration": {"disableLogTypes": ["audit"]}},
            "update",
            {"enabled_cloudwatch_logs_exports": HIDDEN},
        ),
        (
            "ModifyDBInstance",
            {"dBInstanceIdentifier": "orders", "vpcSecurityGroupIds": ["sg-1"], "dBPortNumber": 3307, "multiAZ": False},
            "update",
            {"vpc_security_group_ids": ["sg-1"], "port": 3307, "multi_az": False},
        ),
        (
            "RestoreDBInstanceToPointInTime",
            {"sourceDBInstanceIdentifier": "old", "targetDBInstanceIdentifier": "orders", "publiclyAccessible": True},
            "create",
            {"publicly_accessible": True},
        ),
        (
            "RestoreDBInstanceFromDBSnapshot",
            {"dBInstanceIdentifier": "orders", "dBSnapshotIdentifier": "s", "deletionProtection": False},
            "create",
            {"deletion_protection": False},
        ),
        ("PromoteReadReplica", {"dBInstanceIdentifier": "orders"}, "update", {"replicate_source_db": ""}),
        (
            "AddRoleToDBInstance",
            {"dBInstanceIdentifier": "orders", "roleArn": "r"},
            "update",
            {"associated_roles": HIDDEN},
        ),
    ],
)
def test_calls_on_a_database(event: str, asked: Item, act: str, sets: Item) -> None:
    assert [("aws_db_instance", ("orders",), act, sets)] == touched("rds", event, asked)


def test_tags_of_a_database_and_of_nothing_else_named_like_it() -> None:
    asked = {"resourceName": DATABASE, "tags": [{"key": "team", "value": "payments"}]}
    expected = [("aws_db_instance", (DATABASE, "orders"), "update", {"tags_all": {"team": "payments"}})]
    assert expected == touched("rds", "AddTagsToResource", asked)
    snapshot = DATABASE.replace(":db:", ":snapshot:")
    assert touched("rds", "AddTagsToResource", {**asked, "resourceName": snapshot}) == []


@pytest.mark.parametrize(
    ("event", "asked", "sets"),
    [
        ("AssociateKmsKey", {"logGroupName": "/orders", "kmsKeyId": "arn:key"}, {"kms_key_id": "arn:key"}),
        ("DisassociateKmsKey", {"logGroupName": "/orders"}, {"kms_key_id": ""}),
        ("DeleteRetentionPolicy", {"logGroupName": "/orders"}, {"retention_in_days": 0}),
        ("PutSubscriptionFilter", {"logGroupName": "/orders", "destinationArn": "d"}, {"subscription_filter": HIDDEN}),
    ],
)
def test_calls_on_a_log_group(event: str, asked: Item, sets: Item) -> None:
    assert [("aws_cloudwatch_log_group", ("/orders",), "update", sets)] == touched("logs", event, asked)


def test_a_log_group_is_found_by_its_arn() -> None:
    asked = {"resourceIdentifier": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/orders:*", "kmsKeyId": "arn:key"}
    ((_, ids, _, _),) = touched("logs", "AssociateKmsKey", asked)
    assert "/orders" in ids


@pytest.mark.parametrize(("overwrite", "act"), [(False, "create"), (True, "update"), (None, "create")])
def test_a_parameter_is_made_or_overwritten(overwrite: bool | None, act: str) -> None:
    asked = {
        "name": "/orders/password",
        "value": "HIDDEN_DUE_TO_SECURITY_REASONS",
        "type": "SecureString",
        "overwrite": overwrite,
    }
    expected = [("aws_ssm_parameter", ("/orders/password",), act, {"value": HIDDEN, "type": "SecureString"})]
    assert expected == touched("ssm", "PutParameter", asked)


def test_tags_of_other_things_of_systems_manager_touch_no_parameter() -> None:
    asked = {"resourceType": "Document", "resourceId": "orders", "tags": [{"key": "a", "value": "b"}]}
    assert touched("ssm", "AddTagsToResource", asked) == []


MINE = {name: spec for name, spec in SPECS.items() if spec.service in SERVICES}


@pytest.mark.parametrize("asked", [None, {}, [], {"instancesSet": None, "resourcesSet": {"items": [{}]}}])
def test_a_record_that_shows_nothing_touches_nothing(asked: Any) -> None:
    events = {(spec.service, event.name) for spec in MINE.values() for event in spec.events}
    assert {(service, name): touched(service, name, asked) for service, name in events} == {
        event: [] for event in events
    }


COVERED = {(f"{spec.service}.amazonaws.com", event.name) for spec in MINE.values() for event in spec.events}


@pytest.mark.parametrize("name", ["invictus", "stratus"])
def test_every_real_record_of_a_covered_event_shows_its_target(name: str) -> None:
    file = DATA / f"{name}.jsonl"
    if not file.is_file():
        pytest.skip(f"no real CloudTrail records in {DATA}: set DRIFTWARDEN_CLOUDTRAIL_DATA")
    found = list(real_records(file))
    assert found
    silent = [
        record["eventID"]
        for event, record in found
        if not any(touch.type in SPECS for touch in TARGETS.of(record["eventSource"], event, record))
    ]
    # The one CreateTags is on an image, which has no spec.
    assert [record["eventID"] for event, record in found if event == "CreateTags"] == silent


def real_records(file: Path) -> Iterator[tuple[str, Item]]:
    for line in file.read_text().splitlines():
        record = json.loads(line)
        event = re.sub(r"\d{8}(v\d)?$", "", record["eventName"])
        if not record.get("errorCode") and (record["eventSource"], event) in COVERED:
            yield event, record


# --- items ---------------------------------------------------------------------------------------------------


def value(name: str, attribute: str, item: Item) -> Any:
    """What the spec of this type reads for an attribute."""
    path = next(one.path for one in SPECS[name].attributes if one.name == attribute)
    return path(item) if callable(path) else jmespath.search(path, item)


def test_variables_that_may_not_be_decrypted_are_unknown() -> None:
    item = {"Environment": {"Error": {"ErrorCode": "AccessDeniedException", "Message": "no"}}}
    expected = Unknown("environment variables: AccessDeniedException")
    assert expected == value("aws_lambda_function", "environment", item)


@pytest.mark.parametrize("config", [None, {"SubnetIds": [], "SecurityGroupIds": [], "VpcId": ""}])
def test_a_function_outside_any_vpc_has_no_vpc_config(config: Any) -> None:
    assert value("aws_lambda_function", "vpc_config", {"VpcConfig": config}) == []


def test_blocks_that_moto_does_not_answer_have_terraforms_names() -> None:
    item = {
        "DeadLetterConfig": {"TargetArn": "arn:queue"},
        "LoggingConfig": {"LogFormat": "JSON", "LogGroup": "/g", "SystemLogLevel": "INFO"},
        "FileSystemConfigs": [{"Arn": "arn:fs", "LocalMountPath": "/mnt/a"}],
    }
    logging = {"log_format": "JSON", "log_group": "/g", "application_log_level": None, "system_log_level": "INFO"}
    expected = {
        "dead_letter_config": [{"target_arn": "arn:queue"}],
        "logging_config": [logging],
        "file_system_config": [{"arn": "arn:fs", "local_mount_path": "/mnt/a"}],
    }
    assert expected == {name: value("aws_lambda_function", name, item) for name in expected}


@pytest.mark.parametrize(
    ("state", "monitored"), [("enabled", True), ("pending", True), ("disabled", False), ("disabling", False)]
)
def test_an_instance_is_monitored_as_soon_as_it_is_asked(state: str, monitored: bool) -> None:
    assert monitored == value("aws_instance", "monitoring", {"Monitoring": {"State": state}})


def test_an_instance_may_have_no_profile() -> None:
    assert value("aws_instance", "iam_instance_profile", {}) is None


def test_the_ipv6_block_of_a_subnet_is_the_one_in_force() -> None:
    blocks = [
        {"Ipv6CidrBlock": "2001:db8:1::/64", "Ipv6CidrBlockState": {"State": "disassociated"}},
        {"Ipv6CidrBlock": "2001:db8:2::/64", "Ipv6CidrBlockState": {"State": "associated"}},
    ]
    item = {"Ipv6CidrBlockAssociationSet": blocks}
    assert value("aws_subnet", "ipv6_cidr_block", item) == "2001:db8:2::/64"


def test_members_of_a_cluster_are_another_type() -> None:
    answer = {"DBInstances": [{"DBInstanceIdentifier": "a"}, {"DBInstanceIdentifier": "b", "DBClusterIdentifier": "c"}]}
    listed = jmespath.search(SPECS["aws_db_instance"].listing.items, answer)
    assert [item["DBInstanceIdentifier"] for item in listed] == ["a"]


@pytest.mark.parametrize(
    ("name", "item", "reason"),
    [
        ("aws_vpc", {"IsDefault": True}, "AWS creates a default VPC in every region"),
        ("aws_vpc", {"IsDefault": False}, ""),
        ("aws_subnet", {"DefaultForAz": True}, "default subnet of its zone"),
        ("aws_subnet", {"DefaultForAz": False}, ""),
        ("aws_security_group", {"GroupName": "default"}, "AWS creates it with the VPC"),
        ("aws_security_group", {"GroupName": "defaults"}, ""),
        ("aws_instance", {"Tags": [{"Key": "Name", "Value": "web"}]}, ""),
        ("aws_instance", {}, ""),
        (
            "aws_instance",
            {"Tags": [{"Key": "aws:autoscaling:groupName", "Value": "web"}]},
            "launched by the Auto Scaling group web",
        ),
        ("aws_cloudwatch_log_group", {"logGroupName": "/aws/lambda/f"}, "created by the service that logs to it"),
        ("aws_cloudwatch_log_group", {"logGroupName": "RDSOSMetrics"}, "created by the service that logs to it"),
        ("aws_cloudwatch_log_group", {"logGroupName": "/awsome"}, ""),
    ],
)
def test_what_aws_made_by_itself_is_provided(name: str, item: Item, reason: str) -> None:
    provided = SPECS[name].provided
    assert provided is not None
    assert reason == provided(item)


@pytest.mark.parametrize(
    ("recorded", "expected"),
    [
        ({"type": "String", "value": "a", "insecure_value": None}, "a"),
        ({"type": "String", "value": "", "insecure_value": "b"}, "b"),
        ({"type": "String", "value": None, "insecure_value": None}, Unknown("the value is not recorded in state")),
        ({"type": "SecureString", "value": "secret"}, Unknown("a SecureString is never read")),
    ],
)
def test_the_value_a_parameter_was_declared_with(recorded: Item, expected: Any) -> None:
    split = SPECS["aws_ssm_parameter"].split
    assert split is not None
    assert [expected] == [part["value"] for part in split(recorded)]


def test_a_secure_string_is_never_asked_for(aws_env: Item, moto_reset: Callable[[], None]) -> None:
    session = boto3.Session(region_name=REGION)
    ssm = session.client("ssm")
    ssm.put_parameter(Name="/plain", Value="1", Type="String")
    ssm.put_parameter(Name="/secret", Value="not-for-the-log", Type="SecureString")
    calls = Calls()
    now = datetime.now(UTC)
    snapshot = read(session, ACCOUNT, REGION, "ssm", specs=SPECS, key=KEY, taken_at=now, calls=calls)
    values = {resource.key.id: resource.attributes["value"] for resource in snapshot.resources}
    assert values["/secret"] == Unknown("a SecureString is never read")
    assert set(values) == {"/plain", "/secret"}
    assert calls.by_action()["ssm:GetParameters"] == 1

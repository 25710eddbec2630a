"""The resources a record names: its own `resources`, and the list LookupEvents gives beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_TYPES: Mapping[str, Mapping[str, str]] = {
    "cloudtrail": {"name": "AWS::CloudTrail::Trail", "trailName": "AWS::CloudTrail::Trail"},
    "dynamodb": {"tableName": "AWS::DynamoDB::Table"},
    "ec2": {
        "allocationId": "AWS::EC2::EIP",
        "groupId": "AWS::EC2::SecurityGroup",
        "imageId": "AWS::EC2::Ami",
        "instanceId": "AWS::EC2::Instance",
        "internetGatewayId": "AWS::EC2::InternetGateway",
        "keyName": "AWS::EC2::KeyPair",
        "natGatewayId": "AWS::EC2::NatGateway",
        "networkAclId": "AWS::EC2::NetworkAcl",
        "networkInterfaceId": "AWS::EC2::NetworkInterface",
        "routeTableId": "AWS::EC2::RouteTable",
        "snapshotId": "AWS::EC2::Snapshot",
        "subnetId": "AWS::EC2::Subnet",
        "volumeId": "AWS::EC2::Volume",
        "vpcId": "AWS::EC2::VPC",
    },
    "iam": {
        "accessKeyId": "AWS::IAM::AccessKey",
        "groupName": "AWS::IAM::Group",
        "instanceProfileName": "AWS::IAM::InstanceProfile",
        "policyArn": "AWS::IAM::Policy",
        "policyName": "AWS::IAM::Policy",
        "roleName": "AWS::IAM::Role",
        "userName": "AWS::IAM::User",
    },
    "lambda": {"functionName": "AWS::Lambda::Function"},
    "logs": {"logGroupName": "AWS::Logs::LogGroup"},
    "rds": {
        "dBInstanceIdentifier": "AWS::RDS::DBInstance",
        "dBSnapshotIdentifier": "AWS::RDS::DBSnapshot",
        "dBSubnetGroupName": "AWS::RDS::DBSubnetGroup",
    },
    "s3": {"bucketName": "AWS::S3::Bucket"},
    "sns": {"topicArn": "AWS::SNS::Topic"},
    "sts": {"accessKeyId": "AWS::IAM::AccessKey", "roleSessionName": "AWS::STS::AssumedRole"},
}
"""Service → key in the record → the type LookupEvents gives its value."""


def resources(record: Mapping[str, Any], account: str) -> list[dict[str, str]]:
    """`resources` of a record, for the services whose records have it."""
    asked, answered = record["requestParameters"] or {}, record["responseElements"] or {}
    region, name = record["awsRegion"], str(asked.get("name", ""))
    found: list[tuple[str, str]] = []
    match record["eventSource"].removesuffix(".amazonaws.com"):
        case "s3" if asked.get("bucketName") and record["eventName"] != "CreateBucket":
            found = [("AWS::S3::Bucket", f"arn:aws:s3:::{asked['bucketName']}")]
        case "kms" if arn := key_arn(asked, answered, region, account):
            found = [("AWS::KMS::Key", arn)]
        case "sqs" if url := asked.get("queueUrl") or answered.get("queueUrl"):
            found = [("AWS::SQS::Queue", _queue_arn(str(url), region, account))]
        case "ssm" if name and "Parameter" in record["eventName"]:
            found = [("", f"arn:aws:ssm:{region}:{account}:parameter/{name.lstrip('/')}")]
        case "dynamodb" if table := str(asked.get("tableName") or ""):
            arn = table if table.startswith("arn:") else f"arn:aws:dynamodb:{region}:{account}:table/{table}"
            found = [("AWS::DynamoDB::Table", arn)]
        case "sts" if role := str(asked.get("roleArn") or ""):
            found = [("AWS::IAM::Role", role)]
            found += [("AWS::IAM::SAMLProvider", asked["principalArn"])] if asked.get("principalArn") else []
    return [_resource(kind, arn, account) for kind, arn in found]


def key_arn(asked: Mapping[str, Any], answered: Mapping[str, Any], region: str, account: str) -> str:
    """ARN of the KMS key a call names; "" where it names an alias or none."""
    metadata = answered.get("keyMetadata")
    named = metadata.get("arn") if isinstance(metadata, Mapping) else asked.get("targetKeyId") or asked.get("keyId")
    name = str(named or "")
    if not name or "alias/" in name:
        return ""
    return name if name.startswith("arn:") else f"arn:aws:kms:{region}:{account}:key/{name}"


def looked_up(record: Mapping[str, Any]) -> list[dict[str, str]]:
    """`Resources` of the record's entry in LookupEvents."""
    source = str(record.get("eventSource", "")).removesuffix(".amazonaws.com")
    types = _TYPES.get(source, {})
    named = [
        (types[key], value)
        for part in (record.get("requestParameters"), record.get("responseElements"))
        for key, value in _leaves(part)
        if key in types
    ]
    listed = [(item["type"], item["ARN"]) for item in record.get("resources") or () if "type" in item]
    unique = dict.fromkeys(named + listed)
    return [{"ResourceType": kind, "ResourceName": name} for kind, name in unique]


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, key)
    elif isinstance(value, str) and value:
        yield key, value


def _queue_arn(url: str, region: str, account: str) -> str:
    owner, _, name = url.rstrip("/").rpartition("/")
    owner = owner.rpartition("/")[2]
    return f"arn:aws:sqs:{region}:{owner if owner.isdigit() else account}:{name}"


def _resource(kind: str, arn: str, account: str) -> dict[str, str]:
    parts = arn.split(":")
    owner = (parts[4] if len(parts) > 4 else "") or account
    return {"accountId": owner, **({"type": kind} if kind else {}), "ARN": arn}

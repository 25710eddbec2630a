"""Calls by hand on IAM, S3, KMS, SNS, SQS and DynamoDB: what the trail says of one is what the reader then sees.

Each case makes a real boto3 call to moto through the recorder. The resources that differ between a reading before and a
reading after must be exactly those the record touches, and each attribute that differs must be one the record sets.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from agent.demo.recorder import Recorder, iam_user
from agent.equal import canonical
from agent.live.aws import read
from agent.model import Key, Resource, Touch, Unknown
from agent.resources import Attribute, load
from agent.trail.targets import Targets

ACCOUNT, REGION = "123456789012", "us-east-1"
DANA = "AKIADANA000000000001"
SPECS = load()
TARGETS = Targets(SPECS, b"install key")

ALLOW = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
DENY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]})
OPEN = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*"}]})
POLICY = f"arn:aws:iam::{ACCOUNT}:policy/read"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:ledger"
TABLE = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/ledger"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"}],
    }
)
TAGS = [{"Key": "team", "Value": "payments"}]
BLOCK_ALL = dict.fromkeys(("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True)


@dataclass(frozen=True)
class Cloud:
    """Clients of Dana, whose calls go through the recorder, and the names moto gave."""

    recorder: Recorder
    session: boto3.Session
    clients: dict[str, Any] = field(default_factory=dict)
    named: dict[str, str] = field(default_factory=dict)

    def __getattr__(self, service: str) -> Any:
        if service not in self.clients:
            self.clients[service] = self.session.client(
                service,
                endpoint_url=self.recorder.endpoint,
                aws_access_key_id=DANA,
                aws_secret_access_key="secret",
            )
        return self.clients[service]


Do = Callable[[Cloud], object]


def nothing(_: Cloud) -> None:
    pass


def role(aws: Cloud) -> None:
    aws.iam.create_policy(PolicyName="read", PolicyDocument=DENY)
    aws.iam.create_role(RoleName="app", AssumeRolePolicyDocument=DENY)


def attached(aws: Cloud) -> None:
    role(aws)
    aws.iam.attach_role_policy(RoleName="app", PolicyArn=POLICY)


def with_inline(aws: Cloud) -> None:
    role(aws)
    aws.iam.put_role_policy(RoleName="app", PolicyName="own", PolicyDocument=DENY)


def bounded(aws: Cloud) -> None:
    role(aws)
    aws.iam.put_role_permissions_boundary(RoleName="app", PermissionsBoundary=POLICY)


def tagged_role(aws: Cloud) -> None:
    role(aws)
    aws.iam.tag_role(RoleName="app", Tags=TAGS)


def bucket(aws: Cloud) -> None:
    aws.s3.create_bucket(Bucket="logs")


def hardened(aws: Cloud) -> None:
    bucket(aws)
    kms = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}
    aws.s3.put_bucket_encryption(Bucket="logs", ServerSideEncryptionConfiguration={"Rules": [kms]})
    aws.s3.put_bucket_versioning(Bucket="logs", VersioningConfiguration={"Status": "Enabled"})
    aws.s3.put_public_access_block(Bucket="logs", PublicAccessBlockConfiguration=BLOCK_ALL)
    aws.s3.put_bucket_policy(Bucket="logs", Policy=DENY)
    aws.s3.put_bucket_tagging(Bucket="logs", Tagging={"TagSet": TAGS})


def key(aws: Cloud) -> None:
    aws.named["key"] = aws.kms.create_key(Policy=OPEN)["KeyMetadata"]["KeyId"]


def rotating(aws: Cloud) -> None:
    key(aws)
    aws.kms.enable_key_rotation(KeyId=aws.named["key"])


def topic(aws: Cloud) -> None:
    aws.sns.create_topic(Name="ledger", Attributes={"KmsMasterKeyId": "alias/aws/sns"})


def queue(aws: Cloud) -> None:
    made = aws.sqs.create_queue(QueueName="orders", Attributes={"KmsMasterKeyId": "alias/aws/sqs"})
    aws.named["queue"] = made["QueueUrl"]


def table(aws: Cloud) -> None:
    aws.dynamodb.create_table(
        TableName="ledger",
        BillingMode="PAY_PER_REQUEST",
        DeletionProtectionEnabled=True,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )


def recovery(enabled: bool) -> Do:
    return lambda aws: aws.dynamodb.update_continuous_backups(
        TableName="ledger", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": enabled}
    )


def recoverable(aws: Cloud) -> None:
    table(aws)
    recovery(True)(aws)


CASES: Mapping[str, tuple[str, Do, Do]] = {
    "a role is made": (
        "iam", nothing, lambda aws: aws.iam.create_role(RoleName="app", AssumeRolePolicyDocument=DENY)),
    "a role is deleted": ("iam", role, lambda aws: aws.iam.delete_role(RoleName="app")),
    "a role trusts somebody else": (
        "iam", role, lambda aws: aws.iam.update_assume_role_policy(RoleName="app", PolicyDocument=TRUST)),
    "a role gets long sessions": (
        "iam", role, lambda aws: aws.iam.update_role(RoleName="app", MaxSessionDuration=43200, Description="by hand")),
    "a role gets a boundary": (
        "iam", role, lambda aws: aws.iam.put_role_permissions_boundary(RoleName="app", PermissionsBoundary=POLICY)),
    "a role loses its boundary": (
        "iam", bounded, lambda aws: aws.iam.delete_role_permissions_boundary(RoleName="app")),
    "a role is tagged": ("iam", role, lambda aws: aws.iam.tag_role(RoleName="app", Tags=TAGS)),
    "a role is untagged": ("iam", tagged_role, lambda aws: aws.iam.untag_role(RoleName="app", TagKeys=["team"])),
    "a policy is attached": (
        "iam", role, lambda aws: aws.iam.attach_role_policy(RoleName="app", PolicyArn=POLICY)),
    "a policy is detached": (
        "iam", attached, lambda aws: aws.iam.detach_role_policy(RoleName="app", PolicyArn=POLICY)),
    "an inline policy is put": (
        "iam", role, lambda aws: aws.iam.put_role_policy(RoleName="app", PolicyName="own", PolicyDocument=ALLOW)),
    "an inline policy is rewritten": (
        "iam", with_inline, lambda aws: aws.iam.put_role_policy(
            RoleName="app", PolicyName="own", PolicyDocument=ALLOW)),
    "an inline policy is deleted": (
        "iam", with_inline, lambda aws: aws.iam.delete_role_policy(RoleName="app", PolicyName="own")),
    "a policy is made": ("iam", nothing, lambda aws: aws.iam.create_policy(PolicyName="read", PolicyDocument=DENY)),
    "a policy gets a new version": (
        "iam", role, lambda aws: aws.iam.create_policy_version(
            PolicyArn=POLICY, PolicyDocument=ALLOW, SetAsDefault=True)),
    "a policy is deleted": ("iam", role, lambda aws: aws.iam.delete_policy(PolicyArn=POLICY)),
    "a bucket is made": ("s3", nothing, bucket),
    "a bucket is deleted": ("s3", bucket, lambda aws: aws.s3.delete_bucket(Bucket="logs")),
    "a bucket is tagged": (
        "s3", bucket, lambda aws: aws.s3.put_bucket_tagging(Bucket="logs", Tagging={"TagSet": TAGS})),
    "a bucket is untagged": ("s3", hardened, lambda aws: aws.s3.delete_bucket_tagging(Bucket="logs")),
    "versioning is suspended": (
        "s3", hardened, lambda aws: aws.s3.put_bucket_versioning(
            Bucket="logs", VersioningConfiguration={"Status": "Suspended"})),
    "public access is no longer blocked": (
        "s3", hardened, lambda aws: aws.s3.delete_public_access_block(Bucket="logs")),
    "public access is blocked less": (
        "s3", hardened, lambda aws: aws.s3.put_public_access_block(
            Bucket="logs", PublicAccessBlockConfiguration={**BLOCK_ALL, "BlockPublicPolicy": False})),
    "encryption is taken away": ("s3", hardened, lambda aws: aws.s3.delete_bucket_encryption(Bucket="logs")),
    "encryption goes to keys of S3": (
        "s3", hardened, lambda aws: aws.s3.put_bucket_encryption(
            Bucket="logs",
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
            })),
    "a bucket gets a policy": ("s3", bucket, lambda aws: aws.s3.put_bucket_policy(Bucket="logs", Policy=OPEN)),
    "a bucket gets another policy": ("s3", hardened, lambda aws: aws.s3.put_bucket_policy(Bucket="logs", Policy=OPEN)),
    "a bucket loses its policy": ("s3", hardened, lambda aws: aws.s3.delete_bucket_policy(Bucket="logs")),
    "a key is made": ("kms", nothing, key),
    "a key is to be deleted": ("kms", key, lambda aws: aws.kms.schedule_key_deletion(KeyId=aws.named["key"])),
    "a key is disabled": ("kms", key, lambda aws: aws.kms.disable_key(KeyId=aws.named["key"])),
    "a key rotates": ("kms", key, lambda aws: aws.kms.enable_key_rotation(KeyId=aws.named["key"])),
    "a key rotates no more": (
        "kms", rotating, lambda aws: aws.kms.disable_key_rotation(KeyId=aws.named["key"])),
    "a key gets another policy": (
        "kms", key, lambda aws: aws.kms.put_key_policy(KeyId=aws.named["key"], PolicyName="default", Policy=DENY)),
    "a key is described": (
        "kms", key, lambda aws: aws.kms.update_key_description(KeyId=aws.named["key"], Description="by hand")),
    "a key is tagged": (
        "kms", key, lambda aws: aws.kms.tag_resource(
            KeyId=aws.named["key"], Tags=[{"TagKey": "team", "TagValue": "payments"}])),
    "a topic is made": ("sns", nothing, topic),
    "a topic is deleted": ("sns", topic, lambda aws: aws.sns.delete_topic(TopicArn=TOPIC)),
    "a topic is opened": (
        "sns", topic, lambda aws: aws.sns.set_topic_attributes(
            TopicArn=TOPIC, AttributeName="Policy", AttributeValue=OPEN)),
    "a topic is renamed": (
        "sns", topic, lambda aws: aws.sns.set_topic_attributes(
            TopicArn=TOPIC, AttributeName="DisplayName", AttributeValue="by hand")),
    "a topic is opened to one account": (
        "sns", topic, lambda aws: aws.sns.add_permission(
            TopicArn=TOPIC, Label="x", AWSAccountId=["111122223333"], ActionName=["Publish"])),
    "a topic is tagged": ("sns", topic, lambda aws: aws.sns.tag_resource(ResourceArn=TOPIC, Tags=TAGS)),
    "a queue is made": ("sqs", nothing, queue),
    "a queue is deleted": ("sqs", queue, lambda aws: aws.sqs.delete_queue(QueueUrl=aws.named["queue"])),
    "a queue is slowed and opened": (
        "sqs", queue, lambda aws: aws.sqs.set_queue_attributes(
            QueueUrl=aws.named["queue"], Attributes={"DelaySeconds": "9", "Policy": OPEN})),
    "a queue is opened to one account": (
        "sqs", queue, lambda aws: aws.sqs.add_permission(
            QueueUrl=aws.named["queue"], Label="x", AWSAccountIds=["111122223333"], Actions=["SendMessage"])),
    "a queue is tagged": (
        "sqs", queue, lambda aws: aws.sqs.tag_queue(QueueUrl=aws.named["queue"], Tags={"team": "payments"})),
    "a table is made": ("dynamodb", nothing, table),
    "a table loses its deletion protection": (
        "dynamodb", table, lambda aws: aws.dynamodb.update_table(
            TableName="ledger", DeletionProtectionEnabled=False)),
    "a table streams": (
        "dynamodb", table, lambda aws: aws.dynamodb.update_table(
            TableName="ledger", StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"})),
    "a table is recoverable": ("dynamodb", table, recovery(True)),
    "a table is recoverable no more": ("dynamodb", recoverable, recovery(False)),
    "items of a table expire": (
        "dynamodb", table, lambda aws: aws.dynamodb.update_time_to_live(
            TableName="ledger", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"})),
    "a table is tagged": (
        "dynamodb", table, lambda aws: aws.dynamodb.tag_resource(ResourceArn=TABLE, Tags=TAGS)),
}  # fmt: skip


@pytest.fixture(scope="module")
def session() -> boto3.Session:
    """One for all readings: it keeps the service models it has read."""
    return boto3.Session("testing", "testing", region_name=REGION)


@pytest.fixture
def cloud(moto_server: str, moto_reset: None, session: boto3.Session) -> Iterator[Cloud]:
    with Recorder(moto_server, ACCOUNT, lookup_rate=None, seed=7) as recorder:
        recorder.know(DANA, iam_user("dana", ACCOUNT))
        yield Cloud(recorder, session)


@pytest.mark.parametrize(("service", "prepare", "call"), CASES.values(), ids=CASES)
def test_the_record_of_a_call_explains_all_that_the_reader_sees(
    cloud: Cloud, aws_env: Mapping[str, str], service: str, prepare: Do, call: Do
) -> None:
    prepare(cloud)
    before, seen = reading(cloud, service), len(cloud.recorder.records)
    call(cloud)
    after = reading(cloud, service)
    (record,) = [one for one in cloud.recorder.records[seen:] if not one["readOnly"]]
    moved = {one: now for one in {*before, *after} if (now := difference(before.get(one), after.get(one)))}
    assert moved
    # What goes with its parent needs no word of its own.
    own = {one: now for one, now in moved.items() if (after.get(one) or before[one]).parent not in moved}
    touches = TARGETS.of(record["eventSource"], record["eventName"], record)
    touched = {one: touch for touch in touches for one in named(touch, {**before, **after})}
    assert own == {one: explained(touch, moved.get(one)) for one, touch in touched.items()}


def reading(cloud: Cloud, service: str) -> Mapping[Key, Resource]:
    taken_at = datetime.now(UTC)
    snapshot = read(cloud.session, ACCOUNT, REGION, service, specs=SPECS, key=b"k", taken_at=taken_at)
    assert snapshot.gaps == ()
    return {resource.key: resource for resource in snapshot.resources}


Moved = tuple[str, Mapping[str, Any]]
"""What became of a resource, and each attribute that differs with its value now; of one that came or went, none."""


def difference(before: Resource | None, after: Resource | None) -> Moved | None:
    if before is None or after is None:
        return ("came" if before is None else "went"), {}
    had, has = values(before), values(after)
    moved = {name: value for name, value in has.items() if value != had[name]}
    return ("changed", moved) if moved else None


def explained(touch: Touch, moved: Moved | None) -> Moved | None:
    """As `difference`, from what the record says; a value the record does not show counts as said."""
    what, attributes = moved or ("", {})
    if touch.act == "delete":
        return "went", {}
    if touch.act == "create" or what == "came":
        return "came", {}
    specs = {one.name: one for one in SPECS[touch.type].attributes}
    asked = {name: touch.sets[name] for name in attributes if name in touch.sets}
    return "changed", {
        name: attributes[name] if isinstance(value, Unknown) else form(specs[name], value)
        for name, value in asked.items()
    }


def named(touch: Touch, resources: Mapping[Key, Resource]) -> list[Key]:
    return [
        one
        for one, resource in resources.items()
        if one.type == touch.type and {one.id, *resource.identifiers}.intersection(touch.ids)
    ]


def values(resource: Resource) -> Mapping[str, Any]:
    return {one.name: form(one, resource.attributes[one.name]) for one in SPECS[resource.key.type].attributes}


def form(attribute: Attribute, value: Any) -> Any:
    found = canonical(value, attribute.kind)
    return canonical(attribute.default, attribute.kind) if found is None else found

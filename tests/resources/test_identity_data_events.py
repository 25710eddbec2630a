"""What CloudTrail's records say of IAM, S3, KMS, SNS, SQS and DynamoDB, in the names of the types they change.

Records are spelled as AWS writes them: S3's bodies as XML turned JSON, flags as text or boolean, creations answered in
responseElements.
"""

from collections.abc import Mapping
from typing import Any

import pytest

from agent.model import Unknown
from agent.resources import load
from agent.trail.targets import Targets

ACCOUNT = "123456789012"
TARGETS = Targets(load(), b"install key")

ARN = f"arn:aws:iam::{ACCOUNT}:policy/teams/read"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:ledger"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/0000"
TABLE = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/ledger"
QUEUE = f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/orders"
OTHERS = "https://sqs.us-east-1.amazonaws.com/999988887777/orders"
POLICY = '{"Version": "2012-10-17", "Statement": []}'
TAGS = [{"key": "team", "value": "payments"}]

HIDDEN = "(not in the record)"


def rule(algorithm: str, key: str = "", bucket_key: bool | None = None) -> list[dict[str, Any]]:
    applied = [{"sse_algorithm": algorithm, "kms_master_key_id": key}]
    return [{"apply_server_side_encryption_by_default": applied, "bucket_key_enabled": bucket_key}]


IAM = [
    ("CreateRole", {"roleName": "app", "assumeRolePolicyDocument": POLICY, "maxSessionDuration": 3600}, "aws_iam_role",
     "app", "create", {"assume_role_policy": POLICY, "max_session_duration": 3600}),
    ("DeleteRole", {"roleName": "app"}, "aws_iam_role", "app", "delete", {}),
    ("UpdateAssumeRolePolicy", {"roleName": "app", "policyDocument": POLICY}, "aws_iam_role", "app", "update",
     {"assume_role_policy": POLICY}),
    ("UpdateRole", {"roleName": "app", "maxSessionDuration": 43200}, "aws_iam_role", "app", "update",
     {"max_session_duration": 43200}),
    ("PutRolePermissionsBoundary", {"roleName": "app", "permissionsBoundary": ARN}, "aws_iam_role", "app", "update",
     {"permissions_boundary": ARN}),
    ("DeleteRolePermissionsBoundary", {"roleName": "app"}, "aws_iam_role", "app", "update",
     {"permissions_boundary": ""}),
    ("TagRole", {"roleName": "app", "tags": TAGS}, "aws_iam_role", "app", "update", {"tags_all": {"team": "payments"}}),
    ("UntagRole", {"roleName": "app", "tagKeys": ["team"]}, "aws_iam_role", "app", "update", {"tags_all": HIDDEN}),
    ("AttachRolePolicy", {"roleName": "app", "policyArn": ARN}, "aws_iam_role_policy_attachment", f"app|{ARN}",
     "create", {"policy_arn": ARN}),
    ("DetachRolePolicy", {"roleName": "app", "policyArn": ARN}, "aws_iam_role_policy_attachment", f"app|{ARN}",
     "delete", {}),
    ("PutRolePolicy", {"roleName": "app", "policyName": "own", "policyDocument": POLICY}, "aws_iam_role_policy",
     "app|own", "update", {"policy": POLICY}),
    ("DeleteRolePolicy", {"roleName": "app", "policyName": "own"}, "aws_iam_role_policy", "app|own", "delete", {}),
    ("CreatePolicyVersion", {"policyArn": ARN, "policyDocument": POLICY, "setAsDefault": True}, "aws_iam_policy", ARN,
     "update", {"policy": POLICY}),
    ("SetDefaultPolicyVersion", {"policyArn": ARN, "versionId": "v1"}, "aws_iam_policy", ARN, "update",
     {"policy": HIDDEN}),
    ("DeletePolicy", {"policyArn": ARN}, "aws_iam_policy", ARN, "delete", {}),
]  # fmt: skip

S3 = [
    ("CreateBucket", {}, "aws_s3_bucket", "create", {}),
    ("DeleteBucket", {}, "aws_s3_bucket", "delete", {}),
    ("PutBucketTagging", {"Tagging": {"TagSet": {"Tag": {"Key": "public", "Value": True}}}}, "aws_s3_bucket", "update",
     {"tags_all": {"public": "true"}}),
    ("DeleteBucketTagging", {"tagging": ""}, "aws_s3_bucket", "update", {"tags_all": {}}),
    ("PutBucketVersioning", {"VersioningConfiguration": {"Status": "Suspended"}, "versioning": ""},
     "aws_s3_bucket_versioning", "update", {"versioning_configuration": [{"status": "Suspended", "mfa_delete": ""}]}),
    ("PutBucketVersioning", {"VersioningConfiguration": {"Status": "Enabled", "MfaDelete": "Enabled"}},
     "aws_s3_bucket_versioning", "update",
     {"versioning_configuration": [{"status": "Enabled", "mfa_delete": "Enabled"}]}),
    ("PutBucketPublicAccessBlock",
     {"PublicAccessBlockConfiguration": {"BlockPublicAcls": False, "BlockPublicPolicy": True}},
     "aws_s3_bucket_public_access_block", "update", {"block_public_acls": False, "block_public_policy": True}),
    ("DeleteBucketPublicAccessBlock", {"publicAccessBlock": ""}, "aws_s3_bucket_public_access_block", "update",
     {"block_public_acls": False, "block_public_policy": False, "ignore_public_acls": False,
      "restrict_public_buckets": False}),
    ("PutBucketEncryption",
     {"ServerSideEncryptionConfiguration": {"Rule": {
         "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY},
         "BucketKeyEnabled": True}}},
     "aws_s3_bucket_server_side_encryption_configuration", "update", {"rule": rule("aws:kms", KEY, True)}),
    ("DeleteBucketEncryption", {"encryption": ""}, "aws_s3_bucket_server_side_encryption_configuration", "update",
     {"rule": rule("AES256")}),
    ("PutBucketPolicy", {"bucketPolicy": {"Version": "2012-10-17"}, "policy": ""}, "aws_s3_bucket_policy", "update",
     {"policy": {"Version": "2012-10-17"}}),
    ("DeleteBucketPolicy", {"policy": ""}, "aws_s3_bucket_policy", "delete", {}),
]  # fmt: skip

KMS = [
    ("ScheduleKeyDeletion", {"pendingWindowInDays": 7}, "delete", {}),
    ("CancelKeyDeletion", {}, "create", {"is_enabled": False}),
    ("DisableKey", {}, "update", {"is_enabled": False}),
    ("EnableKey", {}, "update", {"is_enabled": True}),
    ("DisableKeyRotation", {}, "update", {"enable_key_rotation": False, "rotation_period_in_days": HIDDEN}),
    ("EnableKeyRotation", {"rotationPeriodInDays": 90}, "update",
     {"enable_key_rotation": True, "rotation_period_in_days": 90}),
    ("PutKeyPolicy", {"policy": POLICY, "policyName": "default"}, "update", {"policy": POLICY}),
    ("TagResource", {"tags": [{"tagKey": "team", "tagValue": "payments"}]}, "update",
     {"tags_all": {"team": "payments"}}),
]  # fmt: skip

SNS = [
    ("DeleteTopic", {"topicArn": TOPIC}, "delete", {}),
    ("SetTopicAttributes", {"topicArn": TOPIC, "attributeName": "Policy", "attributeValue": POLICY}, "update",
     {"policy": POLICY}),
    ("SetTopicAttributes", {"topicArn": TOPIC, "attributeName": "KmsMasterKeyId", "attributeValue": ""}, "update",
     {"kms_master_key_id": ""}),
    ("SetTopicAttributes", {"topicArn": TOPIC, "attributeName": "SQSFailureFeedbackRoleArn", "attributeValue": ARN},
     "update", {"sqs_failure_feedback_role_arn": ARN}),
    ("AddPermission", {"topicArn": TOPIC, "label": "open"}, "update", {"policy": HIDDEN}),
    ("TagResource", {"resourceArn": TOPIC, "tags": TAGS}, "update", {"tags_all": {"team": "payments"}}),
]  # fmt: skip

SQS = [
    ("DeleteQueue", {}, "delete", {}),
    ("SetQueueAttributes", {"attributes": {"DelaySeconds": "5", "KmsMasterKeyId": ""}}, "update",
     {"delay_seconds": "5", "kms_master_key_id": ""}),
    ("AddPermission", {"label": "open"}, "update", {"policy": HIDDEN}),
    ("TagQueue", {"tags": {"team": "payments"}}, "update", {"tags_all": {"team": "payments"}}),
]  # fmt: skip

DYNAMODB = [
    ("CreateTable", {"tableName": "ledger", "billingMode": "PAY_PER_REQUEST"}, "create",
     {"billing_mode": "PAY_PER_REQUEST"}),
    ("DeleteTable", {"tableName": "ledger"}, "delete", {}),
    ("UpdateTable", {"tableName": "ledger", "deletionProtectionEnabled": False}, "update",
     {"deletion_protection_enabled": False}),
    ("UpdateTable", {"tableName": "ledger", "sSESpecification": {"enabled": False}}, "update",
     {"server_side_encryption": []}),
    ("UpdateTable", {"tableName": "ledger", "sSESpecification": {"enabled": True, "kMSMasterKeyId": KEY}}, "update",
     {"server_side_encryption": [{"enabled": True, "kms_key_arn": KEY}]}),
    ("UpdateTable", {"tableName": "ledger", "sSESpecification": {"enabled": True, "kMSMasterKeyId": "alias/x"}},
     "update", {"server_side_encryption": HIDDEN}),
    ("UpdateTable", {"tableName": "ledger", "globalSecondaryIndexUpdates": [{"delete": {"indexName": "by-owner"}}],
                     "attributeDefinitions": [{"attributeName": "id", "attributeType": "S"}]}, "update",
     {"global_secondary_index": HIDDEN, "attribute": [{"name": "id", "type": "S"}]}),
    ("UpdateContinuousBackups",
     {"tableName": "ledger", "pointInTimeRecoverySpecification": {"pointInTimeRecoveryEnabled": False}}, "update",
     {"point_in_time_recovery": [{"enabled": False, "recovery_period_in_days": 0}]}),
    ("UpdateTimeToLive",
     {"tableName": "ledger", "timeToLiveSpecification": {"enabled": True, "attributeName": "expires"}}, "update",
     {"ttl": [{"enabled": True, "attribute_name": "expires"}]}),
    ("TagResource", {"resourceArn": TABLE, "tags": TAGS}, "update", {"tags_all": {"team": "payments"}}),
]  # fmt: skip

CASES = [
    *(("iam", *case) for case in IAM),
    *(("s3", name, {"bucketName": "logs", **asked}, *rest[:1], "logs", *rest[1:]) for name, asked, *rest in S3),
    *(("kms", name, {"keyId": KEY, **asked}, "aws_kms_key", KEY, *rest) for name, asked, *rest in KMS),
    *(("sns", name, asked, "aws_sns_topic", TOPIC, *rest) for name, asked, *rest in SNS),
    *(("sqs", name, {"queueUrl": QUEUE, **asked}, "aws_sqs_queue", QUEUE, *rest) for name, asked, *rest in SQS),
    *(("dynamodb", name, asked, "aws_dynamodb_table", "ledger", *rest) for name, asked, *rest in DYNAMODB),
]


@pytest.mark.parametrize(
    ("service", "event", "asked", "name", "natural", "act", "sets"),
    [pytest.param(*case, id=f"{case[0]}-{case[1]}") for case in CASES],
)
def test_a_call_touches_its_resource_and_sets_what_it_asks_for(
    service: str, event: str, asked: Mapping[str, Any], name: str, natural: str, act: str, sets: Mapping[str, Any]
) -> None:
    record = {"recipientAccountId": ACCOUNT, "requestParameters": asked, "responseElements": None}
    (touch,) = TARGETS.of(f"{service}.amazonaws.com", event, record)
    shown = {one: HIDDEN if isinstance(value, Unknown) else value for one, value in touch.sets.items()}
    assert (touch.type, touch.act, shown) == (name, act, sets)
    assert natural in touch.ids


@pytest.mark.parametrize(
    ("service", "event", "answered", "name", "natural"),
    [
        ("iam", "CreatePolicy", {"policy": {"arn": ARN}}, "aws_iam_policy", ARN),
        ("iam", "CreateServiceLinkedRole", {"role": {"roleName": "AWSServiceRoleForX"}}, "aws_iam_role",
         "AWSServiceRoleForX"),
        ("kms", "CreateKey", {"keyMetadata": {"keyId": "0000"}}, "aws_kms_key", "0000"),
        ("sns", "CreateTopic", {"topicArn": TOPIC}, "aws_sns_topic", TOPIC),
        ("sqs", "CreateQueue", {"queueUrl": QUEUE}, "aws_sqs_queue", QUEUE),
    ],
)  # fmt: skip
def test_a_creation_is_named_by_its_answer(
    service: str, event: str, answered: Mapping[str, Any], name: str, natural: str
) -> None:
    record = {"recipientAccountId": ACCOUNT, "requestParameters": {}, "responseElements": answered}
    (touch,) = TARGETS.of(f"{service}.amazonaws.com", event, record)
    assert (touch.type, touch.act) == (name, "create")
    assert natural in touch.ids


def test_a_key_named_by_its_alias_is_found_by_the_records_resources() -> None:
    record = {
        "recipientAccountId": ACCOUNT,
        "requestParameters": {"keyId": "alias/ledger"},
        "resources": [{"ARN": KEY, "type": "AWS::KMS::Key", "accountId": ACCOUNT}],
    }
    (touch,) = TARGETS.of("kms.amazonaws.com", "DisableKey", record)
    assert {KEY, "0000"} <= set(touch.ids)


def test_a_policy_version_that_is_not_the_default_changes_nothing() -> None:
    asked = {"policyArn": ARN, "policyDocument": POLICY, "setAsDefault": False}
    assert TARGETS.of("iam.amazonaws.com", "CreatePolicyVersion", {"requestParameters": asked}) == ()


MINE = {name: spec for name, spec in load().items() if spec.service in ("iam", "s3", "kms", "sns", "sqs", "dynamodb")}


@pytest.mark.parametrize("name", sorted(MINE))
def test_an_event_sets_only_attributes_the_spec_compares(name: str) -> None:
    compared = {attribute.name for attribute in MINE[name].attributes}
    assert {one for event in MINE[name].events for one in event.sets} - compared == set()


@pytest.mark.parametrize("record", [{}, {"requestParameters": None}, {"requestParameters": []}])
def test_a_record_that_shows_nothing_touches_nothing(record: Mapping[str, Any]) -> None:
    events = [(spec.service, event.name) for spec in MINE.values() for event in spec.events]
    touched = [name for service, name in events if TARGETS.of(f"{service}.amazonaws.com", name, record)]
    assert touched == []


@pytest.mark.parametrize(
    ("url", "names"),
    [
        (QUEUE, {QUEUE, "orders"}),
        (f"https://queue.amazonaws.com/{ACCOUNT}/orders", {f"https://queue.amazonaws.com/{ACCOUNT}/orders", "orders"}),
        (OTHERS, {OTHERS}),
    ],
)
def test_a_queue_is_known_by_name_in_its_own_account_only(url: str, names: set[str]) -> None:
    record = {"recipientAccountId": ACCOUNT, "requestParameters": {"queueUrl": url}}
    (touch,) = TARGETS.of("sqs.amazonaws.com", "DeleteQueue", record)
    assert set(touch.ids) == names

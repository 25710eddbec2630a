"""What a hand-made change looks like through the specs of IAM, S3 and KMS, on moto."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from agent.live.aws import read
from agent.model import Resource
from agent.resources import load

ACCOUNT = "123456789012"
ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
DENY = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
ADMIN = f"arn:aws:iam::{ACCOUNT}:policy/admin"

Read = Callable[[str, str], Mapping[str, Resource]]


@pytest.fixture
def session(aws_env: Mapping[str, str], moto_reset: None) -> boto3.Session:
    return boto3.Session()


@pytest.fixture
def live(session: boto3.Session) -> Read:
    """`live(service, type)`: what the reader finds now, by natural id."""

    def found(service: str, name: str) -> Mapping[str, Resource]:
        now = datetime.now(UTC)
        snapshot = read(session, ACCOUNT, "us-east-1", service, specs=load(), key=b"k", taken_at=now)
        assert snapshot.gaps == ()
        return {one.key.id: one for one in snapshot.resources if one.key.type == name}

    return found


@pytest.fixture
def iam(session: boto3.Session) -> Any:
    client = session.client("iam")
    client.create_policy(PolicyName="admin", PolicyDocument=json.dumps(ALLOW))
    client.create_role(RoleName="app", AssumeRolePolicyDocument=json.dumps(TRUST), MaxSessionDuration=7200)
    return client


@pytest.fixture
def s3(session: boto3.Session) -> Any:
    client = session.client("s3")
    client.create_bucket(Bucket="logs")
    return client


def test_a_policy_attached_by_hand_is_a_part_of_the_role(live: Read, iam: Any) -> None:
    assert live("iam", "aws_iam_role_policy_attachment") == {}
    iam.attach_role_policy(RoleName="app", PolicyArn=ADMIN)
    (attachment,) = live("iam", "aws_iam_role_policy_attachment").values()
    assert attachment.key.id == f"app|{ADMIN}"
    assert attachment.parent == live("iam", "aws_iam_role")["app"].key
    assert attachment.attribute == "managed_policy_arns"
    assert attachment.note == ""


def test_an_inline_policy_put_by_hand_is_a_part_of_the_role(live: Read, iam: Any) -> None:
    iam.put_role_policy(RoleName="app", PolicyName="own", PolicyDocument=json.dumps(ALLOW))
    (policy,) = live("iam", "aws_iam_role_policy").values()
    assert (policy.key.id, policy.attribute) == ("app|own", "inline_policy")
    assert policy.attributes["policy"] == ALLOW
    assert policy.identifiers == ("app|own", "app:own")


def test_what_the_accounts_details_leave_out_of_a_role_is_read_too(live: Read, iam: Any) -> None:
    iam.update_role(RoleName="app", MaxSessionDuration=43200, Description="changed by hand")
    role = live("iam", "aws_iam_role")["app"]
    assert role.attributes["max_session_duration"] == 43200
    assert role.attributes["description"] == "changed by hand"


def test_the_default_version_of_a_policy_is_the_one_that_counts(live: Read, iam: Any) -> None:
    arn = iam.create_policy(PolicyName="read", PolicyDocument=json.dumps(DENY))["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(ALLOW), SetAsDefault=False)
    assert live("iam", "aws_iam_policy")[arn].attributes["policy"] == DENY
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
    assert live("iam", "aws_iam_policy")[arn].attributes["policy"] == ALLOW


def test_roles_that_aws_owns_say_so_and_so_do_their_policies(live: Read, iam: Any) -> None:
    iam.create_service_linked_role(AWSServiceName="autoscaling.amazonaws.com")
    sso = {"RoleName": "AWSReservedSSO_Admin_0", "Path": "/aws-reserved/sso.amazonaws.com/"}
    iam.create_role(**sso, AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.attach_role_policy(RoleName=sso["RoleName"], PolicyArn=ADMIN)
    notes = {name: role.note for name, role in live("iam", "aws_iam_role").items()}
    assert notes == {
        "app": "",
        "AWSServiceRoleForAutoScaling": "service-linked role of autoscaling.amazonaws.com",
        "AWSReservedSSO_Admin_0": "made by IAM Identity Center",
    }
    attached = live("iam", "aws_iam_role_policy_attachment")[f"AWSReservedSSO_Admin_0|{ADMIN}"]
    assert attached.note == "made by IAM Identity Center"


def test_versioning_is_read_of_every_bucket(live: Read, s3: Any) -> None:
    never = live("s3", "aws_s3_bucket_versioning")["logs"]
    assert never.attributes["versioning_configuration"] == [{"status": "Disabled", "mfa_delete": ""}]
    assert never.note == "equals the service default"
    s3.put_bucket_versioning(Bucket="logs", VersioningConfiguration={"Status": "Enabled"})
    assert live("s3", "aws_s3_bucket_versioning")["logs"].note == ""
    s3.put_bucket_versioning(Bucket="logs", VersioningConfiguration={"Status": "Suspended"})
    suspended = live("s3", "aws_s3_bucket_versioning")["logs"]
    assert suspended.attributes["versioning_configuration"] == [{"status": "Suspended", "mfa_delete": ""}]


def test_a_public_access_block_taken_away_blocks_nothing(live: Read, s3: Any) -> None:
    switches = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    s3.put_public_access_block(Bucket="logs", PublicAccessBlockConfiguration=dict.fromkeys(switches, True))
    assert live("s3", "aws_s3_bucket_public_access_block")["logs"].attributes["block_public_policy"] is True
    s3.delete_public_access_block(Bucket="logs")
    block = live("s3", "aws_s3_bucket_public_access_block")["logs"]
    assert block.attributes["block_public_policy"] is False
    assert block.note == "equals the service default"


def test_encryption_taken_away_falls_back_to_keys_of_s3(live: Read, s3: Any) -> None:
    kms = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    s3.put_bucket_encryption(Bucket="logs", ServerSideEncryptionConfiguration={"Rules": [kms]})
    name = "aws_s3_bucket_server_side_encryption_configuration"
    assert live("s3", name)["logs"].note == ""
    s3.delete_bucket_encryption(Bucket="logs")
    (rule,) = live("s3", name)["logs"].attributes["rule"]
    assert rule["apply_server_side_encryption_by_default"] == [{"sse_algorithm": "AES256", "kms_master_key_id": ""}]
    assert live("s3", name)["logs"].note == "equals the service default"


def test_a_bucket_without_policy_has_none(live: Read, s3: Any) -> None:
    s3.put_bucket_policy(Bucket="logs", Policy=json.dumps(ALLOW))
    assert list(live("s3", "aws_s3_bucket_policy")) == ["logs"]
    s3.delete_bucket_policy(Bucket="logs")
    assert live("s3", "aws_s3_bucket_policy") == {}


def test_a_key_scheduled_for_deletion_is_gone_until_that_is_cancelled(live: Read, session: boto3.Session) -> None:
    kms = session.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    assert list(live("kms", "aws_kms_key")) == [key]
    kms.schedule_key_deletion(KeyId=key)
    assert live("kms", "aws_kms_key") == {}
    kms.cancel_key_deletion(KeyId=key)
    assert live("kms", "aws_kms_key")[key].attributes["is_enabled"] is False


@pytest.mark.parametrize(
    ("region", "arn"),
    [
        ("eu-west-1", "arn:aws:s3:::logs"),
        ("cn-north-1", "arn:aws-cn:s3:::logs"),
        ("us-gov-west-1", "arn:aws-us-gov:s3:::logs"),
        (None, "arn:aws:s3:::logs"),
    ],
)
def test_a_buckets_arn_bears_its_partition(region: str | None, arn: str) -> None:
    path = load()["aws_s3_bucket"].names["arn"]
    assert callable(path)
    assert path({"Name": "logs", "BucketRegion": region}) == arn


def recorded(name: str, /, **attributes: Any) -> dict[str, list[dict[str, Any]]]:
    """What a parent's recorded attributes declare of each part type."""
    return {inline.type: [dict(part) for part in inline.parts(attributes)] for inline in load()[name].inline}


def test_parts_written_in_the_role() -> None:
    assert recorded(
        "aws_iam_role",
        name="app",
        inline_policy=[{"name": "own", "policy": "{}"}, {"name": "", "policy": ""}],
        managed_policy_arns=[ADMIN],
    ) == {
        "aws_iam_role_policy": [{"role": "app", "name": "own", "policy": "{}"}],
        "aws_iam_role_policy_attachment": [{"role": "app", "policy_arn": ADMIN}],
    }


def test_parts_written_in_the_bucket() -> None:
    rule = [{"apply_server_side_encryption_by_default": [{"sse_algorithm": "AES256", "kms_master_key_id": ""}]}]
    assert recorded(
        "aws_s3_bucket",
        bucket="logs",
        versioning=[{"enabled": True, "mfa_delete": False}],
        server_side_encryption_configuration=[{"rule": rule}],
        policy="{}",
    ) == {
        "aws_s3_bucket_versioning": [
            {"bucket": "logs", "versioning_configuration": [{"status": "Enabled", "mfa_delete": ""}]}
        ],
        "aws_s3_bucket_server_side_encryption_configuration": [{"bucket": "logs", "rule": rule}],
        "aws_s3_bucket_policy": [{"bucket": "logs", "policy": "{}"}],
    }


def test_what_s3_sets_by_itself_declares_no_part() -> None:
    bare = recorded("aws_s3_bucket", bucket="logs", versioning=[{"enabled": False, "mfa_delete": False}], policy="")
    assert {name for name, parts in bare.items() if parts} == set()

"""KMS keys the reader must leave alone: AWS's own, which refuse calls, and those that wait for their deletion."""

from datetime import UTC, datetime

import boto3
import pytest

from agent.live.aws import read
from agent.model import Snapshot
from agent.resources import load
from tests.live.conftest import IMPATIENT, Answer, Asked, SmallAws, error

TAGGED = {
    "ResourceARN": "arn:aws:kms:us-east-1:123456789012:key/k",
    "Tags": [{"Key": "team", "Value": "payments"}],
}


def read_key(small_aws: SmallAws, session: boto3.Session, **metadata: str) -> Snapshot:
    described = {
        "KeyId": "k",
        "Arn": TAGGED["ResourceARN"],
        "KeyManager": "CUSTOMER",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "KeyState": "Enabled",
    }
    answers = {
        "ListKeys": Answer({"Keys": [{"KeyId": "k", "KeyArn": "arn:aws:kms:us-east-1:123456789012:key/k"}]}),
        "DescribeKey": Answer({"KeyMetadata": {**described, **metadata}}),
        "GetKeyPolicy": Answer({"Policy": "{}"}),
        "GetKeyRotationStatus": Answer({"KeyRotationEnabled": True, "RotationPeriodInDays": 365}),
        "GetResources": Answer({"ResourceTagMappingList": [TAGGED]}),
    }

    def told(asked: Asked) -> Answer:
        return answers.get(asked.operation, error("NotImplemented", 501))

    small_aws.told = told
    return read(
        session,
        "123456789012",
        "us-east-1",
        "kms",
        specs=load(),
        key=b"install key",
        taken_at=datetime(2026, 11, 22, tzinfo=UTC),
        workers=1,
        config=IMPATIENT,
    )


def test_a_customers_key_is_read_in_full(small_aws: SmallAws, session: boto3.Session) -> None:
    (key,) = read_key(small_aws, session).resources
    told = {name: key.attributes[name] for name in ("enable_key_rotation", "rotation_period_in_days", "tags_all")}
    assert told == {"enable_key_rotation": True, "rotation_period_in_days": 365, "tags_all": {"team": "payments"}}
    assert key.note == ""


def test_a_key_of_aws_is_described_and_asked_nothing_more(small_aws: SmallAws, session: boto3.Session) -> None:
    snapshot = read_key(small_aws, session, KeyManager="AWS")
    assert snapshot.gaps == ()
    assert [one.note for one in snapshot.resources] == ["managed by AWS"]
    assert dict(small_aws.asked) == {"ListKeys": 1, "DescribeKey": 1, "GetResources": 1}


@pytest.mark.parametrize("spec", ["RSA_2048", "ECC_NIST_P256", "HMAC_256"])
def test_a_key_that_cannot_rotate_is_not_asked_for_it(small_aws: SmallAws, session: boto3.Session, spec: str) -> None:
    (key,) = read_key(small_aws, session, KeySpec=spec).resources
    assert key.attributes["enable_key_rotation"] is False
    assert small_aws.asked["GetKeyRotationStatus"] == 0


@pytest.mark.parametrize("state", ["PendingDeletion", "PendingReplicaDeletion"])
def test_a_key_that_waits_for_its_deletion_is_gone(small_aws: SmallAws, session: boto3.Session, state: str) -> None:
    snapshot = read_key(small_aws, session, KeyState=state)
    assert (snapshot.resources, snapshot.gaps) == ((), ())

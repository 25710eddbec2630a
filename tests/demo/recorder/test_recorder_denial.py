"""Refused calls: the client gets the error of its protocol, moto never sees the call, the record says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from recorder_calls import ACCOUNT, ALICE, Clients, clients

from agent.demo.recorder import Recorder

WHO = f"User: arn:aws:iam::{ACCOUNT}:user/alice is not authorized to perform: "
CALLS: dict[str, tuple[str, Callable[[Any], Any], str, str]] = {
    "ec2": (
        "ec2:CreateVpc",
        lambda ec2: ec2.create_vpc(CidrBlock="10.9.0.0/16"),
        "UnauthorizedOperation",
        "Client.UnauthorizedOperation",
    ),
    "iam": ("iam:CreateUser", lambda iam: iam.create_user(UserName="denied"), "AccessDenied", "AccessDenied"),
    "dynamodb": (
        "dynamodb:DeleteTable",
        lambda dynamodb: dynamodb.delete_table(TableName="denied"),
        "AccessDeniedException",
        "AccessDenied",
    ),
    "lambda": (
        "lambda:DeleteFunction",
        lambda functions: functions.delete_function(FunctionName="denied"),
        "AccessDeniedException",
        "AccessDenied",
    ),
    "s3": ("s3:CreateBucket", lambda s3: s3.create_bucket(Bucket="denied-bucket"), "AccessDenied", "AccessDenied"),
    "route53": (
        "route53:DeleteHostedZone",
        lambda route53: route53.delete_hosted_zone(Id="Z123"),
        "AccessDenied",
        "AccessDenied",
    ),
    "cloudwatch": (
        "monitoring:DeleteAlarms",
        lambda cloudwatch: cloudwatch.delete_alarms(AlarmNames=["denied"]),
        "AccessDeniedException",
        "AccessDenied",
    ),
}


@pytest.mark.parametrize("service", CALLS)
def test_refusal_in_every_protocol(recorder: Recorder, client: Clients, service: str) -> None:
    action, call, wire, recorded = CALLS[service]
    recorder.deny(ALICE, action)
    with pytest.raises(ClientError) as error:
        call(client(service))
    assert error.value.response["Error"]["Code"] == wire
    assert f"{WHO}{action}" in error.value.response["Error"]["Message"]
    record = recorder.records[-1]
    assert (record["errorCode"], record["eventName"].partition("2015")[0]) == (recorded, action.partition(":")[2])
    assert f"{WHO}{action}" in record["errorMessage"]
    assert record["responseElements"] is None
    assert record["requestID"] == error.value.response["ResponseMetadata"]["RequestId"]


def test_moto_never_sees_a_refused_call(recorder: Recorder, client: Clients, unique: str) -> None:
    recorder.deny(ALICE, "sqs:CreateQueue")
    with pytest.raises(ClientError):
        client("sqs").create_queue(QueueName=unique)
    listed = clients(recorder.upstream)("sqs").list_queues(QueueNamePrefix=unique)
    assert listed.get("QueueUrls", []) == []


def test_parameters_are_blank_except_for_ec2_and_s3(recorder: Recorder, client: Clients) -> None:
    recorder.deny(ALICE, "*")
    for service in ("iam", "ec2", "s3"):
        with pytest.raises(ClientError):
            CALLS[service][1](client(service))
    iam, ec2, s3 = recorder.records[-3:]
    assert iam["requestParameters"] is None
    assert ec2["requestParameters"]["cidrBlock"] == "10.9.0.0/16"
    assert s3["requestParameters"]["bucketName"] == "denied-bucket"


def test_wildcards_other_keys_and_taking_back(recorder: Recorder, client: Clients) -> None:
    recorder.deny(ALICE, "ec2:Describe*")
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        client("ec2").describe_vpcs()
    client("sqs").list_queues()
    client("ec2", key="AKIAOTHER").describe_vpcs()
    recorder.allow(ALICE)
    assert client("ec2").describe_vpcs()["ResponseMetadata"]["HTTPStatusCode"] == 200

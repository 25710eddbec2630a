"""Calls are understood whatever protocol and corner of it a client uses."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from recorder_calls import ACCOUNT, Clients

from agent.demo.recorder import Recorder, denial, iam_user, operation, query, xmlish
from agent.demo.recorder import call as calls
from agent.demo.recorder.record import Client, write
from agent.demo.recorder.wire import Request, Response, answer

ALARMS = {"AlarmNames": ["disk", "memory"]}


def asked(recorder: Recorder) -> Any:
    return recorder.records[-1]["requestParameters"]


def cbor() -> Request:
    """DeleteAlarms as the newest SDKs send it."""
    model = ServiceModel(Loader().load_service_model("cloudwatch", "service-2"), "cloudwatch")
    made = create_serializer("smithy-rpc-v2-cbor").serialize_to_request(ALARMS, model.operation_model("DeleteAlarms"))
    headers = {name.lower(): value for name, value in made["headers"].items()}
    return Request("POST", made["url_path"], (), headers, made["body"])


def test_cbor_request() -> None:
    found = operation.find(cbor(), "monitoring")
    assert found is not None
    assert (found.model.name, found.protocol, found.parameters) == ("DeleteAlarms", operation.CBOR, ALARMS)


def test_cbor_refusal() -> None:
    response = denial.refuse(
        iam_user("bob", ACCOUNT), "monitoring", "DeleteAlarms", operation.find(cbor(), "monitoring")
    )
    message = {"status_code": response.status, "headers": response.headers, "body": response.body, "context": {}}
    found = operation.find(cbor(), "monitoring")
    assert found is not None
    error = create_parser(operation.CBOR).parse(message, found.model.output_shape)["Error"]
    assert error["Code"] == "AccessDeniedException"
    assert error["Message"].startswith(f"User: arn:aws:iam::{ACCOUNT}:user/bob is not authorized")


def test_map_of_the_query_protocol(recorder: Recorder, client: Clients, unique: str) -> None:
    client("sns").create_topic(Name=unique, Attributes={"DisplayName": "Pay", "FifoTopic": "false"})
    assert asked(recorder) == {"name": unique, "attributes": {"DisplayName": "Pay", "FifoTopic": "false"}}


def test_empty_list_of_the_query_protocol() -> None:
    shape = ServiceModel(Loader().load_service_model("rds", "service-2"), "rds").shape_for("ModifyDBInstanceMessage")
    form = {"Action": "ModifyDBInstance", "VpcSecurityGroupIds": "", "AllocatedStorage": "many", "MultiAZ": "true"}
    found = query.parameters(form, shape, ec2=False)
    assert found == {"VpcSecurityGroupIds": [], "AllocatedStorage": "many", "MultiAZ": True}


def test_lists_of_more_than_nine_keep_their_order() -> None:
    form = {f"Name.member.{number}": str(number) for number in range(12, 0, -1)}
    assert query.elements(query.tree(form)["Name"]) == [str(number) for number in range(1, 13)]


def test_path_and_query_string_of_rest(recorder: Recorder, client: Clients) -> None:
    client("lambda").list_functions(MaxItems=7)
    assert asked(recorder) == {"maxItems": 7}


def test_rest_xml_body(recorder: Recorder, client: Clients, unique: str) -> None:
    made = client("route53").create_hosted_zone(Name=f"{unique}.example.", CallerReference=unique)
    record = recorder.records[-1]
    assert record["requestParameters"] == {"name": f"{unique}.example.", "callerReference": unique}
    assert record["responseElements"]["hostedZone"]["id"] == made["HostedZone"]["Id"]
    assert record["apiVersion"] == "2013-04-01"


def test_operation_without_parameters(recorder: Recorder, client: Clients) -> None:
    client("iam").get_account_summary()
    assert asked(recorder) is None


def test_later_ec2_call_without_parameters(recorder: Recorder, client: Clients) -> None:
    client("ec2").enable_ebs_encryption_by_default()
    assert asked(recorder) == {"EnableEbsEncryptionByDefaultRequest": ""}


def test_bucket_acl_with_typed_grantees(recorder: Recorder, client: Clients, unique: str) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket=unique)
    owner = s3.get_bucket_acl(Bucket=unique)["Owner"]["ID"]
    everyone = {"Type": "Group", "URI": "http://acs.amazonaws.com/groups/global/AllUsers"}
    s3.put_bucket_acl(
        Bucket=unique,
        AccessControlPolicy={"Grants": [{"Grantee": everyone, "Permission": "READ"}], "Owner": {"ID": owner}},
    )
    grant = asked(recorder)["AccessControlPolicy"]["AccessControlList"]["Grant"]
    assert grant["Grantee"]["xsi:type"] == "Group"
    assert (grant["Grantee"]["URI"], grant["Permission"]) == (everyone["URI"], "READ")


def signed(scope: str, body: bytes, **headers: str) -> Request:
    signature = f"AWS4-HMAC-SHA256 Credential=AKIAX/20260101/us-east-1/{scope}/aws4_request, Signature=0"
    return Request("POST", "/", (), {"authorization": signature, **headers}, body)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"3", b"{", b"\xff", b'{"QueueUrl": {"a": 1}, "Attributes": 7}'])
def test_json_that_is_no_call_still_has_a_record(body: bytes) -> None:
    request = signed("sqs", body, **{"x-amz-target": "AmazonSQS.SetQueueAttributes"})
    record = recorded(request, answer(400, b"[]", {}))
    assert (record["eventName"], record["errorCode"], record["requestParameters"]) == (
        "SetQueueAttributes",
        "InternalFailure",
        None,
    )


@pytest.mark.parametrize("url", [True, 7, {"a": "b"}, ["x"], "", "/"])
def test_values_of_the_wrong_type_are_shown_as_they_are(url: Any) -> None:
    request = signed("sqs", json.dumps({"QueueUrl": url}).encode(), **{"x-amz-target": "AmazonSQS.DeleteQueue"})
    assert recorded(request, answer(200, b"", {}))["requestParameters"] == {"queueUrl": url}


@pytest.mark.parametrize("sent", [b"<html>crash</html>", b"<Response><Errors/></Response>", b"", b"\xff"])
def test_error_that_is_none_of_the_protocol(sent: bytes) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    request = signed("ec2", b"Action=DeleteVpc&Version=2016-11-15&VpcId=vpc-1", **form)
    record = recorded(request, answer(500, sent, {}))
    assert (record["errorCode"], record["requestParameters"]) == ("Server.InternalFailure", {"vpcId": "vpc-1"})


def recorded(request: Request, response: Response) -> dict[str, Any]:
    call = calls.understand(
        calls.Exchange(request, response, datetime(2026, 1, 1, tzinfo=UTC), "192.0.2.1"), "us-east-1"
    )
    assert call is not None
    return write(call, iam_user("bob", ACCOUNT), Client(), "event", "request")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("<A/>", {"A": ""}),
        ("<A>true</A>", {"A": True}),
        ("<A>-600</A>", {"A": -600}),
        ("<A>012</A>", {"A": "012"}),
        ("<A>1.5</A>", {"A": "1.5"}),
        ("<A>\u0662</A>", {"A": "\u0662"}),
        ("<A><B>1</B><B>x</B><B/></A>", {"A": {"B": [1, "x", ""]}}),
        ('<A xmlns="n"/>', {"A": {"xmlns": "n"}}),
        ("<A", {}),
        ("", {}),
    ],
)
def test_xml_as_cloudtrail_prints_it(text: str, value: dict[str, Any]) -> None:
    assert xmlish.document(text.encode()) == value


def test_policy_that_is_no_json_is_kept_as_text(recorder: Recorder, client: Clients, unique: str) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket=unique)
    s3.put_bucket_policy(Bucket=unique, Policy="not json")
    assert asked(recorder)["bucketPolicy"] == "not json"

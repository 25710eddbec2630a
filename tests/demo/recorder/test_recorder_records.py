"""What a record holds beyond the real ones at hand: names, regions, secrets, errors, clients, and what is left out."""

from __future__ import annotations

import json
import re
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from recorder_calls import ACCOUNT, ALICE, POLICY, TRUST, Clients, archive

from agent.demo.recorder import Recorder

UUID4 = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


def last(recorder: Recorder) -> dict[str, Any]:
    return recorder.records[-1]


def test_envelope(recorder: Recorder, client: Clients) -> None:
    client("ec2", region="eu-west-1").describe_vpcs()
    record = last(recorder)
    fixed = ("eventVersion", "eventSource", "eventName", "awsRegion", "eventType", "managementEvent", "eventCategory")
    assert [record[name] for name in fixed] == [
        "1.11",
        "ec2.amazonaws.com",
        "DescribeVpcs",
        "eu-west-1",
        "AwsApiCall",
        True,
        "Management",
    ]
    assert (record["readOnly"], record["recipientAccountId"]) == (True, ACCOUNT)
    assert record["tlsDetails"]["clientProvidedHostHeader"] == "ec2.eu-west-1.amazonaws.com"
    assert (record["sourceIPAddress"], record["userAgent"].split("/")[0]) == ("127.0.0.1", "Boto3")


@pytest.mark.parametrize(
    ("service", "operation", "host"),
    [("iam", "list_roles", "iam.amazonaws.com"), ("route53", "list_hosted_zones", "route53.amazonaws.com")],
)
def test_global_services_are_recorded_in_us_east_1(
    recorder: Recorder, client: Clients, service: str, operation: str, host: str
) -> None:
    getattr(client(service, region="eu-west-1"), operation)()
    assert last(recorder)["awsRegion"] == "us-east-1"
    assert last(recorder)["tlsDetails"]["clientProvidedHostHeader"] == host


def test_event_names_that_are_not_the_operation(recorder: Recorder, client: Clients, unique: str) -> None:
    client("iam").create_role(RoleName=unique, AssumeRolePolicyDocument=TRUST)
    functions, s3 = client("lambda"), client("s3")
    functions.create_function(
        FunctionName=unique,
        Role=f"arn:aws:iam::{ACCOUNT}:role/{unique}",
        Code={"ZipFile": archive()},
        Runtime="python3.12",
        Handler="a.b",
    )
    functions.publish_version(FunctionName=unique)
    functions.put_function_concurrency(FunctionName=unique, ReservedConcurrentExecutions=1)
    functions.list_functions()
    s3.create_bucket(Bucket=unique)
    s3.put_public_access_block(Bucket=unique, PublicAccessBlockConfiguration={"BlockPublicAcls": False})
    s3.delete_public_access_block(Bucket=unique)
    s3.put_bucket_encryption(
        Bucket=unique,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
    )
    s3.put_bucket_ownership_controls(
        Bucket=unique, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    )
    s3.head_bucket(Bucket=unique)
    assert [record["eventName"] for record in recorder.records[1:]] == [
        "CreateFunction20150331",
        "PublishVersion20150331",
        "PutFunctionConcurrency20171031",
        "ListFunctions20150331",
        "CreateBucket",
        "PutBucketPublicAccessBlock",
        "DeleteBucketPublicAccessBlock",
        "PutBucketEncryption",
        "PutBucketOwnershipControls",
        "HeadBucket",
    ]


def test_account_wide_public_access_block(recorder: Recorder, client: Clients) -> None:
    control = client("s3control")
    block = {"BlockPublicAcls": True}
    # s3control puts the account into the host name, which an address cannot carry.
    control.meta.events.register("before-call", _to_address(recorder))
    control.put_public_access_block(AccountId=ACCOUNT, PublicAccessBlockConfiguration=block)
    assert (last(recorder)["eventSource"], last(recorder)["eventName"]) == (
        "s3.amazonaws.com",
        "PutAccountPublicAccessBlock",
    )
    assert last(recorder)["requestParameters"]["publicAccessBlockConfiguration"] == {"blockPublicAcls": True}


def _to_address(recorder: Recorder) -> Any:
    def point(params: dict[str, Any], **_: object) -> None:
        params["url"] = recorder.endpoint + params["url_path"]

    return point


def test_bucket_settings_as_s3_prints_them(recorder: Recorder, client: Clients, unique: str) -> None:
    s3 = client("s3", region="eu-west-1")
    s3.create_bucket(Bucket=unique, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_versioning(Bucket=unique, VersioningConfiguration={"Status": "Enabled"})
    tags = [{"Key": "Cost", "Value": "0042"}, {"Key": "Live", "Value": "true"}]
    s3.put_bucket_tagging(Bucket=unique, Tagging={"TagSet": tags})
    created, versioned, tagged = recorder.records[-3:]
    host, namespace = f"{unique}.s3.eu-west-1.amazonaws.com", "http://s3.amazonaws.com/doc/2006-03-01/"
    assert created["requestParameters"] == {
        "bucketName": unique,
        "Host": host,
        "CreateBucketConfiguration": {"xmlns": namespace, "LocationConstraint": "eu-west-1"},
    }
    assert versioned["requestParameters"] == {
        "bucketName": unique,
        "Host": host,
        "versioning": "",
        "VersioningConfiguration": {"xmlns": namespace, "Status": "Enabled"},
    }
    assert tagged["requestParameters"]["Tagging"]["TagSet"] == {
        "Tag": [{"Key": "Cost", "Value": "0042"}, {"Key": "Live", "Value": True}]
    }
    assert tagged["resources"] == [{"accountId": ACCOUNT, "type": "AWS::S3::Bucket", "ARN": f"arn:aws:s3:::{unique}"}]
    assert tagged["userAgent"].startswith("[Boto3/")
    assert tagged["userAgent"].endswith("]")


def test_group_rules_as_ec2_prints_them(recorder: Recorder, client: Clients, unique: str) -> None:
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    group, other = (
        ec2.create_security_group(GroupName=f"{unique}{n}", Description="d", VpcId=vpc)["GroupId"] for n in (1, 2)
    )
    ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "UserIdGroupPairs": [{"GroupId": other}]},
            {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]},
        ],
    )
    assert last(recorder)["requestParameters"] == {
        "groupId": group,
        "ipPermissions": {
            "items": [
                {
                    "ipProtocol": "tcp",
                    "fromPort": 22,
                    "toPort": 22,
                    "groups": {"items": [{"groupId": other}]},
                    "ipRanges": {},
                    "ipv6Ranges": {},
                    "prefixListIds": {},
                },
                {
                    "ipProtocol": "tcp",
                    "fromPort": 80,
                    "toPort": 80,
                    "groups": {},
                    "ipRanges": {"items": [{"cidrIp": "10.0.0.0/8"}]},
                    "ipv6Ranges": {},
                    "prefixListIds": {},
                },
            ]
        },
    }


def test_later_ec2_call_numbers_its_lists(recorder: Recorder, client: Clients, unique: str) -> None:
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    ec2.create_flow_logs(
        ResourceIds=[vpc],
        ResourceType="VPC",
        TrafficType="ALL",
        LogGroupName=unique,
        DeliverLogsPermissionArn=f"arn:aws:iam::{ACCOUNT}:role/f",
        MaxAggregationInterval=60,
    )
    flow = last(recorder)
    assert flow["requestParameters"]["CreateFlowLogsRequest"]["ResourceId"] == {"tag": 1, "content": vpc}
    assert flow["requestParameters"]["CreateFlowLogsRequest"]["MaxAggregationInterval"] == 60
    assert flow["responseElements"]["CreateFlowLogsResponse"]["requestId"] == flow["requestID"]


def test_queue_topic_table_and_key(recorder: Recorder, client: Clients, unique: str) -> None:
    sqs, sns, dynamodb, kms = (client(name) for name in ("sqs", "sns", "dynamodb", "kms"))
    url = sqs.create_queue(QueueName=unique, tags={"Team": "Pay"})["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": POLICY})
    topic = sns.create_topic(Name=unique)["TopicArn"]
    sns.set_topic_attributes(TopicArn=topic, AttributeName="DisplayName", AttributeValue="x")
    dynamodb.create_table(
        TableName=unique,
        AttributeDefinitions=[{"AttributeName": "Id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "Id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    key = kms.create_key(Description=unique)["KeyMetadata"]
    kms.disable_key(KeyId=key["KeyId"])
    created, attributes, made, named, table, _, disabled = recorder.records[-7:]
    assert created["requestParameters"] == {"queueName": unique, "tags": {"Team": "Pay"}}
    assert created["responseElements"] == {"queueUrl": url}
    assert attributes["requestParameters"] == {"queueUrl": url, "attributes": {"Policy": POLICY}}
    assert attributes["resources"][0]["ARN"] == f"arn:aws:sqs:us-east-1:{ACCOUNT}:{unique}"
    assert made["responseElements"] == {"topicArn": topic}
    assert named["requestParameters"] == {
        "topicArn": topic,
        "attributeName": "DisplayName",
        "attributeValue": "x",
    }
    assert table["requestParameters"]["keySchema"] == [{"attributeName": "Id", "keyType": "HASH"}]
    assert table["responseElements"]["tableDescription"]["tableStatus"] == "ACTIVE"
    assert table["apiVersion"] == "2012-08-10"
    assert disabled["responseElements"] == {"keyId": key["Arn"]}
    assert disabled["resources"] == [{"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": key["Arn"]}]


def test_secrets_stand_in_no_record(recorder: Recorder, client: Clients, unique: str) -> None:
    secret = "Sup3r-S3cret!value"
    iam = client("iam")
    iam.create_user(UserName=unique)
    iam.create_login_profile(UserName=unique, Password=secret)
    issued = iam.create_access_key(UserName=unique)["AccessKey"]["SecretAccessKey"]
    client("ssm").put_parameter(Name=unique, Value=secret, Type="String")
    client("secretsmanager").create_secret(Name=unique, SecretString=secret)
    client("rds").create_db_instance(
        DBInstanceIdentifier=unique, DBInstanceClass="db.t3.micro", Engine="mysql", MasterUserPassword=secret
    )
    printed = json.dumps(recorder.records)
    assert [text for text in (secret, issued) if text in printed] == []
    assert printed.count("HIDDEN_DUE_TO_SECURITY_REASONS") == 2


def test_calls_on_content_are_data_events(recorder: Recorder, client: Clients, unique: str) -> None:
    sqs, s3 = client("sqs"), client("s3")
    with recorder.paused():
        url = sqs.create_queue(QueueName=unique)["QueueUrl"]
        s3.create_bucket(Bucket=unique)
    sqs.send_message(QueueUrl=url, MessageBody="x")
    sqs.receive_message(QueueUrl=url)
    s3.put_object(Bucket=unique, Key="a/b", Body=b"x")
    s3.get_object(Bucket=unique, Key="a/b")
    s3.list_objects_v2(Bucket=unique)
    client("cloudwatch").put_metric_data(Namespace="n", MetricData=[{"MetricName": "m", "Value": 1}])
    assert recorder.records == ()
    assert recorder.unread == ()


def test_errors_have_cloudtrails_codes(recorder: Recorder, client: Clients, unique: str) -> None:
    attempts = [
        (lambda: client("ec2").delete_vpc(VpcId="vpc-0000"), "Client.InvalidVpcID.NotFound"),
        (lambda: client("iam").delete_user(UserName=unique), "NoSuchEntityException"),
        (lambda: client("rds").delete_db_instance(DBInstanceIdentifier=unique), "DBInstanceNotFoundFault"),
        (lambda: client("s3").get_bucket_policy(Bucket=unique), "NoSuchBucket"),
        (lambda: client("s3").head_bucket(Bucket=unique), "NoSuchBucket"),
        (lambda: client("ssm").get_parameter(Name=unique), "ParameterNotFound"),
        (lambda: client("lambda").get_function(FunctionName=unique), "ResourceNotFoundException"),
    ]
    for attempt, code in attempts:
        with pytest.raises(ClientError):
            attempt()
        assert last(recorder)["errorCode"] == code
        assert last(recorder)["responseElements"] is None
        assert last(recorder)["errorMessage"]


def test_a_crash_of_moto_is_an_internal_failure(recorder: Recorder, client: Clients) -> None:
    with pytest.raises(ResponseParserError):
        client("ec2").describe_instance_topology()
    assert last(recorder)["errorCode"] == "Server.InternalFailure"
    assert "errorMessage" not in last(recorder)


def test_console_session(recorder: Recorder, client: Clients) -> None:
    recorder.pretend(ALICE, source_ip="203.0.113.9", user_agent="Mozilla/5.0", from_console=True)
    client("ec2").describe_vpcs()
    record = last(recorder)
    assert (record["sourceIPAddress"], record["userAgent"]) == ("203.0.113.9", "Mozilla/5.0")
    assert record["sessionCredentialFromConsole"] == "true"
    assert "tlsDetails" not in record


def test_pretending_begins_when_it_is_said(recorder: Recorder, client: Clients) -> None:
    client("ec2").describe_vpcs()
    recorder.pretend(ALICE, source_ip="203.0.113.9")
    client("ec2").describe_vpcs()
    assert [record["sourceIPAddress"] for record in recorder.records] == ["127.0.0.1", "203.0.113.9"]


def test_long_user_agent_is_cut(recorder: Recorder, client: Clients) -> None:
    recorder.pretend(ALICE, user_agent="x" * 5000)
    client("ec2").describe_vpcs()
    assert last(recorder)["userAgent"] == "x" * 1024


def test_paused_calls_have_no_record(recorder: Recorder, client: Clients) -> None:
    with recorder.paused(), recorder.paused():
        client("ec2").describe_vpcs()
    client("ec2").describe_subnets()
    assert [record["eventName"] for record in recorder.records] == ["DescribeSubnets"]


def test_event_ids_are_random_uuids_that_a_seed_repeats(moto: str) -> None:
    def run(seed: int) -> list[str]:
        with Recorder(moto, ACCOUNT, seed=seed) as recorder:
            event = {"eventSource": "a.amazonaws.com", "eventName": "B"}
            return [recorder.inject(event)["eventID"] for _ in range(3)]

    assert run(1) == run(1) != run(2)
    assert [bool(re.fullmatch(UUID4, event_id)) for event_id in run(1)] == [True] * 3


def test_injected_record_is_completed(recorder: Recorder) -> None:
    record = recorder.inject(
        {
            "eventSource": "kms.amazonaws.com",
            "eventName": "RotateKey",
            "serviceEventDetails": {"keyId": "k"},
            "userIdentity": {"accountId": ACCOUNT, "invokedBy": "AWS Internal"},
        }
    )
    assert recorder.records == (record,)
    assert (record["eventType"], record["readOnly"], record["awsRegion"]) == ("AwsServiceEvent", False, "us-east-1")


@pytest.mark.parametrize("record", [{}, {"eventName": "A"}, {"eventSource": "a.amazonaws.com"}])
def test_injected_record_must_say_what_it_is(recorder: Recorder, record: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="needs eventSource and eventName"):
        recorder.inject(record)


def test_calls_without_a_model_are_named_not_dropped(recorder: Recorder, client: Clients) -> None:
    sqs = client("sqs")

    def disguise(request: Any, **_: object) -> None:
        request.headers["Authorization"] = request.headers["Authorization"].replace(b"/sqs/", b"/teleport/")
        del request.headers["X-Amz-Target"]

    sqs.meta.events.register("before-send", lambda request, **_: disguise(request))
    with pytest.raises(ClientError):
        sqs.list_queues()
    assert recorder.unread == ("teleport POST /",)


def test_unsigned_requests_pass_unrecorded(recorder: Recorder) -> None:
    with urllib.request.urlopen(f"{recorder.endpoint}/moto-api/config") as answer:
        assert answer.status == 201
    assert recorder.records == recorder.unread == ()


def test_rules_revoked_by_their_ids(recorder: Recorder, client: Clients, unique: str) -> None:
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.5.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName=unique, Description="d", VpcId=vpc)["GroupId"]
    rule = ec2.authorize_security_group_ingress(
        GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="10.0.0.0/8"
    )["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=[rule])
    assert last(recorder)["requestParameters"] == {
        "groupId": group,
        "ipPermissions": {},
        "securityGroupRuleIds": {"items": [{"securityGroupRuleId": rule}]},
    }


def test_modified_rule_as_later_ec2_calls_print_it(recorder: Recorder, client: Clients, unique: str) -> None:
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.5.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName=unique, Description="d", VpcId=vpc)["GroupId"]
    rule = ec2.authorize_security_group_ingress(
        GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="10.0.0.0/8"
    )["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    wanted = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIpv4": "0.0.0.0/0"}
    ec2.modify_security_group_rules(
        GroupId=group, SecurityGroupRules=[{"SecurityGroupRuleId": rule, "SecurityGroupRule": wanted}]
    )
    assert last(recorder)["requestParameters"] == {
        "ModifySecurityGroupRulesRequest": {
            "GroupId": group,
            "SecurityGroupRule": {"SecurityGroupRuleId": rule, "SecurityGroupRule": wanted, "tag": 1},
        }
    }

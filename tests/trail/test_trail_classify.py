"""Change or not, and by what client: the rules one by one, with the traps that substring tests fall into."""

import time

import msgspec
import pytest
from trail_records import BOTO, TERRAFORM, in_role, record, user

from agent.trail import classify, identity
from agent.trail.decode import Record
from agent.trail.noise import NOISE


def of(name: str = "SetQueueAttributes", service: str = "sqs", **fields: object) -> Record:
    return msgspec.json.decode(msgspec.json.encode(record(name, service, **fields)), type=Record)


@pytest.mark.parametrize(
    ("sort", "fields"),
    [
        ("change", {}),
        ("change", {"readOnly": "false"}),
        ("read", {"readOnly": True}),
        ("read", {"readOnly": "True"}),
        ("change", {"readOnly": None}),
        ("read", {"readOnly": None, "name": "DescribeInstances"}),
        ("read", {"readOnly": None, "name": "GenerateDataKeyWithoutPlaintext"}),
        ("change", {"readOnly": False, "name": "EncryptVolume"}),
        ("read", {"readOnly": None, "name": "InvokeModel"}),
        ("change", {"readOnly": False, "name": "VerifyDomainIdentity"}),
        ("read", {"readOnly": False, "name": "GetSessionToken"}),
        ("read", {"readOnly": False, "name": "SearchUsers"}),
        ("change", {"readOnly": False, "name": "GetOrCreateThing"}),
        ("change", {"readOnly": False, "name": "Getaway"}),
        ("read", {"readOnly": False, "name": "CreateToken"}),
        ("read", {"readOnly": False, "name": "CheckMfa"}),
        ("session", {"readOnly": True, "name": "AssumeRole"}),
        ("session", {"readOnly": None, "name": "AssumeRoleWithWebIdentity"}),
        ("read", {"readOnly": "null", "name": "ListQueues"}),
        ("other", {"eventCategory": "Data"}),
        ("other", {"eventCategory": "Insight"}),
        ("other", {"eventCategory": "NetworkActivity", "managementEvent": True}),
        ("other", {"eventCategory": None, "managementEvent": False}),
        ("other", {"eventCategory": None, "managementEvent": "false"}),
        ("change", {"eventCategory": None, "managementEvent": None}),
        ("change", {"eventType": "AwsServiceEvent"}),
        ("other", {"eventType": "AwsConsoleAction"}),
        ("other", {"eventType": "AwsConsoleSignIn", "name": "ConsoleLogin"}),
        ("other", {"eventType": "AwsVpceEvent"}),
        ("other", {"eventType": "AwsCloudTrailInsight"}),
        ("failed", {"errorCode": "AccessDenied", "requestParameters": None}),
        ("failed", {"errorCode": "Client.DryRunOperation"}),
        ("failed", {"errorCode": "ThrottlingException"}),
        ("failed", {"responseElements": {"message": "not allowed"}}),
        ("failed", {"responseElements": {"Message": "no", "__type": "Denied"}}),
        ("change", {"responseElements": {"message": "stored", "messageId": "7"}}),
        ("change", {"responseElements": None}),
        ("change", {"responseElements": "null"}),
    ],
)
def test_what_kind_of_record_it_is(sort: str, fields: dict) -> None:
    assert classify.sort(of(**fields)) == sort


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("UpdateFunctionCode20150331v2", "UpdateFunctionCode"),
        ("CreateFunction20150331", "CreateFunction"),
        ("CreateDistribution2020_05_31", "CreateDistribution"),
        ("PutBucketPolicy", "PutBucketPolicy"),
        ("CreateSubnetV2", "CreateSubnetV2"),
    ],
)
def test_a_version_is_no_part_of_the_name(name: str, plain: str) -> None:
    assert classify.name(of(name)) == plain


@pytest.mark.parametrize(
    ("service", "name", "invoked_by", "noise"),
    [
        ("ssm", "PutInventory", "", True),
        ("ssm", "PutParameter", "", False),
        ("ec2messages", "SendReply", "", True),
        ("kms", "CreateGrant", "", False),
        ("kms", "CreateGrant", "rds.amazonaws.com", True),
        ("ec2", "CreateNetworkInterface", "", False),
        ("ec2", "CreateNetworkInterface", "lambda.amazonaws.com", True),
        ("ec2", "CreateNetworkInterface", "cloudformation.amazonaws.com", False),
        ("elasticloadbalancing", "RegisterTargets", "autoscaling.amazonaws.com", True),
        ("elasticloadbalancing", "RegisterTargets", "", False),
        ("sqs", "SetQueueAttributes", "", False),
    ],
)
def test_noise_is_data_and_may_depend_on_who_calls(service: str, name: str, invoked_by: str, noise: bool) -> None:
    caller = user() | ({"invokedBy": invoked_by} if invoked_by else {})
    assert classify.is_noise(of(name, service, userIdentity=caller)) is noise


def test_every_noise_entry_has_a_reason_and_stands_once() -> None:
    pairs = [(entry.source, name) for entry in NOISE for name in entry.names]
    assert sorted(set(pairs)) == sorted(pairs)
    assert [entry for entry in NOISE if len(entry.reason.split()) < 2] == []


ASIA = user(key="ASIADANA")
ON_BEHALF = user() | {"invokedBy": "AWS Internal"}
LINKED = in_role("AWSServiceRoleForECS", "ecs", path="/aws-service-role/ecs.amazonaws.com/")


@pytest.mark.parametrize(
    ("channel", "fields"),
    [
        (
            "service",
            {"eventType": "AwsServiceEvent", "userIdentity": {"accountId": "1", "invokedBy": "ec2.amazonaws.com"}},
        ),
        ("service", {"userIdentity": {"type": "AWSService", "invokedBy": "ecs.amazonaws.com"}, "userAgent": TERRAFORM}),
        ("service", {"userIdentity": LINKED, "userAgent": BOTO}),
        ("service", {"userIdentity": ON_BEHALF, "userAgent": "AWS Internal", "sessionCredentialFromConsole": "true"}),
        ("service", {"userIdentity": user() | {"invokedBy": "rds.amazonaws.com"}, "userAgent": TERRAFORM}),
        ("iac", {"userIdentity": user() | {"invokedBy": "cloudformation.amazonaws.com"}}),
        ("sdk", {"userIdentity": in_role("AWSServiceRoleForECS", "ecs"), "userAgent": BOTO}),
        (
            "service",
            {"userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/AWSServiceRoleForX/s"}},
        ),
        ("iac", {"userAgent": TERRAFORM}),
        ("iac", {"userAgent": f"[{TERRAFORM}]"}),
        (
            "iac",
            {"userAgent": "APN/1.0 HashiCorp/1.0 Terraform/1.1.2 terraform-provider-aws/dev"},
        ),
        ("iac", {"userAgent": "aws-sdk-go/1.44.1 (go1.19; linux; amd64) APN/1.0 HashiCorp/1.0 Terraform/1.3.0"}),
        ("iac", {"userAgent": "APN/1.0 OpenTofu/1.0 OpenTofu/1.8.0"}),
        ("iac", {"userAgent": "Pulumi/3.0 (https://www.pulumi.com; v3.100.0) aws-sdk-go-v2/1.30.3"}),
        ("iac", {"userAgent": TERRAFORM, "sessionCredentialFromConsole": "true"}),
        (
            "cloudshell",
            {
                "userAgent": "aws-cli/2.13.5 Python/3.11.4 Linux/4.14 exec-env/CloudShell exe/x86_64.amzn.2",
                "sessionCredentialFromConsole": "true",
            },
        ),
        ("console", {"sessionCredentialFromConsole": "true"}),
        ("console", {"sessionCredentialFromConsole": True, "userAgent": None}),
        ("sdk", {"sessionCredentialFromConsole": "false"}),
        ("console", {"userAgent": "console.amazonaws.com"}),
        ("console", {"userAgent": "console.ec2.amazonaws.com"}),
        ("console", {"userAgent": "signin.amazonaws.com"}),
        ("console", {"userAgent": "AWS Internal"}),
        ("console", {"userAgent": "AWS Internal/3"}),
        ("console", {"userAgent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0"}),
        ("console", {"userAgent": "[S3Console/0.4, aws-internal/3 aws-sdk-java/1.12.488 Linux/5.10]"}),
        ("console", {"userAgent": "EC2ConsoleFrontend, aws-internal/3 aws-sdk-java/1.12"}),
        ("console", {"userAgent": "RDS Console, aws-internal/3 aws-sdk-java/1.11.975"}),
        ("console", {"userAgent": "AWS CloudWatch Console, aws-internal/3"}),
        ("console", {"userAgent": "AWSCloudTrail, aws-internal/3 aws-sdk-java/1.12"}),
        ("console", {"userAgent": "Coral/Netty4"}),
        ("console", {"userAgent": "aws-internal/3 aws-sdk-java/1.11.1030", "userIdentity": ASIA}),
        ("sdk", {"userAgent": "aws-internal/3 aws-sdk-java/1.11.1030"}),
        ("sdk", {"userAgent": "aws-internal/3 aws-sdk-java/1.11.1030", "userIdentity": in_role("App", "x", "ASIA1")}),
        ("cli", {"userAgent": "aws-cli/2.15.0 md/command#ec2.enable-serial-console-access"}),
        ("cli", {"userAgent": "[aws-cli/1.11.76 Python/2.7.10 Darwin/17.7.0 botocore/1.5.39]"}),
        ("sdk", {"userAgent": BOTO}),
        ("sdk", {"userAgent": "[Boto3/1.26.165 Python/3.10.6 Linux/5.19 Botocore/1.29.165]"}),
        ("sdk", {"userAgent": "aws-sdk-go-v2/1.32.3 os/linux lang/go#1.23.1"}),
        ("other", {"userAgent": "python-requests/2.28.0 console.amazonaws.com"}),
        ("other", {"userAgent": None}),
        ("other", {"userAgent": "stratus-red-team_1"}),
        ("other", {"userAgent": "MyConsoleTool-1 (not AWS)"}),
    ],
)
def test_by_what_client(channel: str, fields: dict) -> None:
    found = of(**fields)
    assert classify.channel(found, identity.of(found)) == channel


def test_a_user_agent_of_megabytes_does_not_stall() -> None:
    found = of(userAgent="Console" * 300_000 + "-")
    began = time.process_time()
    assert classify.channel(found, identity.of(found)) == "console"
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    ("made", "fields"),
    [
        (True, {"userIdentity": {"type": "AWSService", "invokedBy": "ecs.amazonaws.com"}}),
        (True, {"userIdentity": LINKED}),
        (True, {"eventType": "AwsServiceEvent", "userIdentity": {"invokedBy": "ec2.amazonaws.com"}}),
        (True, {"eventType": "AwsServiceEvent", "userIdentity": None}),
        (False, {"eventType": "AwsServiceEvent", "userIdentity": user()}),
        (False, {"userIdentity": ON_BEHALF}),
        (False, {"userIdentity": {"invokedBy": "ec2.amazonaws.com"}}),
        (False, {"userIdentity": in_role("AWSServiceRoleForECS", "ecs")}),
        (False, {"userIdentity": in_role("Admin", "aws-service-role")}),
        (False, {"userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/AWSServiceRoleForX/s"}}),
    ],
)
def test_only_what_aws_alone_can_write_makes_a_change_service_made(made: bool, fields: dict) -> None:
    found = of(**fields)
    assert classify.made_by_service(found, identity.of(found)) is made

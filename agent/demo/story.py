"""What happens in the demo, and what a scan must therefore find: three people, one pipeline, every call a real one.

The truth stands beside each deed, so that the demo can check itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from agent.demo.cloud import ACCOUNT, REGION, session, web_identity_token
from agent.demo.recorder import Recorder, iam_user, role_session

PIPELINE_SUBJECT = "repo:acme/payments:ref:refs/heads/main"
"""Of the GitHub OIDC token the pipeline signs in with."""
PIPELINE = "acme/payments"
_SSO = f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Engineer_0a1b2c3d4e5f6a7b"
_CONSOLE = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
_PROVIDER = "APN/1.0 HashiCorp/1.0 Terraform/1.11.4 (+https://www.terraform.io) terraform-provider-aws/5.100.0"
_CLI = "aws-cli/2.31.0 md/awscrt#0.27.6 ua/2.1 os/linux#6.1.0 lang/python#3.13.7 md/command#{}"


@dataclass(frozen=True, slots=True)
class Truth:
    """One thing a scan must say."""

    name: str
    """Terraform address; for a resource nobody declares, its type and id."""
    kinds: tuple[str, ...]
    """Kinds of drift, sorted; empty: the change left none."""
    actor: str
    outcome: str
    failed: tuple[str, ...] = ()
    """Failed tests of the verdict."""
    ticket: str = ""


TRUTH = (
    Truth("aws_security_group.web", ("changed",), "dana@acme.example", "unauthorised", ("ticket",)),
    Truth("aws_s3_bucket_versioning.ledger", ("changed",), "dana@acme.example", "unauthorised", ("ticket",)),
    Truth("aws_s3_bucket payments-export-tmp", ("unmanaged",), "dana@acme.example", "unauthorised", ("ticket",)),
    Truth("aws_iam_role.settlement", ("changed",), "marco", "unauthorised", ("state",), "CHG-1040"),
    Truth(
        f"aws_iam_policy arn:aws:iam::{ACCOUNT}:policy/break-glass-admin",
        ("unmanaged",),
        "marco",
        "unauthorised",
        ("state", "scope"),
        "CHG-1040",
    ),
    Truth("aws_sqs_queue.settlement", ("changed",), "marco", "unauthorised", ("state",), "CHG-1040"),
    Truth('aws_ssm_parameter.feature["refunds"]', ("missing",), "marco", "unauthorised", ("state",), "CHG-1040"),
    Truth("aws_cloudwatch_log_group.settlement", ("changed",), "priya@acme.example", "authorised", (), "CHG-1043"),
    Truth("aws_db_instance.payments", (), "priya@acme.example", "unauthorised", ("ticket",)),
    Truth("aws_lambda_function.settlement", (), PIPELINE, "unauthorised", ("ticket",)),
)
"""Besides these: the pipeline's ticketed change (CHG-1044) is authorised, leaves no drift and no finding."""

AUTHORISED = ("ssm:PutParameter", PIPELINE, "CHG-1044")
DENIED = 1
"""Marco's attempt to stop the trail was refused: counted, and no change."""


def tickets(now: datetime) -> str:
    """The register's change tickets, in YAML."""

    def at(**ago: float) -> str:
        return f"{now - timedelta(**ago):%Y-%m-%dT%H:%M:%SZ}"

    return f"""\
# Change tickets of the payments team. Version control is their history; each change of state is an entry.
# Production, and identity, network or logging with it: such changes need two approvals, one of them by security.
tickets:
  - ref: CHG-1001
    title: Build the payments estate
    requester: priya
    implementer: priya
    scope:
      addresses: ["*"]
    history:
      - {{at: {at(days=5)}, state: draft}}
      - {{at: {at(days=4)}, approved_by: lena}}
      - {{at: {at(days=4)}, approved_by: kim, group: security}}
      - {{at: {at(days=4)}, state: approved}}
  - ref: CHG-1040
    title: Tune the settlement worker
    requester: lena
    implementer: marco
    scope:
      addresses: ["aws_sqs_queue.settlement", "aws_iam_role.settlement", "aws_ssm_parameter.feature*"]
    history:
      - {{at: {at(days=9)}, state: draft}}
      - {{at: {at(days=8)}, approved_by: sam}}
      - {{at: {at(days=8)}, approved_by: kim, group: security}}
      - {{at: {at(days=8)}, state: approved}}
      - {{at: {at(days=6)}, state: closed}}
  - ref: CHG-1043
    title: Keep settlement logs for 400 days
    requester: lena
    implementer: priya
    scope:
      addresses: ["aws_cloudwatch_log_group.settlement"]
    window: {{start: {at(hours=2)}, end: {at(hours=-2)}}}
    history:
      - {{at: {at(days=2)}, state: draft}}
      - {{at: {at(days=1)}, approved_by: sam}}
      - {{at: {at(days=1)}, approved_by: kim, group: security}}
      - {{at: {at(days=1)}, state: approved}}
  - ref: CHG-1044
    title: Raise the settlement batch size
    requester: priya
    implementer: priya
    scope:
      addresses: ["aws_ssm_parameter.settlement_batch"]
    history:
      - {{at: {at(days=2)}, state: draft}}
      - {{at: {at(hours=20)}, approved_by: lena}}
      - {{at: {at(hours=20)}, state: approved}}
"""


def happen(recorder: Recorder, stack: Path) -> None:
    """Everybody does what they do. `stack` is the demo's copy of the Terraform root: the pipeline updates its state."""
    _dana(recorder)
    _marco(recorder)
    _priya(recorder)
    _pipeline(recorder, stack)


def _client(recorder: Recorder, of: Any) -> Callable[[str], Any]:
    def client(service: str) -> Any:
        return of.client(service, endpoint_url=recorder.endpoint)

    return client


def _dana(recorder: Recorder) -> None:
    """In the console, in a hurry, without a ticket: SSH open to the world, versioning off, a bucket of her own."""
    now = datetime.now(UTC)
    key = "ASIADANAPAYMENTS0001"
    client = _client(recorder, session(recorder, key, role_session(_SSO, "dana@acme.example", now)))
    recorder.pretend(key, source_ip="203.0.113.24", user_agent=_CONSOLE, from_console=True)
    groups = client("ec2").describe_security_groups(Filters=[{"Name": "group-name", "Values": ["payments-web"]}])
    client("ec2").authorize_security_group_ingress(
        GroupId=groups["SecurityGroups"][0]["GroupId"],
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 22,
                "ToPort": 22,
                "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "tmp"}],
            }
        ],
    )
    client("s3").put_bucket_versioning(Bucket="payments-ledger", VersioningConfiguration={"Status": "Suspended"})
    client("s3").create_bucket(Bucket="payments-export-tmp")


def _marco(recorder: Recorder) -> None:
    """With the AWS CLI and his own long-lived key, under a ticket that was closed days ago."""
    key = "AKIAMARCOPAYMENTS001"
    client = _client(recorder, session(recorder, key, iam_user("marco", ACCOUNT)))

    def cli(command: str) -> None:
        recorder.pretend(key, source_ip="198.51.100.7", user_agent=f"{_CLI.format(command)} app/CHG-1040")

    sqs, iam, ssm = client("sqs"), client("iam"), client("ssm")
    queue = sqs.get_queue_url(QueueName="payments-settlement")["QueueUrl"]
    cli("sqs.set-queue-attributes")
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "5"})
    cli("iam.attach-role-policy")
    admin = iam.create_policy(
        PolicyName="break-glass-admin",
        PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        ),
    )
    iam.attach_role_policy(RoleName="payments-settlement", PolicyArn=admin["Policy"]["Arn"])
    cli("ssm.delete-parameter")
    ssm.delete_parameter(Name="/payments/feature/refunds")
    cli("cloudtrail.stop-logging")
    recorder.deny(key, "cloudtrail:StopLogging")
    try:
        client("cloudtrail").stop_logging(Name="payments")
    except ClientError:
        recorder.allow(key)


def _priya(recorder: Recorder) -> None:
    """Once under an approved ticket, within its window; and once a change she put back before anybody looked."""
    now = datetime.now(UTC)
    key = "ASIAPRIYAPAYMENTS001"
    client = _client(recorder, session(recorder, key, role_session(_SSO, "priya@acme.example", now)))
    recorder.pretend(
        key, source_ip="192.0.2.61", user_agent="Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux lang/python#3.13.7"
    )
    client("logs").put_retention_policy(logGroupName="/payments/settlement", retentionInDays=400)
    client("rds").modify_db_instance(DBInstanceIdentifier="payments", DeletionProtection=False, ApplyImmediately=True)
    client("rds").modify_db_instance(DBInstanceIdentifier="payments", DeletionProtection=True, ApplyImmediately=True)


def _pipeline(recorder: Recorder, stack: Path) -> None:
    """Two deployments: one under CHG-1044, one that no ticket asked for. The code was merged before each, and state
    follows, as after an apply.
    """
    _merge(stack, 'value = "250"', 'value = "500"')
    client = _deployment(recorder, "CHG-1044")
    client("ssm").put_parameter(Name="/payments/settlement/batch-size", Value="500", Type="String", Overwrite=True)
    _follow(stack, "aws_ssm_parameter", "settlement_batch", {"value": "500", "insecure_value": "500"})
    _merge(stack, "memory_size   = 256", "memory_size   = 512")
    client = _deployment(recorder, "run-7781")
    client("lambda").update_function_configuration(FunctionName="payments-settlement", MemorySize=512)
    _follow(stack, "aws_lambda_function", "settlement", {"memory_size": 512})


def _deployment(recorder: Recorder, name: str) -> Callable[[str], Any]:
    """Clients of one pipeline run: it signs in with GitHub's token and names its session."""
    unsigned = Config(signature_version=UNSIGNED)
    sts = boto3.client("sts", endpoint_url=recorder.endpoint, region_name=REGION, config=unsigned)
    issued = sts.assume_role_with_web_identity(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/payments-deploy",
        RoleSessionName=name,
        WebIdentityToken=web_identity_token(PIPELINE_SUBJECT),
    )["Credentials"]
    recorder.pretend(issued["AccessKeyId"], source_ip="192.0.2.200", user_agent=_PROVIDER)
    return _client(
        recorder,
        boto3.Session(issued["AccessKeyId"], issued["SecretAccessKey"], issued["SessionToken"], region_name=REGION),
    )


def _merge(stack: Path, old: str, new: str) -> None:
    """The code as the pipeline applies it."""
    path = stack / "application.tf"
    path.write_text(path.read_text().replace(old, new))


def _follow(stack: Path, type_: str, name: str, values: Mapping[str, Any]) -> None:
    """The state as the apply leaves it."""
    path = stack / "terraform.tfstate"
    state = json.loads(path.read_text())
    for resource in state["resources"]:
        if (resource["type"], resource["name"]) == (type_, name):
            for instance in resource["instances"]:
                instance["attributes"].update(
                    {key: value for key, value in values.items() if instance["attributes"].get(key) is not None}
                )
    state["serial"] += 1
    path.write_text(json.dumps(state, indent=2))

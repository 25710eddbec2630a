"""A real estate, applied by real Terraform, changed by hand: the scan says exactly what was done, by whom, and no more.

moto is the cloud, the recorder its CloudTrail; the scan is the command line's own, in its own process.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from agent.config import aws_environment
from agent.demo.recorder import Recorder, iam_user

ESTATE = Path(__file__).parent / "estates" / "everyday"
ACCOUNT = "123456789012"
SECRET = "canary-7f3a9c-everyday-secret"

CONFIG = """\
[[stack]]
name = "everyday"
dir = "everyday"

[[account]]
id = "123456789012"
regions = ["us-east-1", "us-west-2"]

[estate]
complete = true

[trail]
lookback = "1h"

[tickets.register]
path = "tickets"
"""


@dataclass(frozen=True)
class Estate:
    """The applied estate and how to reach it."""

    folder: Path
    recorder: Recorder
    variables: Mapping[str, str]

    def scan(self) -> tuple[int, dict[str, Any]]:
        """`driftwarden scan --output json` → exit code and document."""
        command = [sys.executable, "-c", "from agent.cli import main; main()", "scan", "--output", "json"]
        with aws_environment(self.variables):
            done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False, timeout=120)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    def client(self, who: str, service: str, region: str = "us-east-1") -> Any:
        """A boto3 client of the IAM user `who`."""
        key = f"AKIA{who.upper():X<16}"
        self.recorder.know(key, iam_user(who, ACCOUNT))
        session = boto3.Session(key, "secret", region_name=region)
        return session.client(service, endpoint_url=self.recorder.endpoint)


@pytest.fixture(scope="module")
def estate(
    moto_server: str,
    moto_variables: Mapping[str, str],
    reset_moto: Callable[[], None],
    terraform: Callable[..., Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Estate]:
    reset_moto()
    applied = terraform(ESTATE)
    folder = tmp_path_factory.mktemp("driftwarden")
    applied.rename(folder / "everyday")
    (folder / "tickets").mkdir()
    (folder / "driftwarden.toml").write_text(CONFIG)
    with Recorder(moto_server, ACCOUNT, lookup_rate=None) as recorder:
        yield Estate(folder, recorder, {**moto_variables, "AWS_ENDPOINT_URL": recorder.endpoint})
    reset_moto()


def name(entry: Mapping[str, Any]) -> str:
    """Address, or for what nobody declares type and id."""
    return entry["address"] or f"{entry['type']} {entry['id']}"


def told(document: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Every drift as (kind, resource, attribute), sorted."""
    return sorted((drift["kind"], name(drift), drift["attribute"]) for drift in document["drifts"])


def group_id(estate: Estate, group: str) -> str:
    found = estate.client("ops", "ec2").describe_security_groups(Filters=[{"Name": "group-name", "Values": [group]}])
    return found["SecurityGroups"][0]["GroupId"]


def rule(port: int, cidr: str) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": cidr}]}


ADMIN = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def injected(estate: Estate) -> list[tuple[str, Callable[[], object], tuple[str, str, str]]]:
    """Who does what, and the drift it leaves."""
    dana, marco, priya = (lambda service, who=who: estate.client(who, service) for who in ("dana", "marco", "priya"))
    inline, separate = group_id(estate, "inline"), group_id(estate, "separate")
    queue = marco("sqs").get_queue_url(QueueName="worker-a")["QueueUrl"]
    policy = f"arn:aws:iam::{ACCOUNT}:policy/everyday-read"
    key = estate.client("ops", "kms").list_keys()["Keys"][0]["KeyId"]
    instance = dana("ec2").describe_instances()["Reservations"][0]["Instances"][0]["InstanceId"]
    vpcs = dana("ec2").describe_vpcs(Filters=[{"Name": "tag:Name", "Values": ["main"]}])["Vpcs"]
    west = estate.client("priya", "logs", "us-west-2")
    worker = 'module.worker["a"]'
    own = marco("iam").create_policy(PolicyName="mine", PolicyDocument=json.dumps(ADMIN))["Policy"]["Arn"]
    return [
        (
            "dana",
            lambda: dana("ec2").authorize_security_group_ingress(GroupId=inline, IpPermissions=[rule(22, "0.0.0.0/0")]),
            ("changed", "aws_security_group.inline", "ingress"),
        ),
        (
            "dana",
            lambda: dana("ec2").revoke_security_group_ingress(GroupId=inline, IpPermissions=[rule(8443, "10.0.0.0/8")]),
            ("changed", "aws_security_group.inline", "ingress"),
        ),
        (
            "marco",
            lambda: marco("ec2").revoke_security_group_ingress(
                GroupId=separate, IpPermissions=[rule(5432, "10.2.0.0/16")]
            ),
            ("changed", "aws_security_group_rule.ranges", "source"),
        ),
        (
            "marco",
            lambda: marco("ec2").authorize_security_group_ingress(
                GroupId=separate, IpPermissions=[rule(9000, "10.9.0.0/16")]
            ),
            ("changed", "aws_security_group.separate", "ingress"),
        ),
        (
            "dana",
            lambda: dana("ec2").create_tags(Resources=[instance], Tags=[{"Key": "Name", "Value": "mine"}]),
            ("changed", "aws_instance.main", "tags_all"),
        ),
        (
            "dana",
            lambda: dana("ec2").modify_vpc_attribute(VpcId=vpcs[0]["VpcId"], EnableDnsHostnames={"Value": True}),
            ("changed", "aws_vpc.main", "enable_dns_hostnames"),
        ),
        (
            "marco",
            lambda: marco("s3").put_bucket_versioning(
                Bucket="everyday-raw", VersioningConfiguration={"Status": "Suspended"}
            ),
            ("changed", "aws_s3_bucket_versioning.raw", "versioning_configuration"),
        ),
        (
            "marco",
            lambda: marco("s3").delete_public_access_block(Bucket="everyday-raw"),
            ("changed", "aws_s3_bucket_public_access_block.raw", "block_public_acls"),
        ),
        (
            "priya",
            lambda: priya("s3").delete_bucket_policy(Bucket="everyday-raw"),
            ("missing", "aws_s3_bucket_policy.raw", ""),
        ),
        (
            "priya",
            lambda: priya("s3").put_bucket_policy(
                Bucket="everyday-clean",
                Policy=json.dumps({**ADMIN, "Statement": [{**ADMIN["Statement"][0], "Principal": "*"}]}),
            ),
            ("changed", 'aws_s3_bucket.data["clean"]', "policy"),
        ),
        (
            "marco",
            lambda: marco("iam").attach_role_policy(RoleName="worker-b", PolicyArn=own),
            ("changed", 'module.worker["b"].aws_iam_role.this', "managed_policy_arns"),
        ),
        (
            "marco",
            lambda: marco("iam").detach_role_policy(RoleName="worker-a", PolicyArn=policy),
            ("missing", f"{worker}.aws_iam_role_policy_attachment.this", ""),
        ),
        (
            "marco",
            lambda: marco("iam").put_role_policy(
                RoleName="worker-a", PolicyName="queue", PolicyDocument=json.dumps(ADMIN)
            ),
            ("changed", f"{worker}.aws_iam_role_policy.this", "policy"),
        ),
        (
            "priya",
            lambda: priya("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "5"}),
            ("changed", f"{worker}.aws_sqs_queue.this", "visibility_timeout_seconds"),
        ),
        (
            "priya",
            lambda: priya("kms").disable_key_rotation(KeyId=key),
            ("changed", "aws_kms_key.main", "enable_key_rotation"),
        ),
        (
            "priya",
            lambda: west.put_retention_policy(logGroupName="/everyday/west", retentionInDays=1),
            ("changed", "aws_cloudwatch_log_group.west", "retention_in_days"),
        ),
        (
            "dana",
            lambda: dana("logs").delete_log_group(logGroupName="/everyday/worker-b"),
            ("missing", 'module.worker["b"].aws_cloudwatch_log_group.this', ""),
        ),
        (
            "dana",
            lambda: dana("ssm").put_parameter(Name="/everyday/plain", Value="two", Type="String", Overwrite=True),
            ("changed", "aws_ssm_parameter.plain", "value"),
        ),
        (
            "dana",
            lambda: dana("sns").create_topic(Name="mine"),
            ("unmanaged", f"aws_sns_topic arn:aws:sns:us-east-1:{ACCOUNT}:mine", ""),
        ),
        (
            "priya",
            lambda: priya("s3").create_bucket(Bucket="everyday-mine"),
            ("unmanaged", "aws_s3_bucket everyday-mine", ""),
        ),
    ]


def beside() -> list[tuple[str, str, str]]:
    """Drift that an injection brings besides its own: the block had two settings on, the policy attached is new."""
    return [
        ("changed", "aws_s3_bucket_public_access_block.raw", "block_public_policy"),
        ("unmanaged", f"aws_iam_policy arn:aws:iam::{ACCOUNT}:policy/mine", ""),
    ]


@pytest.mark.terraform
def test_an_applied_estate_is_clean_and_what_is_then_done_to_it_is_told_exactly(estate: Estate) -> None:
    code, document = estate.scan()
    assert told(document) == []
    assert (code, document["status"], document["coverage"]["gaps"]) == (0, "clean", [])
    assert document["coverage"]["compared"] == document["coverage"]["declared"] > 30

    # What is ignored, what is put back, and what is refused leaves no drift.
    ec2 = estate.client("dana", "ec2")
    instance = ec2.describe_instances()["Reservations"][0]["Instances"][0]["InstanceId"]
    ec2.create_tags(Resources=[instance], Tags=[{"Key": "Patch", "Value": "friday"}])
    estate.client("dana", "sns").set_topic_attributes(
        TopicArn=f"arn:aws:sns:us-east-1:{ACCOUNT}:everyday", AttributeName="DisplayName", AttributeValue="Everyday"
    )
    deeds = injected(estate)
    for _, deed, _ in deeds:
        deed()

    code, document = estate.scan()
    assert told(document) == sorted([truth for _, _, truth in deeds] + beside())
    assert (code, document["status"]) == (1, "violations")
    assert document["coverage"]["gaps"] == []
    assert SECRET not in json.dumps(document)

    by_name = {}
    for finding in document["findings"]:
        by_name.setdefault(finding["address"] or f"{finding['type']} {finding['id_live']}", finding)
    for who, _, (_, resource, _) in deeds:
        finding = by_name[resource]
        events = {event for candidate in finding["candidates"] for event in candidate["event_ids"]}
        told_of = {c["actor"]["name"] for c in finding["changes"] if events & set(c["event_ids"])}
        assert (resource, finding["verdict"]["outcome"], told_of) == (resource, "unauthorised", {who})
        assert finding["unexplained"] is None

    kept = b"".join(path.read_bytes() for path in estate.folder.glob("driftwarden.*"))
    assert SECRET.encode() not in kept

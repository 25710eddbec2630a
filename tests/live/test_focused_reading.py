"""Reading a few resources by name, on moto: the same that a whole reading shows of them, for a few calls."""

import functools
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import boto3
import pytest

from agent.live import aws
from agent.live.aws import read
from agent.live.requests import Calls
from agent.live.sought import Sought
from agent.model import Resource, Snapshot
from agent.resources import Spec, load
from tests.live.conftest import Answer, Asked, SmallAws, error

ACCOUNT, REGION = "123456789012", "us-east-1"
SPECS = load()
ALLOW = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::x"}]}
)
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)
TAGS = {"Team": "shop"}
PAIRS: Any = [{"Key": "Team", "Value": "shop"}]


@pytest.fixture
def session(aws_env: Mapping[str, str], moto_reset: None) -> boto3.Session:
    return boto3.Session()


@functools.cache
def client(session: boto3.Session, service: str) -> Any:
    """To make one takes longer than ten calls."""
    make: Any = session.client
    return make(service)


def looked(session: boto3.Session, service: str, only: Mapping[str, Iterable[str]] | None = None) -> Snapshot:
    """What there is of a service, and nothing that could not be read."""
    given = None if only is None else {name: frozenset(names) for name, names in only.items()}
    now = datetime(2026, 3, 2, tzinfo=UTC)
    found = read(session, ACCOUNT, REGION, service, specs=SPECS, key=b"k", taken_at=now, only=given, workers=4)
    assert found.gaps == ()
    return found


def counted(session: boto3.Session, service: str, only: Mapping[str, Iterable[str]]) -> Mapping[str, int]:
    """The requests that reading these takes."""
    calls = Calls()
    given = {name: frozenset(names) for name, names in only.items()}
    now = datetime(2026, 3, 2, tzinfo=UTC)
    read(session, ACCOUNT, REGION, service, specs=SPECS, key=b"k", taken_at=now, only=given, calls=calls, workers=4)
    return calls.by_action()


def code() -> bytes:
    """The smallest package a function takes."""
    body = BytesIO()
    with ZipFile(body, "w") as archive:
        archive.writestr("index.py", "def handler(event, context): ...")
    return body.getvalue()


def make(session: boto3.Session, number: int) -> None:
    """One of nearly every type, tagged."""
    name = f"n{number}"
    make_stores(session, number)
    make_network(session, number)
    client(session, "sns").create_topic(Name=name, Tags=PAIRS)
    client(session, "logs").create_log_group(logGroupName=name, tags=TAGS)
    client(session, "kms").create_key(Tags=[{"TagKey": "Team", "TagValue": "shop"}])
    client(session, "rds").create_db_instance(
        DBInstanceIdentifier=name,
        Engine="postgres",
        DBInstanceClass="db.t3.micro",
        MasterUsername="dana",
        MasterUserPassword="not-a-real-one",
        Tags=PAIRS,
    )
    role = make_role(session, name)
    client(session, "lambda").create_function(
        FunctionName=name, Runtime="python3.12", Role=role, Handler="index.handler", Code={"ZipFile": code()}, Tags=TAGS
    )


def make_stores(session: boto3.Session, number: int) -> None:
    name = f"n{number}"
    client(session, "sqs").create_queue(QueueName=name, tags=TAGS)
    ssm = client(session, "ssm")
    ssm.put_parameter(Name=f"/{name}/a", Value="1", Type="String", Tags=PAIRS)
    ssm.put_parameter(Name=f"{name}-b", Value="1", Type="SecureString")
    client(session, "dynamodb").create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=PAIRS,
    )
    s3 = client(session, "s3")
    s3.create_bucket(Bucket=f"bucket-{name}")
    s3.put_bucket_versioning(Bucket=f"bucket-{name}", VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_tagging(Bucket=f"bucket-{name}", Tagging={"TagSet": PAIRS})


def make_role(session: boto3.Session, name: str) -> str:
    iam = client(session, "iam")
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST, MaxSessionDuration=7200, Tags=PAIRS)
    iam.update_role(RoleName=name, Description=name, MaxSessionDuration=7200)
    policy = iam.create_policy(PolicyName=f"p-{name}", PolicyDocument=ALLOW, Path="/team/", Tags=PAIRS)
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=ALLOW)
    iam.attach_role_policy(RoleName=name, PolicyArn=policy["Policy"]["Arn"])
    return str(arn["Role"]["Arn"])


def make_network(session: boto3.Session, number: int) -> None:
    ec2 = client(session, "ec2")
    vpc = ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.{number}.1.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName=f"g{number}", Description="web", VpcId=vpc)["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=group, IpProtocol="tcp", FromPort=443, ToPort=443, CidrIp="10.0.0.0/8")
    ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1, SubnetId=subnet, SecurityGroupIds=[group])
    ec2.create_tags(Resources=[vpc, subnet, group], Tags=PAIRS)


SERVICES = sorted({spec.service for spec in SPECS.values()})


def family(resource: Resource, of: Iterable[Resource]) -> dict[Any, Resource]:
    """A resource with its parent and all of the parent's parts."""
    head = resource.parent or resource.key
    return {one.key: one for one in of if head in (one.key, one.parent)}


def asked_for(resource: Resource, names: Iterable[str]) -> dict[str, Iterable[str]]:
    """What to look for to see a resource and all that belongs to it: a part by what it is a part of."""
    head = resource.parent or resource.key
    parts = {name: () for name, spec in SPECS.items() if spec.parent and spec.parent.type == head.type}
    return {**parts, head.type: (head.id,) if resource.parent else names}


def test_what_is_read_alone_is_what_the_whole_reading_shows_of_it(session: boto3.Session) -> None:
    for number in (1, 2):
        make(session, number)
    seen: set[str] = set()
    for service in SERVICES:
        whole = looked(session, service).resources
        by_type: dict[str, list[Resource]] = defaultdict(list)
        for one in whole:
            by_type[one.key.type].append(one)
        for type_, (*_, other, resource) in by_type.items():
            seen.add(type_)
            # One by its identity, one by everything else that a call may name it by (of these two that is the ARN).
            its = other.identifiers[type_ not in ("aws_iam_policy", "aws_sns_topic") :] or other.identifiers
            only = asked_for(resource, [resource.key.id])
            for name, names in asked_for(other, its).items():
                only[name] = (*only[name], *names)
            alone = looked(session, service, only).resources
            assert {one.key: one for one in alone} == family(resource, whole) | family(other, whole), type_
    assert seen == {name for name, spec in SPECS.items() if not spec.same_as} - {"aws_s3_bucket_policy"}


def test_what_is_not_there_is_gone_and_no_gap(session: boto3.Session) -> None:
    absent = {
        "sqs": {"aws_sqs_queue": ["n9"]},
        "sns": {"aws_sns_topic": [f"arn:aws:sns:{REGION}:{ACCOUNT}:n9"]},
        "logs": {"aws_cloudwatch_log_group": ["n9", "n"]},
        "ssm": {"aws_ssm_parameter": ["n9"]},
        "kms": {"aws_kms_key": ["6f8b5c0e-0000-4000-8000-000000000000"]},
        "dynamodb": {"aws_dynamodb_table": ["n9"]},
        "rds": {"aws_db_instance": ["n9"]},
        "s3": {"aws_s3_bucket": ["bucket-n9"], "aws_s3_bucket_versioning": []},
        "iam": {
            "aws_iam_role": ["n9"],
            "aws_iam_role_policy": [],
            "aws_iam_policy": [f"arn:aws:iam::{ACCOUNT}:policy/n9"],
        },
        "lambda": {"aws_lambda_function": ["n9"]},
        "ec2": {
            "aws_vpc": ["vpc-0123456789abcdef0"],
            "aws_subnet": ["subnet-0123456789abcdef0"],
            "aws_instance": ["i-0123456789abcdef0"],
            "aws_security_group": ["sg-0123456789abcdef0"],
            "aws_security_group_rule": [],
        },
    }
    assert sorted(absent) == SERVICES
    for service, only in absent.items():
        assert looked(session, service, only).resources == (), service


ONE_OF_EACH: Mapping[str, Mapping[str, Iterable[str]]] = {
    "sqs": {"aws_sqs_queue": ["n1"]},
    "ssm": {"aws_ssm_parameter": ["/n1/a"]},
    "dynamodb": {"aws_dynamodb_table": ["n1"]},
    "iam": {"aws_iam_role": ["n1"], "aws_iam_role_policy": [], "aws_iam_role_policy_attachment": []},
    "s3": {"aws_s3_bucket": ["bucket-n1"], "aws_s3_bucket_versioning": []},
}


def test_reading_one_takes_as_many_calls_however_many_there_are(session: boto3.Session) -> None:
    make_stores(session, 1)
    make_role(session, "n1")
    few = {service: counted(session, service, only) for service, only in ONE_OF_EACH.items()}
    clients: Any = [client(session, name) for name in ("sqs", "ssm", "s3", "iam")]
    sqs, ssm, s3, iam = clients
    for number in range(12):
        sqs.create_queue(QueueName=f"n1-{number}")
        ssm.put_parameter(Name=f"/n1/a{number}", Value="1", Type="String")
        s3.create_bucket(Bucket=f"bucket-n1-{number}")
        iam.create_role(RoleName=f"n1-{number}", AssumeRolePolicyDocument=TRUST)
    assert {service: counted(session, service, only) for service, only in ONE_OF_EACH.items()} == few
    assert {service: sum(calls.values()) for service, calls in few.items()} == {
        "sqs": 3,
        "ssm": 3,
        "dynamodb": 4,
        "iam": 4,
        "s3": 3,
    }


def test_a_part_that_a_call_names_by_its_own_id_brings_its_parent_and_all_its_parts(session: boto3.Session) -> None:
    """Who is told only the id of a rule does not know its group: then all are listed."""
    make_network(session, 1)
    make_network(session, 2)
    whole = looked(session, "ec2").resources
    rule = next(one for one in whole if one.key.type == "aws_security_group_rule" and "|443|" in one.key.id)
    alone = looked(session, "ec2", {"aws_security_group_rule": [rule.key.id], "aws_security_group": []}).resources
    assert {one.key: one for one in alone} == family(rule, whole)
    assert counted(session, "ec2", {"aws_security_group_rule": [rule.key.id], "aws_security_group": []}) == {
        "ec2:DescribeSecurityGroups": 1
    }


def told(asked: Asked) -> Answer:
    """Two queues, one of them refused."""
    match asked.operation:
        case "ListQueues":
            return Answer({"QueueUrls": [f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}" for name in "ab"]})
        case "GetQueueUrl" if asked.parameters["QueueName"] == "b":
            return error("AccessDeniedException", 403)
        case "GetQueueUrl":
            return Answer({"QueueUrl": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{asked.parameters['QueueName']}"})
        case "GetQueueAttributes":
            name = asked.parameters["QueueUrl"].rsplit("/", 1)[-1]
            return Answer({"Attributes": {"QueueArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"}})
        case "ListQueueTags":
            return Answer({"Tags": TAGS})
        case _:
            return Answer({"ResourceTagMappingList": []})


def seen(session: boto3.Session, spec: Spec, *names: str) -> Snapshot:
    """What is read of queues."""
    asked = {"aws_sqs_queue": frozenset(names)}
    now = datetime(2026, 3, 2, tzinfo=UTC)
    specs = {"aws_sqs_queue": spec}
    return read(session, ACCOUNT, REGION, "sqs", specs=specs, key=b"k", taken_at=now, only=asked, workers=2)


def test_what_is_refused_by_name_is_a_gap_and_nothing_is_gone(small_aws: SmallAws) -> None:
    small_aws.told = told
    fresh = boto3.Session("AKIDTEST", "secret", region_name=REGION)
    assert [one.attributes["tags_all"] for one in seen(fresh, SPECS["aws_sqs_queue"], "a").resources] == [TAGS]
    url = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/b"
    found = seen(fresh, SPECS["aws_sqs_queue"], "a", "b", url)
    assert [one.key.id for one in found.resources] == ["a"]
    assert [(gap.scope.type, gap.scope.id) for gap in found.gaps] == [("aws_sqs_queue", name) for name in ("b", url)]
    assert all("GetQueueUrl: AccessDeniedException" in gap.why for gap in found.gaps)


def test_where_many_are_refused_not_each_is_asked_for_by_itself(
    small_aws: SmallAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws, "_REFUSED", 3)
    small_aws.told = lambda asked: error("AccessDeniedException", 403)
    found = seen(boto3.Session("AKIDTEST", "secret", region_name=REGION), SPECS["aws_sqs_queue"], *"abcdefgh")
    assert [gap.scope.id for gap in found.gaps] == ["*"]
    assert dict(small_aws.asked)["GetQueueUrl"] == 1 + 3


def test_a_part_of_what_is_refused_is_a_gap_too() -> None:
    sought = Sought(SPECS, {"aws_iam_role": frozenset({"app", "[x]"}), "aws_iam_role_policy": frozenset()})
    assert sought.meant("aws_iam_role", "[x]") == ("[[]x]",)
    assert sought.meant("aws_iam_role_policy", "app") == ("app|*",)


def test_a_listed_item_that_shows_no_name_is_read_to_be_sure(small_aws: SmallAws) -> None:
    """Its names are in the details alone."""
    small_aws.told = told
    fresh = boto3.Session("AKIDTEST", "secret", region_name=REGION)
    queue = SPECS["aws_sqs_queue"]
    hidden = replace(queue, one=None, identity=("arn",), identifiers=("arn",), names={"arn": "Attributes.QueueArn"})
    assert len(seen(fresh, hidden, "a").resources) == 2
    raising = replace(hidden, names={"arn": lambda item: item["Attributes"]["QueueArn"]})
    assert len(seen(fresh, raising, "a").resources) == 2
    assert dict(small_aws.asked)["GetQueueAttributes"] == 4

"""Calls by hand on EC2, Lambda, RDS, Logs and SSM: what the trail says of one is what the reader then sees.

Each case makes real boto3 calls to moto through the recorder. The resources that differ between a reading before and a
reading after must be exactly those the record touches, and each attribute that differs must be one the record sets.
"""

import io
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

import boto3
import pytest

from agent.demo.recorder import Recorder, iam_user
from agent.equal import canonical
from agent.live.aws import read
from agent.model import Key, Resource, Touch, Unknown
from agent.resources import Attribute, load
from agent.trail.targets import Targets

ACCOUNT, REGION = "123456789012", "us-east-1"
DANA = "AKIADANA000000000001"
KEY = b"install key"
SPECS = load()
TARGETS = Targets(SPECS, KEY)
VERSION = re.compile(r"\d{8}(v\d)?$")
TAGS = [{"Key": "team", "Value": "payments"}]


@dataclass(frozen=True)
class Cloud:
    """moto behind the recorder, and what several cases need of it."""

    recorder: Recorder
    session: boto3.Session
    made: Iterator[int] = field(default_factory=count)
    clients: dict[str, Any] = field(default_factory=dict)

    def __getattr__(self, service: str) -> Any:
        """A boto3 client, Dana's."""
        if service not in self.clients:
            name = {"lambda_": "lambda"}.get(service, service)
            self.clients[service] = self.session.client(
                name,
                endpoint_url=self.recorder.endpoint,
                aws_access_key_id=DANA,
                aws_secret_access_key="secret",
            )
        return self.clients[service]

    def reading(self, service: str) -> Mapping[Key, Resource]:
        """What the reader sees of a service, without what AWS provides by itself."""
        taken_at = datetime.now(UTC)
        snapshot = read(self.session, ACCOUNT, REGION, service, specs=SPECS, key=KEY, taken_at=taken_at)
        assert snapshot.gaps == ()
        return {resource.key: resource for resource in snapshot.resources if not resource.note}

    def name(self) -> str:
        return f"case-{next(self.made)}"

    def vpc(self) -> str:
        return self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]

    def subnet(self) -> str:
        return self.ec2.create_subnet(VpcId=self.vpc(), CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]

    def group(self, vpc: str = "") -> str:
        made = self.ec2.create_security_group(GroupName=self.name(), Description="d", VpcId=vpc or self.vpc())
        return made["GroupId"]

    def opened(self) -> tuple[str, str]:
        """A group with one rule; the rule's id."""
        group = self.group()
        made = self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[HTTPS])
        return group, made["SecurityGroupRules"][0]["SecurityGroupRuleId"]

    def instance(self) -> str:
        made = self.ec2.run_instances(ImageId="ami-12c6146b", InstanceType="t3.micro", MinCount=1, MaxCount=1)
        return made["Instances"][0]["InstanceId"]

    def role(self) -> str:
        return self.iam.create_role(RoleName=self.name(), AssumeRolePolicyDocument="{}")["Role"]["Arn"]

    def profile(self) -> str:
        name = self.name()
        self.iam.create_instance_profile(InstanceProfileName=name)
        return name

    def function(self) -> str:
        name = self.name()
        self.lambda_.create_function(
            FunctionName=name, Runtime="python3.12", Role=self.role(), Handler="app.main", Code={"ZipFile": code("1")}
        )
        return name

    def database(self) -> str:
        name = self.name()
        self.rds.create_db_instance(
            DBInstanceIdentifier=name,
            DBInstanceClass="db.t3.micro",
            Engine="mysql",
            AllocatedStorage=20,
            MasterUsername="root",
            MasterUserPassword="not-for-the-log",
        )
        return name

    def log_group(self) -> str:
        name = f"/{self.name()}"
        self.logs.create_log_group(logGroupName=name)
        return name

    def parameter(self) -> str:
        name = f"/{self.name()}"
        self.ssm.put_parameter(Name=name, Value="1", Type="String")
        return name


HTTPS = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}


def code(text: str) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("app.py", text)
    return archive.getvalue()


Steps = Iterator[None]
"""What must exist first, `yield`, then the one call."""
CASES: list[tuple[str, Callable[[Cloud], Steps]]] = []


def case(service: str) -> Callable[[Callable[[Cloud], Steps]], Callable[[Cloud], Steps]]:
    def keep(steps: Callable[[Cloud], Steps]) -> Callable[[Cloud], Steps]:
        CASES.append((service, steps))
        return steps

    return keep


@case("ec2")
def a_vpc_is_made(aws: Cloud) -> Steps:
    yield
    aws.ec2.create_vpc(CidrBlock="10.9.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": TAGS}])


@case("ec2")
def a_vpc_is_deleted(aws: Cloud) -> Steps:
    vpc = aws.vpc()
    yield
    aws.ec2.delete_vpc(VpcId=vpc)


@case("ec2")
def a_vpc_gets_hostnames(aws: Cloud) -> Steps:
    vpc = aws.vpc()
    yield
    aws.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})


@case("ec2")
def one_call_tags_resources_of_four_types(aws: Cloud) -> Steps:
    resources = [aws.vpc(), aws.subnet(), aws.group(), aws.instance()]
    yield
    aws.ec2.create_tags(Resources=resources, Tags=TAGS)


@case("ec2")
def one_call_untags_resources_of_four_types(aws: Cloud) -> Steps:
    resources = [aws.vpc(), aws.subnet(), aws.group(), aws.instance()]
    aws.ec2.create_tags(Resources=resources, Tags=TAGS)
    yield
    aws.ec2.delete_tags(Resources=resources, Tags=[{"Key": "team"}])


@case("ec2")
def a_subnet_is_made(aws: Cloud) -> Steps:
    vpc = aws.vpc()
    yield
    aws.ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.7.0/24")


@case("ec2")
def a_subnet_is_deleted(aws: Cloud) -> Steps:
    subnet = aws.subnet()
    yield
    aws.ec2.delete_subnet(SubnetId=subnet)


@case("ec2")
def a_subnet_gives_public_addresses(aws: Cloud) -> Steps:
    subnet = aws.subnet()
    yield
    aws.ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})


@case("ec2")
def a_group_is_deleted(aws: Cloud) -> Steps:
    group = aws.group()
    aws.ec2.revoke_security_group_egress(
        GroupId=group, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    )
    yield
    aws.ec2.delete_security_group(GroupId=group)


@case("ec2")
def a_call_opens_several_rules(aws: Cloud) -> Steps:
    group, other = aws.group(), aws.group()
    yield
    aws.ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            {**HTTPS, "Ipv6Ranges": [{"CidrIpv6": "::/0"}]},
            {"IpProtocol": "udp", "FromPort": 53, "ToPort": 53, "UserIdGroupPairs": [{"GroupId": other}]},
            {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]},
            {"IpProtocol": "icmp", "FromPort": -1, "ToPort": -1, "IpRanges": [{"CidrIp": "192.0.2.0/24"}]},
        ],
    )


@case("ec2")
def a_call_opens_one_rule_in_the_short_form(aws: Cloud) -> Steps:
    group = aws.group()
    yield
    aws.ec2.authorize_security_group_ingress(
        GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0"
    )


@case("ec2")
def an_egress_rule_is_opened(aws: Cloud) -> Steps:
    group = aws.group()
    yield
    aws.ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[HTTPS])


@case("ec2")
def a_rule_is_revoked(aws: Cloud) -> Steps:
    group, _ = aws.opened()
    yield
    aws.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[HTTPS])


@case("ec2")
def a_rule_is_described(aws: Cloud) -> Steps:
    group, _ = aws.opened()
    yield
    described = {**HTTPS, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "office"}]}
    aws.ec2.update_security_group_rule_descriptions_ingress(GroupId=group, IpPermissions=[described])


@case("ec2")
def an_instance_is_launched(aws: Cloud) -> Steps:
    yield
    aws.instance()


@case("ec2")
def an_instance_is_terminated(aws: Cloud) -> Steps:
    instance = aws.instance()
    yield
    aws.ec2.terminate_instances(InstanceIds=[instance])


@case("ec2")
def an_instance_gets_other_groups(aws: Cloud) -> Steps:
    subnet, vpc = aws.subnet(), aws.vpc()
    made = aws.ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1, SubnetId=subnet)
    group = aws.group(vpc)
    yield
    aws.ec2.modify_instance_attribute(InstanceId=made["Instances"][0]["InstanceId"], Groups=[group])


@case("ec2")
def an_instance_is_resized(aws: Cloud) -> Steps:
    instance = aws.instance()
    aws.ec2.stop_instances(InstanceIds=[instance])
    yield
    aws.ec2.modify_instance_attribute(InstanceId=instance, InstanceType={"Value": "m5.large"})


@case("ec2")
def an_instance_forwards(aws: Cloud) -> Steps:
    instance = aws.instance()
    yield
    aws.ec2.modify_instance_attribute(InstanceId=instance, SourceDestCheck={"Value": False})


@case("ec2")
def an_instance_answers_metadata_to_version_one(aws: Cloud) -> Steps:
    instance = aws.instance()
    yield
    aws.ec2.modify_instance_metadata_options(InstanceId=instance, HttpTokens="required", HttpPutResponseHopLimit=3)


@case("ec2")
def an_instance_gets_a_profile(aws: Cloud) -> Steps:
    instance, profile = aws.instance(), aws.profile()
    yield
    aws.ec2.associate_iam_instance_profile(IamInstanceProfile={"Name": profile}, InstanceId=instance)


@case("lambda")
def a_function_is_made(aws: Cloud) -> Steps:
    role = aws.role()
    yield
    aws.lambda_.create_function(
        FunctionName=aws.name(), Runtime="python3.12", Role=role, Handler="app.main", Code={"ZipFile": code("1")}
    )


@case("lambda")
def a_function_is_reconfigured(aws: Cloud) -> Steps:
    function, role = aws.function(), aws.role()
    yield
    aws.lambda_.update_function_configuration(
        FunctionName=function,
        Role=role,
        Handler="app.other",
        Runtime="python3.13",
        MemorySize=512,
        Timeout=60,
        Environment={"Variables": {"STAGE": "test"}},
        TracingConfig={"Mode": "Active"},
        KMSKeyArn="arn:aws:kms:us-east-1:123456789012:key/1",
    )


@case("lambda")
def a_function_gets_other_code_by_its_arn(aws: Cloud) -> Steps:
    function = aws.function()
    yield
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"
    aws.lambda_.update_function_code(FunctionName=arn, ZipFile=code("2"))


@case("lambda")
def a_function_is_tagged(aws: Cloud) -> Steps:
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{aws.function()}"
    yield
    aws.lambda_.tag_resource(Resource=arn, Tags={"team": "payments"})


@case("lambda")
def a_function_is_untagged(aws: Cloud) -> Steps:
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{aws.function()}"
    aws.lambda_.tag_resource(Resource=arn, Tags={"team": "payments"})
    yield
    aws.lambda_.untag_resource(Resource=arn, TagKeys=["team"])


@case("lambda")
def a_function_is_deleted(aws: Cloud) -> Steps:
    function = aws.function()
    yield
    aws.lambda_.delete_function(FunctionName=function)


@case("rds")
def a_database_is_made(aws: Cloud) -> Steps:
    yield
    aws.database()


@case("rds")
def a_database_is_opened_and_loses_its_backups(aws: Cloud) -> Steps:
    database = aws.database()
    yield
    aws.rds.modify_db_instance(
        DBInstanceIdentifier=database,
        PubliclyAccessible=True,
        BackupRetentionPeriod=35,
        DBInstanceClass="db.m5.large",
        DeletionProtection=True,
        EnableIAMDatabaseAuthentication=True,
        CopyTagsToSnapshot=True,
        ApplyImmediately=True,
    )


@case("rds")
def a_database_exports_logs(aws: Cloud) -> Steps:
    database = aws.database()
    yield
    aws.rds.modify_db_instance(
        DBInstanceIdentifier=database, CloudwatchLogsExportConfiguration={"EnableLogTypes": ["error"]}
    )


@case("rds")
def a_database_is_tagged(aws: Cloud) -> Steps:
    arn = f"arn:aws:rds:{REGION}:{ACCOUNT}:db:{aws.database()}"
    yield
    aws.rds.add_tags_to_resource(ResourceName=arn, Tags=TAGS)


@case("rds")
def a_database_is_untagged(aws: Cloud) -> Steps:
    arn = f"arn:aws:rds:{REGION}:{ACCOUNT}:db:{aws.database()}"
    aws.rds.add_tags_to_resource(ResourceName=arn, Tags=TAGS)
    yield
    aws.rds.remove_tags_from_resource(ResourceName=arn, TagKeys=["team"])


@case("rds")
def a_database_is_deleted(aws: Cloud) -> Steps:
    database = aws.database()
    yield
    aws.rds.delete_db_instance(DBInstanceIdentifier=database, SkipFinalSnapshot=True)


@case("logs")
def a_log_group_is_made(aws: Cloud) -> Steps:
    yield
    aws.log_group()


@case("logs")
def a_log_group_keeps_less(aws: Cloud) -> Steps:
    group = aws.log_group()
    yield
    aws.logs.put_retention_policy(logGroupName=group, retentionInDays=1)


@case("logs")
def a_log_group_keeps_for_ever(aws: Cloud) -> Steps:
    group = aws.log_group()
    aws.logs.put_retention_policy(logGroupName=group, retentionInDays=1)
    yield
    aws.logs.delete_retention_policy(logGroupName=group)


@case("logs")
def a_log_group_is_tagged(aws: Cloud) -> Steps:
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{aws.log_group()}"
    yield
    aws.logs.tag_resource(resourceArn=arn, tags={"team": "payments"})


@case("logs")
def a_log_group_is_tagged_in_the_old_way(aws: Cloud) -> Steps:
    group = aws.log_group()
    yield
    aws.logs.tag_log_group(logGroupName=group, tags={"team": "payments"})


@case("logs")
def a_log_group_is_untagged(aws: Cloud) -> Steps:
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{aws.log_group()}"
    aws.logs.tag_resource(resourceArn=arn, tags={"team": "payments"})
    yield
    aws.logs.untag_resource(resourceArn=arn, tagKeys=["team"])


@case("logs")
def a_log_group_is_deleted(aws: Cloud) -> Steps:
    group = aws.log_group()
    yield
    aws.logs.delete_log_group(logGroupName=group)


@case("ssm")
def a_parameter_is_made(aws: Cloud) -> Steps:
    yield
    aws.parameter()


@case("ssm")
def a_parameter_is_overwritten(aws: Cloud) -> Steps:
    parameter = aws.parameter()
    yield
    aws.ssm.put_parameter(
        Name=parameter, Value="2", Type="StringList", Description="d", Tier="Advanced", Overwrite=True
    )


@case("ssm")
def a_parameter_is_tagged(aws: Cloud) -> Steps:
    parameter = aws.parameter()
    yield
    aws.ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId=parameter, Tags=TAGS)


@case("ssm")
def a_parameter_is_untagged(aws: Cloud) -> Steps:
    parameter = aws.parameter()
    aws.ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId=parameter, Tags=TAGS)
    yield
    aws.ssm.remove_tags_from_resource(ResourceType="Parameter", ResourceId=parameter, TagKeys=["team"])


@case("ssm")
def a_parameter_is_deleted(aws: Cloud) -> Steps:
    parameter = aws.parameter()
    yield
    aws.ssm.delete_parameter(Name=parameter)


@case("ssm")
def two_parameters_are_deleted(aws: Cloud) -> Steps:
    parameters = [aws.parameter(), aws.parameter()]
    yield
    aws.ssm.delete_parameters(Names=parameters)


# --- the test ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def session() -> boto3.Session:
    """One for all readings: it keeps the service models it has read."""
    return boto3.Session("testing", "testing", region_name=REGION)


@pytest.fixture
def cloud(moto_server: str, moto_reset: None, session: boto3.Session) -> Iterator[Cloud]:
    with Recorder(moto_server, ACCOUNT, lookup_rate=None, seed=7) as recorder:
        recorder.know(DANA, iam_user("dana", ACCOUNT))
        yield Cloud(recorder, session)


@pytest.mark.parametrize(("service", "steps"), CASES, ids=[steps.__name__ for _, steps in CASES])
def test_the_record_of_a_call_explains_all_that_the_reader_sees(
    cloud: Cloud, aws_env: Mapping[str, str], service: str, steps: Callable[[Cloud], Steps]
) -> None:
    run = steps(cloud)
    next(run)
    before, seen = cloud.reading(service), len(cloud.recorder.records)
    assert next(run, "done") == "done"
    after = cloud.reading(service)
    (record,) = [one for one in cloud.recorder.records[seen:] if not one["readOnly"]]
    moved = {key: differing(before.get(key), after.get(key)) for key in {*before, *after}}
    expected = {key: found for key, found in moved.items() if found != UNMOVED}
    explained = {
        key: explained_by(touch, moved[key]) for touch in touched(record) for key in named(touch, {**before, **after})
    }
    assert expected
    assert expected == explained


UNMOVED: tuple[str, Mapping[str, Any]] = ("", {})


def differing(before: Resource | None, after: Resource | None) -> tuple[str, Mapping[str, Any]]:
    """What became of a resource, and each attribute that differs with its value now; of one that came or went, none."""
    if before is None or after is None:
        return ("create" if before is None else "delete"), {}
    had, has = values(before), values(after)
    moved = {name: has[name] for name in has if has[name] != had[name]}
    return ("update" if moved else ""), moved


def explained_by(touch: Touch, moved: tuple[str, Mapping[str, Any]]) -> tuple[str, Mapping[str, Any]]:
    """The act, and what the touch says of the attributes that differ; what it does not show counts as said."""
    if touch.act != "update":
        return touch.act, {}
    _, attributes = moved
    said = {}
    for name, value in attributes.items():
        if name in touch.sets:
            attribute = next(one for one in SPECS[touch.type].attributes if one.name == name)
            asked = touch.sets[name]
            said[name] = value if isinstance(asked, Unknown) else form(attribute, asked)
    return touch.act, said


def touched(record: Mapping[str, Any]) -> tuple[Touch, ...]:
    return TARGETS.of(record["eventSource"], VERSION.sub("", record["eventName"]), record)


def named(touch: Touch, resources: Mapping[Key, Resource]) -> list[Key]:
    known = ((key, {key.id, *one.identifiers}) for key, one in resources.items() if key.type == touch.type)
    return [key for key, names in known if names.intersection(touch.ids)]


def values(resource: Resource) -> Mapping[str, Any]:
    return {one.name: form(one, resource.attributes[one.name]) for one in SPECS[resource.key.type].attributes}


def form(attribute: Attribute, value: Any) -> Any:
    found = canonical(value, attribute.kind)
    return canonical(attribute.default, attribute.kind) if found is None else found

"""Clients that go through the recorder, and calls like those in the real records: same operations, same parameters."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from typing import Any, Protocol

import boto3
from botocore.config import Config

ACCOUNT = "123456789012"
ALICE = "AKIAALICE00000000001"
TRUST = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}
)
POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}]}
)
TAGS = [{"Key": "StratusRedTeam", "Value": "true"}]


class Clients(Protocol):
    """Makes boto3 clients."""

    def __call__(self, service: str, *, key: str = ALICE, region: str = "us-east-1", validate: bool = True) -> Any: ...


def clients(endpoint: str) -> Clients:
    """A factory of boto3 clients without retries."""

    def make(service: str, *, key: str = ALICE, region: str = "us-east-1", validate: bool = True) -> Any:
        return boto3.client(
            service,
            endpoint_url=endpoint,
            region_name=region,
            aws_access_key_id=key,
            aws_secret_access_key="secret",
            config=Config(retries={"max_attempts": 0}, parameter_validation=validate),
        )

    return make


def tagged(kind: str, *tags: dict[str, str]) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": [*TAGS, *tags]}]


def network(client: Any, name: str) -> None:
    ec2 = client("ec2")
    vpc = ec2.create_vpc(
        CidrBlock="10.0.0.0/16",
        InstanceTenancy="default",
        AmazonProvidedIpv6CidrBlock=False,
        TagSpecifications=tagged("vpc", {"Key": "Name", "Value": name}),
    )["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(
        VpcId=vpc,
        CidrBlock="10.0.128.0/24",
        AvailabilityZone="us-east-1a",
        TagSpecifications=tagged("subnet", {"Key": "Name", "Value": name}),
    )["Subnet"]["SubnetId"]
    gateway = ec2.create_internet_gateway(TagSpecifications=tagged("internet-gateway"))["InternetGateway"][
        "InternetGatewayId"
    ]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc, TagSpecifications=tagged("route-table"))["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    association = ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"]
    address = ec2.allocate_address(Domain="vpc", TagSpecifications=tagged("elastic-ip"))["AllocationId"]
    nat = ec2.create_nat_gateway(
        ConnectivityType="public",
        AllocationId=address,
        SubnetId=subnet,
        ClientToken="86C58940",
        TagSpecifications=tagged("natgateway", {"Key": "Name", "Value": name}),
    )["NatGateway"]["NatGatewayId"]
    flow = ec2.create_flow_logs(
        ResourceIds=[vpc],
        MaxAggregationInterval=600,
        ResourceType="VPC",
        LogDestination="arn:aws:logs:us-east-1:123456789012:log-group:flow",
        LogDestinationType="cloud-watch-logs",
        TrafficType="REJECT",
        DeliverLogsPermissionArn="arn:aws:iam::123456789012:role/flow",
        TagSpecifications=tagged("vpc-flow-log"),
    )["FlowLogIds"][0]
    ec2.describe_nat_gateways(NatGatewayIds=[nat])
    ec2.describe_vpcs(VpcIds=[vpc])
    ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    ec2.delete_flow_logs(FlowLogIds=[flow])
    ec2.delete_nat_gateway(NatGatewayId=nat)
    ec2.release_address(AllocationId=address, NetworkBorderGroup="us-east-1")
    ec2.disassociate_route_table(AssociationId=association)
    ec2.delete_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0")
    ec2.delete_route_table(RouteTableId=table)
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)
    ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=vpc)


def groups(client: Any, name: str) -> None:
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(
        GroupName=name,
        Description="Allow TLS inbound traffic",
        VpcId=vpc,
        TagSpecifications=tagged("security-group", {"Key": "Name", "Value": name}),
    )["GroupId"]
    everyone = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "FromPort": 0, "ToPort": 0}
    ec2.revoke_security_group_egress(GroupId=group, IpPermissions=[everyone])
    ec2.authorize_security_group_egress(
        GroupId=group,
        IpPermissions=[
            {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}
        ],
    )
    ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 443,
                "ToPort": 443,
                "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "TLS from Internet"}],
            }
        ],
    )
    ssh: dict[str, Any] = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "0.0.0.0/0"}
    ec2.authorize_security_group_ingress(GroupId=group, **ssh)
    ec2.revoke_security_group_ingress(GroupId=group, **ssh)
    ec2.delete_security_group(GroupId=group)


def instances(client: Any, name: str) -> None:
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.2.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.2.1.0/24")["Subnet"]["SubnetId"]
    interface = ec2.create_network_interface(
        SubnetId=subnet,
        PrivateIpAddresses=[{"PrivateIpAddress": "10.2.1.10", "Primary": True}],
        ClientToken="C265B64D",
        TagSpecifications=tagged("network-interface"),
    )["NetworkInterface"]["NetworkInterfaceId"]
    iam = client("iam")
    iam.create_instance_profile(InstanceProfileName=name)
    image = ec2.describe_images(Owners=["amazon"], Filters=[{"Name": "name", "Values": ["amzn2-ami-hvm*"]}])
    launched = ec2.run_instances(
        ImageId=image["Images"][0]["ImageId"],
        MinCount=1,
        MaxCount=1,
        InstanceType="t3.micro",
        Monitoring={"Enabled": False},
        DisableApiTermination=False,
        DisableApiStop=False,
        ClientToken="D37569A7",
        NetworkInterfaces=[{"NetworkInterfaceId": interface, "DeviceIndex": 0, "DeleteOnTermination": False}],
        IamInstanceProfile={"Name": name},
        EbsOptimized=False,
        TagSpecifications=tagged("instance"),
        CreditSpecification={"CpuCredits": "unlimited"},
        HibernationOptions={"Configured": False},
    )["Instances"][0]["InstanceId"]
    ec2.create_tags(Resources=[launched], Tags=TAGS)
    ec2.modify_instance_attribute(InstanceId=launched, DisableApiTermination={"Value": False})
    ec2.stop_instances(InstanceIds=[launched], Force=True)
    ec2.modify_instance_attribute(InstanceId=launched, UserData={"Value": base64.b64encode(b"#!/bin/sh secret")})
    ec2.start_instances(InstanceIds=[launched])
    ec2.terminate_instances(InstanceIds=[launched])
    volume = ec2.create_volume(
        Size=1, AvailabilityZone="us-east-1a", TagSpecifications=tagged("volume"), ClientToken="7C289842"
    )["VolumeId"]
    ec2.create_snapshot(VolumeId=volume, TagSpecifications=tagged("snapshot"))
    ec2.delete_volume(VolumeId=volume)


def buckets(client: Any, name: str) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket=name, ACL="private")
    s3.put_object(Bucket=name, Key="log", Body=b"content")
    s3.delete_object(Bucket=name, Key="log")
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": TAGS})
    s3.put_bucket_policy(
        Bucket=name,
        Policy=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Sid": "AWSCloudTrailWrite",
                        "Effect": "Allow",
                        "Principal": {"Service": "cloudtrail.amazonaws.com"},
                        "Action": "s3:PutObject",
                        "Resource": f"arn:aws:s3:::{name}/*",
                        "Condition": {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}},
                    }
                ],
            }
        ),
    )
    s3.put_bucket_lifecycle_configuration(
        Bucket=name,
        LifecycleConfiguration={
            "Rules": [{"ID": "nuke", "Status": "Enabled", "Filter": {"Prefix": "*"}, "Expiration": {"Days": 1}}]
        },
    )
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled", "MFADelete": "Disabled"})
    s3.get_bucket_acl(Bucket=name)
    s3.get_bucket_location(Bucket=name)
    s3.list_buckets()
    s3.delete_bucket_lifecycle(Bucket=name)
    s3.delete_bucket_policy(Bucket=name)
    s3.delete_bucket(Bucket=name)


def people(client: Any, name: str) -> None:
    iam = client("iam")
    iam.create_role(
        Path="/",
        RoleName=name,
        AssumeRolePolicyDocument=TRUST,
        MaxSessionDuration=3600,
        Tags=TAGS,
    )
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=TRUST)
    iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=POLICY)
    arn = iam.create_policy(PolicyName=name, Path="/", PolicyDocument=POLICY, Description="", Tags=TAGS)["Policy"][
        "Arn"
    ]
    iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    iam.create_instance_profile(InstanceProfileName=f"{name}-p", Path="/", Tags=TAGS)
    iam.tag_instance_profile(InstanceProfileName=f"{name}-p", Tags=TAGS)
    iam.add_role_to_instance_profile(InstanceProfileName=f"{name}-p", RoleName=name)
    client("sts").assume_role(
        RoleArn=f"arn:aws:iam::123456789012:role/{name}", RoleSessionName="CHG1", DurationSeconds=900
    )
    client("sts").get_caller_identity()
    iam.remove_role_from_instance_profile(InstanceProfileName=f"{name}-p", RoleName=name)
    iam.delete_instance_profile(InstanceProfileName=f"{name}-p")
    iam.detach_role_policy(RoleName=name, PolicyArn=arn)
    iam.delete_role_policy(RoleName=name, PolicyName="inline")
    iam.delete_role(RoleName=name)
    iam.create_user(UserName=name, Path="/", Tags=TAGS)
    iam.attach_user_policy(UserName=name, PolicyArn=arn)
    iam.create_login_profile(UserName=name, Password="Secret-Pass-1!", PasswordResetRequired=False)
    iam.update_login_profile(UserName=name, Password="Secret-Pass-2!")
    iam.delete_login_profile(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"]
    iam.delete_access_key(UserName=name, AccessKeyId=key)
    iam.detach_user_policy(UserName=name, PolicyArn=arn)
    iam.delete_user(UserName=name)
    iam.delete_policy(PolicyArn=arn)


def functions(client: Any, name: str) -> None:
    client("iam").create_role(RoleName=f"{name}-l", AssumeRolePolicyDocument=TRUST)
    role = f"arn:aws:iam::123456789012:role/{name}-l"
    s3, lambda_ = client("s3"), client("lambda")
    s3.create_bucket(Bucket=f"{name}-code")
    s3.put_object(Bucket=f"{name}-code", Key="index.zip", Body=archive())
    code = {"S3Bucket": f"{name}-code", "S3Key": "index.zip"}
    arn = lambda_.create_function(
        FunctionName=name,
        Runtime="nodejs18.x",
        Role=role,
        Handler="index.test",
        Code=code,
        Description="",
        Timeout=3,
        MemorySize=128,
        Publish=False,
        PackageType="Zip",
        Environment={"Variables": {"TOKEN": "secret"}},
        Tags={"StratusRedTeam": "true"},
    )["FunctionArn"]
    lambda_.add_permission(FunctionName=name, StatementId="backdoor", Action="lambda:InvokeFunction", Principal="*")
    lambda_.remove_permission(FunctionName=name, StatementId="backdoor")
    layer = lambda_.publish_layer_version(LayerName=name, Content={"ZipFile": archive()})["LayerVersionArn"]
    lambda_.update_function_configuration(FunctionName=arn, Environment={"Variables": {}}, Layers=[layer])
    lambda_.update_function_code(FunctionName=arn, Publish=True, DryRun=False, **code)
    lambda_.delete_function(FunctionName=name)


def archive() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("index.js", "exports.test = () => 1")
    return packed.getvalue()


def databases(client: Any, name: str) -> None:
    ec2, rds = client("ec2"), client("rds")
    vpc = ec2.create_vpc(CidrBlock="10.3.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.3.{zone}.0/24", AvailabilityZone=f"us-east-1{'ab'[zone]}")[
            "Subnet"
        ]["SubnetId"]
        for zone in (0, 1)
    ]
    rds.create_db_subnet_group(
        DBSubnetGroupName=name, DBSubnetGroupDescription="Database subnets", SubnetIds=subnets, Tags=TAGS
    )
    rds.create_db_instance(
        DBInstanceIdentifier=name,
        DeletionProtection=False,
        DBSubnetGroupName=name,
        Engine="mysql",
        PubliclyAccessible=False,
        MasterUsername="admin",
        AllocatedStorage=10,
        BackupRetentionPeriod=0,
        DBName="shop",
        CopyTagsToSnapshot=False,
        StorageEncrypted=False,
        EngineVersion="8.0",
        Tags=TAGS,
        DBInstanceClass="db.t3.micro",
        MasterUserPassword="secret-password",
        AutoMinorVersionUpgrade=True,
    )
    rds.modify_db_instance(DBInstanceIdentifier=name, PubliclyAccessible=True, ApplyImmediately=True)
    rds.create_db_snapshot(DBInstanceIdentifier=name, DBSnapshotIdentifier=f"{name}-s", Tags=TAGS)
    rds.modify_db_snapshot_attribute(
        DBSnapshotIdentifier=f"{name}-s", AttributeName="restore", ValuesToAdd=["193672423079"]
    )
    rds.delete_db_snapshot(DBSnapshotIdentifier=f"{name}-s")
    rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True, DeleteAutomatedBackups=True)


def settings(client: Any, name: str) -> None:
    ssm, logs, secrets, trail, kms = (
        client("ssm"),
        client("logs"),
        client("secretsmanager"),
        client("cloudtrail"),
        client("kms"),
    )
    ssm.put_parameter(
        Name=f"/{name}/p",
        Value="secret",
        Type="SecureString",
        Overwrite=False,
        AllowedPattern="",
        Tags=TAGS,
        Tier="Standard",
    )
    ssm.get_parameter(Name=f"/{name}/p", WithDecryption=True)
    ssm.delete_parameter(Name=f"/{name}/p")
    logs.create_log_group(logGroupName=f"/{name}", tags={"StratusRedTeam": "true"})
    logs.delete_log_group(logGroupName=f"/{name}")
    secret = secrets.create_secret(
        Name=name,
        Description="",
        ForceOverwriteReplicaSecret=False,
        ClientRequestToken="D796F4C4-6073-485E-B59D-DEA24780EE7A",
    )["ARN"]
    secrets.put_secret_value(
        SecretId=secret, SecretString="s", ClientRequestToken="9128BF7A-DA94-40C0-873D-BCDF8A4013DC"
    )
    secrets.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
    client("s3").create_bucket(Bucket=f"{name}-trail")
    trail.create_trail(Name=name, S3BucketName=f"{name}-trail", IncludeGlobalServiceEvents=True, TagsList=TAGS)
    trail.put_event_selectors(
        TrailName=name,
        EventSelectors=[
            {
                "ReadWriteType": "ReadOnly",
                "IncludeManagementEvents": False,
                "DataResources": [{"Type": "AWS::S3::Object", "Values": []}],
                "ExcludeManagementEventSources": [],
            }
        ],
    )
    trail.start_logging(Name=name)
    trail.stop_logging(Name=name)
    trail.delete_trail(Name=name)
    key = kms.create_key(Description=name)["KeyMetadata"]["KeyId"]
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=POLICY, BypassPolicyLockoutSafetyCheck=False)
    kms.disable_key(KeyId=key)
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=30)


ALL = (network, groups, instances, buckets, people, functions, databases, settings)

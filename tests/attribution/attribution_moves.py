"""What is done to the estate: for every resource type how one is made, and what people then change of it by hand.

A move is one call that leaves a difference, and the call that would have left another one or takes it back. Which
differences it leaves is written beside it: an attribute of the resource, or of a part (`type.attribute`), or that a
resource or part came or went (`type came`).
"""

import io
import itertools
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from attribution_cast import ACCOUNT, REGION

Do = Callable[[Any, str], Any]
"""(a member's clients, the resource's id or, where it is made, its name)"""
Shape = Literal["set", "toggle", "again", "once"]
"""`set`: both calls can be made at any time, in any order. `toggle`: each undoes the other. `again`: the other deletes,
the call makes it anew. `once`: there is no other."""


@dataclass(frozen=True)
class Move:
    """One way to change one resource."""

    leaves: tuple[str, ...]
    do: Do
    other: Do | None = None
    shape: Shape = "set"
    on: str = ""
    """Suffix of the resource's name: moves that would disturb each other have a resource each."""
    masked: bool = False
    """The record does not show the value."""
    makes: bool = False
    """`do` gets a name and gives the id of what it made."""


@dataclass(frozen=True)
class Kind:
    """One resource type."""

    type: str
    make: Do
    """Gives the id by which its key is known."""
    moves: Sequence[Move]


def _document(effect: str, action: str, principal: str = "") -> str:
    who = {"Principal": {"AWS": principal}} if principal else {"Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": action, **who}]})


DENY, READ, ALLOW = (_document(*words) for words in (("Deny", "*"), ("Allow", "s3:Get*"), ("Allow", "*")))
OWN, OPEN, ODD = (
    _document("Allow", "*", principal) for principal in (f"arn:aws:iam::{ACCOUNT}:root", "*", "111122223333")
)
TRUST, TRUST_ODD = (
    _document("Allow", "sts:AssumeRole", principal) for principal in (f"arn:aws:iam::{ACCOUNT}:root", "111122223333")
)
PAIRS = [{"Key": "Name", "Value": "declared"}]
_numbers = itertools.count(1)


def _settings(
    leaves: str | tuple[str, ...], call: Callable[[Any, str, Any], Any], hand: Any, other: Any, **more: Any
) -> Move:
    """One call, with the value that stays and another one."""
    names = (leaves,) if isinstance(leaves, str) else leaves
    return Move(names, lambda c, i: call(c, i, hand), lambda c, i: call(c, i, other), **more)


def _undone(leaves: str, do: Do, undo: Do, on: str) -> Move:
    return Move((leaves,), do, undo, "toggle", on)


def _once(leaves: str, do: Do, on: str, **more: Any) -> Move:
    return Move((leaves,), do, None, "once", on, **more)


def _made_again(leaves: str | tuple[str, ...], make: Do, delete: Do) -> Move:
    """A resource that is deleted, and made again otherwise than it was declared."""
    return Move((leaves,) if isinstance(leaves, str) else leaves, make, delete, "again", "-again")


def _comes_and_goes(type_: str, make: Do, delete: Do, again: Do | None = None) -> tuple[Move, Move]:
    """A resource of a name of its own that is made by hand, and a declared one that is deleted."""
    return (
        Move((f"{type_} came",), make, delete, "toggle", "-new", makes=True),
        Move((f"{type_} went",), delete, again or make, "toggle", "-old"),
    )


# --- EC2 -----------------------------------------------------------------------------------------------------


def _tags(team: str) -> list[dict[str, str]]:
    return [{"Key": "team", "Value": team}]


def _ec2_tags() -> Move:
    return _settings("tags_all", lambda c, i, v: c.ec2.create_tags(Resources=[i], Tags=_tags(v)), "hand", "other")


def _named(type_: str, name: str) -> list[dict[str, Any]]:
    return [{"ResourceType": type_, "Tags": [{"Key": "Name", "Value": name}]}]


def _vpc(c: Any, name: str) -> str:
    made = c.ec2.create_vpc(CidrBlock=f"10.{next(_numbers)}.0.0/16", TagSpecifications=_named("vpc", name))
    return str(made["Vpc"]["VpcId"])


def _network(c: Any) -> str:
    """The VPC everything else stands in."""
    found = c.ec2.describe_vpcs(Filters=[{"Name": "tag:Name", "Values": ["network"]}])["Vpcs"]
    if found:
        return str(found[0]["VpcId"])
    made = c.ec2.create_vpc(CidrBlock="172.16.0.0/16", TagSpecifications=_named("vpc", "network"))
    return str(made["Vpc"]["VpcId"])


def _subnet(c: Any, name: str) -> str:
    block = f"172.16.{next(_numbers)}.0/24"
    made = c.ec2.create_subnet(VpcId=_network(c), CidrBlock=block, TagSpecifications=_named("subnet", name))
    return str(made["Subnet"]["SubnetId"])


def _permission(port: int, source: str, description: str = "") -> list[dict[str, Any]]:
    told = {"Description": description} if description else {}
    return [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": source, **told}]}]


def _group(c: Any, name: str) -> str:
    made = c.ec2.create_security_group(GroupName=name, Description="declared", VpcId=_network(c))["GroupId"]
    if not name.endswith("-new"):
        permissions = _permission(443, "10.0.0.0/8") + _permission(22, "10.1.0.0/16")
        c.ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=permissions)
    return str(made)


def _opens(port: int, source: str) -> Do:
    return lambda c, i: c.ec2.authorize_security_group_ingress(GroupId=i, IpPermissions=_permission(port, source))


def _closes(port: int, source: str) -> Do:
    return lambda c, i: c.ec2.revoke_security_group_ingress(GroupId=i, IpPermissions=_permission(port, source))


def _rule_of(c: Any, group: str) -> str:
    """Id of the group's rule for SSH."""
    found = c.ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])
    return next(str(one["SecurityGroupRuleId"]) for one in found["SecurityGroupRules"] if one["FromPort"] == 22)


def _edits(c: Any, i: str, source: str) -> None:
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIpv4": source}
    edited = {"SecurityGroupRuleId": _rule_of(c, i), "SecurityGroupRule": rule}
    c.ec2.modify_security_group_rules(GroupId=i, SecurityGroupRules=[edited])


_EVERYWHERE = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
RULE = "aws_security_group_rule"


def _instance(c: Any, name: str) -> str:
    group = c.ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["orders"]}])["SecurityGroups"]
    subnet = c.ec2.describe_subnets(Filters=[{"Name": "tag:Name", "Values": ["orders"]}])["Subnets"]
    made = c.ec2.run_instances(
        ImageId="ami-12c6146b",
        InstanceType="t3.micro",
        MinCount=1,
        MaxCount=1,
        SubnetId=subnet[0]["SubnetId"],
        SecurityGroupIds=[group[0]["GroupId"]],
        TagSpecifications=_named("instance", name),
    )["Instances"][0]["InstanceId"]
    if name.endswith("-size"):
        c.ec2.stop_instances(InstanceIds=[made])
    return str(made)


def _profile(c: Any, i: str) -> None:
    c.ec2.associate_iam_instance_profile(IamInstanceProfile={"Name": "machine"}, InstanceId=i)


def _groups(c: Any, i: str, name: str) -> None:
    found = c.ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [name]}])["SecurityGroups"]
    c.ec2.modify_instance_attribute(InstanceId=i, Groups=[found[0]["GroupId"]])


VPC = Kind(
    "aws_vpc",
    _vpc,
    (
        _settings(
            "enable_dns_hostnames",
            lambda c, i, v: c.ec2.modify_vpc_attribute(VpcId=i, EnableDnsHostnames={"Value": v}),
            True,
            False,
        ),
        _settings(
            "enable_dns_support",
            lambda c, i, v: c.ec2.modify_vpc_attribute(VpcId=i, EnableDnsSupport={"Value": v}),
            False,
            True,
        ),
        _ec2_tags(),
        _once("aws_vpc came", _vpc, "-new", makes=True),
        _once("aws_vpc went", lambda c, i: c.ec2.delete_vpc(VpcId=i), "-old"),
    ),
)
SUBNET = Kind(
    "aws_subnet",
    _subnet,
    (
        _settings(
            "map_public_ip_on_launch",
            lambda c, i, v: c.ec2.modify_subnet_attribute(SubnetId=i, MapPublicIpOnLaunch={"Value": v}),
            True,
            False,
        ),
        _ec2_tags(),
        _once("aws_subnet came", _subnet, "-new", makes=True),
        _once("aws_subnet went", lambda c, i: c.ec2.delete_subnet(SubnetId=i), "-old"),
    ),
)
GROUP = Kind(
    "aws_security_group",
    _group,
    (
        _undone(f"{RULE} came", _opens(3389, "0.0.0.0/0"), _closes(3389, "0.0.0.0/0"), ""),
        _settings(
            f"{RULE}.description",
            lambda c, i, v: c.ec2.update_security_group_rule_descriptions_ingress(
                GroupId=i, IpPermissions=_permission(443, "10.0.0.0/8", v)
            ),
            "by hand",
            "office",
        ),
        _ec2_tags(),
        _undone(f"{RULE} went", _closes(22, "10.1.0.0/16"), _opens(22, "10.1.0.0/16"), "-cut"),
        # A rule that is widened: one goes and one comes, by two calls.
        _undone(f"{RULE} went", _closes(22, "10.1.0.0/16"), _opens(22, "10.1.0.0/16"), "-wide"),
        _undone(f"{RULE} came", _opens(22, "0.0.0.0/0"), _closes(22, "0.0.0.0/0"), "-wide"),
        _undone(
            f"{RULE} went",
            lambda c, i: c.ec2.revoke_security_group_egress(GroupId=i, IpPermissions=_EVERYWHERE),
            lambda c, i: c.ec2.authorize_security_group_egress(GroupId=i, IpPermissions=_EVERYWHERE),
            "-out",
        ),
        _undone(
            f"{RULE} came",
            lambda c, i: c.ec2.authorize_security_group_egress(GroupId=i, IpPermissions=_permission(25, "0.0.0.0/0")),
            lambda c, i: c.ec2.revoke_security_group_egress(GroupId=i, IpPermissions=_permission(25, "0.0.0.0/0")),
            "-mail",
        ),
        # The same in one call.
        Move(
            (f"{RULE} went", f"{RULE} came"),
            lambda c, i: _edits(c, i, "0.0.0.0/0"),
            lambda c, i: _edits(c, i, "10.1.0.0/16"),
            "toggle",
            "-edit",
        ),
        _once(
            f"{RULE} went",
            lambda c, i: c.ec2.revoke_security_group_ingress(GroupId=i, SecurityGroupRuleIds=[_rule_of(c, i)]),
            "-id",
        ),
        _once("aws_security_group came", _group, "-new", makes=True),
        # Its rules go with it.
        Move(
            (f"{RULE} went", "aws_security_group went"),
            lambda c, i: c.ec2.delete_security_group(GroupId=i),
            None,
            "once",
            "-old",
        ),
    ),
)
INSTANCE = Kind(
    "aws_instance",
    _instance,
    (
        _settings(
            "source_dest_check",
            lambda c, i, v: c.ec2.modify_instance_attribute(InstanceId=i, SourceDestCheck={"Value": v}),
            False,
            True,
        ),
        _settings(
            "metadata_options",
            lambda c, i, v: c.ec2.modify_instance_metadata_options(
                InstanceId=i, HttpTokens="required", HttpPutResponseHopLimit=v
            ),
            3,
            2,
        ),
        _settings("vpc_security_group_ids", _groups, "ledger", "ledger-cut"),
        _once("iam_instance_profile", _profile, ""),
        _ec2_tags(),
        _settings(
            "instance_type",
            lambda c, i, v: c.ec2.modify_instance_attribute(InstanceId=i, InstanceType={"Value": v}),
            "m5.large",
            "t3.small",
            on="-size",
        ),
        _once("aws_instance came", _instance, "-new", makes=True),
        _once("aws_instance went", lambda c, i: c.ec2.terminate_instances(InstanceIds=[i]), "-old"),
    ),
)

# --- IAM -----------------------------------------------------------------------------------------------------


def _policy_arn(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:policy/{name}"


def _policy(c: Any, name: str) -> str:
    # Deleted and made again, it is known by its ARN.
    return str(c.iam.create_policy(PolicyName=name.rsplit("/", 1)[-1], PolicyDocument=DENY)["Policy"]["Arn"])


def _role(c: Any, name: str) -> str:
    c.iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
    if not name.endswith(("-new", "-old", "-again")):
        c.iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=DENY)
        c.iam.attach_role_policy(RoleName=name, PolicyArn=_policy_arn("read"))
    return name


def _attach(policy: str) -> Do:
    return lambda c, i: c.iam.attach_role_policy(RoleName=i, PolicyArn=_policy_arn(policy))


def _detach(policy: str) -> Do:
    return lambda c, i: c.iam.detach_role_policy(RoleName=i, PolicyArn=_policy_arn(policy))


def _writes(policy: str, document: str) -> Do:
    return lambda c, i: c.iam.put_role_policy(RoleName=i, PolicyName=policy, PolicyDocument=document)


def _drops(policy: str) -> Do:
    return lambda c, i: c.iam.delete_role_policy(RoleName=i, PolicyName=policy)


ROLE = Kind(
    "aws_iam_role",
    _role,
    (
        _settings(
            "assume_role_policy",
            lambda c, i, v: c.iam.update_assume_role_policy(RoleName=i, PolicyDocument=v),
            _document("Allow", "sts:AssumeRole", "*"),
            TRUST_ODD,
        ),
        _settings(
            "max_session_duration", lambda c, i, v: c.iam.update_role(RoleName=i, MaxSessionDuration=v), 43200, 7200
        ),
        _undone(
            "permissions_boundary",
            lambda c, i: c.iam.put_role_permissions_boundary(RoleName=i, PermissionsBoundary=_policy_arn("read")),
            lambda c, i: c.iam.delete_role_permissions_boundary(RoleName=i),
            "",
        ),
        _settings("tags_all", lambda c, i, v: c.iam.tag_role(RoleName=i, Tags=_tags(v)), "hand", "other"),
        Move(("aws_iam_role_policy.policy",), _writes("own", ALLOW), _writes("own", READ)),
        _undone("aws_iam_role_policy came", _writes("extra", ALLOW), _drops("extra"), ""),
        _undone("aws_iam_role_policy_attachment came", _attach("admin"), _detach("admin"), ""),
        _undone("aws_iam_role_policy_attachment went", _detach("read"), _attach("read"), "-cut"),
        _undone("aws_iam_role_policy went", _drops("own"), _writes("own", DENY), "-cut"),
        _made_again(
            "assume_role_policy",
            lambda c, i: c.iam.create_role(RoleName=i, AssumeRolePolicyDocument=TRUST_ODD),
            lambda c, i: c.iam.delete_role(RoleName=i),
        ),
        *_comes_and_goes("aws_iam_role", _role, lambda c, i: c.iam.delete_role(RoleName=i)),
    ),
)
POLICY = Kind(
    "aws_iam_policy",
    _policy,
    (
        _settings(
            "policy",
            lambda c, i, v: c.iam.create_policy_version(PolicyArn=i, PolicyDocument=v, SetAsDefault=True),
            ALLOW,
            READ,
        ),
        _settings("tags_all", lambda c, i, v: c.iam.tag_policy(PolicyArn=i, Tags=_tags(v)), "hand", "other"),
        _made_again(
            "policy",
            lambda c, i: c.iam.create_policy(PolicyName=i.rsplit("/", 1)[-1], PolicyDocument=ALLOW),
            lambda c, i: c.iam.delete_policy(PolicyArn=i),
        ),
        *_comes_and_goes("aws_iam_policy", _policy, lambda c, i: c.iam.delete_policy(PolicyArn=i)),
    ),
)

# --- S3 ------------------------------------------------------------------------------------------------------

_SWITCHES = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")


def _block(c: Any, i: str, off: str) -> None:
    switches = {name: name != off for name in _SWITCHES}
    c.s3.put_public_access_block(Bucket=i, PublicAccessBlockConfiguration=switches)


def _encryption(c: Any, i: str, applied: dict[str, str]) -> None:
    rules = [{"ApplyServerSideEncryptionByDefault": applied, "BucketKeyEnabled": True}]
    c.s3.put_bucket_encryption(Bucket=i, ServerSideEncryptionConfiguration={"Rules": rules})


def _versioning(c: Any, i: str, status: str) -> None:
    c.s3.put_bucket_versioning(Bucket=i, VersioningConfiguration={"Status": status})


def _bucket_policy(c: Any, i: str, policy: str) -> None:
    c.s3.put_bucket_policy(Bucket=i, Policy=policy)


_KMS = {"SSEAlgorithm": "aws:kms"}


def _bucket(c: Any, name: str) -> str:
    c.s3.create_bucket(Bucket=name)
    if not name.endswith(("-new", "-old")):
        _encryption(c, name, _KMS)
        _versioning(c, name, "Enabled")
        _block(c, name, "IgnorePublicAcls")
        c.s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": PAIRS})
        if not name.endswith("-plain"):
            _bucket_policy(c, name, OWN)
    return name


_BLOCK, _RULES = "aws_s3_bucket_public_access_block", "aws_s3_bucket_server_side_encryption_configuration.rule"
BUCKET = Kind(
    "aws_s3_bucket",
    _bucket,
    (
        _settings(
            "tags_all",
            # It sets all tags there are.
            lambda c, i, v: c.s3.put_bucket_tagging(Bucket=i, Tagging={"TagSet": PAIRS + _tags(v)}),
            "hand",
            "other",
        ),
        _settings("aws_s3_bucket_versioning.versioning_configuration", _versioning, "Suspended", "Enabled"),
        _settings(
            (f"{_BLOCK}.block_public_policy", f"{_BLOCK}.ignore_public_acls"),
            _block,
            "BlockPublicPolicy",
            "IgnorePublicAcls",
        ),
        _settings(_RULES, _encryption, {"SSEAlgorithm": "AES256"}, {**_KMS, "KMSMasterKeyID": "alias/other"}),
        _settings("aws_s3_bucket_policy.policy", _bucket_policy, OPEN, ODD),
        Move(
            tuple(
                f"{_BLOCK}.{name}" for name in ("block_public_acls", "block_public_policy", "restrict_public_buckets")
            ),
            lambda c, i: c.s3.delete_public_access_block(Bucket=i),
            lambda c, i: _block(c, i, "IgnorePublicAcls"),
            on="-bare",
        ),
        Move(
            (_RULES,),
            lambda c, i: c.s3.delete_bucket_encryption(Bucket=i),
            lambda c, i: _encryption(c, i, _KMS),
            on="-bare",
        ),
        Move(
            ("aws_s3_bucket_policy went",),
            lambda c, i: c.s3.delete_bucket_policy(Bucket=i),
            lambda c, i: _bucket_policy(c, i, OWN),
            on="-bare",
        ),
        Move(
            ("aws_s3_bucket_policy came",),
            lambda c, i: _bucket_policy(c, i, OPEN),
            lambda c, i: c.s3.delete_bucket_policy(Bucket=i),
            on="-plain",
        ),
        *_comes_and_goes("aws_s3_bucket", _bucket, lambda c, i: c.s3.delete_bucket(Bucket=i)),
    ),
)

# --- KMS, SNS, SQS, DynamoDB ---------------------------------------------------------------------------------


def _key(c: Any, name: str) -> str:
    return str(c.kms.create_key(Policy=OWN, Description=name)["KeyMetadata"]["KeyId"])


KEY = Kind(
    "aws_kms_key",
    _key,
    (
        Move(
            ("enable_key_rotation",),
            lambda c, i: c.kms.enable_key_rotation(KeyId=f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{i}"),
            lambda c, i: c.kms.disable_key_rotation(KeyId=i),
        ),
        _settings("policy", lambda c, i, v: c.kms.put_key_policy(KeyId=i, PolicyName="default", Policy=v), OPEN, ODD),
        _settings(
            "description", lambda c, i, v: c.kms.update_key_description(KeyId=i, Description=v), "by hand", "nobody's"
        ),
        _settings(
            "tags_all",
            lambda c, i, v: c.kms.tag_resource(KeyId=i, Tags=[{"TagKey": "team", "TagValue": v}]),
            "hand",
            "other",
        ),
        Move(("is_enabled",), lambda c, i: c.kms.disable_key(KeyId=i), lambda c, i: c.kms.enable_key(KeyId=i)),
        _once("aws_kms_key came", _key, "-new", makes=True),
        _undone(
            "aws_kms_key went",
            lambda c, i: c.kms.schedule_key_deletion(KeyId=i),
            lambda c, i: c.kms.cancel_key_deletion(KeyId=i),
            "-old",
        ),
    ),
)


def _topic(c: Any, name: str) -> str:
    # Deleted and made again, it is known by its ARN.
    return str(c.sns.create_topic(Name=name.rsplit(":", 1)[-1])["TopicArn"])


def _topic_setting(leaves: str, member: str, hand: str, other: str) -> Move:
    def call(c: Any, i: str, value: str) -> None:
        c.sns.set_topic_attributes(TopicArn=i, AttributeName=member, AttributeValue=value)

    return _settings(leaves, call, hand, other)


TOPIC = Kind(
    "aws_sns_topic",
    _topic,
    (
        _topic_setting("policy", "Policy", OPEN, ODD),
        _topic_setting("display_name", "DisplayName", "by hand", "nobody's"),
        _topic_setting("kms_master_key_id", "KmsMasterKeyId", "alias/hand", "alias/other"),
        _settings("tags_all", lambda c, i, v: c.sns.tag_resource(ResourceArn=i, Tags=_tags(v)), "hand", "other"),
        _once(
            "policy",
            lambda c, i: c.sns.add_permission(
                TopicArn=i, Label="x", AWSAccountId=["111122223333"], ActionName=["Publish"]
            ),
            "-shared",
            masked=True,
        ),
        *_comes_and_goes("aws_sns_topic", _topic, lambda c, i: c.sns.delete_topic(TopicArn=i)),
    ),
)


def _url(name: str) -> str:
    return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}"


def _queue(c: Any, name: str) -> str:
    c.sqs.create_queue(QueueName=name, **({"tags": {"team": "shop"}} if name.endswith("-tagged") else {}))
    return name


def _queue_setting(leaves: str | tuple[str, ...], hand: dict[str, str], other: dict[str, str], on: str = "") -> Move:
    def call(c: Any, i: str, attributes: dict[str, str]) -> None:
        c.sqs.set_queue_attributes(QueueUrl=_url(i), Attributes=attributes)

    return _settings(leaves, call, hand, other, on=on)


QUEUE = Kind(
    "aws_sqs_queue",
    _queue,
    (
        _queue_setting("delay_seconds", {"DelaySeconds": "9"}, {"DelaySeconds": "7"}),
        _queue_setting(
            ("policy", "visibility_timeout_seconds"),
            {"Policy": OPEN, "VisibilityTimeout": "99"},
            {"Policy": ODD, "VisibilityTimeout": "77"},
            # moto forgets the policy when another call sets something else.
            on="-open",
        ),
        _queue_setting(
            "message_retention_seconds", {"MessageRetentionPeriod": "60"}, {"MessageRetentionPeriod": "1209600"}
        ),
        _settings("tags_all", lambda c, i, v: c.sqs.tag_queue(QueueUrl=_url(i), Tags={"team": v}), "hand", "other"),
        _once(
            "policy",
            lambda c, i: c.sqs.add_permission(
                QueueUrl=_url(i), Label="x", AWSAccountIds=["111122223333"], Actions=["SendMessage"]
            ),
            "-shared",
            masked=True,
        ),
        # Two calls, and the tags are what both of them set.
        *(
            _once("tags_all", lambda c, i, tag=tag: c.sqs.tag_queue(QueueUrl=_url(i), Tags={tag: "hand"}), "-both")
            for tag in ("team", "cost-centre")
        ),
        _once(
            "tags_all",
            lambda c, i: c.sqs.untag_queue(QueueUrl=_url(i), TagKeys=["team"]),
            "-tagged",
            masked=True,
        ),
        _made_again(
            "delay_seconds",
            lambda c, i: c.sqs.create_queue(QueueName=i, Attributes={"DelaySeconds": "9"}),
            lambda c, i: c.sqs.delete_queue(QueueUrl=_url(i)),
        ),
        *_comes_and_goes("aws_sqs_queue", _queue, lambda c, i: c.sqs.delete_queue(QueueUrl=_url(i))),
    ),
)


def _table(c: Any, name: str, mode: str = "PAY_PER_REQUEST") -> str:
    c.dynamodb.create_table(
        TableName=name,
        BillingMode=mode,
        **(
            {"ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}}
            if mode == "PROVISIONED"
            else {}
        ),
        DeletionProtectionEnabled=not name.endswith(("-new", "-old", "-again")),
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    return name


def _expires(c: Any, i: str, attribute: str) -> None:
    c.dynamodb.update_time_to_live(TableName=i, TimeToLiveSpecification={"Enabled": True, "AttributeName": attribute})


TABLE = Kind(
    "aws_dynamodb_table",
    _table,
    (
        _settings(
            "deletion_protection_enabled",
            lambda c, i, v: c.dynamodb.update_table(TableName=i, DeletionProtectionEnabled=v),
            False,
            True,
        ),
        _settings(
            "point_in_time_recovery",
            lambda c, i, v: c.dynamodb.update_continuous_backups(
                TableName=i, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": v}
            ),
            True,
            False,
        ),
        Move(
            ("stream_enabled", "stream_view_type"),
            lambda c, i: c.dynamodb.update_table(
                TableName=i, StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
            ),
            shape="once",
        ),
        _once("ttl", lambda c, i: _expires(c, i, "expires"), ""),
        _settings(
            "tags_all",
            lambda c, i, v: c.dynamodb.tag_resource(
                ResourceArn=f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{i}", Tags=_tags(v)
            ),
            "hand",
            "other",
        ),
        _made_again(
            ("billing_mode", "read_capacity", "write_capacity"),
            lambda c, i: _table(c, i, "PROVISIONED"),
            lambda c, i: c.dynamodb.delete_table(TableName=i),
        ),
        *_comes_and_goes("aws_dynamodb_table", _table, lambda c, i: c.dynamodb.delete_table(TableName=i)),
    ),
)

# --- Lambda, RDS, Logs, SSM ----------------------------------------------------------------------------------


def _code(text: str) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr(zipfile.ZipInfo("app.py"), text)
    return archive.getvalue()


def _function(c: Any, name: str) -> str:
    c.lambda_.create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role=f"arn:aws:iam::{ACCOUNT}:role/machine",
        Handler="app.main",
        Code={"ZipFile": _code("1")},
    )
    return name


def _function_arn(i: str) -> str:
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{i}"


def _function_name(i: str) -> str:
    """A call may name a function by its ARN."""
    return {"l": _function_arn(i), "o": i}[i[0]]


def _configures(leaves: str | tuple[str, ...], hand: dict[str, Any], other: dict[str, Any], **more: Any) -> Move:
    def call(c: Any, i: str, fields: dict[str, Any]) -> None:
        c.lambda_.update_function_configuration(FunctionName=_function_name(i), **fields)

    return _settings(leaves, call, hand, other, **more)


FUNCTION = Kind(
    "aws_lambda_function",
    _function,
    (
        _configures(("memory_size", "timeout"), {"MemorySize": 512, "Timeout": 60}, {"MemorySize": 256, "Timeout": 30}),
        _configures("handler", {"Handler": "app.hand"}, {"Handler": "app.other"}),
        _configures("runtime", {"Runtime": "python3.13"}, {"Runtime": "python3.11"}),
        _configures(
            "role",
            {"Role": f"arn:aws:iam::{ACCOUNT}:role/orders"},
            {"Role": f"arn:aws:iam::{ACCOUNT}:role/ledger"},
        ),
        _settings(
            "code_sha256",
            lambda c, i, v: c.lambda_.update_function_code(FunctionName=_function_name(i), ZipFile=_code(v)),
            "hand",
            "other",
        ),
        _settings(
            "tags_all",
            lambda c, i, v: c.lambda_.tag_resource(Resource=_function_arn(i), Tags={"team": v}),
            "hand",
            "other",
        ),
        _configures(
            "environment",
            {"Environment": {"Variables": {"STAGE": "hand"}}},
            {"Environment": {"Variables": {"STAGE": "other"}}},
            masked=True,
        ),
        *_comes_and_goes("aws_lambda_function", _function, lambda c, i: c.lambda_.delete_function(FunctionName=i)),
    ),
)


def _database(c: Any, name: str) -> str:
    c.rds.create_db_instance(
        DBInstanceIdentifier=name,
        DBInstanceClass="db.t3.micro",
        Engine="mysql",
        AllocatedStorage=20,
        MasterUsername="root",
        MasterUserPassword="not-for-the-log",
    )
    return name


def _modifies(leaves: str | tuple[str, ...], hand: dict[str, Any], other: dict[str, Any]) -> Move:
    def call(c: Any, i: str, fields: dict[str, Any]) -> None:
        c.rds.modify_db_instance(DBInstanceIdentifier=i, ApplyImmediately=True, **fields)

    return _settings(leaves, call, hand, other)


DATABASE = Kind(
    "aws_db_instance",
    _database,
    (
        _modifies("publicly_accessible", {"PubliclyAccessible": True}, {"PubliclyAccessible": False}),
        _modifies(
            ("backup_retention_period", "instance_class"),
            {"BackupRetentionPeriod": 35, "DBInstanceClass": "db.m5.large"},
            {"BackupRetentionPeriod": 7, "DBInstanceClass": "db.m5.xlarge"},
        ),
        _modifies(
            "iam_database_authentication_enabled",
            {"EnableIAMDatabaseAuthentication": True},
            {"EnableIAMDatabaseAuthentication": False},
        ),
        _settings(
            "tags_all",
            lambda c, i, v: c.rds.add_tags_to_resource(
                ResourceName=f"arn:aws:rds:{REGION}:{ACCOUNT}:db:{i}", Tags=_tags(v)
            ),
            "hand",
            "other",
        ),
        _once(
            "enabled_cloudwatch_logs_exports",
            lambda c, i: c.rds.modify_db_instance(
                DBInstanceIdentifier=i, CloudwatchLogsExportConfiguration={"EnableLogTypes": ["error"]}
            ),
            "-logs",
            masked=True,
        ),
        *_comes_and_goes(
            "aws_db_instance",
            _database,
            lambda c, i: c.rds.delete_db_instance(DBInstanceIdentifier=i, SkipFinalSnapshot=True),
        ),
    ),
)


def _log_group(c: Any, name: str) -> str:
    c.logs.create_log_group(logGroupName=name)
    return name


LOG_GROUP = Kind(
    "aws_cloudwatch_log_group",
    _log_group,
    (
        _settings(
            "retention_in_days",
            lambda c, i, v: c.logs.put_retention_policy(logGroupName=i, retentionInDays=v),
            1,
            7,
        ),
        _settings(
            "tags_all",
            lambda c, i, v: c.logs.tag_resource(
                resourceArn=f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{i}", tags={"team": v}
            ),
            "hand",
            "other",
        ),
        *_comes_and_goes("aws_cloudwatch_log_group", _log_group, lambda c, i: c.logs.delete_log_group(logGroupName=i)),
    ),
)


def _parameter(c: Any, name: str) -> str:
    c.ssm.put_parameter(Name=name, Value="1", Type="String")
    return name


def _overwrites(leaves: str, hand: dict[str, Any], other: dict[str, Any], **more: Any) -> Move:
    def call(c: Any, i: str, fields: dict[str, Any]) -> None:
        c.ssm.put_parameter(Name=i, Overwrite=True, **{"Value": "1", "Type": "String", **fields})

    return _settings(leaves, call, hand, other, **more)


PARAMETER = Kind(
    "aws_ssm_parameter",
    _parameter,
    (
        _overwrites("value", {"Value": "hand"}, {"Value": "other"}, masked=True),
        _settings(
            "tags_all",
            lambda c, i, v: c.ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId=i, Tags=_tags(v)),
            "hand",
            "other",
        ),
        _overwrites("description", {"Description": "by hand"}, {"Description": "nobody's"}, on="-text"),
        *_comes_and_goes("aws_ssm_parameter", _parameter, lambda c, i: c.ssm.delete_parameter(Name=i)),
    ),
)

KINDS: Sequence[Kind] = (
    VPC, SUBNET, POLICY, ROLE, GROUP, INSTANCE, BUCKET, KEY, TOPIC, QUEUE, TABLE, FUNCTION, DATABASE, LOG_GROUP,
    PARAMETER,
)  # fmt: skip
"""In the order in which they can be made."""


def of_name(kind: Kind, move: Move, name: str) -> Move:
    """The move with its leavings in full: `type.attribute`, `type came`, `type went`."""
    return replace(move, leaves=tuple(one if "." in one or " " in one else f"{kind.type}.{one}" for one in move.leaves))

"""EC2 instance. Whether it runs is operation, not configuration: starting and stopping are no events of it."""

from collections.abc import Callable, Mapping
from typing import Any

import jmespath

from agent import tags
from agent.model import Unknown
from agent.resources import Attribute, Call, Event, Item, Spec
from agent.resources.aws_vpc import PAGE, by_id, tag_events

_OWNERS = {
    "aws:autoscaling:groupName": "Auto Scaling group",
    "aws:ec2:fleet-id": "EC2 Fleet",
    "aws:ec2spot:fleet-request-id": "Spot Fleet",
    "aws:elasticmapreduce:job-flow-id": "EMR cluster",
}
"""Tag → what launches and replaces the instance. Nobody but AWS can set a tag that begins with `aws:`."""

_METADATA_OPTIONS = (
    "http_endpoint",
    "http_protocol_ipv6",
    "http_put_response_hop_limit",
    "http_tokens",
    "instance_metadata_tags",
)


def _metadata_options(path: str, first: Callable[[str], str]) -> str:
    """JMESPath to the block at `path`; `first` spells the first letter of a member: EC2's way or CloudTrail's."""
    members = {name: "".join(word.capitalize() for word in name.split("_")) for name in _METADATA_OPTIONS}
    return f"{path} | [{{{', '.join(f'{name}: {first(m[0])}{m[1:]}' for name, m in members.items())}}}]"


def _profile(path: str) -> Callable[[Mapping[str, Any]], str | None]:
    """The instance profile's name, where its ARN is at this JMESPath."""
    compiled = jmespath.compile(path)

    def name(item: Mapping[str, Any]) -> str | None:
        arn = compiled.search(item)
        return str(arn).rsplit("/", 1)[-1] if arn else None

    return name


def _provided(item: Item) -> str:
    for tag in item.get("Tags") or ():
        if tag["Key"] in _OWNERS:
            return f"launched by the {_OWNERS[tag['Key']]} {tag['Value']}"
    return ""


def _user_data(record: Mapping[str, Any]) -> Unknown | None:
    asked = record.get("requestParameters") or {}
    return Unknown("CloudTrail does not record user data") if "userData" in asked else None


def _association(event: str) -> tuple[str, str]:
    """Paths to the instance and the profile in the answer of a call on an instance's profile."""
    answer = f"responseElements.{event}Response.iamInstanceProfileAssociation"
    return f"{answer}.instanceId", f"{answer}.iamInstanceProfile.arn"


_LISTING = Call(
    "describe_instances",
    items="Reservations[].Instances[]",
    # A terminated instance is listed for an hour more.
    args={
        "Filters": [{"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}],
        **PAGE,
    },
)

SPEC = Spec(
    service="ec2",
    listing=_LISTING,
    one=by_id(_LISTING, "instance-id"),
    identity=("id",),
    identifiers=("id",),
    names={"id": "InstanceId"},
    provided=_provided,
    attributes=(
        Attribute("ami", "ImageId", topic="compute"),
        Attribute("instance_type", "InstanceType", topic="compute"),
        Attribute("availability_zone", "Placement.AvailabilityZone", topic="compute"),
        Attribute("tenancy", "Placement.Tenancy", topic="compute", default="default"),
        Attribute("subnet_id", "SubnetId", topic="network"),
        Attribute("vpc_security_group_ids", "SecurityGroups[].GroupId", "set", "network"),
        Attribute("source_dest_check", "SourceDestCheck", "bool", "network", default=True),
        Attribute("iam_instance_profile", _profile("IamInstanceProfile.Arn"), topic="identity"),
        Attribute("key_name", "KeyName", topic="identity"),
        Attribute("metadata_options", _metadata_options("MetadataOptions", str.upper), "list", "exposure"),
        Attribute(
            "monitoring",
            "Monitoring.State == 'enabled' || Monitoring.State == 'pending'",
            "bool",
            "logging",
            default=False,
        ),
        Attribute("ebs_optimized", "EbsOptimized", "bool", "compute", default=False),
        Attribute("tags_all", "Tags", "tags"),
    ),
    events=(
        Event(
            "RunInstances",
            "responseElements.instancesSet.items[].instanceId",
            "create",
            sets={
                "ami": "responseElements.instancesSet.items[0].imageId",
                "instance_type": "responseElements.instancesSet.items[0].instanceType",
                "subnet_id": "responseElements.instancesSet.items[0].subnetId",
                "vpc_security_group_ids": "responseElements.instancesSet.items[0].groupSet.items[].groupId",
                "iam_instance_profile": _profile("responseElements.instancesSet.items[0].iamInstanceProfile.arn"),
                "tags_all": tags.at("responseElements.instancesSet.items[0].tagSet.items"),
            },
        ),
        Event("TerminateInstances", "requestParameters.instancesSet.items[].instanceId", "delete"),
        Event(
            "ModifyInstanceAttribute",
            "requestParameters.instanceId",
            sets={
                "instance_type": "requestParameters.instanceType.value",
                "vpc_security_group_ids": "requestParameters.groupSet.items[].groupId",
                "source_dest_check": "requestParameters.sourceDestCheck.value",
                "ebs_optimized": "requestParameters.ebsOptimized.value",
                "user_data": _user_data,
                "disable_api_termination": "requestParameters.disableApiTermination.value",
                "disable_api_stop": "requestParameters.disableApiStop.value",
                "instance_initiated_shutdown_behavior": "requestParameters.instanceInitiatedShutdownBehavior.value",
            },
        ),
        Event(
            "ModifyInstanceMetadataOptions",
            "requestParameters.ModifyInstanceMetadataOptionsRequest.InstanceId",
            sets={
                "metadata_options": _metadata_options(
                    "responseElements.ModifyInstanceMetadataOptionsResponse.instanceMetadataOptions", str.lower
                )
            },
        ),
        *(
            Event(name, _association(name)[0], sets={"iam_instance_profile": _profile(_association(name)[1])})
            for name in ("AssociateIamInstanceProfile", "ReplaceIamInstanceProfileAssociation")
        ),
        Event(
            "DisassociateIamInstanceProfile",
            _association("DisassociateIamInstanceProfile")[0],
            sets={"iam_instance_profile": lambda _: ""},
        ),
        Event(
            "ModifyInstancePlacement",
            "requestParameters.ModifyInstancePlacementRequest.InstanceId",
            sets={"tenancy": "requestParameters.ModifyInstancePlacementRequest.Tenancy", "host_id": ""},
        ),
        *(
            Event(name, "requestParameters.instancesSet.items[].instanceId", sets={"monitoring": monitored})
            for name, monitored in (("MonitorInstances", "`true`"), ("UnmonitorInstances", "`false`"))
        ),
        *tag_events("i-"),
    ),
)

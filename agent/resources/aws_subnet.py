"""Subnet of a VPC."""

from agent import tags
from agent.resources import Attribute, Call, Event, Spec
from agent.resources.aws_vpc import PAGE, by_id, tag_events

_LISTING = Call("describe_subnets", items="Subnets", args=PAGE)

SPEC = Spec(
    service="ec2",
    listing=_LISTING,
    one=by_id(_LISTING, "subnet-id"),
    identity=("id",),
    identifiers=("id", "arn"),
    names={"id": "SubnetId", "arn": "SubnetArn"},
    provided=lambda item: "default subnet of its zone" if item["DefaultForAz"] else "",
    attributes=(
        Attribute("vpc_id", "VpcId", topic="network"),
        Attribute("cidr_block", "CidrBlock", topic="network"),
        Attribute(
            "ipv6_cidr_block",
            "Ipv6CidrBlockAssociationSet[?Ipv6CidrBlockState.State == 'associated'].Ipv6CidrBlock | [0]",
            topic="network",
        ),
        Attribute("availability_zone", "AvailabilityZone", topic="network"),
        Attribute("map_public_ip_on_launch", "MapPublicIpOnLaunch", "bool", "exposure", default=False),
        Attribute("assign_ipv6_address_on_creation", "AssignIpv6AddressOnCreation", "bool", "exposure", default=False),
        Attribute("enable_dns64", "EnableDns64", "bool", "network", default=False),
        Attribute(
            "private_dns_hostname_type_on_launch",
            "PrivateDnsNameOptionsOnLaunch.HostnameType",
            topic="network",
            default="ip-name",
        ),
        Attribute("tags_all", "Tags", "tags"),
    ),
    events=(
        Event(
            "CreateSubnet",
            "responseElements.subnet.subnetId",
            "create",
            sets={
                "vpc_id": "responseElements.subnet.vpcId",
                "cidr_block": "responseElements.subnet.cidrBlock",
                "availability_zone": "responseElements.subnet.availabilityZone",
                "tags_all": tags.at("responseElements.subnet.tagSet.items"),
            },
        ),
        Event("CreateDefaultSubnet", "responseElements.CreateDefaultSubnetResponse.subnet.subnetId", "create"),
        Event("DeleteSubnet", "requestParameters.subnetId", "delete"),
        Event(
            "ModifySubnetAttribute",
            "requestParameters.subnetId",
            sets={
                "map_public_ip_on_launch": "requestParameters.mapPublicIpOnLaunch.value",
                "assign_ipv6_address_on_creation": "requestParameters.assignIpv6AddressOnCreation.value",
                "enable_dns64": "requestParameters.enableDns64.value",
                "private_dns_hostname_type_on_launch": "requestParameters.privateDnsHostnameTypeOnLaunch",
            },
        ),
        *tag_events("subnet-"),
    ),
)

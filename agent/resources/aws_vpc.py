"""Amazon VPC. Hides how EC2 tags any of its resources, for the other EC2 types too."""

from collections.abc import Iterable, Sequence

from agent import tags
from agent.resources import Ask, Attribute, Call, Event, Item, One, Spec

PAGE = {"MaxResults": 1000}
"""The most that EC2's list calls give at once."""


def tag_events(prefix: str) -> tuple[Event, ...]:
    """CreateTags and DeleteTags, which name resources of any type by id, for the ids with this prefix (`vpc-`)."""
    ids = f"requestParameters.resourcesSet.items[?starts_with(resourceId, '{prefix}')].resourceId"
    return (
        Event("CreateTags", ids, sets={"tags_all": tags.at("requestParameters.tagSet.items")}),
        Event("DeleteTags", ids, sets={"tags_all": ""}),
    )


def by_id(listing: Call, filter_: str) -> One:
    """How one EC2 type is read by ids: a filter, unlike a list of ids, is no error where one of them is gone."""

    def read(ask: Ask, ids: Sequence[str]) -> Iterable[Item]:
        for start in range(0, len(ids), _MOST_VALUES):
            values = {"Name": filter_, "Values": list(ids[start : start + _MOST_VALUES])}
            yield from ask(listing, Filters=[*listing.args.get("Filters", ()), values])

    return One((listing,), lambda name: name.rsplit("/", 1)[-1], read)


_MOST_VALUES = 200
"""Values that one filter takes."""


def _switch(name: str) -> Call:
    """The call that reads one of the switches `describe_vpcs` leaves out."""
    member = name[0].upper() + name[1:]
    return Call(
        "describe_vpc_attribute",
        items=f"{member}.Value",
        args={"Attribute": name},
        bind={"VpcId": "VpcId"},
        into=member,
        gone=("InvalidVpcID.NotFound",),
    )


_LISTING = Call("describe_vpcs", items="Vpcs", args=PAGE)

SPEC = Spec(
    service="ec2",
    listing=_LISTING,
    one=by_id(_LISTING, "vpc-id"),
    details=(_switch("enableDnsSupport"), _switch("enableDnsHostnames")),
    identity=("id",),
    identifiers=("id",),
    names={"id": "VpcId"},
    provided=lambda item: "AWS creates a default VPC in every region" if item["IsDefault"] else "",
    attributes=(
        Attribute("cidr_block", "CidrBlock", topic="network"),
        Attribute("instance_tenancy", "InstanceTenancy", topic="compute", default="default"),
        Attribute("enable_dns_support", "EnableDnsSupport", "bool", "network", default=True),
        Attribute("enable_dns_hostnames", "EnableDnsHostnames", "bool", "network", default=False),
        Attribute("tags_all", "Tags", "tags"),
    ),
    events=(
        Event(
            "CreateVpc",
            "responseElements.vpc.vpcId",
            "create",
            sets={
                "cidr_block": "responseElements.vpc.cidrBlock",
                "instance_tenancy": "responseElements.vpc.instanceTenancy",
                "tags_all": tags.at("responseElements.vpc.tagSet.items"),
            },
        ),
        Event("CreateDefaultVpc", "responseElements.CreateDefaultVpcResponse.vpc.vpcId", "create"),
        Event("DeleteVpc", "requestParameters.vpcId", "delete"),
        Event(
            "ModifyVpcAttribute",
            "requestParameters.vpcId",
            sets={
                "enable_dns_support": "requestParameters.enableDnsSupport.value",
                "enable_dns_hostnames": "requestParameters.enableDnsHostnames.value",
            },
        ),
        Event(
            "ModifyVpcTenancy",
            "requestParameters.ModifyVpcTenancyRequest.VpcId",
            sets={"instance_tenancy": "requestParameters.ModifyVpcTenancyRequest.InstanceTenancy"},
        ),
        *tag_events("vpc-"),
    ),
)

"""Security group. Its rules are parts: `aws_security_group_rule`."""

from collections.abc import Callable, Iterable
from typing import Literal

from agent import tags
from agent.resources import Attribute, Attributes, Event, Inline, Spec
from agent.resources.aws_security_group_rule import BY_GROUP, GROUPS, rules
from agent.resources.aws_vpc import tag_events


def _blocks(direction: Literal["ingress", "egress"]) -> Callable[[Attributes], Iterable[Attributes]]:
    def parts(group: Attributes) -> Iterable[Attributes]:
        for block in group.get(direction) or ():
            yield from rules({**block, "security_group_id": group["id"], "type": direction})

    return parts


SPEC = Spec(
    service="ec2",
    listing=GROUPS,
    one=BY_GROUP,
    identity=("id",),
    identifiers=("id", "arn"),
    names={"id": "GroupId", "arn": "SecurityGroupArn"},
    inline=(
        Inline("ingress", "aws_security_group_rule", _blocks("ingress")),
        Inline("egress", "aws_security_group_rule", _blocks("egress")),
    ),
    # Nobody else can: CreateSecurityGroup refuses the name.
    provided=lambda item: "AWS creates it with the VPC" if item["GroupName"] == "default" else "",
    attributes=(
        Attribute("name", "GroupName"),
        Attribute("description", "Description"),
        Attribute("vpc_id", "VpcId", topic="network"),
        Attribute("tags_all", "Tags", "tags"),
    ),
    events=(
        Event(
            "CreateSecurityGroup",
            "responseElements.groupId",
            "create",
            sets={
                "name": "requestParameters.groupName",
                "description": "requestParameters.groupDescription",
                "vpc_id": "requestParameters.vpcId",
                "tags_all": tags.at("requestParameters.tagSpecificationSet.items[].tags[]"),
            },
        ),
        Event("DeleteSecurityGroup", "requestParameters.groupId", "delete"),
        *tag_events("sg-"),
    ),
)

"""Ingress rule in the newer form: the same cloud fact as an `aws_security_group_rule` of one source."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from agent.resources import Attributes
from agent.resources.aws_security_group_rule import SPEC as RULE
from agent.resources.aws_security_group_rule import rule


def canonical(direction: str) -> Callable[[Attributes], Iterable[Attributes]]:
    """A function from the recorded attributes of this type, or of its egress twin, to those of the rule it is."""
    members = ("cidr_ipv4", "cidr_ipv6", "prefix_list_id", "referenced_security_group_id")

    def split(recorded: Attributes) -> Iterable[Attributes]:
        source = next(recorded[name] for name in members if recorded.get(name))
        ports = (recorded.get("from_port"), recorded.get("to_port"))
        group, protocol = recorded["security_group_id"], recorded["ip_protocol"]
        found = rule(group, direction, protocol, ports, source, recorded.get("description"))
        yield {**found, "security_group_rule_id": recorded.get("security_group_rule_id")}

    return split


SPEC = replace(RULE, same_as="aws_security_group_rule", split=canonical("ingress"), events=())

"""Egress rule in the newer form: the same cloud fact as an `aws_security_group_rule` of one destination."""

from dataclasses import replace

from agent.resources.aws_security_group_rule import SPEC as RULE
from agent.resources.aws_vpc_security_group_ingress_rule import canonical

SPEC = replace(RULE, same_as="aws_security_group_rule", split=canonical("egress"), events=())

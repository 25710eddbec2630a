"""Of which Terraform type an ARN or an EC2 id is: for calls that name resources of any type.

Hides the services whose ARNs are called otherwise than their events, and which part of an ARN tells the type.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from agent.named import load
from agent.trail.spelling import usable

TAGGING = frozenset(
    (
        *("TagResource", "TagResources", "AddTags", "AddTagsToResource", "CreateTags", "ChangeTagsForResource"),
        *("UntagResource", "UntagResources", "RemoveTags", "RemoveTagsFromResource", "DeleteTags"),
    )
)
"""Calls that name a resource of any type by its ARN, or its id."""

_SOURCES = {"cloudwatch": "monitoring", "mq": "amazonmq"}
"""Service in an ARN → eventSource without `.amazonaws.com`, where they differ."""

_SPECIFIED = {
    ("dynamodb", "table/="): "aws_dynamodb_table",
    ("ec2", "instance/"): "aws_instance",
    ("ec2", "security-group/"): "aws_security_group",
    ("ec2", "security-group-rule/"): "aws_security_group_rule",
    ("ec2", "subnet/"): "aws_subnet",
    ("ec2", "vpc/"): "aws_vpc",
    ("iam", "policy/"): "aws_iam_policy",
    ("iam", "role/"): "aws_iam_role",
    ("kms", "key/"): "aws_kms_key",
    ("lambda", "function:"): "aws_lambda_function",
    ("logs", "log-group:"): "aws_cloudwatch_log_group",
    ("rds", "db:"): "aws_db_instance",
    ("s3", "="): "aws_s3_bucket",
    ("sns", "="): "aws_sns_topic",
    ("sqs", "="): "aws_sqs_queue",
    ("ssm", "parameter/"): "aws_ssm_parameter",
}
"""The same of the types that have a spec: service, how the ARN goes on (`=`: with one name and no more) → type."""


def type_of(arn: str) -> str:
    """The type of what an ARN names; empty where no type is known by it."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn":
        return ""
    for start, only, type_ in _starts().get(_SOURCES.get(parts[2], parts[2]), ()):
        rest = parts[5].removeprefix(start)
        if parts[5].startswith(start) and rest and not (only and ("/" in rest or ":" in rest)):
            return type_
    return ""


def type_of_id(name: str) -> str:
    """The type of an EC2 id (`eipalloc-0a1b`); empty where no type without a spec has such ids."""
    return _prefixes().get(f"{name.rpartition('-')[0]}-", "")


def arns_in(part: Any) -> Iterator[str]:
    """ARNs among the members of a request, or of a list of resources."""
    for value in part.values() if isinstance(part, dict) else ():
        for each in value if isinstance(value, list) else (value,):
            if isinstance(each, str) and each.startswith("arn:") and usable(each):
                yield each


def kind_of(source: str, request: Mapping[str, Any]) -> tuple[str, str]:
    """Type and id of what a tagging call of Route 53 or Systems Manager names by its kind; empty where it does not."""
    kind, name = request.get("resourceType"), request.get("resourceId")
    if source not in ("route53", "ssm") or not isinstance(kind, str) or not isinstance(name, str) or not usable(name):
        return "", ""
    return type_of(f"arn:aws:{source}:::{kind.lower()}/{name}"), name


@functools.cache
def _starts() -> Mapping[str, tuple[tuple[str, bool, str], ...]]:
    """Source → how its ARNs go on, the longest first, whether that is all, and the type."""
    found: dict[str, list[tuple[str, bool, str]]] = defaultdict(list)
    for type_, named in load().items():
        for start in named.arns:
            found[named.source].append((start.rstrip("="), start.endswith("="), type_))
    for (source, start), type_ in _SPECIFIED.items():
        found[source].append((start.rstrip("="), start.endswith("="), type_))
    return {source: tuple(sorted(starts, key=lambda s: (-len(s[0]), s))) for source, starts in found.items()}


@functools.cache
def _prefixes() -> Mapping[str, str]:
    return {named.prefix: type_ for type_, named in load().items() if named.prefix}

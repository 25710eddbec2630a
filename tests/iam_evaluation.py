"""Which call a policy of IAM lets through, and which action a call on the wire needs.

Hides how IAM matches, as far as our policies go (identity policies; wildcards; StringLike and ArnEquals), and what S3
and a few others call an action that their API calls otherwise. It shares nothing with what generates the policy.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.demo.recorder import call
from agent.demo.recorder.wire import Request

Policy = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """A call, as a policy sees it."""

    action: str
    resource: str = "*"
    """ARN; `*` where the action knows no resources, or every one is meant."""


def listed(value: str | Sequence[str]) -> Sequence[str]:
    return (value,) if isinstance(value, str) else value


def like(pattern: str, text: str, *, exact: bool = True) -> bool:
    """Whether a text is of a pattern with `*` and `?`."""
    expression = "".join(".*" if one == "*" else "." if one == "?" else re.escape(one) for one in pattern)
    return bool(re.fullmatch(expression, text, 0 if exact else re.IGNORECASE))


def holds(condition: Mapping[str, Mapping[str, str | Sequence[str]]], context: Mapping[str, str]) -> bool:
    """Every key of every operator; a key that the call does not have makes it false. Raises ValueError for others."""
    for operator, keys in condition.items():
        if operator not in ("StringLike", "StringEquals", "ArnEquals"):
            raise ValueError(f"no evaluation of {operator}")
        for key, patterns in keys.items():
            if key not in context or not any(like(pattern, context[key]) for pattern in listed(patterns)):
                return False
    return True


def applies(statement: Mapping[str, Any], asked: Asked, context: Mapping[str, str]) -> bool:
    if not {"Action", "Resource"} <= set(statement):
        raise ValueError(f"no evaluation of {sorted(statement)}")
    return (
        any(like(pattern, asked.action, exact=False) for pattern in listed(statement["Action"]))
        and any(like(pattern, asked.resource) for pattern in listed(statement["Resource"]))
        and holds(statement.get("Condition", {}), context)
    )


def allows(policies: Iterable[Policy], asked: Asked, context: Mapping[str, str] | None = None) -> bool:
    """A denial wins; what nothing allows is denied
    (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html)."""
    found = [
        statement["Effect"]
        for policy in policies
        for statement in policy["Statement"]
        if applies(statement, asked, context or {})
    ]
    return "Allow" in found and "Deny" not in found


# --- from the wire -------------------------------------------------------------------------------------------

SERVICES = {"monitoring": "cloudwatch", "tagging": "tag"}
"""Signing name → prefix of the actions, where they differ."""
FREE = ("sts:GetCallerIdentity",)
"""Allowed whatever the policies say."""
OF_BUCKETS = {
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketLifecycle": "GetLifecycleConfiguration",
    "GetBucketReplication": "GetReplicationConfiguration",
    "ListBuckets": "ListAllMyBuckets",
    "ListObjects": "ListBucket",
    "HeadBucket": "ListBucket",
}
"""Event of S3 → its action (https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html)."""
OF_OBJECTS = {"GET": "GetObject", "HEAD": "GetObject", "PUT": "PutObject", "DELETE": "DeleteObject"}


def key_of(request: Request) -> str:
    """The access key that signed it; "" for what is no signed call."""
    signed = call.credential(request, "us-east-1")
    return signed.access_key_id if signed else ""


def asked_of(request: Request, account: str, region: str) -> Asked:
    """What a policy is asked about a request. Raises ValueError where it cannot be told what the request calls."""
    signed = call.credential(request, region)
    if signed is None:
        raise ValueError(f"{request.method} {request.path} is not signed")
    if signed.scope == "s3":
        return _of_s3(request)
    name, operation = call.asked(request, signed.scope)
    if not name:
        raise ValueError(f"{signed.scope} {request.method} {request.path}: no operation of that service")
    given = operation.parameters if operation else {}
    action = f"{SERVICES.get(signed.scope, signed.scope)}:{name.removesuffix('Batch')}"
    return Asked(action, _resource(action, given, account, signed.region))


def _of_s3(request: Request) -> Asked:
    bucket, *rest = (*request.segments, "")
    key = "/".join(part for part in rest if part)
    if key:
        version = "Version" if "versionId" in request.query else ""
        return Asked(f"s3:{OF_OBJECTS[request.method]}{version}", f"arn:aws:s3:::{bucket}/{key}")
    arn = f"arn:aws:s3:::{bucket}" if bucket else "*"
    if request.method == "GET" and "versions" in request.query:
        return Asked("s3:ListBucketVersions", arn)
    _, found = call.asked(request, "s3")
    name = found.model.name if found else call.asked(request, "s3")[0]
    if request.method == "GET" and bucket and (not name or "list-type" in request.query):
        name = "ListObjects"
    if not name:
        raise ValueError(f"s3 {request.method} {request.target}: no event of S3")
    return Asked(f"s3:{OF_BUCKETS.get(name, name)}", arn)


def _resource(action: str, given: Mapping[str, Any], account: str, region: str) -> str:
    """The ARN that matters, of the actions that our policies bind to one."""
    service = action.partition(":")[0]
    if service == "sqs" and given.get("QueueUrl"):
        return f"arn:aws:sqs:{region}:{account}:{given['QueueUrl'].rpartition('/')[2]}"
    if service == "sqs" and given.get("QueueName"):
        return f"arn:aws:sqs:{region}:{account}:{given['QueueName']}"
    if action == "sts:AssumeRole":
        return str(given["RoleArn"])
    if action == "ssm:GetDocument":
        return f"arn:aws:ssm:{region}:{account}:document/{given['Name']}"
    if service == "dynamodb" and given.get("TableName"):
        return f"arn:aws:dynamodb:{region}:{account}:table/{given['TableName']}"
    return "*"

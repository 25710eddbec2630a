"""What CloudTrail calls a call, whether it keeps it, and where it puts it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from agent.demo.recorder.call import Call

_READS = re.compile(
    r"(Get|List|Describe|Head|Lookup|Search|BatchGet|BatchDescribe|Query|Scan|Select|View|Preview|Estimate"
    r"|Simulate|Validate|Check|Test|Download)[A-Z]"
)
_READ_NAMES = re.compile(r"AssumeRole.*|Decrypt|Encrypt|GenerateDataKey.*|GenerateMac|ReEncrypt|Sign|Verify.*")
_WRITES = frozenset(("GetFederationToken", "GetSessionToken"))
_GLOBAL = frozenset(("cloudfront", "globalaccelerator", "iam", "organizations", "route53", "waf"))
"""Recorded in us-east-1 whatever region the request was signed for."""
_SOURCES = {"application-autoscaling": "autoscaling"}
"""Signing name → eventSource, where they differ."""
_DENIED = frozenset(("AccessDeniedException", "AuthorizationError", "AuthorizationErrorException"))
"""What services call AccessDenied on the wire."""

_DATA_EVENTS: Mapping[str, frozenset[str]] = {
    "dynamodb": frozenset(
        (
            "BatchExecuteStatement",
            "BatchGetItem",
            "BatchWriteItem",
            "DeleteItem",
            "ExecuteStatement",
            "ExecuteTransaction",
            "GetItem",
            "GetRecords",
            "GetShardIterator",
            "PutItem",
            "Query",
            "Scan",
            "TransactGetItems",
            "TransactWriteItems",
            "UpdateItem",
        )
    ),
    "events": frozenset(("PutEvents",)),
    "firehose": frozenset(("PutRecord", "PutRecordBatch")),
    "kinesis": frozenset(("GetRecords", "GetShardIterator", "PutRecord", "PutRecords", "SubscribeToShard")),
    "lambda": frozenset(("Invoke", "InvokeAsync", "InvokeWithResponseStream")),
    "logs": frozenset(("FilterLogEvents", "GetLogEvents", "PutLogEvents")),
    "monitoring": frozenset(("GetMetricData", "GetMetricStatistics", "PutMetricData")),
    "sns": frozenset(("Publish", "PublishBatch")),
    "sqs": frozenset(
        (
            "ChangeMessageVisibility",
            "ChangeMessageVisibilityBatch",
            "DeleteMessage",
            "DeleteMessageBatch",
            "ReceiveMessage",
            "SendMessage",
            "SendMessageBatch",
        )
    ),
}
"""Calls on content, by signing name: data events, or never logged. S3's are in `s3.py`."""

_LAMBDA_V2 = frozenset(
    (
        "AddPermission",
        "GetFunction",
        "GetFunctionConfiguration",
        "GetPolicy",
        "RemovePermission",
        "TagResource",
        "UntagResource",
        "UpdateFunctionCode",
        "UpdateFunctionConfiguration",
    )
)


def is_recorded(call: Call) -> bool:
    """Whether a trail for management events holds such a call."""
    return call.name not in _DATA_EVENTS.get(call.credential.scope, ())


def is_read(name: str) -> bool:
    """`readOnly` of an operation."""
    return name not in _WRITES and bool(_READS.match(name) or _READ_NAMES.fullmatch(name))


def source(call: Call) -> str:
    """eventSource without `.amazonaws.com`."""
    return _SOURCES.get(call.credential.scope, call.credential.scope)


def region(call: Call) -> str:
    """awsRegion."""
    return "us-east-1" if is_global(source(call)) else call.credential.region


def is_global(source: str) -> bool:
    """Whether a service has no regions; `source`: eventSource without `.amazonaws.com`."""
    return source in _GLOBAL


def name(call: Call) -> str:
    """eventName: the operation, for Lambda's first years with the API's date, for S3 Control with its scope."""
    if call.operation is None:
        return call.name
    uri = str(call.operation.model.http.get("requestUri", ""))
    dated = re.match(r"/(201[4-8])-(\d\d)-(\d\d)/", uri)
    if call.credential.scope == "lambda" and dated:
        return call.name + "".join(dated.groups()) + ("v2" if call.name in _LAMBDA_V2 else "")
    if call.credential.scope == "s3" and call.name.endswith("PublicAccessBlock"):
        return call.name.replace("PublicAccessBlock", "AccountPublicAccessBlock")
    return call.name


def error_code(call: Call) -> str:
    """errorCode; "" for a success."""
    if call.fault is None:
        return ""
    code = "AccessDenied" if call.fault.code in _DENIED else call.fault.code
    if call.credential.scope != "ec2":
        return code
    return ("Server." if call.exchange.response.status >= 500 else "Client.") + code

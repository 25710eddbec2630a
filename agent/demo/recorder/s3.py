"""S3's bucket calls as CloudTrail names and writes them, read from the request itself.

Calls on objects are data events, which a trail does not hold unless asked: they are no call here. Only path-style
addresses are understood, which is what clients use towards an IP address.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agent.demo.recorder import xmlish
from agent.demo.recorder.operation import Fault
from agent.demo.recorder.wire import Request, Response

_NOUNS: Mapping[str, str] = {
    "accelerate": "AccelerateConfiguration",
    "acl": "BucketAcl",
    "analytics": "BucketAnalyticsConfiguration",
    "cors": "BucketCors",
    "encryption": "BucketEncryption",
    "intelligent-tiering": "BucketIntelligentTieringConfiguration",
    "inventory": "BucketInventoryConfiguration",
    "lifecycle": "BucketLifecycle",
    "location": "BucketLocation",
    "logging": "BucketLogging",
    "metrics": "BucketMetricsConfiguration",
    "notification": "BucketNotification",
    "object-lock": "BucketObjectLockConfiguration",
    "ownershipControls": "BucketOwnershipControls",
    "policy": "BucketPolicy",
    "policyStatus": "BucketPolicyStatus",
    "publicAccessBlock": "BucketPublicAccessBlock",
    "replication": "BucketReplication",
    "requestPayment": "BucketRequestPayment",
    "tagging": "BucketTagging",
    "versioning": "BucketVersioning",
    "website": "BucketWebsite",
}
"""Sub-resource → what follows the verb in eventName (S3 User Guide, "Amazon S3 CloudTrail events")."""
_VERBS = {"GET": "Get", "PUT": "Put", "DELETE": "Delete"}
_BUCKET = {"PUT": "CreateBucket", "DELETE": "DeleteBucket", "HEAD": "HeadBucket"}
_SHOWN_HEADERS = (
    "x-amz-acl",
    "x-amz-bucket-object-lock-enabled",
    "x-amz-confirm-remove-self-bucket-access",
    "x-amz-expected-bucket-owner",
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write",
    "x-amz-grant-write-acp",
    "x-amz-object-ownership",
    "x-amz-transition-default-minimum-object-size",
)
_GUESSED = {
    403: Fault("AccessDenied", "Access Denied"),
    404: Fault("NoSuchBucket", "The specified bucket does not exist"),
}
"""Errors of HEAD, which has no body."""


def event_name(request: Request) -> str:
    """The management event a request is; "" for calls on objects."""
    segments = request.segments
    if not segments:
        return "ListBuckets" if request.method == "GET" else ""
    if len(segments) > 1 or request.path.endswith("//"):
        return ""
    marker = _marker(request)
    if marker:
        verb = _VERBS.get(request.method, "")
        return verb and verb + _NOUNS[marker]
    return _BUCKET.get(request.method, "")


def bucket(request: Request) -> str:
    """The bucket's name; "" for ListBuckets."""
    return next(iter(request.segments), "")


def host(name: str, region: str) -> str:
    """The address a client of AWS would have used."""
    return f"{name}.s3.{region}.amazonaws.com" if name else f"s3.{region}.amazonaws.com"


def request_parameters(request: Request, region: str) -> dict[str, Any]:
    """requestParameters: bucket, host, sub-resource markers, telling headers and the body."""
    name = bucket(request)
    shown: dict[str, Any] = {"bucketName": name} if name else {}
    shown["Host"] = host(name, region)
    shown.update({key: value for key, value in request.query.items() if key != "x-id"})
    shown.update({key: request.headers[key] for key in _SHOWN_HEADERS if key in request.headers})
    if request.body and _marker(request) == "policy":
        shown["bucketPolicy"] = _json(request.body)
    elif request.body:
        shown.update(xmlish.document(request.body))
    return shown


def additional_event_data(request: Request, response: Response) -> dict[str, Any]:
    """additionalEventData; `x-amz-id-2` only where the answer had one."""
    shown = {
        "SignatureVersion": "SigV4",
        "CipherSuite": "TLS_AES_128_GCM_SHA256",
        "bytesTransferredIn": len(request.body),
        "AuthenticationMethod": "AuthHeader" if "authorization" in request.headers else "QueryString",
        "x-amz-id-2": response.headers.get("x-amz-id-2"),
        "bytesTransferredOut": len(response.body),
    }
    return {name: value for name, value in shown.items() if value is not None}


def fault(request: Request, response: Response) -> Fault | None:
    """The error of an answer, None for a success."""
    if response.status < 300:
        return None
    if request.method == "HEAD":
        return _GUESSED.get(response.status, Fault("InternalError"))
    error = xmlish.document(response.body).get("Error")
    if not isinstance(error, dict):
        return Fault("InternalError")
    return Fault(str(error.get("Code", "")), str(error.get("Message", "")))


def _marker(request: Request) -> str:
    return next((name for name in request.query if name in _NOUNS), "")


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")

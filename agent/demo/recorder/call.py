"""One API call on the wire, understood: whose key, which operation, what it asked and what came of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.demo.recorder import operation, s3
from agent.demo.recorder.operation import Fault, Operation
from agent.demo.recorder.wire import Request, Response

_HEADER = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/,\s]+)/([^/,\s]+)/aws4_request")
_PARAMETER = re.compile(r"([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
_UNSIGNED = ("AssumeRoleWithWebIdentity", "AssumeRoleWithSAML")
"""STS calls that carry a token instead of a signature."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer, as they passed the proxy."""

    request: Request
    response: Response
    at: datetime
    """When the call was complete."""
    client: str
    """The caller's address."""
    recorded: bool = True
    """False: seen while recording was paused."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What a SigV4 signature says about the call: the key, and the scope it was signed for."""

    access_key_id: str
    region: str
    scope: str
    """Signing name of the service: `ec2`, `monitoring`."""


@dataclass(frozen=True, slots=True)
class Call:
    """An API call with its outcome."""

    exchange: Exchange
    credential: Credential
    name: str
    """The operation; for S3 the event."""
    operation: Operation | None
    """None for S3's bucket calls and for services botocore has no model of."""
    fault: Fault | None
    output: Mapping[str, Any]
    """botocore's member names → values; {} for a failure."""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """botocore's member names → values."""
        return self.operation.parameters if self.operation else {}

    @property
    def is_s3(self) -> bool:
        """Whether it is one of S3's bucket calls."""
        return self.credential.scope == "s3" and self.operation is None


def credential(request: Request, region: str) -> Credential | None:
    """Who signed a request. `region`: where STS's unsigned calls count. None for what is no AWS call."""
    found = _HEADER.search(request.headers.get("authorization", ""))
    found = found or _PARAMETER.fullmatch(request.query.get("X-Amz-Credential", ""))
    if found:
        return Credential(*found.groups())
    if request.form.get("Action") in _UNSIGNED:
        return Credential("", region, "sts")
    return None


def asked(request: Request, scope: str) -> tuple[str, Operation | None]:
    """Name and operation of a request; "" for what a trail does not hold (S3 objects, no API call)."""
    found = operation.find(request, scope)
    if found:
        return found.model.name, found
    if scope == "s3":
        return s3.event_name(request), None
    return operation.name_without_model(request), None


def understand(exchange: Exchange, region: str) -> Call | None:
    """The call behind an exchange; None for what is no API call or a call on an S3 object."""
    signed = credential(exchange.request, region)
    if signed is None:
        return None
    name, found = asked(exchange.request, signed.scope)
    if not name:
        return None
    request, response = exchange.request, exchange.response
    is_s3 = signed.scope == "s3" and found is None
    fault = s3.fault(request, response) if is_s3 else operation.fault(found, response)
    output = operation.output(found, response) if found and fault is None else {}
    return Call(exchange, signed, name, found, fault, output)

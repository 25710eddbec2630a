"""Which operation of which service a request is, what it asks for and what was answered, by botocore's models.

Hides five wire protocols: everything after this module works with botocore's member names.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.awsrequest import HeadersDict
from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, Shape, StructureShape
from botocore.parsers import ResponseParser, ResponseParserError, create_parser

from agent.demo.recorder import query
from agent.demo.recorder.wire import Request, Response

SERVICES: Mapping[str, tuple[str, ...]] = {
    "access-analyzer": ("accessanalyzer",),
    "airflow": ("mwaa",),
    "aoss": ("opensearchserverless",),
    "apigateway": ("apigateway", "apigatewayv2"),
    "aps": ("amp",),
    "cassandra": ("keyspaces",),
    "cloudcontrolapi": ("cloudcontrol",),
    "dynamodb": ("dynamodb", "dynamodbstreams"),
    "elasticfilesystem": ("efs",),
    "elasticloadbalancing": ("elbv2", "elb"),
    "elasticmapreduce": ("emr",),
    "es": ("opensearch", "es"),
    "kinesisanalytics": ("kinesisanalyticsv2", "kinesisanalytics"),
    "monitoring": ("cloudwatch",),
    "rds": ("rds", "neptune", "docdb"),
    "s3": ("s3control",),
    "servicequotas": ("service-quotas",),
    "ses": ("sesv2", "ses"),
    "sso": ("sso-admin",),
    "states": ("stepfunctions",),
    "tagging": ("resourcegroupstaggingapi",),
}
"""Signing name → botocore's service names, where they differ or are several (botocore's `endpointPrefix` and
`signingName`). `s3` itself is read without a model."""

CBOR = "smithy-rpc-v2-cbor"


@dataclass(frozen=True, slots=True)
class Fault:
    """An error as CloudTrail names it: the model's shape name where the wire has another code."""

    code: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """One call, parsed."""

    model: OperationModel
    protocol: str
    """The protocol the request used, of several the service may speak."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """botocore's member names → values."""


@dataclass(frozen=True, slots=True)
class _Route:
    method: str
    path: re.Pattern[str]
    query: tuple[str, ...]
    operation: str
    literal: int


def find(request: Request, scope: str) -> Operation | None:
    """The operation a request calls. `scope`: its signing name. None where no model of that service has it."""
    for name in SERVICES.get(scope, (scope,)):
        service = _service(name)
        found = service and _named(request, service)
        if service and found:
            return _parsed(request, service.operation_model(found[0]), found[1])
    return None


def name_without_model(request: Request) -> str:
    """What the request itself says it is called, for a service botocore does not know; "" where it says nothing."""
    target = request.headers.get("x-amz-target", "")
    return target.rpartition(".")[2] or request.form.get("Action", "")


def output(operation: Operation, response: Response) -> dict[str, Any]:
    """A successful answer under botocore's member names; {} where the operation answers nothing."""
    shape = operation.model.output_shape
    return _parse(operation.protocol, response.status, response.headers, response.body, shape) if shape else {}


def fault(operation: Operation | None, response: Response) -> Fault | None:
    """The error of an answer, None for a success."""
    if response.status < 300:
        return None
    if operation is None:
        return Fault("InternalFailure" if response.status >= 500 else "ClientError")
    error = _parse(operation.protocol, response.status, response.headers, response.body, None).get("Error", {})
    code = str(error.get("Code", ""))
    if not code or code.isdigit():
        return Fault("InternalFailure")
    return Fault(_modelled(operation.model.service_model, code), str(error.get("Message", "")))


@functools.cache
def _service(name: str) -> ServiceModel | None:
    try:
        return ServiceModel(_loader().load_service_model(name, "service-2"), name)
    except UnknownServiceError:
        return None


@functools.cache
def _loader() -> Loader:
    return Loader()


@functools.cache
def operation_names(service: str, api_version: str) -> frozenset[str]:
    """The operations of one dated version of a service's API; empty where botocore does not carry it."""
    loader = _loader()
    if api_version not in loader.list_api_versions(service, "service-2"):
        return frozenset()
    return frozenset(loader.load_service_model(service, "service-2", api_version)["operations"])


def _named(request: Request, service: ServiceModel) -> tuple[str, str] | None:
    """The operation's name and the protocol used."""
    protocol = str(service.metadata["protocol"])
    if request.headers.get("smithy-protocol") == "rpc-v2-cbor":
        name, used = request.segments[-1], CBOR
    elif target := request.headers.get("x-amz-target"):
        prefix, _, name = target.rpartition(".")
        used = "json" if prefix == service.metadata.get("targetPrefix") else ""
    elif action := request.form.get("Action"):
        same = request.form.get("Version") == service.api_version
        name, used = action, ("ec2" if protocol == "ec2" else "query") if same else ""
    else:
        name, used = _routed(request, service.service_name), protocol
    return (name, used) if used and name in service.operation_names else None


def _routed(request: Request, service: str) -> str:
    asked = request.query
    for route in _routes(service):
        if (
            route.method == request.method
            and route.path.fullmatch(request.path)
            and all(part in asked for part in route.query)
        ):
            return route.operation
    return ""


@functools.cache
def _routes(name: str) -> tuple[_Route, ...]:
    """A REST service's operations, the most literal path first."""
    service = _service(name)
    if service is None:
        return ()
    routes = []
    for operation in service.operation_names:
        http = service.operation_model(operation).http
        path, _, wanted = http.get("requestUri", "/").partition("?")
        keys = tuple(part.partition("=")[0] for part in wanted.split("&") if part)
        literal = len(re.sub(r"\{[^}]*\}", "", path)) + 1000 * len(keys)
        routes.append(_Route(http.get("method", "POST"), _pattern(path), keys, operation, literal))
    return tuple(sorted(routes, key=lambda route: -route.literal))


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"(\{[^}]*\})", path.rstrip("/"))
    made = [re.escape(part) if not part.startswith("{") else _placeholder(part[1:-1]) for part in parts]
    return re.compile("".join(made) + "/?")


def _placeholder(name: str) -> str:
    """`{Name}` is one segment, `{Name+}` the rest of the path; group names must be identifiers."""
    group = re.sub(r"\W", "_", name.rstrip("+"))
    return f"(?P<{group}>.+)" if name.endswith("+") else f"(?P<{group}>[^/]+)"


def _parsed(request: Request, model: OperationModel, protocol: str) -> Operation:
    shape = model.input_shape
    if shape is None:
        return Operation(model, protocol)
    if protocol in ("query", "ec2"):
        return Operation(model, protocol, query.parameters(request.form, shape, ec2=protocol == "ec2"))
    found = _parse(protocol, 200, request.headers, request.body, shape)
    if protocol.startswith("rest"):
        found.update(_from_uri(request, model))
    return Operation(model, protocol, {name: value for name, value in found.items() if name in shape.members})


def _from_uri(request: Request, model: OperationModel) -> dict[str, Any]:
    shape = model.input_shape
    pattern = _pattern(model.http.get("requestUri", "/").partition("?")[0])
    matched = pattern.fullmatch(request.path)
    parts = matched.groupdict() if matched else {}
    asked = request.query
    found: dict[str, Any] = {}
    for name, member in shape.members.items() if shape else ():
        location = member.serialization.get("location")
        wire = member.serialization.get("name", name)
        if location == "uri" and (text := parts.get(re.sub(r"\W", "_", wire))):
            found[name] = query.decoded(text, member)
        if location == "querystring" and wire in asked:
            found[name] = query.decoded(asked[wire], member)
    return found


def _parse(protocol: str, status: int, headers: Mapping[str, str], body: bytes, shape: Shape | None) -> dict[str, Any]:
    message = {"status_code": status, "headers": HeadersDict(headers), "body": body, "context": {}}
    try:
        parsed = _parser(protocol).parse(message, shape or StructureShape("Nothing", {"type": "structure"}))
    except (ResponseParserError, ValueError, KeyError, TypeError, AttributeError):
        # A body that is not of the protocol (moto's HTML for a crash, a list for an object): nothing can be said of it,
        # and botocore's parsers, made for AWS's own answers, say so in any of these ways.
        return {}
    fields = parsed if isinstance(parsed, dict) else {}
    return {name: value for name, value in fields.items() if name != "ResponseMetadata"}


@functools.cache
def _parser(protocol: str) -> ResponseParser:
    return create_parser(protocol)


def _modelled(service: ServiceModel, code: str) -> str:
    """The shape's name for a wire code: NoSuchEntity → NoSuchEntityException, as real IAM and RDS records have it."""
    for shape in service.error_shapes:
        if shape.metadata.get("error", {}).get("code") == code:
            return str(shape.name)
    return code

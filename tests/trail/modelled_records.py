"""Records of calls that nobody recorded, made from botocore's models and printed as the recorder prints real ones.

`spots` says where a model has what the table of types calls `request.vpcId`; `record_of` makes a record in which those
members, and only those, hold the given values.
"""

import gzip
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any
from xml.sax.saxutils import escape

import msgspec
from botocore.model import ListShape, OperationModel, ServiceModel, Shape, StructureShape
from botocore.serialize import create_serializer
from trail_records import ACCOUNT, REGION

from agent.demo.recorder import ec2, spelling
from agent.demo.recorder.operation import SERVICES

Spot = tuple[str, ...]
"""Members by botocore's names, from an operation's input or output to the value."""

MODELS: Mapping[str, tuple[str, ...]] = {
    **SERVICES,
    "amazonmq": ("mq",),
    "autoscaling": ("autoscaling", "application-autoscaling"),
    "bedrock": ("bedrock", "bedrock-agent"),
    "cloudhsm": ("cloudhsmv2",),
    "s3": ("s3", "s3control"),
}
"""eventSource without `.amazonaws.com` → botocore's services, where they differ or are several."""
SCALARS = ("string", "integer", "long", "boolean")


@cache
def _model(name: str) -> ServiceModel | None:
    folder = resources.files("botocore") / "data" / name
    if not folder.is_dir():
        return None
    # As botocore's loader does, without its ordered dictionaries, which take four times as long.
    packed = folder / max(version.name for version in folder.iterdir()) / "service-2.json.gz"
    return ServiceModel(msgspec.json.decode(gzip.decompress(packed.read_bytes())), name)


def operations(source: str, name: str) -> list[OperationModel]:
    """The operations an eventName may stand for."""
    models = [model for each in MODELS.get(source, (source,)) if (model := _model(each)) is not None]
    assert models, f"botocore knows no service {source}"
    return [model.operation_model(name) for model in models if name in model.operation_names]


def spots(operation: OperationModel, path: str) -> list[Spot]:
    """Where an operation has a path of the table; empty where it has no such member."""
    root, *steps = path.split(".")
    shape = operation.input_shape if root == "request" else operation.output_shape
    source = operation.service_model.service_name
    return list(_spots(shape, tuple(steps), source)) if shape is not None else []


def _spots(shape: Shape, steps: Sequence[str], source: str) -> Iterator[Spot]:
    while isinstance(shape, ListShape):
        shape = shape.member
    if not steps:
        if shape.type_name in SCALARS:
            yield ()
    elif isinstance(shape, StructureShape):
        for name, member in shape.members.items():
            if spelling.key(steps[0]) not in _keys(name, member, source):
                continue
            for rest in _spots(member, steps[1:], source):
                yield (name, *rest)
            # EC2's old lists have their elements' name besides: `instancesSet.items[].instanceId`.
            if source == "ec2" and isinstance(member, ListShape) and member.member.type_name in SCALARS and steps[1:]:
                yield (name,)


def _keys(name: str, member: Shape, source: str) -> set[str]:
    wire = [str(member.serialization[each]) for each in ("name", "queryName") if each in member.serialization]
    keys = {spelling.key(each) for each in (name, *wire)}
    if source == "ec2":
        keys |= {f"{key}Set" for key in keys} | {"instancesSet"} & {f"{key[:-2]}sSet" for key in keys}
    return {"bucketName"} if source == "s3" and name == "Bucket" else keys


def record_of(operation: OperationModel, source: str, values: Mapping[tuple[str, Spot], Any]) -> dict[str, Any]:
    """A record whose request and response hold these values, and nothing else; (`request`, spot) → value."""
    asked, answered = (
        _built(operation.input_shape, values, "request"),
        _built(operation.output_shape, values, "response"),
    )
    request, response = _printed(operation, source, asked, answered)
    return {
        "eventSource": f"{source}.amazonaws.com",
        "eventName": operation.name,
        "recipientAccountId": ACCOUNT,
        "awsRegion": REGION,
        "requestParameters": request,
        "responseElements": response,
    }


def _built(shape: Shape | None, values: Mapping[tuple[str, Spot], Any], root: str) -> dict[str, Any]:
    built: dict[str, Any] = {}
    for (where, spot), value in values.items():
        if where == root and shape is not None:
            _put(built, shape, spot, value)
    return built


def _put(into: dict[str, Any], shape: Shape, spot: Spot, value: Any) -> None:
    assert isinstance(shape, StructureShape)
    name, *rest = spot
    member = shape.members[name]
    if isinstance(member, ListShape):
        values = value if isinstance(value, list) else [value]
        listed = into.setdefault(name, [{} if rest else None for _ in values])
        for number, each in enumerate(values):
            if rest:
                _put(listed[number], member.member, tuple(rest), each)
            else:
                listed[number] = each
    elif rest:
        _put(into.setdefault(name, {}), member, tuple(rest), value)
    else:
        into[name] = value


def _printed(
    operation: OperationModel, source: str, asked: Mapping[str, Any], answered: Mapping[str, Any]
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    if source == "ec2":
        form = create_serializer("ec2", include_validation=False).serialize_to_request(dict(asked), operation)["body"]
        flat = {name: str(value) for name, value in form.items()}
        body = f"<{operation.name}Response>{_xml(answered, operation.output_shape)}</{operation.name}Response>"
        return (
            ec2.request_parameters(operation, asked, flat),
            ec2.response_elements(operation, answered, body.encode(), "r-1"),
        )
    habits = spelling.habits(source)
    request = spelling.request_parameters(asked, operation.input_shape, habits)
    if request and source == "s3":
        request = {("bucketName" if name == "bucket" else name): value for name, value in request.items()}
    return request, spelling.response_elements(operation.name, answered, operation.output_shape, habits)


def _xml(value: Any, shape: Shape | None) -> str:
    """The answer of one of EC2's later calls."""
    if isinstance(shape, StructureShape):
        parts = ((shape.members[name], name, each) for name, each in value.items())
        return "".join(
            f"<{member.serialization.get('name', name)}>{_xml(each, member)}</{member.serialization.get('name', name)}>"
            for member, name, each in parts
        )
    if isinstance(shape, ListShape):
        return "".join(f"<item>{_xml(each, shape.member)}</item>" for each in value)
    return escape(str(value).lower() if isinstance(value, bool) else str(value))

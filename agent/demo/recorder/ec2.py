"""How CloudTrail writes EC2 calls, which is like no other service.

The calls of the API's first years are printed as the SOAP messages they once were: `instancesSet.items[]`. Every later
one is its query form turned into XML and that into JSON: `CreateNatGatewayRequest.SubnetId`, lists with `"tag": 1`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from botocore.model import ListShape, OperationModel, Shape, StructureShape

from agent.demo.recorder import operation, query, spelling, xmlish

REMOVED = "<sensitiveDataRemoved>"

_SETS: Mapping[str, tuple[str, str]] = {
    "AllocationId": ("allocationIdsSet", "allocationId"),
    "DhcpOptionsId": ("dhcpOptionsSet", "dhcpOptionsId"),
    "ExecutableBy": ("executableBySet", "user"),
    "GroupId": ("groupSet", "groupId"),
    "GroupName": ("securityGroupSet", "groupName"),
    "ImageId": ("imagesSet", "imageId"),
    "InstanceId": ("instancesSet", "instanceId"),
    "KeyName": ("keySet", "keyName"),
    "Owner": ("ownersSet", "owner"),
    "PublicIp": ("publicIpsSet", "publicIp"),
    "RegionName": ("regionSet", "regionName"),
    "ResourceId": ("resourcesSet", "resourceId"),
    "SecurityGroup": ("groupSet", "groupName"),
    "SecurityGroupId": ("groupSet", "groupId"),
    "SecurityGroupRuleId": ("securityGroupRuleIds", "securityGroupRuleId"),
    "SnapshotId": ("snapshotSet", "snapshotId"),
    "SubnetId": ("subnetSet", "subnetId"),
    "VolumeId": ("volumeSet", "volumeId"),
    "VpcId": ("vpcSet", "vpcId"),
    "ZoneName": ("availabilityZoneSet", "zoneName"),
}
"""A list's query name → its key and its elements' key, where they are not `<name>Set` and `<name>`."""
_UNSET = frozenset(
    ("Add", "BlockDeviceMapping", "Groups", "IpPermissions", "IpRanges", "Ipv6Ranges", "PrefixListIds", "Remove")
)
"""Lists whose key is the name alone."""
_RENAMED: Mapping[tuple[str, str], str] = {
    ("CreateNetworkAclEntry", "protocol"): "aclProtocol",
    ("CreateVolume", "availabilityZone"): "zone",
    ("DescribeSecurityGroups", "groupSet"): "securityGroupIdSet",
    ("ReplaceNetworkAclEntry", "protocol"): "aclProtocol",
}
_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "AuthorizeSecurityGroupEgress": {"ipPermissions": {}},
    "AuthorizeSecurityGroupIngress": {"ipPermissions": {}},
    "CreateNetworkAclEntry": {"icmpTypeCode": {}, "portRange": {}},
    "CreateNetworkInterface": {"groupSet": {}, "privateIpAddressesSet": {}},
    "CreateVpc": {"instanceTenancy": "default", "amazonProvidedIpv6CidrBlock": False},
    "ReplaceNetworkAclEntry": {"icmpTypeCode": {}, "portRange": {}},
    "RevokeSecurityGroupEgress": {"ipPermissions": {}},
    "RevokeSecurityGroupIngress": {"ipPermissions": {}},
    "RunInstances": {
        "blockDeviceMapping": {},
        "monitoring": {"enabled": False},
        "disableApiTermination": False,
        "disableApiStop": False,
    },
}
"""What EC2 prints although it was not asked for."""
_TEXTS = frozenset((("CreateSnapshot", "volumeSize"), ("CreateVolume", "size")))
"""Numbers printed as text."""
_RETURNS = frozenset(("CreateSecurityGroup",))
"""Answers that print `_return` although the model's output does not have it."""
_PERMISSION_PARTS = ("groups", "ipRanges", "ipv6Ranges", "prefixListIds")


def request_parameters(model: OperationModel, values: Mapping[str, Any], form: Mapping[str, str]) -> dict[str, Any]:
    """requestParameters of an EC2 call. `values`: botocore's names; `form`: the query form."""
    if not _is_old(model.name):
        return {f"{model.name}Request": _numbered(query.tree(form))}
    shape = model.input_shape
    asked = _asked(values, shape) if isinstance(shape, StructureShape) else {}
    spelled = _as_printed(model.name, asked)
    if model.name == "RunInstances":
        spelled = _launch(spelled)
    if model.name.startswith("Describe"):
        spelled = {**_empty_sets(model, spelled), **spelled}
    return {**_DEFAULTS.get(model.name, {}), **spelled}


def response_elements(model: OperationModel, values: Mapping[str, Any], body: bytes, request_id: str) -> dict[str, Any]:
    """responseElements of a successful EC2 write. `values`: botocore's names; `body`: the XML."""
    if not _is_old(model.name):
        document = xmlish.document(body)
        inner = document.get(f"{model.name}Response")
        return {f"{model.name}Response": {**inner, "requestId": request_id}} if isinstance(inner, dict) else document
    shape = model.output_shape
    answered = _answered(values, shape) if isinstance(shape, StructureShape) else {}
    says_so = shape is None or "Return" in shape.members or model.name in _RETURNS
    returned = {"_return": True} if says_so else {}
    return {"requestId": request_id, **returned, **_as_printed(model.name, answered)}


def _is_old(name: str) -> bool:
    """Of 84 calls seen in real records, the old spelling has exactly those that the API of 2015-03-01 knew."""
    return name in operation.operation_names("ec2", "2015-03-01")


# --- old calls -----------------------------------------------------------------------------------------------


def _as_printed(name: str, spelled: Mapping[str, Any]) -> dict[str, Any]:
    texts = {key: str(value) if (name, key) in _TEXTS else value for key, value in spelled.items()}
    return {_RENAMED.get((name, key), key): value for key, value in texts.items()}


def _asked(values: Mapping[str, Any], shape: StructureShape) -> dict[str, Any]:
    spelled: dict[str, Any] = {}
    for name, value in values.items():
        member = shape.members[name]
        wire = query.wire_name(name, member, ec2=True)
        if isinstance(member, ListShape):
            own, items = _asked_list(wire, value, member)
            spelled[own] = items
        else:
            spelled[spelling.key(wire)] = _asked_value(value, member)
    return spelled


def _asked_list(wire: str, values: list[Any], shape: ListShape) -> tuple[str, Any]:
    """A list's key and its items."""
    if wire == "Tag" and shape.name == "TagList":
        return "tagSet", _items([_asked_value(value, shape.member) for value in values])
    own, element = _SETS.get(wire, (spelling.key(wire) + ("" if wire in _UNSET else "Set"), spelling.key(wire)))
    if not isinstance(shape.member, StructureShape):
        return own, _items([{element: value} for value in values])
    items = [_asked_value(value, shape.member) for value in values]
    if wire == "IpPermissions":
        items = [{**item, **{part: item.get(part, {}) for part in _PERMISSION_PARTS}} for item in items]
    if wire == "TagSpecification":
        items = [_tag_specification(item) for item in items]
    return own, _items(items)


def _tag_specification(item: Mapping[str, Any]) -> dict[str, Any]:
    """The one list without `items`."""
    tags = item.get("tagSet", {}).get("items", [])
    return {**{name: value for name, value in item.items() if name != "tagSet"}, "tags": tags}


def _asked_value(value: Any, shape: Shape) -> Any:
    if shape.metadata.get("sensitive") or shape.type_name == "blob":
        return REMOVED
    if not isinstance(shape, StructureShape):
        return value
    # ModifyInstanceAttribute's user data is a blob inside a structure, printed without it.
    spelled = _asked(value, shape)
    return REMOVED if spelled == {"value": REMOVED} else spelled


def _launch(spelled: dict[str, Any]) -> dict[str, Any]:
    """RunInstances names image and count inside `instancesSet`."""
    inner = {name: spelled.pop(name) for name in ("imageId", "minCount", "maxCount", "keyName") if name in spelled}
    return {"instancesSet": {"items": [inner]}, **spelled}


def _empty_sets(model: OperationModel, spelled: Mapping[str, Any]) -> dict[str, Any]:
    shape = model.input_shape
    lists = [(name, part) for name, part in shape.members.items() if isinstance(part, ListShape)] if shape else []
    names = [_asked_list(query.wire_name(name, part, ec2=True), [], part)[0] for name, part in lists]
    return {_RENAMED.get((model.name, name), name): {} for name in names if name not in spelled}


def _answered(values: Mapping[str, Any], shape: StructureShape) -> dict[str, Any]:
    spelled: dict[str, Any] = {}
    for name, value in values.items():
        member = shape.members[name]
        wire = str(member.serialization.get("name", spelling.key(name)))
        spelled["_return" if wire == "return" else wire] = _answered_value(value, member, wire)
    return spelled


def _answered_value(value: Any, shape: Shape, wire: str) -> Any:
    if shape.metadata.get("sensitive"):
        return REMOVED
    if isinstance(shape, ListShape):
        items = [_answered_value(item, shape.member, wire) for item in value]
        plain = not isinstance(shape.member, StructureShape)
        # Real records have `item` here and `items` everywhere else.
        return _items([{"item": item} for item in items] if plain else items, single=wire == "privateIpAddressesSet")
    if isinstance(shape, StructureShape):
        return _answered(value, shape)
    if isinstance(value, datetime):
        return int(value.timestamp() * 1000)
    return value


def _items(items: list[Any], *, single: bool = False) -> dict[str, Any]:
    return {"item" if single else "items": items} if items else {}


# --- later calls ---------------------------------------------------------------------------------------------


def _numbered(node: Any) -> Any:
    """`{"Tag": {"1": {"Key": "a"}}}` → `{"Tag": {"tag": 1, "Key": "a"}}`; no parameters at all are ""."""
    if not isinstance(node, dict):
        return xmlish.literal(node)
    if not node:
        return ""
    if not all(key.isdigit() for key in node):
        return {key: _numbered(value) for key, value in node.items()}
    listed = []
    for number, key in enumerate(sorted(node, key=int), start=1):
        value = _numbered(node[key])
        listed.append({**value, "tag": number} if isinstance(value, dict) else {"tag": number, "content": value})
    return listed[0] if len(listed) == 1 else listed

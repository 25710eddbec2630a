"""Parameters of the query and EC2 protocols, from the flat form to nested values by botocore's input shape.

botocore writes these forms and cannot read them; every other protocol its own parsers read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from botocore.model import ListShape, MapShape, Shape, StructureShape

Tree = dict[str, Any]
"""Path segment → text or a deeper tree."""


def tree(form: Mapping[str, str]) -> Tree:
    """`{"Tag.1.Key": "a"}` → `{"Tag": {"1": {"Key": "a"}}}`, without Action and Version."""
    root: Tree = {}
    for name, value in form.items():
        if name in ("Action", "Version"):
            continue
        node = root
        *parents, leaf = name.split(".")
        for part in parents:
            deeper = node.get(part)
            if not isinstance(deeper, dict):
                deeper = node[part] = {}
            node = deeper
        node.setdefault(leaf, value)
    return root


def parameters(form: Mapping[str, str], shape: StructureShape | None, *, ec2: bool) -> dict[str, Any]:
    """The call's parameters under botocore's member names; what the shape does not know is left out."""
    if shape is None:
        return {}
    found: dict[str, Any] = _read(tree(form), shape, ec2)
    return found


def wire_name(member: str, shape: Shape, *, ec2: bool) -> str:
    """A structure member's name in the form."""
    serialization = shape.serialization
    if not ec2:
        return str(serialization.get("name", member))
    if "queryName" in serialization:
        return str(serialization["queryName"])
    name = str(serialization.get("name", member))
    return name[0].upper() + name[1:]


def decoded(text: str, shape: Shape) -> Any:
    """A path or query-string parameter, percent-decoded and typed."""
    return _scalar(unquote(text), shape)


def elements(node: Any) -> list[Any]:
    """A list's elements, whether flattened (`Name.1`) or wrapped (`Name.member.1`, `Name.entry.1`)."""
    if not isinstance(node, dict):
        return []
    if not all(key.isdigit() for key in node):
        return elements(next(iter(node.values())))
    return [node[key] for key in sorted(node, key=int)]


def _read(node: Any, shape: Shape, ec2: bool) -> Any:
    if isinstance(shape, StructureShape):
        return _structure(node, shape, ec2)
    if isinstance(shape, ListShape):
        return [_read(element, shape.member, ec2) for element in elements(node)]
    if isinstance(shape, MapShape):
        return _map(node, shape, ec2)
    return _scalar(node, shape)


def _structure(node: Any, shape: StructureShape, ec2: bool) -> dict[str, Any]:
    if not isinstance(node, dict):
        return {}
    named = ((name, member, wire_name(name, member, ec2=ec2)) for name, member in shape.members.items())
    return {name: _read(node[wire], member, ec2) for name, member, wire in named if wire in node}


def _map(node: Any, shape: MapShape, ec2: bool) -> dict[str, Any]:
    key_name = shape.key.serialization.get("name", "key")
    value_name = shape.value.serialization.get("name", "value")
    pairs = [pair for pair in elements(node) if isinstance(pair, dict) and key_name in pair]
    return {pair[key_name]: _read(pair.get(value_name, ""), shape.value, ec2) for pair in pairs}


def _scalar(node: Any, shape: Shape) -> Any:
    text = node if isinstance(node, str) else ""
    try:
        if shape.type_name in ("integer", "long"):
            return int(text)
        if shape.type_name in ("float", "double"):
            return float(text)
    except ValueError:
        return text
    return text.lower() == "true" if shape.type_name == "boolean" else text

"""XML as CloudTrail prints it inside a record: S3 request bodies and the newer EC2 calls.

AWS converts these with a Java library whose habits show: one child is an object and several are a list, an empty
element is "", text that looks like a boolean or a number becomes one, the namespace stays as `xmlns`.
"""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

_XSI = "http://www.w3.org/2001/XMLSchema-instance"


def document(body: bytes) -> dict[str, Any]:
    """`<Tagging xmlns="n"><TagSet/></Tagging>` → `{"Tagging": {"xmlns": "n", "TagSet": ""}}`; {} for what is no XML."""
    try:
        root = ET.fromstring(body)  # noqa: S314 only this machine's own clients and moto reach the recorder
    except ET.ParseError:
        return {}
    namespace, name = _split(root.tag)
    value = _element(root)
    if namespace:
        value = {"xmlns": namespace, **(value if isinstance(value, dict) else {})}
    return {name: value}


def literal(text: str) -> Any:
    """Text as the converter types it: `true`, `600`; a number only where printing it gives the text back."""
    stripped = text.strip()
    if stripped in ("true", "false"):
        return stripped == "true"
    digits = stripped.removeprefix("-")
    if digits.isdecimal() and digits.isascii() and str(int(stripped)) == stripped:
        return int(stripped)
    return stripped


def _element(node: ET.Element) -> Any:
    if not len(node) and not node.attrib:
        return literal(node.text or "")
    found: dict[str, Any] = {}
    for name, value in node.attrib.items():
        namespace, local = _split(name)
        if namespace == _XSI:
            found["xmlns:xsi"] = _XSI
        found[f"xsi:{local}" if namespace == _XSI else local] = value
    for child in node:
        _add(found, _split(child.tag)[1], _element(child))
    return found


def _add(found: dict[str, Any], name: str, value: Any) -> None:
    if name not in found:
        found[name] = value
    elif isinstance(found[name], list):
        found[name].append(value)
    else:
        found[name] = [found[name], value]


def _split(tag: str) -> tuple[str, str]:
    namespace, brace, name = tag.rpartition("}")
    return (namespace.lstrip("{"), name) if brace else ("", tag)

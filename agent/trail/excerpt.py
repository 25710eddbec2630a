"""What of a request is kept beside a change: enough to understand it, bounded, nothing secret.

Hides which names hold secrets (CloudTrail masks some services' and not others') and where free text is dropped whole.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

import msgspec

MAX_BYTES = 4096
"""Of the excerpt, as JSON."""
MASKED = "(masked)"

_LONGEST = 512  # characters of one text
_MOST = 50  # entries of one list or object
_DEEPEST = 12
_SECRET = re.compile(
    r"passw|passphrase|secret|token|credential|privatekey|apikey|authorization|signature|connectionstring"
)
_NAMES_A_SECRET = re.compile(
    r"^httptokens$|(?:id|ids|arn|arns|name|names|type|version|stages|expiration|required|enabled|validity)$"
)
_DROPPED = re.compile(r"userdata|zipfile|^environment(?:variables)?$|^variables$")
_KEY_TEXT = "PRIVATE KEY-----"
_VALUES = {"ssm": frozenset({"value"}), "secretsmanager": frozenset({"secretstring", "secretbinary"})}
"""Service → keys that hold a secret there and nothing of the kind elsewhere."""


def excerpt(service: str, request: Any) -> Mapping[str, Any]:
    """requestParameters → at most `MAX_BYTES` of them; the longest entries go first. Empty if it is no object."""
    found = _masked(request, _VALUES.get(service, frozenset()), 0)
    if not isinstance(found, dict):
        return {}
    if len(msgspec.json.encode(found)) + len(found) <= MAX_BYTES:
        return found
    sizes = {name: len(msgspec.json.encode({name: value})) for name, value in found.items()}
    largest = sorted(sizes, key=lambda name: (-sizes[name], name))
    for name in largest:
        if sum(sizes.values()) > MAX_BYTES:
            found[name] = f"({sizes[name]} bytes, cut)"
            sizes[name] = len(msgspec.json.encode({name: found[name]}))
    while sum(sizes.values()) > MAX_BYTES:
        del found[largest[-1]], sizes[largest.pop()]
    return found


def _masked(found: Any, secrets: frozenset[str], depth: int) -> Any:
    if depth > _DEEPEST:
        return "(nested, cut)"
    if isinstance(found, str):
        return MASKED if _KEY_TEXT in found else found[:_LONGEST]
    if isinstance(found, list):
        return [_masked(item, secrets, depth + 1) for item in found[:_MOST]]
    if isinstance(found, dict):
        entries = list(found.items())[:_MOST]
        return {name[:_LONGEST]: _entry(name, item, secrets, depth + 1) for name, item in entries}
    return found


def _entry(name: str, item: Any, secrets: frozenset[str], depth: int) -> Any:
    if item is None or isinstance(item, bool | int | float):
        return item
    if name.lower() in secrets:
        return MASKED
    return _instead(name[:_LONGEST]) or _masked(item, secrets, depth)


@functools.lru_cache(maxsize=4096)
def _instead(name: str) -> str:
    """What stands in the excerpt for the value of that name; empty: the value itself."""
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    if _DROPPED.search(plain):
        return "(dropped)"
    return MASKED if _SECRET.search(plain) and not _NAMES_A_SECRET.search(plain) else ""

"""What of a request is kept beside a change: enough to understand it, bounded, nothing secret.

Hides which names hold secrets (CloudTrail masks some services' and not others') and where free text is dropped whole.
"""

from __future__ import annotations

import functools
import itertools
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
    r"passw|passphrase|secret|token|credential|privatekey|apikey|authorization|signature|connectionstring|sharedkey|authkey"
    r"|accesskey|accessstring|headervalue|searchstring|connectionattributes|parametervalue|isvaluesecret"
)
_NAMES_A_SECRET = re.compile(
    r"^httptokens$|(?:id|ids|arn|arns|name|names|type|version|stages|expiration|required|enabled|validity)$"
)
_DROPPED = re.compile(
    # Code, commands and settings of programs: whatever their authors put into them.
    r"userdata|zipfile|^environment$|environmentvariables|environmentproperties|^variables$|optionsettings|patchoperations"
    r"|headerparameters|^commands?$|^args$|^content$|^definition$"
)
_IN_URL = re.compile(r"(\w{1,20}://)[^/@\s:]{0,200}:[^/@\s]{1,200}@")
_KEY_TEXT = "PRIVATE KEY-----"
_VALUES = {"ssm": frozenset({"value"}), "secretsmanager": frozenset({"secretstring", "secretbinary"})}
"""Service → keys that hold a secret there and nothing of the kind elsewhere."""
_NONE: frozenset[str] = frozenset()
_SCALARS = frozenset({type(None), bool, int, float})
_ENCODER = msgspec.json.Encoder()


def excerpt(service: str, request: Any) -> Mapping[str, Any]:
    """requestParameters → at most `MAX_BYTES` of them; the longest entries go first. Empty if it is no object."""
    found = _masked(request, _VALUES.get(service, _NONE), 0)
    if not isinstance(found, dict):
        return {}
    if len(_ENCODER.encode(found)) + len(found) <= MAX_BYTES:
        return found
    sizes = {name: len(_ENCODER.encode({name: value})) for name, value in found.items()}
    total = sum(sizes.values())
    largest = sorted(sizes, key=lambda name: (-sizes[name], name))
    for name in largest:
        if total <= MAX_BYTES:
            break
        found[name] = f"({sizes[name]} bytes, cut)"
        shorter = len(_ENCODER.encode({name: found[name]}))
        total += shorter - sizes[name]
        sizes[name] = shorter
    while total > MAX_BYTES:
        name = largest.pop()
        total -= sizes[name]
        del found[name]
    return found


def _masked(found: Any, secrets: frozenset[str], depth: int) -> Any:
    if depth > _DEEPEST:
        return "(nested, cut)"
    if isinstance(found, str):
        if _KEY_TEXT in found:
            return MASKED
        cut = found[:_LONGEST]
        return _IN_URL.sub(rf"\1{MASKED}@", cut) if "://" in cut and "@" in cut else cut
    if isinstance(found, list):
        return [_masked(item, secrets, depth + 1) for item in found[:_MOST]]
    if isinstance(found, dict):
        entries = found.items() if len(found) <= _MOST else itertools.islice(found.items(), _MOST)
        depth += 1
        return {
            name[:_LONGEST]: item if type(item) in _SCALARS else _entry(name, item, secrets, depth)
            for name, item in entries
        }
    return found


def _entry(name: str, item: Any, secrets: frozenset[str], depth: int) -> Any:
    if secrets and name.lower() in secrets:
        return MASKED
    return _instead(name[:_LONGEST]) or _masked(item, secrets, depth)


@functools.lru_cache(maxsize=4096)
def _instead(name: str) -> str:
    """What stands in the excerpt for the value of that name; empty: the value itself."""
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    if _DROPPED.search(plain):
        return "(dropped)"
    return MASKED if _SECRET.search(plain) and not _NAMES_A_SECRET.search(plain) else ""

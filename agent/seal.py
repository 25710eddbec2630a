"""Sensitive values become keyed hashes: whether two are equal stays visible, what they are does not.

A keyed hash (HMAC-SHA-256 under the install key), so that a stolen store cannot be searched with a dictionary.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from agent.model import Secret, Unknown


def seal(key: bytes, value: Any) -> Any:
    """The value with every leaf of a mapping or of a list of mappings, or the whole of anything else, as a `Secret`.

    Null, "" and empty collections stay as they are: that nothing is set is no secret, and must compare equal to absent.
    """
    if value is None or value in ("", [], {}) or isinstance(value, Secret | Unknown):
        return value
    if isinstance(value, Mapping):
        return {name: seal(key, item) for name, item in value.items()}
    if isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
        return [seal(key, item) for item in value]
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return Secret(hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest())

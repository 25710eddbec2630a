"""Sensitive values become keyed hashes: whether two are equal stays visible, what they are does not.

A keyed hash (HMAC-SHA-256 under the install key), so that a stolen store cannot be searched with a dictionary. Hides
that there may be several keys: a value is sealed under the newest, and known under the older ones, so that a rotation
makes nothing differ that does not.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from agent.model import Secret, Unknown

RING = b"driftwarden install keys 1\n"
"""How a file of several keys begins; one with a single key is that key."""


def seal(key: bytes, value: Any) -> Any:
    """The value with every leaf of a mapping or of a list of mappings, or the whole of anything else, as a `Secret`.

    `key`: what the file of the install keys holds. Null, "" and empty collections stay as they are: that nothing is set
    is no secret, and must compare equal to absent.
    """
    if value is None or value in ("", [], {}) or isinstance(value, Secret | Unknown):
        return value
    if isinstance(value, Mapping):
        return {name: seal(key, item) for name, item in value.items()}
    if isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
        return [seal(key, item) for item in value]
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    data = text.encode("utf-8", "surrogatepass")
    newest, *older = (hmac.new(one, data, hashlib.sha256).hexdigest() for one in ring(key))
    return Secret(newest, tuple(older))


@lru_cache(maxsize=8)
def ring(key: bytes) -> tuple[bytes, ...]:
    """The keys in what a key file holds, newest first, at least one. Raises ValueError for a list that is none."""
    if not key.startswith(RING):
        return (key,)
    lines = key.removeprefix(RING).decode("ascii", "replace").split()
    try:
        keys = tuple(map(bytes.fromhex, lines))
    except ValueError:
        keys = ()
    if not keys:
        raise ValueError("a list of keys has one on each line, in hexadecimal digits")
    return keys


def ring_text(keys: tuple[bytes, ...]) -> bytes:
    """What a key file holds that has these keys, newest first."""
    return keys[0] if len(keys) == 1 else RING + b"".join(one.hex().encode() + b"\n" for one in keys)


def known_before(values: Iterable[Any]) -> dict[str, tuple[str, ...]]:
    """What is sealed in JSON-shaped values: its seal → its seals under older keys, newest first."""
    found: dict[str, tuple[str, ...]] = {}
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if isinstance(value, Secret):
            if value.older:
                found[value.digest] = value.older
        elif isinstance(value, Mapping):
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value
    return found


def renewed(value: Any, seals: Mapping[str, str]) -> Any:
    """A JSON-shaped value with each seal in place of the older one of it, by `seals`, and without its older ones."""
    if isinstance(value, Secret):
        return Secret(seals.get(value.digest, value.digest))
    if isinstance(value, Mapping):
        return {name: renewed(item, seals) for name, item in value.items()}
    return [renewed(item, seals) for item in value] if isinstance(value, list | tuple) else value


def newest(key: bytes) -> bytes:
    """The key that new seals are under: what is sealed with it alone says nothing of older ones."""
    return ring(key)[0]

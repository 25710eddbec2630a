"""Keyed hashes of what differs: two readings of one value give the same, and the value cannot be had from it.

Hides what is left out of the hash, as the comparison leaves it out: the order of sets, the spelling of policies and
numbers, tags of AWS itself.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any

from agent.equal import canonical
from agent.model import Drift
from agent.resources import Kind, Spec
from agent.store.codec import encode

DIGITS = 32
"""Of a hash, hexadecimal: 128 bits."""


def digest_of(key: bytes, specs: Mapping[str, Spec]) -> Callable[[Drift], str]:
    """What hashes a difference's live value under the install key; for a part that differs, with the part's name."""

    def digest(drift: Drift) -> str:
        spec = specs.get((drift.part or drift.key).type)
        kinds: dict[str, Kind] = {one.name: one.kind for one in spec.attributes} if spec is not None else {}
        if drift.kind == "changed" and drift.part is None:
            value = canonical(drift.live, kinds.get(drift.attribute, "text"))
        elif isinstance(drift.live, Mapping):
            value = {name: canonical(item, kinds.get(name, "text")) for name, item in drift.live.items()}
        else:
            value = canonical(drift.live, "text")
        return _hash(key, encode([drift.kind, str(drift.part or ""), _plain(value)]))

    return digest


def install_mark(key: bytes) -> str:
    """What an install key is told by: baselines made under another one match nothing."""
    return _hash(key, "driftwarden baseline")[:8]


def _hash(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode("ascii"), hashlib.sha256).hexdigest()[:DIGITS]


def _plain(value: Any) -> Any:
    """Mapping keys as text, as JSON has them."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value

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
from agent.seal import newest, ring
from agent.store.codec import encode

DIGITS = 32
"""Of a hash, hexadecimal: 128 bits."""


def digest_of(key: bytes, specs: Mapping[str, Spec]) -> Callable[[Drift], str]:
    """What hashes a difference's live value under the install key; for a part that differs, with the part's name."""
    plain, its_key = _plain_of(specs), newest(key)
    return lambda drift: _hash(its_key, encode(plain(drift)))


def digests_of(
    key: bytes, specs: Mapping[str, Spec], older: Mapping[str, tuple[str, ...]]
) -> Callable[[Drift], tuple[str, ...]]:
    """As `digest_of`, under every install key there is, newest first. `older`: see `agent.seal.known_before`."""
    plain, keys = _plain_of(specs), ring(key)

    def digests(drift: Drift) -> tuple[str, ...]:
        value = plain(drift)
        return tuple(
            _hash(one, encode(_sealed_under(value, older, number) if number else value))
            for number, one in enumerate(keys)
        )

    return digests


def install_marks(key: bytes) -> tuple[str, ...]:
    """What each install key is told by, newest first: a baseline made under none of them matches nothing."""
    return tuple(_hash(one, "driftwarden baseline")[:8] for one in ring(key))


def install_mark(key: bytes) -> str:
    """What the newest install key is told by."""
    return install_marks(key)[0]


def _plain_of(specs: Mapping[str, Spec]) -> Callable[[Drift], Any]:
    """What makes a difference the value that is hashed."""

    def plain(drift: Drift) -> Any:
        spec = specs.get((drift.part or drift.key).type)
        kinds: dict[str, Kind] = {one.name: one.kind for one in spec.attributes} if spec is not None else {}
        if drift.kind == "changed" and drift.part is None:
            value = canonical(drift.live, kinds.get(drift.attribute, "text"))
        elif isinstance(drift.live, Mapping):
            value = {name: canonical(item, kinds.get(name, "text")) for name, item in drift.live.items()}
        else:
            value = canonical(drift.live, "text")
        return [drift.kind, str(drift.part or ""), _plain(value)]

    return plain


def _sealed_under(value: Any, older: Mapping[str, tuple[str, ...]], number: int) -> Any:
    """The value as it was when the key of that number was the newest; `canonical` spells a seal as `$secret`."""
    if isinstance(value, Mapping):
        seals = older.get(str(value.get("$secret", "")), ())
        if number <= len(seals):
            return {**value, "$secret": seals[number - 1]}
        return {name: _sealed_under(item, older, number) for name, item in value.items()}
    return [_sealed_under(item, older, number) for item in value] if isinstance(value, list) else value


def _hash(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode("ascii"), hashlib.sha256).hexdigest()[:DIGITS]


def _plain(value: Any) -> Any:
    """Mapping keys as text, as JSON has them."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value

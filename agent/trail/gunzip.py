"""gzip → bytes, within a bound: what unpacks to more than a log file can hold is refused, what ends early is kept.

Hides which library unpacks (isal, where it is installed, takes half of zlib's time; the answers are the same), members
one after the other, and padding.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from agent.trail.source import MAX_BYTES


class _Unpacker(Protocol):
    """What zlib and isal have in common."""

    eof: bool
    unused_data: bytes

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _unpackers() -> tuple[Callable[..., Any], Any]:
    """What makes an unpacker, and what it raises."""
    try:
        from isal import isal_zlib
    except ImportError:
        return zlib.decompressobj, zlib.error
    return isal_zlib.decompressobj, isal_zlib.error


_unpacker, _BrokenError = _unpackers()

MAX_RATIO = 200
"""How far a file may grow, once past `SMALL`: real ones grow 5 to 50 fold."""
SMALL = 16 << 20
"""Bytes a file may always grow to."""
_MAX_MEMBERS = 64  # gzip members in one file: each costs a copy of the rest
_STEP = 4096  # packed bytes at a time out of a broken file, one by one towards the end
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What a file held."""

    data: bytes
    trouble: str = ""
    """Why that is not all of it; empty: it is."""


def is_packed(data: bytes) -> bool:
    """Whether it begins as gzip does."""
    return data.startswith(_GZIP)


def unpacked(data: bytes, most: int = MAX_BYTES) -> Unpacked:
    """The bytes of a file, packed or not, at most `most` of them; of a broken one as far as it goes. Never raises."""
    if not is_packed(data):
        if len(data) > most:
            return Unpacked(b"", f"larger than {most >> 20} MB, not read")
        return Unpacked(data)
    limit = min(most, max(SMALL, MAX_RATIO * len(data)))
    whole: list[bytes] = []
    size = 0
    rest = data
    for _ in range(_MAX_MEMBERS):
        member: _Unpacker = _unpacker(wbits=31)
        try:
            part = member.decompress(rest, limit + 1 - size)
        except _BrokenError as error:
            return Unpacked(b"".join((*whole, _salvaged(rest, limit - size))), f"broken gzip: {error}")
        whole.append(part)
        size += len(part)
        if size > limit:
            return Unpacked(b"", f"grows past {limit >> 20} MB in gunzip ({len(data)} bytes packed), not read")
        if not member.eof:
            return Unpacked(b"".join(whole), "gzip ends early")
        rest = member.unused_data.lstrip(b"\0")
        if not rest:
            return Unpacked(part if len(whole) == 1 else b"".join(whole))
        if not rest.startswith(_GZIP):
            return Unpacked(b"".join(whole), "something that is no gzip follows it")
    return Unpacked(b"".join(whole), f"more than {_MAX_MEMBERS} gzip members")


def _salvaged(data: bytes, most: int) -> bytes:
    """What a broken member gives before it breaks."""
    member = zlib.decompressobj(wbits=31)
    view = memoryview(data)
    parts: list[bytes] = []
    left, at, step = most, 0, _STEP
    while at < len(data) and left > 0:
        before = member.copy()
        try:
            parts.append(member.decompress(view[at : at + step], left))
        except zlib.error:
            if step == 1:
                break
            member, step = before, 1
            continue
        left -= len(parts[-1])
        at += step
    return b"".join(parts)

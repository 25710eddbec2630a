"""The items of a JSON array, one at a time, out of text that need not be right.

Hides the scan for where an item ends: by strings and brackets alone, so that a bad number, a bad character or a
thousand levels inside one item neither cost the others nor let a text pass for an item of its own. Neither time nor
memory depends on what the text is made of, only on its length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# A string that nothing ends is one token up to the end, so that its quotes are not tried one by one.
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)'
_TOKEN = re.compile(_STRING + rb"|[{}\[\]]", re.DOTALL)
_BETWEEN = re.compile(rb"[\s,]*+")
_SCALAR = re.compile(_STRING + rb'|[^\s,\[\]{}"]++', re.DOTALL)
_QUOTE = b'"'[0]
_OPENING = b"{["
_MOST = 1_000_000  # strings and brackets of one item: CloudTrail's have some hundreds


def items(data: bytes, start: int) -> Iterator[tuple[int, int]]:
    """(start, end) of each item of the array whose content begins at `start`; end past the text: it ends inside.

    The last pair is empty: where the array's closing bracket is, or should be.
    """
    at = start
    while at <= len(data):
        at = _after(_BETWEEN, data, at)
        end = _end_of(data, at) if data[at : at + 1] in (b"{", b"[") else _after(_SCALAR, data, at)
        yield at, end
        if end == at:
            return
        at = end


def _after(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    found = pattern.match(data, at)
    return found.end() if found else at


def _end_of(data: bytes, start: int) -> int:
    """Where the object or array that begins at `start` ends; past the end of the text if it does not, or not soon."""
    depth = 0
    for number, token in enumerate(_TOKEN.finditer(data, start)):
        at = token.start()
        head = data[at]
        if head == _QUOTE:
            continue
        depth += 1 if head in _OPENING else -1
        if depth == 0:
            return at + 1
        if number > _MOST:
            break
    return len(data) + 1

"""Long texts that are nearly alike, kept as pieces that they share.

Hides where a text is cut. A resource that is changed again and again is judged anew each time, and every verdict tells
of all calls of the look-back, as the document of every look does: kept whole, a week of them grows with the square of
its calls. So a text is cut before calls, and what the call before is decides where: calls that are added or left out at
either end, or listed the other way round, leave nearly all pieces as they were. What is kept of the text is a mark,
which the codec never writes, with the numbers of its pieces and the digest of the whole; a text with few calls is kept
as it is.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, LargeBinary, Table, select, type_coerce

from agent.store import schema
from agent.store.codec import digest
from agent.store.database import Database, fetch_in

FEW = 32
"""A text with no more calls is kept whole."""
MARK = '{"$":"pieces",'
"""How what stands in place of a text begins."""

_EVERY = 16
"""One call in so many ends a piece: fewer pieces are longer, and share less; more of them take longer to name."""
_LONG = 256 * 1024
"""A piece that has grown to so many characters ends in any case."""
_REMEMBERED = 64 * 1024 * 1024
"""Characters of pieces."""
_JUDGED = '"items":[{"$":"JudgedChange"'
"""Where the list of a verdict's calls begins, behind that of those which may explain the drift."""
_NOT_SO = "a stored text is not what was written down: a piece of it was changed or is gone"


@dataclass(frozen=True, slots=True)
class Kind:
    """Texts of one kind, which are canonical ASCII JSON."""

    table: Table
    """Where their pieces are kept."""
    call: str
    """How a call begins in them. No string holds it: there a quote has a backslash before it."""

    def cut(self, text: str, few: int = FEW) -> tuple[str, ...]:
        """The text in pieces, which joined give it again; one piece where it has no more than `few` calls."""
        head, *calls = text.split(self.call)
        if len(calls) <= few:
            return (text,)
        pieces, current, length = [head], list[str](), 0
        for call in calls:
            current += (self.call, call)
            length += len(self.call) + len(call)
            if length >= _LONG or zlib.crc32(call.encode("ascii")) % _EVERY == 0:
                pieces.append("".join(current))
                current, length = [], 0
        if current:
            pieces.append("".join(current))
        return tuple(pieces)

    def put(self, connection: Connection, texts: Sequence[str], few: int = FEW) -> list[str]:
        """What to keep of each text, its pieces being kept: the text itself where it has few calls.

        For the one transaction that appends to the ledger: two may not look for the same piece at the same time.
        """
        cuts = [self.cut(text, few) for text in texts]
        digests = {piece: digest(piece) for pieces in cuts if len(pieces) > 1 for piece in pieces}
        numbers = self._numbers(connection, digests)
        new = [
            {"sha256": sha256, "body": piece.encode("ascii")}
            for piece, sha256 in digests.items()
            if piece not in numbers
        ]
        if new:
            connection.execute(self.table.insert(), new)
            numbers = self._numbers(connection, digests)
        return [
            text if len(pieces) == 1 else _marked(text, map(numbers.__getitem__, pieces))
            for text, pieces in zip(texts, cuts, strict=True)
        ]

    def unnamed(self, connection: Connection, bodies: Iterable[str]) -> list[int]:
        """Numbers of the pieces that none of these names, which are what is kept of all texts.

        Raises ValueError where it cannot be read which one names.
        """
        names = {number for body in bodies for number in named(body)}
        return [number for number in connection.execute(select(self.table.c.id)).scalars() if number not in names]

    def _numbers(self, connection: Connection, digests: Mapping[str, str]) -> dict[str, int]:
        """Of pieces, given with their digests, those that are kept, with their numbers."""
        columns = self.table.c
        rows = fetch_in(connection, select(columns.id, columns.sha256), columns.sha256, digests.values())
        kept = {row.sha256: row.id for row in rows}
        return {piece: kept[sha256] for piece, sha256 in digests.items() if sha256 in kept}


VERDICTS = Kind(schema.pieces, '{"$":"Change",')
"""Findings as they were judged, as the codec writes them."""
DOCUMENTS = Kind(schema.document_pieces, '{"event_ids": [')
"""Documents of looks, as `json` writes them."""


def is_cut(body: str) -> bool:
    """Whether what is kept is a mark in place of a text."""
    return body.startswith(MARK)


def named(body: str) -> list[int]:
    """Numbers of the pieces that what is kept of a text names. Raises ValueError for a mark that cannot be read."""
    return _read(body).of if is_cut(body) else []


class Joined:
    """Puts texts of one kind together again. It remembers pieces that it read lately: the next text may share them."""

    def __init__(self, database: Database, kind: Kind) -> None:
        """Reads nothing yet."""
        self._database = database
        self._table = kind.table
        self._known: dict[int, str] = {}
        self._told = set[int]()
        self._length = 0

    def text(self, body: str) -> str:
        """The whole text, of what is kept of it. Raises StoreError, and ValueError where it is not what was kept."""
        if not is_cut(body):
            return body
        mark = _read(body)
        texts = self._texts(mark.of)
        text = "".join(texts)
        if not all(texts) or digest(text) != mark.sha256:
            raise ValueError(_NOT_SO)
        return text

    def news(self, body: str) -> str:
        """A verdict's text without the calls in pieces that were told before: JSON still, of the same shape.

        From one end of a piece to the other stand whole calls with what is said of them, unless a list ends in it.
        Raises StoreError, and ValueError where a piece is gone; the rest is not held against the digest.
        """
        if not is_cut(body):
            return body
        first, *inner, last = _read(body).of
        fresh = [number for number in inner if number not in self._told]
        texts = self._texts([first, *fresh, last])
        if not all(texts):
            raise ValueError(_NOT_SO)
        self._told.update(number for number, text in zip(fresh, texts[1:], strict=False) if _JUDGED not in text)
        return "".join(texts)

    def data(self, body: bytes) -> bytes:
        """As `text`, for what is kept as bytes."""
        return self.text(body.decode("ascii")).encode() if body.startswith(MARK.encode()) else body

    def _texts(self, numbers: Sequence[int]) -> list[str]:
        """Empty for a piece that is gone or cannot be read."""
        found = {number: self._known.pop(number) for number in dict.fromkeys(numbers) if number in self._known}
        self._length -= sum(map(len, found.values()))
        missing = [number for number in dict.fromkeys(numbers) if number not in found]
        if missing:
            columns = self._table.c
            raw = type_coerce(columns.body, LargeBinary).label("raw")  # what was spoilt is told as such
            with self._database.read() as connection:
                rows = fetch_in(connection, select(columns.id, raw), columns.id, missing)
            found |= {row.id: _unpacked(row.raw) for row in rows}
        self._remember(found)
        return [found.get(number, "") for number in numbers]

    def _remember(self, found: Mapping[int, str]) -> None:
        """The latest last; the earliest are forgotten."""
        self._known.update(found)
        self._length += sum(map(len, found.values()))
        while self._length > _REMEMBERED:
            self._length -= len(self._known.pop(next(iter(self._known))))


def _unpacked(body: bytes) -> str:
    try:
        return zlib.decompress(body).decode("ascii")
    except (zlib.error, UnicodeDecodeError):
        return ""


class _Mark(msgspec.Struct, tag_field="$", tag="pieces"):
    """What stands in place of a text."""

    of: list[int]
    sha256: str


_MARKS = msgspec.json.Decoder(_Mark)  # made here: threads that meet a type for the first time at once have crashed


def _marked(text: str, numbers: Iterable[int]) -> str:
    return msgspec.json.encode(_Mark(list(numbers), digest(text))).decode()


def _read(body: str) -> _Mark:
    try:
        return _MARKS.decode(body)
    except msgspec.DecodeError as error:
        raise ValueError(f"a stored text is not what was written down: {error}") from None

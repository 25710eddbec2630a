"""One file of CloudTrail records → typed records; what cannot be read is a gap, and the rest goes on.

Hides gunzip with a bound, the containers records come in (`{"Records": […]}`, an array, JSON Lines, a saved
LookupEvents answer, an EventBridge envelope), and what is done about one that is damaged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter

import msgspec
from msgspec import Raw, field

from agent.model import Gap
from agent.trail.gunzip import unpacked
from agent.trail.lenient import leniently
from agent.trail.parts import items
from agent.trail.record import BAD_JSON, Document, Record, at, corrects, document, event_id, mapping, respelt, value
from agent.trail.source import Blob

__all__ = ["Document", "Record", "at", "batches", "corrects", "document", "event_id", "mapping", "records", "value"]

_PIECE = 512 << 10  # bytes of a file decoded at once: what that makes stays in the processor's cache
_REACH = 1 << 20  # how far beyond it the next record may begin
_LARGEST = 8 << 20  # bytes of one record, line or envelope: CloudTrail's own end at 1 MB
_BATCH = 1000  # records at a time, where they are decoded one by one
_MOST_BAD = 1_000_000  # parts of one file that are no records, before the rest of it is left
_GIVEN_UP = "too many parts that are no records: the rest is not read"


class _File(msgspec.Struct, gc=False):
    records: list[Record] = field(name="Records")


_FILE = msgspec.json.Decoder(_File)
_RECORDS = msgspec.json.Decoder(list[Record])
_RECORD = msgspec.json.Decoder(Record)
_ANY = msgspec.json.Decoder()
_PARTS = msgspec.json.Decoder(dict[str, Raw])
_HEAD = re.compile(rb'\s*\{\s*"(Records|Events)"\s*:\s*\[|\s*\[')
_TAIL = re.compile(rb"\s*\]\s*(?:\}|(,)|\Z)\s*")
_NEXT = b'},{"eventVersion"'  # where one record ends and the next begins, in what CloudTrail writes


class _UnreadableError(Exception):
    """Why one part of a file gives no record; the message goes into the gap."""


def records(blob: Blob) -> Iterator[Record | Gap]:
    """Every record of the file, and at most one gap for all that could not be read of it. Never raises.

    The records' undecoded parts point into the file's bytes and hold them in memory.
    """
    for batch in batches(blob):
        if isinstance(batch, Gap):
            yield batch
        else:
            yield from batch


def batches(blob: Blob) -> Iterator[list[Record] | Gap]:
    """`records`, many at a time: a list never holds more than a piece of the file."""
    found = unpacked(blob.data)
    told = _Told()
    if found.data or not found.trouble:
        yield from _file(found.data, told)
    if found.trouble:
        salvaged = f"; {told.read} records of it were read" if told.read else ""
        told.first, told.bad = f"{found.trouble}{salvaged}", 1
    if told.bad:
        more = f" (and {told.bad - 1} more like it, of {told.seen} records)" if told.bad > 1 else ""
        yield Gap(blob.scope, f"{blob.name}: {told.first}{more}", cause="unreadable")


# --- containers ----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Told:
    """What one file has told so far."""

    seen: int = 0
    """Records, and parts that should have been some."""
    read: int = 0
    bad: int = 0
    first: str = ""

    def no(self, why: str) -> None:
        """One part that gives no record."""
        self.first = self.first or why
        self.bad += 1

    def good(self, batch: list[Record]) -> list[Record]:
        """Those that are CloudTrail's. `aws:s3` is the source of an S3 notification, whose records look alike."""
        sources = set(map(_SOURCE_OF, batch))
        if all(sources) and all(map(_NAME_OF, batch)) and not any(found.startswith("aws:") for found in sources):
            self.seen += len(batch)
            self.read += len(batch)
            return batch
        kept: list[Record] = []
        for record in batch:
            self.seen += 1
            if record.name and record.source and not record.source.startswith("aws:"):
                kept.append(record)
            else:
                self.no(f"record {self.seen} is no CloudTrail record")
        self.read += len(kept)
        return kept


_SOURCE_OF = attrgetter("source")
_NAME_OF = attrgetter("name")
_Batches = Iterator[list[Record]]


def _file(data: bytes, told: _Told) -> _Batches:
    """Arrays one after the other, or one document, or a document a line."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    at = 0
    while head := _HEAD.match(data, at):
        at = yield from _array(data, head, told)
        if not data[at:].strip():
            return
    if at:
        told.no(f"after record {told.seen}: something that is no list of records")
    elif b"\n" not in data.strip() or data.rstrip().endswith(b"\n}"):
        yield from _document(data, told)
    else:
        yield from _lines(data, told)


def _lines(data: bytes, told: _Told) -> _Batches:
    batch: list[Record] = []
    at, number = 0, 0
    while at < len(data):
        end = data.find(b"\n", at)
        end = len(data) if end < 0 else end
        line = data[at:end]
        at, number = end + 1, number + 1
        record = _record(line)
        if isinstance(record, Record) and record.name and record.source:
            batch.append(record)
        elif line.lstrip().startswith((b"{", b"[")):
            yield from _document(line, told, f"line {number}: ")
        elif line.strip():
            told.seen += 1
            told.no(f"line {number}: not JSON")
        if len(batch) >= _BATCH:
            yield told.good(batch)
            batch = []
        if told.bad > _MOST_BAD:
            told.no(_GIVEN_UP)
            break
    yield told.good(batch)


def _document(data: bytes, told: _Told, where: str = "") -> _Batches:
    """One JSON document, whatever container it is."""
    if len(data) > _LARGEST:
        told.no(f"{where}one document of {len(data) >> 20} MB, not read")
        return
    head = _HEAD.match(data)
    if head:
        yield from _array(data, head, told)
        return
    try:
        fields = _fields(data)
    except _UnreadableError as error:
        told.seen += 1
        told.no(f"{where}{error}")
        return
    for name in ("Records", "Events"):
        if name in fields:
            part = b'{"%b":%b}' % (name.encode(), bytes(fields[name]))
            head = _HEAD.match(part)
            if head:
                yield from _array(part, head, told)
            else:
                told.no(f"{where}{name} is no array")
            return
    if "detail" in fields and "detail-type" in fields:
        data = bytes(fields["detail"])
    elif "eventName" not in fields and "eventSource" not in fields:
        told.seen += 1
        told.no(f"{where}no CloudTrail record: neither Records nor eventName in it")
        return
    record = _record(data)
    if isinstance(record, Record):
        yield told.good([record])
    else:
        told.seen += 1
        told.no(f"{where}{record}")


def _array(data: bytes, head: re.Match[bytes], told: _Told) -> Generator[list[Record], None, int]:
    """The records of one array, a piece at a time; gives where it and what it stands in end.

    A piece that decodes as an array by itself ends where an item ends: nothing inside an item can make it.
    """
    at = head.end()
    lead, decoder = (b'{"Records":[', _FILE) if head[1] else (b"[", _RECORDS)
    while head[1] != b"Events":
        cut = -1
        batch: list[Record] | None = None
        try:
            if len(data) - at <= 2 * _PIECE:
                found = decoder.decode(data if at == head.end() and not head.start() else lead + data[at:])
                yield told.good(found if isinstance(found, list) else found.records)
                return len(data)
            cut = data.find(_NEXT, at + _PIECE, at + _PIECE + _REACH)
            batch = _RECORDS.decode(b"".join((b"[", memoryview(data)[at : cut + 1], b"]"))) if cut >= 0 else None
        except BAD_JSON:
            batch = None
        if batch is not None:
            yield told.good(batch)
            at = cut + 2
            continue
        at, ended = yield from _one_by_one(data, at, cut if cut >= 0 else at + _PIECE, told, _record)
        if ended:
            return _closed(data, at, told)
    at, _ = yield from _one_by_one(data, at, len(data) + 1, told, _looked_up)
    return _closed(data, at, told)


def _one_by_one(
    data: bytes, at: int, stop: int, told: _Told, record_of: Callable[[bytes], Record | str]
) -> Generator[list[Record], None, tuple[int, bool]]:
    """Items until past `stop`; gives where the next one begins, and whether there is none."""
    batch: list[Record] = []
    ended = False
    for start, end in items(data, at):
        at = min(end, len(data))
        number = told.seen + len(batch) + 1
        if end == start or end > len(data) or told.bad > _MOST_BAD:
            if end != start:
                told.no(_GIVEN_UP if told.bad > _MOST_BAD else f"not JSON: record {number} does not end")
                at = len(data)
            ended = True
            break
        large = end - start > _LARGEST
        record = f"record {number} has {(end - start) >> 20} MB, not read" if large else record_of(data[start:end])
        if isinstance(record, Record):
            batch.append(record)
        else:
            told.seen += 1
            told.no(record)
        if len(batch) >= _BATCH:
            yield told.good(batch)
            batch = []
        if at > stop:
            break
    yield told.good(batch)
    return at, ended


def _closed(data: bytes, at: int, told: _Told) -> int:
    """Where what stands around an array ends, whose items end at `at`."""
    if at == len(data):
        if told.bad == 0 and not data.endswith(b"]"):
            told.no(f"not JSON: ends after record {told.seen}")
        return at
    tail = _TAIL.match(data, at)
    if tail is None:
        told.no(f"not JSON after record {told.seen}")
        return len(data)
    if not tail[1]:
        return tail.end()
    *_, (last, _) = items(data, tail.end())
    return last + 1


def _record(text: bytes) -> Record | str:
    if not text.lstrip().startswith(b"{"):
        return "a record that is no object"
    try:
        return _RECORD.decode(text)
    except BAD_JSON as error:
        found = leniently(text)
        return _said(error) if found is None else respelt(found)


def _looked_up(event: bytes) -> Record | str:
    """The record inside one event of a saved LookupEvents answer."""
    try:
        return _record(_ANY.decode(_fields(event)["CloudTrailEvent"]).encode())
    except (*BAD_JSON, _UnreadableError, KeyError, AttributeError, UnicodeEncodeError):
        return "an entry of Events has no CloudTrailEvent in it"


def _fields(text: bytes) -> Mapping[str, Raw]:
    """The members of an object. Raises `_UnreadableError` if it is none."""
    if not text.strip():
        raise _UnreadableError("empty")
    try:
        return _PARTS.decode(text)
    except BAD_JSON as error:
        found = leniently(text)
        if found is None:
            raise _UnreadableError(_said(error)) from error
        if not isinstance(found, dict):
            raise _UnreadableError("neither an object nor an array") from error
        return _PARTS.decode(json.dumps(found))


def _said(error: Exception) -> str:
    return "nested too deep, not read" if isinstance(error, RecursionError) else f"not JSON: {error}"

"""One file of CloudTrail records → typed records; what cannot be read is a gap, and the rest goes on.

Hides gunzip with a bound, the containers records come in (`{"Records": […]}`, an array, JSON Lines, a saved
LookupEvents answer, an EventBridge envelope) and their misspellings. Nested parts stay undecoded bytes until somebody
asks: nine records in ten are reads that nobody asks about.
"""

from __future__ import annotations

import hashlib
import json
import math
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Raw, field

from agent.model import Gap
from agent.trail.source import MAX_BYTES, Blob

MAX_RATIO = 200
"""How far a file may grow in gunzip, once past `_SMALL`: real ones grow 5 to 50 fold."""
_SMALL = 16 << 20
_MAX_MEMBERS = 64  # gzip members in one file: each costs a copy of the rest

_NULL = Raw(b"null")
_BAD_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Record(msgspec.Struct, frozen=True, gc=False):
    """One CloudTrail record. Text may be missing or null; flags may be booleans or the words for them."""

    name: str | None = field(default=None, name="eventName")
    source: str | None = field(default=None, name="eventSource")
    time: str | None = field(default=None, name="eventTime")
    id: str | None = field(default=None, name="eventID")
    region: str | None = field(default=None, name="awsRegion")
    type: str | None = field(default=None, name="eventType")
    category: str | None = field(default=None, name="eventCategory")
    management: bool | str | None = field(default=None, name="managementEvent")
    read_only: bool | str | None = field(default=None, name="readOnly")
    error: str | None = field(default=None, name="errorCode")
    user_agent: str | None = field(default=None, name="userAgent")
    source_ip: str | None = field(default=None, name="sourceIPAddress")
    recipient: str | None = field(default=None, name="recipientAccountId")
    shared_id: str | None = field(default=None, name="sharedEventID")
    from_console: bool | str | None = field(default=None, name="sessionCredentialFromConsole")
    user_identity: Raw = field(default=_NULL, name="userIdentity")
    request: Raw = field(default=_NULL, name="requestParameters")
    response: Raw = field(default=_NULL, name="responseElements")
    resources: Raw = _NULL
    additional: Raw = field(default=_NULL, name="additionalEventData")
    details: Raw = field(default=_NULL, name="serviceEventDetails")
    context: Raw = field(default=_NULL, name="eventContext")
    addendum: Raw = _NULL


class _File(msgspec.Struct, gc=False):
    records: list[Record] = field(name="Records")


_FILE = msgspec.json.Decoder(_File)
_RECORD = msgspec.json.Decoder(Record)
_ANY = msgspec.json.Decoder()
_PART = msgspec.json.Decoder(Raw)
_PARTS = msgspec.json.Decoder(dict[str, Raw])
_LIST = msgspec.json.Decoder(list[Raw])
_SPELLINGS = {f.encode_name: f for f in msgspec.structs.fields(Record)}
_NAMES = tuple((spelling, place.name) for spelling, place in _SPELLINGS.items())


class _UnreadableError(Exception):
    """Why a file or one part of it gives no record; the message goes into the gap."""


def records(blob: Blob) -> Iterator[Record | Gap]:
    """Every record of the file, and at most one gap for all that could not be read of it. Never raises.

    The records' undecoded parts point into the file's bytes; `keep` copies one that outlives them.
    """
    try:
        data = _plain(blob.data)
    except _UnreadableError as error:
        yield Gap(blob.scope, f"{blob.name}: {error}")
        return
    bad: list[str] = []
    seen = 0
    try:
        found: Iterator[Record | str] = iter(_FILE.decode(data).records)
    except _BAD_JSON:
        found = _slowly(data)
    for record in found:
        seen += 1
        # `aws:s3` is the source of an S3 notification, whose records look alike.
        if isinstance(record, str):
            bad.append(record)
        elif not record.name or not record.source or record.source.startswith("aws:"):
            bad.append(f"record {seen} is no CloudTrail record")
        else:
            yield record
    if bad:
        more = f" (and {len(bad) - 1} more like it, of {seen} records)" if len(bad) > 1 else ""
        yield Gap(blob.scope, f"{blob.name}: {bad[0]}{more}")


def value(part: Raw) -> Any:
    """A nested part, decoded; None where it is missing or no JSON."""
    try:
        return _ANY.decode(part)
    except _BAD_JSON:
        return _leniently(bytes(part))


def mapping(part: Raw) -> Mapping[str, Any]:
    """A nested part that should be an object; empty where it is anything else."""
    found = value(part)
    return found if isinstance(found, dict) else {}


def document(record: Record) -> dict[str, Any]:
    """The record in CloudTrail's own spelling, nested parts decoded: what a resource spec's paths look into."""
    found: dict[str, Any] = {}
    for spelling, name in _NAMES:
        part = getattr(record, name)
        found[spelling] = None if part is _NULL else value(part) if isinstance(part, Raw) else part
    return found


def keep(record: Record) -> Record:
    """A copy that does not hold the whole file in memory."""
    fields: dict[str, Any] = {}
    for _, name in _NAMES:
        part = getattr(record, name)
        fields[name] = part.copy() if isinstance(part, Raw) and part is not _NULL else part
    return Record(**fields)


def at(record: Record) -> datetime | None:
    """eventTime in UTC; None where it is missing or no time. A time without a zone is taken for UTC."""
    try:
        time = datetime.fromisoformat(record.time or "")
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def event_id(record: Record) -> str:
    """What two deliveries of one event have in common: eventID where it is a UUID, else the content's digest too.

    Events are told apart by it alone, so that an id which is no id (`1`, missing) never merges two of them.
    """
    found = record.id or ""
    if len(found) == 36 and found[8] == found[13] == found[18] == found[23] == "-":
        return found.lower()
    return f"{found or 'no-id'}#{hashlib.sha256(msgspec.json.encode(record)).hexdigest()[:16]}"


# --- bytes ---------------------------------------------------------------------------------------------------


def _plain(data: bytes) -> bytes:
    if not data.startswith(b"\x1f\x8b"):
        return data.removeprefix(b"\xef\xbb\xbf")
    limit = min(MAX_BYTES, max(_SMALL, MAX_RATIO * len(data)))
    whole: list[bytes] = []
    size = 0
    rest = data
    for _ in range(_MAX_MEMBERS):
        member = zlib.decompressobj(wbits=31)
        try:
            whole.append(member.decompress(rest, limit + 1 - size))
        except zlib.error as error:
            raise _UnreadableError(f"broken gzip: {error}") from error
        size += len(whole[-1])
        if size > limit:
            raise _UnreadableError(f"grows past {limit >> 20} MB in gunzip ({len(data)} bytes packed), not read")
        if not member.eof:
            raise _UnreadableError("gzip ends early")
        rest = member.unused_data.lstrip(b"\0")
        if not rest:
            return b"".join(whole)
    raise _UnreadableError(f"more than {_MAX_MEMBERS} gzip members")


# --- containers and misspellings -----------------------------------------------------------------------------


def _slowly(data: bytes) -> Iterator[Record | str]:
    """Records, and a reason for each part that gives none: what is not the plain and well-spelt file."""
    if not data.strip():
        yield "empty"
        return
    try:
        yield from _unpacked(_PART.decode(data))
        return
    except _BAD_JSON as error:
        lines = data.splitlines()
        if len(lines) < 2:
            yield _said(error)
            return
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield from _line(line, number)


def _line(line: bytes, number: int) -> Iterator[Record | str]:
    try:
        found = list(_unpacked(_PART.decode(line)))
    except _BAD_JSON as error:
        found = [_said(error)]
    for item in found:
        yield f"line {number}: {item}" if isinstance(item, str) else item


def _said(error: Exception) -> str:
    return "nested too deep, not read" if isinstance(error, RecursionError) else f"not JSON: {error}"


def _unpacked(part: Raw) -> Iterator[Record | str]:
    """Records of one JSON document, whatever container it is."""
    for found in _contents(part):
        if isinstance(found, str):
            yield found
            continue
        try:
            yield _RECORD.decode(found)
        except _BAD_JSON:
            yield _respelt(_leniently(bytes(found)))


def _contents(part: Raw) -> Iterator[Raw | str]:
    head = bytes(part[:1]) if isinstance(part, bytes) else bytes(part).lstrip()[:1]
    if head == b"[":
        yield from _LIST.decode(part)
        return
    if head != b"{":
        yield "neither an object nor an array"
        return
    fields = _PARTS.decode(part)
    if "Records" in fields:
        yield from _items(fields["Records"], "Records")
    elif "Events" in fields:
        for event in _items(fields["Events"], "Events"):
            yield _looked_up(event)
    elif "detail" in fields and "detail-type" in fields:
        yield fields["detail"]
    elif "eventName" in fields or "eventSource" in fields:
        yield part
    else:
        yield "no CloudTrail record: neither Records nor eventName in it"


def _items(part: Raw, name: str) -> Iterator[Raw | str]:
    try:
        yield from _LIST.decode(part)
    except _BAD_JSON:
        yield f"{name} is no array"


def _looked_up(event: Raw | str) -> Raw | str:
    """The record inside one event of a saved LookupEvents answer."""
    if isinstance(event, str):
        return event
    try:
        text = _ANY.decode(_PARTS.decode(event)["CloudTrailEvent"])
        return Raw(_PART.decode(text))
    except (*_BAD_JSON, KeyError, TypeError):
        return "an entry of Events has no CloudTrailEvent in it"


def _leniently(text: bytes) -> Any:
    """What msgspec refuses: bad UTF-8, NaN, giant numbers (as text), half surrogates. None where it is no JSON."""
    try:
        found = json.loads(
            text.decode("utf-8", "replace"), parse_constant=lambda _: None, parse_int=_number, parse_float=_number
        )
        return json.loads(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def _number(digits: str) -> int | float | str:
    if len(digits) > 18:  # nineteen digits may not fit 64 bits, and any more stalls int()
        return digits
    return int(digits) if digits.lstrip("-").isdigit() else _finite(float(digits), digits)


def _finite(number: float, digits: str) -> float | str:
    return number if math.isfinite(number) else digits


def _respelt(found: Any) -> Record | str:
    """A record with a field of another type than it should have: text made of it, or the field left out."""
    if not isinstance(found, dict):
        return "a record that is no object"
    fields: dict[str, Any] = {}
    for spelling, place in _SPELLINGS.items():
        if found.get(spelling) is None:
            continue
        if place.type is Raw:
            fields[place.name] = Raw(json.dumps(found[spelling]).encode())
        else:
            fields[place.name] = _scalar(found[spelling])
    return Record(**fields)


def _scalar(found: Any) -> str | bool | None:
    if isinstance(found, bool):
        return found
    if isinstance(found, int | float):
        return str(found)
    return found.encode("utf-8", "replace").decode() if isinstance(found, str) else None

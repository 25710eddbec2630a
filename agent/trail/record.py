"""One CloudTrail record: its fields, and what is made of them.

Hides how fields are spelt, and that nested parts stay undecoded bytes until somebody asks: nine records in ten are
reads that nobody asks about.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Raw, field

from agent.trail.lenient import leniently, scalar

_NULL = Raw(b"null")
BAD_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What the decoder raises on text that is no JSON, or not of the type."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """One CloudTrail record. Text may be missing or null; flags may be booleans or the words for them.

    The fields stand as CloudTrail writes them: the decoder finds the next one where it looks first.
    """

    version: str | None = field(default=None, name="eventVersion")
    user_identity: Raw = field(default=_NULL, name="userIdentity")
    time: str | None = field(default=None, name="eventTime")
    source: str | None = field(default=None, name="eventSource")
    name: str | None = field(default=None, name="eventName")
    region: str | None = field(default=None, name="awsRegion")
    source_ip: str | None = field(default=None, name="sourceIPAddress")
    user_agent: str | None = field(default=None, name="userAgent")
    error: str | None = field(default=None, name="errorCode")
    message: str | None = field(default=None, name="errorMessage")  # classify.signed_in: why a sign-in failed
    request: Raw = field(default=_NULL, name="requestParameters")
    response: Raw = field(default=_NULL, name="responseElements")
    additional: Raw = field(default=_NULL, name="additionalEventData")
    id: str | None = field(default=None, name="eventID")
    read_only: bool | str | None = field(default=None, name="readOnly")
    resources: Raw = _NULL
    type: str | None = field(default=None, name="eventType")
    management: bool | str | None = field(default=None, name="managementEvent")
    recipient: str | None = field(default=None, name="recipientAccountId")
    shared_id: str | None = field(default=None, name="sharedEventID")
    details: Raw = field(default=_NULL, name="serviceEventDetails")
    category: str | None = field(default=None, name="eventCategory")
    context: Raw = field(default=_NULL, name="eventContext")
    addendum: Raw = _NULL
    from_console: bool | str | None = field(default=None, name="sessionCredentialFromConsole")


_SPELLINGS = {f.encode_name: f for f in msgspec.structs.fields(Record)}

_ANY = msgspec.json.Decoder()


def respelt(found: Any) -> Record | str:
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
            fields[place.name] = scalar(found[spelling])
    return Record(**fields)


def value(part: Raw) -> Any:
    """A nested part, decoded; None where it is missing or no JSON."""
    try:
        return _ANY.decode(part)
    except BAD_JSON:
        return leniently(bytes(part))


def mapping(part: Raw) -> Mapping[str, Any]:
    """A nested part that should be an object; empty where it is anything else."""
    found = value(part)
    return found if isinstance(found, dict) else {}


class Document(dict[str, Any]):
    """A record in CloudTrail's own spelling, whose fields are looked up, and decoded, when they are asked for."""

    __slots__ = ("_record",)

    def __init__(self, record: Record) -> None:
        """Of one record."""
        self._record = record

    def __missing__(self, name: str) -> Any:
        found = getattr(self._record, _SPELLINGS[name].name)
        if type(found) is Raw:
            found = None if found is _NULL else value(found)
        self[name] = found
        return found

    def get(self, name: str, otherwise: Any = None) -> Any:
        """As of any mapping."""
        try:
            return self[name]
        except KeyError:
            return otherwise

    def __contains__(self, name: object) -> bool:
        return name in _SPELLINGS

    def __len__(self) -> int:
        return len(_SPELLINGS)

    def __iter__(self) -> Iterator[str]:
        return iter(_SPELLINGS)

    def keys(self) -> Any:
        """All of CloudTrail's that are known here."""
        return _SPELLINGS.keys()

    def values(self) -> Any:
        """All of it, decoded."""
        return [self[name] for name in _SPELLINGS]

    def items(self) -> Any:
        """All of it, decoded."""
        return {name: self[name] for name in _SPELLINGS}.items()


document = Document
"""What a resource spec's paths look into."""


def at(record: Record) -> datetime | None:
    """eventTime in UTC; None where it is missing or no time. A time without a zone is taken for UTC."""
    return _time(record.time or "")


@lru_cache(maxsize=1024)  # many events share a second
def _time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
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
    return f"{found[:64] or 'no-id'}#{hashlib.sha256(msgspec.json.encode(record)).hexdigest()[:16]}"


def corrects(record: Record) -> str:
    """Id of the event an `UPDATED_DATA` addendum replaces; else empty."""
    if bytes(record.addendum) == b"null":
        return ""
    addendum = mapping(record.addendum)
    original = addendum.get("originalEventID")
    return original.lower() if addendum.get("reason") == "UPDATED_DATA" and isinstance(original, str) else ""

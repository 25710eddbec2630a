"""What a property test of feeds needs: a journal, and sources in memory that deliver late, twice and in any order.

The journal keeps a delivery's entries and its checkpoint together or not at all, as the store's does.
"""

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from botocore.exceptions import ClientError
from trail_records import ACCOUNT, REGION, SPECS, packed, record

from agent.model import Entry, Gap
from agent.trail import lookup
from agent.trail.entries import Reader
from agent.trail.source import Blob, Delivery, Feed, Window


class KilledError(Exception):
    """The process ended."""


@dataclass
class Journal:
    """What was kept."""

    entries: dict[str, Entry] = field(default_factory=dict)
    checkpoints: dict[str, dict[str, Any]] = field(default_factory=dict)
    lasting: list[Gap] = field(default_factory=list)
    counted: int = 0

    def read(self, feed: Feed, start: datetime, end: datetime, *, kill: int = -1, kept: bool = False) -> list[Gap]:
        """One reading; killed at delivery number `kill`, after it was `kept` or before. Gives its gaps."""
        reader = Reader(SPECS)
        gaps: list[Gap] = []
        stood = self.checkpoints.setdefault(feed.name, {})
        deliveries = feed.deliveries(Window(start, end, dict(stood)))
        for number, delivery in enumerate(deliveries):
            if number == kill and not kept:
                raise KilledError
            gaps += self._keep(delivery, reader, stood)
            if number == kill:
                raise KilledError
            gaps += delivery.acknowledge() if delivery.acknowledge else ()
        return gaps

    def _keep(self, delivery: Delivery, reader: Reader, stood: dict[str, Any]) -> list[Gap]:
        passing: list[Gap] = []
        for blob in delivery.blobs:
            sifted = reader.sift(blob)
            self.entries |= {entry.event: entry for entry in sifted.entries}
            (self.lasting if isinstance(blob, Blob) else passing).extend(sifted.gaps)
        self.lasting += delivery.lasting
        counted = sum(tally.events for tally in reader.tallies())
        self.counted += 0 if delivery.again else counted
        if delivery.checkpoint is not None:
            stood[delivery.shard] = json.loads(json.dumps(delivery.checkpoint))
        return passing


def perfect(made: Sequence[dict]) -> dict[str, Entry]:
    return {entry.event: entry for entry in Reader(SPECS).sift(Blob("all", packed(*made))).entries}


def at(time: datetime, **fields: Any) -> dict:
    return record(**{"eventTime": f"{time:%FT%TZ}"} | fields)


def plain(found: dict) -> str:
    """As CloudTrail writes it: of copies with more spaces the longest would count."""
    return json.dumps(found, separators=(",", ":"))


class Lookup:
    """LookupEvents over records, newest first, two a page; and what was asked."""

    def __init__(self) -> None:
        self.records: list[dict] = []
        self.asked: list[tuple[str, datetime, datetime]] = []
        self.fail = -1

    def lookup_events(self, **asked: Any) -> dict[str, Any]:
        value = asked["LookupAttributes"][0]["AttributeValue"]
        self.asked.append((value, asked["StartTime"], asked["EndTime"]))
        if len(self.asked) == self.fail:
            raise OSError("the line is dead")
        found = sorted(
            (
                one
                for one in self.records
                if value == "false"
                and asked["StartTime"] <= datetime.fromisoformat(one["eventTime"]) <= asked["EndTime"]
            ),
            key=lambda one: one["eventTime"],
            reverse=True,
        )
        first = int(asked.get("NextToken", "0"))
        more = {"NextToken": f"{first + 2}"} if len(found) > first + 2 else {}
        return {"Events": [{"CloudTrailEvent": plain(one)} for one in found[first : first + 2]], **more}

    def feed(self, now: Callable[[], datetime], *, sessions: bool = True) -> Feed:
        return lookup.feed(self, ACCOUNT, REGION, sessions=sessions, sleep=lambda _: None, now=now)

    def writes(self) -> list[tuple[datetime, datetime]]:
        found = [(start, end) for value, start, end in self.asked if value == "false"]
        self.asked = []
        return list(dict.fromkeys(found))


class MemoryBucket:
    """The calls of S3 that feeds make, over keys in memory; two keys a page."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, datetime]] = {}
        self.now = datetime.min.replace(tzinfo=UTC)

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803  boto3's names
        self.objects[Key] = (Body, self.now)

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803  boto3's names
        if Key not in self.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": "gone"}}, "GetObject")
        return {"Body": BytesIO(self.objects[Key][0])}

    def get_paginator(self, _name: str) -> "MemoryBucket":
        return self

    def paginate(self, *, Bucket: str, Prefix: str, Delimiter: str) -> Iterator[dict[str, Any]]:  # noqa: N803  boto3's names
        names = {key.removeprefix(Prefix).split(Delimiter)[0] for key in self.objects if key.startswith(Prefix)}
        yield {"CommonPrefixes": [{"Prefix": f"{Prefix}{name}/"} for name in sorted(names)]}

    def list_objects_v2(self, **asked: str) -> dict[str, Any]:
        prefix = asked["Prefix"]
        after = max(asked.get("StartAfter", ""), asked.get("ContinuationToken", ""))
        found = sorted(key for key in self.objects if key.startswith(prefix) and key > after)
        contents = [
            {"Key": key, "Size": len(self.objects[key][0]), "LastModified": self.objects[key][1]} for key in found[:2]
        ]
        return {"Contents": contents} | ({"NextContinuationToken": found[1]} if len(found) > 2 else {})


class MemoryQueue:
    """The calls of SQS that feeds make; what was received and not deleted comes back when the reader was killed."""

    def __init__(self) -> None:
        self.visible: dict[str, str] = {}
        self.hidden: dict[str, str] = {}

    def send(self, body: dict) -> None:
        self.visible[f"{uuid.uuid4()}"] = plain(body)

    def receive_message(self, **_: Any) -> dict[str, Any]:
        got = list(self.visible.items())[:3]
        for name, _ in got:
            self.hidden[name] = self.visible.pop(name)
        return {"Messages": [{"MessageId": name, "ReceiptHandle": name, "Body": body} for name, body in got]}

    def delete_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803  boto3's names
        for entry in Entries:
            self.hidden.pop(entry["ReceiptHandle"])
        return {}

    def get_queue_attributes(self, **_: Any) -> dict[str, Any]:
        return {"Attributes": {}}

    def release(self) -> None:
        self.visible |= self.hidden
        self.hidden = {}

"""Log files as S3 or CloudTrail itself announces them, through a queue: minutes after delivery, without listing.

Hides the shapes an announcement has (an S3 notification, the same from EventBridge, CloudTrail's own SNS message, each
in SNS envelopes or not) and what else such a queue holds. The queue is writable by others: what it names is looked for
in the trail's buckets alone, and a message that nobody can read never holds up the rest.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/configure-sns-notifications-for-cloudtrail.html
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from agent.model import Gap, Scope
from agent.trail.batch import Batch
from agent.trail.queue import EMPTIED, VALIDATION, Message, Reading, UnreadableError, opened, reached, told_at_times
from agent.trail.s3 import Missed, fetch, in_order, scope_of
from agent.trail.source import EVERYWHERE, Blob, Delivery, Feed, Window

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")  # and no ARN of somebody's access point
_LONGEST_KEY = 1024  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html


def feed(
    queue: SQSClient,
    url: str,
    s3: S3Client,
    *,
    buckets: Collection[str] = (),
    seconds: float = 60.0,
    wait: int = 2,
    hidden: int = 120,
    workers: int = 16,
    clock: Callable[[], float] = time.monotonic,
    eager: bool = False,
) -> Feed:
    """CloudTrail log files that messages in the queue at `url` name, of these buckets; empty: of any.

    `seconds` bounds how long new messages are asked for; `wait` is how long an answer may take to find the first;
    `hidden` is for how long a message that was read stays away, unless it was acknowledged. `s3` should allow
    `workers` connections. A message stays in the queue until all its files were read, or cannot be read for ever.
    `eager`: see `Reading`.
    """

    emptied = told_at_times(clock) if eager else lambda: True

    def deliveries(_window: Window) -> Iterator[Delivery]:
        reading = Reading(queue, url, seconds, wait, hidden, clock, eager)
        pool = ThreadPoolExecutor(workers, thread_name_prefix="trail-notified")
        try:
            read = True
            for messages in reading.batches():
                if isinstance(messages, Gap):
                    read = False
                    yield Delivery((messages,))
                else:
                    yield from _Files(reading, messages, s3, frozenset(buckets), pool, workers).deliveries()
            if read and emptied():
                yield Delivery(checkpoint=EMPTIED)
        finally:
            pool.shutdown(cancel_futures=True)

    return Feed(url, deliveries, drains=True, probe=lambda: reached(queue, url))


@dataclass(frozen=True, slots=True)
class _Object:
    bucket: str
    key: str
    scope: Scope


@dataclass(slots=True)
class _Files:
    """What one batch of messages names."""

    reading: Reading
    messages: Sequence[Message]
    s3: S3Client
    buckets: frozenset[str]
    pool: ThreadPoolExecutor
    workers: int
    _staying: set[str] = field(default_factory=set)
    """Ids of messages that are not to be deleted."""
    _batch: Batch = field(default_factory=Batch)

    def deliveries(self) -> Iterator[Delivery]:
        """The files in a few deliveries; the last one takes the messages from the queue."""
        named: dict[_Object, list[Message]] = {}
        back = partial(self.reading.give_back, self.messages)
        for message in self.messages:
            for one in self._objects(message):
                named.setdefault(one, []).append(message)
        for one, found in in_order(self.pool, self.workers, list(named), self._get):
            if isinstance(found, Blob):
                self._batch.add(found)
            elif found.forever:
                for message in named[one]:
                    self._give_up(message, found.gap.why, found.gap.scope)
            else:
                self._batch.miss(found.gap, lasting=False)
                self._staying |= {message.id for message in named[one]}
            if self._batch.is_full:
                yield self._batch.deliver(give_back=back)
            self.reading.stay_hidden(self.messages)
        done = [message for message in self.messages if message.id not in self._staying]
        yield self._batch.deliver(acknowledge=partial(self.reading.delete, done), give_back=back)

    def _objects(self, message: Message) -> Iterator[_Object]:
        """The log files it names; where it names no objects at all, or one it must not, it is given up."""
        try:
            named = list(dict.fromkeys(_named(message.body)))
        except UnreadableError as error:
            self._give_up(message, str(error))
            return
        for bucket, key in named:
            scope = scope_of(key)
            if self.buckets and bucket not in self.buckets:
                self._give_up(message, f"names the bucket {bucket[:100]!a}, which is none of the trail's")
            elif not _BUCKET.fullmatch(bucket) or len(key) > _LONGEST_KEY:
                self._give_up(message, f"names what is no object: {bucket[:100]!a}, {key[:100]!a}")
            elif scope is not None:
                yield _Object(bucket, key, scope)

    def _give_up(self, message: Message, why: str, scope: Scope = EVERYWHERE) -> None:
        gap, delete = self.reading.unreadable(message, why, scope)
        self._batch.miss(gap, lasting=True)
        if not delete:
            self._staying.add(message.id)

    def _get(self, one: _Object, most: int) -> Blob | Missed:
        return fetch(self.s3, one.bucket, one.key, one.scope, most)


def _named(body: str) -> Iterator[tuple[str, str]]:
    """(bucket, key) of each new object a message tells of. Raises `UnreadableError` for what tells of no object."""
    found, text = opened(body)
    if text == VALIDATION or found.get("Event") == "s3:TestEvent":
        return
    if isinstance(found.get("s3ObjectKey"), list):
        yield from ((_text(found.get("s3Bucket")), _text(key)) for key in found["s3ObjectKey"])
    elif isinstance(found.get("Records"), list):
        yield from _of_records(found["Records"])
    elif found.get("source") == "aws.s3":
        detail = _mapping(found.get("detail"))
        if found.get("detail-type") == "Object Created":
            yield _text(_mapping(detail.get("bucket")).get("name")), _text(_mapping(detail.get("object")).get("key"))
    else:
        raise UnreadableError("no notification of an object in S3")


def _of_records(records: Sequence[Any]) -> Iterator[tuple[str, str]]:
    for record in map(_mapping, records):
        s3 = _mapping(record.get("s3"))
        if record.get("eventSource") != "aws:s3":
            raise UnreadableError("no notification of an object in S3")
        if str(record.get("eventName", "ObjectCreated:")).startswith("ObjectCreated:"):
            # The key is encoded as in a form: "+" for a space, "%3A" for a colon.
            key = unquote_plus(_text(_mapping(s3.get("object")).get("key")), errors="surrogateescape")
            yield _text(_mapping(s3.get("bucket")).get("name")), key


def _mapping(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, dict) else {}


def _text(found: Any) -> str:
    if not isinstance(found, str):
        raise UnreadableError("no notification of an object in S3")
    return found

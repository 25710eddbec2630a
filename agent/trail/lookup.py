"""LookupEvents: the last 90 days of one account and region, without a trail of one's own.

Hides paging, the limit of two requests a second, throttling, and that sessions need queries of their own: only one
filter is allowed, `ReadOnly=false` finds the writes, and AssumeRole counts as a read. Hides too that answers come
newest first, so that a long interval is asked for in slices, oldest first, and goes on after the last whole one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from agent.model import Gap, Scope
from agent.trail.batch import Batch, instant, shortened
from agent.trail.classify import ASSUMING
from agent.trail.source import LATE, LOOKBACK, TYPE, Blob, Checkpoint, Delivery, Feed, Window

KEPT = timedelta(days=90)
"""https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html, as all limits here."""
_PAUSE = 0.5  # seconds from one request to the next: two a second, per account and region, not raisable
_PAGE = 50
_ATTEMPTS = 8  # with doubling pauses: two minutes of throttling by other users of the same quota
_THROTTLED = ("ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded")
_FAILED = (ClientError, BotoCoreError, OSError)

_WRITES = ("ReadOnly", "false")
_SESSIONS = tuple(("EventName", name) for name in sorted(ASSUMING))
_LONGEST = timedelta(days=1)
_SHORTEST = timedelta(minutes=15)
_BUSY = 20  # pages of one slice, ten seconds: what an interruption may cost
_VERSION = 1


class CloudTrail(Protocol):
    """The one operation of a boto3 `cloudtrail` client that is used."""

    def lookup_events(self, **arguments: Any) -> Mapping[str, Any]:
        """One page."""


def feed(
    client: CloudTrail,
    account: str,
    region: str,
    *,
    sessions: bool = True,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Feed:
    """Writes of the interval, and with `sessions` the AssumeRole calls back to `LOOKBACK` before it.

    `client` should not retry throttling by itself. A query that fails is a gap; the others go on.
    """
    asked = _Asked(_Pace(client, sleep), Scope(account=account, region=region, type=TYPE))

    def deliveries(window: Window) -> Iterator[Delivery]:
        queries = [(_WRITES, window.start)]
        if sessions:
            queries += [(query, window.start - LOOKBACK) for query in _SESSIONS]
        for query, since in queries:
            yield from asked.since(query, since, window, now())

    return Feed(f"lookup://{account}/{region}", deliveries)


@dataclass(frozen=True, slots=True)
class _Asked:
    """One account and region."""

    pace: _Pace
    scope: Scope

    def since(self, query: tuple[str, str], wanted: datetime, window: Window, now: datetime) -> Iterator[Delivery]:
        """What the query finds from `wanted` on and no earlier reading settled, slice after slice."""
        shard = f"{self.scope.account}/{self.scope.region}/{query[0]}={query[1]}"
        oldest = now - KEPT
        stood = _Stood.of(window.checkpoints.get(shard))
        since = at = max(wanted, oldest)
        goes_on = stood is not None and stood.since <= at
        if stood and goes_on:
            at = max(stood.until, oldest)
            since = stood.since if stood.until >= oldest else oldest  # what lies between is forgotten by now
        # A scan takes a moment: an interval of just as many days is no gap.
        if query == _WRITES and wanted < since - _SHORTEST:
            missing = -(-(since - wanted) // timedelta(days=1))
            why = f"LookupEvents keeps {KEPT.days} days: nothing of the interval's first {missing}"
            yield Delivery((Gap(self.scope, why),), shard)
        begin, step = at, _LONGEST
        while at < window.end:
            # A rest that is not much longer than a slice is one: a scan an hour later asks once, not twice.
            until = at + step if at + step * 1.5 < window.end else window.end
            until = min([until, *(edge for edge in (stood.edges if stood else ()) if at < edge)])
            batch = Batch(shard, again=stood is not None and stood.since <= at and until <= stood.read)
            pages = 0
            for page in self._pages(query, at, until):
                pages += 1
                if isinstance(page, Gap):
                    batch.add(page)
                    yield batch.deliver()
                    return
                if batch.is_full:
                    yield batch.deliver()
                if page is not None:
                    batch.add(page)
            # Events arrive late: what is not older than that is asked for again.
            settled = max(begin, min(until, now - LATE))
            read = max(until, stood.read) if stood and goes_on else until
            yield batch.deliver(_Stood(since, settled, read).checkpoint())
            at = until
            step = max(step / 4, _SHORTEST) if pages > _BUSY else min(step * 2, _LONGEST)

    def _pages(self, query: tuple[str, str], start: datetime, end: datetime) -> Iterator[Blob | Gap | None]:
        """Page after page, None for an empty one; a gap ends it."""
        key, value = query
        arguments: dict[str, Any] = {
            "LookupAttributes": [{"AttributeKey": key, "AttributeValue": value}],
            "StartTime": start,
            "EndTime": end,
            "MaxResults": _PAGE,
        }
        number = 0
        while True:
            number += 1
            name = f"LookupEvents {self.scope.account}/{self.scope.region} {key}={value} page {number}"
            try:
                answer = self.pace.page(arguments)
            except _FAILED as error:
                yield Gap(self.scope, shortened(f"{name}: {error}"))
                return
            lines = [event.get("CloudTrailEvent") or "{}" for event in answer.get("Events", ())]
            # A JSON text needs no line break, so that without them one record is one line.
            data = "\n".join(line.replace("\r", " ").replace("\n", " ") for line in lines).encode("utf-8", "replace")
            yield Blob(name, data, self.scope, answers=True) if lines else None
            token = answer.get("NextToken")
            if not token or token == arguments.get("NextToken"):
                return
            arguments["NextToken"] = token


@dataclass(frozen=True, slots=True)
class _Stood:
    """Where a query stood."""

    since: datetime
    """From here on everything was asked for,"""
    until: datetime
    """and by now has arrived up to here."""
    read: datetime
    """Up to here it was asked for once."""

    @classmethod
    def of(cls, checkpoint: Checkpoint | None) -> _Stood | None:
        """From a checkpoint; None for what is none of this version."""
        if checkpoint is None or checkpoint.get("version") != _VERSION:
            return None
        since, until, read = (instant(checkpoint.get(name)) for name in ("since", "until", "read"))
        return cls(since, until, read) if since and until and read else None

    @property
    def edges(self) -> tuple[datetime, datetime]:
        """Where what was read begins and ends: no slice is half of it."""
        return self.since, self.read

    def checkpoint(self) -> Checkpoint:
        """To go on from here."""
        times = {"since": self.since, "until": self.until, "read": self.read}
        return {"version": _VERSION, **{name: time.isoformat() for name, time in times.items()}}


class _Pace:
    """The client, never faster than the quota."""

    def __init__(self, client: CloudTrail, sleep: Callable[[float], None]) -> None:
        self._client = client
        self._sleep = sleep
        self._next = 0.0

    def page(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """One page, after the pause; throttling is waited out, any other error raised."""
        for attempt in range(_ATTEMPTS):
            self._wait()
            try:
                return self._client.lookup_events(**arguments)
            except ClientError as error:
                throttled = error.response.get("Error", {}).get("Code") in _THROTTLED
                if not throttled or attempt == _ATTEMPTS - 1:
                    raise
                self._sleep(_PAUSE * 2**attempt)
        raise AssertionError("the last attempt returns or raises")

    def _wait(self) -> None:
        ahead = self._next - time.monotonic()
        if ahead > 0:
            self._sleep(ahead)
        self._next = time.monotonic() + _PAUSE

"""LookupEvents: the last 90 days of one account and region, without a trail of one's own.

Hides paging, the limit of two requests a second, throttling, and that sessions need queries of their own: only one
filter is allowed, `ReadOnly=false` finds the writes, and AssumeRole counts as a read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from agent.model import Gap, Scope
from agent.trail.classify import ASSUMING
from agent.trail.source import LOOKBACK, TYPE, Blob, Source

KEPT = timedelta(days=90)
"""https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html, as all limits here."""
_PAUSE = 0.5  # seconds from one request to the next: two a second, per account and region, not raisable
_PAGE = 50
_ATTEMPTS = 8  # with doubling pauses: two minutes of throttling by other users of the same quota
_THROTTLED = ("ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded")

_WRITES = ("ReadOnly", "false")
_SESSIONS = tuple(("EventName", name) for name in sorted(ASSUMING))


class CloudTrail(Protocol):
    """The one operation of a boto3 `cloudtrail` client that is used."""

    def lookup_events(self, **arguments: Any) -> Mapping[str, Any]:
        """One page."""


def source(
    client: CloudTrail,
    account: str,
    region: str,
    *,
    sessions: bool = True,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Source:
    """Writes of the interval, and with `sessions` the AssumeRole calls back to `LOOKBACK` before it.

    `client` should not retry throttling by itself. A query that fails is a gap; the others go on.
    """
    pace = _Pace(client, sleep)
    scope = Scope(account=account, region=region, type=TYPE)

    def blobs(start: datetime, end: datetime) -> Iterator[Blob | Gap]:
        oldest = now() - KEPT
        if start < oldest:
            yield Gap(scope, f"LookupEvents keeps {KEPT.days} days: nothing from {start:%FT%TZ} to {oldest:%FT%TZ}")
        queries = [(_WRITES, start)]
        if sessions:
            queries += [(query, start - LOOKBACK) for query in _SESSIONS]
        for query, since in queries:
            if max(since, oldest) < end:
                yield from _pages(pace, query, max(since, oldest), end, scope)

    return blobs


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


def _pages(pace: _Pace, query: tuple[str, str], start: datetime, end: datetime, scope: Scope) -> Iterator[Blob | Gap]:
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
        name = f"LookupEvents {scope.account}/{scope.region} {key}={value} page {number}"
        try:
            answer = pace.page(arguments)
        except (ClientError, BotoCoreError) as error:
            yield Gap(scope, f"{name}: {error}")
            return
        lines = [event.get("CloudTrailEvent") or "{}" for event in answer.get("Events", ())]
        if lines:
            # A JSON text needs no line break, so that without them one record is one line.
            data = "\n".join(line.replace("\r", " ").replace("\n", " ") for line in lines).encode()
            yield Blob(name, data, scope, answers=True)
        token = answer.get("NextToken")
        if not token or token == arguments.get("NextToken"):
            return
        arguments["NextToken"] = token

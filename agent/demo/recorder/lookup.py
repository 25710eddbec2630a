"""`cloudtrail:LookupEvents`, which moto lacks, with AWS's filters, pages, limits and errors."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from agent.demo.recorder import touched
from agent.demo.recorder.wire import Response, answer

PAGE = 50
"""Most events in one answer, and the default (CloudTrail API reference, LookupEvents)."""
DAYS = 90
"""How far back it looks."""
RATE = 2.0
"""Requests per second, account and region; not raisable."""

_ATTRIBUTES: Mapping[str, Callable[[Mapping[str, Any]], Sequence[str]]] = {
    "AccessKeyId": lambda event: (event.get("AccessKeyId", ""),),
    "EventId": lambda event: (event["EventId"],),
    "EventName": lambda event: (event["EventName"],),
    "EventSource": lambda event: (event["EventSource"],),
    "ReadOnly": lambda event: (event["ReadOnly"],),
    "ResourceName": lambda event: [item["ResourceName"] for item in event["Resources"]],
    "ResourceType": lambda event: [item["ResourceType"] for item in event["Resources"]],
    "Username": lambda event: (event.get("Username", ""),),
}


class LookupRefusedError(Exception):
    """A request LookupEvents refuses: AWS's error code and message."""

    def __init__(self, code: str, message: str) -> None:
        """Answered with status 400."""
        super().__init__(message)
        self.code = code


class Throttle:
    """At most so many requests a second per account and region; None: no limit."""

    def __init__(self, rate: float | None) -> None:
        """`rate`: requests per second."""
        self._rate = rate
        self._seen: dict[tuple[str, str], deque[float]] = {}

    def admit(self, account: str, region: str) -> None:
        """Count one request. Raises LookupRefusedError where it is one too many."""
        if self._rate is None:
            return
        now = time.monotonic()
        seen = self._seen.setdefault((account, region), deque())
        while seen and now - seen[0] >= 1:
            seen.popleft()
        if len(seen) >= self._rate:
            raise LookupRefusedError("ThrottlingException", "Rate exceeded")
        seen.append(now)


def look_up(
    records: Sequence[Mapping[str, Any]], asked: Mapping[str, Any], account: str, region: str, now: datetime
) -> dict[str, Any]:
    """One page: `{"Events": […], "NextToken": …}`, newest first.

    `records`: all there are, oldest first; `asked`: LookupEvents' parameters. Raises LookupRefusedError.
    """
    size = _page_size(asked)
    start, end = _range(asked, now)
    wanted = _wanted(asked)
    bound = _fingerprint(asked, account, region)
    mine = [
        (record["eventTime"], number, record)
        for number, record in enumerate(records)
        if record["recipientAccountId"] == account and record["awsRegion"] == region
    ]
    mine.sort(key=lambda entry: entry[:2], reverse=True)
    before = _position(asked.get("NextToken"), bound)
    events: list[tuple[tuple[str, int], dict[str, Any]]] = []
    for at, number, record in mine:
        if (before is not None and (at, number) >= before) or not start <= _instant(at) <= end:
            continue
        event = _event(record)
        # The only category to ask for is `insight`, and nothing here is one.
        if asked.get("EventCategory") or not wanted(event):
            continue
        if len(events) == size:
            last = events[-1]
            return {"Events": [shown for _, shown in events], "NextToken": _token(last[0], bound)}
        event["CloudTrailEvent"] = json.dumps(record, separators=(",", ":"))
        events.append(((at, number), event))
    return {"Events": [shown for _, shown in events]}


def succeed(page: Mapping[str, Any]) -> Response:
    """A page as AWS sends it."""
    return _respond(200, page)


def fail(error: LookupRefusedError) -> Response:
    """A refusal as AWS sends it."""
    return _respond(400, {"__type": error.code, "message": str(error)})


def _respond(status: int, body: Mapping[str, Any]) -> Response:
    headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": str(uuid4())}
    return answer(status, json.dumps(body).encode(), headers)


def _page_size(asked: Mapping[str, Any]) -> int:
    size = int(asked.get("MaxResults", PAGE))
    if not 1 <= size <= PAGE:
        raise LookupRefusedError("InvalidMaxResultsException", f"MaxResults must be between 1 and {PAGE}, not {size}.")
    return size


def _range(asked: Mapping[str, Any], now: datetime) -> tuple[datetime, datetime]:
    oldest = now - timedelta(days=DAYS)
    start, end = asked.get("StartTime") or oldest, asked.get("EndTime") or now
    if start > end:
        raise LookupRefusedError("InvalidTimeRangeException", "StartTime is after EndTime.")
    return max(start, oldest), end


def _wanted(asked: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], bool]:
    attributes = asked.get("LookupAttributes") or []
    if not attributes:
        return lambda event: True  # noqa: ARG005 the filter that keeps all
    if len(attributes) > 1:
        raise LookupRefusedError("InvalidLookupAttributesException", "You can only specify one lookup attribute.")
    key, value = attributes[0].get("AttributeKey"), attributes[0].get("AttributeValue")
    if key not in _ATTRIBUTES or not value:
        raise LookupRefusedError("InvalidLookupAttributesException", f"Not a lookup attribute: {key}={value}.")
    read = _ATTRIBUTES[key]
    return lambda event: value in read(event)


def _event(record: Mapping[str, Any]) -> dict[str, Any]:
    who = record.get("userIdentity") or {}
    event = {
        "EventId": record["eventID"],
        "EventName": record["eventName"],
        "ReadOnly": "true" if record.get("readOnly") else "false",
        "AccessKeyId": who.get("accessKeyId"),
        "EventTime": _instant(record["eventTime"]).timestamp(),
        "EventSource": record["eventSource"],
        "Username": _user_name(who),
        "Resources": touched.looked_up(record),
    }
    return {name: value for name, value in event.items() if value is not None and value != ""}


def _user_name(who: Mapping[str, Any]) -> str:
    if who.get("type") == "Root":
        return "root"
    if who.get("type") in ("AssumedRole", "FederatedUser"):
        return str(who.get("arn", "")).rsplit("/", 1)[-1]
    return str(who.get("userName", ""))


def _fingerprint(asked: Mapping[str, Any], account: str, region: str) -> str:
    bound = {name: str(value) for name, value in asked.items() if name != "NextToken"}
    text = json.dumps([account, region, bound], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _token(position: tuple[str, int], bound: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([bound, *position]).encode()).decode()


def _position(token: str | None, bound: str) -> tuple[str, int] | None:
    if not token:
        return None
    try:
        whose, at, number = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, TypeError, binascii.Error):
        whose = at = number = None
    if whose != bound:
        raise LookupRefusedError("InvalidNextTokenException", "Invalid token, or used with different parameters.")
    return at, number


def _instant(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)

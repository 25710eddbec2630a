"""What the trail brought lately: how old it is, what each source brought of it, and who was refused.

Hides that only what came since is asked for, and that a source is known to the store by other names than to the
configuration.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf

import msgspec
from sqlalchemy import Connection, func, select

from agent.config import Config
from agent.daemon.metrics_catalogue import Samples
from agent.daemon.metrics_labels import account_label
from agent.silence import by_source, is_of
from agent.store import Store, schema
from agent.trail.attempts import BURST

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MOST = 20_000
"""Refused calls that are looked at, the newest first: whoever is refused more often is told of anyway."""
SETTLED = timedelta(minutes=5)
"""How long what was counted stands where nothing new came: only the window has moved."""
AGAIN = timedelta(minutes=1)
"""How long it stands though something came: the event path brings something every second."""

_entries = schema.trail_entries
_hours = schema.trail_hours
_checkpoints = schema.trail_checkpoints


class _Caller(msgspec.Struct):
    arn: str = ""
    principal: str = ""


class _Entry(msgspec.Struct):
    """A stored record as far as it is counted."""

    caller: _Caller
    account: str = ""
    error: str = ""


_DECODER = msgspec.json.Decoder(_Entry)


@dataclass(frozen=True, slots=True)
class _Refused:
    account: str
    caller: str
    at: datetime


class TrailWatch:
    """The trail of one store. One thread at a time."""

    def __init__(self, store: Store) -> None:
        """Nothing is read yet: see `look`."""
        self._store = store
        self._moved: datetime | None = None
        self._counted_at: datetime | None = None
        self._refused: tuple[_Refused, ...] = ()
        self._failed: Counter[str] = Counter()
        self._newest: Mapping[str, datetime] = {}

    def look(self, config: Config, places: Iterable[tuple[str, str]], now: datetime) -> Samples:
        """How old each configured source and place is, and who was refused. Raises StoreError."""
        brought = by_source(config, self._store.journal.brought())
        with self._store.database.read() as connection:
            query = select(_checkpoints.c.feed, func.max(_checkpoints.c.kept_at)).group_by(_checkpoints.c.feed)
            feeds: dict[str, datetime] = {row[0]: row[1] for row in connection.execute(query)}
            moved = max(feeds.values(), default=None)
            # The clock may have been set back: what was counted in the future is counted again.
            age = now - self._counted_at if self._counted_at else SETTLED
            if not timedelta() <= age < SETTLED or (moved != self._moved and age >= AGAIN):
                self._count(connection, now)
                self._newest = _newest(connection, places)
                self._moved, self._counted_at = moved, now
        since = [one for one in self._refused if now - one.at <= DAY]
        accounts = {account_label(account) for account, _ in places} | {one.account for one in since}
        calls, dense = Counter(one.account for one in since), _densest(since, now)
        return {
            "driftwarden_trail_source_lag_seconds": {(s,): age for s, age in _ages(config, feeds, now)},
            "driftwarden_trail_source_newest_event_timestamp_seconds": {
                (one.feed,): one.newest.timestamp() for one in brought if one.newest
            },
            "driftwarden_trail_source_missed_timestamp_seconds": {
                (one.feed,): one.missed.timestamp() for one in brought if one.missed
            },
            "driftwarden_trail_newest_event_timestamp_seconds": {
                (account,): at.timestamp() for account, at in self._newest.items()
            },
            "driftwarden_denied_calls": {(account,): float(calls[account]) for account in accounts},
            "driftwarden_denied_burst_calls": {(account,): float(dense[account]) for account in accounts},
            "driftwarden_failed_sign_ins": {
                (account,): float(self._failed[account]) for account in accounts | self._failed.keys()
            },
        }

    def _count(self, connection: Connection, now: datetime) -> None:
        query = select(_entries.c.sort, _entries.c.time, _entries.c.body)
        query = query.where(_entries.c.time > now - DAY, _entries.c.sort.in_(("denied", "sign-in")))
        refused, failed = [], Counter[str]()
        for row in connection.execute(query.order_by(_entries.c.time.desc()).limit(MOST)):
            entry = _DECODER.decode(row.body)
            account = account_label(entry.account)
            if row.sort == "denied":
                refused.append(_Refused(account, entry.caller.arn or entry.caller.principal, row.time))
            elif entry.error:
                failed[account] += 1
        self._refused, self._failed = tuple(refused), failed


def _densest(refused: Iterable[_Refused], now: datetime) -> Counter[str]:
    """Account → most calls of one caller within `BURST` of each other, in the last hour."""
    times: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    for one in refused:
        if now - one.at <= HOUR:
            times[one.account, one.caller].append(one.at)
    found: Counter[str] = Counter()
    for (account, _), unordered in times.items():
        moments = sorted(unordered)
        most = max(end - bisect_left(moments, at - BURST) for end, at in enumerate(moments, 1))
        found[account] = max(found[account], most)
    return found


def _newest(connection: Connection, places: Iterable[tuple[str, str]]) -> Mapping[str, datetime]:
    """Account → time of its newest record; a seek for each place, as the table has a row for every hour of it."""
    found: dict[str, datetime] = {}
    for account, region in places:
        query = select(_hours.c.newest).where(_hours.c.account == account, _hours.c.region == region)
        at: datetime | None = connection.scalar(query.order_by(_hours.c.hour.desc()).limit(1))
        label = account_label(account)
        if at is not None and (label not in found or found[label] < at):
            found[label] = at
    return found


def _ages(config: Config, feeds: Mapping[str, datetime], now: datetime) -> Iterator[tuple[str, float]]:
    """Each configured source with the seconds since it was last read; +Inf where it never was."""
    for source in config.trail.sources:
        kept = [at for feed, at in feeds.items() if is_of(feed, source, config)]
        yield source, max((now - max(kept)).total_seconds(), 0.0) if kept else inf

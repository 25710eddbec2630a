"""How many events there were, by account, region and hour, and by long-lived access key: each once, however often it is
delivered.

Hides how that is remembered in bounded memory, and at a cost that does not show.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

from agent.model import KeyUse, Tally
from agent.trail import decode, identity
from agent.trail.decode import Record

_WINDOW = 250_000  # events remembered, at least: a record delivered twice comes twice within far fewer
_HOURS = 100_000  # account, region and hour of one reading: beyond them junk is counted together

_LONGEST = 256  # characters of a text that is kept
_KEYS = 10_000  # long-lived keys and days of one reading
_LONG_LIVED = "AKIA"
"""How the id of a long-lived key begins: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html"""
_MARK = _LONG_LIVED.encode()

_ID_OF = attrgetter("id")
_ACCOUNT_OF, _REGION_OF, _TIME_OF = attrgetter("recipient"), attrgetter("region"), attrgetter("time")
_PLACE_OF = attrgetter("recipient", "region", "time")

Place = tuple[str | None, str | None, str | None]
"""Account, region and time of one record."""


@dataclass(slots=True)
class Seen:
    """The latest events, in bounded memory: at least `limit` of them, at most twice as many and one batch.

    Of each a hash is kept: that two of a million share one happens once in tens of millions of such windows, and costs
    one count.
    """

    limit: int = _WINDOW
    _new: set[int] = field(default_factory=set)
    _old: set[int] = field(default_factory=set)

    def fresh(self, events: Sequence[str]) -> Sequence[bool] | None:
        """Which of these events have not come by lately; None: none of them has."""
        hashes = list(map(hash, events))
        distinct = set(hashes)
        told: list[bool] | None = None
        if len(distinct) < len(hashes) or not (self._new.isdisjoint(distinct) and self._old.isdisjoint(distinct)):
            come = {one for one in distinct if one in self._new or one in self._old}
            told = []
            for one in hashes:
                told.append(one not in come)
                come.add(one)
        if len(self._new) >= self.limit:
            self._old, self._new = self._new, set()
        self._new |= distinct
        return told


class Counts:
    """What was counted since it was last asked."""

    def __init__(self) -> None:
        self._seen_of = {once: Seen() for once in (False, True)}
        self._seen = self._seen_of[False]
        self._counts: dict[tuple[str, str, str], list[Any]] = {}
        self._used: dict[tuple[str, str], KeyUse] = {}

    def begin(self, *, once: bool) -> None:
        """What follows is of sources that give it but `once`, or of others: an event of both is counted in each."""
        self._seen = self._seen_of[once]

    def add(self, batch: list[Record]) -> None:
        """Counts the records that are not delivered again."""
        fresh = self._seen.fresh(events_of(batch))
        if fresh is not None:
            batch = list(itertools.compress(batch, fresh))
        self._add(_counted(batch))
        for record in batch:
            if _MARK in bytes(record.user_identity):
                self._use(record)

    def add_told(self, events: Sequence[str], places: Sequence[Place]) -> None:
        """The same, of what another process told of a batch."""
        fresh = self._seen.fresh(events)
        self._add(Counter(places if fresh is None else itertools.compress(places, fresh)))

    def _add(self, places: Mapping[Place, int]) -> None:
        for (account, region, time), events in places.items():
            at = (account or "", region or "", (time or "")[:13])
            if at not in self._counts and len(self._counts) >= _HOURS:
                at = ("", "", at[2])
                if at not in self._counts and len(self._counts) >= 2 * _HOURS:
                    continue
            known = self._counts.setdefault(at, [0, ""])
            known[0] += events
            known[1] = max(known[1], (time or "")[:64])

    def _use(self, record: Record) -> None:
        """One call with a long-lived key, of whatever kind and outcome."""
        caller, time = identity.of(record), decode.at(record)
        if time is None or not caller.key.startswith(_LONG_LIVED):
            return
        key, day = caller.key[:_LONGEST], time.replace(hour=0, minute=0, second=0, microsecond=0)
        known = self._used.get((key, day.isoformat()))
        if known is None and len(self._used) >= _KEYS:
            return
        calls = 1 if known is None else known.calls + 1
        found = KeyUse(key, day, caller.arn, caller.account, calls, (record.source_ip or "")[:_LONGEST])
        self._used[key, day.isoformat()] = found

    def key_use(self) -> tuple[KeyUse, ...]:
        """Calls with long-lived keys since the last call, by key and day; starts again from nothing."""
        found = tuple(self._used.values())
        self._used = {}
        return found

    def tallies(self) -> tuple[Tally, ...]:
        """How many events there were since the last call, by account, region and hour; starts again from nothing."""
        found = tuple(_tally(*at, *counted) for at, counted in self._counts.items() if _is_hour(at[2]))
        self._counts = {}
        return found


def events_of(batch: list[Record]) -> Sequence[str]:
    """What tells the events apart: of a file of CloudTrail's own, the ids as they are."""
    ids = list(map(_ID_OF, batch))
    if all(ids) and set(map(len, ids)) == {36} and "".join(ids).islower():
        return ids
    return [decode.event_id(record) for record in batch]


def _counted(batch: list[Record]) -> Mapping[Place, int]:
    """(account, region, time) → how many records. A file of CloudTrail's own is of one account and region."""
    accounts, regions = set(map(_ACCOUNT_OF, batch)), set(map(_REGION_OF, batch))
    if len(accounts) == len(regions) == 1:
        place = (accounts.pop(), regions.pop())
        return {(*place, time): events for time, events in Counter(map(_TIME_OF, batch)).items()}
    return Counter(map(_PLACE_OF, batch))


def places_of(batch: list[Record]) -> list[Place]:
    """Account, region and time of each."""
    return list(map(_PLACE_OF, batch))


def _is_hour(text: str) -> bool:
    try:
        datetime.fromisoformat(f"{text}:00+00:00")
    except ValueError:
        return False
    return True


def _tally(account: str, region: str, hour: str, events: int, newest: str) -> Tally:
    start = datetime.fromisoformat(f"{hour}:00+00:00")
    try:
        last = datetime.fromisoformat(newest)
        last = last.astimezone(UTC) if last.tzinfo else last.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # the last hour of the year 9999 west of Greenwich is no time here
        last = start
    return Tally(account, region, start, events, last)


def merged(tallies: Iterable[Tally]) -> tuple[Tally, ...]:
    """One for each account, region and hour."""
    found: dict[tuple[str, str, datetime], Tally] = {}
    for tally in tallies:
        at = (tally.account, tally.region, tally.hour)
        known = found.get(at)
        if known is not None:
            newest = max(known.newest, tally.newest)
            tally = Tally(*at, known.events + tally.events, newest)  # noqa: PLW2901  the two in one
        found[at] = tally
    return tuple(found.values())

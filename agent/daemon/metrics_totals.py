"""What was counted for ever: unauthorised changes, how soon they were found, how long cases stayed open.

Hides how a count survives. Everything is counted again from verdicts and ledger when the daemon starts, so that no
count depends on which process saw it; and once a day the counts so far are written down with the place they reach to,
so that evidence that is removed after its years is not taken off them. What was counted never goes down.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

import msgspec
from sqlalchemy import Connection, func, select

from agent.authorise import has_valid_ticket
from agent.daemon.metrics_catalogue import CATALOGUE, DETECT, RESOLVE, Distribution, Samples, Value
from agent.daemon.metrics_labels import account_label
from agent.model import OUTCOMES
from agent.store import Store, StoreError, schema
from agent.store.pieces import VERDICTS, Joined

KEPT = "metrics.totals"
"""Name of the setting that the counts are written down as."""
KEEP_EVERY = timedelta(days=1)

_PAGE = 200  # rows in one transaction: readers keep SQLite's writers waiting
_CHANGES = "driftwarden_unauthorised_changes_total"
_WITHOUT_TICKET = "production_changes_without_ticket_total"
_CHANGE_FOUND = "driftwarden_unauthorised_change_found_timestamp_seconds"
_WITHOUT_TICKET_FOUND = "driftwarden_production_change_without_ticket_found_timestamp_seconds"
_DETECT = "driftwarden_time_to_detect_seconds"
_RESOLVE = "driftwarden_time_to_resolve_seconds"
_VERDICTS = "driftwarden_verdicts_total"
_EVENTS = "driftwarden_ledger_events_total"
_BOUNDS: Mapping[str, tuple[float, ...]] = {_DETECT: DETECT, _RESOLVE: RESOLVE}

_verdicts = schema.verdicts
_events = schema.events

T = TypeVar("T")


class _Items(msgspec.Struct, Generic[T]):
    """A tuple, as the store's codec writes it."""

    items: list[T] = []


class _Time(msgspec.Struct):
    value: datetime


class _Test(msgspec.Struct):
    name: str
    result: str


class _Verdict(msgspec.Struct):
    outcome: str
    environment: str = ""
    tests: _Items[_Test] = msgspec.field(default_factory=lambda: _Items[_Test]([]))


class _Change(msgspec.Struct):
    event_ids: _Items[str]
    time: _Time
    account: str


class _Judged(msgspec.Struct):
    change: _Change
    verdict: _Verdict


class _Finding(msgspec.Struct):
    """A finding as far as it is counted: a tenth of the time it takes to decode all of it."""

    changes: _Items[_Judged] = msgspec.field(default_factory=lambda: _Items[_Judged]([]))


_DECODER = msgspec.json.Decoder(_Finding)


class Totals:
    """The counts of one store. One thread at a time."""

    def __init__(self, store: Store) -> None:
        """Nothing is read yet: see `advance`."""
        self._store = store
        self._counts: dict[str, Counter[tuple[str, ...]]] = {}
        self._newest: dict[str, dict[tuple[str, ...], float]] = {_CHANGE_FOUND: {}, _WITHOUT_TICKET_FOUND: {}}
        self._spread: dict[str, list[int]] = {name: [0] * (len(bounds) + 1) for name, bounds in _BOUNDS.items()}
        self._sums: dict[str, float] = dict.fromkeys(_BOUNDS, 0.0)
        self._seen: set[int] = set()
        self._opened: dict[str, datetime] = {}
        self._reached = (0, 0)
        """Newest verdict and newest ledger event that were looked at."""
        self._counted = (0, 0)
        """Up to where the counts that were written down reach."""
        self._kept_at: datetime | None = None
        self._loaded = False

    def advance(self, accounts: Iterable[tuple[str, str]] = ()) -> None:
        """Counts what is new. `accounts`, with their environments, are shown with 0 where nothing was counted yet.

        Raises StoreError, and is then where it was or further.
        """
        if not self._loaded:
            self._load()
            self._loaded = True
        self._advance_verdicts()
        self._advance_events()
        for account, environment in accounts:
            self._count(_CHANGES, (account_label(account), environment), 0)
            self._count(_WITHOUT_TICKET, (account_label(account),), 0)
        for outcome in OUTCOMES:
            self._count(_VERDICTS, (outcome,), 0)

    def samples(self) -> Samples:
        """The counts as they are."""
        found: dict[str, dict[tuple[str, ...], Value]] = {
            name: {labels: float(value) for labels, value in counts.items()} for name, counts in self._counts.items()
        }
        found |= {name: dict(values) for name, values in self._newest.items()}
        found |= {name: {(): Distribution(tuple(self._spread[name]), self._sums[name])} for name in _BOUNDS}
        return found

    def keep(self, now: datetime) -> bool:
        """Writes the counts down, if that was not done for a day and something was counted since; whether it did.

        For the leader alone. Raises StoreError.
        """
        if not self._loaded or self._reached == self._counted:
            return False
        if self._kept_at is not None and timedelta() <= now - self._kept_at < KEEP_EVERY:
            return False
        body = {
            "verdict": self._reached[0],
            "event": self._reached[1],
            "counts": {name: [[*labels, n] for labels, n in sorted(by.items())] for name, by in self._counts.items()},
            "spread": self._spread,
            "sums": self._sums,
        }
        self._store.settings.keep(KEPT, json.dumps(body, sort_keys=True), now, ())
        self._kept_at, self._counted = now, self._reached
        return True

    def _load(self) -> None:
        kept = self._store.settings.last(KEPT)
        if kept is None:
            return
        body: dict[str, Any] = json.loads(kept.body)
        self._counts = {
            name: Counter({tuple(row[:-1]): row[-1] for row in rows}) for name, rows in body["counts"].items()
        }
        for name, bounds in _BOUNDS.items():
            if len(body["spread"].get(name, ())) == len(bounds) + 1:
                self._spread[name], self._sums[name] = list(body["spread"][name]), body["sums"][name]
        self._kept_at, self._counted = kept.at, (body["verdict"], body["event"])

    def _advance_verdicts(self) -> None:
        """Every verdict after the last one looked at; those the counts reach to only say which changes are known."""
        after, known = self._reached[0], self._counted[0]
        with self._store.database.read() as connection:
            newest: int = connection.scalar(select(func.max(_verdicts.c.id))) or 0
            if newest < max(after, known):  # every verdict was removed, and SQLite numbers the next from 1 again
                after = known = 0
                self._reached, self._counted = (0, self._reached[1]), (0, self._counted[1])
            by_outcome = _by(connection, _verdicts.c.outcome, _verdicts.c.id, max(after, known), newest)
        joined = Joined(self._store.database, VERDICTS)
        for page in self._pages(after, newest):
            for row in page:
                try:
                    finding = _DECODER.decode(joined.news(row.body))
                except ValueError as error:
                    raise StoreError(f"verdict {row.id}: {error}; see `driftwarden db verify`") from None
                self._count_changes(row.at, finding, counts=row.id > known)
        for outcome, number in by_outcome:
            self._count(_VERDICTS, (outcome,), number)
        self._reached = (max(after, newest), self._reached[1])

    def _pages(self, after: int, newest: int) -> Iterator[Sequence[Any]]:
        """The unauthorised ones; of the others no change can be: a finding's outcome is the worst of its parts."""
        query = select(_verdicts.c.id, _verdicts.c.at, _verdicts.c.body).where(_verdicts.c.outcome == "unauthorised")
        query = query.where(_verdicts.c.id <= newest).order_by(_verdicts.c.id).limit(_PAGE)
        while True:
            with self._store.database.read() as connection:
                page = connection.execute(query.where(_verdicts.c.id > after)).all()
            if not page:
                return
            yield page
            after = page[-1].id

    def _count_changes(self, at: datetime, finding: _Finding, *, counts: bool) -> None:
        for item in finding.changes.items:
            change, verdict = item.change, item.verdict
            if verdict.outcome != "unauthorised" or self._known(change.event_ids.items):
                continue
            account = account_label(change.account)
            covered = has_valid_ticket((test.name, test.result) for test in verdict.tests.items)
            bare = verdict.environment == "production" and not covered
            self._newest[_CHANGE_FOUND][account, verdict.environment] = at.timestamp()
            if bare:
                self._newest[_WITHOUT_TICKET_FOUND][account,] = at.timestamp()
            if counts:
                self._count(_CHANGES, (account, verdict.environment), 1)
                self._count(_WITHOUT_TICKET, (account,), int(bare))
                self._observe(_DETECT, at - change.time.value)

    def _known(self, event_ids: Iterable[str]) -> bool:
        """Whether a change with one of these events was counted: copies of a call, in other accounts, arrive later."""
        digests = {_digest(one) for one in event_ids}
        counted = not digests.isdisjoint(self._seen)
        self._seen |= digests
        return counted

    def _advance_events(self) -> None:
        after, known = self._reached[1], self._counted[1]
        with self._store.database.read() as connection:
            newest: int = connection.scalar(select(func.max(_events.c.seq))) or 0
            by_kind = _by(connection, _events.c.kind, _events.c.seq, max(after, known), newest)
        found = list(self._case_events(after, newest))  # all of them first: what fails half-way is not counted twice
        for seq, at, kind, case in found:
            if kind == "case.opened":
                self._opened.setdefault(case, at)
            elif (opened := self._opened.pop(case, None)) is not None and seq > known:
                self._observe(_RESOLVE, at - opened)
        for kind, number in by_kind:
            self._count(_EVENTS, (kind,), number)
        self._reached = (self._reached[0], max(after, newest))

    def _case_events(self, after: int, newest: int) -> Iterator[tuple[int, datetime, str, str]]:
        query = select(_events.c.seq, _events.c.at, _events.c.kind, _events.c.body)
        query = query.where(_events.c.kind.in_(("case.opened", "case.closed")), _events.c.seq <= newest)
        query = query.order_by(_events.c.seq).limit(_PAGE)
        while True:
            with self._store.database.read() as connection:
                page = connection.execute(query.where(_events.c.seq > after)).all()
            if not page:
                return
            yield from ((row.seq, row.at, row.kind, json.loads(row.body)["case"]) for row in page)
            after = page[-1].seq

    def _count(self, name: str, labels: tuple[str, ...], number: int) -> None:
        self._counts.setdefault(name, Counter())[labels] += number

    def _observe(self, name: str, length: timedelta) -> None:
        seconds = max(length.total_seconds(), 0.0)
        self._spread[name][bisect_left(CATALOGUE[name].buckets, seconds)] += 1
        self._sums[name] += seconds


def _by(connection: Connection, column: Any, number: Any, after: int, newest: int) -> list[tuple[str, int]]:
    """How many rows of each value of a column there are in (after, newest]."""
    query = select(column, func.count()).where(number > after, number <= newest).group_by(column)
    return [(row[0], row[1]) for row in connection.execute(query)]


def _digest(event_id: str) -> int:
    """Eight bytes for an event: hundreds of thousands of them are kept in memory."""
    return int.from_bytes(hashlib.blake2b(event_id.encode("utf-8", "surrogatepass"), digest_size=8).digest())

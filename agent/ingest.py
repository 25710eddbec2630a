"""Feeds → the store's journal: everything is read once, and kept with the place to go on from.

Hides that feeds are read side by side while one thread digests and keeps, and that a delivery is acknowledged only
after it was kept. Killed at any point, the next reading goes on where the last kept delivery ended.
"""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from agent.model import Entry, Gap, Scope
from agent.store import Journal, Kept, StoreError
from agent.trail.coverage import CONTROLS
from agent.trail.entries import Reader
from agent.trail.source import LOOKBACK, TYPE, Delivery, Feed, Window

FEEDS_AT_ONCE = 16
REFUSED_KEPT = 500
"""Refused calls of one caller in one hour that are kept; a burst is told of from twenty on."""
_ASKED_AGAIN = 10  # old controls of a trail whose callers are looked up: the latest
_AHEAD = 8  # deliveries read and not yet kept: they are in memory

Sealer = Callable[[Entry], Entry]


@dataclass(frozen=True, slots=True)
class Ingested:
    """What one reading of the feeds brought besides what is in the journal."""

    gaps: tuple[Gap, ...] = ()
    """Of this reading alone: the next will try again."""
    lasting: tuple[Gap, ...] = ()
    """Kept in the journal: no later reading will find them again."""
    skipped: tuple[str, ...] = ()
    """Feeds that were not read, because reading takes away: a dry run does not."""
    new: int = 0
    """Entries that were not in the journal before."""
    events: int = 0
    """Records read, those included that are only counted."""
    strange: Mapping[str, int] = field(default_factory=dict)
    """Why records were not kept, or may mean something else than they are taken for → how many."""


@dataclass(slots=True)
class _Refused:
    """Refused calls that are kept: enough of each caller's to tell of them, not as many as somebody cares to make."""

    kept: Counter[tuple[str, str]] = field(default_factory=Counter)
    left: int = 0

    def bounded(self, entries: list[Entry]) -> list[Entry]:
        """The entries without refused calls beyond `REFUSED_KEPT` of one caller in one hour."""
        return [entry for entry in entries if entry.sort != "denied" or self._fits(entry)]

    def _fits(self, entry: Entry) -> bool:
        caller = entry.caller
        # The session's name is its caller's to choose: a new one for each call would be a new caller.
        who = caller.role_arn or caller.arn or caller.account or caller.principal
        at = who, f"{entry.time:%Y-%m-%dT%H}"
        self.kept[at] += 1
        fits = self.kept[at] <= REFUSED_KEPT
        self.left += not fits
        return fits

    def told(self) -> Mapping[str, int]:
        """What was left out."""
        return {f"refused calls beyond {REFUSED_KEPT} an hour of one caller": self.left} if self.left else {}


@dataclass(slots=True)
class _Flow:
    """Deliveries of all feeds on their way to the one thread that keeps them."""

    ready: queue.Queue[tuple[Feed, Delivery | None]] = field(default_factory=lambda: queue.Queue(_AHEAD))
    stop: threading.Event = field(default_factory=threading.Event)

    def pump(self, feed: Feed, window: Window) -> None:
        """One feed's deliveries, then a None, also where it ends in an error, which is raised."""
        try:
            for delivery in feed.deliveries(window):
                if self.stop.is_set():
                    return
                self._put(feed, delivery)
        finally:
            self._put(feed, None)

    def _put(self, feed: Feed, item: Delivery | None) -> None:
        while not self.stop.is_set():
            try:
                self.ready.put((feed, item), timeout=0.2)
            except queue.Full:
                continue
            return

    def waiting(self) -> Iterator[tuple[Feed, Delivery | None]]:
        """What nobody took yet."""
        with suppress(queue.Empty):
            while True:
                yield self.ready.get_nowait()

    def deliveries(self, feeds: int) -> Iterator[tuple[Feed, Delivery]]:
        """Everything, until as many feeds have ended."""
        while feeds:
            feed, delivery = self.ready.get()
            if delivery is None:
                feeds -= 1
            else:
                yield feed, delivery


def ingest(
    journal: Journal,
    feeds: Sequence[Feed],
    reader: Reader,
    start: datetime,
    end: datetime,
    *,
    seal: Sealer,
    now: Callable[[], datetime],
    by: str = "",
    behind: Journal | None = None,
    mark: Callable[[Sequence[Entry], bool], None] = lambda *_: None,
    once: bool = False,
) -> Ingested:
    """Reads every feed from where it stood into `journal`. Raises StoreError; what a feed cannot read is a gap.

    `seal` takes secrets out of an entry; `now` is asked when a delivery is kept. `by` tells this reader from those that
    would digest differently. `behind`: the journal that a dry run goes on from; feeds that drain are then skipped.
    `mark` is told of entries before they are kept, and whether they came through a queue, which brings what is of any
    age. `once`: nobody reads these feeds again by themselves.
    """
    read = [feed for feed in feeds if behind is None or not feed.drains]
    skipped = tuple(feed.name for feed in feeds if feed not in read)
    if not read:
        return Ingested(skipped=skipped)
    again = [feed.name for feed in read if not (once or feed.drains)]
    if behind is None and again:
        journal.recount(by, start - LOOKBACK, again)
    flow = _Flow()
    refused, gaps, lasting = _Refused(), list[Gap](), list[Gap]()
    new, events = 0, 0
    with ThreadPoolExecutor(min(len(read), FEEDS_AT_ONCE), thread_name_prefix="trail") as threads:
        windows = ((feed, Window(start, end, _checkpoints(feed, journal, behind, by))) for feed in read)
        pumps = [threads.submit(flow.pump, feed, window) for feed, window in windows]
        try:
            for feed, delivery in flow.deliveries(len(read)):
                kept, passing = _digested(feed, delivery, reader, seal, refused, once=once or feed.drains)
                with _given_back(delivery, flow):
                    mark(kept.entries, feed.drains)
                    new += journal.keep(feed.name, kept, now(), by)
                events += sum(tally.events for tally in kept.tallies)
                gaps += passing
                lasting += kept.gaps
                if delivery.acknowledge is not None:
                    gaps += delivery.acknowledge()
        finally:
            flow.stop.set()
    for pump in pumps:
        pump.result()
    told = {**reader.strange(), **refused.told()}
    return Ingested(tuple(dict.fromkeys(gaps)), tuple(dict.fromkeys(lasting)), skipped, new, events, told)


@contextmanager
def _given_back(delivery: Delivery, flow: _Flow) -> Iterator[None]:
    """Where a delivery cannot be kept, it and those behind it are there again at once, and not when they would be."""
    try:
        yield
    except StoreError:
        flow.stop.set()
        behind = [one for _, one in flow.waiting() if one is not None]
        for one in (delivery, *behind):
            if one.give_back is not None:
                one.give_back()
        raise


def _checkpoints(feed: Feed, journal: Journal, behind: Journal | None, by: str) -> Mapping[str, Mapping[str, Any]]:
    return {**(behind.checkpoints(feed.name, by) if behind else {}), **journal.checkpoints(feed.name, by)}


def _digested(
    feed: Feed, delivery: Delivery, reader: Reader, seal: Sealer, refused: _Refused, *, once: bool
) -> tuple[Kept, list[Gap]]:
    """What is kept of a delivery, and its gaps that are of this reading alone."""
    reader.begin(once=once)
    entries: list[Entry] = []
    lasting = list(delivery.lasting)
    passing: list[Gap] = []
    old = 0
    for blob in delivery.blobs:
        sifted = reader.sift(blob)
        entries += map(seal, sifted.entries)
        (passing if isinstance(blob, Gap) else lasting).extend(sifted.gaps)
        old += sifted.old
    if old and feed.drains:
        # One gap however many come: whoever may write to the queue may send any number.
        why = f"{feed.name}: calls older than anything is kept ([trail] keep) came through it, and nobody judged them"
        lasting.append(Gap(Scope(type=TYPE, id=feed.name), why))
    tallies, used = reader.tallies(), reader.key_use()
    kept = Kept(
        refused.bounded(entries),
        () if delivery.again else tallies,
        () if delivery.again else used,
        gaps=lasting,
        shard=delivery.shard,
        checkpoint=delivery.checkpoint,
        once=once,
    )
    return kept, passing


def kept_entries(journals: Iterable[Journal], start: datetime, end: datetime) -> Iterator[Entry]:
    """Entries that the trail of [start, end] is made of: its own, and those that lead up to it.

    Whoever stopped a trail before that may have left it stopped: such calls count, however long ago they were.
    """
    for journal in journals:
        old = [one for one in journal.calls(CONTROLS, end) if one.time < start - LOOKBACK]
        yield from old
        for one in old[-_ASKED_AGAIN:]:  # who it was does not change with the time that passes since
            yield from leading_to([one], journal, one.time)
        yield from journal.entries(start - LOOKBACK, end)


def leading_to(entries: Iterable[Entry], journal: Journal, start: datetime) -> Iterator[Entry]:
    """Sessions that those behind calls from `start` on came from, however many others there are."""
    known = {name for one in entries for name in (one.caller.key, one.caller.arn)} - {""}
    end = max((one.time for one in entries), default=start)
    sessions = journal.entries(start - LOOKBACK, end, ["session"], newest_first=True)
    # A session is issued before it is used; of those of one minute nothing says which was first.
    for _, minute in groupby(sessions, key=lambda one: one.time.replace(second=0, microsecond=0)):
        left = list(minute)
        while led := [one for one in left if one.issued and not known.isdisjoint((one.issued.key, one.issued.arn))]:
            known |= {name for one in led if one.issued for name in (one.issued.caller.key, one.issued.caller.arn)}
            known -= {""}
            left = [one for one in left if one not in led]
            yield from led

"""Feeds → the store's journal: everything is read once, and kept with the place to go on from.

Hides that feeds are read side by side while one thread digests and keeps, and that a delivery is acknowledged only
after it was kept. Killed at any point, the next reading goes on where the last kept delivery ended.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from agent.model import Entry, Gap
from agent.store import Journal, Kept
from agent.trail.coverage import CONTROLS
from agent.trail.entries import Reader
from agent.trail.source import LOOKBACK, Delivery, Feed, Window

FEEDS_AT_ONCE = 16
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
    """What of them was of a shape nobody documented → how many: read as far as it could be."""


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
) -> Ingested:
    """Reads every feed from where it stood into `journal`. Raises StoreError; what a feed cannot read is a gap.

    `seal` takes out of an entry what code and state call secret; `now` is asked when a delivery is kept. `by` tells
    this reader from those that would digest differently. `behind` is the journal that a dry run goes on from and does
    not write: feeds that drain are then skipped.
    """
    read = [feed for feed in feeds if behind is None or not feed.drains]
    found = Ingested(skipped=tuple(feed.name for feed in feeds if feed not in read))
    if not read:
        return found
    if behind is None:
        journal.recount(by, start - LOOKBACK)
    flow = _Flow()
    gaps: list[Gap] = []
    lasting: list[Gap] = []
    new, events = 0, 0
    with ThreadPoolExecutor(min(len(read), FEEDS_AT_ONCE), thread_name_prefix="trail") as threads:
        pumps = [
            threads.submit(flow.pump, feed, Window(start, end, _checkpoints(feed, journal, behind, by)))
            for feed in read
        ]
        try:
            for feed, delivery in flow.deliveries(len(read)):
                kept, passing = _digested(delivery, reader, seal)
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
    return Ingested(
        tuple(dict.fromkeys(gaps)), tuple(dict.fromkeys(lasting)), found.skipped, new, events, reader.strange()
    )


def _checkpoints(feed: Feed, journal: Journal, behind: Journal | None, by: str) -> Mapping[str, Mapping[str, Any]]:
    return {**(behind.checkpoints(feed.name, by) if behind else {}), **journal.checkpoints(feed.name, by)}


def _digested(delivery: Delivery, reader: Reader, seal: Sealer) -> tuple[Kept, list[Gap]]:
    """What is kept of a delivery, and its gaps that are of this reading alone."""
    entries: list[Entry] = []
    lasting = list(delivery.lasting)
    passing: list[Gap] = []
    for blob in delivery.blobs:
        sifted = reader.sift(blob)
        entries += map(seal, sifted.entries)
        (passing if isinstance(blob, Gap) else lasting).extend(sifted.gaps)
    tallies = reader.tallies()
    kept = Kept(
        entries,
        () if delivery.again else tallies,
        gaps=lasting,
        shard=delivery.shard,
        checkpoint=delivery.checkpoint,
    )
    return kept, passing


def kept_entries(journals: Iterable[Journal], start: datetime, end: datetime) -> Iterator[Entry]:
    """Entries that the trail of [start, end] is made of: its own, and those that lead up to it.

    Whoever stopped a trail before that may have left it stopped: such calls count, however long ago they were.
    """
    for journal in journals:
        yield from (one for one in journal.calls(CONTROLS, end) if one.time < start - LOOKBACK)
        yield from journal.entries(start - LOOKBACK, end)

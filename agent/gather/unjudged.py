"""What was kept of the trail and no scan has judged yet: where a look at the trail goes on.

Hides that it is written down before the entries themselves are kept. Killed in between, it names entries that never
came, which harms nobody; and an entry that was kept is never forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from agent.model import Entry
from agent.store import Kept, Store
from agent.store.journal import ASIDE
from agent.trail.source import LATE

NAME = ASIDE
"""Under which the journal keeps it, as if it were a feed, and the lock that is held while it is changed."""
MOST = 20_000
"""Entries that are named; of more than that only the span of their times is kept."""


@dataclass(frozen=True, slots=True)
class Marked:
    """Entries that wait for a scan."""

    events: frozenset[str] = frozenset()
    """Their events' ids."""
    since: datetime | None = None
    """There were too many to name: everything from then on."""
    until: datetime | None = None
    """Time of the latest that is not named."""
    folded: int = 0
    """How often some were named no more."""

    def __bool__(self) -> bool:
        return bool(self.events) or self.since is not None

    def covers(self, events: Iterable[str], at: datetime) -> bool:
        """Whether a call of that time, recorded as these events, is among them."""
        return (self.since is not None and at >= self.since) or not self.events.isdisjoint(events)


@dataclass(frozen=True, slots=True)
class Unjudged:
    """The marks of one store."""

    store: Store
    after: datetime | None = None
    """Entries up to then are not marked: the scan that reads them judges them itself, or, where it dies, the next."""
    start: datetime | None = None
    """Where the trail's window begins."""

    def mark(self, entries: Sequence[Entry], queued: bool = False) -> None:
        """To be called before the entries are kept. Raises StoreError.

        What came through a queue (`queued`) is news whatever age it has: nobody will bring it again. What other sources
        tell of before the window leads up to it.
        """
        new = {one.event: one.time for one in entries if self._waits(one.time, queued)}
        if self.start is not None and (old := {event for event, at in new.items() if at < self.start}):
            # Who brings it once more, a file that is copied or a queue beside a bucket, makes it no news.
            for event in self.store.journal.times(old):
                del new[event]
        if not new:
            return
        with self.store.exclusive(NAME):
            known = self.found()
            marked = replace(known, events=known.events | new.keys())
            if len(marked.events) > MOST:
                marked = self._folded(marked, known.events - new.keys())
            if marked != known:
                self._keep(marked)

    def _waits(self, at: datetime, queued: bool) -> bool:
        if not queued and self.start is not None and at < self.start:
            return False
        # Of the last day before it the next scan is sure to look at everything.
        return self.after is None or at > self.after or (queued and at < self.after - LATE)

    def rewrite(self) -> None:
        """Writes down once more what waits. It proves that the store takes writes, before a queue is asked: a message
        that is read and cannot be kept, again and again, ends among the dead letters. Raises StoreError.
        """
        with self.store.exclusive(NAME):
            self._keep(self.found())

    def due(self, now: datetime) -> Marked:
        """What waits and happened up to now, as far as it is kept: the trail of a scan that asks first and reads then
        holds all of it. What is marked and still to be kept is due the next time.
        """
        found = self.found()
        if not found:
            return found
        kept = self.store.journal.times(found.events)
        events = frozenset(event for event, at in kept.items() if at <= now)
        early = found.until is not None and found.until > now
        return replace(found, events=events, since=None if early else found.since)

    def found(self) -> Marked:
        """What waits now."""
        kept = self.store.journal.checkpoints(NAME).get("", {})
        since, until = (datetime.fromisoformat(kept[name]) if kept.get(name) else None for name in ("since", "until"))
        return Marked(frozenset(kept.get("events", ())), since, until, kept.get("folded", 0))

    def judged(self, marked: Marked, waiting: Iterable[str] = ()) -> None:
        """A scan has judged what was `marked`, but for the events in `waiting`. Raises StoreError."""
        if not marked:
            return
        with self.store.exclusive(NAME):
            known, waiting = self.found(), frozenset(waiting)
            left = replace(known, events=known.events - (marked.events - waiting))
            # What was named no more since then is in the same span, and not judged.
            if marked.since is not None and known.folded == marked.folded:
                left = Marked(left.events | waiting, folded=known.folded)
            self._keep(left)

    def _folded(self, marked: Marked, named: frozenset[str]) -> Marked:
        """Those of `named` that are kept are named no more; what is not kept has to be, or who judges the span now
        would count it as judged."""
        times = self.store.journal.times(named)
        if not times:
            return marked
        since = min(filter(None, (marked.since, *times.values())))
        until = max(filter(None, (marked.until, *times.values())))
        return Marked(marked.events - times.keys(), since, until, marked.folded + 1)

    def _keep(self, marked: Marked) -> None:
        body = {
            "events": sorted(marked.events),
            "since": marked.since.isoformat() if marked.since else "",
            "until": marked.until.isoformat() if marked.until else "",
            "folded": marked.folded,
        }
        self.store.journal.keep(NAME, Kept(checkpoint=body), datetime.now(UTC))

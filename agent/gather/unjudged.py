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

NAME = "unjudged"
"""Under which the journal keeps it, as if it were a feed, and the lock that is held while it is changed."""
MOST = 20_000
"""Entries that are named; of more than that only the time of the earliest is kept."""
_EVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Marked:
    """Entries that wait for a scan."""

    events: frozenset[str] = frozenset()
    """Their events' ids."""
    since: datetime | None = None
    """There were too many to name: everything from then on."""

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
    """Entries up to then are not marked: the scan that reads them judges them itself."""

    def mark(self, entries: Sequence[Entry]) -> None:
        """To be called before the entries are kept. Raises StoreError."""
        new = {one.event: one.time for one in entries if self.after is None or one.time > self.after}
        if not new:
            return
        with self.store.exclusive(NAME):
            known = self.found()
            events, since = known.events | new.keys(), known.since
            if len(events) > MOST:
                events, since = known.events, min(filter(None, (since, *new.values())))
            if Marked(events, since) != known:
                self._keep(Marked(events, since))

    def rewrite(self) -> None:
        """Writes down once more what waits. It proves that the store takes writes, before a queue is asked: a message
        that is read and cannot be kept, again and again, ends among the dead letters. Raises StoreError.
        """
        with self.store.exclusive(NAME):
            self._keep(self.found())

    def due(self, now: datetime) -> Marked:
        """What waits now, but for what by our clock has not happened yet."""
        found = self.found()
        if not found:
            return found
        early = {one.event for one in self.store.journal.entries(now, _EVER) if one.time > now}
        return replace(found, events=found.events - early)

    def found(self) -> Marked:
        """What waits now."""
        kept = self.store.journal.checkpoints(NAME).get("", {})
        since = kept.get("since")
        return Marked(frozenset(kept.get("events", ())), datetime.fromisoformat(since) if since else None)

    def judged(self, marked: Marked, waiting: Iterable[str] = ()) -> None:
        """A scan has judged what was `marked`, but for the events in `waiting`. Raises StoreError."""
        if not marked:
            return
        with self.store.exclusive(NAME):
            known = self.found()
            since = None if known.since == marked.since else known.since
            self._keep(Marked(known.events - marked.events.difference(waiting), since))

    def _keep(self, marked: Marked) -> None:
        body = {"events": sorted(marked.events), "since": marked.since.isoformat() if marked.since else ""}
        self.store.journal.keep(NAME, Kept(checkpoint=body), datetime.now(UTC))

"""What came through a queue when the trail's window had moved past it: it is judged, and told as long as anything else.

Hides that such events are named one by one. The window stays where it is: one old message must not make every scan
read months again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from agent.gather.unjudged import NAME, Marked, Unjudged
from agent.ingest import leading_to
from agent.model import Entry
from agent.store import Journal, Kept, Store
from agent.trail.source import LOOKBACK

MOST = 20_000
"""Events that are told still; of more than that those that were judged first are told no longer."""
_SHARD = "late"


@dataclass(frozen=True, slots=True)
class Late:
    """What a trail holds besides its window."""

    entries: tuple[Entry, ...] = ()
    """What came late, and the sessions of before it that its callers came from."""
    events: frozenset[str] = frozenset()
    """Ids of what came late: it counts as of the window."""


@dataclass(frozen=True, slots=True)
class Belated:
    """The late events of one store."""

    store: Store
    lasts: timedelta
    """How long after the first verdict one is told: the length of the window."""

    def due(self, marked: Marked, start: datetime, now: datetime) -> Late:
        """For a scan whose window begins at `start`: what is `marked` of before that, and what another scan judged
        lately. Raises StoreError."""
        journal = self.store.journal
        fresh = {event for event, at in journal.times(marked.events).items() if at < start}
        if marked.since is not None and marked.since < start:
            fresh |= {one.event for one in journal.entries(marked.since, start)}
        known = self._known(now)
        events = fresh | known["events"].keys()
        if not events:
            return Late()
        found = {one.event: one for one in journal.named({*events, *known["led"]})}
        new = sorted((found[event] for event in fresh & found.keys()), key=_order)
        for one in _led(new, journal):
            found.setdefault(one.event, one)
        return Late(tuple(sorted(found.values(), key=_order)), frozenset(events & found.keys()))

    def judged(self, late: Late, at: datetime) -> None:
        """A scan that began at `at` has judged them. To be called before their marks are taken away: whoever asks in
        between finds them in both places, and never in none. Raises StoreError."""
        if not late.events and not any(self._read().values()):
            return
        with self.store.exclusive(NAME):
            before, now = self._read(), at.isoformat()
            kept = self._since(before, at)
            if late.events - kept["events"].keys():
                kept["events"] = dict.fromkeys(late.events, now) | kept["events"]
                # What led to one that is told already may lead to a new one.
                kept["led"] |= dict.fromkeys({one.event for one in late.entries} - late.events, now)
            kept = {name: dict(sorted(its.items(), key=lambda one: one[1])[-MOST:]) for name, its in kept.items()}
            if kept != before:
                self.store.journal.keep(NAME, Kept(shard=_SHARD, checkpoint=kept), at)

    def oldest(self, now: datetime) -> datetime | None:
        """Time of the oldest entry that waits for a scan or is told still; None: there is none. Raises StoreError."""
        marked, known = Unjudged(self.store).found(), self._known(now)
        times = self.store.journal.times({*marked.events, *known["events"], *known["led"]})
        return min(filter(None, (marked.since, *times.values())), default=None)

    def _known(self, now: datetime) -> dict[str, dict[str, str]]:
        return self._since(self._read(), now)

    def _since(self, kept: Mapping[str, Any], now: datetime) -> dict[str, dict[str, str]]:
        """What was judged so lately that it is told at that time: also by a scan that began before, not by a clock that
        was wrong."""
        after, until = ((now + lasts).isoformat() for lasts in (-self.lasts, self.lasts))
        return {name: {one: at for one, at in kept[name].items() if after < at < until} for name in ("events", "led")}

    def _read(self) -> Mapping[str, Any]:
        """Event → when it was judged first, in ISO 8601 and UTC, which sorts as times do."""
        kept = self.store.journal.checkpoints(NAME).get(_SHARD, {})
        return {"events": kept.get("events", {}), "led": kept.get("led", {})}


def _order(entry: Entry) -> tuple[datetime, str]:
    return entry.time, entry.event


def _led(entries: Sequence[Entry], journal: Journal) -> Iterator[Entry]:
    """Sessions that those behind calls came from. Calls of one stretch of time share them: they are read once."""
    for stretch in _stretches(entries):
        yield from leading_to(stretch, journal, stretch[0].time)


def _stretches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Entries, oldest first, with nothing of more than `LOOKBACK` between two of a stretch."""
    stretch: list[Entry] = []
    for one in entries:
        if stretch and one.time - stretch[-1].time > LOOKBACK:
            yield stretch
            stretch = []
        stretch.append(one)
    if stretch:
        yield stretch

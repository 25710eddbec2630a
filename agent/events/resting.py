"""Queues that cannot be read: each is left alone for a while, and none of the others waits for it.

Hides how long, and that only who goes through what a feed brings sees which of them failed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from agent.model import Gap
from agent.trail.source import Blob, Delivery, Feed, Window

LONGEST = 60.0
"""Seconds."""


@dataclass(slots=True)
class _Rest:
    times: int
    """Readings in a row that brought nothing but a gap."""
    until: float
    why: str


@dataclass(slots=True)
class Resting:
    """What rests."""

    clock: Callable[[], float] = time.monotonic
    _of: dict[str, _Rest] = field(default_factory=dict)

    @property
    def why(self) -> tuple[str, ...]:
        """What was said when those that have not been read since were read last."""
        return tuple(one.why for one in self._of.values())

    def pause(self, feeds: Iterable[Feed]) -> float:
        """Seconds until one of the feeds may be read; 0: one may."""
        now = self.clock()
        return max(
            min((self._of[one.name].until - now if one.name in self._of else 0.0 for one in feeds), default=0), 0
        )

    def awake(self, feeds: Sequence[Feed]) -> list[Feed]:
        """Those that may be read now; how that goes is seen."""
        return [self._watched(one) for one in feeds if self.pause([one]) == 0]

    def _watched(self, feed: Feed) -> Feed:
        def deliveries(window: Window) -> Iterator[Delivery]:
            why, brought = "", False
            for delivery in feed.deliveries(window):
                for blob in delivery.blobs:
                    why = blob.why if isinstance(blob, Gap) else why
                    brought = brought or isinstance(blob, Blob)
                yield delivery
            self._ended(feed, "" if brought else why)

        return replace(feed, deliveries=deliveries)

    def _ended(self, feed: Feed, why: str) -> None:
        known = self._of.pop(feed.name, None)
        if why:
            times = known.times + 1 if known else 1
            self._of[feed.name] = _Rest(times, self.clock() + min(2.0 ** (times - 1), LONGEST), why)

"""What a source of CloudTrail records gives, whatever it is: deliveries of files, and where to go on after each.

Hides nothing of a source but its kind: `s3`, `notified`, `bus`, `lookup` and `files` make feeds, `ingest` reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from agent.model import Gap, Scope

TYPE = "cloudtrail"
"""Type in the scope of every gap in the trail: it covers no resource, it says that changes may be unseen."""

LOOKBACK = timedelta(hours=13)
"""How far before the interval a session still in use may have been issued: 12 h, the longest role session, and 1 h,
the longest chained one. https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use.html"""

LATE = timedelta(hours=24)
"""How long after its event a record may still be delivered."""

MAX_BYTES = 256 << 20
"""Largest file taken, before and after gunzip. CloudTrail's own files stay far below."""


EVERYWHERE = Scope(type=TYPE)


@dataclass(frozen=True, slots=True)
class Blob:
    """One file or page of records, undecoded."""

    name: str
    """Where it came from, as a reader would look for it: path, `s3://` URL, LookupEvents query and page."""
    data: bytes
    scope: Scope = EVERYWHERE
    """What is unseen if it cannot be decoded."""
    answers: bool = False
    """The source answers for the whole interval, so that silence is an answer: true of LookupEvents alone."""


Checkpoint = Mapping[str, Any]
"""Where a shard of a feed goes on: JSON, meaningful to its feed alone."""


@dataclass(frozen=True, slots=True)
class Window:
    """What a feed is asked for."""

    start: datetime
    end: datetime
    """Of the interval reported on. A feed gives everything that may hold its events, late delivery included, and the
    sessions issued in the `LOOKBACK` before it; it may give more, twice and in any order."""
    checkpoints: Mapping[str, Checkpoint] = field(default_factory=dict)
    """Shard → where it stood after the last delivery that was kept. A checkpoint it cannot make sense of (of another
    version, of a longer ago than it can go back) is as good as none."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one step of a feed brought: kept as a whole or not at all, and then its checkpoint with it."""

    blobs: tuple[Blob | Gap, ...] = ()
    """A gap here is one of this reading: the next will try again, or find it again."""
    shard: str = ""
    checkpoint: Checkpoint | None = None
    """Where the shard goes on; None: as before."""
    lasting: tuple[Gap, ...] = ()
    """Gaps that no later reading will find again: they are kept with what was read."""
    again: bool = False
    """What was read before is read once more, for what came late: it is not counted anew."""
    acknowledge: Callable[[], tuple[Gap, ...]] | None = None
    """Called once all of it is kept: takes the messages from the queue. What it gives are gaps of this reading."""
    give_back: Callable[[], None] | None = None
    """Called where it could not be kept: others, and we ourselves, may read it again at once."""


@dataclass(frozen=True, slots=True)
class Feed:
    """One source, ready to be read."""

    name: str
    """Stable from scan to scan: checkpoints are kept under it."""
    deliveries: Callable[[Window], Iterator[Delivery]]
    """Never raises for what the source does: that is a gap."""
    drains: bool = False
    """Reading takes messages away from a queue: a dry run must not."""
    probe: Callable[[], tuple[Gap, ...]] | None = None
    """Of a feed that drains: whether it could be read, without reading it; a gap for what stands against it."""


Source = Callable[[datetime, datetime], Iterator[Blob | Gap]]
"""(start, end) → blobs: a feed without a memory."""


def once(feed: Feed) -> Source:
    """The feed read from the beginning, nothing acknowledged."""

    def blobs(start: datetime, end: datetime) -> Iterator[Blob | Gap]:
        for delivery in feed.deliveries(Window(start, end)):
            yield from delivery.blobs
            yield from delivery.lasting

    return blobs

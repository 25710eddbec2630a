"""The loop: messages into the journal, what they touched read and judged again, cases filed, one line for each batch.

Hides what an error means: for what passes it waits and tries again, nothing is lost by it. What is in a message is
deleted from its queue once it is kept, and what is kept waits in the store until a scan has judged it.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from agent.clean import clean
from agent.collect import Sessions, units
from agent.config import Config, ConfigError
from agent.events.resting import Resting
from agent.gather.conclude import Done, file, looked, scene
from agent.gather.focused import Asked, Live, Place, opened, pool
from agent.gather.means import Means
from agent.gather.unjudged import Unjudged
from agent.ingest import Ingested, ingest
from agent.model import Open
from agent.rules import RuleError
from agent.run import TrailUnreadError, means_of, polled
from agent.store import Fenced, Store, StoreError, connect
from agent.store.codec import remember
from agent.trail.source import Feed

WAIT = 2
"""Seconds that a queue may take to find the first message; as long a stop may take too."""
LONG_WAIT = 10
"""The same once nothing came for `QUIET`: each question costs, and one that waits hears of a message as soon."""
QUIET = 60.0
LIFE = 2700.0
"""Seconds after which the process ends, to be started anew: credentials of an assumed role last an hour."""
LARGEST = 600 << 20
"""Bytes of memory after which it ends."""
EVERYTHING = 60.0
"""Seconds between two looks at all stacks: those that were touched are looked at in every batch."""
REPLAN = 45.0
"""Seconds after which an account that gave no credentials is asked again."""
_REMEMBERED = 20_000  # findings, cases, readings and entries that are not decoded again for every batch
_LONGEST_WAIT = 60.0
_FENCED = "another daemon leads: this process stops"


@dataclass(frozen=True, slots=True)
class Batch:
    """What one batch came to."""

    messages: int = 0
    """Events that its messages held."""
    cases: int = 0
    """Cases that were opened."""
    seconds: float = 0.0
    """From the first message to the last ticket."""
    lag: float | None = None
    """Seconds from the newest change to its ticket; None: nothing was judged."""
    error: str = ""
    calls: int = 0
    """Requests to AWS for what was read again."""
    job: str = ""
    """What was asked for; empty: it was a batch of messages."""

    def line(self) -> str:
        """As JSON, on one line."""
        return json.dumps(asdict(self)) + "\n"


class Worker:
    """Reads queues until it is told to stop, or is old."""

    def __init__(
        self, config: Config, fence: int | None, say: Callable[[Batch], None], live: Live | None = None
    ) -> None:
        """`say` is told of every batch; `live` reads the cloud, AWS unless told otherwise."""
        self._config = config
        self._fence = fence
        self._say = say
        self._live = live
        self._stop = threading.Event()
        self._asked = threading.Event()
        self._open = ExitStack()
        self._resting = Resting()
        self._looked_at_all = self._planned = time.monotonic()

    def stop(self) -> None:
        """Ends it after the batch it is at. May be called from a signal handler."""
        self._stop.set()

    def poll(self) -> None:
        """Has the trail's other sources read after the batch it is at. May be called by any thread."""
        self._asked.set()

    def __enter__(self) -> Self:
        """Raises ConfigError, RuleError and StoreError: with what nothing can begin."""
        remember(_REMEMBERED)
        self._means: Means = means_of(self._config)
        self._store: Store = self._open.enter_context(connect(self._config.store_url(), fence=self._fence))
        calls: ThreadPoolExecutor = self._open.enter_context(pool())
        self._place: Place = opened(self._store, self._config, self._means, calls, self._live)
        self._feeds: list[Feed] = self._place.collector(datetime.now(UTC)).queues(WAIT)
        self._patient: list[Feed] = self._place.collector(datetime.now(UTC)).queues(max(WAIT, LONG_WAIT))
        self._heard = time.monotonic()
        if not self._feeds:
            self._open.close()
            raise ConfigError("[trail]: no eventbridge: or s3-notifications: source, or no credentials to read it with")
        # What the process before this one decided, and did not live to file.
        with scene(self._config, self._means, self._store) as at:
            file(at)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def run(self) -> bool:
        """Works until stopped or old. False: the fence no longer holds."""
        born, failing, broken = time.monotonic(), False, 0
        while not self._stop.is_set() and time.monotonic() - born < LIFE and resident() < LARGEST:
            if self._may_read_more() or self._stop.wait(self._resting.pause(self._feeds)):
                break
            try:
                if failing:
                    Unjudged(self._store).rewrite()
                batch = self._polled() if self._asked.is_set() else self.round()
                broken = broken if batch is not None and batch.job else 0
            except Fenced:
                self._say(Batch(error=_FENCED))
                return False
            except (StoreError, ConfigError, RuleError) as error:
                batch, broken = Batch(error=str(error)), broken + 1
            if batch is None and (not failing or self._resting.why):
                continue
            batch = batch or Batch()  # whoever was told of a failure is told that it is over
            self._say(batch)
            if batch.job:
                continue  # whether the queues are read is another matter
            failing = bool(batch.error)
            if broken:
                self._stop.wait(min(2.0 ** (broken - 1), _LONGEST_WAIT))
        return True

    def round(self) -> Batch | None:
        """One batch; None where there was none. Raises StoreError, ConfigError and RuleError: nothing is lost by it."""
        arrived = [0.0]
        found = self._ingested(arrived)
        began = arrived[0] or time.monotonic()
        # Of a queue that rests it is told with what the others bring, so that nobody takes it for read.
        news = bool(found.events or found.gaps)
        error = "; ".join(dict.fromkeys((*(gap.why for gap in found.gaps), *self._resting.why)))
        self._look_at_all()
        if not Unjudged(self._store).due(datetime.now(UTC)):
            return Batch(found.events, seconds=time.monotonic() - began, error=error) if news else None
        done = self._judged()
        if done is None:
            return Batch(found.events, seconds=time.monotonic() - began, error=error)
        lag = (datetime.now(UTC) - done.newest).total_seconds() if done.newest else None
        wrong = [error, *(done.filed.errors[:3] if done.filed else ())]
        return Batch(
            found.events,
            sum(isinstance(action, Open) for action in done.scan.actions),
            time.monotonic() - began,
            lag,
            "; ".join(filter(None, wrong)),
            done.calls,
        )

    def _ingested(self, arrived: list[float]) -> Ingested:
        """Messages into the journal; tells when the first had arrived."""
        collector = self._place.collector(datetime.now(UTC))
        unjudged = Unjudged(self._store, start=collector.trail_start)

        def now() -> datetime:
            arrived[0] = arrived[0] or time.monotonic()
            return datetime.now(UTC)

        quiet = time.monotonic() - self._heard > QUIET
        found = ingest(
            self._store.journal,
            self._resting.awake(self._patient if quiet else self._feeds),
            collector.reader(),
            collector.trail_start,
            collector.started_at,
            seal=self._place.side.sealer(collector),
            now=now,
            by=collector.fingerprint(),
            mark=unjudged.mark,
        )
        if found.events or found.gaps:
            self._heard = time.monotonic()
        return found

    def _polled(self) -> Batch:
        """What the daemon asks for by its schedule: the trail's sources, as a process of its own would read them."""
        self._asked.clear()
        began = time.monotonic()
        try:
            with scene(self._config, self._means, self._store) as at:
                self._place.config = at.config
                done = polled(at, self._place)
        except Fenced:
            raise
        except TrailUnreadError as error:
            told = Batch(error=f"the trail could not be read: {clean(str(error))}")
        except (StoreError, ConfigError, RuleError) as error:
            told = Batch(error=str(error))
        else:
            cases = sum(isinstance(action, Open) for action in done.scan.actions) if done else 0
            told = Batch(cases=cases, calls=done.calls if done else 0)
        return replace(told, seconds=time.monotonic() - began, job="trail")

    def _judged(self) -> Done | None:
        with scene(self._config, self._means, self._store) as at:
            self._place.config = at.config
            done = looked(at, self._place, Asked("trail"))
            return replace(done, filed=file(at)) if done is not None else None

    def _may_read_more(self) -> bool:
        """Whether an account answers by now that did not when this began: only who begins anew looks there."""
        planned = self._place.side.planned
        if not planned.gaps or time.monotonic() - self._planned < REPLAN:
            return False
        self._planned = time.monotonic()
        return (
            not units(self._config, Sessions(self._config), self._means.specs).accounts.keys()
            <= planned.accounts.keys()
        )

    def _look_at_all(self) -> None:
        if time.monotonic() - self._looked_at_all >= EVERYTHING:
            side = self._place.side
            side.catch_up(self._place.collector(datetime.now(UTC)), side.stacks)
            self._looked_at_all = time.monotonic()


def resident() -> int:
    """Bytes of memory this process holds."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096

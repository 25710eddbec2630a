"""Which job runs now: what reads the estate or a stack in one lane, the trail in another, all else in a third, the
event path beside them.

Hides who waits for whom, how often what failed is tried again, and when a child is taken for hung. What falls due while
it runs follows at once, once; a lane does one thing at a time, so that a machine of two cores is not buried.
"""

from __future__ import annotations

import json
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from agent.child import EXIT
from agent.daemon.children import Child, Children
from agent.daemon.limits import Limits
from agent.daemon.log import log
from agent.store import Store, StoreError
from agent.timetable import EVENTS, STACK

TRAIL = "trail"
"""The job that the event path's process does besides, where it takes but a moment: starting one costs seconds."""
LOOKS = {"scan": "whole", "trail": "trail", "reevaluate": "open", "remind": "remind"}
"""Jobs that are scans, and what each looks at."""

_ENDED = frozenset(EXIT.values())
_MOMENT = 8.0
"""Seconds that it may take the event path; for two of them it asks the queue. Beyond that, for `_BUSY` seconds the job
has a process of its own."""
_BUSY = 3600.0
_TIMES = 3
"""So many times its longest usual run a child may take that gives no sign of life while it works, such as a backup."""
_USUAL = 20

Lane = Literal["reading", "trail", "events", "rest"]


def lane(job: str) -> Lane:
    """Where a job waits for its turn: a scan of hours must not hold up reminders, nor must LookupEvents, which takes
    as long for a few weeks where much happens.
    """
    if job == EVENTS:
        return "events"
    if job == TRAIL:
        return "trail"
    return "reading" if job == "scan" or job.startswith(STACK) else "rest"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a job ended."""

    job: str
    ok: bool
    again: datetime | None
    """When it is to be tried again; None: when its schedule says."""


class Lanes:
    """The jobs of one leader. For one thread."""

    def __init__(self, children: Children, store: Store, config: Path, fence: int, limits: Limits) -> None:
        self._children, self._store, self._config, self._fence = children, store, config, fence
        self._limits = limits
        self._wanted: dict[str, None] = {}
        self._running: dict[Lane, Child] = {}
        self._failures: Counter[str] = Counter()
        self._not_before: dict[str, float] = {}
        self._took: dict[str, deque[float]] = {}
        self._well: set[str] = set()
        self._handed: Child | None = None
        self._light, self._busy_until = False, 0.0
        self.stopped = False
        """Nothing is begun any more."""

    @property
    def waiting(self) -> tuple[str, ...]:
        """What waits for its turn."""
        return tuple(self._wanted)

    def want(self, job: str) -> None:
        """It is due: it runs as soon as its lane is free."""
        self._wanted[job] = None

    def runs(self, job: str) -> bool:
        """Whether it runs now."""
        if job == TRAIL and self._handed is not None:
            return True
        child = self._running.get(lane(job))
        return child is not None and child.job == job

    def step(self, began: Callable[[str], None]) -> None:
        """Begins what may begin; `began` is told of each."""
        now = time.monotonic()
        for job in list(self._wanted):
            if self.stopped or now < self._not_before.get(job, 0.0) or (job == TRAIL and self._handed is not None):
                continue
            if not self._hand(job):
                if lane(job) in self._running:
                    continue
                del self._wanted[job]
                self._begin(job)
            began(job)

    def ended(self, child: Child, code: int) -> Ended:
        """A child ended; notes how, and gives what is to become of its job."""
        place = lane(child.job)
        if self._running.get(place) is child:
            del self._running[place]
        seconds = time.monotonic() - child.began
        why = _why(child, code)
        if self._handed is child:
            self._handed, self._light = None, False  # it broke off: a process of its own does it
            self.want(TRAIL)
        if child.job == TRAIL:
            self._light = not why  # what was missed for days is read by now
        return self._ended(child.job, child, seconds, why, code)

    def done(self, job: str, why: str, seconds: float) -> Ended | None:
        """The event path's process did what it was handed, or failed (`why`); None: it was handed nothing."""
        if self._handed is None or job != TRAIL:
            return None
        child, self._handed = self._handed, None
        if seconds > _MOMENT:
            self._busy_until = time.monotonic() + _BUSY
        self._light = not why
        return self._ended(job, child, seconds, why, 0)

    def _ended(self, job: str, child: Child, seconds: float, why: str, code: int) -> Ended:
        now, pid = datetime.now(UTC), child.process.pid
        if why and self.stopped:
            # Broken off by us: the store goes on to say that it runs, and the next leader begins it anew.
            log.info("job broken off", job=job, pid=pid)
            return Ended(job, ok=False, again=None)
        self._noted(lambda: self._store.jobs.ended(job, now, "failed" if why else "ok", why))
        self._well.discard(job)
        if not why:
            self._took.setdefault(job, deque(maxlen=_USUAL)).append(seconds)
            self._failures.pop(job, None)
            self._not_before.pop(job, None)
            log.info("job ended", job=job, pid=pid, seconds=round(seconds, 1), code=code)
            return Ended(job, ok=True, again=None)
        self._failures[job] += 1
        failures = self._failures[job]
        limits, quick = self._limits, job == EVENTS
        first, longest = (
            (limits.events_retry, limits.longest_events_retry) if quick else (limits.retry, limits.longest_retry)
        )
        wait = min(first * 2 ** min(failures - 1, 20), longest)
        self._not_before[job] = time.monotonic() + wait
        log.error(
            "job failed",
            job=job,
            pid=pid,
            seconds=round(seconds, 1),
            code=code,
            said=why,
            failures=failures,
            again_in=round(wait),
        )
        return Ended(job, ok=False, again=now + timedelta(seconds=wait))

    def told(self, job: str, error: str) -> None:
        """How it says itself that it does, though it has not ended. Empty `error`: what failed before counts no longer;
        else it failed as if it had ended so, but that it tries again by itself.
        """
        if error:
            self._well.discard(job)
            self._noted(lambda: self._store.jobs.ended(job, datetime.now(UTC), "failed", error))
            return
        self._failures.pop(job, None)
        if job not in self._well:
            self._noted(lambda: self._recovered(job))

    def _recovered(self, job: str) -> None:
        known = self._store.jobs.all().get(job)
        if known is not None and known.status == "failed":
            self._store.jobs.ended(job, datetime.now(UTC), "ok")
        self._well.add(job)

    def asked(self, job: str) -> None:
        """Somebody wants it now: an earlier failure makes it wait no longer."""
        self._not_before.pop(job, None)
        self.want(job)

    def _hand(self, job: str) -> bool:
        """Has the event path's process do it; False: it is to have a process of its own."""
        child = self._running.get("events")
        if job != TRAIL or child is None or not self._light or time.monotonic() < self._busy_until:
            return False
        if not self._children.say(child, job):
            return False
        del self._wanted[job]
        self._handed = child
        self._noted(lambda: self._store.jobs.began(job, datetime.now(UTC)))
        log.info("job begun", job=job, pid=child.process.pid, stack="")
        return True

    def _begin(self, job: str) -> None:
        module, arguments = self._command(job)
        took = self._took.get(job, ()) if module == "agent.work" else ()
        limit = max(self._limits.hung, _TIMES * max(took, default=0.0))
        self._noted(lambda: self._store.jobs.began(job, datetime.now(UTC)))
        try:
            child = self._children.start(job, module, arguments, limit, tell=job == EVENTS)
        except OSError as error:
            log.error("job not begun", job=job, said=f"{error.strerror}")
            self._not_before[job] = time.monotonic() + self._limits.retry
            self.want(job)
            return
        self._running[lane(job)] = child
        stack = job.removeprefix(STACK) if job.startswith(STACK) else ""
        log.info("job begun", job=job, pid=child.process.pid, stack=stack)

    def _command(self, job: str) -> tuple[str, list[str]]:
        given, fenced = str(self._config), ["--fence", str(self._fence)]
        if job == EVENTS:
            return "agent.events", [given, *fenced]
        look = job if job.startswith(STACK) else LOOKS.get(job)
        if look:
            return "agent.run", [given, "--signs", "--look", look, *fenced]
        return "agent.work", [given, job, *fenced]

    def _noted(self, note: Callable[[], None]) -> None:
        """What is noted of a job is worth less than the job: a full disk must not end what frees it."""
        try:
            note()
        except StoreError as error:
            log.error("not noted", said=str(error))


def _why(child: Child, code: int) -> str:
    """Why it failed; empty: it did not."""
    scans = child.job in LOOKS or child.job.startswith(STACK)
    if child.why_killed:
        return child.why_killed
    # A process that breaks down ends with 1, as a scan that found something does; but it says nothing.
    if (
        code in _ENDED and child.answer and not _unread(child, code)
        if scans
        else code == 0 and not _error(child.answer)
    ):
        return ""
    said = (not scans and _error(child.answer)) or child.error
    how = f"it was ended by signal {-code}" if code < 0 else f"it ended with exit code {code}"
    return f"{said} ({how})" if said else how


def _unread(child: Child, code: int) -> bool:
    """Whether it says that a source of the trail could not be read, and nothing came of the others."""
    return child.job == "trail" and code == EXIT["incomplete"] and child.answer.strip() == b"null"


def _error(answer: bytes) -> str:
    try:
        said = json.loads(answer or b"null")
    except ValueError:
        return ""
    return str(said.get("error") or "") if isinstance(said, Mapping) else ""

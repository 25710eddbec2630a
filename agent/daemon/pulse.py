"""Who leads, and whether clocks and store go on: a thread that beats every few seconds.

Hides the three signs of leadership: the lock says who is alive, the fence who may write, the beats that one who holds
the lock still does anything. A standby takes the lead when the lock is free, or when the leader's beats stop.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from agent.daemon.limits import Limits
from agent.daemon.log import log
from agent.daemon.notify import Notify
from agent.store import Store, StoreError
from agent.store.lock import StoreLock

Clock = Callable[[], float]


class Heart:
    """Tells a clock that was set from time that passed."""

    def __init__(self, most: float, wall: Clock = time.time, monotonic: Clock = time.monotonic) -> None:
        self._most = most
        self._wall, self._monotonic = wall, monotonic
        self._last = (wall(), monotonic())

    def jumped(self) -> float:
        """By how many seconds the wall clock moved against the monotonic one since it was asked last; 0.0: hardly."""
        now = (self._wall(), self._monotonic())
        moved = (now[0] - self._last[0]) - (now[1] - self._last[1])
        self._last = now
        return moved if abs(moved) > self._most else 0.0


@dataclass(frozen=True, slots=True)
class Told:
    """What the pulse tells the loop, each in the pulse's thread."""

    leads: Callable[[int, str], None]
    """We lead, under this fence, and why we do."""
    lost: Callable[[str], None]
    """Another leads."""
    jumped: Callable[[float], None]
    """The wall clock was set forward by so many seconds, or back."""


class Pulse:
    """The thread. `ticked` gives the seconds since the loop last came round."""

    def __init__(
        self, store: Store, owner: str, limits: Limits, notify: Notify, ticked: Callable[[], float], told: Told
    ) -> None:
        self._store, self._owner, self._limits, self._notify = store, owner, limits, notify
        self._ticked, self._told = ticked, told
        self._lock = StoreLock(store.database)
        self._heart = Heart(limits.jump)
        self._stop = threading.Event()
        self._fence = 0
        self._stored = time.monotonic()
        self._seen: tuple[tuple[int, int] | None, float] = (None, time.monotonic())
        self._waits_for = ""
        self._failing = ""
        self.stuck = ""
        """Why we do not lead though the leader gives no sign of life, and what is to be done; empty: all is well."""
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    @property
    def stored(self) -> float:
        """Seconds since the store last took a write of ours, or as a standby answered."""
        return time.monotonic() - self._stored

    @property
    def waits_for(self) -> str:
        """Who leads while we do not."""
        return self._waits_for

    @property
    def alive(self) -> bool:
        """Whether the thread still runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begins to beat, at once."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread and gives the lock back."""
        self._stop.set()
        self._thread.join(self._limits.beat + 1)
        self._lock.release()

    def _run(self) -> None:
        while not self._stop.is_set():
            if jump := self._heart.jumped():
                self._told.jumped(jump)
            try:
                goes_on = self._lead() if self._fence else self._follow()
            except StoreError as error:
                self._failed(str(error))
            else:
                if not goes_on:
                    return
                self._went_well()
            self._stop.wait(self._limits.beat)

    def _lead(self) -> bool:
        # On PostgreSQL the lock is lost with its connection, and had again with the next; who may write says the fence.
        self._lock.acquire()
        if self._store.leadership.beat(self._fence):
            return True
        leader = self._store.leadership.seen()
        self._told.lost(leader.owner if leader else "nobody: the store was replaced")
        return False

    def _follow(self) -> bool:
        if self._lock.acquire():
            self._take("nobody held the store's lock")
            return True
        try:
            self._wait()
        except StoreError as error:
            if not self._waits_for or self._store.database.file is None:
                raise  # a server ends what is in the way by itself
            self._hindered(str(error))
        return True

    def _wait(self) -> None:
        """Looks whether the leader still beats, and takes the lead where it does not."""
        leader = self._store.leadership.seen()
        now = time.monotonic()
        sign = (leader.fence, leader.beat) if leader else None
        if sign is None or sign != self._seen[0]:
            self._seen, self.stuck = (sign, now), ""
        elif now - self._seen[1] > self._limits.silent:
            self._take(f"the leader holds the store's lock, and gave no sign of life for {now - self._seen[1]:.0f} s")
            return
        owner = leader.owner if leader else "another daemon, which is starting"
        if owner != self._waits_for:
            self._waits_for = owner
            log.info("standby", leader=owner)

    def _hindered(self, why: str) -> None:
        """The leader's lock is held, so its process is on this machine, and the file cannot be read or written."""
        leader = self._waits_for
        host, _, pid = leader.rpartition("/")
        known = "locked" in why and pid.isdecimal()
        right = f"on {host} run `kill -KILL {pid}`, and this daemon leads by itself: " if known else ""
        told = f"{leader} leads, but gives no sign of life and cannot be taken over from; {right}{why}"
        if told != self.stuck:
            log.error("cannot take over", leader=leader, said=told)
            self.stuck = told

    def _take(self, why: str) -> None:
        self._fence = self._store.leadership.take(self._owner, datetime.now(UTC))
        self._waits_for = self.stuck = ""
        self._told.leads(self._fence, why)

    def _went_well(self) -> None:
        self._stored = time.monotonic()
        if self._failing:
            log.info("store answers again")
            self._failing = ""
        # A loop that hangs is to be killed though the store goes on: what runs by schedule would be late for ever.
        if self._ticked() < max(10.0, self._notify.watchdog / 2):
            self._notify.feed()

    def _failed(self, why: str) -> None:
        if why != self._failing:
            log.error("store does not answer", said=why)
            self._failing = why

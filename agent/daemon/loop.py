"""The daemon's loop: one thread that everything happens in, whatever thread it was noticed by.

Hides the order of things: who leads, what is due, what ended, which configuration is in force, and how it all ends.
"""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from agent import __version__
from agent.config import Config, duration
from agent.daemon import log as logs
from agent.daemon.adoption import Adoption
from agent.daemon.children import Child, Children, variables
from agent.daemon.doors import Doors
from agent.daemon.given import Given, Keeper
from agent.daemon.lanes import Lanes
from agent.daemon.limits import Limits
from agent.daemon.log import failure, log
from agent.daemon.notify import Notify, status_line
from agent.daemon.pulse import Pulse, Told
from agent.daemon.schedule import Schedule, at_work, plans
from agent.daemon.traffic import Traffic
from agent.store import Store, StoreError, connect
from agent.timetable import EVENTS, wanted
from agent.vitals import Role, Vitals

TICK = 1.0
"""Seconds after which the loop comes round though nothing happened."""
_STUMBLES = 20
"""So many failures in a row without one round that went well, and the process gives up: systemd starts it anew."""
FENCED_OUT = 1
"""Exit code where another daemon took the lead."""


class Loop:
    """One daemon, from `start` until `code` says how it ended."""

    def __init__(self, keeper: Keeper, given: Given, store: Store, owner: str, limits: Limits, notify: Notify) -> None:
        """Nothing runs yet. Raises ConfigError for an address that monitors cannot be let in at."""
        self._keeper, self._store, self._limits, self._notify = keeper, store, limits, notify
        self.code: int | None = None
        self._queue: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._started_at = datetime.now(UTC)
        self._role: Role = "starting"
        self._fence = self._jumps = 0
        self._traffic = Traffic()
        self._ticked = time.monotonic()
        self._looked_at_outbox = 0.0
        self._fenced: Store | None = None
        self._lanes: Lanes | None = None
        self._to_arm = self._ready = False
        self._status = self._unreached = ""
        self._children = Children(
            lambda child, code: self.post(lambda: self._ended(child, code)),
            lambda child, line: self.post(lambda: self._heard(child, line)),
        )
        self._schedule = Schedule(lambda job: self.post(lambda: self._due(job)), limits.stagger)
        self._adoption = Adoption(keeper, given, limits, notify, self.post, self._looked)
        told = Told(
            lambda fence, why: self.post(lambda: self._leads(fence, why)),
            lambda owner: self.post(lambda: self._lost(owner)),
            lambda seconds: self.post(lambda: self._jumped(seconds)),
        )
        self._pulse = Pulse(store, owner, limits, notify, lambda: time.monotonic() - self._ticked, told)
        self._doors = Doors(keeper.path.absolute(), given.config, store, self.vitals, self._ask)
        self._thread = threading.Thread(target=self._run, name="loop", daemon=True)

    def start(self) -> None:
        """Begins, in threads of its own."""
        self._adoption.start()
        self._pulse.start()
        self._thread.start()

    def post(self, what: Callable[[], None]) -> None:
        """Has something done in the loop's thread."""
        self._queue.put(what)

    def reload(self) -> None:
        """Looks at the configuration, the rules and what belongs to them, soon."""
        self.post(self._adoption.look)

    def stop(self) -> None:
        """Ends in order, within the configuration's grace."""
        self.post(self._end)

    def kill(self) -> None:
        """Ends what runs at once; for any thread."""
        self._children.end(signal.SIGKILL)

    @property
    def grace(self) -> float:
        """Seconds that running work may take to its end."""
        return duration(self._config.daemon.grace).total_seconds()

    @property
    def _config(self) -> Config:
        return self._adoption.given.config

    def join(self, seconds: float) -> None:
        """Waits for the end, at most so long."""
        self._thread.join(seconds)

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._thread.is_alive()

    def vitals(self) -> Vitals:
        """How the daemon is now; for any thread."""
        return Vitals(
            started_at=self._started_at,
            role=self._role,
            fence=self._fence,
            ticked=time.monotonic() - self._ticked,
            stored=self._pulse.stored,
            running=self._children.running(),
            due=self._schedule.due() if self._role == "leader" else {},
            config_sha256=self._config.sha256,
            reload_error=self._adoption.error,
            stuck=self._pulse.stuck,
            unreached=self._unreached,
            clock_jumps=self._jumps,
            events=self._traffic.messages,
            event_lag=self._traffic.lag,
        )

    # --- the loop ------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        stumbles = 0
        while self.code is None:
            try:
                self._round()
                stumbles = 0
            except Exception as error:  # noqa: BLE001 - one mistake of ours must not end the watch over an estate
                stumbles += 1
                log.error("stumbled", **failure(error))
                if stumbles >= _STUMBLES:
                    self.code = 1
        log.info("ended", code=self.code)

    def _round(self) -> None:
        try:
            what = self._queue.get(timeout=TICK)
        except queue.Empty:
            pass
        else:
            what()
        self._ticked = time.monotonic()
        if self.code is None:
            self._tick()

    def _tick(self) -> None:
        if not self._pulse.alive and self._role != "stopping":
            log.error("pulse stopped")
            self._end(1)
            return
        self._doors.step()
        # A standby on the leader's machine cannot have its addresses, and nothing is wrong with that.
        self._unreached = self._doors.error if self._role == "leader" else ""
        self._children.end_hung()
        self._adoption.step()
        for kind in self._adoption.files.changed():
            log.info("files changed", kind=kind)
            if kind == "policy":
                self._adoption.look()
            elif self._lanes:
                self._lanes.asked("scan" if kind == "code" else "reevaluate")
        if self._lanes:
            if self._to_arm:
                self._arm()
            self._look_at_outbox()
            self._lanes.step(lambda job: self._noted({job}))
        self._tell()

    def _look_at_outbox(self) -> None:
        if not self._lanes or self._lanes.runs("file"):
            return
        if time.monotonic() - self._looked_at_outbox < self._limits.outbox:
            return
        self._looked_at_outbox = time.monotonic()
        try:
            if self._store.outbox.is_due(datetime.now(UTC)):
                self._lanes.want("file")
        except StoreError as error:
            log.error("outbox not looked at", said=str(error))

    def _tell(self) -> None:
        """READY once it leads or waits to, and one line for people whenever it is another.

        Not only once all its doors are open: somebody else may have the port, and systemd would end it for that again
        and again, scans and all.
        """
        if self._role == "starting" and self._pulse.waits_for:
            self._role = "standby"
        said = self._line()
        if not self._ready and self._role in ("leader", "standby"):
            self._ready, self._status = True, said
            self._notify.ready(said)
            log.info("ready", role=self._role, fence=self._fence or None)
        elif said != self._status:
            self._status = said
            self._notify.status(said)

    def _line(self) -> str:
        running = ", ".join(one.job for one in self._children.running()) or "idle"
        wrong = (self._pulse.stuck, self._unreached)
        return status_line(self._role, self._pulse.waits_for, running, *wrong, refused=self._adoption.error)

    # --- who leads -----------------------------------------------------------------------------------------------

    def _leads(self, fence: int, why: str) -> None:
        log.info("leads", fence=fence, why=why)
        try:
            self._fenced = connect(self._config.store_url(), fence=fence)
        except StoreError as error:
            log.error("cannot lead", said=str(error))
            self._end(1)
            return
        self._lanes = Lanes(self._children, self._fenced, self._keeper.path.absolute(), fence, self._limits)
        self._doors.lead(self._fenced)
        self._role, self._fence = "leader", fence
        self._to_arm = True
        self._events_wanted()

    def _lost(self, owner: str) -> None:
        log.error("fenced out", leader=owner, fence=self._fence)
        self._notify.status(f"fenced out: {owner} leads")
        self._children.end(signal.SIGKILL)
        self._close(FENCED_OUT)

    def _jumped(self, seconds: float) -> None:
        self._jumps += 1
        log.warning("clock jump", seconds=round(seconds))
        if self._fenced:
            try:
                self._fenced.ledger.append("clock.jump", {"seconds": round(seconds)}, datetime.now(UTC))
            except StoreError as error:
                log.error("not noted", said=str(error))
        self._to_arm = True

    # --- what is due ---------------------------------------------------------------------------------------------

    def _arm(self) -> None:
        """Every job by its schedule, from where the store says it stands."""
        if not self._fenced or not self._lanes:
            return
        now, runs = datetime.now(UTC), self._lanes.runs
        try:
            found = self._fenced.jobs.all()
        except StoreError as error:
            log.error("schedule not set", said=str(error))
            return
        known = {job: at_work(one, now) if runs(job) else one for job, one in found.items()}
        wanted = plans(self._config)
        self._schedule.arm(wanted, known, now)
        self._to_arm = False
        self._noted({plan.job for plan in wanted} - {job for job, one in known.items() if one.began_at})

    def _noted(self, jobs: set[str]) -> None:
        """Notes when they are due: what falls due while nobody runs is then known to be missed."""
        due = self._schedule.due()
        try:
            for job in sorted(jobs & set(due)):
                (self._fenced or self._store).jobs.due(job, due[job])
        except StoreError as error:
            log.error("not noted", said=str(error))

    def _due(self, job: str) -> None:
        if self._lanes:
            self._lanes.want(job)

    def _events_wanted(self) -> None:
        if self._lanes and EVENTS in wanted(self._config):
            self._lanes.want(EVENTS)

    def _ended(self, child: Child, code: int) -> None:
        if not self._lanes:
            return
        ended = self._lanes.ended(child, code)
        if ended.again:
            self._schedule.again(ended.job, ended.again)
        if ended.job == EVENTS:
            self._events_wanted()
        elif ended.job == "file":
            self._looked_at_outbox = 0.0 if ended.ok else self._looked_at_outbox
        elif ended.job == "scan" and ended.ok and self._config.daemon.heartbeat:
            self._lanes.asked("heartbeat")

    def _heard(self, child: Child, line: bytes) -> None:
        """A line of the event path: a batch was worked off, or what it was asked for is done."""
        if child.job != EVENTS:
            return
        said = self._traffic.take(line)
        if not self._lanes:
            return
        if not said.job:
            self._lanes.told(EVENTS, said.error)
        elif (ended := self._lanes.done(said.job, said.error, said.seconds)) and ended.again:
            self._schedule.again(said.job, ended.again)

    def _looked(self, given: Given | None, changed: bool) -> None:
        """The configuration was looked at: it is in force by now, or (None) refused."""
        if given:
            logs.configure(given.config.daemon.log, variables())
            self._doors.use(given.config)
            self._keeper.tidy(self._children.read())
            self._to_arm = True
            self._children.end(signal.SIGTERM, lambda job: job == EVENTS)  # it ends its batch, and begins anew
            if self._lanes and changed:
                self._lanes.asked("scan")
        if self._ready:
            self._notify.ready(self._line())

    def _ask(self, what: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """What people ask through the control socket; in a thread of theirs."""
        if what == "status":
            told: dict[str, Any] = msgspec.to_builtins(self.vitals(), str_keys=True)
            waiting = list(self._lanes.waiting) if self._lanes else []
            return {**told, "waiting": waiting, "polled": self._adoption.files.polled, "version": __version__}
        if what == "scan" and self._lanes:
            log.info("scan asked for", by=str(arguments.get("by", "")))
            self.post(lambda: self._lanes.asked("scan") if self._lanes else None)
            return {"said": "the daemon scans the whole estate as soon as no other such scan runs"}
        return {"said": f"the daemon is {self._role}, and cannot do that now"}

    # --- the end -------------------------------------------------------------------------------------------------

    def _end(self, code: int = 0) -> None:
        if self._role == "stopping":
            return
        self._role = "stopping"
        grace = self.grace
        log.info("stopping", grace=round(grace), running=", ".join(one.job for one in self._children.running()))
        self._notify.stopping("stopping", grace + self._limits.ending + 5)
        self._schedule.stop()
        if self._lanes:
            self._lanes.stopped = True
        self._children.end(signal.SIGTERM, lambda job: job == EVENTS)
        if not self._wait(grace):
            self._children.end(signal.SIGTERM)
            if not self._wait(self._limits.ending):
                self._children.end(signal.SIGKILL)
                self._wait(self._limits.ending)
        while True:  # what ended meanwhile is noted
            try:
                self._queue.get_nowait()()
            except queue.Empty:
                break
        self._close(code)

    def _wait(self, seconds: float) -> bool:
        """Waits until no child runs; False: the time is over."""
        deadline = time.monotonic() + seconds
        while not self._children.wait(min(TICK, max(0.0, deadline - time.monotonic()))):
            self._ticked = time.monotonic()
            if time.monotonic() >= deadline:
                return False
        return True

    def _close(self, code: int) -> None:
        self._role = "stopping"
        self._doors.close()
        self._adoption.files.stop()
        self._pulse.stop()
        for store in filter(None, (self._fenced, self._store)):
            store.close()
        self._keeper.forget()
        self.code = code

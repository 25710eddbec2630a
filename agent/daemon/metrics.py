"""`/metrics`: what Prometheus is told of the estate, of the store and of this daemon.

Hides that the store is read by a thread of its own, every few seconds and only what changed, so that a scrape neither
waits for a scan that is being written nor costs one query.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic

from agent import __version__
from agent.config import Config
from agent.daemon.metrics_catalogue import Samples, Value, exposition
from agent.daemon.metrics_figures import Figures, environments
from agent.daemon.metrics_totals import Totals
from agent.store import Store, StoreError
from agent.vitals import Vitals

_PROC = Path("/proc/self")


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of the store, and when by the monotonic clock."""

    samples: Samples
    at: float


class Metrics:
    """The metrics of one daemon. `look` is for one thread, everything else for any."""

    def __init__(self, config: Config, store: Store, vitals: Callable[[], Vitals]) -> None:
        """Nothing is read yet: see `look`."""
        self._config = config
        self._vitals = vitals
        self._figures = Figures(config, store)
        self._totals = Totals(store)
        self._leads_by: Store | None = None
        self._read = Read({}, monotonic())
        self._up = False
        self._intact: bool | None = None
        self._lock = threading.Lock()

    def lead(self, fenced: Store) -> None:
        """We lead: what is written down from the next look on goes through this store, which is fenced."""
        self._leads_by = fenced

    def use(self, config: Config) -> None:
        """From now on by this configuration."""
        with self._lock:
            self._config = self._figures.config = config

    def look(self, now: datetime) -> None:
        """Reads the store; as the leader, also writes down once a day what was counted, if the store takes it.

        Raises StoreError; what was read before is shown on, and said to be old.
        """
        try:
            samples = self._looked(now)
        except StoreError:
            self._up = False
            raise
        self._read, self._up = Read(samples, monotonic()), True

    def _looked(self, now: datetime) -> Samples:
        with self._lock:
            if fenced := self._leads_by:  # not when we were told: whoever tells must not wait for a look
                self._figures, self._totals, self._leads_by = Figures(self._config, fenced), Totals(fenced), None
            leads = self._vitals().role == "leader"  # whoever comes to lead during a look has no fenced store here yet
            figures = self._figures.look(now)
            known = environments(self._config)
            accounts = self._figures.accounts - {account for account, _ in known}
            # Named from the start, so that the first change is an increase from 0.
            self._totals.advance({*known, *((account, "") for account in accounts)})
            if leads:
                # Another leads since, and writes it down; or the store takes nothing now, and the pulse tells of that:
                # what was read is true all the same.
                with suppress(StoreError):
                    self._figures.begin(now)
                    self._totals.keep(now)
            return {**figures, **self._totals.samples()}

    def ledger(self, intact: bool) -> None:
        """What a look at the ledger's end said."""
        self._intact = intact

    @property
    def last_scan(self) -> datetime | None:
        """When the last scan of the whole estate ended; None: none has, or the store was not read yet."""
        return self._figures.whole[1] if self._figures.whole else None

    def overdue(self, now: datetime) -> datetime | None:
        """When the second scan of the estate in a row will have been missed; None: none is scheduled."""
        return self._figures.overdue(now)

    @property
    def age(self) -> float:
        """Seconds since the store was last read."""
        return monotonic() - self._read.at

    def text(self) -> bytes:
        """What is known now, in Prometheus' text format."""
        own = {**_of_vitals(self._vitals()), **_of_process()}
        own["driftwarden_store_up"] = {(): float(self._up)}
        own["driftwarden_store_read_age_seconds"] = {(): self.age}
        if self._intact is not None:
            own["driftwarden_ledger_intact"] = {(): float(self._intact)}
        return exposition(self._read.samples, own)


def _of_vitals(vitals: Vitals) -> dict[str, Mapping[tuple[str, ...], Value]]:
    running: dict[tuple[str, ...], Value] = {(job,): 0.0 for job in vitals.due}
    for one in vitals.running:
        before = running.get((one.job,), 0.0)
        running[one.job,] = (before if isinstance(before, float) else 0.0) + 1.0
    found: dict[str, Mapping[tuple[str, ...], Value]] = {
        "driftwarden_build_info": {(__version__,): 1.0},
        "driftwarden_start_timestamp_seconds": {(): vitals.started_at.timestamp()},
        "driftwarden_leader": {(): float(vitals.role == "leader")},
        "driftwarden_fence": {(): float(vitals.fence)},
        "driftwarden_loop_age_seconds": {(): vitals.ticked},
        "driftwarden_store_write_age_seconds": {(): vitals.stored},
        "driftwarden_task_running": running,
        "driftwarden_task_due_timestamp_seconds": {(job,): at.timestamp() for job, at in vitals.due.items()},
        "driftwarden_reload_failed": {(): float(bool(vitals.reload_error))},
        "driftwarden_clock_jumps_total": {(): float(vitals.clock_jumps)},
        "driftwarden_events_processed_total": {(): float(vitals.events)},
    }
    if vitals.event_lag is not None:
        found["driftwarden_event_lag_seconds"] = {(): vitals.event_lag}
    return found


def _of_process() -> dict[str, Mapping[tuple[str, ...], Value]]:
    """Of this process, from what a unit with `ProcSubset=pid` may still read; nothing where there is no /proc."""
    try:
        memory = int((_PROC / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        # The name of the program, in brackets, may hold anything.
        threads = int((_PROC / "stat").read_text().rpartition(")")[2].split()[17])
        descriptors = len(list((_PROC / "fd").iterdir())) - 1  # the folder itself was open
    except OSError:
        return {}
    times = os.times()
    most = os.sysconf("SC_OPEN_MAX")
    return {
        "driftwarden_process_resident_memory_bytes": {(): float(memory)},
        "driftwarden_process_cpu_seconds_total": {(): times.user + times.system},
        "driftwarden_process_open_fds": {(): float(descriptors)},
        "driftwarden_process_max_fds": {(): float(most)},
        "driftwarden_process_threads": {(): float(threads)},
    }

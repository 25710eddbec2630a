"""One scan, as the command line and every later caller run it: collect → line → store → file.

Hides the child process a scan runs in (its clients' memory is given back, and a stuck one can be killed), the threads
that claim units, and that of a scan that did not reach its end nothing is kept.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from agent import store as stores
from agent import ticketing
from agent.collect import Collector, Plan, Sessions, units
from agent.config import Config, ConfigError, duration, environment, load
from agent.declared.sensitive import seal_alike
from agent.document import document, with_tickets
from agent.filing import Filed, drain
from agent.model import Gap, Scope, Snapshot, Status, Trail
from agent.plan import Known
from agent.resources import load as load_specs
from agent.rules import RuleError, load_rules, ruleset_sha256
from agent.scan import Collected, Reading, Scan, scan
from agent.store import ScanCommit, Seen, Store, StoreError, Unit, connect
from agent.store.codec import decode, encode
from agent.store.units import UnitKind
from agent.trail.read import merge

LEASE = timedelta(minutes=15)
UNIT_THREADS = 16
_POLL = 0.05  # seconds between two looks at units that other threads or hosts are reading
CALL_THREADS = 32
EXIT: dict[Status, int] = {"clean": 0, "violations": 1, "incomplete": 3, "held": 4}
"""Exit code of a scan by its status; 2 is misuse."""
MISUSE = 2

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Done:
    """A finished scan."""

    scan: Scan
    document: dict[str, Any]
    calls: int
    """AWS API requests the live reader sent."""
    filed: Filed | None
    """What became of the outbox; None where nothing is filed."""


def scan_in_child(config: Path, *, dry_run: bool = False, quiet: bool = True) -> tuple[int, dict[str, Any] | None]:
    """Runs a scan in a child process → exit code, and the scan document (None where no scan could begin).

    Its progress and errors go to our stderr. Exit codes: 0 clean, 1 violations, 2 misuse, 3 incomplete, 4 held.
    """
    command = [sys.executable, "-m", "agent.run", str(config)]
    command += ["--dry-run"] * dry_run + ["--quiet"] * quiet
    done = subprocess.run(command, stdout=subprocess.PIPE, env=environment(), check=False)
    if done.returncode not in EXIT.values() or not done.stdout:
        return MISUSE, None
    return done.returncode, json.loads(done.stdout)


def run(config: Config, *, dry_run: bool = False, progress: Progress = lambda _: None) -> Done:
    """One scan in this process. With `dry_run` its plan is worked out and nothing of it is kept or filed.

    Raises ConfigError, RuleError and StoreError: what no scan can begin with.
    """
    rules = load_rules([config.path(folder) for folder in config.rules.dirs])
    systems = ticketing.open_systems(config)
    specs = load_specs()
    with connect(config.store_url()) as store:
        started = datetime.now(UTC)
        run_id = f"{started:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
        store.scans.begin(run_id, started, config.sha256, ruleset_sha256(rules))
        sessions = Sessions(config)
        planned = units(config, sessions, specs)
        store.units.add(run_id, planned.units)
        with ThreadPoolExecutor(CALL_THREADS, thread_name_prefix="aws") as pool:
            key = install_key(config.path(config.store.key))
            collector = Collector(config, sessions, specs, key, started, pool)
            _work(store, run_id, collector, progress)
        join = store.units.claim(run_id, _owner(), datetime.now(UTC), LEASE, kinds=("join",))
        declared, live, trail = _sides(store, run_id, planned, config, started)
        progress(f"comparing {len(declared.resources)} declared with {len(live.resources)} live resources")
        authority = ticketing.authority(config, systems, trail)
        found = scan(
            Collected(
                declared=declared,
                live=live,
                trail=trail,
                read=planned.read,
                accepted={k: Reading(r.attributes, r.accepted_at) for k, r in store.readings.accepted().items()},
                known=_known(store),
                authority=authority,
                rules=rules,
                specs=specs,
            ),
            datetime.now(UTC),
        )
        shown = document(
            found,
            run_id=run_id,
            started_at=started,
            config_sha256=config.sha256,
            ruleset_sha256=ruleset_sha256(rules),
            trail=trail,
            resources={one.key: one for one in reversed((*declared.resources, *live.resources))},
            cases=store.cases.open(),
        )
        if dry_run:
            return Done(found, shown, collector.calls.total, None)
        filing = config.tickets.mode == "file"
        _commit(store, join, found, shown, authority, filing)
        filed = None
        if filing and systems.target is not None:
            progress("filing")
            filed = drain(store.outbox, systems.target, _owner(), lambda: datetime.now(UTC))
        shown = with_tickets(shown, store.cases.open())
    return Done(found, shown, collector.calls.total, filed)


def install_key(path: Path) -> bytes:
    """The key that seals sensitive values: 32 random bytes, made on first use, readable by us alone."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        key = path.read_bytes()
        if len(key) < 32:
            raise ConfigError(f"{path}: not an install key: {len(key)} bytes instead of 32") from None
        return key
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    with os.fdopen(handle, "wb") as file:
        key = os.urandom(32)
        file.write(key)
    return key


def _work(store: Store, run_id: str, collector: Collector, progress: Progress) -> None:
    """Claims and runs units in threads until none but the join is left."""
    total = sum(store.units.counts(run_id).values()) - 1
    declared = _Declared(store, run_id)

    def claimed(*kinds: UnitKind) -> Unit | None:
        return store.units.claim(run_id, _owner(), datetime.now(UTC), LEASE, kinds)

    def read(unit: Unit) -> None:
        result = collector.run(unit)
        if isinstance(result, Snapshot) and unit.kind == "live":
            # Only code and state know what their authors call sensitive: nothing live is written before they are read.
            while other := claimed("declared"):
                read(other)
            result = seal_alike(declared.side(), result, collector.key)
        store.units.finish(unit, encode(result).encode())
        progress(f"read {unit.kind} {unit.name}")

    def worker() -> None:
        while unit := claimed("declared", "live", "trail"):
            read(unit)

    with ThreadPoolExecutor(min(UNIT_THREADS, max(total, 1)), thread_name_prefix="unit") as threads:
        for future in [threads.submit(worker) for _ in range(min(UNIT_THREADS, total))]:
            future.result()


class _Declared:
    """The declared side of a run, as soon as every stack has been read; decoded once for all threads."""

    def __init__(self, store: Store, run_id: str) -> None:
        self._store = store
        self._run_id = run_id
        self._lock = threading.Lock()
        self._side: Snapshot | None = None

    def side(self) -> Snapshot:
        """Waits for it."""
        with self._lock:
            while self._side is None:
                found = [one for one in self._store.units.results(self._run_id) if one[0].kind == "declared"]
                if all(unit.state in ("done", "failed") for unit, _ in found):
                    parts = [decode(Snapshot, result.decode()) for _, result in found if result is not None]
                    self._side = _joined("declared", parts, datetime.now(UTC), ())
                else:
                    time.sleep(_POLL)
            return self._side


def _owner() -> str:
    return f"{os.uname().nodename}/{os.getpid()}/{threading.get_ident()}"


def _sides(
    store: Store, run_id: str, planned: Plan, config: Config, started: datetime
) -> tuple[Snapshot, Snapshot, Trail]:
    """The results of all units as two snapshots and one trail. A unit without a result is a gap."""
    sides: dict[str, list[Snapshot]] = {"declared": [], "live": []}
    trails: list[Trail] = []
    lost: list[Gap] = []
    for unit, result in store.units.results(run_id):
        if unit.kind == "join":
            continue
        if result is None:
            lost.append(Gap(Scope(account=unit.args.get("account", "*")), f"{unit.kind} {unit.name}: {unit.error}"))
        elif unit.kind == "trail":
            trails.append(decode(Trail, result.decode()))
        else:
            sides[unit.kind].append(decode(Snapshot, result.decode()))
    window = started - duration(config.trail.lookback)
    trail = merge(trails) if trails else Trail(window, started)
    return (
        _joined("declared", sides["declared"], started, ()),
        _joined("live", sides["live"], started, (*planned.gaps, *lost)),
        trail,
    )


def _joined(side: Any, parts: Sequence[Snapshot], at: datetime, gaps: Sequence[Gap]) -> Snapshot:
    return Snapshot(
        side,
        at,
        tuple(one for part in parts for one in part.resources),
        (*(one for part in parts for one in part.gaps), *gaps),
        tuple(one for part in parts for one in part.limits),
    )


def _known(store: Store) -> Known:
    seen = store.findings.open()
    return Known(
        cases=tuple(record.case for record in store.cases.listed()),
        first_seen={one: known.first_seen for one, known in seen.items()},
        keys={one: known.finding.key for one, known in seen.items()},
    )


def _commit(store: Store, join: Unit | None, found: Scan, shown: dict[str, Any], authority: Any, filing: bool) -> None:
    """Keeps the whole scan in one transaction. In observe mode no case is opened."""
    run_id = shown["run"]["id"]
    inputs = {"authority": authority, "at": found.at}
    seen = {finding.id for finding in found.findings}
    open_before = store.findings.open()
    unread = found.unread()
    kept = store.scans.commit(
        ScanCommit(
            run_id=run_id,
            finished_at=found.at,
            status=found.status,
            document=json.dumps(shown).encode(),
            seen=tuple(Seen(finding, inputs) for finding in found.findings),
            closed=tuple(
                one for one, known in open_before.items() if one not in seen and known.finding.key not in unread
            ),
            accepted=tuple(
                stores.Reading(resource.key, resource.attributes, found.read_at, "no drift anyone must answer for")
                for resource in found.accept
            ),
            actions=found.actions if filing else (),
        ),
        join,
    )
    if not kept:
        raise StoreError(f"scan {run_id} was taken over by another worker; nothing of this one is kept")


def _main(arguments: Sequence[str]) -> int:
    """The child process: `python -m agent.run CONFIG [--dry-run] [--quiet]`, the scan document on stdout."""
    began = time.monotonic()
    quiet = "--quiet" in arguments

    def progress(said: str) -> None:
        if not quiet:
            sys.stderr.write(f"\r\x1b[K{time.monotonic() - began:5.1f} s  {said[:100]}")

    try:
        done = run(load(Path(arguments[0])), dry_run="--dry-run" in arguments, progress=progress)
    except (ConfigError, RuleError, StoreError) as error:
        sys.stderr.write(f"driftwarden: {error}\n")
        return MISUSE
    if not quiet:
        sys.stderr.write("\r\x1b[K")
    json.dump(done.document, sys.stdout)
    return EXIT[done.scan.status]


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))

"""One scan, as the command line and every later caller run it: collect → line → store → file.

Runs in the child process that `child.py` starts. Hides the install key, and that of a scan that did not reach its end
nothing is kept.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent import store as stores
from agent import ticketing
from agent.child import EXIT, MISUSE
from agent.clean import clean
from agent.collect import Sessions, read_people
from agent.commits import with_commits
from agent.config import Config, ConfigError, duration, load
from agent.document import document, with_tickets
from agent.filing import Filed, drain
from agent.gather import Gathered, Progress, gather, owner
from agent.judge import Rule
from agent.model import Authority, Directory, Trail
from agent.people import known, needed
from agent.plan import Known
from agent.resources import Spec
from agent.resources import load as load_specs
from agent.rules import RuleError, load_rules, ruleset_sha256
from agent.scan import Collected, Reading, Scan, scan
from agent.store import ScanCommit, Seen, Store, StoreError, Unit, connect
from agent.trail.coverage import CONTROLS

KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Done:
    """A finished scan."""

    scan: Scan
    document: dict[str, Any]
    calls: int
    """AWS API requests the live reader sent."""
    filed: Filed | None
    """What became of the outbox; None where nothing is filed."""


def run(config: Config, *, dry_run: bool = False, progress: Progress = lambda _: None) -> Done:
    """One scan in this process. With `dry_run` its plan is worked out and nothing of it is kept or filed.

    Raises ConfigError, RuleError and StoreError: what no scan can begin with.
    """
    rules = load_rules([config.path(folder) for folder in config.rules.dirs])
    systems = ticketing.open_systems(config)
    specs = load_specs()
    key = install_key(config.path(config.store.key))
    started = datetime.now(UTC)
    people = read_people(config, Sessions(config), started)
    with connect(config.store_url()) as store, _workplace(store, dry_run) as place:
        run_id = f"{started:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
        place.scans.begin(run_id, started, config.sha256, ruleset_sha256(rules))
        behind = store if dry_run else None
        got = gather(place, run_id, config, key=key, specs=specs, started=started, progress=progress, behind=behind)
        progress(f"comparing {len(got.declared.resources)} declared with {len(got.live.resources)} live resources")
        collected = _collected(config, got, store, systems, rules, specs, people)
        with _keeping():
            found = scan(collected, datetime.now(UTC))
        shown = document(
            found,
            run_id=run_id,
            started_at=started,
            config_sha256=config.sha256,
            ruleset_sha256=ruleset_sha256(rules),
            trail=known(got.trail, people),
            resources={
                one.key: one for one in reversed((*got.declared.resources, *got.declared.named, *got.live.resources))
            },
            cases=store.cases.open(),
        )
        if dry_run:
            return Done(found, shown, got.calls, None)
        _commit(store, got.join, found, shown, collected.authority, config.tickets.mode == "file")
        store.journal.forget(started - duration(config.trail.keep), CONTROLS)
        filed = _file(config, systems, store, progress)
        shown = with_tickets(shown, store.cases.open())
    return Done(found, shown, got.calls, filed)


@contextlib.contextmanager
def _keeping() -> Iterator[None]:
    """While values are made by the million and none is dropped: looking for garbage would be a third of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _collected(
    config: Config,
    got: Gathered,
    store: Store,
    systems: ticketing.Systems,
    rules: Sequence[Rule],
    specs: Mapping[str, Spec],
    people: Directory,
) -> Collected:
    """What was gathered, with what earlier scans and the ticket systems know of it."""
    remembered = _with_remembered(got.trail, store)
    reads = (*store.states.history(remembered.start), *got.declared.states)
    trail = with_commits(remembered, reads, got.declared.resources, ticketing.pipelines(config))
    return Collected(
        declared=got.declared,
        live=got.live,
        trail=trail,
        read=got.read,
        accepted={k: Reading(r.attributes, r.accepted_at) for k, r in store.readings.accepted().items()},
        known=_known(store),
        authority=replace(ticketing.authority(config, systems, trail), directory=people),
        rules=rules,
        specs=specs,
        complete=config.estate.complete,
        states=store.states.last(),
        earlier=tuple(one.finding for one in store.findings.open().values() if one.finding.cause),
    )


def install_key(path: Path) -> bytes:
    """The key that seals sensitive values: 32 random bytes, made on first use, readable by us alone.

    Raises ConfigError.
    """
    try:
        if not path.exists():
            _make_key(path)
        key = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    if len(key) < KEY_BYTES:
        raise ConfigError(f"{path}: not an install key: {len(key)} bytes instead of {KEY_BYTES}")
    return key


def _make_key(path: Path) -> None:
    """Whole or not at all, and never over another scan's."""
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(os.urandom(KEY_BYTES))
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        Path(draft).unlink()


@contextlib.contextmanager
def _workplace(store: Store, dry_run: bool) -> Iterator[Store]:
    """Where the units of a scan are worked: a dry run's in a store that goes with it."""
    if not dry_run:
        yield store
        return
    with tempfile.TemporaryDirectory(prefix="driftwarden-") as folder, connect(f"sqlite:///{folder}/dry-run.db") as own:
        yield own


def _with_remembered(trail: Trail, store: Store) -> Trail:
    """The trail with the calls behind findings that still differ: drift outlives the window its calls were read in."""
    changes = {change.event_ids: change for change in trail.changes}
    for one in store.findings.open().values():
        for item in one.finding.changes if one.finding.differences else ():
            if item.change.time < trail.start:
                changes.setdefault(item.change.event_ids, item.change)
    return replace(trail, changes=tuple(sorted(changes.values(), key=lambda one: (one.time, one.event_ids))))


def _known(store: Store) -> Known:
    seen = store.findings.open()
    return Known(
        cases=tuple(record.case for record in store.cases.listed()),
        first_seen={finding: one.first_seen for finding, one in seen.items()},
        keys={finding: one.finding.key for finding, one in seen.items()},
    )


def _commit(
    store: Store, join: Unit | None, found: Scan, shown: dict[str, Any], authority: Authority, filing: bool
) -> None:
    """Keeps the whole scan in one transaction. In observe mode no case is opened."""
    run_id = shown["run"]["id"]
    # Of everybody known only those a verdict rests on: a store keeps this for years.
    rests_on = needed(authority, [one.change for one in found.changes])
    inputs = {"authority": replace(authority, directory=rests_on), "at": found.at}
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
                finding for finding, one in open_before.items() if finding not in seen and one.finding.key not in unread
            ),
            accepted=tuple(
                stores.Reading(resource.key, resource.attributes, found.read_at, "no drift anyone must answer for")
                for resource in found.accept
            ),
            forgotten=found.forget,
            states=found.keep,
            actions=found.actions if filing else (),
        ),
        join,
    )
    if not kept:
        raise StoreError(f"scan {run_id} was taken over by another worker; nothing of this one is kept")


def _file(config: Config, systems: ticketing.Systems, store: Store, progress: Progress) -> Filed | None:
    """Carries out what the outbox holds; None where nothing is filed."""
    if config.tickets.mode != "file" or systems.target is None:
        return None
    progress("filing")
    return drain(store.outbox, systems.target, owner(), lambda: datetime.now(UTC))


def _main(arguments: Sequence[str]) -> int:
    """The child process: `python -m agent.run CONFIG [--dry-run] [--quiet]`, the scan document on stdout."""
    # Dozens of threads wait for short answers; handing the interpreter's lock over every 5 ms costs CPU time.
    sys.setswitchinterval(0.05)
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
    for why in done.filed.errors if done.filed else ():
        sys.stderr.write(f"driftwarden: not filed: {clean(why)}\n")
    sys.stdout.write(json.dumps(done.document))
    return EXIT[done.scan.status]


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))

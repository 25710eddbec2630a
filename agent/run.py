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

import msgspec

from agent import store as stores
from agent import ticketing
from agent.child import EXIT, MISUSE
from agent.clean import clean
from agent.collect import Sessions, read_people, ticket_patterns
from agent.commits import with_commits
from agent.conduct import News, breakglass, files_cases, observed, policy_news
from agent.config import Config, ConfigError, duration, load
from agent.declare import InForce, ground, in_force
from agent.document import document, with_tickets
from agent.evidence import Asked, gather_evidence
from agent.filing import Filed, drain
from agent.gather import Gathered, Progress, gather, owner
from agent.heard import Heard, listen
from agent.judge import Rule
from agent.model import Authority, Directory, FindingId, Trail
from agent.people import known, needed
from agent.plan import Known
from agent.resources import Spec
from agent.resources import load as load_specs
from agent.rules import RuleError, load_rules, ruleset_sha256, staged
from agent.scan import Collected, Permissive, Reading, Scan, scan
from agent.store import ScanCommit, Seen, Store, StoreError, Unit, connect
from agent.store.findings import Known as SeenBefore
from agent.tolerated import read_tolerated
from agent.tolerated.digests import digest_of
from agent.tolerated.proposal import critical_of, own_names
from agent.trail.claims import claims_of
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


@dataclass(frozen=True, slots=True)
class _Means:
    """What a scan works with, made once."""

    rules: Sequence[Rule]
    systems: ticketing.Systems
    specs: Mapping[str, Spec]
    key: bytes
    sessions: Sessions
    people: Directory
    started: datetime
    given: Config
    """As the file says, whether or not all of it is in force."""


def run(config: Config, *, dry_run: bool = False, progress: Progress = lambda _: None) -> Done:
    """One scan in this process. With `dry_run` its plan is worked out and nothing of it is kept or filed.

    Raises ConfigError, RuleError and StoreError: what no scan can begin with.
    """
    started = datetime.now(UTC)
    sessions = Sessions(config)
    means = _Means(
        staged(load_rules([config.path(folder) for folder in config.rules.dirs]), config.rules),
        ticketing.open_systems(config),
        load_specs(),
        install_key(config.path(config.store.key)),
        sessions,
        read_people(config, sessions, started),
        started,
        config,
    )
    with connect(config.store_url()) as store, in_force(config, store, started, keep=not dry_run) as force:
        signers = str(force.signers) if force.signers else ""
        authority = msgspec.structs.replace(force.authority, signers=signers)
        return _run(msgspec.structs.replace(force.config, authority=authority), means, store, force, dry_run, progress)


def _run(config: Config, means: _Means, store: Store, force: InForce, dry_run: bool, progress: Progress) -> Done:
    """The scan, under the authority that is in force."""
    started = means.started
    with _workplace(store, dry_run) as place:
        run_id = f"{started:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
        place.scans.begin(run_id, started, config.sha256, ruleset_sha256(means.rules))
        got = gather(
            place,
            run_id,
            config,
            key=means.key,
            specs=means.specs,
            started=started,
            progress=progress,
            behind=store if dry_run else None,
        )
        heard = Heard()
        if not dry_run:
            progress("listening to what people said")
            said = ground(config, store, means.people, force)
            heard = listen(config, said, means.systems.target, datetime.now(UTC))
        progress(f"comparing {len(got.declared.resources)} declared with {len(got.live.resources)} live resources")
        collected, authority = _collected(config, means, got, store, heard)
        with _keeping():
            found = scan(collected, datetime.now(UTC))
        news = policy_news(means.given, store.policy.known(), force.told())
        shown = document(
            found,
            run_id=run_id,
            started_at=started,
            config_sha256=config.sha256,
            ruleset_sha256=ruleset_sha256(means.rules),
            trail=known(got.trail, means.people),
            resources={
                one.key: one for one in reversed((*got.declared.resources, *got.declared.named, *got.live.resources))
            },
            cases=store.cases.open(),
            news=news.told,
        )
        if dry_run:
            return Done(found, shown, got.calls, None)
        _commit(store, got.join, found, shown, authority, news, files_cases(config))
        store.journal.forget(started - duration(config.trail.keep), CONTROLS)
        filed = _file(config, means.systems, store, progress)
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


def _collected(config: Config, means: _Means, got: Gathered, store: Store, heard: Heard) -> tuple[Collected, Authority]:
    """What was gathered, with what earlier scans, ticket systems and people know of it; and what verdicts rest on."""
    open_ones = store.findings.open()
    remembered = _with_remembered(got.trail, open_ones)
    reads = (*store.states.history(remembered.start), *got.declared.states)
    patterns = ticket_patterns(config)
    trail = with_commits(
        remembered,
        reads,
        got.declared.resources,
        ticketing.pipelines(config),
        lambda tags: claims_of({"tags": tags}, "", patterns),
    )
    asked = Asked(config, means.systems, means.people, means.sessions, means.key)
    evidence = gather_evidence(asked, store, known(trail, means.people), open_ones, got.accounts)
    may = read_tolerated(config, means.people, means.started, means.key)
    problems = (*may.problems, *evidence.problems, *heard.refused)
    return Collected(
        declared=got.declared,
        live=got.live,
        trail=trail,
        read=got.read,
        accepted={k: Reading(r.attributes, r.accepted_at) for k, r in store.readings.accepted().items()},
        known=_known(store, open_ones),
        authority=evidence.authority,
        rules=means.rules,
        specs=means.specs,
        complete=config.estate.complete,
        states=store.states.last(),
        earlier=tuple(one.finding for one in open_ones.values() if one.finding.cause),
        breakglass=replace(breakglass(config, store), unheard=heard.unread),
        permissive=Permissive(
            replace(may, problems=problems),
            digest_of(means.key, means.specs),
            critical_of(means.rules, means.specs, own_names(config)),
        ),
        observed=observed(config),
    ), evidence.authority


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


def _with_remembered(trail: Trail, open_ones: Mapping[FindingId, SeenBefore]) -> Trail:
    """The trail with the calls behind findings that still differ: drift outlives the window its calls were read in."""
    changes = {change.event_ids: change for change in trail.changes}
    for one in open_ones.values():
        for item in one.finding.changes if one.finding.differences else ():
            if item.change.time < trail.start:
                changes.setdefault(item.change.event_ids, item.change)
    return replace(trail, changes=tuple(sorted(changes.values(), key=lambda one: (one.time, one.event_ids))))


def _known(store: Store, seen: Mapping[FindingId, SeenBefore]) -> Known:
    return Known(
        cases=tuple(record.case for record in store.cases.listed()),
        first_seen={finding: one.first_seen for finding, one in seen.items()},
        keys={finding: one.finding.key for finding, one in seen.items()},
    )


def _commit(
    store: Store,
    join: Unit | None,
    found: Scan,
    shown: dict[str, Any],
    authority: Authority,
    news: News,
    filing: bool,
) -> None:
    """Keeps the whole scan in one transaction. Where no stack files cases, none is opened."""
    run_id = shown["run"]["id"]
    # Of everybody known only those a verdict rests on: a store keeps this for years.
    rests_on = needed(authority, [one.change for one in found.changes])
    kept_of = replace(authority, directory=rests_on, history={}, emergencies=found.emergencies)
    inputs = {"authority": kept_of, "at": found.at}
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
            events=news.events,
            hits=found.hits,
            policy=news.files,
        ),
        join,
    )
    if not kept:
        raise StoreError(f"scan {run_id} was taken over by another worker; nothing of this one is kept")


def _file(config: Config, systems: ticketing.Systems, store: Store, progress: Progress) -> Filed | None:
    """Carries out what the outbox holds; None where nothing is filed."""
    if not files_cases(config) or systems.target is None:
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

"""From what a scan read to what is kept of it and filed.

Hides that scans read side by side and only one at a time plans and commits, and that a reading which a later one has
overtaken counts for nothing.
"""

from __future__ import annotations

import contextlib
import gc
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from agent import store as stores
from agent.compare import Hidden
from agent.conduct import files_cases, policy_news
from agent.config import Config
from agent.declare import InForce, ground, in_force
from agent.document import document, with_tickets
from agent.document.authority import PolicyNews
from agent.filing import Filed, drain, forsaken, owner
from agent.focus import Focus, parent_of
from agent.gather import Gathered, Progress, late_of
from agent.gather.collected import Grounds, collected, grounds
from agent.gather.focused import Asked, Place, look
from agent.gather.means import Means
from agent.gather.rested import rested_on
from agent.gather.unjudged import Unjudged
from agent.heard import Heard, listen
from agent.model import Case, Change, Finding, FindingId, Key, Trail
from agent.people import known
from agent.resources import Spec
from agent.scan import Scan, scan
from agent.seal import ring
from agent.store import ScanCommit, ScanKind, Seen, Store, StoreError
from agent.store.findings import Known as SeenBefore
from agent.upkeep.keys import belongs

_READINGS = 3  # a look is read again where a scan of the whole estate overtook it, so often


@dataclass(frozen=True, slots=True)
class Done:
    """A finished scan."""

    scan: Scan
    document: dict[str, Any]
    calls: int
    """AWS API requests the live reader sent."""
    filed: Filed | None
    """What became of the outbox; None where nothing is filed."""
    newest: datetime | None = None
    """Time of the last change that was looked at."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a scan is run in: the configuration with the authority in force, and where it is kept."""

    config: Config
    means: Means
    store: Store
    force: InForce
    progress: Progress = lambda _: None

    def begin(self, kind: ScanKind, started: datetime, place: Store | None = None) -> str:
        """A scan begins, in the store or in the place of a dry run; gives its id."""
        run_id = f"{started:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
        (place or self.store).scans.begin(run_id, started, self.config.sha256, self.means.ruleset, kind)
        return run_id


@contextlib.contextmanager
def scene(
    config: Config, means: Means, store: Store, keep: bool = True, progress: Progress = lambda _: None
) -> Iterator[Scene]:
    """Under the authority that is in force now; with `keep` it is written down that it is, and which install key is.

    Raises StoreError and ConfigError, also for the install key of another store.
    """
    now = datetime.now(UTC)
    belongs(store, ring(means.key), config.path(config.store.key), now if keep else None)
    with in_force(config, store, now, keep=keep) as force:
        signers = str(force.signers) if force.signers else ""
        authority = msgspec.structs.replace(force.authority, signers=signers)
        yield Scene(msgspec.structs.replace(force.config, authority=authority), means, store, force, progress)


def looked(
    at: Scene, place: Place, asked: Asked, *, brought: Sequence[Trail] = (), heard: Heard | None = None
) -> Done | None:
    """One look, read, judged and kept, but not filed; None: there was nothing to look at.

    Where a scan of the whole estate began after the reading and is kept, it knows better: then all is read again.
    Raises StoreError and RuleError.
    """
    for _ in range(_READINGS):
        got = look(place, asked, brought, at.progress)
        if got is None:
            return None
        run_id = at.begin(asked.kind, got.began)
        with contextlib.suppress(OvertakenError):
            return conclude(at, run_id, asked.kind, got, heard or Heard())
    return None


def heard_now(at: Scene) -> Heard:
    """What people said since the last time. Raises StoreError."""
    at.progress("listening to what people said")
    said = ground(at.config, at.store, at.means.people, at.force)
    return listen(at.config, said, at.means.systems.target, datetime.now(UTC))


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


class OvertakenError(Exception):
    """A scan of the whole estate that began after this reading is kept already, and knows better."""


def conclude(at: Scene, run_id: str, kind: ScanKind, got: Gathered, heard: Heard, *, dry_run: bool = False) -> Done:
    """From what was read to what is kept. Raises OvertakenError, which only looks are, StoreError and RuleError."""
    at.progress(f"comparing {len(got.declared.resources)} declared with {len(got.live.resources)} live resources")
    store = at.store
    rests = grounds(at.config, at.means, got, store)
    with contextlib.nullcontext() if dry_run else store.exclusive("line"):
        if got.keys is not None and _overtaken(store, got.began):
            raise OvertakenError
        focus = Focus(got.keys, frozenset() if dry_run else store.looks.since(got.began, datetime.now(UTC)))
        open_ones = store.findings.open()
        everything = replace(
            collected(at.config, at.means, got, store, rests, heard, open_ones), focus=focus, news=got.news
        )
        with _keeping():
            found = scan(everything, datetime.now(UTC))
        news = policy_news(at.means.given, store.policy.known(), at.force.told())
        shown = _document(at, run_id, got, found, news.told, everything.known.cases)
        if not dry_run:
            kept = _kept(at, kind, got, found, shown, rests, open_ones)
            _commit(store, got, replace(kept, events=news.events, policy=news.files))
            late_of(store, at.config).judged(got.late, got.began)
            Unjudged(store).judged(got.marked, _left(found, focus) if got.keys is None else ())
    times = [one.change.time for one in found.changes if not got.news.isdisjoint(one.change.event_ids)]
    return Done(found, shown, got.calls, None, max(times, default=None))


def _overtaken(store: Store, began: datetime) -> bool:
    """Whether a scan of the whole estate that began later than a reading is kept. One that by our clock is yet to come
    was made by a clock that was wrong."""
    now = datetime.now(UTC)
    return any(began < one.started_at <= now for one in store.scans.last(1, "whole", ended=True))


def _left(found: Scan, focus: Focus) -> set[str]:
    """Events on what another scan read later: they wait on for the next look."""
    return {
        event
        for one in found.changes
        if not focus.without.isdisjoint(one.change.targets)
        for event in one.change.event_ids
    }


def _document(
    at: Scene, run_id: str, got: Gathered, found: Scan, news: PolicyNews, cases: Sequence[Case]
) -> dict[str, Any]:
    seen = {one.id for one in found.findings}
    return document(
        _with_carried(found) if got.keys is None else _narrowed(found, got),
        run_id=run_id,
        started_at=got.began,
        config_sha256=at.config.sha256,
        ruleset_sha256=at.means.ruleset,
        trail=known(got.trail, at.means.people),
        resources={
            one.key: one for one in reversed((*got.declared.resources, *got.declared.named, *got.live.resources))
        },
        # What a look does not touch it does not tell of: there may be thousands of cases.
        cases=[one for one in cases if got.keys is None or not seen.isdisjoint(one.findings)],
        news=news,
    )


def _with_carried(found: Scan) -> Scan:
    """With what looks found while it was read: it is open, whoever found it."""
    carried = found.carried
    return replace(
        found,
        findings=(*found.findings, *carried.findings),
        violations=(*found.violations, *carried.violations),
        compared=found.compared + carried.compared,
        declared=found.declared + carried.compared,
        live=found.live + carried.live,
        drifts=(*found.drifts, *(drift for one in carried.findings for drift in one.drifts)),
    )


def _narrowed(found: Scan, got: Gathered) -> Scan:
    """What a look's document tells of: a document for each touch of a resource is no place for the whole trail."""
    events = got.news.union(*(item.change.event_ids for one in found.findings for item in one.changes))
    stacks = {one.stack for one in found.findings}
    return replace(
        found,
        changes=tuple(one for one in found.changes if not events.isdisjoint(one.change.event_ids)),
        states=tuple(one for one in found.states if one.stack in stacks),
        pending=(),
        performed=(),
    )


def _kept(
    at: Scene,
    kind: ScanKind,
    got: Gathered,
    found: Scan,
    shown: dict[str, Any],
    rests: Grounds,
    open_before: Mapping[FindingId, SeenBefore],
) -> ScanCommit:
    """All that the scan is kept by, but for what became of policy files. Where no stack files cases, none is opened."""
    behind = [one.change for one in found.changes] if got.keys is None else _behind(found.findings)
    kept_of = replace(rested_on(rests.evidence.authority, behind), emergencies=found.emergencies)
    inputs = {"authority": kept_of, "at": found.at}
    seen = {finding.id for finding in found.findings}
    unread = found.unread()
    return ScanCommit(
        run_id=shown["run"]["id"],
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
        actions=found.actions if files_cases(at.config) else (),
        hits=found.hits,
        kind=kind,
        # Whatever was read later than this is newer than any scan that began before.
        read_at=got.began,
        looked=_looked(got, found, at.means.specs),
    )


def _looked(got: Gathered, found: Scan, specs: Mapping[str, Spec]) -> tuple[Key, ...]:
    """What a look has read, and a scan of everything that began before leaves to it: a resource with all its parts, or
    none of them. Where one of them could not be read, whoever can has the newer reading.
    """
    if got.keys is None:
        return ()
    keys = got.keys | {finding.key for finding in found.findings}
    unread = Hidden((*found.gaps, *got.live.gaps))
    resources = (*got.declared.resources, *got.live.resources)
    parents = {one.key: one.parent for one in resources if one.parent is not None and one.key in keys}
    whole = {key: parents.get(key) or parent_of(key, specs) or key for key in keys}
    torn = {whole[key] for key in keys if key in unread}
    return tuple(key for key in keys if whole[key] not in torn)


def _behind(findings: Sequence[Finding]) -> list[Change]:
    return [item.change for one in findings for item in one.changes]


def _commit(store: Store, got: Gathered, kept: ScanCommit) -> None:
    """One transaction. Raises StoreError."""
    if not store.scans.commit(kept, got.join):
        raise StoreError(f"scan {kept.run_id} was taken over by another worker; nothing of this one is kept")


def filed(at: Scene, done: Done) -> Done:
    """With what the outbox held carried out, and the tickets that came of it."""
    came = file(at)
    return replace(done, filed=came, document=with_tickets(done.document, at.store.cases.open()))


def file(at: Scene) -> Filed | None:
    """Carries out what the outbox holds; None where nothing is filed. Raises StoreError."""
    if not files_cases(at.config) or at.means.systems.target is None:
        return None
    at.progress("filing")
    if at.store.database.file is not None:
        forsaken(at.store.outbox, datetime.now(UTC))

    def now() -> datetime:
        at.progress("")  # it is asked for each entry
        return datetime.now(UTC)

    return drain(at.store.outbox, at.means.systems.target, owner(), now)

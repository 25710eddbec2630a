"""A look: what the trail touched, one stack, or what is open, is read again and nothing else.

Hides which resources that are and who has to be asked for them, and that whoever applies meanwhile changes the cloud
first and the state later.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from agent.collect import Collector, Plan, blame, units
from agent.config import Config, ConfigError
from agent.declared.sensitive import seal_alike
from agent.focus import Look, focused, looks, remembered, wanted
from agent.gather import (
    CALL_THREADS,
    UNIT_THREADS,
    Gathered,
    Progress,
    joined,
    last_whole,
    late_of,
    read_trail,
    trail_of,
)
from agent.gather.means import Means
from agent.gather.side import Side
from agent.gather.unjudged import Marked, Unjudged
from agent.live.requests import Calls
from agent.model import GLOBAL, Change, Gap, Key, Scope, Snapshot, Trail
from agent.store import ScanKind, Store
from agent.store.findings import Known as SeenBefore
from agent.trail.read import Memory
from agent.trail.source import EVERYWHERE

Live = Callable[[Collector, Plan, Sequence[Look]], Snapshot]
"""Reads what is wanted. Never raises for what it cannot read."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a scan is to look at."""

    kind: ScanKind = "whole"
    stack: str = ""


def asked_of(text: str, config: Config) -> Asked:
    """`whole`, `stack:NAME`, `trail`, `open` or `remind`. Raises ConfigError for anything else."""
    kind, _, name = text.partition(":")
    if kind == "stack":
        known = [one.name for one in config.stack]
        if name not in known:
            raise ConfigError(f"--look {text!a}: there is no stack {name!a}, only {', '.join(known) or 'none at all'}")
        return Asked("stack", name)
    for one in ("whole", "trail", "open", "remind"):
        if text == one:
            return Asked(one)
    raise ConfigError(f"--look {text!a}: one of whole, stack:NAME, trail, open, remind")


@dataclass(slots=True)
class Place:
    """Where a process looks: opened once, however often it does."""

    store: Store
    config: Config
    means: Means
    side: Side
    pool: ThreadPoolExecutor
    live: Live
    told: Memory = field(default_factory=Memory)
    """Of the trail."""

    def collector(self, at: datetime, progress: Progress = lambda _: None) -> Collector:
        """That reads at this time; each request is progress."""
        return Collector(
            self.config,
            self.means.sessions,
            self.means.specs,
            self.means.key,
            at,
            self.pool,
            self.config.path(self.config.store.cache),
            last=last_whole(self.store),
            accounts=self.side.planned.accounts,
            calls=Calls(lambda: progress("")),
        )


def opened(store: Store, config: Config, means: Means, pool: ThreadPoolExecutor, live: Live | None = None) -> Place:
    """A place to look from; `pool` runs the calls. Asks every account who it is."""
    return Place(store, config, means, Side(units(config, means.sessions, means.specs)), pool, live or read_live)


def pool() -> ThreadPoolExecutor:
    """That runs calls to AWS."""
    return ThreadPoolExecutor(CALL_THREADS, thread_name_prefix="aws")


def ingested(place: Place, progress: Progress = lambda _: None) -> Trail:
    """Reads the trail's sources into the journal, everything new marked. Raises StoreError."""
    progress("reading the trail")
    collector = place.collector(datetime.now(UTC), progress)
    feeds = [feed for unit in place.side.planned.units if unit.kind == "trail" for feed in collector.feeds(unit.args)]
    if any(feed.drains for feed in feeds):
        Unjudged(place.store).rewrite()

    def sealer(entry: Any) -> Any:
        # Code and states are read for the first entry there is: most often there is none.
        return place.side.sealer(collector)(entry)

    mark = Unjudged(place.store, start=collector.trail_start).mark
    found = read_trail(place.store, feeds, collector, sealer, mark=mark, progress=progress)
    # Without credentials there is no source to say that it was not read.
    unread = [gap for gap in place.side.planned.gaps if gap.scope == EVERYWHERE or "lookup" in _sources(place)]
    return replace(found, gaps=(*found.gaps, *unread))


def _sources(place: Place) -> Collection[str]:
    return place.config.trail.sources


def look(
    place: Place, asked: Asked, brought: Sequence[Trail] = (), progress: Progress = lambda _: None
) -> Gathered | None:
    """Reads what is asked for again; None: the trail has nothing new.

    `brought` is what reading the trail's sources came to, just now. Raises StoreError; what cannot be read is a gap.
    """
    store, began = place.store, datetime.now(UTC)
    waits = Unjudged(store).due(began)
    marked = waits if asked.kind == "trail" else Marked()
    if asked.kind == "trail" and not marked:
        return None
    collector = place.collector(began, progress)
    late = late_of(store, place.config).due(waits, collector.trail_start, began)
    # That a source fell silent is told by the hours that were counted, whoever read it.
    parts = brought or [Trail(began, began)]
    gaps = [gap for part in parts for gap in part.gaps]
    trail = trail_of([store], collector, place.side.sealer(collector), gaps, parts, late, place.told)
    news = [one for one in trail.changes if marked.covers(one.event_ids, one.time)]
    open_ones = store.findings.open()
    its = _asked_for(asked, place.side, open_ones.values())
    stacks = frozenset((asked.stack,)) - {""}
    sought = _Sought(news, its, stacks, _written(trail, marked), open_ones.values())
    progress("reading again")
    declared, live, keys = _nothing(place, collector) if asked.kind == "remind" else _read(place, collector, sought)
    return Gathered(
        declared,
        live,
        trail,
        place.side.planned.read,
        collector.calls.total,
        None,
        tuple(place.side.planned.accounts.values()),
        began,
        marked,
        late,
        keys,
        frozenset(event for one in news for event in one.event_ids),
    )


@dataclass(frozen=True, slots=True)
class _Sought:
    """What a look is for."""

    changes: Sequence[Change]
    keys: frozenset[Key]
    stacks: frozenset[str]
    written: frozenset[str]
    """Objects in S3 that are states and were written."""
    open: Collection[SeenBefore]


def _asked_for(asked: Asked, side: Side, open_ones: Iterable[SeenBefore]) -> frozenset[Key]:
    if asked.kind == "stack":
        return side.declared(asked.stack) | side.states(asked.stack)
    return frozenset(one.finding.key for one in open_ones) if asked.kind == "open" else frozenset()


def _written(trail: Trail, marked: Marked) -> frozenset[str]:
    requests = [one.request for one in trail.state_writes if marked.covers(one.event_ids, one.time)]
    return frozenset(f"s3://{one.get('bucketName', '')}/{one.get('key', '')}" for one in requests)


def _nothing(place: Place, collector: Collector) -> tuple[Snapshot, Snapshot, frozenset[Key]]:
    """Where only what people said is looked at: the cloud is not asked, and is no gap."""
    return place.side.snapshot(collector), Snapshot("live", collector.started_at), frozenset()


def _read(place: Place, collector: Collector, sought: _Sought) -> tuple[Snapshot, Snapshot, frozenset[Key]]:
    """The declared side, what is live of what is sought, and the keys that the scan is about.

    The cloud is read before the states are looked at: a state that moved since is read again, and the cloud with it.
    """
    side, specs = place.side, place.means.specs
    accepted = place.store.readings.accepted()
    memory = remembered({key: one.attributes for key, one in accepted.items()}, [o.finding for o in sought.open], specs)
    known = [*accepted, *(one.finding.key for one in sought.open)]
    wants = sought.keys
    for last in (False, True):
        before = side.snapshot(collector)
        want = wanted(sought.changes, memory, specs, wants, before)
        live = place.live(collector, side.planned, looks(want, specs))
        live = seal_alike(before, live, collector.key)
        keys = focused(want, sought.changes, before, live, known, specs).keys or frozenset()
        touched = side.of(keys) | sought.stacks | _stacks_of(before, sought.written)
        if last or not side.catch_up(collector, touched):
            break
        wants = wants | _differing(before, side.snapshot(collector))
    return side.settled(collector, touched), live, keys | wants


def _stacks_of(declared: Snapshot, states: frozenset[str]) -> frozenset[str]:
    return frozenset(read.stack for read in declared.states if read.location in states)


def _differing(before: Snapshot, after: Snapshot) -> frozenset[Key]:
    """What is declared otherwise, or no longer, or only now."""
    one, other = ({each.key: each for each in side.resources} for side in (before, after))
    return frozenset(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))


def read_live(collector: Collector, planned: Plan, asked: Sequence[Look]) -> Snapshot:
    """What these looks give, with what is known beforehand not to be readable. Raises nothing of AWS's."""
    numbers = {name: number for number, name in planned.accounts.items()}
    mine = [
        one
        for one in asked
        if one.account in numbers and (one.region == GLOBAL or (one.account, one.region) in planned.read)
    ]
    if not mine:
        return joined("live", (), collector.started_at, planned.gaps)
    with ThreadPoolExecutor(min(len(mine), UNIT_THREADS), thread_name_prefix="look") as threads:
        running = [(one, threads.submit(collector.again, numbers[one.account], one)) for one in mine]
        parts = []
        for one, future in running:
            error = future.exception()
            parts.append(_broken(one, error, collector) if error else future.result())
    return joined("live", parts, collector.started_at, planned.gaps)


def _broken(one: Look, error: BaseException, collector: Collector) -> Snapshot:
    why = f"live {one.account}/{one.region}/{one.service}: {blame(error)}"
    gaps = tuple(Gap(Scope(one.account, one.region, type_), why) for type_ in sorted(one.only))
    return Snapshot("live", collector.started_at, gaps=gaps)

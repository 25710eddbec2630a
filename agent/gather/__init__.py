"""The units of one scan, read in threads → the declared side, the live side and the trail.

Hides leases, that a unit whose reading breaks is tried again and then lost, and that nothing live is written down
before the code and its state have said what is sensitive.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from itertools import chain
from typing import Any

from agent.collect import Collector, Plan, Sessions, blame, lost, ticket_patterns, units
from agent.config import Config, duration
from agent.declared.sensitive import call_sealer, seal_alike
from agent.filing import owner
from agent.gather.belated import Belated, Late
from agent.gather.unjudged import Marked, Unjudged
from agent.ingest import ingest, kept_entries
from agent.live.requests import Calls
from agent.model import Change, Entry, Gap, Key, Limit, Scope, Snapshot, Trail
from agent.resources import Spec
from agent.settle import settle, unread_states
from agent.store import Journal, Store, StoreError, Unit
from agent.store.codec import decode, encode
from agent.trail import digests
from agent.trail.coverage import HISTORY
from agent.trail.poison import lasting
from agent.trail.read import Memory, assemble
from agent.trail.source import EVERYWHERE, Feed

LEASE = timedelta(minutes=15)
UNIT_THREADS = 16
CALL_THREADS = 32
_DIGESTED = timedelta(hours=4)  # a digest is written every hour, and delivered some time after it
_POLL = 0.05  # seconds between two looks at stacks that are still being read

Progress = Callable[[str], None]
"""Told what is begun or done; nothing (``""``) where it only goes on: somebody may wait for a sign of it."""
Mark = Callable[[Sequence[Entry], bool], None]


@dataclass(frozen=True, slots=True)
class Gathered:
    """What the units of a scan brought."""

    declared: Snapshot
    live: Snapshot
    trail: Trail
    read: frozenset[tuple[str, str]]
    """Account and region pairs the live reader was told to read."""
    calls: int
    """AWS API requests the live reader sent."""
    join: Unit | None
    """The unit under which all this is brought together."""
    accounts: tuple[str, ...]
    """Ids of the accounts there are credentials for."""
    began: datetime
    """When reading began: what another scan read later is newer."""
    marked: Marked
    """What of the trail waited for a scan, and is judged by this one."""
    late: Late
    """What of the trail is told although its window does not reach so far back."""
    keys: frozenset[Key] | None = None
    """What was looked at; None: the whole estate."""
    news: frozenset[str] = frozenset()
    """Events that it was looked at for."""


def gather(
    store: Store,
    run_id: str,
    config: Config,
    *,
    key: bytes,
    specs: Mapping[str, Spec],
    started: datetime,
    progress: Progress,
    behind: Store | None = None,
    mark_all: bool = False,
) -> Gathered:
    """Plans the units of a run that has begun, reads them all, and joins the results.

    `key` seals what is sensitive. `behind` is the store of a dry run, which knows what was read of the trail and is
    not written. `mark_all`: another process waits for what comes of the trail, and is faster. Raises StoreError; what
    cannot be read is a gap.
    """
    sessions = Sessions(config)
    planned = units(config, sessions, specs)
    store.units.add(run_id, planned.units)
    with ThreadPoolExecutor(CALL_THREADS, thread_name_prefix="aws") as pool:
        collector = Collector(
            config,
            sessions,
            specs,
            key,
            started,
            pool,
            config.path(config.store.cache),
            last=last_whole(behind or store),
            accounts=planned.accounts,
            calls=Calls(lambda: progress("")),
        )
        mark = Unjudged(store, None if mark_all else started, collector.trail_start).mark
        _work(store, run_id, planned, collector, progress, behind, mark)
        join = store.units.claim(run_id, owner(), datetime.now(UTC), LEASE, kinds=("join",))
        progress("looking at the states again")
        marked = Unjudged(behind or store).due(started)
        late = late_of(behind or store, config).due(marked, collector.trail_start, started)
        declared, live, trail = _sides(store, run_id, planned, collector, behind, late)
    accounts = tuple(planned.accounts.values())
    calls = collector.calls.total
    return Gathered(declared, live, trail, planned.read, calls, join, accounts, started, marked, late)


def last_whole(store: Store) -> datetime | None:
    """When the last scan of the whole estate that ended began: what was delivered since is to be judged, however long
    ago that is and however many died since."""
    return next((one.started_at for one in store.scans.last(1, "whole", ended=True)), None)


def late_of(store: Store, config: Config) -> Belated:
    """The late events of the store, told for as long as the configuration's window is."""
    return Belated(store, duration(config.trail.lookback))


def _work(
    store: Store,
    run_id: str,
    planned: Plan,
    collector: Collector,
    progress: Progress,
    behind: Store | None,
    mark: Mark,
) -> None:
    """Reads units in threads until none but the join is left. One whose reading breaks is tried again, then lost."""
    declared = _Declared(store, run_id, planned, collector)

    def read(unit: Unit) -> None:
        result: Snapshot | Trail
        if unit.kind == "trail":
            feeds = collector.feeds(unit.args)
            sealer = call_sealer(declared.side(), collector.key)
            result = read_trail(store, feeds, collector, sealer, behind, mark, progress)
        else:
            result = collector.run(unit)
        if isinstance(result, Snapshot) and unit.kind == "live":
            # Only code and state know what their authors call sensitive: nothing else is written before they are read.
            result = seal_alike(declared.side(), result, collector.key)
        store.units.finish(unit, encode(result).encode())
        progress(f"read {unit.kind} {unit.name}")

    running: dict[Future[None], Unit] = {}
    with ThreadPoolExecutor(UNIT_THREADS, thread_name_prefix="unit") as threads, closing(declared):
        while True:
            # Stacks come first in the table, and a broken one is claimed again before anything that waits for it.
            while len(running) < UNIT_THREADS and (unit := _claimed(store, run_id)):
                running[threads.submit(read, unit)] = unit
            if not running:
                return
            for future in wait(running, LEASE.total_seconds() / 4, FIRST_COMPLETED).done:
                _end(store, running.pop(future), future.exception())
            _renew(store, running)


def read_trail(
    store: Store,
    feeds: Sequence[Feed],
    collector: Collector,
    sealer: Callable[[Any], Any],
    behind: Store | None = None,
    mark: Mark = lambda *_: None,
    progress: Progress = lambda _: None,
) -> Trail:
    """Reads the trail's sources into the journal; the result tells only what could not be read. Raises StoreError."""

    def now() -> datetime:
        progress("")  # it is asked for each delivery that is kept
        return datetime.now(UTC)

    found = ingest(
        store.journal,
        feeds,
        collector.reader(),
        collector.trail_start,
        collector.started_at,
        seal=sealer,
        now=now,
        by=collector.fingerprint(),
        behind=behind.journal if behind else None,
        mark=mark,
    )
    skipped = [Limit(Scope(), f"a dry run takes nothing from a queue: {name} was not read") for name in found.skipped]
    strange = [Limit(Scope(), f"trail records: {why}", n) for why, n in found.strange.items()]
    return Trail(collector.trail_start, collector.started_at, gaps=found.gaps, limits=(*skipped, *strange))


def _claimed(store: Store, run_id: str) -> Unit | None:
    return store.units.claim(run_id, owner(), datetime.now(UTC), LEASE, ("declared", "live", "trail"))


def _end(store: Store, unit: Unit, error: BaseException | None) -> None:
    if error is not None:
        store.units.fail(unit, blame(error))


def _renew(store: Store, running: dict[Future[None], Unit]) -> None:
    """Holds on to units that take long: LookupEvents may need an hour."""
    now = datetime.now(UTC)
    for future, unit in running.items():
        if unit.lease_until is not None and unit.lease_until - now < LEASE / 2:
            store.units.renew(unit, now + LEASE)
            running[future] = replace(unit, lease_until=now + LEASE)


class _Declared:
    """The declared side of a run, as soon as every stack has been read; decoded once for all threads."""

    def __init__(self, store: Store, run_id: str, planned: Plan, collector: Collector) -> None:
        self._store = store
        self._planned = planned
        self._collector = collector
        self._run_id = run_id
        self._lock = threading.Lock()
        self._side: Snapshot | None = None
        self._closed = threading.Event()

    def close(self) -> None:
        """Nobody reads stacks any more: whoever waits for them waits in vain."""
        self._closed.set()

    def side(self) -> Snapshot:
        """Waits for it. Raises StoreError once it is closed."""
        with self._lock:
            while self._side is None:
                found = [one for one in self._store.units.results(self._run_id) if one[0].kind == "declared"]
                if all(unit.state in ("done", "failed") for unit, _ in found):
                    parts = [decode(Snapshot, result.decode()) for _, result in found if result is not None]
                    gaps = [
                        gap for unit, result in found if result is None for gap in lost(unit, self._collector.specs)
                    ]
                    self._side = declared_side(self._planned, self._collector, parts, datetime.now(UTC), gaps)
                elif self._closed.wait(_POLL):
                    raise StoreError("the scan ended before its stacks were read")
            return self._side


def _sides(
    store: Store, run_id: str, planned: Plan, collector: Collector, behind: Store | None, late: Late
) -> tuple[Snapshot, Snapshot, Trail]:
    """The results of all units as two snapshots and one trail. A unit without a result is a gap."""
    started = collector.started_at
    sides: dict[str, dict[str, tuple[Unit, Snapshot]]] = {"declared": {}, "live": {}}
    trails: list[Trail] = []
    gaps: dict[str, list[Gap]] = {"declared": [], "live": [*planned.gaps], "trail": []}
    for unit, result in store.units.results(run_id):
        if unit.kind == "join":
            continue
        if result is None:
            gaps[unit.kind] += lost(unit, collector.specs)
        elif unit.kind == "trail":
            trails.append(decode(Trail, result.decode()))
        else:
            sides[unit.kind][unit.name] = unit, decode(Snapshot, result.decode())
    settled = settle(collector, sides["declared"], sides["live"])
    declared = declared_side(planned, collector, settled.declared, started, gaps["declared"])
    trail_gaps = (*gaps["trail"], *(gap for part in trails for gap in part.gaps))
    sealer = call_sealer(declared, collector.key)
    trail = trail_of([behind, store] if behind else [store], collector, sealer, trail_gaps, trails, late)
    return declared, joined("live", settled.live, started, gaps["live"]), trail


def trail_of(
    stores: Sequence[Store],
    collector: Collector,
    sealer: Callable[[Any], Any],
    gaps: Sequence[Gap],
    parts: Sequence[Trail],
    late: Late,
    memory: Memory | None = None,
) -> Trail:
    """The trail that the journals make, with what came late, as the declared side (`sealer`) allows it to be kept.

    With a `memory` less is done again of what was done for the trail before.
    """
    start, end = collector.trail_start, collector.started_at
    journals = [store.journal for store in stores]
    now = datetime.now(UTC)
    # Further than the interval on both sides: before it stands what silence is normal, after it times that cannot be.
    hours = (start - HISTORY).replace(minute=0, second=0, microsecond=0), datetime.max.replace(tzinfo=UTC)
    checked = {
        place: until
        for journal in journals
        for feed in {one.feed for one in journal.positions() if one.feed.startswith(digests.FEED)}
        for place, until in digests.verified(journal.checkpoints(feed, collector.fingerprint())).items()
    }
    tallies = [tally for journal in journals for tally in journal.tallies(*hours)]
    expected = collector.expected()
    unheard = {*expected} - {(one.account, one.region) for one in tallies if one.events}
    lost, messages = lasting(_found(journals, start), end)
    trail = assemble(
        chain(kept_entries(journals, start, end), late.entries),
        start,
        end,
        tallies=tallies,
        gaps=[gap for gap in (*gaps, *lost) if not _is_proven(gap, checked, end)],
        patterns=ticket_patterns(collector.config),
        verified=checked,
        read_at=now,
        silence_is_a_gap=bool(parts)
        and any(source != "lookup" for source in collector.config.trail.sources)
        # Where nothing at all could be read, that is said already.
        and not any(gap.scope == EVERYWHERE for gap in gaps),
        expected=expected,
        ever=frozenset[tuple[str, str]]().union(*(journal.heard_of(unheard) for journal in journals)),
        memory=memory,
        late=late.events,
    )
    return replace(
        trail,
        changes=tuple(map(sealer, trail.changes)),
        sessions=tuple(_telling(trail.sessions, collector.config)),
        poisoned=messages,
        limits=(*(limit for part in parts for limit in part.limits), *_unproven(expected, checked)),
    )


def _found(journals: Iterable[Journal], start: datetime) -> list[tuple[datetime, Gap]]:
    """What no reading will find again, with when it was found, oldest first; what two sources told, once."""
    kept = {one for journal in journals for one in journal.dated_gaps(start)}
    return sorted(kept, key=lambda one: (one[0], one[1].why))


def _telling(sessions: Iterable[Change], config: Config) -> Iterator[Change]:
    """Sessions of pipelines and of emergency roles: who else signed in says nothing of a state."""
    roles = [*(one.role for one in config.authority.pipeline), *(one.role for one in config.authority.emergency)]
    return (one for one in sessions if any(fnmatchcase(one.actor.role, role) for role in roles))


def _unproven(expected: Collection[tuple[str, str]], checked: Mapping[tuple[str, str], datetime]) -> Iterator[Limit]:
    """That nothing but queues of events is read (`expected` places tell), and no digests prove anything (`checked`)."""
    if expected and not checked:
        yield Limit(
            EVERYWHERE,
            "the trail comes from EventBridge alone, which brings neither calls that only read nor events of more than "
            "256 KB: nothing else proves that all of it came. A trail in S3, or LookupEvents, would",
        )


def _is_proven(gap: Gap, checked: Mapping[tuple[str, str], datetime], end: datetime) -> bool:
    """Whether digests prove that there was nothing to deliver where nothing was delivered."""
    until = checked.get((gap.scope.account, gap.scope.region))
    return gap.cause == "undelivered" and until is not None and until >= end - _DIGESTED


def declared_side(
    planned: Plan, collector: Collector, parts: Sequence[Snapshot], at: datetime, gaps: Sequence[Gap] = ()
) -> Snapshot:
    """The declared side that stacks make; states that are known to exist and that no stack reads are gaps of it."""
    states = [read for part in parts for read in part.states]
    unread = unread_states(collector.config, states, (account for account, _ in planned.read))
    return joined("declared", parts, at, [*gaps, *unread])


def joined(side: Any, parts: Sequence[Snapshot], at: datetime, gaps: Sequence[Gap]) -> Snapshot:
    """One snapshot of several."""
    return Snapshot(
        side,
        at,
        tuple(one for part in parts for one in part.resources),
        (*(one for part in parts for one in part.gaps), *gaps),
        tuple(one for part in parts for one in part.limits),
        tuple(one for part in parts for one in part.pending),
        tuple(one for part in parts for one in part.states),
        tuple(one for part in parts for one in part.named),
    )

"""What is read while somebody applies: states are looked at again after the cloud, and read again where they moved.

Hides that an apply changes the cloud first and the state later: whatever is compared in between is half a change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from agent.collect import Collector, blame, state_session
from agent.config import Config
from agent.declared.loading import peek
from agent.declared.sensitive import seal_alike
from agent.declared.state import StateError
from agent.model import GLOBAL, Gap, Scope, Snapshot, StateRead
from agent.stacks import Located, locate
from agent.store import Unit, UnitSpec

Results = Mapping[str, tuple[Unit, Snapshot]]
"""Unit name → the unit and what it read; of one kind."""
_THREADS = 16


@dataclass(frozen=True, slots=True)
class Settled:
    """What was read, the second reading in place of the first where there was one."""

    declared: Sequence[Snapshot]
    live: Sequence[Snapshot]


def settle(collector: Collector, declared: Results, live: Results) -> Settled:
    """Looks at every state again. One that moved is read again with the cloud it speaks of; one that still moves, or
    is locked, is marked `in_motion`.
    """
    found = {name: snapshot for name, (_, snapshot) in declared.items()}
    seen = {name: snapshot for name, (_, snapshot) in live.items()}
    units = {name: unit for name, (unit, snapshot) in declared.items() if snapshot.states}
    looked = looks(collector, units.values())
    moved = [name for name, look in looked.items() if look.digest != digest_of(found[name])]
    if moved:
        found |= again(collector, [units[name] for name in moved])
        seen |= _live_again(collector, [found[name] for name in moved], list(found.values()), live)
        # Where it stands still now, what was read the second time belongs together.
        looked |= looks(collector, [units[name] for name in moved if found[name].states])
    for name, look in looked.items():
        found[name] = marked(found[name], look)
    return Settled(list(found.values()), list(seen.values()))


@dataclass(frozen=True, slots=True)
class Look:
    """A state as it is now."""

    digest: str
    """Empty where it cannot be read any more."""
    locked: str


def looks(
    collector: Collector, units: Iterable[Unit | UnitSpec], places: MutableMapping[str, Located] | None = None
) -> dict[str, Look]:
    """Name of a stack's unit → its state as it is now. Raises nothing.

    `places` remembers where stacks lie, so that none is fetched again only to look at its state.
    """
    known = {} if places is None else places
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="look") as threads:
        running = {unit.name: threads.submit(_look, collector, unit, known) for unit in units}
        return {name: future.result() for name, future in running.items()}


def _look(collector: Collector, unit: Unit | UnitSpec, places: MutableMapping[str, Located]) -> Look:
    stack = collector.config.stack[unit.args["stack"]]
    located = places.get(unit.name) or locate(collector.config, stack)
    places[unit.name] = located
    try:
        fetched = peek(
            located.directory,
            stack.state,
            session=state_session(collector.sessions),
            cache=collector.cache,
            options=located.options,
        )
    except StateError:
        return Look("", "")
    return Look(hashlib.sha256(fetched.data).hexdigest(), fetched.locked)


def digest_of(snapshot: Snapshot) -> str:
    """Of the states that a stack's reading rests on."""
    return "".join(read.digest for read in snapshot.states)


def again(collector: Collector, units: Sequence[Unit | UnitSpec]) -> dict[str, Snapshot]:
    """The stacks as they are now. One that breaks is as one that cannot be read."""
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="again") as threads:
        running = {unit.name: (unit, threads.submit(collector.run, unit)) for unit in units}
        results = {}
        for name, (unit, future) in running.items():
            error = future.exception()
            read = None if error else future.result()
            if isinstance(read, Snapshot):
                results[name] = read
            else:
                why = f"stack {name}: {blame(error) if error else 'not read'}, when it was read again"
                gap = Gap(Scope(account=unit.args["account"]), why)
                results[name] = Snapshot("declared", collector.started_at, gaps=(gap,))
    return results


def marked(snapshot: Snapshot, look: Look) -> Snapshot:
    """The reading, with why it cannot be relied on where its state is locked, or is not the one that was read."""
    if not snapshot.states or not (look.locked or look.digest != digest_of(snapshot)):
        return snapshot
    why = f"its state is locked ({look.locked})" if look.locked else "its state is written again and again"
    return replace(snapshot, states=tuple(replace(read, in_motion=why) for read in snapshot.states))


def _live_again(
    collector: Collector, stacks: Sequence[Snapshot], declared: Sequence[Snapshot], live: Results
) -> dict[str, Snapshot]:
    """The cloud that these stacks speak of, read once more and sealed as the first time."""
    wanted = {
        (resource.key.account, collector.specs[resource.key.type].service)
        for stack in stacks
        for resource in stack.resources
    }
    regions = {resource.key.region for stack in stacks for resource in stack.resources}
    units = [
        unit
        for unit, _ in live.values()
        if (unit.args["account"], unit.args["service"]) in wanted
        and (unit.args["region"] in regions or GLOBAL in regions)
    ]
    resources = tuple(one for part in declared for one in part.resources)
    side = Snapshot("declared", collector.started_at, resources, tuple(gap for part in declared for gap in part.gaps))
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="again") as threads:
        running = {unit.name: threads.submit(collector.run, unit) for unit in units}
        # What breaks now was read a minute ago: the first reading stays.
        read = {name: future.result() for name, future in running.items() if future.exception() is None}
    return {name: seal_alike(side, one, collector.key) for name, one in read.items() if isinstance(one, Snapshot)}


def unread_states(config: Config, states: Iterable[StateRead], accounts: Iterable[str]) -> list[Gap]:
    """A gap for each account while a state that is known to exist is read by no stack: it may declare anything."""
    listed = {read.location for read in states} | {stack.state for stack in config.stack}
    missing = [name for name in config.estate.known_states if name not in listed]
    if not missing:
        return []
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    why = f"state {missing[0]}{more} is known to exist and no stack reads it: what it declares is not known"
    return [Gap(Scope(account=account), why) for account in sorted(set(accounts))]

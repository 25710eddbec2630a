"""The proof that a configuration works, before the first scan.

Hides what has to be tried: everything a scan would ask for is asked for once, and thrown away.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from agent import ticketing
from agent.clean import plural
from agent.collect import Collector, Sessions, blame, read_people, units
from agent.config import Config, ConfigError
from agent.gather import CALL_THREADS
from agent.model import Gap, Snapshot, Trail
from agent.resources import load as load_specs
from agent.rules import RuleError, check_rules, load_rules
from agent.seal import ring
from agent.store import StoreError, UnitSpec, connect
from agent.upkeep.keys import belongs, key_of


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried."""

    name: str
    result: Literal["ok", "missing", "failed"]
    said: str


def prove(config: Config) -> Iterator[Check]:
    """Tries everything a scan needs, one check after the other: rules, store, tickets, credentials, reads, trail."""
    yield from _rules(config)
    yield from _store(config)
    yield from _tickets(config)
    if not config.stack:
        yield Check("stacks", "missing", "no [[stack]] is configured: nothing is declared, and nothing can drift")
    specs = load_specs()
    sessions = Sessions(config)
    plan = units(config, sessions, specs)
    for gap in plan.gaps:
        yield Check("credentials", "failed", f"account {gap.scope.account}: {gap.why}")
    if plan.read:
        accounts = ", ".join(sorted({account for account, _ in plan.read}))
        yield Check("credentials", "ok", f"account {accounts}")
    yield from _people(config, sessions)
    yield from _reads(config, sessions, plan.units)


def _rules(config: Config) -> Iterator[Check]:
    try:
        rules = load_rules([config.path(folder) for folder in config.rules.dirs])
    except RuleError as error:
        yield Check("rules", "failed", str(error))
        return
    wrong = [result for result in check_rules(rules) if not result.passed]
    for result in wrong:
        yield Check("rules", "failed", f"{result.rule}: its example '{result.example}' does not come out as it says")
    if not wrong:
        yield Check("rules", "ok", f"{plural(len(rules), 'rule')}, their examples hold")


def _store(config: Config) -> Iterator[Check]:
    try:
        with connect(config.store_url()) as store:
            yield Check("store", "ok", store.database.name)
            belongs(store, ring(key_of(config)), config.path(config.store.key))
    except (StoreError, ConfigError) as error:
        yield Check("store", "failed", str(error))


def _tickets(config: Config) -> Iterator[Check]:
    try:
        systems = ticketing.open_systems(config)
    except ConfigError as error:
        yield Check("tickets", "failed", str(error))
        return
    if not systems.every:
        yield Check("tickets", "missing", "no ticket system is configured: no change can be authorised by a ticket")
    now = datetime.now(UTC)
    for system in systems.every:
        answer = system.lookup((), now - timedelta(days=1), now)
        for reason in answer.unanswered:
            yield Check("tickets", "failed", f"{system.name}: {reason}")
        if not answer.unanswered:
            yield Check("tickets", "ok", f"{system.name}: {plural(len(answer.found), 'ticket')} around now")


def _people(config: Config, sessions: Sessions) -> Iterator[Check]:
    asked = config.identities
    if not (asked.file or asked.identity_center or asked.organizations):
        return
    try:
        found = read_people(config, sessions, datetime.now(UTC))
    except ConfigError as error:
        yield Check("identities", "failed", str(error))
        return
    for reason in found.unread:
        yield Check("identities", "failed", reason)
    if not found.unread:
        known = plural(len(found.people), "person", "people"), plural(len(found.accounts), "account")
        yield Check("identities", "ok", ", ".join(known))


def _reads(config: Config, sessions: Sessions, planned: Iterable[UnitSpec]) -> Iterator[Check]:
    """Every unit of a scan, read once; what it could not read is named, what it read is thrown away."""
    with ThreadPoolExecutor(CALL_THREADS) as pool, ThreadPoolExecutor(8) as threads:
        key = os.urandom(32)  # nothing sealed here is kept
        collector = Collector(config, sessions, load_specs(), key, datetime.now(UTC), pool)
        work = [(one, threads.submit(collector.run, one)) for one in planned if one.kind != "join"]
        for one, future in work:
            name = f"{one.kind} {one.name}"
            if error := future.exception():
                yield Check(name, "failed", blame(error))
                continue
            result = future.result()
            seen = plural(len(result.resources), "resource") if isinstance(result, Snapshot) else _events(result)
            for why, count in _reasons(result.gaps):
                yield Check(name, "failed", f"{why}{f' (×{count})' if count > 1 else ''}")
            if not result.gaps:
                yield Check(name, "ok", seen)


def _events(trail: Trail) -> str:
    newest = f", the newest of {trail.newest_event:%Y-%m-%d %H:%M} UTC" if trail.newest_event else ""
    return f"{plural(trail.events, 'event')}{newest}"


def _reasons(gaps: Iterable[Gap]) -> list[tuple[str, int]]:
    return sorted(Counter(gap.why for gap in gaps).items())

"""Questions put to what was read of the trail: how far it reaches, who touched a resource, what an event was.

Hides how a Terraform address becomes the names calls knew its resource by, and that an answer comes from the store
alone: nobody is asked again, and what the journal does not reach back to is said.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from agent import directory, silence
from agent.access import Row, Seen, access
from agent.collect import ticket_patterns
from agent.config import Config, duration
from agent.document import plain
from agent.ingest import leading_to
from agent.model import Change, Covered, Entry, Gap, Scope, StateRead, Touch, Trail
from agent.people import known
from agent.report.current import current
from agent.resources import load as load_specs
from agent.store import Position, Store
from agent.trail import digests
from agent.trail.coverage import covered
from agent.trail.poison import lasting
from agent.trail.read import assemble
from agent.trail.source import EVERYWHERE, LOOKBACK

_TYPE = re.compile(r"(?:^|\.)((?:aws|awscc)_[a-z0-9_]+)\.[^.]+$")
_INDEX = re.compile(r"\[(?:\d+|\"[^\"]*\")\]$")
_STALE = timedelta(hours=25)
"""A day from scan to scan, and an hour for the scan itself."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far an answer reaches: what was not read is not known."""

    since: datetime
    until: datetime
    oldest: datetime | None
    """Of everything that was kept."""
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True)
class Touched:
    """One call on the resource asked for."""

    change: Change
    touches: tuple[Touch, ...]
    """Those of its touches that are of this resource."""
    outcome: str = ""
    """The verdict of the last scan that knew it; empty: none did."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Who touched a resource."""

    asked: str
    names: tuple[str, ...]
    """What the resource was looked for by."""
    known: bool
    """The name is an address of a state that was read; else it was taken for an identifier."""
    calls: tuple[Touched, ...]
    reach: Reach


@dataclass(frozen=True, slots=True)
class Explained:
    """One event, and what it was understood as."""

    entry: Entry
    change: Change | None
    """None for what is no call: a session, a sign-in, a refusal have none."""
    outcome: str
    findings: tuple[str, ...]
    """Ids of the findings of the last scan that tell of it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How the trail stands."""

    positions: tuple[Position, ...]
    counts: Mapping[str, int]
    coverage: tuple[Covered, ...]
    gaps: tuple[Gap, ...]
    oldest: datetime | None
    since: datetime
    until: datetime


def status(config: Config, store: Store, now: datetime) -> Standing:
    """How far every source was read, what is kept, and what was not read within `[trail] lookback`."""
    journal, since = store.journal, now - duration(config.trail.lookback)
    positions = journal.positions()
    proven = digests.verified(
        {f"{one.feed} {one.shard}": one.checkpoint for one in positions if one.feed.startswith(digests.FEED)}
    )
    return Standing(
        positions,
        journal.counts(),
        covered(journal.tallies(since.replace(minute=0, second=0, microsecond=0), now), proven),
        (*_unread(store, _document(store), since, now), *_silent(config, store, now)),
        journal.oldest(),
        since,
        now,
    )


def who(config: Config, store: Store, asked: str, since: timedelta, now: datetime) -> Answer:
    """Every call of the last `since` on a resource, oldest first.

    `asked`: a Terraform address (`STACK/ADDRESS` where two stacks have the same, without an index for all instances),
    or any identifier of the resource: ARN, id, URL, name.
    """
    journal, start = store.journal, now - since
    names, own = _names(store.states.last().values(), asked)
    types = own | {name for name, spec in load_specs().items() if spec.parent and spec.parent.type in own}
    wanted = frozenset(names or [asked])
    found = journal.touching(wanted, start)
    matching = {one.event: one for one in found}
    calls = []
    for change in _trail(config, start, now, found, leading_to(found, journal, start)).changes:
        touches = tuple(
            touch
            for event in change.event_ids
            if event in matching
            for touch in matching[event].touches
            if (not types or touch.type in types) and _is_one_of(touch.ids, wanted)
        )
        if touches:
            calls.append((change, touches))
    document = _document(store)
    outcomes = _outcomes(document)
    return Answer(
        asked,
        tuple(names or [asked]),
        bool(names),
        tuple(Touched(change, touches, _outcome(change, outcomes)) for change, touches in calls),
        Reach(start, now, journal.oldest(), _unread(store, document, start, now)),
    )


def explain(config: Config, store: Store, event: str) -> Explained | None:
    """What one event was understood as; None: it was not kept (a read, noise, older than `[trail] keep`)."""
    entry = store.journal.entry(event.lower()) or store.journal.entry(event)
    if entry is None:
        return None
    trail = _trail(config, entry.time, entry.time, [entry], leading_to([entry], store.journal, entry.time))
    change = next((one for one in _every(trail) if entry.event in one.event_ids), None)
    document = _document(store)
    findings = tuple(
        finding["id"]
        for finding in document.get("findings", ())
        if any(entry.event in call["event_ids"] for call in finding["changes"])
    )
    return Explained(entry, change, _outcome(change, _outcomes(document)) if change else "", findings)


def entered(config: Config, store: Store, since: timedelta, now: datetime) -> tuple[tuple[Row, ...], Reach]:
    """The access log of the last `since`."""
    start = now - since
    before = store.journal.entries(start - LOOKBACK, start, ["session"])
    trail = _trail(config, start, now, store.journal.entries(start, now), before)
    production = {one.account for one in config.stack if one.account and one.environment.lower().startswith("prod")}
    seen = Seen(trail.changes, trail.sessions, trail.sign_ins, trail.attempts, store.journal.key_use(start))
    return access(seen, production), Reach(
        start, now, store.journal.oldest(), _unread(store, _document(store), start, now)
    )


def _unread(store: Store, document: Mapping[str, Any], since: datetime, now: datetime) -> tuple[Gap, ...]:
    """What is not known of the time from `since` on: for good, in the last scan, or because no scan was since."""
    lost = _lost(store, since, now)
    told = {(str(gap.scope), gap.why) for gap in lost}
    last = document.get("coverage", {}).get("trail", {}).get("gaps", ())
    passing = (Gap(_scope(gap["scope"]), gap["why"]) for gap in last if (gap["scope"], gap["why"]) not in told)
    newest = max((one.kept_at for one in store.journal.positions()), default=now)
    why = f"nothing was read since {newest:%FT%TZ}: no scan was, or none got that far"
    return (*lost, *passing, *([Gap(EVERYWHERE, why)] if now - newest > _STALE else ()))


def _silent(config: Config, store: Store, now: datetime) -> Iterable[Gap]:
    """Sources that are read and bring nothing, while others bring changes of the same places."""
    found = silence.by_source(config, store.journal.brought())
    return (Gap(EVERYWHERE, silence.why(one), cause="undelivered") for one in found if one.silent(now))


def _lost(store: Store, since: datetime, now: datetime) -> tuple[Gap, ...]:
    """What is lost for good; of the messages of a queue that hold no event, which may be many, the last few."""
    gaps, messages = lasting(store.journal.dated_gaps(since), now)
    return (*gaps, *(Gap(one.scope, why, cause="poison") for one in messages for why in one.latest))


def _scope(shown: str) -> Scope:
    """A scope as a scan's document shows it."""
    parts = shown.split("/", 3)
    return Scope(*parts) if len(parts) == 4 else EVERYWHERE


def _is_one_of(ids: Iterable[str], names: Collection[str]) -> bool:
    """Whether something known by these ids is, or is a part of, what has one of the names."""
    return any(name in names or name.partition("|")[0] in names for name in ids)


def told(change: Change) -> dict[str, Any]:
    """A call as JSON-shaped data."""
    actor = change.actor
    return {
        "event_ids": list(change.event_ids),
        "time": plain(change.time),
        "action": change.action,
        "actor": {
            "name": actor.name,
            "kind": actor.kind,
            "arn": actor.arn,
            "how": actor.how,
            "confidence": actor.confidence,
            "role": actor.role,
            "person": actor.person,
            "team": actor.team,
        },
        "identity": change.identity,
        "channel": change.channel,
        "tool": change.tool,
        "account": change.account,
        "region": change.region,
        "source_ip": change.source_ip,
        "user_agent": change.user_agent,
        "via": change.via,
        "claims": [{"text": claim.text, "where": claim.where} for claim in change.claims],
        "request": plain(change.request),
    }


def _trail(
    config: Config, start: datetime, end: datetime, entries: Iterable[Entry], sessions: Iterable[Entry]
) -> Trail:
    """The trail that some entries make, with the sessions that lead up to them."""
    trail = assemble(chain(entries, sessions), start, end, patterns=ticket_patterns(config))
    return known(trail, directory.read(config, None, end))


def _every(trail: Trail) -> Iterable[Change]:
    return (*trail.changes, *trail.sessions, *trail.sign_ins, *trail.state_writes)


def _names(states: Iterable[StateRead], asked: str) -> tuple[tuple[str, ...], frozenset[str]]:
    """Names and types of the resources an address means; empty where no state that was read has it."""
    names: dict[str, None] = {}
    types: set[str] = set()
    for read in states:
        wanted = asked.removeprefix(f"{read.stack}/")
        for address, its_names in read.names.items():
            if address == wanted or _INDEX.sub("", address) == wanted:
                names |= dict.fromkeys(its_names)
                types |= {key.type for key in read.keys.get(address, ())}
                types |= set(_TYPE.findall(_INDEX.sub("", address)))
    return tuple(filter(None, names)), frozenset(types)


def _document(store: Store) -> Mapping[str, Any]:
    found = current(store)
    return found.document if found else {}


def _outcomes(document: Mapping[str, Any]) -> Mapping[str, str]:
    """Event → what the last scan said of the call."""
    changes: Sequence[Mapping[str, Any]] = document.get("changes", ())
    return {event: item["verdict"]["outcome"] for item in changes for event in item["event_ids"]}


def _outcome(change: Change, outcomes: Mapping[str, str]) -> str:
    return next((outcomes[event] for event in change.event_ids if event in outcomes), "")

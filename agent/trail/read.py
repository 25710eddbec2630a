"""Records of one interval, from any number of sources → its `Trail`.

Hides that delivery is late, doubled and out of order: whatever arrives, in whatever order, however often, gives the
same trail. Sources whose sessions may meet (the regions and accounts of one estate) belong in one call: a chain of
sessions crosses them, and only within one call is it followed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import msgspec

from agent.model import Change, Gap, Trail
from agent.resources import Spec
from agent.trail import classify, decode, identity
from agent.trail.claims import PATTERNS, claims
from agent.trail.coverage import CONTROLS, blind
from agent.trail.decode import Record
from agent.trail.excerpt import excerpt
from agent.trail.identity import Identity
from agent.trail.source import EVERYWHERE, LOOKBACK, Blob, Source
from agent.trail.targets import Targets
from agent.trail.who import Session, Sessions, index, session, signed_in, who


def read(
    sources: Iterable[Source],
    start: datetime,
    end: datetime,
    *,
    specs: Mapping[str, Spec],
    patterns: Sequence[re.Pattern[str]] = PATTERNS,
    seal_key: bytes = b"",
    states: Collection[str] = (),
) -> Trail:
    """The trail of [start, end] (aware datetimes), changes by time and event id.

    `patterns`: what a ticket reference looks like. `seal_key`: the install key for values of secret attributes.
    `states`: objects in S3 (`bucket/key`) that are Terraform states. Raises nothing for anything a source gives; what
    could not be read is among the gaps.
    """
    pile = _Pile(start, end, frozenset(states))
    for source in sources:
        for blob in source(start, end):
            pile.add(blob)
    sessions = index(pile.sessions)
    targets = Targets(specs, seal_key)
    made = sorted((_change(write, sessions, targets, patterns) for write in pile.writes()), key=_order)
    controls = [change for change in made if change.action in CONTROLS]
    return Trail(
        start,
        end,
        tuple(change for change in made if change.time >= start),
        events=len(pile.inside),
        denied=len(pile.denied),
        newest_event=pile.newest,
        gaps=_sorted([*pile.gaps(), *blind(controls, start, end)]),
        sessions=tuple(sorted((_sign_in(one, sessions) for one in pile.sign_ins()), key=_order)),
        state_writes=tuple(sorted((_change(one, sessions, targets, patterns) for one in pile.states()), key=_order)),
    )


def _sign_in(issued: Session, sessions: Sessions) -> Change:
    region = ""  # STS is asked in any region, and the session is good in all of them
    return Change(
        (issued.event,),
        issued.time,
        f"sts:{issued.call}",
        signed_in(issued, sessions),
        "other",
        issued.account,
        region,
        session=issued.key,
        source_ip=issued.source_ip,
    )


def merge(trails: Iterable[Trail]) -> Trail:
    """Trails of several units as one: an event both saw is one change, by whoever knows its actor better.

    Events and denied calls are added up: units should not overlap where that matters. Raises ValueError for none.
    """
    units = list(trails)
    if not units:
        raise ValueError("no trail to merge")
    groups: dict[str, list[Change]] = {}
    for change in (change for unit in units for change in unit.changes):
        known = {id(group): group for event in change.event_ids if (group := groups.get(event)) is not None}
        joined = [change, *(copy for group in known.values() for copy in group)]
        groups |= dict.fromkeys((event for copy in joined for event in copy.event_ids), joined)
    changes = [_joined(group) for group in {id(group): group for group in groups.values()}.values()]
    return Trail(
        min(unit.start for unit in units),
        max(unit.end for unit in units),
        tuple(sorted(changes, key=_order)),
        events=sum(unit.events for unit in units),
        denied=sum(unit.denied for unit in units),
        newest_event=max((unit.newest_event for unit in units if unit.newest_event), default=None),
        gaps=_sorted(gap for unit in units for gap in unit.gaps),
        sessions=_once(change for unit in units for change in unit.sessions),
        state_writes=_once(change for unit in units for change in unit.state_writes),
    )


def _once(changes: Iterable[Change]) -> tuple[Change, ...]:
    return tuple(sorted({change.event_ids: change for change in changes}.values(), key=_order))


def _joined(copies: list[Change]) -> Change:
    if len(copies) == 1:
        return copies[0]
    best = max(copies, key=lambda c: (c.actor.confidence, len(c.touches), len(c.claims), repr(c)))
    others = sorted(copies, key=repr)
    return replace(
        best,
        event_ids=tuple(sorted({event for copy in copies for event in copy.event_ids})),
        claims=tuple(dict.fromkeys(claim for copy in (best, *others) for claim in copy.claims)),
    )


def _order(change: Change) -> tuple[datetime, tuple[str, ...]]:
    return change.time, change.event_ids


def _sorted(gaps: Iterable[Gap]) -> tuple[Gap, ...]:
    return tuple(sorted(set(gaps), key=lambda gap: (str(gap.scope), gap.why)))


@dataclass(frozen=True, slots=True)
class _Write:
    """One successful write: the best copy of its record, and the ids of all copies."""

    record: Record
    caller: Identity
    time: datetime
    event_ids: tuple[str, ...]


def _change(write: _Write, sessions: Sessions, targets: Targets, patterns: Sequence[re.Pattern[str]]) -> Change:
    record, caller = write.record, write.caller
    shown = decode.document(record)
    found = who(record, caller, write.time, sessions)
    name, service = classify.name(record), classify.service(record)
    agent = record.user_agent or ""
    request = shown["requestParameters"] if isinstance(shown["requestParameters"], dict) else {}
    return Change(
        event_ids=write.event_ids,
        time=write.time,
        action=f"{service}:{name}",
        actor=found.actor,
        channel=classify.channel(record, caller),
        account=_owner(record) or record.recipient or caller.account,
        region=record.region or "",
        touches=targets.of(record.source or "", name, shown),
        session=caller.key,
        source_ip=record.source_ip or "",
        user_agent=agent,
        via=caller.invoked_by if found.actor.kind != "service" else "",
        claims=claims(found, caller, request, agent, patterns),
        request=excerpt(service, request),
    )


def _owner(record: Record) -> str:
    """Account of the resources, where the record names one and only one."""
    resources = decode.value(record.resources)
    entries = [entry for entry in resources if isinstance(entry, dict)] if isinstance(resources, list) else []
    accounts = {entry.get("accountId") for entry in entries}
    only = accounts.pop() if len(accounts) == 1 else None
    return only if isinstance(only, str) else ""


@dataclass(slots=True)
class _Pile:
    """What is kept of the records as they arrive: sets and best copies, so that neither order nor number matters."""

    start: datetime
    end: datetime
    known_states: frozenset[str] = frozenset()
    inside: set[str] = field(default_factory=set)
    """Ids of all events of the interval."""
    denied: set[str] = field(default_factory=set)
    """What each failed write shares with its other copies."""
    sessions: set[Session] = field(default_factory=set)
    newest: datetime | None = None
    _records: dict[str, Record] = field(default_factory=dict)
    """Event id → best copy of a write."""
    _state_writes: dict[str, Record] = field(default_factory=dict)
    _untimed: set[str] = field(default_factory=set)
    _gaps: list[Gap] = field(default_factory=list)
    _delivered: bool = False
    """Files came from a source that does not answer for silence."""

    def add(self, blob: Blob | Gap) -> None:
        """One file's records, or the reason why there are none."""
        if isinstance(blob, Gap):
            self._gaps.append(blob)
            return
        self._delivered = self._delivered or not blob.answers
        for record in decode.records(blob):
            if isinstance(record, Gap):
                self._gaps.append(record)
            else:
                self._add(record)

    def gaps(self) -> Iterator[Gap]:
        """What was not read, not decoded, not placed in time, or never delivered."""
        yield from self._gaps
        if self._untimed:
            first = min(self._untimed)
            why = f"{len(self._untimed)} write events have no usable eventTime, for example {first}: not placed"
            yield Gap(EVERYWHERE, why)
        if self._delivered and not self.inside:
            why = f"no event of {self.start:%FT%TZ} to {self.end:%FT%TZ} in what was delivered"
            yield Gap(EVERYWHERE, why)

    def writes(self) -> Iterator[_Write]:
        """Each write once: two accounts' copies are one, and a corrected record replaces the one it corrects."""
        corrected = {event: _corrects(record) for event, record in self._records.items()}
        replaced = set(corrected.values())
        groups: dict[str, list[str]] = defaultdict(list)
        for event, record in self._records.items():
            if event not in replaced:
                groups[_shared(record)].append(event)
        for events in groups.values():
            copies = [self._records[event] for event in events]
            record = copies[0] if len(copies) == 1 else max(copies, key=_ownership)
            time = decode.at(record)
            assert time is not None  # _add lets no other in
            ids = {*events, *(corrected[event] for event in events)} - {""}
            # The owner's copy may call the caller by account alone; their own account's names them.
            caller = max((identity.of(copy) for copy in copies), key=lambda found: (bool(found.arn), found))
            yield _Write(record, caller, time, tuple(sorted(ids)))

    def sign_ins(self) -> Iterator[Session]:
        """Sessions that began in the interval, each once, without those that AWS's own services began."""
        inside = (one for one in self.sessions if self.start <= one.time <= self.end)
        yield from {one.event: one for one in sorted(inside) if one.caller.kind != "AWSService"}.values()

    def states(self) -> Iterator[_Write]:
        """Writes of Terraform states, each once."""
        for event, record in self._state_writes.items():
            time = decode.at(record)
            assert time is not None  # _add lets no other in
            yield _Write(record, identity.of(record), time, (event,))

    def _add(self, record: Record) -> None:
        sort = classify.sort(record)
        time = decode.at(record)
        if time is None:
            if sort == "change":
                self._untimed.add(decode.event_id(record))
            return
        if self.start <= time <= self.end:
            self.inside.add(decode.event_id(record))
            self.newest = time if self.newest is None else max(self.newest, time)
            if sort == "failed":
                self.denied.add(_shared(record))
        if sort == "session" and (issued := session(record, time)) is not None:
            self.sessions.add(issued)
        elif sort == "change" and self.start - LOOKBACK <= time <= self.end:
            self._keep(record)
        elif sort == "other" and self.start <= time <= self.end and classify.writes_state(record, self.known_states):
            self._state_writes.setdefault(decode.event_id(record), decode.keep(record))

    def _keep(self, record: Record) -> None:
        if classify.is_noise(record):
            return
        event = decode.event_id(record)
        known = self._records.get(event)
        if known is None or (known != record and _fullness(known) < _fullness(record)):
            self._records[event] = decode.keep(record)


def _fullness(record: Record) -> tuple[int, bytes]:
    """Of copies of one event that differ, the longest: the others were cut."""
    content = msgspec.json.encode(record)
    return len(content), content


def _ownership(record: Record) -> tuple[bool, bool, bytes]:
    """Of two accounts' copies of one call, the resource owner's: it is the one that names the resource."""
    caller = identity.of(record).account
    return _owner(record) == record.recipient, record.recipient != caller, msgspec.json.encode(record)


def _shared(record: Record) -> str:
    """What the copies of one call in two accounts have in common; else its own id."""
    if record.shared_id:
        return f"{record.shared_id}/{record.source}/{record.name}"
    return decode.event_id(record)


def _corrects(record: Record) -> str:
    """Id of the event an `UPDATED_DATA` addendum replaces; else empty."""
    if bytes(record.addendum) == b"null":
        return ""
    addendum = decode.mapping(record.addendum)
    original = addendum.get("originalEventID")
    return original.lower() if addendum.get("reason") == "UPDATED_DATA" and isinstance(original, str) else ""

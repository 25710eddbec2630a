"""Entries of any number of sources → the `Trail` of one interval.

Hides that delivery is late, doubled and out of order: whatever arrived, in whatever order, however often, gives the
same trail. All entries of one estate belong in one call: a chain of sessions crosses accounts and regions, and only
within one call is it followed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from agent.model import Change, Entry, Gap, Identity, Session, Tally, Trail
from agent.resources import Spec
from agent.trail.attempts import attempts
from agent.trail.claims import PATTERNS, claims
from agent.trail.client import lifted
from agent.trail.coverage import CONTROLS, Place, blind, covered, skewed, undelivered
from agent.trail.entries import Reader, merged
from agent.trail.source import EVERYWHERE, LOOKBACK, Blob, Source
from agent.trail.who import Sessions, index, signed_in, who

_NOTHING = Gap(EVERYWHERE, "no event of the whole interval in what was delivered", cause="undelivered")
_NEVER = Gap(
    EVERYWHERE,
    "no event has come through the queue yet: nothing was done, or none is delivered to it, which looks the same",
    cause="unproven",
)


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
    """The trail of [start, end] (aware datetimes) straight from its sources, nothing kept.

    `patterns`: what a ticket reference looks like. `seal_key`: the install key for values of secret attributes.
    `states`: objects in S3 (`bucket/key`) that are Terraform states. Raises nothing for anything a source gives; what
    could not be read is among the gaps.
    """
    reader = Reader(specs, patterns=patterns, seal_key=seal_key, states=states, since=start - LOOKBACK)
    entries: list[Entry] = []
    gaps: list[Gap] = []
    delivered = False
    for source in sources:
        for blob in source(start, end):
            delivered = delivered or (isinstance(blob, Blob) and not blob.answers)
            sifted = reader.sift(blob)
            entries += sifted.entries
            gaps += sifted.gaps
    return assemble(
        entries, start, end, tallies=reader.tallies(), gaps=gaps, patterns=patterns, silence_is_a_gap=delivered
    )


def assemble(
    entries: Iterable[Entry],
    start: datetime,
    end: datetime,
    *,
    tallies: Iterable[Tally] = (),
    gaps: Iterable[Gap] = (),
    patterns: Sequence[re.Pattern[str]] = PATTERNS,
    silence_is_a_gap: bool = False,
    expected: Collection[Place] = (),
    ever: Collection[Place] = (),
    verified: Mapping[Place, datetime] | None = None,
    read_at: datetime | None = None,
    memory: Memory | None = None,
    late: Collection[str] = (),
) -> Trail:
    """The trail of [start, end] that entries make; those of the `LOOKBACK` before it count for sessions and controls.
    Events that came `late` are of it, however long before it they were.

    `tallies` tell what silence is normal where they reach `coverage.HISTORY` back, and where they reach past `end` of
    events that were of the future at `read_at`, when reading had ended. `gaps` are what was not read;
    `silence_is_a_gap`: sources delivered, and do not answer for an empty interval, nor for `expected` places without
    an event; of these `ever` had some before. `verified`: until when digests prove a place. With a `memory` less is
    made again of what was made before.
    """
    by_sort = _by_sort(entries, end)
    issued = [entry.issued for entry in by_sort["session"].values() if entry.issued is not None]
    told = _Told(index(issued), tuple(patterns), memory.since(issued, patterns) if memory else {}, {})
    made = sorted((told.change(call) for call in _calls(by_sort["change"])), key=_order)
    controls = [change for change in made if change.action in CONTROLS]
    counted = merged(tallies)
    hours = [tally for tally in counted if start.replace(minute=0, second=0, microsecond=0) <= tally.hour < end]
    inside = _Inside(start, frozenset(late))
    refused = [told.change(call) for call in inside.calls(by_sort["denied"])]
    if memory:
        memory.keep(told.now)
    events = sum(tally.events for tally in hours)
    found = {*gaps, *blind(controls, start, end), *(skewed(counted, read_at) if read_at else ())}
    if silence_is_a_gap:
        new = expected and not ever and not any(tally.events for tally in counted)
        silence = [_NEVER if new else _NOTHING]
        found.update(undelivered(counted, start, end, expected, verified, ever) if events else silence)
    return Trail(
        start,
        end,
        tuple(change for change in made if inside.holds(change.time, change.event_ids)),
        events=events,
        denied=len(refused),
        failed=len(list(inside.calls(by_sort["failed"]))),
        newest_event=max((tally.newest for tally in hours), default=None),
        gaps=_sorted(found),
        sessions=tuple(sorted((told.session(one) for one in _begun(issued, inside)), key=_order)),
        state_writes=tuple(sorted(map(told.change, inside.calls(by_sort["state"])), key=_order)),
        coverage=covered(hours, verified),
        attempts=attempts(refused, {entry.event: entry.error for entry in by_sort["denied"].values()}),
        sign_ins=tuple(sorted(map(told.sign_in, inside.calls(by_sort["sign-in"])), key=_order)),
    )


def _by_sort(entries: Iterable[Entry], end: datetime) -> defaultdict[str, dict[str, Entry]]:
    """Sort → event → its fullest copy."""
    found: defaultdict[str, dict[str, Entry]] = defaultdict(dict)
    for entry in entries:
        if entry.time > end:
            continue
        kept = found[entry.sort]
        known = kept.get(entry.event)
        if known is None or known.fullness < entry.fullness:
            kept[entry.event] = entry
    return found


@dataclass(frozen=True, slots=True)
class _Call:
    """One call: the best copy of its record, the ids of all copies, and the copy that names its caller best."""

    entry: Entry
    caller: Identity
    event_ids: tuple[str, ...]

    def is_same(self, other: _Call) -> bool:
        """Whether both are of the very same entry."""
        return self.entry is other.entry and self.event_ids == other.event_ids and self.caller == other.caller


def _calls(entries: Mapping[str, Entry]) -> Iterator[_Call]:
    """Each call once: two accounts' copies are one, and a corrected record replaces the one it corrects."""
    replaced = {entry.corrects for entry in entries.values()}
    groups: dict[str, list[Entry]] = defaultdict(list)
    for event, entry in entries.items():
        if event not in replaced:
            groups[entry.shared or event].append(entry)
    for copies in groups.values():
        best = copies[0] if len(copies) == 1 else max(copies, key=_ownership)
        ids = {*(copy.event for copy in copies), *(copy.corrects for copy in copies)} - {""}
        # The owner's copy may call the caller by account alone; their own account's names them.
        caller = max((copy.caller for copy in copies), key=lambda found: (bool(found.arn), found))
        yield _Call(best, caller, tuple(sorted(ids)))


def _ownership(entry: Entry) -> tuple[bool, bool, tuple[int, str]]:
    """Of two accounts' copies of one call, the resource owner's: it is the one that names the resource."""
    return entry.owned, entry.recipient != entry.caller.account, entry.fullness


@dataclass(frozen=True, slots=True)
class _Inside:
    """What is told of: all from `start` on, and the events that came `late`."""

    start: datetime
    late: frozenset[str]

    def holds(self, at: datetime, events: Iterable[str]) -> bool:
        return at >= self.start or not self.late.isdisjoint(events)

    def calls(self, entries: Mapping[str, Entry]) -> Iterator[_Call]:
        return _calls({event: entry for event, entry in entries.items() if self.holds(entry.time, (event,))})


def _begun(issued: Sequence[Session], inside: _Inside) -> Iterator[Session]:
    """Sessions that began in the interval, each once, without those that AWS's own services began."""
    its = (one for one in issued if inside.holds(one.time, (one.event,)))
    yield from {one.event: one for one in sorted(its) if one.caller.kind != "AWSService"}.values()


@dataclass(slots=True)
class Memory:
    """What was made of calls, for who reads the same trail again and again. It is dropped where the sessions or the
    patterns are others, which say who was behind a call."""

    _rests_on: tuple[list[Session], list[re.Pattern[str]]] = field(default_factory=lambda: ([], []))
    _told: Mapping[str, tuple[_Call, Change]] = field(default_factory=dict)

    def since(
        self, issued: Sequence[Session], patterns: Sequence[re.Pattern[str]]
    ) -> Mapping[str, tuple[_Call, Change]]:
        """What still holds, by event."""
        now = list(issued), list(patterns)
        if now != self._rests_on:
            self._rests_on, self._told = now, {}
        return self._told

    def keep(self, told: Mapping[str, tuple[_Call, Change]]) -> None:
        """In place of what was kept before."""
        self._told = told


@dataclass(frozen=True, slots=True)
class _Told:
    """Entries as changes: with whoever the sessions say was behind them."""

    sessions: Sessions
    patterns: tuple[re.Pattern[str], ...]
    before: Mapping[str, tuple[_Call, Change]]
    """What was told before of calls, by event."""
    now: dict[str, tuple[_Call, Change]]

    def change(self, call: _Call) -> Change:
        """The call with whoever was behind it."""
        known = self.before.get(call.entry.event)
        made = known[1] if known is not None and known[0].is_same(call) else self._made(call)
        self.now[call.entry.event] = call, made
        return made

    def _made(self, call: _Call) -> Change:
        entry, caller = call.entry, call.caller
        found = who(caller, entry.time, self.sessions, agent=entry.user_agent, by_service=entry.by_service)
        return Change(
            event_ids=call.event_ids,
            time=entry.time,
            action=entry.action,
            actor=found.actor,
            channel=entry.channel,
            account=entry.account,
            region=entry.region,
            touches=entry.touches,
            session=caller.key,
            source_ip=entry.source_ip,
            user_agent=entry.user_agent,
            via=caller.invoked_by if found.actor.kind != "service" else "",
            claims=claims(found, caller, entry.references, self.patterns),
            request=entry.request,
            identity=lifted(entry.identity, found.chain[-1].caller) if found.chain else entry.identity,
            tool=entry.tool,
        )

    def session(self, issued: Session) -> Change:
        region = ""  # STS is asked in any region, and the session is good in all of them
        return Change(
            (issued.event,),
            issued.time,
            f"sts:{issued.call}",
            signed_in(issued, self.sessions),
            "other",
            issued.account,
            region,
            session=issued.key,
            source_ip=issued.source_ip,
        )

    def sign_in(self, call: _Call) -> Change:
        entry = call.entry
        return replace(
            self.change(call), channel="console", request={"result": entry.error or "success", "mfa": entry.mfa}
        )


def _order(change: Change) -> tuple[datetime, tuple[str, ...]]:
    return change.time, change.event_ids


def _sorted(gaps: Collection[Gap]) -> tuple[Gap, ...]:
    return tuple(sorted(gaps, key=lambda gap: (str(gap.scope), gap.why)))

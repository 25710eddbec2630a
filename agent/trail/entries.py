"""A file's records → the few that matter, each digested by itself, and a count of the rest.

Hides the filter nine records in ten end at, that deliveries repeat, and what of a record may be kept: an `Entry` holds
no secret and needs no other record, so that it can be written down as soon as it was read.
"""

from __future__ import annotations

import functools
import re
import zlib
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from multiprocessing.reduction import ForkingPickler
from operator import attrgetter
from typing import Any

import msgspec

from agent.model import Claim, Entry, Gap, Identity, KeyUse, Session, Sort, Tally, Touch
from agent.resources import Spec
from agent.trail import classify, decode, identity, who
from agent.trail.claims import PATTERNS, claims_of
from agent.trail.client import Client
from agent.trail.counts import Counts, Place, Seen, events_of, merged, places_of
from agent.trail.crew import Crew
from agent.trail.decode import Record
from agent.trail.excerpt import excerpt
from agent.trail.source import EVERYWHERE, Blob
from agent.trail.targets import Targets

__all__ = ["FIRST", "MOST", "Read", "Reader", "Seen", "Sifted", "merged", "more_than_reads"]

TOO_OLD = "older than anything is kept"
"""Among what `Reader.strange` tells: records that matter and were not kept."""
FIRST = datetime(2006, 1, 1, tzinfo=UTC)
"""Before there was any AWS: a reader that keeps everything keeps from here."""
MOST = 250_000
"""Entries taken of one file: one of 256 MB, the largest read, has that many records if all of them are writes."""
_NAMED = 10  # events of one file whose trouble is told one by one
_CALLERS = 4096  # callers and their clients remembered: one session's records name the same
_REASONS = 100  # ways of being strange that are told apart
_SENT = 2 << 20  # bytes of a file that another process may read

_LONGEST = 256  # characters kept of a name, an address or a code: AWS's own are shorter, and anything may be forged

_VERSIONS = frozenset(f"1.{n:{form}}" for n in range(100) for form in ("", "02"))
_DOORS = frozenset({"signin.amazonaws.com", "sso.amazonaws.com"})
_ENCODER = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Sifted:
    """What one file held."""

    entries: tuple[Entry, ...]
    gaps: tuple[Gap, ...]
    """What of it could not be read, decoded or placed in time."""
    old: int = 0
    """How many of its records matter and were not kept, since nothing as old is."""


@dataclass(frozen=True, slots=True)
class Read:
    """What one file held, and what of it is still to be counted."""

    sifted: Sifted
    counted: tuple[tuple[Sequence[str], Sequence[Place]], ...]
    """Events and their places, a batch at a time."""
    strange: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Caller:
    """What the fields that say who and by what client come to."""

    identity: Identity
    client: Client
    by_service: bool
    agent: str
    """The user agent, as far as it is kept."""
    references: tuple[Claim, ...]
    """Those in the user agent."""


def more_than_reads(batch: Iterable[Record]) -> list[Record]:
    """Without the plain reads, nine records in ten: `classify.sort` says `read` of them, and nothing is strange."""
    return [
        record
        for record in batch
        if record.read_only is not True
        or record.error is not None
        or record.type != "AwsApiCall"
        or record.category != "Management"
        or record.name in classify.ASSUMING
        or record.version not in _VERSIONS
    ]


class Reader:
    """Reads files, in any order; remembers counts and the latest events, nothing else."""

    def __init__(
        self,
        specs: Mapping[str, Spec],
        *,
        patterns: Sequence[re.Pattern[str]] = PATTERNS,
        seal_key: bytes = b"",
        states: Collection[str] = (),
        since: datetime = FIRST,
        most: int = MOST,
    ) -> None:
        """`patterns`: what a ticket reference looks like. `seal_key`: the install key for values of secret attributes.

        `states`: objects in S3 (`bucket/key`) that are Terraform states. `since`: what is older is not kept. `most`:
        entries taken of one file.
        """
        self._targets = Targets(specs, seal_key)
        self._patterns = tuple(patterns)
        self._states = frozenset(states)
        self._since = since
        self._most = most
        self._counts = Counts()
        self._strange: Counter[str] = Counter()
        self._old = 0
        self._callers: dict[tuple[Any, ...], _Caller] = {}

    def begin(self, *, once: bool) -> None:
        """See `Counts.begin`."""
        self._counts.begin(once=once)

    def sift(self, blob: Blob | Gap) -> Sifted:
        """The entries of one file, and its gaps. Never raises."""
        if isinstance(blob, Gap):
            return Sifted((), (blob,))
        return self._read(blob, self._counts.add)

    def sift_all(
        self, blobs: Iterable[Blob | Gap], make: Callable[[], Reader], processes: int = 2
    ) -> Iterator[tuple[Blob | Gap, Sifted]]:
        """`sift` of each, in order, in so many processes. Worth it from some hundred files on.

        `make` makes a reader like this one in each process: a function of a module, or `functools.partial` of one. A
        large file is read here, so that memory stays bounded; one that ends its process is a gap. Where processes
        cannot be started, everything is read here.
        """
        given: deque[Blob | Gap] = deque()

        def small() -> Iterator[Blob | Gap | None]:
            for blob in blobs:
                given.append(blob)
                yield blob if isinstance(blob, Gap) or len(blob.data) <= _SENT else None

        with Crew(_read_apart, functools.partial(_prepare, make), processes) as crew:
            if not crew.ready():
                yield from ((blob, self.sift(blob)) for blob in blobs)
                return
            for found in crew.each(small()):
                blob = given.popleft()
                if isinstance(found, Read):
                    yield blob, self._taken(found)
                elif found is None or isinstance(blob, Gap):
                    yield blob, self.sift(blob)
                else:
                    why = f"{blob.name}: the process that read it was ended by it, not read"
                    yield blob, Sifted((), (Gap(blob.scope, why, cause="unreadable"),))

    def read_apart(self, blob: Blob | Gap) -> Read:
        """`sift`, for another reader that keeps the counts."""
        counted: list[tuple[Sequence[str], Sequence[Place]]] = []
        sifted = (
            Sifted((), (blob,))
            if isinstance(blob, Gap)
            else self._read(blob, lambda batch: counted.append((events_of(batch), places_of(batch))))
        )
        return Read(sifted, tuple(counted), self.strange())

    def _taken(self, found: Read) -> Sifted:
        for events, places in found.counted:
            self._counts.add_told(events, places)
        for odd, records in found.strange.items():
            self._odd(odd, records)
        return found.sifted

    def _read(self, blob: Blob, count: Callable[[list[Record]], None]) -> Sifted:
        entries: list[Entry] = []
        gaps: list[Gap] = []
        untimed: list[str] = []
        before = self._old
        for batch in decode.batches(blob):
            if isinstance(batch, Gap):
                gaps.append(batch)
            else:
                count(batch)
                if len(entries) < self._most:
                    self._digest(batch, entries, untimed)
        gaps += [_unplaced(f"event {one} has no usable eventTime") for one in untimed[:_NAMED]]
        if len(untimed) > _NAMED:
            gaps.append(_unplaced(f"{blob.name}: {len(untimed) - _NAMED} more events have no usable eventTime"))
        if len(entries) >= self._most:
            why = f"{blob.name}: {self._most} entries taken of one file, what follows them is not read"
            gaps.append(Gap(blob.scope, why, cause="unreadable"))
        return Sifted(tuple(entries), tuple(gaps), self._old - before)

    def tallies(self) -> tuple[Tally, ...]:
        """How many events there were since the last call, by account, region and hour; starts again from nothing."""
        return self._counts.tallies()

    def key_use(self) -> tuple[KeyUse, ...]:
        """Calls with long-lived keys since the last call, by key and day; those of files read apart are not in it."""
        return self._counts.key_use()

    def strange(self) -> Mapping[str, int]:
        """Why records may mean something else than they are taken for → how many since the last call."""
        found = dict(self._strange)
        self._strange.clear()
        return found

    def _odd(self, why: str, records: int = 1) -> None:
        self._strange[why if why in self._strange or len(self._strange) < _REASONS else "other words"] += records

    def _digest(self, batch: list[Record], entries: list[Entry], untimed: list[str]) -> None:
        """Entries of the records that are more than a read."""
        for record in more_than_reads(batch):
            odd = classify.strange(record)
            if odd:
                self._odd(odd)
            sort = self._kept(record)
            if sort is None:
                continue
            event = decode.event_id(record)
            time = decode.at(record)
            if time is None:
                untimed.append(event)
            elif time < self._since:
                self._old += 1
                self._odd(TOO_OLD)
            elif (entry := self._entry(record, event, sort, time)) is not None:
                entries.append(entry)

    def _kept(self, record: Record) -> Sort | None:
        """As what the record is kept; None: it is counted only."""
        sort = classify.sort(record)
        if sort == "change":
            return None if classify.is_noise(record) else "change"
        if sort in ("failed", "denied", "session", "sign-in"):
            return sort
        return "state" if sort == "other" and classify.writes_state(record, self._states) else None

    def _caller(self, record: Record) -> _Caller:
        """Kept by all that `classify.client` looks at."""
        who_and_what = (
            bytes(record.user_identity),
            record.user_agent,
            record.source_ip,
            record.source,
            record.type,
            record.recipient,
            record.from_console,
            record.name if record.source in _DOORS else "",
        )
        found = self._callers.get(who_and_what)
        if found is None:
            caller = identity.of(record)
            agent = (record.user_agent or "")[: classify.AGENT_KEPT]
            found = _Caller(
                caller,
                classify.client(record, caller),
                classify.made_by_service(record, caller),
                agent,
                claims_of({}, agent, self._patterns),
            )
            if len(self._callers) >= _CALLERS:
                self._callers.clear()
            self._callers[who_and_what] = found
        return found

    def _entry(self, record: Record, event: str, sort: Sort, time: datetime) -> Entry | None:
        issued = who.session(record, time) if sort == "session" else None
        if sort == "session" and issued is None:
            return None
        called = self._caller(record)
        client = called.client
        service, name = classify.service(record), classify.name(record)
        owner = classify.owner(record)
        shown = decode.document(record) if sort in ("change", "state") else {}
        request = shown.get("requestParameters")
        request = request if isinstance(request, dict) else {}
        content = _ENCODER.encode(record)
        outcome = classify.signed_in(record) if sort == "sign-in" else None
        return Entry(
            event=event,
            sort=sort,
            time=time,
            action=f"{service}:{name}"[:_LONGEST],
            caller=called.identity,
            account=(owner or record.recipient or called.identity.account)[:_LONGEST],
            recipient=(record.recipient or "")[:_LONGEST],
            region=(record.region or "")[:_LONGEST],
            by_service=(record.source or "AWS")[:_LONGEST] if called.by_service else "",
            channel=client.channel,
            identity=client.identity,
            tool=client.tool,
            shared=f"{record.shared_id[:64]}/{service}:{name}"[:_LONGEST] if record.shared_id else event,
            corrects=decode.corrects(record),
            fullness=(len(content), f"{zlib.crc32(content):08x}"),
            owned=bool(owner) and owner == record.recipient,
            touches=self._targets.of(record.source or "", name, shown) if sort == "change" else (),
            references=self._references(record, request, called) if sort == "change" else (),
            source_ip=(record.source_ip or "")[:_LONGEST],
            user_agent=called.agent,
            request=excerpt(service, request) if request else {},
            error=((outcome.error if outcome else record.error) or "")[:_LONGEST],
            issued=issued,
            mfa=outcome.mfa if outcome else "",
        )

    def _references(self, record: Record, request: Mapping[str, Any], called: _Caller) -> tuple[Claim, ...]:
        asked = bytes(record.request).lower()
        if b"tag" in asked or b"\\u" in asked:  # what is neither cannot name a tag
            return claims_of(request, called.agent, self._patterns)
        return called.references


_own: list[Reader] = []
"""Of a process of a crew: its reader."""


def _prepare(make: Callable[[], Reader]) -> None:
    _own[:] = [make()]
    for kind in (Entry, Identity, Session, Touch, Claim):
        ForkingPickler.register(kind, _reduction(kind, attrgetter(*(place.name for place in fields(kind)))))


def _reduction(kind: type[Any], state: Callable[[Any], Any]) -> Callable[[Any], tuple[type[Any], Any]]:
    """How its values are sent to another process: half the cost of what dataclasses do by themselves."""
    return lambda one: (kind, state(one))


def _read_apart(blob: object) -> Read | None:
    return _own[0].read_apart(blob) if isinstance(blob, Blob | Gap) else None


def _unplaced(what: str) -> Gap:
    return Gap(EVERYWHERE, f"{what}: not placed", cause="unreadable")

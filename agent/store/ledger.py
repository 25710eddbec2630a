"""The ledger: an append-only table of events, each hashed together with the one before it.

Hides how an event becomes bytes and who may append next. Event n has the hash

    SHA-256(hash of event n-1 || {"at":…,"body":…,"kind":…,"seq":n})

over canonical JSON (ASCII, sorted keys, no spaces; only strings, integers, booleans, null, lists and objects), the
hash before the first being 32 zero bytes. The chain shows an edited, deleted, inserted or moved event by itself; that
its end was cut off, or all of it written anew, shows only against a head kept elsewhere. Where two people had its
beginning pruned, an event `store.pruned` holds the last hash of what was cut, and the rest is held against that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select, text

from agent.store import schema
from agent.store.database import Database

Body = Mapping[str, Any]
"""JSON without fractions: a float has more than one spelling."""

_GENESIS = bytes(32).hex()
_APPEND_LOCK = 0x44726675
_BATCH = 5_000
_FAULTS = 20
PRUNED = "store.pruned"
"""Kind of the event that says what was cut: `through`, the number of the last event of it, and its `hash`."""
RESTORED = "store.restored"
"""Kind of the event that says that a backup took the store's place: `backup`, its digest."""

_events = schema.events


@dataclass(frozen=True, slots=True)
class Head:
    """Where the chain ends. Kept outside the store, it proves later that nothing was cut off or written anew."""

    seq: int = 0
    hash: str = _GENESIS


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the ledger."""

    seq: int
    at: datetime
    kind: str
    body: Body
    hash: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What a walk along the whole chain found."""

    head: Head
    faults: tuple[str, ...]
    """The first of them, in words; empty: every event is as it was appended, as far as the chain can tell."""
    begins: Head = Head()
    """What was pruned before the first event; the beginning of all where nothing was."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ledger of one store."""

    database: Database

    def append(self, kind: str, body: Body, at: datetime) -> Head:
        """Adds one event. Raises TypeError for a body that has no canonical form, StoreError."""
        with self.database.write() as connection:
            return append(connection, [(kind, body)], at)

    def head(self) -> Head:
        """Where the chain ends now."""
        with self.database.read() as connection:
            return head_of(connection)

    def events(self, after: int = 0, limit: int = 1000) -> tuple[Event, ...]:
        """Events with a sequence number above `after`, oldest first."""
        return tuple(
            Event(row.seq, row.at, row.kind, json.loads(row.body), row.hash) for row in self._rows(after, limit)
        )

    def of(self, *kinds: str) -> tuple[Event, ...]:
        """Events of these kinds, oldest first."""
        query = select(_events).where(_events.c.kind.in_(kinds)).order_by(_events.c.seq)
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        return tuple(Event(row.seq, row.at, row.kind, json.loads(row.body), row.hash) for row in rows)

    def verify(self, head: Head | None = None) -> Verification:
        """Recomputes the chain; with a head written down earlier, also that the ledger still contains it."""
        begins = last = self._cut()
        at_head = last.hash if head is not None and head.seq == last.seq else ""
        faults: list[str] = []
        try:
            for row in self._walk():
                faults += _row_faults(row, last)
                last = Head(row.seq, row.hash)
                if head is not None and row.seq == head.seq:
                    at_head = row.hash
        except ValueError as error:
            faults.append(f"an event after {last.seq} cannot be read: {error}")
        if head is not None and at_head != head.hash:
            missing = "was pruned: give a later one" if head.seq < begins.seq else f"the ledger ends at {last.seq}"
            said = "is another one" if at_head else f"is missing: {missing}"
            faults.append(f"event {head.seq}, the head given, {said}")
        return Verification(last, tuple(faults[:_FAULTS]), begins)

    def _cut(self) -> Head:
        """Where the ledger begins: behind what an event in it says was pruned, else at the beginning of all."""
        with self.database.read() as connection:
            first: int | None = connection.scalar(select(_events.c.seq).order_by(_events.c.seq).limit(1))
            if first is None or first == 1:
                return Head()
            said = connection.execute(select(_events.c.body).where(_events.c.kind == PRUNED)).scalars().all()
        for cut in map(json.loads, said):
            if cut.get("through") == first - 1 and isinstance(cut.get("hash"), str):
                return Head(first - 1, cut["hash"])
        return Head()

    def _walk(self) -> Iterator[Any]:
        """Every row in order, in short transactions: a long one would keep SQLite's writers waiting."""
        after = -(2**63)
        while rows := self._rows(after, _BATCH):
            yield from rows
            after = rows[-1].seq

    def _rows(self, after: int, limit: int) -> Sequence[Any]:
        query = select(_events).where(_events.c.seq > after).order_by(_events.c.seq).limit(limit)
        with self.database.read() as connection:
            return connection.execute(query).all()


def lock(connection: Connection) -> None:
    """Makes the caller's transaction the only one that appends, until it ends.

    Take it before any other lock: two transactions that take the same locks in one order never wait for each other.
    An advisory lock, so that a database role without UPDATE and DELETE can take it.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _APPEND_LOCK})


def append(connection: Connection, events: Iterable[tuple[str, Body]], at: datetime) -> Head:
    """Adds events, as kind and body, to the chain in the caller's transaction; gives the new head."""
    lock(connection)
    head = head_of(connection)
    rows = []
    for kind, body in events:
        written = canonical(body)
        head = Head(head.seq + 1, hash_after(head, at, kind, written))
        rows.append({"seq": head.seq, "at": at, "kind": kind, "body": written, "hash": head.hash})
    if rows:
        connection.execute(_events.insert(), rows)
    return head


def canonical(body: Any) -> str:
    """The one spelling of a body. Raises TypeError for anything but str, int, bool, null, list and dict."""
    _check(body, "body")
    return json.dumps(body, sort_keys=True, separators=(",", ":"))


def _check(value: Any, where: str) -> None:
    if value is None or isinstance(value, str | int):
        return
    if isinstance(value, list):
        for index, item in enumerate(value):
            _check(item, f"{where}[{index}]")
        return
    if not isinstance(value, dict):
        raise TypeError(f"{where}: a {type(value).__name__} has no canonical form in the ledger")
    for name, item in value.items():
        if not isinstance(name, str):
            raise TypeError(f"{where}: a key is a {type(name).__name__}, must be a string")
        _check(item, f"{where}.{name}")


def head_of(connection: Connection) -> Head:
    """Where the chain ends, as this transaction sees it."""
    query = select(_events.c.seq, _events.c.hash).order_by(_events.c.seq.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return Head() if row is None else Head(row.seq, row.hash)


def hash_after(last: Head, at: datetime, kind: str, body: str) -> str:
    """The hash of the event after `last`; `body` is canonical."""
    moment = at.astimezone(UTC).isoformat(timespec="microseconds")
    record = f'{{"at":"{moment}","body":{body},"kind":{json.dumps(kind)},"seq":{last.seq + 1}}}'
    return hashlib.sha256(bytes.fromhex(last.hash) + record.encode("ascii")).hexdigest()


def _row_faults(row: Any, last: Head) -> list[str]:
    if row.seq != last.seq + 1:
        return [f"event {row.seq} stands where event {last.seq + 1} should"]
    try:
        expected = hash_after(last, row.at, row.kind, row.body)
    except ValueError as error:
        return [f"event {row.seq} cannot be hashed: {error}"]
    return [] if row.hash == expected else [f"event {row.seq} does not match its hash"]

"""What was read of the trail: entries, counts, gaps, and where each source goes on.

Hides that a delivery and its checkpoint are kept in one transaction: a process killed at any point has kept both or
neither, and what comes twice is kept once. A reader is told by its fingerprint: what another one read (an older
version, other ticket patterns) is read again where its source still has it, and replaced. What a source had but once
is counted beside what can be counted again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, and_, bindparam, delete, func, or_, select, text, update

from agent.model import Entry, Gap, KeyUse, Tally
from agent.store import schema
from agent.store.brought import NAME as BROUGHT
from agent.store.brought import Brought, brought, note
from agent.store.codec import decode, digest, encode
from agent.store.database import Database, fetch_in

_entries = schema.trail_entries
_names = schema.trail_names
_hours = schema.trail_hours
_keys = schema.trail_keys
_gaps = schema.trail_gaps
_checkpoints = schema.trail_checkpoints

_KEEP_LOCK = 0x44726676
_LONGEST = 200  # characters that are a key by themselves: an event id has 36, an action fewer than 100
_PAGE = 1_000
_NOBODY = ""
"""Reader of what another one read, until it is read again: which never happens to a source that is read no more."""


ASIDE = "unjudged"
"""No feed: what a scan has still to judge is kept beside the positions of feeds, and is none."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One delivery, digested: what is kept of it, all or nothing."""

    entries: Sequence[Entry] = ()
    tallies: Sequence[Tally] = ()
    key_use: Sequence[KeyUse] = ()
    gaps: Sequence[Gap] = ()
    """Those that no later reading will find again."""
    shard: str = ""
    checkpoint: Mapping[str, Any] | None = None
    """Where the shard goes on; None: as before."""
    once: bool = False
    """Nobody will read it again: its source has it no longer, or is not asked again."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where one shard of a feed stands."""

    feed: str
    shard: str
    kept_at: datetime
    checkpoint: Mapping[str, Any]
    reader: str = ""


@dataclass(frozen=True, slots=True)
class Journal:
    """The trail of one store."""

    database: Database

    def keep(self, feed: str, kept: Kept, at: datetime, reader: str = "") -> int:
        """Keeps a delivery read at `at` by `reader`; how many of its entries are new.

        Raises StoreError, and has then kept nothing. Of two copies of one event the fuller stays, whichever came first.
        """
        with self.database.write() as connection:
            _lock(connection)
            new = _keep_entries(connection, kept.entries, reader)
            _add_tallies(connection, kept.tallies, once=kept.once)
            _add_key_use(connection, kept.key_use, once=kept.once)
            _keep_gaps(connection, feed, kept.gaps, at)
            if kept.checkpoint is not None:
                _move(connection, feed, kept, at, reader)
            note(connection, feed, kept.entries, kept.tallies, at)
        return new

    def checkpoints(self, feed: str, reader: str = "") -> Mapping[str, Mapping[str, Any]]:
        """Shard → where it goes on, as far as that reader has read it."""
        query = select(_checkpoints).where(_checkpoints.c.feed == feed, _checkpoints.c.reader == reader)
        with self.database.read() as connection:
            return {row.shard: json.loads(row.body) for row in connection.execute(query)}

    def recount(self, reader: str, since: datetime, feeds: Iterable[str]) -> bool:
        """Drops what `feeds` counted of the hours from `since` on where another reader read one of them last; whether
        one did.

        `feeds` are all that can be read again, and will be: to be asked before the first delivery of theirs, which
        brings these hours again, and their gaps. What others left stays: a message is gone from its queue, an imported
        file is not looked for.
        """
        its = set(feeds)
        if all(one.reader in (reader, _NOBODY) for one in self.positions() if one.feed in its):
            return False
        with self.database.write() as connection:
            _lock(connection)
            for table, counted, old in (
                (_hours, _hours.c.events, _hours.c.hour >= since),
                (_keys, _keys.c.calls, _keys.c.day >= since),
            ):
                connection.execute(delete(table).where(old, counted == 0))
                connection.execute(update(table).where(old).values(again=0))
            connection.execute(delete(_gaps).where(_gaps.c.found_at >= since, _gaps.c.feed.in_(its)))
            connection.execute(update(_checkpoints).where(_checkpoints.c.feed.in_(its)).values(reader=_NOBODY))
        return True

    def positions(self) -> tuple[Position, ...]:
        """Every shard of every feed that was ever read, by name."""
        query = select(_checkpoints).where(_checkpoints.c.feed.not_in((ASIDE, BROUGHT)))
        query = query.order_by(_checkpoints.c.feed, _checkpoints.c.shard)
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        return tuple(Position(row.feed, row.shard, row.kept_at, json.loads(row.body), row.reader) for row in rows)

    def brought(self) -> tuple[Brought, ...]:
        """What each feed brought last, and since when others bring what it does not."""
        return brought(self.database)

    def entries(
        self, since: datetime, until: datetime, sorts: Sequence[str] = (), *, newest_first: bool = False
    ) -> Iterator[Entry]:
        """Entries of [since, until], oldest first unless told otherwise; only those of `sorts`, if any are given."""
        query = select(_entries.c.body).where(_entries.c.time >= since, _entries.c.time <= until)
        if sorts:
            query = query.where(_entries.c.sort.in_(sorts))
        query = query.order_by(_entries.c.time.desc() if newest_first else _entries.c.time, _entries.c.event)
        with self.database.read() as connection:
            for page in connection.execution_options(yield_per=_PAGE).execute(query).partitions():
                for row in page:
                    yield decode(Entry, row.body)

    def calls(self, actions: Iterable[str], until: datetime) -> tuple[Entry, ...]:
        """Every entry of these actions (`cloudtrail:StopLogging`) up to `until`, oldest first."""
        query = select(_entries.c.body).where(_entries.c.time <= until)
        with self.database.read() as connection:
            rows = fetch_in(connection, query, _entries.c.action, (_key(action) for action in actions))
        found = (decode(Entry, row.body) for row in rows)
        return tuple(sorted(found, key=lambda one: (one.time, one.event)))

    def entry(self, event: str) -> Entry | None:
        """One entry by its event id; None: not kept."""
        with self.database.read() as connection:
            body = connection.scalar(select(_entries.c.body).where(_entries.c.event == _key(event)))
        return None if body is None else decode(Entry, body)

    def named(self, events: Iterable[str]) -> tuple[Entry, ...]:
        """Those of these events (ids) that are kept, oldest first."""
        with self.database.read() as connection:
            rows = fetch_in(connection, select(_entries.c.body, _entries.c.event), _entries.c.event, map(_key, events))
            found = [decode(Entry, row.body) for row in rows]
        return tuple(sorted(found, key=lambda one: (one.time, one.event)))

    def times(self, events: Iterable[str]) -> Mapping[str, datetime]:
        """When those of these events (ids) happened that are kept."""
        ids = {_key(event): event for event in events}
        query = select(_entries.c.event, _entries.c.time)
        with self.database.read() as connection:
            rows = fetch_in(connection, query, _entries.c.event, ids)
        return {ids[row.event]: row.time for row in rows}

    def touching(self, names: Iterable[str], since: datetime) -> tuple[Entry, ...]:
        """Changes from `since` on that acted on something of one of these names or on a part of it, oldest first.

        A part is known by its resource's name and its own: `role|policy`.
        """
        wanted = set(names)
        with self.database.read() as connection:
            query = select(_names.c.event).distinct()
            events = {row.event for row in fetch_in(connection, query, _names.c.name, map(_number, wanted))}
            rows = fetch_in(connection, select(_entries.c.body, _entries.c.time), _entries.c.event, events)
        found = (decode(Entry, row.body) for row in rows if row.time >= since)
        touching = (one for one in found if any(not wanted.isdisjoint(_found_by(touch.ids)) for touch in one.touches))
        return tuple(sorted(touching, key=lambda one: (one.time, one.event)))

    def tallies(self, since: datetime, until: datetime) -> tuple[Tally, ...]:
        """Counts of the hours that begin in [since, until)."""
        query = select(_hours).where(_hours.c.hour >= since, _hours.c.hour < until)
        with self.database.read() as connection:
            rows = connection.execute(query.order_by(_hours.c.account, _hours.c.region, _hours.c.hour)).all()
        return tuple(Tally(row.account, row.region, row.hour, max(row.events, row.again), row.newest) for row in rows)

    def heard_of(self, places: Iterable[tuple[str, str]]) -> frozenset[tuple[str, str]]:
        """Which of some places, account and region, had an event in any hour that is kept."""
        query = select(_hours.c.hour).where(or_(_hours.c.events > 0, _hours.c.again > 0)).limit(1)
        with self.database.read() as connection:
            return frozenset(
                place
                for place in places
                if connection.scalar(query.where(_hours.c.account == _key(place[0]), _hours.c.region == _key(place[1])))
            )

    def key_use(self, since: datetime) -> tuple[KeyUse, ...]:
        """Use of long-lived access keys on the days that begin at `since` or later."""
        query = select(_keys).where(_keys.c.day >= since).order_by(_keys.c.key, _keys.c.day)
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        return tuple(
            KeyUse(row.key, row.day, row.arn, row.account, max(row.calls, row.again), row.source_ip) for row in rows
        )

    def gaps(self, since: datetime) -> tuple[Gap, ...]:
        """Gaps found at `since` or later."""
        return tuple(gap for _, gap in self.dated_gaps(since))

    def dated_gaps(self, since: datetime) -> tuple[tuple[datetime, Gap], ...]:
        """Gaps found at `since` or later, each with when it was found last, oldest first."""
        query = select(_gaps).where(_gaps.c.found_at >= since).order_by(_gaps.c.found_at, _gaps.c.sha256)
        with self.database.read() as connection:
            return tuple((row.found_at, decode(Gap, row.body)) for row in connection.execute(query))

    def counts(self) -> Mapping[str, int]:
        """How many entries there are of each sort."""
        query = select(_entries.c.sort, func.count()).group_by(_entries.c.sort)
        with self.database.read() as connection:
            return {sort: number for sort, number in connection.execute(query)}  # noqa: C416  rows are no tuples to mypy

    def oldest(self) -> datetime | None:
        """Time of the oldest entry."""
        with self.database.read() as connection:
            found: datetime | None = connection.scalar(select(_entries.c.time).order_by(_entries.c.time).limit(1))
        return found

    def forget(self, before: datetime, keeping: Iterable[str] = ()) -> int:
        """Drops what is older, but for entries of the actions in `keeping`; how many entries that were.

        Checkpoints stay: nothing is read twice for it.
        """
        old = and_(_entries.c.time < before, _entries.c.action.not_in([_key(action) for action in keeping]))
        with self.database.write() as connection:
            connection.execute(delete(_names).where(_names.c.event.in_(select(_entries.c.event).where(old))))
            gone = connection.execute(delete(_entries).where(old)).rowcount
            connection.execute(delete(_hours).where(_hours.c.hour < before))
            connection.execute(delete(_keys).where(_keys.c.day < before))
            connection.execute(delete(_gaps).where(_gaps.c.found_at < before))
        return gone


def _lock(connection: Connection) -> None:
    """Nobody else keeps anything until the transaction ends: two that find the same missing would both put it there."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _KEEP_LOCK})


def _key(name: str) -> str:
    """What fits an index entry: the name itself, or a digest of it."""
    if len(name) <= _LONGEST:
        return name
    return f"sha256:{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _keep_entries(connection: Connection, entries: Iterable[Entry], reader: str) -> int:
    """Writes each event's fullest copy; how many events were not there before."""
    best: dict[str, Entry] = {}
    for entry in entries:
        key = _key(entry.event)
        if key not in best or best[key].fullness < entry.fullness:
            best[key] = entry
    query = select(_entries.c.event, _entries.c.size, _entries.c.digest, _entries.c.reader)
    there = {
        row.event: ((row.size, row.digest), row.reader) for row in fetch_in(connection, query, _entries.c.event, best)
    }
    new, fuller = [], []
    for key, entry in best.items():
        if key not in there:
            new.append({"event": key, **_row(entry, reader)})
            continue
        fullness, by = there[key]
        if fullness < entry.fullness or (fullness == entry.fullness and by != reader):
            fuller.append({"its_event": key, **_row(entry, reader)})
    if new:
        connection.execute(_entries.insert(), new)
    if fuller:
        connection.execute(update(_entries).where(_entries.c.event == bindparam("its_event")), fuller)
    written = [row.get("event") or row["its_event"] for row in (*new, *fuller)]
    _keep_names(connection, {event: best[event] for event in written})
    return len(new)


def _keep_names(connection: Connection, entries: Mapping[str, Entry]) -> None:
    """Makes entries findable by what they touched."""
    pairs = {
        (_number(name), event)
        for event, entry in entries.items()
        for touch in entry.touches
        for name in _found_by(touch.ids)
    }
    query = select(_names.c.name, _names.c.event)
    known = {(row.name, row.event) for row in fetch_in(connection, query, _names.c.event, entries)}
    new = [{"name": name, "event": event} for name, event in sorted(pairs - known)]
    if new:
        connection.execute(_names.insert(), new)


def _found_by(ids: Iterable[str]) -> set[str]:
    return {name for found in ids for name in (found, found.partition("|")[0])}


def _number(name: str) -> int:
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _row(entry: Entry, reader: str) -> dict[str, Any]:
    size, its_digest = entry.fullness
    body = encode(entry).encode()
    kept = {"size": size, "digest": its_digest, "reader": reader, "body": body}
    return {"sort": entry.sort, "action": _key(entry.action), "time": entry.time, **kept}


def _add_tallies(connection: Connection, tallies: Iterable[Tally], *, once: bool) -> None:
    for tally in tallies:
        place = {"account": _key(tally.account), "region": _key(tally.region), "hour": tally.hour}
        row = _locked(connection, _hours, place)
        counted = _counted(row, "events", tally.events, once=once)
        if row is None:
            connection.execute(_hours.insert(), {**place, **counted, "newest": tally.newest})
            continue
        more = {**counted, "newest": max(row.newest, tally.newest)}
        connection.execute(update(_hours).where(*_at(_hours, place)).values(more))


def _add_key_use(connection: Connection, used: Iterable[KeyUse], *, once: bool) -> None:
    for one in used:
        place = {"key": one.key, "day": one.day}
        row = _locked(connection, _keys, place)
        values = {"arn": one.arn, "account": one.account, "source_ip": one.source_ip}
        values |= _counted(row, "calls", one.calls, once=once)
        if row is None:
            connection.execute(_keys.insert(), {**place, **values})
            continue
        connection.execute(update(_keys).where(*_at(_keys, place)).values(values))


def _counted(row: Any, name: str, more: int, *, once: bool) -> dict[str, Any]:
    """What a row counts with some more, `name` being the column of what is counted once."""
    found = {name: 0, "again": 0} if row is None else {name: row._mapping[name], "again": row.again}
    its = name if once else "again"
    return {**found, its: found[its] + more}


def _keep_gaps(connection: Connection, feed: str, gaps: Iterable[Gap], at: datetime) -> None:
    """A gap found again is of the last time: a file of the same name may break again, long after it did."""
    bodies = {digest(body): body for body in (encode(gap) for gap in gaps)}
    there = [row[0] for row in fetch_in(connection, select(_gaps.c.sha256), _gaps.c.sha256, bodies)]
    if there:
        again = update(_gaps).where(_gaps.c.sha256 == bindparam("its_sha256")).values(found_at=at)
        connection.execute(again, [{"its_sha256": sha256} for sha256 in there])
    new = [
        {"sha256": sha256, "feed": feed, "found_at": at, "body": body}
        for sha256, body in bodies.items()
        if sha256 not in there
    ]
    if new:
        connection.execute(_gaps.insert(), new)


def _move(connection: Connection, feed: str, kept: Kept, at: datetime, reader: str) -> None:
    place = {"feed": feed, "shard": kept.shard}
    body = json.dumps(kept.checkpoint, sort_keys=True).encode()
    values = {"kept_at": at, "reader": reader, "body": body}
    if _locked(connection, _checkpoints, place) is None:
        connection.execute(_checkpoints.insert(), {**place, **values})
    else:
        connection.execute(update(_checkpoints).where(*_at(_checkpoints, place)).values(values))


def _locked(connection: Connection, table: Table, place: Mapping[str, Any]) -> Any:
    """The row at that place, until the transaction ends nobody else's; None: there is none."""
    return connection.execute(select(table).where(*_at(table, place)).with_for_update()).one_or_none()


def _at(table: Table, place: Mapping[str, Any]) -> list[Any]:
    return [table.c[name] == value for name, value in place.items()]

"""What each source of the trail brought last, and since when others bring changes of its places that it does not.

Hides that it is kept beside the positions of feeds, in a row for each. To be read is not to bring something: a queue
that is empty because its rule was switched off is read as well as one of an estate in which nothing happens. Only what
another source brings of the same accounts and regions tells them apart.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select, update

from agent.model import Entry, Tally
from agent.store import schema
from agent.store.database import Database

NAME = "brought"
"""No feed: under it each feed's row is kept, its name where a shard's would be."""
LOOKUP = "lookup"
"""All feeds of LookupEvents are one here: each answers for its own place, and none waits for deliveries."""
SILENT = timedelta(days=1)
"""So long others must have brought changes of its places before a source is called silent: the latest delivery that is
still in time. `trail.source.LATE` is the same for events."""
EXPECTED = timedelta(days=30)
"""A place that a source brought nothing of for so long is not expected of it any more: it may be meant to."""

_checkpoints = schema.trail_checkpoints
_ACCOUNT = re.compile(r"[0-9]{12}")
_MOST = 2_000
"""Places of one source: a file may name any number of accounts."""


@dataclass(frozen=True, slots=True)
class Brought:
    """One feed; those of LookupEvents are one, of the name `LOOKUP`."""

    feed: str
    newest: datetime | None
    """Time of the newest event it brought; None: it never brought one."""
    missed: datetime | None
    """Time of the first change after that which another source was seen to bring of a place that this one brought
    something of before; of any place where this one never brought anything. None: there is none."""

    def silent(self, now: datetime) -> bool:
        """Whether it brought nothing for a day for which others brought something."""
        return self.missed is not None and now - self.missed > SILENT


def note(connection: Connection, feed: str, entries: Sequence[Entry], tallies: Sequence[Tally], at: datetime) -> None:
    """A delivery of a feed was read at `at`: what it brought, and what the others did not bring by then."""
    name = LOOKUP if feed.startswith(f"{LOOKUP}://") else feed
    its, changes = _newest(entries, tallies, at), _changes(entries, at)
    query = select(_checkpoints.c.shard, _checkpoints.c.body).where(_checkpoints.c.feed == NAME)
    if not its:
        # Most readings of a queue find nothing: all there is to say then is that it is read.
        if connection.execute(query.where(_checkpoints.c.shard == name)).one_or_none() is None:
            connection.execute(_checkpoints.insert(), _row(name, {"first": at.isoformat()}, at))
        return
    rows = connection.execute(query.order_by(_checkpoints.c.shard).with_for_update()).all()
    known: dict[str, dict[str, Any]] = {row.shard: json.loads(row.body) for row in rows}
    for shard, body in known.items():
        told = _brought(body, its) if shard == name else _missed(body, changes, at)
        if told != body:
            row = _row(shard, told, at)
            there = (_checkpoints.c.feed == NAME, _checkpoints.c.shard == shard)
            connection.execute(update(_checkpoints).where(*there).values(kept_at=at, body=row["body"]))
    if name not in known:
        connection.execute(_checkpoints.insert(), _row(name, _brought({"first": at.isoformat()}, its), at))


def brought(database: Database) -> tuple[Brought, ...]:
    """Every feed that was ever read, by name."""
    query = select(_checkpoints.c.shard, _checkpoints.c.body).where(_checkpoints.c.feed == NAME)
    with database.read() as connection:
        rows = connection.execute(query.order_by(_checkpoints.c.shard)).all()
    bodies = [(row.shard, json.loads(row.body)) for row in rows]
    return tuple(Brought(shard, _time(body.get("newest")), _time(body.get("missed"))) for shard, body in bodies)


def together(source: str, feeds: Iterable[Brought]) -> Brought:
    """What several feeds brought that are one source."""
    known = tuple(feeds)
    newest = max((one.newest for one in known if one.newest), default=None)
    missed = [one.missed for one in known if one.missed and (newest is None or one.missed > newest)]
    return Brought(source, newest, min(missed, default=None))


def _newest(entries: Iterable[Entry], tallies: Iterable[Tally], at: datetime) -> Mapping[str, datetime]:
    """Place → its newest event. What claims to be of the future is of now: it must not hide the silence after it."""
    found: dict[str, datetime] = {}
    told = [((one.recipient or one.account), one.region, one.time) for one in entries]
    for account, region, time in (*told, *((one.account, one.region, one.newest) for one in tallies)):
        if _ACCOUNT.fullmatch(account) and region:
            place = f"{account}/{region}"
            found[place] = max(found.get(place, datetime.min.replace(tzinfo=UTC)), min(time, at))
    return found


def _changes(entries: Iterable[Entry], at: datetime) -> tuple[tuple[str, datetime], ...]:
    """Place and time of what every source brings: calls of the management plane that changed something."""
    return tuple(
        (f"{one.recipient or one.account}/{one.region}", min(one.time, at)) for one in entries if one.sort == "change"
    )


def _brought(body: Mapping[str, Any], its: Mapping[str, datetime]) -> dict[str, Any]:
    newest = max(its.values())
    if (before := _time(body.get("newest"))) is not None:
        newest = max(newest, before)
    places: dict[str, str] = dict(body.get("places", {}))
    for place, time in its.items():
        if place in places or len(places) < _MOST:
            places[place] = max(places.get(place, ""), f"{time:%Y-%m-%d}")
    told = {**body, "newest": newest.isoformat(), "places": places}
    missed = _time(body.get("missed"))
    if missed is not None and newest >= missed:
        del told["missed"]
    return told


def _missed(body: Mapping[str, Any], changes: Iterable[tuple[str, datetime]], at: datetime) -> dict[str, Any]:
    if "missed" in body:
        return dict(body)
    newest = _time(body.get("newest"))
    since, oldest = newest or datetime.fromisoformat(body["first"]), f"{at - EXPECTED:%Y-%m-%d}"
    places = body.get("places", {})
    later = [time for place, time in changes if since < time and (newest is None or places.get(place, "") >= oldest)]
    return {**body, "missed": min(later).isoformat()} if later else dict(body)


def _row(name: str, body: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    text = json.dumps(body, sort_keys=True).encode()
    return {"feed": NAME, "shard": name, "kept_at": at, "reader": "", "body": text}


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None

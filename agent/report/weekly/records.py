"""What the store knows of a stretch of time: its scans and their documents, events of the ledger, changed files.

Hides the queries, and that documents are large: one at a time is in memory, and of it what is asked for.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import select

from agent.store import CaseRecord, Head, Scan, Store
from agent.store.schema import events, scans

_RECENT = 50
"""Scans among which one is looked for whose document is kept."""


@dataclass(frozen=True, slots=True)
class Told:
    """One event of the ledger."""

    at: datetime
    kind: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Stages:
    """How far emergencies' cases had come at a moment, as the last scan before it told."""

    at: datetime | None = None
    """When that scan ended; None: nothing is kept of it."""
    cases: Mapping[str, str] = field(default_factory=dict)

    def of(self, case: str, now: str, since: datetime) -> str:
        """The stage of a case; empty: no scan has told of it since. `now` is its stage today, where no scan is kept."""
        if self.at is None:
            return now
        return self.cases.get(case, "") if self.at >= since else ""


@dataclass(frozen=True, slots=True)
class Records:
    """The records of one store."""

    store: Store

    def scans(self, since: datetime, until: datetime) -> tuple[Scan, ...]:
        """Scans of every kind that began in [since, until), oldest first."""
        columns = [column for column in scans.c if column.name != "document"]
        query = select(*columns).where(scans.c.started_at >= since, scans.c.started_at < until)
        with self.store.database.read() as connection:
            rows = connection.execute(query.order_by(scans.c.started_at, scans.c.run_id)).all()
        return tuple(Scan(**row._mapping) for row in rows)

    def wholes(self, since: datetime, until: datetime) -> tuple[Scan, ...]:
        """Scans of the whole estate that ended in [since, until), in the order they ended."""
        columns = [column for column in scans.c if column.name != "document"]
        query = select(*columns).where(scans.c.kind == "whole", scans.c.finished_at >= since)
        query = query.where(scans.c.finished_at < until).order_by(scans.c.finished_at, scans.c.run_id)
        with self.store.database.read() as connection:
            return tuple(Scan(**row._mapping) for row in connection.execute(query))

    def whole_before(self, moment: datetime) -> Scan | None:
        """The scan of the whole estate that ended last before a moment; None: there is none."""
        return self._beside(scans.c.finished_at < moment, scans.c.finished_at.desc())

    def whole_from(self, moment: datetime) -> Scan | None:
        """The scan of the whole estate that ended first from a moment on; None: not yet."""
        return self._beside(scans.c.finished_at >= moment, scans.c.finished_at)

    def document(self, scan: Scan, *parts: str) -> Mapping[str, Any]:
        """These parts of a scan's document; empty where it is no longer kept."""
        kept = self.store.scans.document(scan.run_id)
        if not kept:
            return {}
        try:
            raw = msgspec.json.decode(kept, type=dict[str, msgspec.Raw])
            return {name: msgspec.json.decode(raw[name]) for name in parts if name in raw}
        except msgspec.DecodeError:  # half a surrogate pair, which JSON can spell and UTF-8 cannot
            whole = json.loads(kept)
            return {name: whole[name] for name in parts if name in whole}

    def documents(self, which: Iterable[Scan], *parts: str) -> Iterator[tuple[Scan, Mapping[str, Any]]]:
        """Scans with these parts of their documents, one after the other; without those no longer kept."""
        for scan in which:
            if document := self.document(scan, *parts):
                yield scan, document

    def stages(self, moment: datetime) -> Stages:
        """The stages of open cases at a moment, as the last scan of any kind that ended before it told."""
        columns = [column for column in scans.c if column.name != "document"]
        query = select(*columns).where(scans.c.finished_at < moment).order_by(scans.c.finished_at.desc())
        with self.store.database.read() as connection:
            rows = connection.execute(query.limit(_RECENT)).all()
        for scan in (Scan(**row._mapping) for row in rows):
            if (document := self.document(scan, "cases")) and scan.finished_at is not None:
                return Stages(scan.finished_at, {one["key"]: one["stage"] or "" for one in document["cases"]})
        return Stages()

    def told(self, kinds: Sequence[str], since: datetime | None = None, until: datetime | None = None) -> list[Told]:
        """Events of the ledger of these kinds in [since, until), in their order."""
        query = select(events.c.at, events.c.kind, events.c.body).where(events.c.kind.in_(kinds))
        if since is not None:
            query = query.where(events.c.at >= since)
        if until is not None:
            query = query.where(events.c.at < until)
        with self.store.database.read() as connection:
            rows = connection.execute(query.order_by(events.c.seq)).all()
        return [Told(row.at, row.kind, json.loads(row.body)) for row in rows]

    def fates(self) -> Mapping[str, list[tuple[datetime, str]]]:
        """Case → what became of it and when: `opened`, `held`, `closed`, oldest first."""
        found: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
        for one in self.told(("case.opened", "case.held", "case.closed")):
            found[one.body["case"]].append((one.at, one.kind.removeprefix("case.")))
        return found

    def cases(self, since: datetime) -> tuple[CaseRecord, ...]:
        """Cases that are not closed, and those closed at `since` or later, oldest first."""
        return self.store.cases.listed(since)

    def first(self) -> datetime | None:
        """When the first scan ever began; None: none has."""
        with self.store.database.read() as connection:
            at: datetime | None = connection.scalar(select(scans.c.started_at).order_by(scans.c.started_at).limit(1))
        return at

    def head(self, until: datetime) -> Head:
        """Where the ledger ended at a moment."""
        query = select(events.c.seq, events.c.hash).where(events.c.at < until).order_by(events.c.seq.desc()).limit(1)
        with self.store.database.read() as connection:
            row = connection.execute(query).one_or_none()
        return Head(row.seq, row.hash) if row else Head()

    def _beside(self, where: Any, order: Any) -> Scan | None:
        columns = [column for column in scans.c if column.name != "document"]
        query = select(*columns).where(scans.c.kind == "whole", scans.c.finished_at.is_not(None), where)
        with self.store.database.read() as connection:
            row = connection.execute(query.order_by(order).limit(1)).one_or_none()
        return Scan(**row._mapping) if row else None

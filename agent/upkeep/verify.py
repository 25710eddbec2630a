"""Is the store what it was? Every check that can be made of it, and of a backup by restoring it somewhere else.

Hides how evidence is held against the ledger: a verdict, a declaration and a scan's document each have an event with
their digest.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from agent.config import ConfigError
from agent.store import Event, Head, Store, connect, schema, versions
from agent.store.codec import digest
from agent.store.ledger import PRUNED
from agent.upkeep import archive
from agent.upkeep.archive import KEYS, STORE, UpkeepError
from agent.upkeep.keys import ring_of

RESTORED = "store.restored"
"""Kind of the event that says that a backup took the store's place."""

_PAGE = 5_000
_FAULTS = 20


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found."""

    faults: tuple[str, ...]
    """What is not as it should be; empty: all is."""
    told: tuple[str, ...]
    """What was looked at, and what an owner of the store should know: what was pruned, which backups were restored."""
    head: Head

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


def verify(store: Store, key: Path | None = None, head: Head | None = None) -> Verified:
    """Looks at all of a store. `key`: the file of its install keys; `head`: one that was written down elsewhere.

    Raises StoreError for what cannot be looked at.
    """
    chain = store.ledger.verify(head)
    evidence = _Evidence(store)
    faults = [*_database(store), *chain.faults]
    if not chain.faults:
        faults += evidence.faults()
    faults += _unreadable(store)
    told = [f"ledger: {chain.head.seq - chain.begins.seq:,} events, up to {chain.head.seq} {chain.head.hash}"]
    told += evidence.told
    if key is not None:
        try:
            told.append(f"install keys: {len(ring_of(key))}")
        except ConfigError as error:
            faults.append(str(error))
    return Verified(tuple(faults[:_FAULTS]), tuple(told), chain.head)


def verify_backup(file: Path, head: Head | None = None) -> Verified:
    """Restores a backup into a folder of its own, looks at all of it, and throws it away.

    Raises UpkeepError for what is no backup, and StoreError for one that this driftwarden cannot open.
    """
    with tempfile.TemporaryDirectory(prefix="driftwarden-") as folder:
        manifest = archive.read(file, Path(folder))
        if STORE not in manifest.members:
            raise UpkeepError(f"{file}: holds no store")
        with connect(f"sqlite:///{folder}/{STORE}") as store:
            key = Path(folder) / KEYS if KEYS in manifest.members else None
            found = verify(store, key, head or manifest.head)
    made = (
        f"backup of {manifest.made_at:%Y-%m-%d %H:%M} UTC, estate {manifest.estate}, by driftwarden {manifest.version}"
    )
    keys = () if key else ("it holds no install keys: without them sealed values and baselines match nothing",)
    return Verified(found.faults, (made, f"SHA-256 {archive.digest_of(file)}", *keys, *found.told), found.head)


def _database(store: Store) -> list[str]:
    """What the engine itself finds wrong."""
    faults = []
    with store.database.read() as connection:
        if connection.dialect.name == "sqlite":
            said = connection.exec_driver_sql(f"PRAGMA integrity_check({_FAULTS})").scalars().all()
            faults += [f"database: {one.splitlines()[0]}" for one in said if one != "ok"]
            loose = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
            faults += [f"{row[0]}: row {row[1]} names what is not in {row[2]}" for row in loose[:_FAULTS]]
        faults += [
            f"{name}: is append-only no more: a trigger is gone" for name in versions.unguarded_tables(connection)
        ]
    return faults


def _unreadable(store: Store) -> list[str]:
    """What this version cannot decode, of what the next scan needs."""
    faults = []
    for name, look in (("a case", store.cases.listed), ("an open finding", store.findings.open)):
        try:
            look()
        except ValueError as error:
            faults.append(f"{name} cannot be read: {error}")
    return faults


class _Evidence:
    """Holds rows against the events that were written with them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.told: list[str] = []
        self._pruned: datetime | None = None
        self._dead: list[str] = []

    def faults(self) -> list[str]:
        """Rows that are not what the ledger says, are missing, or have no event."""
        verdicts, declared, documents = self._verdicts(), self._declarations(), self._documents()
        missing: list[tuple[datetime, str]] = []
        wrong: list[str] = []
        for event in self._events():
            body = event.body
            if event.kind == "verdict.reached":
                name, said = (body["run"], body["finding"]), (body["body_sha256"], body["inputs_sha256"])
                kept: Any = verdicts.pop(name, None)
                what = f"the verdict on {body['finding']} of scan {body['run']}"
            elif "declaration" in body:
                said, kept = body["body_sha256"], declared.pop(body["declaration"], None)
                what = f"declaration {body['declaration']}"
            elif event.kind == "scan.ended":
                said, kept = body["document_sha256"], documents.pop(body["run"], body["document_sha256"])
                what = f"the document of scan {body['run']}"
            else:
                self._noted(event)
                continue
            if kept is None:
                missing.append((event.at, f"event {event.seq}: {what} is gone"))
            elif kept != said:
                wrong.append(f"event {event.seq}: {what} is not what was written down")
        wrong += [text for at, text in missing if self._pruned is None or at >= self._pruned]
        return [*wrong, *self._without(verdicts, declared)]

    def _without(self, verdicts: dict[Any, Any], declared: dict[str, str]) -> list[str]:
        """Evidence without an event: put in by hand, or its event was pruned, which keeps what is younger."""
        if self._pruned is not None:
            return []
        return [
            *(f"the verdict on {finding} of scan {run} has no event in the ledger" for run, finding in verdicts),
            *(f"declaration {one} has no event in the ledger" for one in declared),
        ]

    def _noted(self, event: Event) -> None:
        by = ", ".join(event.body.get("agreed", ())) or "nobody had to agree"
        if event.kind == PRUNED:
            before = datetime.fromisoformat(f"{event.body['before']}T00:00:00+00:00")
            self._pruned = max(before, self._pruned or before)
            self.told.append(f"pruned on {event.at:%Y-%m-%d}: evidence before {event.body['before']} ({by})")
        elif event.kind == RESTORED:
            lost = event.body["replaced"]["seq"] - event.body["head"]["seq"] if event.body["replaced"] else None
            gone = "what it replaced could not be read" if lost is None else f"{max(lost, 0)} events were left behind"
            self.told.append(f"restored on {event.at:%Y-%m-%d}: backup {event.body['backup'][:12]}, {gone} ({by})")

    def _events(self) -> Iterator[Event]:
        after = 0
        while page := self._store.ledger.events(after, _PAGE):
            yield from page
            after = page[-1].seq

    def _verdicts(self) -> dict[tuple[str, str], tuple[str, str]]:
        columns = schema.verdicts.c
        query = select(columns.id, columns.run_id, columns.finding_id, columns.body, columns.inputs_sha256)
        found = {}
        for row in self._paged(query, columns.id):
            found[row.run_id, row.finding_id] = (digest(row.body), row.inputs_sha256)
        return found

    def _declarations(self) -> dict[str, str]:
        columns = schema.declarations.c
        with self._store.database.read() as connection:
            return {row.id: digest(row.body) for row in connection.execute(select(columns.id, columns.body))}

    def _documents(self) -> dict[str, str]:
        """Of scans that still have theirs: `[retention] scans` takes them away."""
        columns = schema.scans.c
        query = select(columns.run_id, columns.document).where(columns.document.is_not(None))
        found = {}
        for row in self._paged(query, columns.run_id, 50):
            found[row.run_id] = hashlib.sha256(row.document).hexdigest()
        return found

    def _paged(self, query: Any, column: Any, page: int = _PAGE) -> Iterator[Any]:
        """In short transactions: a long one keeps SQLite's writers waiting."""
        after: Any = None
        while True:
            more = query if after is None else query.where(column > after)
            with self._store.database.read() as connection:
                rows = connection.execute(more.order_by(column).limit(page)).all()
            if not rows:
                return
            yield from rows
            after = rows[-1]._mapping[column.name]

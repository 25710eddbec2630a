"""Scans: when each began and how it ended, and the one transaction that ends it.

Hides that everything a scan learnt (findings, verdicts, readings, cases, what must be filed, its document, its events)
is kept together or not at all.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Select, bindparam, delete, select, update

from agent.model import Action, FindingId, Hit, Key, StateRead, Status
from agent.store import cases, findings, ledger, looks, policy, readings, schema, states, tolerated, units
from agent.store.database import Database, StoreError
from agent.store.findings import Seen
from agent.store.pieces import DOCUMENTS, Joined
from agent.store.policy import PolicyFile
from agent.store.readings import Reading
from agent.store.units import Unit

ScanKind = Literal["whole", "stack", "trail", "open", "remind"]
"""What a scan looks at: the whole estate, one stack, what the trail touched, open findings, or nothing but replies."""

_scans = schema.scans


@dataclass(frozen=True, slots=True)
class Scan:
    """One scan as the store knows it."""

    run_id: str
    started_at: datetime
    finished_at: datetime | None
    """None: still running, or it died."""
    status: Status | None
    config_sha256: str
    ruleset_sha256: str
    kind: ScanKind = "whole"
    read_at: datetime | None = None
    """When it had read what it read; None: it read nothing, has not ended, or is of an older version."""


@dataclass(frozen=True, slots=True)
class ScanCommit:
    """All that a scan ends with."""

    run_id: str
    finished_at: datetime
    status: Status
    document: bytes
    """The scan document, JSON in ASCII."""
    seen: tuple[Seen, ...] = ()
    closed: tuple[FindingId, ...] = ()
    """Findings that are over. A finding neither seen nor closed (it lies in a gap) stays open as it was."""
    accepted: tuple[Reading, ...] = ()
    forgotten: tuple[Key, ...] = ()
    """Resources that are gone with authority: their readings are dropped."""
    states: tuple[StateRead, ...] = ()
    """The Terraform states that the next scan holds its own reading against."""
    actions: tuple[Action, ...] = ()
    """The plan."""
    events: tuple[tuple[str, ledger.Body], ...] = ()
    """For the ledger, besides what the store writes there of itself: the end of the scan, findings opened and closed,
    verdicts reached, cases opened, updated, closed and held."""
    hits: tuple[Hit, ...] = ()
    """What exceptions and the baseline covered."""
    policy: tuple[PolicyFile, ...] = ()
    """Files that verdicts rest on and that are not as the last scan found them."""
    kind: ScanKind = "whole"
    read_at: datetime | None = None
    """When it had read what it read."""
    looked: tuple[Key, ...] = ()
    """What a scan that is not of the whole estate read: see `Looks`."""


@dataclass(frozen=True, slots=True)
class Scans:
    """The scans of one store."""

    database: Database

    def begin(
        self, run_id: str, started_at: datetime, config_sha256: str, ruleset_sha256: str, kind: ScanKind = "whole"
    ) -> None:
        """A scan has begun. Raises StoreError for a run id that was used before."""
        row = {
            "run_id": run_id,
            "started_at": started_at,
            "config_sha256": config_sha256,
            "ruleset_sha256": ruleset_sha256,
            "kind": kind,
        }
        with self.database.write() as connection:
            if connection.scalar(select(_scans.c.run_id).where(_scans.c.run_id == run_id)) is not None:
                raise StoreError(f"store {self.database.name}: there is a scan {run_id} already")
            connection.execute(_scans.insert(), row)

    def idle(self, run_id: str, at: datetime, status: Status) -> None:
        """A scan that has begun ends: there was nothing new to look at, and nothing is kept of it but that it was."""
        values = {"finished_at": at, "status": status}
        with self.database.write() as connection:
            connection.execute(update(_scans).where(_scans.c.run_id == run_id).values(values))

    def last(self, limit: int = 20, kind: ScanKind | None = None, *, ended: bool = False) -> tuple[Scan, ...]:
        """The scans begun last (with `kind`, of that kind; `ended`: of those that did not die), newest first."""
        columns = [column for column in _scans.c if column.name != "document"]
        query = select(*columns) if kind is None else select(*columns).where(_scans.c.kind == kind)
        query = query.where(_scans.c.finished_at.is_not(None)) if ended else query
        with self.database.read() as connection:
            return tuple(Scan(**row._mapping) for row in newest(connection, query, _scans.c.started_at, limit))

    def looks_since(self, at: datetime) -> tuple[tuple[datetime, bytes], ...]:
        """What scans of a part of the estate that ended after `at` have told: when they ended, and their documents,
        newest first. Raises StoreError.
        """
        query = select(_scans.c.finished_at, _scans.c.document).where(
            _scans.c.kind != "whole", _scans.c.finished_at > at
        )
        query = query.where(_scans.c.document.is_not(None)).order_by(
            _scans.c.finished_at.desc(), _scans.c.run_id.desc()
        )
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        joined = Joined(self.database, DOCUMENTS)
        return tuple((row.finished_at, self._whole(joined, row.document)) for row in rows)

    def document(self, run_id: str | None = None) -> bytes | None:
        """The document of a scan (None: of the last that ended of the whole estate); None where there is none.

        Raises StoreError, also where a piece of it is gone.
        """
        query = select(_scans.c.document).where(_scans.c.finished_at.is_not(None))
        query = query.where(_scans.c.kind == "whole" if run_id is None else _scans.c.run_id == run_id)
        with self.database.read() as connection:
            kept = next((row.document for row in newest(connection, query, _scans.c.finished_at, 1)), None)
        return None if kept is None else self._whole(Joined(self.database, DOCUMENTS), kept)

    def _whole(self, joined: Joined, kept: bytes) -> bytes:
        try:
            return joined.data(kept)
        except ValueError as error:
            raise StoreError(f"store {self.database.name}: {error}; see `driftwarden db verify`") from None

    def drop_loose_pieces(self) -> None:
        """Drops the pieces that no document of a look names any longer. Raises StoreError."""
        query = select(_scans.c.document).where(_scans.c.kind != "whole", _scans.c.document.is_not(None))
        with self.database.write() as connection:
            ledger.lock(connection)  # no look may name one meanwhile
            kept = connection.execute(query.execution_options(yield_per=50)).scalars()
            try:
                loose = DOCUMENTS.unnamed(connection, (document.decode("ascii", "replace") for document in kept))
            except ValueError as error:
                raise StoreError(f"store {self.database.name}: {error}; see `driftwarden db verify`") from None
            if loose:
                its = delete(DOCUMENTS.table).where(DOCUMENTS.table.c.id == bindparam("its_id"))
                connection.execute(its, [{"its_id": number} for number in loose])

    def commit(self, scan: ScanCommit, unit: Unit | None = None) -> bool:
        """Ends the scan: all of it is kept, or nothing.

        With the join unit it was worked out under, the unit ends in the same transaction. False, and nothing kept:
        the unit's fence no longer holds, or the scan has ended already. Raises StoreError for a scan never begun.
        """
        run, at = scan.run_id, scan.finished_at
        with self.database.write() as connection:
            ledger.lock(connection)
            if unit is not None and not units.change(connection, unit, {"state": "done", "lease_until": None}):
                return False
            if not self._end(connection, scan):
                return False
            written = [
                *findings.record(connection, run, at, scan.seen),
                *findings.close(connection, run, at, scan.closed),
                *cases.apply(connection, run, at, scan.actions),
            ]
            readings.accept(connection, scan.accepted)
            readings.forget(connection, scan.forgotten)
            states.keep(connection, run, at, scan.states)
            tolerated.record(connection, scan.hits, at)
            policy.record(connection, scan.policy, at)
            looks.record(connection, scan.looked, scan.read_at or at, at)
            units.forget_results(connection, run)
            ledger.append(connection, [*written, *scan.events, _ended(scan)], at)
        return True

    def _end(self, connection: Connection, scan: ScanCommit) -> bool:
        known = connection.execute(select(_scans.c.finished_at).where(_scans.c.run_id == scan.run_id)).one_or_none()
        if known is None:
            raise StoreError(
                f"store {self.database.name}: there is no scan {scan.run_id} to end: was a backup restored meanwhile? "
                "Scan again"
            )
        if known.finished_at is not None:
            return False
        values = {
            "finished_at": scan.finished_at,
            "status": scan.status,
            "document": _kept(connection, scan),
            "kind": scan.kind,
            "read_at": scan.read_at,
        }
        connection.execute(update(_scans).where(_scans.c.run_id == scan.run_id).values(values))
        return True


def _kept(connection: Connection, scan: ScanCommit) -> bytes:
    """What is kept of its document: those of looks tell of the same calls again and again."""
    if scan.kind == "whole":
        return scan.document
    (kept,) = DOCUMENTS.put(connection, [scan.document.decode("ascii")])
    return kept.encode()


def newest(connection: Connection, query: Select[Any], time: ColumnElement[Any], limit: int) -> list[Any]:
    """So many rows of a query of scans, the last by `time`, which none of them lacks, first; found by the index there
    is on it. Last of all comes what by our clock has not happened yet: a clock that was wrong wrote it."""
    now, rows = datetime.now(UTC), list[Any]()
    ordered = query.order_by(time.desc(), _scans.c.run_id.desc())
    for some in (ordered.where(time <= now), ordered.where(time > now)):
        if len(rows) < limit:
            rows += connection.execute(some.limit(limit - len(rows))).all()
    return rows


def _ended(scan: ScanCommit) -> tuple[str, ledger.Body]:
    digest = hashlib.sha256(scan.document).hexdigest()
    return "scan.ended", {"run": scan.run_id, "status": scan.status, "document_sha256": digest}

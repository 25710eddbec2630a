"""Findings over time: since when each is seen, when it was closed, and every verdict it ever had.

Hides what makes a verdict new. A verdict is written down once, with what it was reached from, when it first differs
from the finding's last one; the same verdict reached again by the next scan adds nothing. Written verdicts cannot be
changed, and their digests stand in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, bindparam, func, or_, select, update

from agent.model import Candidate, Finding, FindingId, JudgedChange
from agent.store import ledger, pieces, schema
from agent.store.codec import decode, digest, encode
from agent.store.database import Database, fetch_in
from agent.store.ledger import Body

_findings = schema.findings
_inputs = schema.inputs
_verdicts = schema.verdicts

C = TypeVar("C", JudgedChange, Candidate)


@dataclass(frozen=True, slots=True)
class Seen:
    """A finding as a scan judged it."""

    finding: Finding
    inputs: Any = None
    """Whatever besides the finding itself its verdict was reached from (tickets, authority, the time of judging), in
    model values and JSON shapes: enough to reach it again. Findings may share one object; it is stored once."""


@dataclass(frozen=True, slots=True)
class Known:
    """A finding and its time. One that comes back after it was closed begins anew, and the closed one stays."""

    finding: Finding
    """As last seen."""
    first_seen: datetime
    last_seen: datetime
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """One verdict of a finding's history, ready to be replayed."""

    run_id: str
    at: datetime
    finding: Finding
    """As judged then: drifts, changes and the verdicts on them."""
    inputs: Any


@dataclass(frozen=True, slots=True)
class Findings:
    """The findings of one store."""

    database: Database
    _last: list[tuple[ledger.Head, Mapping[FindingId, Known]]] = field(default_factory=list, repr=False, compare=False)
    """What was open when it was last asked, and how far the ledger was then."""

    def open(self) -> Mapping[FindingId, Known]:
        """Every finding that is not closed, by id."""
        columns = _findings.c.body, _findings.c.first_seen, _findings.c.last_seen, _findings.c.closed_at
        query = select(*columns).where(_findings.c.closed_at.is_(None)).order_by(_findings.c.row)
        with self.database.read() as connection:
            # Whatever changes findings appends to the ledger in the same transaction.
            head = ledger.head_of(connection)
            for at, found in self._last:
                if at == head:
                    return found
            found = {known.finding.id: known for known in map(_known, connection.execute(query))}
        self._last[:] = [(head, found)]
        return found

    def listed(self, since: datetime | None = None) -> tuple[Known, ...]:
        """Open findings and those closed at `since` or later (None: ever), longest known first."""
        query = select(_findings)
        if since is not None:
            query = query.where(or_(_findings.c.closed_at.is_(None), _findings.c.closed_at >= since))
        return self._known(query.order_by(_findings.c.first_seen, _findings.c.row))

    def of(self, ids: Iterable[FindingId]) -> tuple[Known, ...]:
        """Every story these findings ever had, closed ones among them."""
        with self.database.read() as connection:
            rows = fetch_in(connection, select(_findings).order_by(_findings.c.row), _findings.c.id, ids)
        return tuple(map(_known, rows))

    def judgements(self, finding: FindingId) -> tuple[Judgement, ...]:
        """The finding's verdicts, oldest first; empty for one never seen."""
        query = (
            select(_verdicts, _inputs.c.body.label("inputs"))
            .join(_inputs, _inputs.c.sha256 == _verdicts.c.inputs_sha256)
            .where(_verdicts.c.finding_id == finding)
            .order_by(_verdicts.c.id)
        )
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        told = _Told(self.database)
        return tuple(Judgement(row.run_id, row.at, told.finding(row.body), decode(object, row.inputs)) for row in rows)

    def judged(self, since: datetime) -> tuple[tuple[datetime, Finding], ...]:
        """Every verdict written down at `since` or later, with the finding as it was judged then, oldest first."""
        query = select(_verdicts.c.at, _verdicts.c.body).where(_verdicts.c.at >= since).order_by(_verdicts.c.id)
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        told = _Told(self.database)
        return tuple((row.at, told.finding(row.body)) for row in rows)

    def _known(self, query: Any) -> tuple[Known, ...]:
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        return tuple(map(_known, rows))


class _Told:
    """Findings as they were judged. Those with many calls tell of nearly the same ones each: these are held once."""

    def __init__(self, database: Database) -> None:
        self._joined = pieces.Joined(database, pieces.VERDICTS)
        self._calls: dict[tuple[type[Any], tuple[str, ...]], Any] = {}

    def finding(self, body: str) -> Finding:
        """Raises StoreError, and ValueError for what cannot be read."""
        found = decode(Finding, self._joined.text(body))
        if not pieces.is_cut(body):
            return found
        alike = self._alike
        return replace(found, changes=tuple(map(alike, found.changes)), candidates=tuple(map(alike, found.candidates)))

    def _alike(self, item: C) -> C:
        """The one that was told before, where it is equal."""
        name = type(item), item.change.event_ids
        before: C | None = self._calls.get(name)
        if before == item:
            return before
        self._calls[name] = item
        return item


def _known(row: Any) -> Known:
    return Known(decode(Finding, row.body), row.first_seen, row.last_seen, row.closed_at)


def record(connection: Connection, run_id: str, at: datetime, seen: Sequence[Seen]) -> list[tuple[str, Body]]:
    """Writes what a scan saw, and the verdicts that are new; gives the events of it."""
    query = select(_findings.c.row, _findings.c.id, _findings.c.judgement_sha256)
    known = {row.id: row for row in connection.execute(query.where(_findings.c.closed_at.is_(None)))}
    new, again, judged = [], [], []
    for entry in seen:
        finding = entry.finding
        values = {
            "outcome": finding.verdict.outcome,
            "last_seen": at,
            "judgement_sha256": digest(encode(_judgement(finding))),
            "body": encode(finding),
        }
        before = known.get(finding.id)
        if before is None:
            new.append({"id": finding.id, "first_seen": at, **values})
        else:
            again.append({"its_row": before.row, **values})
        if before is None or before.judgement_sha256 != values["judgement_sha256"]:
            judged.append((entry, str(values["body"])))
    if new:
        connection.execute(_findings.insert(), new)
    if again:
        connection.execute(update(_findings).where(_findings.c.row == bindparam("its_row")), again)
    opened = [("finding.opened", {"run": run_id, "finding": row["id"]}) for row in new]
    return [*opened, *_write_verdicts(connection, run_id, at, judged)]


def close(connection: Connection, run_id: str, at: datetime, ids: Iterable[FindingId]) -> list[tuple[str, Body]]:
    """Closes those that are open; gives the events of it."""
    open_ones = select(_findings.c.row, _findings.c.id).where(_findings.c.closed_at.is_(None))
    rows = fetch_in(connection, open_ones, _findings.c.id, ids)
    if rows:
        statement = update(_findings).where(_findings.c.row == bindparam("its_row"))
        connection.execute(statement, [{"its_row": row.row, "closed_at": at} for row in rows])
    return [("finding.closed", {"run": run_id, "finding": row.id}) for row in rows]


def loose_pieces(connection: Connection) -> list[int]:
    """Numbers of the pieces that no verdict names. Raises ValueError where it cannot be read which one names."""
    marked = func.substr(_verdicts.c.body, 1, len(pieces.MARK)) == pieces.MARK
    return pieces.VERDICTS.unnamed(connection, connection.execute(select(_verdicts.c.body).where(marked)).scalars())


def _judgement(finding: Finding) -> Any:
    """What makes a verdict differ from the one before."""
    return finding.verdict, tuple((judged.change.event_ids, judged.verdict) for judged in finding.changes)


def _write_verdicts(
    connection: Connection, run_id: str, at: datetime, judged: Sequence[tuple[Seen, str]]
) -> list[tuple[str, Body]]:
    bodies: dict[int, tuple[str, bytes]] = {}
    for entry, _ in judged:
        if id(entry.inputs) not in bodies:
            body = encode(entry.inputs)
            bodies[id(entry.inputs)] = (digest(body), body.encode())
    _keep_inputs(connection, dict(bodies.values()))
    texts = [text for _, text in judged]
    rows = [
        {
            "finding_id": entry.finding.id,
            "run_id": run_id,
            "at": at,
            "outcome": entry.finding.verdict.outcome,
            "body": body,
            "inputs_sha256": bodies[id(entry.inputs)][0],
        }
        for (entry, _), body in zip(judged, pieces.VERDICTS.put(connection, texts), strict=True)
    ]
    if rows:
        connection.execute(_verdicts.insert(), rows)
    return [("verdict.reached", _verdict_event(row, text)) for row, text in zip(rows, texts, strict=True)]


def _keep_inputs(connection: Connection, bodies: Mapping[str, bytes]) -> None:
    known = {row.sha256 for row in fetch_in(connection, select(_inputs.c.sha256), _inputs.c.sha256, bodies)}
    rows = [{"sha256": sha256, "body": body} for sha256, body in bodies.items() if sha256 not in known]
    if rows:
        connection.execute(_inputs.insert(), rows)


def _verdict_event(row: Mapping[str, Any], text: str) -> Body:
    return {
        "run": row["run_id"],
        "finding": row["finding_id"],
        "outcome": row["outcome"],
        "body_sha256": digest(text),
        "inputs_sha256": row["inputs_sha256"],
    }

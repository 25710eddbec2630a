"""Cases, and what becomes of a plan: which of its actions still hold, and which must be filed.

Hides that two scans may plan at the same time from the same cases. The first to end wins: a case is opened once, and
what the second wanted of a case that meanwhile closed is left to the next scan. Hides too that closed cases, which
every scan is given and which only grow in number, are read once.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, select, update

from agent.model import Action, Case, CaseKey, CaseState, Close, Held, Open, Update
from agent.store import ledger, outbox, schema
from agent.store.codec import decode, encode
from agent.store.database import Database, fetch_in
from agent.store.ledger import Body

_cases = schema.cases
_outbox = schema.outbox
_NOT_CLOSED = _cases.c.state.in_(("open", "held"))  # an index finds those, and not what is unequal
_TOLD = ("case.opened", "case.closed", "case.held", "case.filed")
"""Events without which no closed case is other than it was."""


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """A case with how it ended."""

    case: Case
    closed_at: datetime | None = None
    reason: str = ""
    """Why it was closed."""


@dataclass(frozen=True, slots=True)
class _Closed:
    """Every closed case, as they were when the ledger ended there: whatever changes one appends to it."""

    head: ledger.Head
    records: Mapping[CaseKey, CaseRecord]


@dataclass(frozen=True, slots=True)
class Cases:
    """The cases of one store."""

    database: Database
    _last: list[_Closed] = field(default_factory=list, repr=False, compare=False)

    def open(self) -> tuple[Case, ...]:
        """Cases that are not closed, held ones among them, oldest first."""
        return tuple(record.case for record in self._records(select(_cases).where(_NOT_CLOSED)))

    def listed(self, since: datetime | None = None) -> tuple[CaseRecord, ...]:
        """Cases that are not closed and those closed at `since` or later (None: ever), oldest first."""
        if since is not None:
            return self._records(select(_cases).where(or_(_cases.c.closed_at.is_(None), _cases.c.closed_at >= since)))
        with self.database.read() as connection:
            head = ledger.head_of(connection)
            closed = self._closed(connection, head)
            rows = connection.execute(select(_cases).where(_NOT_CLOSED)).all()
            moved = ledger.head_of(connection) != head
        if moved:  # PostgreSQL shows each query what was written before it
            return self._records(select(_cases))
        self._last[:] = [_Closed(head, closed)]
        return _ordered((*closed.values(), *map(_record, rows)))

    def begin(self, case: Case, why: str, at: datetime) -> bool:
        """Opens a case between two scans and queues its filing; `why` names what it was opened by.

        False, and nothing done: there is a case with its key already, open or closed.
        """
        with self.database.write() as connection:
            ledger.lock(connection)
            if connection.scalar(select(_cases.c.key).where(_cases.c.key == case.key)) is not None:
                return False
            ledger.append(connection, apply(connection, why, at, [Open(case)]), at)
        return True

    def _records(self, query: Any) -> tuple[CaseRecord, ...]:
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        return _ordered(map(_record, rows))

    def _closed(self, connection: Connection, head: ledger.Head) -> Mapping[CaseKey, CaseRecord]:
        """The closed cases; those known from before, where the ledger tells of nothing else."""
        last = next(iter(self._last), None)
        changed = None if last is None else _changed(connection, last.head, head)
        if last is None or changed is None:
            rows = connection.execute(select(_cases).where(_cases.c.state == "closed"))
            return {row.key: _record_once(row) for row in rows}
        if not changed:
            return last.records
        found = {key: record for key, record in last.records.items() if key not in changed}
        # Not of those that are closed: SQLite would look at all of these.
        again = fetch_in(connection, select(_cases), _cases.c.key, changed)
        return found | {row.key: _record_once(row) for row in again if row.state == "closed"}


def _changed(connection: Connection, since: ledger.Head, head: ledger.Head) -> set[CaseKey] | None:
    """Cases that may have been closed since, or be other than they were closed; None: it may be any."""
    if since == head:
        return set()
    events = schema.events.c
    if connection.scalar(select(events.hash).where(events.seq == since.seq)) != since.hash:
        return None
    news = select(events.kind, events.body).where(events.seq > since.seq, events.kind.in_((*_TOLD, ledger.PRUNED)))
    found = [(row.kind, json.loads(row.body)) for row in connection.execute(news)]
    if any(kind == ledger.PRUNED for kind, _ in found):
        return None
    filed = [body["outbox"] for kind, body in found if kind == "case.filed"]
    rows = fetch_in(connection, select(_outbox.c.case_key), _outbox.c.dedup_key, filed)
    return {body["case"] for _, body in found if "case" in body} | {row.case_key for row in rows if row.case_key}


def apply(connection: Connection, run_id: str, at: datetime, actions: Sequence[Action]) -> list[tuple[str, Body]]:
    """Writes the cases of a plan and queues what must be filed; gives the events of it."""
    keys = {case.key for action in actions for case in _cases_of(action)}
    rows = fetch_in(connection, select(_cases.c.key, _cases.c.state), _cases.c.key, keys)
    states: dict[CaseKey, CaseState] = {row.key: row.state for row in rows}
    events: list[tuple[str, Body]] = []
    new: dict[CaseKey, dict[str, Any]] = {}
    queued: list[tuple[str, Action]] = []
    for number, action in enumerate(actions):
        filed = []
        for case in _cases_of(action):
            before = states.get(case.key)
            fate = _fate(action, before)
            if fate is None:
                continue
            reason = action.reason if isinstance(action, Close) else ""
            values = _values(case, before, fate.state, at, reason)
            if before is None or case.key in new:
                new[case.key] = {"key": case.key, **new.get(case.key, {}), **values}
            else:
                connection.execute(update(_cases).where(_cases.c.key == case.key).values(values))
            states[case.key] = fate.state
            if fate.event:
                events.append((fate.event, {"run": run_id, "case": case.key, "findings": list(case.findings)}))
            if fate.filed:
                filed.append(case)
        if filed:
            what = replace(action, cases=tuple(filed)) if isinstance(action, Held) else action
            queued.append((f"{run_id}/{number}", what))
    if new:
        connection.execute(_cases.insert(), list(new.values()))
    outbox.enqueue(connection, queued, at)
    return events


@dataclass(frozen=True, slots=True)
class _Fate:
    """What an action makes of a case."""

    state: CaseState
    event: str = ""
    """Kind of the ledger's event; empty: only the case's text is new."""
    filed: bool = False


def _fate(action: Action, before: CaseState | None) -> _Fate | None:
    """From the state the case has in the store now (None: not there); None where the action no longer holds."""
    match action, before:
        case Open(), "open":
            return _Fate("open")
        case Open(), _:
            return _Fate("open", "case.opened", filed=True)
        case Update(), "open":
            return _Fate("open", "case.updated", filed=True)
        case Close(), "open":
            return _Fate("closed", "case.closed", filed=True)
        case Close(), "held":
            return _Fate("closed", "case.closed")  # never filed: there is no ticket to close
        case Held(), "held":
            return _Fate("held")
        case Held(), None | "closed":
            return _Fate("held", "case.held", filed=True)
    return None


def _cases_of(action: Action) -> tuple[Case, ...]:
    return action.cases if isinstance(action, Held) else (action.case,)


def _values(case: Case, before: CaseState | None, state: CaseState, at: datetime, reason: str) -> dict[str, Any]:
    values: dict[str, Any] = {
        "state": state,
        "reason": reason,
        "body": encode(case),
        "closed_at": at if state == "closed" else None,
    }
    if before in (None, "closed"):
        values["opened_at"] = case.opened_at or at
    if before is None:  # from then on the outbox knows it, and the plan what it was before
        values["ticket"] = case.ticket
    return values


def _ordered(records: Iterable[CaseRecord]) -> tuple[CaseRecord, ...]:
    return tuple(sorted(records, key=lambda one: (one.case.opened_at, one.case.key)))


def _record(row: Any) -> CaseRecord:
    """The columns are the truth; the body is as the plan last wrote it."""
    return CaseRecord(_completed(row.body, row.state, row.ticket, row.opened_at), row.closed_at, row.reason)


def _record_once(row: Any) -> CaseRecord:
    """The same of a case that is read once and kept."""
    case = _completed.__wrapped__(row.body, row.state, row.ticket, row.opened_at)
    return CaseRecord(case, row.closed_at, row.reason)


@functools.lru_cache(maxsize=8192)
def _completed(body: str, state: CaseState, ticket: str, opened_at: datetime) -> Case:
    return replace(decode(Case, body), state=state, ticket=ticket, opened_at=opened_at)

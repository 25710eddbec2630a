"""The outbox: what must be filed in ticket systems, written in the transaction that decided it.

Hides leases, order and retries. An entry is delivered at least once: a sender that died may have reached the ticket
system, so from the second attempt on the adapter looks for its own ticket before it makes one. The entries of one
case leave in order, and nothing of a case leaves before its opening has.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, and_, bindparam, exists, func, not_, or_, select, update

from agent.model import Action, CaseKey, Close, Held, Open, Update
from agent.store import ledger, schema
from agent.store.codec import decode, encode
from agent.store.database import Database, fetch_in

EntryState = Literal["waiting", "sending", "sent", "dead"]

AHEAD = timedelta(hours=2)
"""Longer than anything waits or is leased: what is due later than that was put off by a wrong clock, and is due now."""

_TOLD = 500  # entries that one event of the ledger names

_outbox = schema.outbox
_cases = schema.cases
_NAMES: Mapping[type[Any], str] = {Open: "open", Update: "update", Close: "close", Held: "hold"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One action on its way out."""

    id: int
    dedup_key: str
    """The same for every attempt, different for every action."""
    action: Action
    """Its case carries the ticket's reference as soon as there is one, and neither events nor emergencies."""
    state: EntryState
    attempts: int
    """With this one. More than 1: an earlier one may have got through."""
    created_at: datetime
    next_at: datetime
    fence: int
    remote_ref: str
    error: str


@dataclass(frozen=True, slots=True)
class Outbox:
    """The outbox of one store."""

    database: Database

    def claim(self, owner: str, now: datetime, lease: timedelta) -> Entry | None:
        """The oldest entry that is due and whose turn it is, held until `now + lease`; None when there is none."""
        return next(iter(self.claim_some(owner, now, lease, 1)), None)

    def claim_some(self, owner: str, now: datetime, lease: timedelta, most: int) -> tuple[Entry, ...]:
        """So many of them at once, the oldest first, each of another case."""
        query = (
            _with_ticket(_due(now), not_(_blocked()))
            .order_by(_outbox.c.id)
            .limit(most)
            .with_for_update(skip_locked=True, of=_outbox)
        )
        with self.database.write() as connection:
            rows = connection.execute(query).all()
            claimed = {"state": "sending", "owner": owner, "lease_until": now + lease}
            counted = {"fence": _outbox.c.fence + 1, "attempts": _outbox.c.attempts + 1}
            if rows:
                its = _outbox.c.id.in_([row.id for row in rows])
                connection.execute(update(_outbox).where(its).values(**claimed, **counted))
        return tuple(
            _entry({**row._mapping, **claimed, "fence": row.fence + 1, "attempts": row.attempts + 1}) for row in rows
        )

    def is_due(self, now: datetime) -> bool:
        """Whether `claim` would give one."""
        query = select(_outbox.c.id).where(_due(now), not_(_blocked())).limit(1)
        with self.database.read() as connection:
            return connection.scalar(query) is not None

    def give_back(self, entries: Iterable[Entry]) -> None:
        """What was claimed and not tried is due again, as if it had not been."""
        with self.database.write() as connection:
            for entry in entries:
                values = {"state": "waiting", "lease_until": None, "attempts": entry.attempts - 1}
                _change(connection, entry, values)

    def owners(self) -> frozenset[str]:
        """Who holds something."""
        with self.database.read() as connection:
            rows = connection.execute(select(_outbox.c.owner).where(_outbox.c.state == "sending").distinct())
            return frozenset(row.owner for row in rows)

    def abandoned(self, owners: Iterable[str], now: datetime) -> None:
        """What these held is due: they are known to be gone."""
        held = and_(_outbox.c.state == "sending", _outbox.c.owner.in_(list(owners)))
        with self.database.write() as connection:
            connection.execute(update(_outbox).where(held).values(lease_until=now))

    def sent(self, entry: Entry, ref: str, now: datetime) -> bool:
        """It is filed under this reference. False: the lease was lost and another sender has the entry."""
        return self.sent_all([(entry, ref)], now) == 1

    def sent_all(self, filed: Sequence[tuple[Entry, str]], now: datetime) -> int:
        """They are filed under these references, in one transaction; how many of them were still ours."""
        with self.database.write() as connection:
            ledger.lock(connection)
            held = _held(connection, [entry for entry, _ in filed])
            ours = [(entry, ref) for entry, ref in filed if entry.id in held]
            if not ours:
                return 0
            values: dict[str, Any] = {"state": "sent", "remote_ref": bindparam("ref"), "error": "", "lease_until": None}
            its = [{"its_id": entry.id, "ref": ref} for entry, ref in ours]
            connection.execute(update(_outbox).where(_outbox.c.id == bindparam("its_id")).values(values), its)
            # News of a case whose ticket somebody closed by hand stand in a new one.
            told = [(entry.action.case, ref) for entry, ref in ours if isinstance(entry.action, Open | Update)]
            moved = [{"its_key": case.key, "ref": ref} for case, ref in told if case.ticket != ref]
            if moved:
                known_as = update(_cases).where(_cases.c.key == bindparam("its_key")).values(ticket=bindparam("ref"))
                connection.execute(known_as, moved)
            events = [("case.filed", {"outbox": entry.dedup_key, "ref": ref}) for entry, ref in ours]
            ledger.append(connection, events, now)
        return len(ours)

    def tickets(self, keys: Iterable[CaseKey]) -> Mapping[CaseKey, tuple[str, ...]]:
        """Case → every ticket that something of it was filed in, the first one first: as far back as what was delivered
        is kept (`[retention] work`)."""
        query = select(_outbox.c.case_key, _outbox.c.remote_ref, func.min(_outbox.c.id).label("first"))
        query = query.where(_outbox.c.state == "sent", _outbox.c.remote_ref != "")
        query = query.group_by(_outbox.c.case_key, _outbox.c.remote_ref)
        found: dict[CaseKey, list[str]] = {}
        with self.database.read() as connection:
            rows = fetch_in(connection, query, _outbox.c.case_key, keys)
        for row in sorted(rows, key=lambda one: one.first):
            found.setdefault(row.case_key, []).append(row.remote_ref)
        return {key: tuple(refs) for key, refs in found.items()}

    def retry(self, entry: Entry, error: str, next_at: datetime) -> bool:
        """It could not be filed now: again from `next_at` on. False as in `sent`."""
        with self.database.write() as connection:
            values = {"state": "waiting", "error": error, "next_at": next_at, "lease_until": None}
            return _change(connection, entry, values)

    def dead(self, entry: Entry, error: str, now: datetime) -> bool:
        """It can never be filed as it is: stays, with the error, until `revive`. False as in `sent`."""
        body = {"outbox": entry.dedup_key, "error": error}
        with self.database.write() as connection:
            ledger.lock(connection)
            if not _change(connection, entry, {"state": "dead", "error": error, "lease_until": None}):
                return False
            ledger.append(connection, [("case.not-filed", body)], now)
            return True

    def revive(self, now: datetime, ids: Collection[int] | None = None, by: str = "") -> int:
        """Makes dead entries due again, whose cause somebody (`by`) has put right: these, or all; gives how many.

        What is not dead stays as it is. The ledger is told.
        """
        dead = _outbox.c.state == "dead"
        its = dead if ids is None else and_(dead, _outbox.c.id.in_(list(ids)))
        with self.database.write() as connection:
            ledger.lock(connection)
            rows = connection.execute(select(_outbox.c.id, _outbox.c.dedup_key).where(its).order_by(_outbox.c.id)).all()
            values = {"state": "waiting", "next_at": now}
            for part in (rows[n : n + _TOLD] for n in range(0, len(rows), _TOLD)):
                chosen = _outbox.c.id.in_([row.id for row in part])
                connection.execute(update(_outbox).where(dead, chosen).values(values))
                body = {"outbox": [row.dedup_key for row in part], "by": by}
                ledger.append(connection, [("case.revived", body)], now)
        return len(rows)

    def unsent(self) -> tuple[Entry, ...]:
        """Everything not yet filed, oldest first."""
        with self.database.read() as connection:
            rows = connection.execute(_with_ticket(_outbox.c.state != "sent").order_by(_outbox.c.id)).all()
        return tuple(_entry(row._mapping) for row in rows)


def enqueue(connection: Connection, actions: Iterable[tuple[str, Action]], now: datetime) -> None:
    """Queues actions in the caller's transaction, due at once; each with what says which of all actions it is."""
    rows = [_row(dedup, action, now) for dedup, action in actions]
    if rows:
        connection.execute(_outbox.insert(), rows)


def _row(dedup: str, action: Action, now: datetime) -> dict[str, Any]:
    name = _NAMES[type(action)]
    case_key: CaseKey | None = None if isinstance(action, Held) else action.case.key
    return {
        "dedup_key": f"{dedup}/{name}/{case_key or ''}",
        "case_key": case_key,
        "action": name,
        "payload": encode(_to_file(action)),
        "state": "waiting",
        "created_at": now,
        "next_at": now,
        "owner": "",
        "fence": 0,
        "attempts": 0,
        "remote_ref": "",
        "error": "",
    }


def _to_file(action: Action) -> Action:
    """Without what no ticket system is told and what grows as long as the case is open: it stands in the case."""
    if isinstance(action, Held):
        return replace(action, cases=tuple(replace(case, events=(), emergencies=()) for case in action.cases))
    return replace(action, case=replace(action.case, events=(), emergencies=()))


def _with_ticket(*conditions: ColumnElement[bool]) -> Any:
    joined = _outbox.outerjoin(_cases, _cases.c.key == _outbox.c.case_key)
    return select(_outbox, _cases.c.ticket).select_from(joined).where(*conditions)


def _due(now: datetime) -> ColumnElement[bool]:
    """Its time has come, or its sender died."""

    def come(moment: Any) -> ColumnElement[bool]:
        return or_(moment <= now, moment > now + AHEAD)

    waiting = and_(_outbox.c.state == "waiting", come(_outbox.c.next_at))
    return or_(waiting, and_(_outbox.c.state == "sending", come(_outbox.c.lease_until)))


def _blocked() -> ColumnElement[bool]:
    """An earlier entry of the same case is under way, or is its opening and has not arrived."""
    earlier = _outbox.alias()
    unfinished = or_(
        earlier.c.state.in_(("waiting", "sending")), and_(earlier.c.action == "open", earlier.c.state != "sent")
    )
    return exists().where(earlier.c.case_key == _outbox.c.case_key, earlier.c.id < _outbox.c.id, unfinished)


def _change(connection: Connection, entry: Entry, values: Mapping[str, Any]) -> bool:
    held = and_(_outbox.c.id == entry.id, _outbox.c.fence == entry.fence, _outbox.c.state == "sending")
    return connection.execute(update(_outbox).where(held).values(values)).rowcount == 1


def _held(connection: Connection, entries: Sequence[Entry]) -> set[int]:
    """Ids of those that this sender still holds, until the transaction ends nobody else's."""
    query = select(_outbox.c.id, _outbox.c.fence).where(
        _outbox.c.state == "sending", _outbox.c.id.in_([entry.id for entry in entries])
    )
    found = {(row.id, row.fence) for row in connection.execute(query.with_for_update())}
    return {entry.id for entry in entries if (entry.id, entry.fence) in found}


def _entry(row: Mapping[Any, Any]) -> Entry:
    action: Any = decode(object, row["payload"])
    if row["ticket"]:  # the payload's may be the one that the case had before
        action = replace(action, case=replace(action.case, ticket=row["ticket"]))
    return Entry(
        id=row["id"],
        dedup_key=row["dedup_key"],
        action=action,
        state=row["state"],
        attempts=row["attempts"],
        created_at=row["created_at"],
        next_at=row["next_at"],
        fence=row["fence"],
        remote_ref=row["remote_ref"],
        error=row["error"],
    )

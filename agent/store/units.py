"""The unit table: the work of a scan, cut into pieces that threads or hosts claim.

Hides leases and fences. A claim is a lease with a number, the fence, that grows with every claim of the same unit: a
worker whose lease ran out and whose unit another one took over holds an old number, and what it brings is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, and_, exists, func, not_, or_, select, update

from agent.store import schema
from agent.store.codec import decode, encode
from agent.store.database import Database

UnitKind = Literal["declared", "live", "trail", "join"]
UnitState = Literal["waiting", "running", "done", "failed"]

MAX_ATTEMPTS = 3
"""A unit that failed or lost its worker this often is not tried again: it may be what kills the worker."""

_units = schema.units


@dataclass(frozen=True, slots=True)
class UnitSpec:
    """One piece of work: a stack, an account × region × service, a source × shard, or the join of all."""

    kind: UnitKind
    name: str
    """Unique within its kind and run."""
    args: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as its claimer, or whoever reads the results, sees it."""

    id: int
    run_id: str
    kind: UnitKind
    name: str
    args: Mapping[str, Any]
    state: UnitState
    owner: str
    lease_until: datetime | None
    fence: int
    attempts: int
    error: str


@dataclass(frozen=True, slots=True)
class Units:
    """The unit table of one store."""

    database: Database

    def add(self, run_id: str, specs: Sequence[UnitSpec]) -> None:
        """Adds units to a run; those it already has stay as they are. Raises StoreError for an unknown run."""
        with self.database.write() as connection:
            query = select(_units.c.kind, _units.c.name).where(_units.c.run_id == run_id)
            known = {tuple(row) for row in connection.execute(query)}
            rows = [_new(run_id, spec) for spec in specs if (spec.kind, spec.name) not in known]
            if rows:
                connection.execute(_units.insert(), rows)

    def claim(
        self, run_id: str, owner: str, now: datetime, lease: timedelta, kinds: Sequence[UnitKind] = ()
    ) -> Unit | None:
        """The next unit of the run (of these kinds; none given: of any), held until `now + lease`.

        A join is given only when all other units have ended. None when nothing can be claimed now: see `counts` for
        whether the run has ended.
        """
        with self.database.write() as connection:
            _park(connection, run_id, now)
            query = select(_units).where(_units.c.run_id == run_id, _free(now), _joinable(run_id))
            if kinds:
                query = query.where(_units.c.kind.in_(kinds))
            row = connection.execute(
                query.order_by(_units.c.id).limit(1).with_for_update(skip_locked=True)
            ).one_or_none()
            if row is None:
                return None
            claimed = {
                "state": "running",
                "owner": owner,
                "lease_until": now + lease,
                "fence": row.fence + 1,
                "attempts": row.attempts + 1,
            }
            connection.execute(update(_units).where(_units.c.id == row.id).values(claimed))
            return _unit({**row._mapping, **claimed})

    def renew(self, unit: Unit, until: datetime) -> bool:
        """Holds the unit longer. False: another worker has it; stop."""
        return self._change(unit, {"lease_until": until})

    def finish(self, unit: Unit, result: bytes) -> bool:
        """Keeps the result. False: another worker has the unit, nothing is kept."""
        return self._change(unit, {"state": "done", "result": result, "lease_until": None, "error": ""})

    def fail(self, unit: Unit, error: str) -> bool:
        """Gives the unit back, to be claimed again until `MAX_ATTEMPTS`. False: another worker has it."""
        state = "failed" if unit.attempts >= MAX_ATTEMPTS else "waiting"
        return self._change(unit, {"state": state, "error": error, "lease_until": None})

    def results(self, run_id: str) -> list[tuple[Unit, bytes | None]]:
        """Every unit of the run with its result; None for one that has none: not done, or the scan has ended."""
        with self.database.read() as connection:
            rows = connection.execute(select(_units).where(_units.c.run_id == run_id).order_by(_units.c.id)).all()
        return [(_unit(row._mapping), row.result) for row in rows]

    def counts(self, run_id: str) -> Mapping[UnitState, int]:
        """Units of the run by state; states without any are left out."""
        query = select(_units.c.state, func.count().label("total")).group_by(_units.c.state)
        with self.database.read() as connection:
            rows = connection.execute(query.where(_units.c.run_id == run_id)).all()
        return {row.state: row.total for row in rows}

    def _change(self, unit: Unit, values: Mapping[str, Any]) -> bool:
        with self.database.write() as connection:
            return change(connection, unit, values)


def change(connection: Connection, unit: Unit, values: Mapping[str, Any]) -> bool:
    """Writes to the unit's row if its fence still holds; whether it did."""
    held = and_(_units.c.id == unit.id, _units.c.fence == unit.fence, _units.c.state == "running")
    return connection.execute(update(_units).where(held).values(values)).rowcount == 1


def forget_results(connection: Connection, run_id: str) -> None:
    """Drops the results of a run that has ended; its units stay, as evidence of what was looked at."""
    with_one = and_(_units.c.run_id == run_id, _units.c.result.is_not(None))
    connection.execute(update(_units).where(with_one).values(result=None))


def _new(run_id: str, spec: UnitSpec) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "kind": spec.kind,
        "name": spec.name,
        "args": encode(spec.args),
        "state": "waiting",
        "owner": "",
        "fence": 0,
        "attempts": 0,
        "error": "",
    }


def _expired(now: datetime) -> ColumnElement[bool]:
    return and_(_units.c.state == "running", _units.c.lease_until <= now)


def _free(now: datetime) -> ColumnElement[bool]:
    return or_(_units.c.state == "waiting", _expired(now))


def _joinable(run_id: str) -> ColumnElement[bool]:
    """The unit is no join, or nothing but joins is left."""
    other = _units.alias()
    unended = and_(other.c.run_id == run_id, other.c.kind != "join", other.c.state.in_(("waiting", "running")))
    return or_(_units.c.kind != "join", not_(exists().where(unended)))


def _park(connection: Connection, run_id: str, now: datetime) -> None:
    """Units whose workers died as often as is allowed."""
    lost = and_(_units.c.run_id == run_id, _expired(now), _units.c.attempts >= MAX_ATTEMPTS)
    error = f"its worker was lost {MAX_ATTEMPTS} times"
    connection.execute(update(_units).where(lost).values(state="failed", error=error, lease_until=None))


def _unit(row: Mapping[Any, Any]) -> Unit:
    return Unit(
        id=row["id"],
        run_id=row["run_id"],
        kind=row["kind"],
        name=row["name"],
        args=decode(dict, row["args"]),
        state=row["state"],
        owner=row["owner"],
        lease_until=row["lease_until"],
        fence=row["fence"],
        attempts=row["attempts"],
        error=row["error"],
    )

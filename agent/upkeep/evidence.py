"""Evidence that is older than it has to be kept: removed when two people agreed, and the ledger says so for ever.

Hides what belongs together. A case or finding that is not over, or was over only after the date, keeps all that was
ever written of it: its verdicts, what they rest on, what people declared, the window it falls into, and the ledger from
the first event of any of these on.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, exists, func, not_, or_, select

from agent.clean import clean
from agent.config import Config, duration
from agent.declare import PEOPLE_NEEDED, agreed, case_key, grant_of, ground, in_force
from agent.model import Case, Directory
from agent.store import Store, ledger, schema, versions
from agent.store.codec import decode
from agent.store.findings import loose_pieces
from agent.store.ledger import PRUNED
from agent.upkeep.archive import UpkeepError

_AT_ONCE = 500

_cases, _findings, _verdicts, _inputs = schema.cases, schema.findings, schema.verdicts, schema.inputs
_declarations, _settings, _files, _events = schema.declarations, schema.settings, schema.policy_files, schema.events
_scans, _units, _states = schema.scans, schema.units, schema.states
_outbox, _reports, _pieces = schema.outbox, schema.reports, schema.pieces


@dataclass(frozen=True, slots=True)
class Removed:
    """How much evidence was removed."""

    before: date
    agreed: tuple[str, ...]
    """Who agreed."""
    rows: dict[str, int]
    """Table → rows; those without any are left out."""
    kept_from: int
    """The first event that the ledger still has."""


def prune_evidence(config: Config, store: Store, people: Directory, before: date, now: datetime) -> Removed:
    """Removes evidence that was over before that day began, UTC: all of it, or nothing.

    Raises UpkeepError: it is younger than `[retention] evidence`, or fewer than two people who are admins now accepted
    `prune DATE` within the last day. Raises ConfigError as `in_force` does.
    """
    oldest = now - duration(config.retention.evidence)
    at = datetime.combine(before, time(), UTC)
    if at > oldest:
        raise UpkeepError(
            f"evidence is kept for {config.retention.evidence} ([retention] evidence): give a day up to "
            f"{oldest:%Y-%m-%d}; nothing was removed"
        )
    with in_force(config, store, now, keep=False) as force:
        who = agreed(ground(config, store, people, force), f"prune {before}", now)
    if len(who) < PEOPLE_NEEDED:
        by = f"; {', '.join(map(clean, who))} did" if who else ""
        raise UpkeepError(
            f"two people must accept it first, each with `driftwarden cases accept 'prune {before}'`, which counts for "
            f"a day{by}; nothing was removed"
        )
    with store.database.write() as connection:
        ledger.lock(connection)
        with versions.unguarded(connection):
            rows, cut = _removed(connection, at)
        body = {"before": str(before), "agreed": list(who), "rows": rows, **cut}
        ledger.append(connection, [(PRUNED, body)], now)
        first: int = connection.scalar(select(func.min(_events.c.seq))) or 0
    return Removed(before, who, rows, first)


def _removed(connection: Connection, at: datetime) -> tuple[dict[str, int], dict[str, Any]]:
    kept_cases = _kept_cases(connection, at)
    kept_findings = _kept_findings(connection, at, kept_cases)
    declared, first_declared = _declared(connection, at, kept_cases)
    reports, first_reported = _reported(connection, at)
    rows = {
        "outbox": _gone(connection, _outbox, _outbox.c.id, _over(_cases.c.closed_at, at, _of_case())),
        "cases": _gone(connection, _cases, _cases.c.key, _cases.c.closed_at < at),
        "findings": _listed(connection, _findings, _findings.c.row, _findings.c.closed_at < at, kept_findings, "id"),
        "verdicts": _listed(connection, _verdicts, _verdicts.c.id, _verdicts.c.at < at, kept_findings, "finding_id"),
        "pieces": _delete(connection, _pieces, _pieces.c.id, _loose(connection)),
        "inputs": _gone(connection, _inputs, _inputs.c.sha256, _unnamed(_verdicts.c.inputs_sha256, _inputs.c.sha256)),
        "declarations": declared,
        "settings": _superseded(connection, _settings, _settings.c.seq, _settings.c.name, _settings.c.at < at),
        "policy_files": _superseded(connection, _files, _files.c.id, _files.c.path, _files.c.seen_at < at),
        "states": _gone(connection, _states, _states.c.id, and_(_states.c.last_read < at, _states.c.current == 0)),
        "reports": reports,
        "units": _gone(connection, _units, _units.c.id, _over(_scans.c.finished_at, at, _of_scan())),
        "scans": _gone(connection, _scans, _scans.c.run_id, and_(_scans.c.finished_at < at, _unnamed_scan())),
    }
    since = min(at, first_declared, first_reported)
    rows["events"], cut = _cut(connection, since, {*(one.key for one in kept_cases), *kept_findings})
    return {name: number for name, number in rows.items() if number}, cut


def _kept_cases(connection: Connection, at: datetime) -> list[Case]:
    query = select(_cases.c.body).where(or_(_cases.c.closed_at.is_(None), _cases.c.closed_at >= at))
    return [decode(Case, row.body) for row in connection.execute(query)]


def _kept_findings(connection: Connection, at: datetime, cases: Iterable[Case]) -> set[str]:
    query = select(_findings.c.id).where(or_(_findings.c.closed_at.is_(None), _findings.c.closed_at >= at))
    return {*connection.execute(query).scalars(), *(finding for case in cases for finding in case.findings)}


def _of_case() -> ColumnElement[bool]:
    return _cases.c.key == _outbox.c.case_key


def _of_scan() -> ColumnElement[bool]:
    return and_(_scans.c.run_id == _units.c.run_id, _unnamed_scan())


def _over(column: Any, at: datetime, joined: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(joined, column < at)


def _unnamed(names: Any, named: Any) -> ColumnElement[bool]:
    return not_(exists().where(names == named))


def _unnamed_scan() -> ColumnElement[bool]:
    return and_(_unnamed(_verdicts.c.run_id, _scans.c.run_id), _unnamed(_states.c.run_id, _scans.c.run_id))


def _gone(connection: Connection, table: Table, key: Any, old: ColumnElement[bool]) -> int:
    ids = list(connection.execute(select(key).where(old)).scalars())
    return _delete(connection, table, key, ids)


def _loose(connection: Connection) -> list[int]:
    try:
        return loose_pieces(connection)
    except ValueError as error:
        raise UpkeepError(f"{error}; see `driftwarden db verify`; nothing was removed") from None


def _listed(
    connection: Connection, table: Table, key: Any, old: ColumnElement[bool], kept: Collection[str], name: str
) -> int:
    """Rows that are old and whose `name` is none of those kept."""
    rows = connection.execute(select(key.label("its_key"), table.c[name].label("its_name")).where(old)).all()
    return _delete(connection, table, key, [row.its_key for row in rows if row.its_name not in kept])


def _declared(connection: Connection, at: datetime, cases: Iterable[Case]) -> tuple[int, datetime]:
    """How many declarations went, and when the first of those that stay was received.

    A statement stands in the row of its first declaration: all of it goes, or none. A window is declared before there
    is a case of it. What else is about no case (an acceptance) stays as long as a case is kept that was open then.
    """
    kept = {one.key for one in cases}
    kept |= {
        case_key(grant) for case in cases for grant in (case.grant, *(one.id for one in case.emergencies)) if grant
    }
    columns = _declarations.c
    query = select(columns.id, columns.case_key, columns.said_in, columns.received_at).where(columns.received_at < at)
    rows = connection.execute(query).all()
    # Of a window the key that its case has; of an acceptance one that no case has.
    its_own = [row for row in rows if (row.case_key or case_key(grant_of(row.id))) in kept]
    since = min([one.opened_at for one in cases if one.opened_at] + [row.received_at for row in its_own], default=at)
    held = {row.said_in for row in its_own} | {
        row.said_in for row in rows if not row.case_key and row.received_at >= since
    }
    gone = [row.id for row in rows if row.said_in not in held]
    first = min((row.received_at for row in rows if row.said_in in held), default=at)
    return _delete(connection, _declarations, columns.id, gone), first


def _reported(connection: Connection, at: datetime) -> tuple[int, datetime]:
    """How many reports went, and when the first of those that stay was made. One is made long after its week, or before
    its week is over: it goes when both are old, as old as the ledger says, which holds what is said last."""
    query = select(_events.c.at, _events.c.body).where(_events.c.kind == "report.made").order_by(_events.c.seq)
    made = {json.loads(row.body)["report"]: row.at for row in connection.execute(query)}
    rows = connection.execute(select(_reports.c.id, _reports.c.ends, _reports.c.made_at)).all()
    gone = [row.id for row in rows if max(row.ends, made.get(row.id, row.made_at)) < at]
    stay = (made[row.id] for row in rows if row.id not in gone and row.id in made)
    return _delete(connection, _reports, _reports.c.id, gone), min(stay, default=at)


def _superseded(connection: Connection, table: Table, key: Any, name: Any, old: ColumnElement[bool]) -> int:
    """Old rows but the newest of each name, which is what was in force on that day."""
    stay = set(connection.execute(select(func.max(key)).where(old).group_by(name)).scalars())
    ids = connection.execute(select(key).where(old)).scalars()
    return _delete(connection, table, key, [one for one in ids if one not in stay])


def _delete(connection: Connection, table: Table, key: Any, ids: list[Any]) -> int:
    for start in range(0, len(ids), _AT_ONCE):
        connection.execute(delete(table).where(key.in_(ids[start : start + _AT_ONCE])))
    return len(ids)


def _cut(connection: Connection, since: datetime, kept: Collection[str]) -> tuple[int, dict[str, Any]]:
    """Cuts the ledger's beginning: up to that time, or to the first event of what is kept; and where that was."""
    columns = _events.c
    through, its_hash, total = 0, "", 0
    query = select(columns.seq, columns.at, columns.body, columns.hash).order_by(columns.seq)
    with connection.execute(query.execution_options(yield_per=1_000)) as found:
        for row in found:
            if row.at >= since or _names_one(json.loads(row.body), kept):
                break
            through, its_hash, total = row.seq, row.hash, total + 1
    if not total:
        return 0, {}
    connection.execute(delete(_events).where(columns.seq <= through))
    return total, {"through": through, "hash": its_hash}


def _names_one(body: Any, kept: Collection[str]) -> bool:
    names = [body.get("case"), body.get("finding"), *body.get("findings", ())]
    return any(isinstance(one, str) and one in kept for one in names)

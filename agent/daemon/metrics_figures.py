"""How things are now, as the store has it: cases, findings, outbox, scans, trail, tasks.

Hides which tables say it, and that only what changed is read again: a look at a store in which nothing happened is a
few short queries.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

import msgspec
from sqlalchemy import Connection, func, select, text

from agent.config import Config
from agent.cron import Every, When
from agent.daemon.metrics_catalogue import Samples, Value
from agent.daemon.metrics_document import exceptions, of_document
from agent.daemon.metrics_trail import TrailWatch
from agent.model import OUTCOMES, SEVERITIES, EmergencyState
from agent.store import Job, ScanKind, Store, schema
from agent.store.scans import newest
from agent.timetable import timetable, wanted

STAGES = (*get_args(EmergencyState), "open", "way-back", "post-implementation")
AGES = (("under-1d", 1.0), ("under-7d", 7.0), ("under-30d", 30.0), ("over-30d", float("inf")))
"""Name → upper bound in days."""
DAY = 86_400.0
BEGUN = {"scan": "begun.scan", "backup": "begun.backup"}
"""Job → name of the setting that says since when it is due: one that never once went well is missed from then on."""

_Rows = dict[tuple[str, ...], Value]


class _Time(msgspec.Struct):
    value: datetime


class _Case(msgspec.Struct):
    """A stored case as far as it is counted."""

    severity: str
    grant: str = ""
    stage: str = ""
    deadline: _Time | None = None


_CASES = msgspec.json.Decoder(_Case)


@dataclass(frozen=True, slots=True)
class OpenCase:
    """A case that is not closed."""

    key: str
    state: str
    severity: str
    opened_at: datetime
    stage: str
    """Of an emergency; empty: none."""
    deadline: datetime | None


class Figures:
    """What the store says of the present. One thread at a time."""

    def __init__(self, config: Config, store: Store) -> None:
        """Nothing is read yet: see `look`."""
        self.config = config
        self.whole: tuple[datetime, datetime] | None = None
        """Beginning and end of the last scan of the whole estate; None: none has ended."""
        self.accounts: frozenset[str] = frozenset()
        """Those that are configured or that the last scan read."""
        self._store = store
        self._head = -1
        self._of_head: dict[str, _Rows] = {}
        self._cases: tuple[OpenCase, ...] = ()
        self._run = ""
        self._read = of_document(b"{}")
        self._trail = TrailWatch(store)
        self._begun: dict[str, datetime] = {}

    def look(self, now: datetime) -> Samples:
        """What is so at this moment. Raises StoreError."""
        found: dict[str, _Rows] = {}
        with self._store.database.read() as connection:
            head: int = connection.scalar(select(func.max(schema.events.c.seq))) or 0
            if head != self._head:
                self._of_head = {"driftwarden_findings": _findings(connection)}
                self._cases = tuple(_open_cases(connection))
            found |= _scans(connection)
            found |= _outbox(connection, now)
            found["driftwarden_store_size_bytes"] = {(): _size(connection)}
            last = _last_whole(connection)
            if self._begun.keys() != BEGUN.keys():
                self._begun = _begun(connection)
        self._head = head
        self._look_at_document(last)
        found |= self._of_head
        found |= _ages(self._cases, now)
        found |= self._emergencies(now)
        found |= self._tasks(now)
        parts = [exceptions(self._read.until, now), self._trail.look(self.config, self._read.places, now)]
        return {**found, **parts[0], **parts[1], **(self._read.samples if self.whole else {})}

    def begin(self, now: datetime) -> None:
        """For the leader: writes down, once, since when the scan of the estate and the backup are due.

        What fails before anything else is noted of it (a key that cannot be read) would never be missed else. Raises
        StoreError.
        """
        for job in BEGUN.keys() & timetable(self.config).keys() - self._begun.keys():
            self._store.settings.keep(BEGUN[job], "{}", now, ())
            self._begun[job] = now

    def overdue(self, now: datetime) -> datetime | None:
        """When the second scan of the estate in a row will have been missed; None: none is scheduled."""
        since = self.whole[1] if self.whole else self._begun.get("scan", now)
        return _second(timetable(self.config).get("scan"), min(since, now))

    def _backup_overdue(self, job: Job | None, now: datetime) -> datetime | None:
        """The same of the backup. One that never began is missed from when it was first due, however old the store."""
        times = timetable(self.config).get("backup")
        if job is None or times is None:
            return _second(times, now)
        if job.began_at is None and job.due_at is not None:
            return times.after(job.due_at)
        return _second(times, min(job.succeeded_at or self._begun.get("backup", now), now))

    def _look_at_document(self, last: Any) -> None:
        """The document of a scan is read once, when it is new."""
        if last is None:
            self.whole, self.accounts = None, _configured(self.config)
            return
        self.whole = (last.started_at, last.finished_at)
        if last.run_id != self._run:
            self._read = of_document(self._store.scans.document(last.run_id) or b"{}")
            self._run = last.run_id
        self.accounts = _configured(self.config) | {account for account, _ in self._read.places}

    def _emergencies(self, now: datetime) -> dict[str, _Rows]:
        """Of cases; where none are filed, as the last scan told of them."""
        found = {one.key: (one.stage, one.deadline) for one in self._cases if one.stage}
        told = self._read.emergencies
        untold = told.keys() - found.keys()
        if untold:
            with self._store.database.read() as connection:
                query = select(schema.cases.c.key).where(schema.cases.c.key.in_(untold))
                untold -= {row[0] for row in connection.execute(query)}
        stages = [*found.values(), *(told[case] for case in untold)]
        coming = [due for stage, due in stages if stage == "awaiting-document" and due is not None and due >= now]
        late = {"awaiting-document": "overdue"}
        counts = Counter(late.get(stage, stage) if due and due < now else stage for stage, due in stages)
        rows: dict[str, _Rows] = {
            "driftwarden_breakglass": {(stage,): float(counts[stage]) for stage in STAGES},
            "driftwarden_breakglass_next_deadline_timestamp_seconds": {},
        }
        if coming:
            rows["driftwarden_breakglass_next_deadline_timestamp_seconds"] = {(): min(coming).timestamp()}
        return rows

    def _tasks(self, now: datetime) -> dict[str, _Rows]:
        succeeded: _Rows = {}
        lasted: _Rows = {}
        failed: _Rows = {}
        runs: _Rows = {}
        failures: _Rows = {}
        jobs, there = self._store.jobs.all(), wanted(self.config)
        for name, job in jobs.items():
            succeeded[name,] = _stamp(job.succeeded_at)
            if name in there:
                failed[name,] = float(job.status == "failed")
            runs[name,], failures[name,] = float(job.runs), float(job.failures)
            if job.began_at and job.ended_at and job.ended_at >= job.began_at:
                lasted[name,] = (job.ended_at - job.began_at).total_seconds()
        overdue: _Rows = {}
        if (scan_by := self.overdue(now)) is not None:
            overdue["scan",] = scan_by.timestamp()
        if (backup_by := self._backup_overdue(jobs.get("backup"), now)) is not None:
            overdue["backup",] = backup_by.timestamp()
        return {
            "driftwarden_task_last_success_timestamp_seconds": succeeded,
            "driftwarden_task_last_duration_seconds": lasted,
            "driftwarden_task_failed": failed,
            "driftwarden_task_runs_total": runs,
            "driftwarden_task_failures_total": failures,
            "driftwarden_task_overdue_timestamp_seconds": overdue,
        }


def environments(config: Config) -> frozenset[tuple[str, str]]:
    """Account and environment of each account and stack, as verdicts name them."""
    production = {name.casefold() for name in config.authority.production}
    of_account = {account.id: account.environment for account in config.account}
    pairs = {*of_account.items()} | {
        (one.account or next(iter(of_account)), one.environment or of_account.get(one.account, ""))
        for one in config.stack
    }
    return frozenset((a, "production" if e.casefold() in production else e) for a, e in pairs if a)


def _configured(config: Config) -> frozenset[str]:
    return frozenset({account.id for account in config.account} | {stack.account for stack in config.stack}) - {""}


def _second(of: When | None, since: datetime) -> datetime | None:
    """The second time after a moment that something is due."""
    if isinstance(of, Every):
        return since + 2 * of.length
    return None if of is None else of.after(of.after(since))


def _stamp(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0


def _findings(connection: Connection) -> _Rows:
    table = schema.findings
    query = select(table.c.outcome, func.count()).where(table.c.closed_at.is_(None)).group_by(table.c.outcome)
    rows: _Rows = {(outcome,): 0.0 for outcome in OUTCOMES}
    return rows | {(row[0],): float(row[1]) for row in connection.execute(query)}


def _open_cases(connection: Connection) -> Iterator[OpenCase]:
    table = schema.cases
    query = select(table.c.key, table.c.state, table.c.opened_at, table.c.body).where(
        table.c.state.in_(("open", "held"))  # an index finds those
    )
    for row in connection.execute(query):
        case = _CASES.decode(row.body)
        deadline = case.deadline.value if case.deadline else None
        yield OpenCase(row.key, row.state, case.severity, row.opened_at, case.stage if case.grant else "", deadline)


def _ages(cases: tuple[OpenCase, ...], now: datetime) -> dict[str, _Rows]:
    counts: Counter[tuple[str, ...]] = Counter()
    by_age: Counter[tuple[str, ...]] = Counter()
    oldest: dict[str, float] = dict.fromkeys(SEVERITIES, 0.0)
    for case in cases:
        age = max((now - case.opened_at).total_seconds(), 0.0)
        counts[case.severity, case.state] += 1
        by_age[case.severity, next(name for name, days in AGES if age < days * DAY)] += 1
        if case.state == "open":
            oldest[case.severity] = max(oldest.get(case.severity, 0.0), age)
    pairs = [(severity, state) for severity in SEVERITIES for state in ("open", "held")]
    return {
        "driftwarden_cases": {pair: float(counts[pair]) for pair in pairs},
        "driftwarden_cases_by_age": {(s, age): float(by_age[s, age]) for s in SEVERITIES for age, _ in AGES},
        "driftwarden_oldest_case_age_seconds": {(severity,): age for severity, age in oldest.items()},
    }


def _scans(connection: Connection) -> dict[str, _Rows]:
    table = schema.scans
    ended: _Rows = {}
    lasted: _Rows = {}
    for kind in get_args(ScanKind):
        query = select(table.c.started_at, table.c.finished_at).where(table.c.kind == kind)
        query = query.where(table.c.finished_at.is_not(None))
        row = next(iter(newest(connection, query, table.c.finished_at, 1)), None)
        ended[kind,] = _stamp(row.finished_at) if row else 0.0
        if row:
            lasted[kind,] = (row.finished_at - row.started_at).total_seconds()
    return {
        "driftwarden_last_scan_timestamp_seconds": ended,
        "driftwarden_last_scan_duration_seconds": lasted,
        "driftwarden_last_successful_scan_timestamp_seconds": {(): ended["whole",]},
    }


def _last_whole(connection: Connection) -> Any:
    table = schema.scans
    query = select(table.c.run_id, table.c.started_at, table.c.finished_at)
    query = query.where(table.c.kind == "whole", table.c.finished_at.is_not(None))
    return next(iter(newest(connection, query, table.c.finished_at, 1)), None)


def _begun(connection: Connection) -> dict[str, datetime]:
    """Job → since when it is due, as far as that is known. A scan of an older store began at some time itself."""
    table = schema.settings
    query = select(table.c.name, func.min(table.c.at)).where(table.c.name.in_(BEGUN.values())).group_by(table.c.name)
    said = {row[0]: row[1] for row in connection.execute(query)}
    found = {job: said[name] for job, name in BEGUN.items() if name in said}
    first: datetime | None = connection.scalar(select(func.min(schema.scans.c.started_at)))
    if first is not None:
        found["scan"] = min(first, found.get("scan", first))
    return found


def _outbox(connection: Connection, now: datetime) -> dict[str, _Rows]:
    table = schema.outbox
    counts: _Rows = {(state,): 0.0 for state in ("waiting", "sending", "dead")}
    oldest: datetime | None = None
    # By name, not by "all but sent": what was sent is most of the table, and the index begins with the state.
    query = select(table.c.state, func.count(), func.min(table.c.created_at))
    query = query.where(table.c.state.in_(("waiting", "sending", "dead"))).group_by(table.c.state)
    for state, number, since in connection.execute(query):
        counts[state,] = float(number)
        if state != "dead":
            oldest = min(filter(None, (oldest, since)), default=None)
    age = max((now - oldest).total_seconds(), 0.0) if oldest else 0.0
    return {"driftwarden_outbox_entries": counts, "driftwarden_outbox_oldest_age_seconds": {(): age}}


def _size(connection: Connection) -> float:
    if connection.dialect.name == "postgresql":
        return float(connection.scalar(text("SELECT pg_database_size(current_database())")) or 0)
    pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    return float(pages) * float(connection.exec_driver_sql("PRAGMA page_size").scalar_one())

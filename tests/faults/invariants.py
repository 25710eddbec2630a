"""What must be true of a store and its tickets at rest, whatever happened to the processes that wrote them.

Hides how the three sides are held against each other: the store, the register of tickets, and the truth, which is what
was really done to the cloud and by whom.
"""

import itertools
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from agent.gather.unjudged import Unjudged
from agent.model import Case, FindingId
from agent.store import Store, connect
from agent.store.cases import CaseRecord
from agent.upkeep.verify import verify, verify_backup


@dataclass(frozen=True, slots=True)
class Truth:
    """What was done without authority, and what became of it."""

    calls: Mapping[str, str] = field(default_factory=dict)
    """Id of an event → session it belongs to. Each session is one case."""
    closed: frozenset[str] = frozenset()
    """Sessions that were answered for, reviewed and put in order. All others are open."""
    undecided: frozenset[str] = frozenset()
    """Sessions whose answer may have arrived or not: their cases may be open or closed."""
    blind: bool = False
    """Something of the trail could not be read, which is a case of its own."""
    beside: frozenset[str] = frozenset()
    """Ids of resources that no call explains: what they differ in may be a case as well."""


Fault = Iterator[str]
SLACK = timedelta(minutes=5)
"""By so much the clocks of processes may differ."""


def faults(folder: Path, truth: Truth) -> list[str]:
    """What is wrong with the installation in a folder; empty: nothing is. No process of it may run."""
    database, register = folder / "driftwarden.db", folder / "tickets" / "cases"
    if not database.exists():
        return [f"{database}: there is no store"]
    with closing(sqlite3.connect(database)) as raw:  # by itself, before anything of ours opens it
        try:
            said = [str(row[0]) for row in raw.execute("PRAGMA integrity_check")]
        except sqlite3.DatabaseError as error:
            said = [str(error)]
        doubled = list(_doubled(raw)) if said == ["ok"] else []
    found = [f"integrity_check: {one}" for one in said if one != "ok"]
    if found:
        return found
    with connect(f"sqlite:///{database}") as store:
        # A row that is not as the ledger tells it may be a lie about the truth as well: both are told.
        known = verify(store, folder / "driftwarden.key").faults
        filed = dict(_register(register))
        checks: tuple[Fault, ...] = (
            _calls(store, truth),
            _cases(store, truth),
            _tickets(store.cases.listed(), filed),
            _outbox(store),
            _scans(store),
            _ledger(store),
        )
        return [*known, *doubled, *(fault for check in checks for fault in check), *_clutter(folder)]


def _rows(store: Store, query: str) -> list[Any]:
    with store.database.read() as connection:
        return list(connection.exec_driver_sql(query))


# --- what was done ---------------------------------------------------------------------------------------------


def _calls(store: Store, truth: Truth) -> Fault:
    """Every call is in the journal, has its finding or lies in a told gap, and waits for no scan."""
    told: Counter[str] = Counter()
    for known in store.findings.listed():
        told.update({event for item in known.finding.changes for event in item.change.event_ids})
    gaps = bool(_gaps(store))
    for event in truth.calls:
        if store.journal.entry(event) is None:
            if not gaps:
                yield f"call {event} is not in the journal, and no gap is told"
        elif told[event] == 0:
            yield f"call {event} has no finding"
        elif told[event] > 1:
            yield f"call {event} has {told[event]} findings"
    if Unjudged(store).found():
        yield f"entries wait for a scan: {sorted(Unjudged(store).found().events)}"


def _gaps(store: Store) -> list[Any]:
    shown = json.loads(store.scans.document() or b"null") or {}
    covered = shown.get("coverage", {"gaps": [], "trail": {"gaps": []}})
    return [*covered["gaps"], *covered["trail"]["gaps"]]


def _doubled(raw: sqlite3.Connection) -> Fault:
    """Nothing stands twice, by the tables themselves."""
    once = {
        "findings": ("id",),
        "trail_entries": ("event",),
        "verdicts": ("finding_id", "run_id"),
        "outbox": ("dedup_key",),
        "cases": ("key",),
        "reports": ("kind", "begins"),
        "pieces": ("sha256",),
    }
    for table, columns in once.items():
        names = ", ".join(columns)
        for row in raw.execute(f"SELECT {names}, count(*) FROM {table} GROUP BY {names} HAVING count(*) > 1"):
            yield f"{table}: {row[:-1]} stands there {row[-1]} times"


# --- cases and their tickets -----------------------------------------------------------------------------------


def _cases(store: Store, truth: Truth) -> Fault:
    """One case for each session, with all of its calls, open as long as nobody answered for it."""
    states = {session: set[str]() for session in truth.calls.values()}
    of: dict[str, list[Case]] = {event: [] for event in truth.calls}
    told = [known.finding for known in store.findings.listed()]
    expected = {one.id for one in told if (truth.blind and one.trail) or one.key.id in truth.beside}
    for record in store.cases.listed():
        case = record.case
        sessions = {truth.calls[event] for event in case.events if event in truth.calls}
        if not sessions and not expected.issuperset(case.findings):
            yield f"case {case.key} is about nothing that was done"
        for event in case.events:
            of.setdefault(event, []).append(case)
        for session in sessions:
            states[session].add(case.state)
    for event, cases in of.items():
        if len(cases) != 1:
            yield f"call {event} has {len(cases)} cases"
    for session, found in states.items():
        right = {"closed"} if session in truth.closed else {"open"}
        if found and found != right and session not in truth.undecided:
            yield f"session {session}: its case is {', '.join(sorted(found))}, and should be {', '.join(right)}"
    keys = Counter(session for session, cases in _by_session(of, truth) for _ in cases)
    yield from (f"session {session} has {count} cases" for session, count in keys.items() if count > 1)


def _by_session(of: Mapping[str, list[Case]], truth: Truth) -> Iterator[tuple[str, set[str]]]:
    for session in set(truth.calls.values()):
        events = [event for event, its in truth.calls.items() if its == session]
        yield session, {case.key for event in events for case in of[event]}


def _register(folder: Path) -> Iterator[tuple[str, Any]]:
    """What a person sees: files by their names; hidden ones are nobody's."""
    for file in sorted(folder.glob("*.yaml")):
        if not file.name.startswith("."):
            yield file.stem, YAML(typ="safe").load(file.read_text(encoding="utf-8"))


def _tickets(records: Iterable[CaseRecord], filed: Mapping[str, Any]) -> Fault:
    """One ticket for each case that is not held, in the same state, and none without a case."""
    by_case: dict[str, list[str]] = {}
    for ref, ticket in filed.items():
        by_case.setdefault(ticket["case"], []).append(ref)
        notes = [one.get("note") for one in ticket["history"] if one.get("note")]
        if len(notes) != len(set(notes)):
            yield f"ticket {ref} says something twice"
        if [one.get("state") for one in ticket["history"]].count("closed") > 1:
            yield f"ticket {ref} was closed twice"
    for record in records:
        case, refs = record.case, by_case.pop(record.case.key, [])
        if case.state == "held":
            continue
        if len(refs) != 1:
            yield f"case {case.key} has {len(refs)} tickets"
        elif case.ticket != refs[0]:
            yield f"case {case.key} names ticket {case.ticket or 'none'}, and {refs[0]} is its ticket"
        elif filed[refs[0]]["state"] != case.state:
            yield f"case {case.key} is {case.state}, and its ticket {refs[0]} is {filed[refs[0]]['state']}"
    yield from (f"tickets {', '.join(refs)} are of no case: {key}" for key, refs in by_case.items())


def _outbox(store: Store) -> Fault:
    """All of it is filed, once."""
    for row in _rows(store, "SELECT dedup_key, state, error FROM outbox WHERE state != 'sent'"):
        yield f"outbox: {row.dedup_key} is {row.state}: {row.error}"
    for row in _rows(store, "SELECT dedup_key FROM outbox WHERE state = 'sent' AND remote_ref = ''"):
        yield f"outbox: {row.dedup_key} is sent to nowhere"
    opened = Counter(row.case_key for row in _rows(store, "SELECT case_key FROM outbox WHERE action = 'open'"))
    yield from (f"outbox: case {key} is opened {count} times" for key, count in opened.items() if count > 1)


# --- scans and the ledger --------------------------------------------------------------------------------------


def _scans(store: Store) -> Fault:
    """A scan that did not reach its end left nothing, and is told as one that did not."""
    ended = Counter(event.body["run"] for event in _events(store) if event.kind == "scan.ended")
    for scan in store.scans.last(10_000):
        if scan.finished_at is None:
            if store.scans.document(scan.run_id) is not None or ended[scan.run_id]:
                yield f"scan {scan.run_id} is not over and is told to be"
            query = f"SELECT count(*) AS n FROM verdicts WHERE run_id = '{scan.run_id}'"
            if _rows(store, query)[0].n:
                yield f"scan {scan.run_id} is not over and left verdicts"
        elif ended[scan.run_id] != 1 or store.scans.document(scan.run_id) is None:
            yield f"scan {scan.run_id} is over: {ended[scan.run_id]} events of its end, or no document"
    for job in store.jobs.all().values():
        if job.ended_at is not None and job.began_at is not None and job.status not in ("ok", "failed"):
            yield f"job {job.name} ended, and nobody knows how"


def _ledger(store: Store) -> Fault:
    """What happens once is told once, and where times run backwards it is told that the clock did."""
    told: Counter[tuple[str, str]] = Counter()
    times = [event.at for event in _events(store)]
    back = sum(later - earlier < -SLACK for earlier, later in itertools.pairwise(times))
    set_back = sum(event.kind == "clock.jump" and event.body["seconds"] < 0 for event in _events(store))
    if back > set_back:
        yield f"ledger: its times run backwards {back} times, and the clock was set back {set_back} times"
    for event in _events(store):
        if event.kind in ("case.opened", "case.closed"):
            told[event.kind, event.body["case"]] += 1
        elif event.kind in ("finding.opened", "finding.closed"):
            told[event.kind, event.body["finding"]] += 1
        elif event.kind == "case.filed":
            told[event.kind, event.body["outbox"]] += 1
        elif "declaration" in event.body:
            told[event.kind, event.body["declaration"]] += 1
    yield from (f"ledger: {kind} of {what} {count} times" for (kind, what), count in told.items() if count > 1)
    found = {known.finding.id: known.closed_at for known in store.findings.listed()}
    for kind, what in told:
        if kind == "finding.opened" and what not in found:
            yield f"finding {what} was opened and is gone"
        elif kind == "finding.opened" and (found[FindingId(what)] is None) != (("finding.closed", what) not in told):
            yield f"finding {what} is over, or is not, and the ledger says otherwise"
    opened = {what for kind, what in told if kind == "case.opened"}
    yield from (
        f"ledger: case {one.case.key} was never opened" for one in store.cases.listed() if one.case.key not in opened
    )


def _events(store: Store) -> tuple[Any, ...]:
    return store.ledger.events(limit=10**6)


# --- what a death may leave lying about --------------------------------------------------------------------------


def _clutter(folder: Path) -> Fault:
    """Half-written files are there at most under names that nothing takes for the truth."""
    key = folder / "driftwarden.key"
    if key.exists() and len(key.read_bytes()) % 32:
        yield f"{key}: is half a key"
    backups = [file for file in (folder / "backups").glob("*") if not _half(file)]
    looked: Callable[[Path], Any] = verify_backup
    for file in backups:
        try:
            yield from (f"{file.name}: {fault}" for fault in looked(file).faults)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it is what is looked for
            yield f"{file.name}: {error}"


def _half(file: Path) -> bool:
    return file.name.startswith(".") or file.suffix == ".partial" or not file.is_file()

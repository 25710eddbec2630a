"""What driftwarden remembers: the trail, scans, states, findings and verdicts, cases, declarations, ledger, jobs.

Hides which database holds it (SQLite by default, PostgreSQL by URL) and every lock, lease, fence and transaction.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType

from agent.store.brought import Brought, together
from agent.store.cases import CaseRecord, Cases
from agent.store.database import Database, Fenced, StoreError, open_database, version_of
from agent.store.declarations import Declarations, Settings
from agent.store.findings import Findings, Judgement, Known, Seen
from agent.store.jobs import Job, Jobs
from agent.store.journal import Journal, Kept, Position
from agent.store.leadership import Leader, Leadership
from agent.store.ledger import Event, Head, Ledger, Verification
from agent.store.lock import StoreLock, exclusive
from agent.store.looks import Looks
from agent.store.outbox import Entry, Outbox
from agent.store.policy import PolicyFiles
from agent.store.readings import Reading, Readings
from agent.store.reports import Made, Reports
from agent.store.scans import Scan, ScanCommit, ScanKind, Scans
from agent.store.states import States
from agent.store.tolerated import Uses
from agent.store.units import Unit, Units, UnitSpec

__all__ = [
    "Brought",
    "CaseRecord",
    "Entry",
    "Event",
    "Fenced",
    "Head",
    "Job",
    "Journal",
    "Judgement",
    "Kept",
    "Known",
    "Leader",
    "Made",
    "Position",
    "Reading",
    "Scan",
    "ScanCommit",
    "ScanKind",
    "Seen",
    "Store",
    "StoreError",
    "StoreLock",
    "Unit",
    "UnitSpec",
    "Verification",
    "connect",
    "together",
    "version_of",
]


@dataclass(frozen=True, slots=True)
class Store:
    """An open store. Threads may share it; a forked process must open its own."""

    database: Database
    scans: Scans
    units: Units
    findings: Findings
    readings: Readings
    states: States
    cases: Cases
    outbox: Outbox
    ledger: Ledger
    journal: Journal
    declarations: Declarations
    settings: Settings
    policy: PolicyFiles
    uses: Uses
    leadership: Leadership
    jobs: Jobs
    looks: Looks
    reports: Reports

    def exclusive(self, what: str) -> AbstractContextManager[None]:
        """Only one process, and one thread of it, is inside at a time; waits for its turn, but one of a later fence not
        for those of earlier ones, whose writes are refused.

        Not to be entered twice by one thread. Raises StoreError, also where the turn does not come.
        """
        return exclusive(self.database, what)

    def close(self) -> None:
        """Closes every connection."""
        self.database.engine.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def connect(url: str, *, fence: int | None = None) -> Store:
    """Opens the store at `sqlite:///path` or `postgresql://…`, creates it where the database is empty, and brings an
    older one up to this version. With the `fence` of a leader, every write raises Fenced once another leads.

    Raises StoreError: the URL is no store, or the database cannot be reached, belongs to another program or to a
    newer version of this one.
    """
    database = open_database(url, fence)
    return Store(
        database,
        Scans(database),
        Units(database),
        Findings(database),
        Readings(database),
        States(database),
        Cases(database),
        Outbox(database),
        Ledger(database),
        Journal(database),
        Declarations(database),
        Settings(database),
        PolicyFiles(database),
        Uses(database),
        Leadership(database),
        Jobs(database),
        Looks(database),
        Reports(database),
    )

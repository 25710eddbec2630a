"""What driftwarden remembers: the trail, scans, states, findings and verdicts, cases, declarations, outbox, ledger.

Hides which database holds it (SQLite by default, PostgreSQL by URL) and every lock, lease and transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType

from agent.store.cases import CaseRecord, Cases
from agent.store.database import Database, StoreError, open_database
from agent.store.declarations import Declarations, Settings
from agent.store.findings import Findings, Judgement, Known, Seen
from agent.store.journal import Journal, Kept, Position
from agent.store.ledger import Event, Head, Ledger, Verification
from agent.store.outbox import Entry, Outbox
from agent.store.policy import PolicyFiles
from agent.store.readings import Reading, Readings
from agent.store.scans import Scan, ScanCommit, Scans
from agent.store.states import States
from agent.store.tolerated import Uses
from agent.store.units import Unit, Units, UnitSpec

__all__ = [
    "CaseRecord",
    "Entry",
    "Event",
    "Head",
    "Journal",
    "Judgement",
    "Kept",
    "Known",
    "Position",
    "Reading",
    "Scan",
    "ScanCommit",
    "Seen",
    "Store",
    "StoreError",
    "Unit",
    "UnitSpec",
    "Verification",
    "connect",
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

    def close(self) -> None:
        """Closes every connection."""
        self.database.engine.dispose()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def connect(url: str) -> Store:
    """Opens the store at `sqlite:///path` or `postgresql://…`, creates it where the database is empty, and brings an
    older one up to this version.

    Raises StoreError: the URL is no store, or the database cannot be reached, belongs to another program or to a
    newer version of this one.
    """
    database = open_database(url)
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
    )

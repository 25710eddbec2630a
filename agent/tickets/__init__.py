"""Ticket systems: where authority is looked up and cases are filed. One file per system.

Every adapter keeps one contract (`TicketSystem`) and passes one shared contract test (`tests/tickets`).
"""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from agent.model import Case, Tickets


class TicketError(Exception):
    """The system did not do what was asked.

    `permanent` says that trying again cannot help (refused credentials, a request it will never take).
    """

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


class TicketSystem(Protocol):
    """What driftwarden asks of a ticket system."""

    name: str

    def lookup(self, refs: Collection[str], start: datetime, end: datetime) -> Tickets:
        """Tickets named in `refs`, and every ticket whose window or history meets the interval, with their history.

        Never raises for a system that does not answer: that is named in `Tickets.unanswered`.
        """

    def find(self, case: Case) -> str | None:
        """Reference of the ticket filed earlier for this case, by its key or any finding id; None where none is open.

        Raises `TicketError`.
        """

    def open(self, case: Case) -> str:
        """File the case and give the ticket's reference. Raises `TicketError`."""

    def update(self, ref: str, note: str) -> None:
        """Add a note to a ticket. Raises `TicketError`."""

    def close(self, ref: str, reason: str) -> None:
        """Close a ticket with a reason; closing a closed one changes nothing. Raises `TicketError`."""

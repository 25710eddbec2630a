"""Ticket systems: where authority is looked up and cases are filed. One file per system.

Every adapter keeps one contract (`TicketSystem`) and passes one shared contract test (`tests/tickets`). A file that has
`Settings`, the table `[tickets.NAME]` as a msgspec Struct, and `open_system(settings, base)` is a system: its name is
the system's.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

import msgspec

from agent.model import Case, Merge, Tickets


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the configuration."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What somebody wrote into the ticket of a case."""

    id: str
    """Unique in its system."""
    at: datetime
    by: str
    """Their name there: the system knows who was logged in."""
    text: str


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

    def replies(self, ref: str, since: datetime | None = None) -> tuple[Reply, ...]:
        """What people other than ourselves wrote into a case's ticket, oldest first.

        Empty for a system that does not know who was logged in. Raises `TicketError`.
        """


@runtime_checkable
class Forge(Protocol):
    """A ticket system that also knows reviews and checks of commits."""

    def merges(self, commits: Collection[tuple[str, str]]) -> tuple[tuple[Merge, ...], tuple[str, ...]]:
        """What is known of (repository, commit) pairs, and a reason for each question that was not answered.

        The repository is `owner/name`, or empty for the configured one. A commit nobody knows is in neither. Never
        raises.
        """

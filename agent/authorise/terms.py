"""One ticket under one set of terms, made ready to be asked about moments.

Hides its history: what state it was in and whose approvals it had after each entry.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime

from agent.authorise.people import People
from agent.authorise.scopes import Covering
from agent.model import Result, Test, Ticket, TicketEvent

Approval = tuple[str, str]
"""Who approved, as the system calls them, and the group they spoke for."""


@dataclass(frozen=True, slots=True)
class Timed:
    """A test's answer but for the moment that its evidence names: one for all changes it is the answer of."""

    name: str
    result: Result
    before: str
    """What the evidence says before the moment, and after it."""
    after: str = ""

    def told(self, when: str) -> Test:
        """The test as it is told of a moment, which `shown` gives."""
        return Test(self.name, self.result, f"{self.before}{when}{self.after}")


Answer = Test | Timed


class History:
    """Entries in the order of time; those of the same moment in the order they were given in."""

    __slots__ = ("approvals", "states", "times")

    def __init__(self, entries: tuple[TicketEvent, ...], people: People) -> None:
        """The lists `states` and `approvals` begin with how things were before the first entry."""
        self.times: list[datetime] = []
        self.states: list[str] = [""]
        self.approvals: list[tuple[Approval, ...]] = [()]
        current: dict[Approval, Approval] = {}
        for entry in sorted(entries, key=lambda one: one.at):
            if entry.approved_by:
                # For the same person another group is another approval, and another user name is not.
                current[people.one(entry.approved_by, entry.at), entry.group] = (entry.approved_by, entry.group)
            if entry.withdrawn_by:
                gone = people.one(entry.withdrawn_by, entry.at)
                current = {key: value for key, value in current.items() if key[0] != gone}
            self.times.append(entry.at)
            self.states.append(entry.state or self.states[-1])
            self.approvals.append(tuple(sorted(current.values())))

    def epoch(self, at: datetime) -> int:
        """How many entries there were by that moment."""
        return bisect_right(self.times, at)

    def steady(self, epoch: int) -> tuple[float, float]:
        """From which entry to which nothing was entered, in seconds since 1970."""
        times = self.times
        begins = times[epoch - 1].timestamp() if epoch else -math.inf
        return begins, times[epoch].timestamp() if epoch < len(times) else math.inf

    def since(self, after: datetime, until: datetime) -> list[datetime]:
        """The moments in an interval, its beginning left out, at which something was entered."""
        return self.times[self.epoch(after) : self.epoch(until)]


class Terms:
    """A ticket, with what has been worked out about it."""

    __slots__ = (
        *("_history", "_people", "at_epoch", "begins", "covering", "ends", "in_window", "kept"),
        *("order", "planned", "ref", "since", "ticket"),
    )

    def __init__(self, ticket: Ticket, people: People, tolerance: float, number: int) -> None:
        """`number`: its own among all terms, by content among those of one ticket."""
        self.ticket = ticket
        self.ref = ticket.ref
        start, end = ticket.start, ticket.end
        # Seconds: a ticket may name a year that no date less a tolerance can.
        self.begins = -math.inf if start is None else start.timestamp() - tolerance
        self.ends = math.inf if end is None else end.timestamp() + tolerance
        self.order = (ticket.ref, ticket.system, self.begins, self.ends, len(ticket.history), number)
        """Where it stands among others, whatever order they came in."""
        self.planned = f"{shown(start) if start else 'open'} to {shown(end) if end else 'open'}"
        self.covering = Covering(ticket.scope)
        self.at_epoch: dict[int, Timed] = {}
        """Of `state`: the answer after so many entries."""
        self.in_window: dict[int, Timed] = {}
        """Of `window`: the answer before it (-1), within it (0) and after it (1)."""
        self.kept: dict[object, Answer] = {}
        """Answers that hold for more than one change, by what they depend on."""
        self.since: dict[tuple[int, int], tuple[str, ...]] = {}
        self._people = people
        self._history: History | None = None

    @property
    def history(self) -> History:
        """Worked out when it is first asked for: of most tickets it never is."""
        if self._history is None:
            self._history = History(self.ticket.history, self._people)
        return self._history


def shown(moment: datetime) -> str:
    """A moment as evidence names it."""
    return f"{str(moment)[:19]} UTC"

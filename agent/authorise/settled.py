"""A verdict but for what each change says of itself: its moment, and what was said of it before.

Hides how it is told of one of the changes it holds for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agent.authorise.terms import Answer, Timed, shown
from agent.model import Authority, Change, Outcome, Risk, Test, Verdict

_BEFORE: tuple[Outcome, ...] = ("unauthorised", "indeterminate", "regularised")
"""Outcomes after which authority is found late."""


@dataclass(slots=True)
class Settled:
    """What holds for every change that is alike and was made between two moments."""

    outcome: Outcome
    tests: Sequence[Answer]
    path: str
    ticket: str
    late: bool
    risk: Risk | None
    grant: str
    since: tuple[str, ...]
    environment: str
    begins: float
    """Seconds since 1970; neither end belongs to it."""
    ends: float
    _told: list[Test] = field(init=False)
    """Tests as they are told; of those that name the moment, as of none."""
    _timed: list[tuple[int, Timed]] = field(init=False)

    def __post_init__(self) -> None:
        self._told = [one if isinstance(one, Test) else one.told("") for one in self.tests]
        self._timed = [(number, one) for number, one in enumerate(self.tests) if not isinstance(one, Test)]

    def verdict(self, change: Change, now: datetime, authority: Authority) -> Verdict:
        """The verdict on one of these changes, as it is to be told at `now`."""
        outcome, late = self.outcome, self.late
        if outcome == "authorised":
            history = authority.history
            late = bool(history) and any(history.get(event) in _BEFORE for event in change.event_ids)
        elif outcome == "indeterminate" and now - change.time < timedelta(seconds=authority.grace):
            outcome = "pending"
        tests = self._told.copy()
        if self._timed:
            when = shown(change.time)
            for number, answer in self._timed:
                tests[number] = answer.told(when)
        return Verdict(
            outcome,
            tuple(tests),
            self.path,
            self.ticket,
            late,
            self.risk,
            self.grant,
            self.since,
            "",
            self.environment,
        )

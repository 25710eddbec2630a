"""A verdict as a report shows it: outcome, path, tests, risk, and what became of the ticket since.

Hides that a document written by an earlier version tells no risk, no emergency and no exception.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

AUTHORISED = ("authorised", "authorised-emergency")


@dataclass(frozen=True, slots=True)
class Tested:
    """One test of a verdict."""

    name: str
    result: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Weighed:
    """How much care the change asks for."""

    level: str
    score: int
    reasons: tuple[str, ...]
    approvals: int
    group: str

    @property
    def needs(self) -> str:
        """`2 approvals, one of security`."""
        count = f"{self.approvals:,} approval{'' if self.approvals == 1 else 's'}" if self.approvals else "no approval"
        return f"{count}, one of them from {self.group}" if self.group else count


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict."""

    outcome: str
    path: str
    ticket: str
    late: bool
    tests: tuple[Tested, ...]
    risk: Weighed | None = None
    grant: str = ""
    """Id of the emergency that covers it."""
    since: tuple[str, ...] = ()
    """What became of the ticket after the change; it changes nothing."""
    covered_by: str = ""
    """Id of the exception or baseline entry that covers it."""

    @property
    def passed(self) -> int:
        """How many of the tests passed."""
        return sum(test.result == "pass" for test in self.tests)

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the tests that failed."""
        return tuple(test.name for test in self.tests if test.result == "fail")


def judged(item: Mapping[str, Any]) -> Judged:
    """Of a verdict in the document."""
    risk = item.get("risk")
    return Judged(
        item["outcome"],
        item["path"],
        item["ticket"] or "",
        item["late"],
        tuple(Tested(test["name"], test["result"], test["evidence"]) for test in item["tests"]),
        _weighed(risk) if risk else None,
        item.get("grant") or "",
        tuple(item.get("since", ())),
        item.get("covered_by") or "",
    )


def _weighed(item: Mapping[str, Any]) -> Weighed:
    return Weighed(item["level"], item["score"], tuple(item["reasons"]), item["approvals"], item["group"] or "")

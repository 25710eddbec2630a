"""Permission: tickets as their systems record them, and the verdict on a change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from agent.model.people import Directory

Result = Literal["pass", "fail", "unknown"]
Outcome = Literal[
    "authorised",
    "authorised-emergency",
    "pending-documentation",
    "unauthorised",
    "service-made",
    "unapplied",
    "pending",
    "indeterminate",
    "excepted",
    "baselined",
    "regularised",
]

OUTCOMES: tuple[Outcome, ...] = (
    "unauthorised",
    "indeterminate",
    "pending-documentation",
    "regularised",
    "pending",
    "excepted",
    "baselined",
    "unapplied",
    "authorised-emergency",
    "authorised",
    "service-made",
)
"""Worst first: a finding takes the worst outcome of its parts."""


@dataclass(frozen=True, slots=True)
class TicketEvent:
    """One entry of a ticket's history."""

    at: datetime
    state: str = ""
    """The state it entered; empty where the entry is no transition."""
    approved_by: str = ""
    withdrawn_by: str = ""
    """Whose approval ended here, taken back or struck out."""


@dataclass(frozen=True, slots=True)
class TicketScope:
    """What a ticket covers; shell-style wildcards. Empty everywhere covers nothing."""

    addresses: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    """ARNs, ids or names."""
    types: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ticket:
    """Permission as its system records it."""

    ref: str
    system: str
    title: str = ""
    url: str = ""
    kind: Literal["normal", "standard", "emergency"] = "normal"
    """`standard` is ITIL's word for a pre-approved change."""
    requester: str = ""
    implementer: str = ""
    scope: TicketScope = TicketScope()
    start: datetime | None = None
    end: datetime | None = None
    history: tuple[TicketEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class Tickets:
    """What the ticket systems answered: a system that did not answer is named, not forgotten."""

    found: tuple[Ticket, ...] = ()
    unanswered: tuple[str, ...] = ()
    """Reason per system that could not be read."""


@dataclass(frozen=True, slots=True)
class Test:
    """One named test of a verdict, with the evidence that decided it."""

    name: str
    result: Result
    evidence: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Was it authorised, by what, and which test says so."""

    outcome: Outcome
    tests: tuple[Test, ...] = ()
    path: str = ""
    """The path that passed, or came nearest: pipeline, manual, standing, emergency."""
    ticket: str = ""
    late: bool = False

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the failed tests."""
        return tuple(test.name for test in self.tests if test.result == "fail")


NOT_JUDGED = Verdict("indeterminate")
"""What a finding holds before the authorise stage."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A trusted deployer: its role, and what besides the role proves that it is the pipeline and not a person in it."""

    name: str
    role: str
    """Wildcard over the role's ARN."""
    subject: str = ""
    """Wildcard over the OIDC subject."""
    source_identity: str = ""
    source_ips: tuple[str, ...] = ()
    """CIDR blocks."""
    service: str = ""
    """AWS service that STS issues the role to, for example `codedeploy.amazonaws.com`."""


@dataclass(frozen=True, slots=True)
class Authority:
    """Everything a verdict rests on besides the change: tickets, trusted pipelines, the identity map, the policy."""

    tickets: Tickets = field(default_factory=Tickets)
    pipelines: tuple[Pipeline, ...] = ()
    directory: Directory = field(default_factory=Directory)
    people: Mapping[str, str] = field(default_factory=dict)
    """AWS principal name (or wildcard over its ARN) → user in the ticket system."""
    paths: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Path → required tests; empty: `authorise.PATHS`."""
    approved_states: frozenset[str] = frozenset({"approved", "scheduled", "implement", "implementing", "in progress"})
    tolerance: int = 0
    """Seconds: how far outside a ticket's window a call may fall."""
    approvals: int = 1
    grace: int = 15 * 60
    """Seconds: how long evidence may still arrive (CloudTrail delivers in about 5 minutes, LookupEvents in 15)."""

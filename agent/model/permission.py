"""Permission: what authority rests on, and the verdict on a change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from agent.model.declarations import Emergency
from agent.model.people import Directory
from agent.model.tickets import Calendar, Tickets

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
class Risk:
    """How much care a change asks for, and why."""

    level: Literal["low", "medium", "high"]
    score: int
    reasons: tuple[str, ...]
    """One for each weight that counted: `environment production +3`."""
    approvals: int = 1
    group: str = ""
    """Group one of the approvers must be in."""


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
    """Evidence that was found, or a document that was written, too late."""
    risk: Risk | None = None
    grant: str = ""
    """Id of the break-glass window or session that covers the change."""
    since: tuple[str, ...] = ()
    """What became of the ticket after the change: reopened, approval withdrawn. It changes nothing."""
    covered_by: str = ""
    """Id of the exception or baseline entry that covers it."""
    environment: str = ""
    """Where the resource belongs: `production` for all that is production, whatever it is called; empty: not known."""

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
class Policy:
    """Which tests are required where. Of several that fit a change the first counts."""

    environments: tuple[str, ...] = ("*",)
    types: tuple[str, ...] = ("*",)
    risks: tuple[str, ...] = ("*",)
    paths: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Path → required tests; a path left out keeps its default, an empty one is closed."""
    approvals: int | None = None
    """At least so many; None: as the risk asks."""


@dataclass(frozen=True, slots=True)
class Environments:
    """Which environment a resource belongs to. A live tag may only raise it, never lower it."""

    stacks: Mapping[str, str] = field(default_factory=dict)
    accounts: Mapping[str, str] = field(default_factory=dict)
    tag: str = "Environment"
    production: tuple[str, ...] = ("production", "prod")
    """Names of production: what any of stack, account or tag calls so is production."""


@dataclass(frozen=True, slots=True)
class Weights:
    """How risk is scored: `rules/risk.yaml`."""

    environments: Mapping[str, int] = field(default_factory=dict)
    topics: Mapping[str, int] = field(default_factory=dict)
    """network, identity, encryption, data, logging, exposure, compute, metadata → points."""
    acts: Mapping[str, int] = field(default_factory=dict)
    sizes: tuple[tuple[int, int], ...] = ()
    """(resources in the session at least, points), largest first."""
    failures: int = 0
    """Points times the share of such changes that ended in a case."""
    levels: tuple[tuple[str, int, int, str], ...] = ()
    """(level, from score, approvals, group), highest first."""


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
    policies: tuple[Policy, ...] = ()
    approved_states: frozenset[str] = frozenset({"approved", "scheduled", "implement", "implementing", "in progress"})
    done_states: frozenset[str] = frozenset({"implemented", "review", "closed", "done", "resolved", "complete"})
    """States that say the change was made."""
    tolerance: int = 0
    """Seconds: how far outside a ticket's window a call may fall."""
    approvals: int = 1
    """At least so many, whatever the risk asks."""
    grace: int = 15 * 60
    """Seconds: how long evidence may still arrive (CloudTrail delivers in about 5 minutes, LookupEvents in 15)."""
    calendar: Calendar = field(default_factory=Calendar)
    permitted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Environment (wildcard) → groups that may change it; empty: not asked."""
    environments: Environments = field(default_factory=Environments)
    weights: Weights | None = None
    """None: risk is not scored, and `approvals` counts."""
    failures: Mapping[str, float] = field(default_factory=dict)
    """Resource type → share of its recent changes that ended in a case, 0 to 1."""
    history: Mapping[str, Outcome] = field(default_factory=dict)
    """Id of an event → the outcome the change had in the last scan that judged it."""
    emergencies: tuple[Emergency, ...] = ()
    """Break-glass sessions and windows, as far as calls were made in them."""

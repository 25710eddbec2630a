"""What people answer: findings, violations, cases, and what is to be done about them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NewType

from agent.model.declarations import Emergency
from agent.model.permission import NOT_JUDGED, Verdict
from agent.model.sides import Drift, GapCause, Key
from agent.model.trail import Change

FindingId = NewType("FindingId", str)
CaseKey = NewType("CaseKey", str)

Severity = Literal["low", "medium", "high", "critical"]
StateCause = Literal[
    "", "state-lineage-changed", "state-serial-backwards", "state-other-account", "state-edited", "declared-twice"
]
"""What a finding about a state tells of; empty: the finding is about a resource or the trail."""
Status = Literal["clean", "violations", "incomplete", "held"]
CaseState = Literal["open", "closed", "held"]

SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high", "critical")
"""Mildest first."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A change that may explain a finding's drift."""

    change: Change
    score: float
    """0 to 1; see `explain.THRESHOLD`."""
    why: str
    together: tuple[tuple[str, ...], ...] = ()
    """Event ids of the other calls of the same explanation: of one session, shortly one after the other, each the
    cause of something else that differs."""


@dataclass(frozen=True, slots=True)
class JudgedChange:
    """A change on the finding's resource, with its own verdict."""

    change: Change
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Finding:
    """One resource's story: drift, change, or both."""

    id: FindingId
    key: Key
    address: str = ""
    stack: str = ""
    owner: str = ""
    drifts: tuple[Drift, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    """Best first; empty or below the threshold means the actor is unknown."""
    changes: tuple[JudgedChange, ...] = ()
    verdict: Verdict = NOT_JUDGED
    unexplained: str = ""
    """Why no change explains the drift; empty where one does."""
    cause: StateCause = ""
    trail: GapCause = ""
    """What a finding about the trail tells of."""
    least: int = 0
    """At least how many of what it tells of there are, where that grows without an event that anybody answers for."""
    notes: tuple[str, ...] = ()
    """What else is known, one line each: how the state took part in it."""

    @property
    def differences(self) -> tuple[Drift, ...]:
        """Its drifts without what is only merged and not applied: what live and declared disagree about."""
        return tuple(drift for drift in self.drifts if drift.kind != "unapplied")

    @property
    def to_explain(self) -> tuple[Drift, ...]:
        """Its differences that somebody made: not those in no configured stack, which may be as they should be."""
        return tuple(drift for drift in self.differences if drift.note != "unlisted")


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule broken by a finding."""

    rule: str
    severity: Severity
    controls: tuple[str, ...]
    finding: FindingId
    why: str = ""
    indeterminate: bool = False
    """A fact that decides the rule is not known."""
    observed: bool = False
    """The rule is only observed: told, and no case and no exit code."""


@dataclass(frozen=True, slots=True)
class Case:
    """What a person answers: one actor session, or one resource."""

    key: CaseKey
    title: str
    findings: tuple[FindingId, ...]
    severity: Severity
    rules: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    state: CaseState = "open"
    ticket: str = ""
    """Reference in the ticket system, once filed."""
    opened_at: datetime | None = None
    events: tuple[str, ...] = ()
    """Ids of the CloudTrail events it answers for: a change belongs to one case for ever."""
    body: str = ""
    """What the ticket says, in plain text lines; adapters escape it for their system."""
    grant: str = ""
    """Id of the emergency it is about; empty: not break-glass."""
    deadline: datetime | None = None
    """Until when the emergency must be documented."""
    stage: str = ""
    """Of an emergency: `model.EmergencyState`; `open` for a window in which nothing was called yet; once it is accepted
    `way-back` until it is under control, then `post-implementation` where a review after the work is due."""
    told: tuple[str, ...] = ()
    """Which reminders, escalations and reviews were told of, each once; and when it last got new events."""
    emergencies: tuple[Emergency, ...] = ()
    """The emergencies it is about as they last were: calls outlive the trail they were read from."""
    actors: tuple[str, ...] = ()
    """Whose changes it answers for: ids in the identity map, else the actors' names."""


@dataclass(frozen=True, slots=True)
class Open:
    """File this case."""

    case: Case


@dataclass(frozen=True, slots=True)
class Update:
    """Tell an open case's ticket what is new."""

    case: Case
    note: str


@dataclass(frozen=True, slots=True)
class Close:
    """Its findings are gone: close the case."""

    case: Case
    reason: str


@dataclass(frozen=True, slots=True)
class Held:
    """Too much changed at once to be believed: these cases wait until two people accept them."""

    cases: tuple[Case, ...]
    why: str


Action = Open | Update | Close | Held

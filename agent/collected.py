"""What one scan looks at, and what it found: what goes into the line and what comes out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from agent.compare import Hidden
from agent.focus import EVERYTHING, Focus
from agent.judge import Rule
from agent.model import (
    Action,
    Authority,
    CaseKey,
    Declaration,
    Drift,
    Emergency,
    EmergencyRole,
    Finding,
    Gap,
    Hit,
    JudgedChange,
    Key,
    Limit,
    Resource,
    Snapshot,
    StateRead,
    Status,
    Tolerated,
    Trail,
    Unapplied,
    Violation,
)
from agent.performed import Performed
from agent.plan import Known
from agent.resources import Spec


@dataclass(frozen=True, slots=True)
class Reading:
    """A live reading nobody objected to, and when it was taken."""

    attributes: Mapping[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class BreakGlass:
    """What people declared, and by which rules an emergency is judged."""

    declarations: Sequence[Declaration] = ()
    """All there are."""
    roles: Sequence[EmergencyRole] = ()
    document_within: timedelta = timedelta(hours=24)
    remind: tuple[timedelta, ...] = ()
    """How long before the deadline reminders are sent."""
    escalate: tuple[str, ...] = ()
    """Whom an overdue emergency is told to: those who may approve."""
    released: tuple[CaseKey, ...] = ()
    """Held cases that two people let go."""
    unheard: tuple[str, ...] = ()
    """Why something that people said could not be read."""


@dataclass(frozen=True, slots=True)
class Permissive:
    """What may differ for now, and how a live value is recognised."""

    tolerated: Tolerated = field(default_factory=Tolerated)
    digest: Callable[[Drift], Collection[str]] = repr
    """Keyed hashes of a difference's live value, one for each install key."""
    critical: Callable[[Finding], bool] = bool
    """What no baseline may hold."""


@dataclass(frozen=True, slots=True)
class Collected:
    """Everything one scan looks at."""

    declared: Snapshot
    live: Snapshot
    trail: Trail
    read: frozenset[tuple[str, str]]
    """Account and region pairs the live reader was told to read."""
    accepted: Mapping[Key, Reading]
    known: Known
    authority: Authority
    rules: Sequence[Rule]
    specs: Mapping[str, Spec]
    complete: bool = False
    """Whether the declared side is all there is: `[estate] complete`."""
    states: Mapping[str, StateRead] = field(default_factory=dict)
    """Stack → its state as the last scan that could judge it read it."""
    earlier: tuple[Finding, ...] = ()
    """Open findings about states, from earlier scans."""
    breakglass: BreakGlass = BreakGlass()
    permissive: Permissive = Permissive()
    observed: frozenset[str] = frozenset()
    """Stacks in observe mode: no case is opened for what is found of them."""
    focus: Focus = EVERYTHING
    """What the scan is about. `declared` is the whole declared side in any case; `live` has what is in the focus."""
    news: frozenset[str] = frozenset()
    """Events that the scan is made for: their changes are judged even where nothing of their targets is known."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What a scan of the whole estate leaves out because looks read it later, as those found it."""

    findings: tuple[Finding, ...] = ()
    violations: tuple[Violation, ...] = ()
    compared: int = 0
    """Declared resources among it."""
    live: int = 0


@dataclass(frozen=True, slots=True)
class Scan:
    """What one scan found, and what is to be done."""

    at: datetime
    read_at: datetime
    """When the live side was read: from then on a change may be missing from it."""
    status: Status
    drifts: tuple[Drift, ...]
    changes: tuple[JudgedChange, ...]
    """The changes the trail showed, with the verdict over all their targets: every one, but where `focus` names keys;
    then those that have to do with these, with an open case or with an emergency."""
    findings: tuple[Finding, ...]
    violations: tuple[Violation, ...]
    actions: tuple[Action, ...]
    gaps: tuple[Gap, ...]
    limits: tuple[Limit, ...]
    declared: int
    compared: int
    live: int
    attributes: int
    accept: tuple[Resource, ...]
    """Live readings to take as the reference for what the code does not set."""
    forget: tuple[Key, ...]
    """Accepted readings of what is gone from both sides: if it comes back, it is new."""
    pending: tuple[Unapplied, ...]
    """Resources that are merged and not applied as a whole."""
    states: tuple[StateRead, ...]
    """The states as they were read."""
    keep: tuple[StateRead, ...]
    """Of them, what the next scan holds its own reading against."""
    emergencies: tuple[Emergency, ...] = ()
    performed: tuple[Performed, ...] = ()
    """The requested changes and the performed ones, side by side; nothing where `focus` names keys."""
    tolerated: Tolerated = field(default_factory=Tolerated)
    hits: tuple[Hit, ...] = ()
    """What of it covered something."""
    focus: Focus = EVERYTHING
    """What it was about."""
    carried: Carried = Carried()
    """Open beside it, and not to be kept anew."""

    def unread(self) -> Hidden:
        """What this scan could not read, or was not about: nothing inside it is fixed."""
        return Hidden(self.gaps, self.focus)

"""Tickets and merges as their systems record them, approved plans, change freezes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from agent.model.trail import Act


@dataclass(frozen=True, slots=True)
class TicketEvent:
    """One entry of a ticket's history."""

    at: datetime
    state: str = ""
    """The state it entered; empty where the entry is no transition."""
    approved_by: str = ""
    withdrawn_by: str = ""
    """Whose approval ended here, taken back or struck out."""
    group: str = ""
    """The approval group the approver spoke for, where the system has such groups."""


@dataclass(frozen=True, slots=True)
class TicketScope:
    """What a ticket covers; shell-style wildcards. Empty everywhere covers nothing.

    A resource is covered by any of `addresses`, `resources`, `types`, `tags`, `names`, within all of `accounts`,
    `environments`, `attributes`, `actions` that are given; with only some of these four, whatever lies within them.
    """

    addresses: tuple[str, ...] = ()
    """Terraform addresses, `stack/address` where two stacks share one."""
    resources: tuple[str, ...] = ()
    """ARNs, ids or names."""
    types: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    """`Name=value`, each side a wildcard."""
    names: tuple[str, ...] = ()
    """Names of configuration items: matched with the resource's Name tag, the last part of its ids, and its stack."""
    attributes: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    """API calls: `autoscaling:SetDesiredCapacity`."""


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """What an approved plan does to one address."""

    address: str
    act: Act
    type: str = ""
    ids: tuple[str, ...] = ()
    """Identifiers of what is there already."""
    sets: Mapping[str, Any] = field(default_factory=dict)
    """Attribute → value after; `Unknown` until applied, `Secret` where sensitive."""
    replaces: bool = False
    """Deleted and created again."""
    changed: tuple[str, ...] = ()
    """Attributes of `sets` that are not as they were before."""


@dataclass(frozen=True, slots=True)
class ApprovedPlan:
    """The plan that a ticket's approval was given for."""

    fingerprint: str
    """`sha256:…` of what it changes."""
    changes: tuple[PlannedChange, ...] | None = None
    """None: the ticket holds only the fingerprint, and no plan with it was found."""
    why: str = ""
    """Why the changes are not known."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """Permission as its system records it, under one set of terms.

    A ticket whose terms were edited after somebody agreed to them comes once for each set of terms, each with the
    history that belongs to it.
    """

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
    plan: ApprovedPlan | None = None
    groups: tuple[str, ...] = ()
    """Groups whose members may make a standard change; empty: whoever is known."""
    incomplete: str = ""
    """Why its history cannot be relied on: cut short, or edited where the system keeps no old text."""


@dataclass(frozen=True, slots=True)
class Merge:
    """What a forge says of a commit that was merged."""

    commit: str
    system: str
    repository: str = ""
    ref: str = ""
    """Of the pull or merge request: `#12`, `!12`."""
    url: str = ""
    author: str = ""
    merged_by: str = ""
    merged_at: datetime | None = None
    history: tuple[TicketEvent, ...] = ()
    """Reviews: `approved_by`, `withdrawn_by`."""
    checks: Literal["passed", "failed", "pending", "none"] = "none"
    """Of the commit, all required ones together."""
    references: tuple[str, ...] = ()
    """Tickets that the request's title and text name."""


@dataclass(frozen=True, slots=True)
class Tickets:
    """What the ticket systems answered: a system that did not answer is named, not forgotten."""

    found: tuple[Ticket, ...] = ()
    unanswered: tuple[str, ...] = ()
    """Reason per system that could not be read."""
    merges: tuple[Merge, ...] = ()
    """Of the commits that were asked for."""
    merges_unread: tuple[str, ...] = ()
    """Reason per question about commits that no forge answered."""


@dataclass(frozen=True, slots=True)
class Freeze:
    """A stretch in which nothing may be changed without need."""

    name: str
    start: datetime
    end: datetime
    source: str = ""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Change freezes that meet the interval of a scan."""

    freezes: tuple[Freeze, ...] = ()
    unread: tuple[str, ...] = ()
    """Reason per calendar that could not be read."""
    asked: bool = False
    """Whether any calendar is configured: without one the test `freeze` is not asked."""

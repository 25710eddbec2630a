"""What people declare: break-glass windows, documents, reviews, acceptances; and what becomes of an emergency.

Each says who said it and how we know that it was they.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

WayBack = Literal["revert", "codify"]
"""How what an emergency changed comes back under control."""
EmergencyState = Literal["awaiting-document", "overdue", "awaiting-review", "rejected", "accepted"]


@dataclass(frozen=True, slots=True)
class Proof:
    """Who declared something, and how we know."""

    person: str
    """Id in the identity map; the name their signature or ticket system gives them where the map knows none."""
    how: Literal["signature", "ticket", "socket"]
    said_at: datetime
    """When they say they said it: of a signed statement the signer's own word."""
    received_at: datetime
    """When we had it."""
    principal: str = ""
    """As `allowed_signers` or the ticket system calls them."""
    evidence: str = ""
    """The armoured signature over the statement, or the ticket's reference and the comment's id."""


@dataclass(frozen=True, slots=True)
class Opening:
    """A break-glass window, declared ahead."""

    id: str
    by: Proof
    incident: str
    until: datetime
    reason: str = ""
    actors: tuple[str, ...] = ()
    """People (ids) whose changes it covers; empty: whoever opened it."""
    roles: tuple[str, ...] = ()
    """Wildcards over the ARNs of roles; empty: any."""
    accounts: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    offline: bool = False
    """It came as a signed file, after the fact: `by.said_at` is the signer's word."""


@dataclass(frozen=True, slots=True)
class Document:
    """The account of an emergency, by whoever acted in it."""

    id: str
    case: str
    """Key of the case."""
    by: Proof
    why: str
    incident: str
    done: str
    told: str
    """Who was told."""
    way_back: WayBack
    outage: str = ""
    """What kept them from documenting in time: a reason, not an excuse."""
    offline: bool = False
    on_behalf_of: tuple[str, ...] = ()
    """Those who acted, where its author is none of them."""


@dataclass(frozen=True, slots=True)
class Review:
    """Somebody else's judgement of a case."""

    id: str
    case: str
    by: Proof
    accepted: bool
    reason: str
    post_implementation: bool = False
    """The review after the work, where the risk asks for one."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """One of the two people who let something happen that must not be one person's: a hold is filed, authority is
    loosened, the store is restored or pruned."""

    id: str
    what: str
    """`hold CASE`, `authority SHA256`, `restore SHA256`, `prune DATE`."""
    by: Proof
    reason: str = ""


Declaration = Opening | Document | Review | Acceptance


@dataclass(frozen=True, slots=True)
class EmergencyRole:
    """A role that is for emergencies alone."""

    name: str
    role: str
    """Wildcard over the role's ARN."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Calls that came to light after the case of their emergency had been opened."""

    at: datetime
    """When a scan saw them first: who reviewed before that did not see them."""
    calls: int


@dataclass(frozen=True, slots=True)
class Emergency:
    """One break-glass session or window with all its calls: one case, one form, one deadline."""

    id: str
    """`BG-` and twelve digits of hex: of the opening, else of the session."""
    case: str
    """Key of the case that is, or will be, opened for it."""
    person: str
    """Who acted: id in the identity map, else the actor's name."""
    how: str
    """What makes it an emergency, in words: the role's name, or the window with incident and end."""
    first: datetime
    last: datetime
    """Of its calls. The clock starts at the last."""
    deadline: datetime
    events: tuple[str, ...]
    state: EmergencyState
    opening: Opening | None = None
    document: Document | None = None
    review: Review | None = None
    late: bool = False
    """Documented after the deadline: it stays so."""
    notes: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()
    """Everybody who acted in it, as `person` names them."""
    arrivals: tuple[Arrival, ...] = ()
    """Oldest first; of many the last."""
    earlier: tuple[Review, ...] = ()
    """Accepting reviews that do not count any more, since calls arrived after them."""

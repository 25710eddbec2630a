"""How the daemon itself is: what its loop does, what runs, what is due. Values only, read by health and status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Role = Literal["starting", "leader", "standby", "stopping"]


@dataclass(frozen=True, slots=True)
class Running:
    """A child process at work."""

    job: str
    pid: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Vitals:
    """The daemon at one moment."""

    started_at: datetime
    role: Role
    fence: int
    """The number this leader writes under; 0: none."""
    ticked: float
    """Seconds since the loop last came round, by the monotonic clock."""
    stored: float
    """Seconds since the store last took a write of ours."""
    running: tuple[Running, ...] = ()
    due: Mapping[str, datetime] = field(default_factory=dict)
    """Job → when it is next due."""
    config_sha256: str = ""
    reload_error: str = ""
    """Why the newest configuration, rules or exceptions are not in use; empty: they are."""
    stuck: str = ""
    """Why a standby that should lead does not, and what is to be done; empty: nothing keeps it from it."""
    unreached: str = ""
    """Why people or monitors do not reach it; empty: they do."""
    clock_jumps: int = 0
    """How often the wall clock moved against the monotonic one."""
    events: int = 0
    """Messages of the event path that were worked off."""
    event_lag: float | None = None
    """Seconds from a message's event to its case, of the newest; None: no event path."""

"""What every scan works with besides what it reads: made once, and kept by a process that runs many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from agent.collect import Sessions
from agent.config import Config
from agent.judge import Rule
from agent.model import Directory
from agent.resources import Spec
from agent.ticketing import Systems


@dataclass(frozen=True, slots=True)
class Means:
    """What a scan works with."""

    rules: Sequence[Rule]
    ruleset: str
    """Digest of what they say."""
    systems: Systems
    specs: Mapping[str, Spec]
    key: bytes = field(repr=False)
    """The install key."""
    sessions: Sessions
    people: Directory
    started: datetime
    given: Config
    """As the file says, whether or not all of it is in force."""

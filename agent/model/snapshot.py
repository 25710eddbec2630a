"""One side at one time, and for the declared side the states it was read from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from agent.model.sides import Gap, Key, Limit, Resource, Source
from agent.model.trail import Claim

UnappliedAction = Literal["create", "destroy", "update", "import", "forget", "move"]


@dataclass(frozen=True, slots=True)
class Unapplied:
    """What the next apply would do to a resource: in the code and not yet in state, or the other way round."""

    stack: str
    address: str
    action: UnappliedAction
    source: Source | None = None
    """Where the code says so; None for what is in state alone."""
    why: str = ""


@dataclass(frozen=True, slots=True)
class StateRead:
    """One state as one scan read it: enough to tell at the next scan what became of it, and nothing secret."""

    stack: str
    location: str
    """As its backend names it: `s3://bucket/key`."""
    lineage: str
    serial: int
    digest: str
    """SHA-256 of the state's bytes, hex."""
    terraform_version: str = ""
    accounts: tuple[str, ...] = ()
    """AWS accounts its resources are in."""
    read_at: datetime | None = None
    modified: datetime | None = None
    """When it was last written, where the backend tells."""
    locked: str = ""
    """Who holds its lock, and since when; empty: nobody."""
    provider_versions: Mapping[str, str] = field(default_factory=dict)
    """Provider (`hashicorp/aws`) → version that wrote the state, as far as known."""
    commit: str = ""
    """The commit last applied."""
    commit_author: str = ""
    reviewers: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    """Ticket references in the commit's trailers."""
    addresses: Mapping[str, str] = field(default_factory=dict)
    """Address of each managed instance → `identity.content`: two short keyed digests, one of type, id and provider,
    one of the recorded attributes."""
    in_motion: str = ""
    """Why what was read of it may be half a change: it was locked, or written while the scan looked. Else empty."""
    keys: Mapping[str, tuple[Key, ...]] = field(default_factory=dict)
    """Address → what it declares, as far as it is compared; filled by the line."""
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Address → every name a call may know it by, so that a deletion is known after it; filled by the line."""
    reread: tuple[str, ...] = ()
    """Differences that only another provider version's reading makes; filled by the line."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One side at one time: resources and what could not be read."""

    side: Literal["declared", "live"]
    taken_at: datetime
    resources: tuple[Resource, ...] = ()
    gaps: tuple[Gap, ...] = ()
    limits: tuple[Limit, ...] = ()
    pending: tuple[Unapplied, ...] = ()
    """Declared side: resources that are merged and not applied as a whole."""
    states: tuple[StateRead, ...] = ()
    """Declared side: what the resources were read from."""
    named: tuple[Resource, ...] = ()
    """Declared side: resources of types nobody compares, by address and the names a call may know them by."""

"""Governed permissions to differ: exceptions, and the baseline of an adopted estate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from agent.model.sides import DriftKind, Key


@dataclass(frozen=True, slots=True)
class PolicyException:
    """A governed, expiring permission to differ."""

    id: str
    reason: str
    owner: str
    approver: str
    until: datetime
    addresses: tuple[str, ...] = ()
    """Terraform addresses, or `stack/address`; wildcards."""
    keys: tuple[str, ...] = ()
    """Wildcards or prefixes over natural ids."""
    types: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    """Attribute paths, wildcards; empty: the resource as a whole, whatever differs."""
    ticket: str = ""
    approved: str = ""
    """How we know that the approver approved; empty: not in force."""
    source: str = ""
    """`exceptions/legacy.yaml:3`"""
    since: datetime | None = None
    """When it was asked for; before, it is not in force."""


@dataclass(frozen=True, slots=True)
class Baselined:
    """One difference that was there when the estate was adopted."""

    id: str
    key: Key
    kind: DriftKind
    attribute: str
    digest: str
    """Keyed hash of the live value."""
    owner: str
    approver: str
    until: datetime
    approved: str = ""
    source: str = ""
    since: datetime | None = None
    """When the estate was adopted: what was done later is no part of it."""


@dataclass(frozen=True, slots=True)
class Tolerated:
    """Everything that may differ for now."""

    exceptions: tuple[PolicyException, ...] = ()
    baseline: tuple[Baselined, ...] = ()
    problems: tuple[str, ...] = ()
    """Entries that are not in force, and why."""


@dataclass(frozen=True, slots=True)
class Hit:
    """An exception or baseline entry that covered something in a scan."""

    id: str
    finding: str
    attribute: str = ""

"""The identity map: which principals are which people, and what is known of the accounts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

PersonKind = Literal["employee", "contractor", "shared", "service"]


@dataclass(frozen=True, slots=True)
class Person:
    """One entry of the identity map: a person, or a credential that several or no people stand behind."""

    id: str
    """Unique in the map, at any one time."""
    name: str = ""
    kind: PersonKind = "employee"
    principals: tuple[str, ...] = ()
    """Names or wildcards over ARNs: IAM users, session names, e-mail addresses, Identity Center ids, OIDC and SAML
    subjects, source identities, access key ids."""
    groups: tuple[str, ...] = ()
    team: str = ""
    sponsor: str = ""
    """Who answers for a contractor, a shared or a service credential."""
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    users: tuple[str, ...] = ()
    """Their names in ticket systems."""
    source: str = ""
    """Where the entry stands: `identities.yaml:12`, `Identity Center d-1234567890`."""


@dataclass(frozen=True, slots=True)
class KnownAccount:
    """One AWS account, as Organizations or the map names it."""

    id: str
    name: str = ""
    email: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Directory:
    """Everything known of people and accounts."""

    people: tuple[Person, ...] = ()
    accounts: Mapping[str, KnownAccount] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    """Reason per source that could not be read."""

"""Credentials: the principal a record names, and the sessions STS issued.

Who is behind them is another question: see `Actor`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

_SSO_NAME = re.compile(r"AWSReservedSSO_.+_[0-9a-f]{16}")
_SSO_PATH = "/aws-reserved/sso.amazonaws.com/"
_SERVICE_PATH = "/aws-service-role/"


@dataclass(frozen=True, slots=True, order=True)
class Identity:
    """The principal of one record. Empty text: the record does not say."""

    kind: str = ""
    """userIdentity.type, as CloudTrail spells it."""
    arn: str = ""
    principal: str = ""
    account: str = ""
    key: str = ""
    """Access key id."""
    name: str = ""
    """userName: of an IAM user, or the subject a web identity or SAML provider vouched for."""
    role_arn: str = ""
    """Of the role a session is in; without its path where sessionIssuer is missing."""
    session: str = ""
    """Role session name: its caller chose it."""
    issuer: str = ""
    """ARN of what issued a federated user's session."""
    provider: str = ""
    """Identity provider of a web identity or SAML user."""
    source_identity: str = ""
    invoked_by: str = ""
    serves: str = ""
    """inScopeOf: ARN of the service resource the session works for."""
    on_instance: bool = False
    """The credentials came from an instance's metadata."""
    issued: bool = False
    """sessionIssuer named the role, path included."""
    user_id: str = ""
    """onBehalfOf: the user of IAM Identity Center behind it, by id. AWS vouches for it, whatever the type."""

    @property
    def role(self) -> str:
        """The role's name, without its path."""
        return self.role_arn.rsplit("/", 1)[-1]

    @property
    def in_identity_center(self) -> bool:
        """The role is one of IAM Identity Center's. Nobody else can make a role with that path; the name is free."""
        return bool(self.session) and self._reserved(_SSO_PATH) and _SSO_NAME.fullmatch(self.role) is not None

    @property
    def service_linked(self) -> bool:
        """The role is a service's own. The path proves it."""
        return self._reserved(_SERVICE_PATH)

    @property
    def looks_service_linked(self) -> bool:
        """The role has such a name, but its path is not known."""
        return not self.issued and self.role.startswith("AWSServiceRoleFor")

    def _reserved(self, path: str) -> bool:
        _, found, rest = self.role_arn.partition(":role")
        return bool(found) and rest.startswith(path)


@dataclass(frozen=True, slots=True, order=True)
class Session:
    """Credentials STS issued, and to whom."""

    key: str
    """Issued access key id; empty where the record does not show it."""
    caller: Identity
    time: datetime
    call: str
    arn: str
    """Of the session: `arn:aws:sts::1:assumed-role/Role/name`, without the role's path."""
    name: str
    source_identity: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    """Session tags, sorted."""
    role: str = ""
    """ARN of the role as the call gave it, path included."""
    account: str = ""
    """Whose trail has the record."""
    event: str = ""
    source_ip: str = ""

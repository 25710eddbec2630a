"""userIdentity, in one shape: the principal a record names, before anybody asks who is behind it.

Hides its twelve types, lower-cased keys, a missing sessionIssuer, and that an ARN's parts may be chosen by the caller:
only whole components are compared, never substrings.
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import Raw

from agent.trail.decode import Record, value

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


def of(record: Record) -> Identity:
    """Whatever the record's userIdentity is. Never raises."""
    return _cached(bytes(record.user_identity))


@functools.lru_cache(maxsize=4096)  # one session's records carry the same bytes
def _cached(part: bytes) -> Identity:
    return _parse(value(Raw(part)))


def _parse(found: Any) -> Identity:
    if isinstance(found, str):
        return Identity(kind="Unknown", principal=found)
    fields = _folded(found)
    context = _folded(fields.get("sessioncontext"))
    issuer = _folded(context.get("sessionissuer"))
    federation = _folded(context.get("webidfederationdata"))
    arn, principal, account = _text(fields, "arn"), _text(fields, "principalid"), _text(fields, "accountid")
    issuer_arn = _text(issuer, "arn")
    kind = _text(fields, "type")
    role_arn, session = "", ""
    if kind == "AssumedRole":
        role_arn, session = _assumed(arn)
        role_arn = issuer_arn or role_arn
        session = session or principal.partition(":")[2]
    scope = _folded(fields.get("inscopeof"))
    return Identity(
        kind=kind,
        arn=arn,
        principal=principal,
        account=account or _account(arn),
        key=_text(fields, "accesskeyid"),
        name=_text(fields, "username"),
        role_arn=role_arn,
        session=session,
        issuer="" if kind == "AssumedRole" else issuer_arn,
        provider=_text(fields, "identityprovider") or _text(federation, "federatedprovider"),
        source_identity=_text(context, "sourceidentity"),
        invoked_by=_text(fields, "invokedby"),
        serves=_text(scope, "sourcearn") or _text(scope, "credentialsissuedto") or _text(scope, "issuertype"),
        on_instance=bool(context.get("ec2roledelivery")),
        issued=kind == "AssumedRole" and bool(issuer_arn),
    )


def _folded(found: Any) -> Mapping[str, Any]:
    """Keys in lower case: some exporters change them."""
    return {str(key).lower(): item for key, item in found.items()} if isinstance(found, dict) else {}


def _text(fields: Mapping[str, Any], name: str) -> str:
    found = fields.get(name)
    return found if isinstance(found, str) else ""


def _account(arn: str) -> str:
    parts = arn.split(":", 5)
    return parts[4] if len(parts) == 6 else ""


def _assumed(arn: str) -> tuple[str, str]:
    """Role ARN (its path is lost) and session name out of `arn:aws:sts::1:assumed-role/Role/session`."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or not parts[5].startswith("assumed-role/"):
        return "", ""
    _, role, *session = parts[5].split("/", 2)
    return f"arn:{parts[1]}:iam::{parts[4]}:role/{role}", session[0] if session else ""

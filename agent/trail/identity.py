"""userIdentity, in one shape: the principal a record names, before anybody asks who is behind it.

Hides its twelve types, lower-cased keys, a missing sessionIssuer, and that an ARN's parts may be chosen by the caller:
only whole components are compared, never substrings.
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from msgspec import Raw

from agent.model import Identity
from agent.trail.decode import Record, value

_HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
"""In place of a user name that does not exist, which may be a password typed into the wrong field."""


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
    behalf = _folded(fields.get("onbehalfof"))
    name = _text(fields, "username")
    behalf = _folded(fields.get("onbehalfof"))
    return Identity(
        kind=kind,
        arn=arn,
        principal=principal or _text(behalf, "userid"),
        account=account or _account(arn),
        key=_text(fields, "accesskeyid"),
        name="" if name == _HIDDEN else name,
        role_arn=role_arn,
        session=session,
        issuer="" if kind == "AssumedRole" else issuer_arn,
        provider=_text(fields, "identityprovider") or _text(federation, "federatedprovider"),
        source_identity=_text(context, "sourceidentity"),
        invoked_by=_text(fields, "invokedby"),
        serves=_text(scope, "sourcearn") or _text(scope, "credentialsissuedto") or _text(scope, "issuertype"),
        on_instance=bool(context.get("ec2roledelivery")),
        issued=kind == "AssumedRole" and bool(issuer_arn),
        user_id=_text(behalf, "userid"),
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

"""Who a caller is, as CloudTrail's `userIdentity` says it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Kind = Literal[
    "AWSAccount", "AWSService", "AssumedRole", "FederatedUser", "IAMUser", "Root", "SAMLUser", "WebIdentityUser"
]


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who gave a session its permissions: a role, or the user of GetFederationToken."""

    kind: Literal["Role", "IAMUser", "Root"]
    principal_id: str
    arn: str
    account: str
    user_name: str


@dataclass(frozen=True, slots=True)
class Identity:
    """A principal, or one session of it."""

    kind: Kind
    account: str = ""
    arn: str = ""
    principal_id: str = ""
    user_name: str = ""
    issuer: Issuer | None = None
    created: datetime | None = None
    """When the session was made; None: a long-lived key."""
    mfa: bool = False
    source_identity: str = ""
    provider: str = ""
    """`identityProvider` of a web-identity or SAML caller."""
    federated_by: str = ""
    """ARN of the OIDC provider behind a session."""
    invoked_by: str = ""
    """The service that makes the call, on its own or on behalf of the principal."""
    transitive_tags: Mapping[str, str] = field(default_factory=dict)
    """Session tags that role chaining passes on."""


def unique_id(prefix: str, arn: str) -> str:
    """A stable unique id of AWS's form (`AIDA…`, `AROA…`) for an ARN whose real one is not known."""
    digest = base64.b32encode(hashlib.sha256(arn.encode()).digest()).decode()
    return prefix + digest[:17]


def iam_user(
    name: str,
    account: str,
    *,
    path: str = "/",
    principal_id: str = "",
    created: datetime | None = None,
    mfa: bool = False,
) -> Identity:
    """An IAM user; `created`: a console or GetSessionToken session of theirs, made then."""
    arn = f"arn:aws:iam::{account}:user{path}{name}"
    return Identity("IAMUser", account, arn, principal_id or unique_id("AIDA", arn), name, created=created, mfa=mfa)


def root(account: str, *, created: datetime | None = None, mfa: bool = False) -> Identity:
    """The account's root user."""
    return Identity("Root", account, f"arn:aws:iam::{account}:root", account, created=created, mfa=mfa)


def role_session(
    role_arn: str,
    session: str,
    created: datetime,
    *,
    role_id: str = "",
    mfa: bool = False,
    source_identity: str = "",
    federated_by: str = "",
    invoked_by: str = "",
    transitive_tags: Mapping[str, str] | None = None,
) -> Identity:
    """A session of a role. `role_arn`: the role with its path, `arn:aws:iam::…:role/aws-reserved/…/Name`.

    Raises ValueError where it is no such ARN.
    """
    if ":role/" not in role_arn or role_arn.count(":") != 5:
        raise ValueError(f"a role's ARN is arn:aws:iam::<account>:role/<name>, not {role_arn!r}")
    account = role_arn.split(":")[4]
    name = role_arn.rsplit("/", 1)[-1]
    role_id = role_id or unique_id("AROA", role_arn)
    return Identity(
        "AssumedRole",
        account,
        f"arn:aws:sts::{account}:assumed-role/{name}/{session}",
        f"{role_id}:{session}",
        issuer=Issuer("Role", role_id, role_arn, account, name),
        created=created,
        mfa=mfa,
        source_identity=source_identity,
        federated_by=federated_by,
        invoked_by=invoked_by,
        transitive_tags=transitive_tags or {},
    )


def service(name: str, account: str) -> Identity:
    """An AWS service acting for itself. `name`: `autoscaling.amazonaws.com`."""
    return Identity("AWSService", account, invoked_by=name)


def stranger(access_key_id: str, account: str) -> Identity:
    """A key nobody knows: the form CloudTrail has for another account's caller."""
    return Identity("AWSAccount", account, principal_id=access_key_id)


def user_identity(who: Identity, access_key_id: str) -> dict[str, Any]:
    """The record's `userIdentity`."""
    if who.kind == "AWSService":
        return {"type": who.kind, "invokedBy": who.invoked_by}
    if who.kind in ("WebIdentityUser", "SAMLUser"):
        return {
            "type": who.kind,
            "principalId": who.principal_id,
            "userName": who.user_name,
            "identityProvider": who.provider,
        }
    shown: dict[str, Any] = {"type": who.kind, "principalId": who.principal_id}
    if who.arn:
        shown["arn"] = who.arn
    shown["accountId"] = who.account
    if access_key_id and not _is_service_linked(who):
        shown["accessKeyId"] = access_key_id
    if who.user_name:
        shown["userName"] = who.user_name
    if who.created is not None:
        shown["sessionContext"] = _session_context(who, who.created)
    if who.invoked_by:
        shown["invokedBy"] = who.invoked_by
    return shown


def _is_service_linked(who: Identity) -> bool:
    """A service-linked role's records show no key; a forwarded call's show the caller's."""
    return who.issuer is not None and ":role/aws-service-role/" in who.issuer.arn


def _session_context(who: Identity, created: datetime) -> dict[str, Any]:
    context: dict[str, Any] = {}
    if who.issuer is not None:
        context["sessionIssuer"] = {
            "type": who.issuer.kind,
            "principalId": who.issuer.principal_id,
            "arn": who.issuer.arn,
            "accountId": who.issuer.account,
            "userName": who.issuer.user_name,
        }
    if who.federated_by:
        context["webIdFederationData"] = {"federatedProvider": who.federated_by, "attributes": {}}
    context["attributes"] = {
        "creationDate": f"{created:%Y-%m-%dT%H:%M:%SZ}",
        "mfaAuthenticated": "true" if who.mfa else "false",
    }
    if who.source_identity:
        context["sourceIdentity"] = who.source_identity
    return context

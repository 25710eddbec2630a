"""What kind of record it is. Who made the call and by what client: see `client`.

Hides the flags, names and error codes that say so. Rules are from
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference.html
and checked against public records; names decide only where `readOnly` is absent, and veto it where it is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from agent.trail import identity
from agent.trail.client import AGENT_KEPT, client, made_by_service
from agent.trail.decode import Record, mapping, value
from agent.trail.noise import NOISE

__all__ = [
    "AGENT_KEPT",
    "ASSUMING",
    "Kind",
    "SignIn",
    "client",
    "is_noise",
    "made_by_service",
    "name",
    "owner",
    "service",
    "signed_in",
    "sort",
    "strange",
    "writes_state",
]

Kind = Literal["change", "failed", "denied", "read", "session", "sign-in", "other"]
"""`denied`: refused for lack of permission, reads included; of the data plane only what a VPC endpoint refused.
`failed`: a write that failed for another reason; a dry run is one. `session`: somebody assumes a role. `sign-in`: a
person enters the console, or fails to. `other`: no management call (data plane, Insights, notices)."""

ASSUMING = frozenset({"AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "AssumeRoot"})
"""STS calls that start a session as somebody else. Others (GetSessionToken …) bear their user's name."""

_READ = re.compile(
    r"(?:Get(?!OrCreate)|List|Describe|Head|Lookup|Search|BatchGet|BatchDescribe|Query|Scan|Select|View|Preview|Estimate"
    r"|Simulate|Validate|Check|Test|Download)[A-Z]"
)
_READ_UNFLAGGED = re.compile(
    r"(?:Decrypt|Encrypt|GenerateDataKey.*|ReEncrypt.*|Sign|Verify.*|Converse.*|Invoke.*|SendEmail|NewClientConnection)"
)
_DATA_UNFLAGGED = re.compile(
    r"(?:Put|Copy|Delete|Restore|Post)Objects?|(?:Create|Complete|Abort)MultipartUpload|UploadPart(?:Copy)?"
)
"""Calls on S3 objects, of the time before records had a category."""
_SESSIONS = re.compile(
    r"(?:AssumeRo(?:le|ot).*|GetFederationToken|GetSessionToken|GetSigninToken|ExitRole|RenewRole|CheckMfa|Credential.*"
    r"|CreateToken.*|Log[Oo]ut|Federate|Authenticate)"
)
"""Of the sources that give out sessions: calls that change nothing but who is who."""
_SESSION_SOURCES = frozenset(f"{name}.amazonaws.com" for name in ("sts", "signin", "sso", "sso-oauth", "eks-auth"))

_ENTRANCES = frozenset({"signin.amazonaws.com", "sso.amazonaws.com"})
_ENTERING = frozenset(
    {"ConsoleLogin", "UserAuthentication", "SwitchRole", "Federate", "Authenticate", "ExternalIdPDirectoryLogin"}
)
_PROVING = frozenset({"CheckMfa", "CredentialVerification"})
"""One step of a sign-in: the sign-in's own record follows where it succeeded, and none where it did not.
https://docs.aws.amazon.com/singlesignon/latest/userguide/understanding-sign-in-events.html"""

_VERSION = re.compile(r"(?:\d{8}(?:v\d+)?|\d{4}_\d{2}_\d{2})$")
_DENIED = re.compile(
    r"AccessDenied|Unauthorized(?:Operation|Access|Exception|$)|NotAuthorized|AuthorizationError|InsufficientPrivileges"
    r"|^(?:Client\.)?AuthFailure$|^Forbidden(?:Exception)?$"
)
"""Codes for want of permission; not those for credentials that are wrong or have expired (`InvalidClientTokenId`,
`ExpiredToken`, `SignatureDoesNotMatch`)."""
_USERS_OF_APPS = frozenset({"cognito-idp.amazonaws.com", "cognito-identity.amazonaws.com"})
"""Say NotAuthorized where a user of somebody's app mistypes a password."""
_NOT_AUTHORISED = re.compile(r"not authori[sz]ed to perform|AccessDenied", re.IGNORECASE)
_CONSOLE_EVENTS = frozenset({"AwsConsoleAction", "AwsConsoleSignIn"})
_NO_CALL = frozenset({"AwsVpceEvent", "AwsCloudTrailInsight"})
_ERROR_ONLY = frozenset({"message", "code", "__type", "errorcode", "errormessage"})
_LONGEST_ERROR = 8192  # bytes: errorMessage itself is cut at 1 KB

_CATEGORIES = frozenset({None, "Management", "Data", "NetworkActivity", "Insight"})
_TYPES = frozenset({None, "AwsApiCall", "AwsServiceEvent", "AWSServiceEvent"} | _CONSOLE_EVENTS | _NO_CALL)
_PRINCIPALS = frozenset(
    {"", "Root", "IAMUser", "AssumedRole", "Role", "FederatedUser", "Directory", "AWSAccount", "AWSService", "Unknown"}
    | {"WebIdentityUser", "SAMLUser", "IdentityCenterUser"}
)
_SHOWN = 24  # characters of a word that should not be there

_OBJECT_WRITES = frozenset({"PutObject", "CopyObject", "CompleteMultipartUpload", "DeleteObject"})
_QUIET = {(entry.source, name): entry for entry in NOISE for name in entry.names}


def name(record: Record) -> str:
    """eventName without a version suffix (`20150331v2`, `2020_05_31`)."""
    called = record.name or ""
    return _VERSION.sub("", called) if called[-1:].isdigit() else called


def service(record: Record) -> str:
    """eventSource without `.amazonaws.com`."""
    return (record.source or "").removesuffix(".amazonaws.com")


@dataclass(frozen=True, slots=True)
class SignIn:
    """How somebody's sign-in to the console went."""

    error: str
    """Why it failed; empty: it did not."""
    mfa: str
    """`Yes` or `No`; empty: the record does not say, as where an identity provider asks for the second factor."""


def sort(record: Record) -> Kind:
    """What the record is to us. Some of its changes are noise: see `is_noise`. Never raises."""
    # Nine records in ten end here.
    if (
        record.read_only is True
        and record.error is None
        and record.type == "AwsApiCall"
        and record.category == "Management"
        and record.name not in ASSUMING
    ):
        return "read"
    called = record.name or ""
    if called in _ENTERING or called in _PROVING or record.type == "AwsConsoleSignIn":
        entered = _entered(record, called)
        if entered is not None:
            return entered
    if record.type in _NO_CALL or not _management(record, called):
        return "denied" if record.error == "VpceAccessDenied" else "other"
    if record.error and _refused(record, record.error):
        return "denied"
    if called in ASSUMING:
        return "session"
    return "read" if _reads(record, called) else _outcome(record)


def writes_state(record: Record, states: Collection[str] = ()) -> str:
    """The `bucket/key` of a Terraform state that an S3 data event wrote; empty: it wrote none.

    `states` are objects known to be states; others are known by `tfstate` in their key.
    """
    if record.source != "s3.amazonaws.com" or record.name not in _OBJECT_WRITES or _outcome(record) != "change":
        return ""
    asked = mapping(record.request)
    bucket, key = asked.get("bucketName"), asked.get("key")
    if not isinstance(bucket, str) or not isinstance(key, str):
        return ""
    name = f"{bucket}/{key}"
    locks = key.endswith((".tflock", ".tfstate.lock.info"))
    return name if name in states or ("tfstate" in key and not locks) else ""


def is_noise(record: Record) -> bool:
    """Whether a successful write is one of `noise.NOISE`."""
    entry = _QUIET.get((service(record), name(record))) or _QUIET.get((service(record), "*"))
    if entry is None or not entry.by:
        return entry is not None
    caller = identity.of(record).invoked_by.removesuffix(".amazonaws.com")
    return bool(caller) and ("*" in entry.by or caller in entry.by)


def signed_in(record: Record) -> SignIn:
    """How a sign-in went."""
    failed = bool(record.error) or _fell_through(record)
    said = record.message or record.error or "failed"
    return SignIn(said[:200] if failed else "", _second_factor(record))


def owner(record: Record) -> str:
    """Account of the resources, where the record names one and only one."""
    if bytes(record.resources) == b"null":
        return ""
    resources = value(record.resources)
    entries = [entry for entry in resources if isinstance(entry, dict)] if isinstance(resources, list) else []
    accounts = {entry.get("accountId") for entry in entries}
    only = accounts.pop() if len(accounts) == 1 else None
    return only if isinstance(only, str) else ""


def strange(record: Record) -> str:
    """Why the record may mean something else than it is taken for: a word that is unknown here. Empty: all are known.

    Such a record is read as far as it can be; the reasons are to be counted and told. Never raises.
    """
    if record.version is not None and not record.version.startswith("1."):
        return f"eventVersion {_clipped(record.version)} is not of version 1"
    if record.category not in _CATEGORIES:
        return f"eventCategory {_clipped(record.category)} is unknown: not looked at"
    if record.type not in _TYPES:
        return f"eventType {_clipped(record.type)} is unknown: taken for a call"
    # Nobody asks who made a successful read, and parsing it costs more than all else here.
    if (record.read_only is not True or record.error) and (kind := identity.of(record).kind) not in _PRINCIPALS:
        return f"userIdentity.type {_clipped(kind)} is unknown: taken for nobody known"
    return ""


def _clipped(word: str | None) -> str:
    return ascii((word or "")[:_SHOWN])


# --- sign-ins ------------------------------------------------------------------------------------------------


def _entered(record: Record, called: str) -> Kind | None:
    """Of what happens at the entrances; None: it happened elsewhere, or is no step of a sign-in."""
    if record.type != "AwsConsoleSignIn" and record.source not in _ENTRANCES:
        return None
    if called in _ENTERING or called in ASSUMING:
        return "sign-in"
    if called in _PROVING:
        return "sign-in" if record.error or _fell_through(record) else "read"
    return None


def _fell_through(record: Record) -> bool:
    """No errorCode says so: the console tells in the response, Identity Center in the details."""
    return "Failure" in mapping(record.response).values() or "Failure" in mapping(record.details).values()


_APP_OR_KEY = frozenset({"TOTP", "RESYNC_TOTP", "WEBAUTHN"})


def _second_factor(record: Record) -> str:
    """Of a role or federated session the console says `No` whatever its identity provider did: no answer."""
    said = mapping(record.additional)
    proven = said.get("CredentialType")
    if isinstance(proven, str):
        factors = set(proven.split(","))
        return "Yes" if factors & _APP_OR_KEY else "No" if factors == {"PASSWORD"} else ""
    used = said.get("MFAUsed")
    ours = identity.of(record).kind in ("IAMUser", "Root") and "SamlProviderArn" not in said
    return used if isinstance(used, str) and (ours or used == "Yes") else ""


# --- reads and writes ----------------------------------------------------------------------------------------


def _management(record: Record, called: str) -> bool:
    """Before version 1.07 a record has no eventCategory, before 1.06 no managementEvent: the name says it then."""
    if record.category:
        return record.category == "Management"
    flag = _flag(record.management)
    if flag is None:
        return record.source != "s3.amazonaws.com" or _DATA_UNFLAGGED.fullmatch(called) is None
    return flag


def _reads(record: Record, called: str) -> bool:
    flag = _flag(record.read_only)
    if flag or _READ.match(called):
        return True
    if record.source in _SESSION_SOURCES and _SESSIONS.fullmatch(called):
        return True
    return flag is None and _READ_UNFLAGGED.fullmatch(called) is not None


def _refused(record: Record, code: str) -> bool:
    if record.source in _USERS_OF_APPS and "AccessDenied" not in code:
        return False
    return _DENIED.search(code) is not None


def _outcome(record: Record) -> Kind:
    """Of a write: errorCode; or, where a service puts the error there, a response of nothing but an error."""
    if record.error:
        return "failed"
    if record.type in _CONSOLE_EVENTS and _fell_through(record):
        return "failed"
    answer = bytes(record.response)
    if len(answer) > _LONGEST_ERROR or b'essage"' not in answer:
        return "change"
    return _answered(mapping(record.response))


def _answered(answer: Mapping[str, Any]) -> Kind:
    said = {key.lower(): text for key, text in answer.items()}
    if "message" not in said or not said.keys() <= _ERROR_ONLY:
        return "change"
    refused = any(_NOT_AUTHORISED.search(text) for text in said.values() if isinstance(text, str))
    return "denied" if refused else "failed"


def _flag(found: bool | str | None) -> bool | None:
    """A boolean, or the word for one in any case; None for anything else."""
    if isinstance(found, str):
        return {"true": True, "false": False}.get(found.strip().lower())
    return found

"""What kind of record it is, and by what client the call was made.

Hides the flags, names and user agents that say so. The client is a description, never authority: its caller writes the
user agent. Rules are from https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference.html
and checked against public records; names decide only where `readOnly` is absent, and veto it where it is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Literal

from agent.model import Channel
from agent.trail import identity
from agent.trail.decode import Record, mapping
from agent.trail.identity import Identity
from agent.trail.noise import NOISE

Sort = Literal["change", "failed", "read", "session", "other"]
"""`session`: somebody assumes a role. `other`: no management API call (data plane, Insights, sign-in, notices)."""

ASSUMING = frozenset({"AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"})
"""STS calls that start a role session. Other sessions (GetSessionToken, GetFederationToken) bear their user's name."""

_READ = re.compile(
    r"(?:Get(?!OrCreate)|List|Describe|Head|Lookup|Search|BatchGet|BatchDescribe|Query|Scan|Select|View|Preview|Estimate"
    r"|Simulate|Validate|Check|Test|Download)[A-Z]"
)
_SIGN_IN = re.compile(
    r"(?:AssumeRo(?:le|ot).*|ConsoleLogin|SwitchRole|ExitRole|RenewRole|UserAuthentication|Credential.*|Federate|Authenticate"
    r"|CreateToken|Logout)"
)
_READ_UNFLAGGED = re.compile(
    r"(?:Decrypt|Encrypt|GenerateDataKey.*|ReEncrypt.*|Sign|Verify.*|Converse.*|Invoke.*|SendEmail|NewClientConnection)"
)
_VERSION = re.compile(r"(?:\d{8}(?:v\d+)?|\d{4}_\d{2}_\d{2})$")
_NO_CALL = frozenset({"AwsConsoleAction", "AwsConsoleSignIn", "AwsVpceEvent", "AwsCloudTrailInsight"})
_ERROR_ONLY = frozenset({"message", "code", "__type", "errorcode", "errormessage"})

_AGENT_KEPT = 1024  # CloudTrail cuts a user agent there; a longer one is no CloudTrail's and may be made to stall us
_IAC = re.compile(r"terraform-provider-|HashiCorp/.*\bTerraform/|\bOpenTofu/|\bPulumi", re.IGNORECASE)
_CLI = re.compile(r"\[?aws-cli/")
_SDK = re.compile(r"\[?(?:Boto3|Botocore|aws-sdk-|aws-internal/)")
_CONSOLE = re.compile(
    r"\[?(?:console(?:\.[\w-]+)?\.amazonaws\.com|signin\.amazonaws\.com|AWS Internal\b|aws\.internal\b|Mozilla/"
    r"|[\w ]*Console\w*(?:[/,]|$)|AWSCloudTrail, aws-internal/|Coral/)"
)
_OBJECT_WRITES = frozenset({"PutObject", "CopyObject", "CompleteMultipartUpload", "DeleteObject"})
_IAC_SERVICES = frozenset({"cloudformation.amazonaws.com", "stacksets.cloudformation.amazonaws.com"})

_QUIET = {(entry.source, name): entry for entry in NOISE for name in entry.names}


def name(record: Record) -> str:
    """eventName without a version suffix (`20150331v2`, `2020_05_31`)."""
    return _VERSION.sub("", record.name or "")


def service(record: Record) -> str:
    """eventSource without `.amazonaws.com`."""
    return (record.source or "").removesuffix(".amazonaws.com")


def sort(record: Record) -> Sort:
    """What the record is to us. Some of its changes are noise: see `is_noise`."""
    if record.type in _NO_CALL or not _management(record):
        return "other"
    called = record.name or ""
    if called in ASSUMING:
        return "session"
    if record.read_only is True:
        return "read"
    flag = _flag(record.read_only)
    if flag or _READ.match(called) or _SIGN_IN.fullmatch(called):
        return "read"
    if flag is None and _READ_UNFLAGGED.fullmatch(called):
        return "read"
    return "failed" if _failed(record) else "change"


def writes_state(record: Record, states: Collection[str] = ()) -> str:
    """The `bucket/key` of a Terraform state that an S3 data event wrote; empty: it wrote none.

    `states` are objects known to be states; others are known by `tfstate` in their key.
    """
    if record.source != "s3.amazonaws.com" or record.name not in _OBJECT_WRITES or _failed(record):
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


def made_by_service(record: Record, caller: Identity) -> bool:
    """AWS itself acted: no caller stands behind the record. Rests on fields that only AWS can set."""
    if caller.kind == "AWSService" or caller.service_linked:
        return True
    return record.type == "AwsServiceEvent" and not caller.kind


def channel(record: Record, caller: Identity) -> Channel:
    """By what client. A call a service makes on somebody's behalf is `service`, CloudFormation's is `iac`."""
    if record.type == "AwsServiceEvent" or made_by_service(record, caller) or caller.looks_service_linked:
        return "service"
    if caller.invoked_by:
        return "iac" if caller.invoked_by in _IAC_SERVICES else "service"
    agent = (record.user_agent or "")[:_AGENT_KEPT]
    if _IAC.search(agent):
        return "iac"
    if "exec-env/CloudShell" in agent:
        return "cloudshell"
    if _flag(record.from_console) or _looks_like_console(agent, caller):
        return "console"
    if _CLI.match(agent):
        return "cli"
    return "sdk" if _SDK.match(agent) else "other"


def _looks_like_console(agent: str, caller: Identity) -> bool:
    if agent.startswith(("aws-internal/", "[aws-internal/")):
        return caller.key.startswith("ASIA") and caller.kind in ("IAMUser", "Root")
    return _CONSOLE.match(agent) is not None


def _management(record: Record) -> bool:
    """Before version 1.07 a record has no eventCategory, before 1.06 no managementEvent: management then."""
    if record.category:
        return record.category == "Management"
    return _flag(record.management) is not False


def _failed(record: Record) -> bool:
    """errorCode; or, where a service puts the error there, a response of nothing but an error."""
    if record.error:
        return True
    if not any(word in bytes(record.response) for word in (b'"message"', b'"Message"')):
        return False
    keys = {key.lower() for key in mapping(record.response)}
    return "message" in keys and keys <= _ERROR_ONLY


def _flag(found: bool | str | None) -> bool | None:
    """A boolean, or the word for one in any case; None for anything else."""
    if isinstance(found, str):
        return {"true": True, "false": False}.get(found.strip().lower())
    return found

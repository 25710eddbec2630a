"""By what kind of credential a call was made, and by what client: two axes that say nothing about each other.

Hides the user agents and the fields that tell a console from a command line. What AWS writes comes first; the rest is a
description, never authority: its caller writes the user agent.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Literal

from agent.model import Channel, Identity, IdentityClass, Tool
from agent.trail.decode import Record

AGENT_KEPT = 1024
"""CloudTrail cuts a user agent there; a longer one is no CloudTrail's and may be made to stall us."""


@dataclass(frozen=True, slots=True, eq=False)  # told apart by identity: hashing patterns costs more than searching
class Tools:
    """What the user agents of infrastructure as code look like. Make one and keep it."""

    patterns: tuple[tuple[Tool, re.Pattern[str]], ...]
    """The first that is found anywhere in a user agent counts."""


PATTERNS: tuple[tuple[Tool, re.Pattern[str]], ...] = (
    # Resource calls under OpenTofu come from Terraform's provider, which names Terraform: only its backend says this.
    ("opentofu", re.compile(r"\bOpenTofu/")),
    # Before Terraform: Pulumi's AWS provider is built of Terraform's.
    ("pulumi", re.compile(r"\bPulumi")),
    ("cdk", re.compile(r"(?:^|[ \[])@?aws-cdk/")),
    ("cloudformation", re.compile(r"\baws-sam-cli/")),
    ("terraform", re.compile(r"terraform-provider-|HashiCorp/.{0,100}\bTerraform/")),
)
TOOLS = Tools(PATTERNS)

_CLOUDFORMATION = frozenset({"cloudformation.amazonaws.com", "stacksets.cloudformation.amazonaws.com"})
_CDK_ROLE = re.compile(r"cdk-[a-z0-9]+-(?:cfn-exec|deploy|file-publishing|image-publishing|lookup)-role-")
"""Roles that `cdk bootstrap` makes: https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-env.html"""
_CONSOLE_TYPES = frozenset({"AwsConsoleSignIn", "AwsConsoleAction"})
_SERVICE_TYPES = frozenset({"AwsServiceEvent", "AWSServiceEvent"})
"""The second spelling is in AWS's own examples."""
_AT_THE_DOOR = frozenset(
    {"UserAuthentication", "CredentialChallenge", "CredentialVerification", "Federate", "Authenticate"}
)
_SIGN_IN = "signin.amazonaws.com"
_ENTRANCES = frozenset({_SIGN_IN, "sso.amazonaws.com"})

_CLI = re.compile(r"\[?aws-cli/")
_SDK = re.compile(r"\b(?:Boto3|Botocore|aws-sdk-[\w-]{1,40}|aws-internal|rusoto)/")
_CONSOLE = re.compile(
    r"\[?(?:console(?:\.[\w-]+)?\.amazonaws\.com|signin\.amazonaws\.com|AWS Internal\b|aws\.internal\b|Mozilla\b"
    r"|[\w ]{0,40}Console\w{0,40}(?:[/,]|$)|AWSCloudTrail, aws-internal/|Coral/)"
)
_SERVICE = re.compile(r"(?!console\.|signin\.)[a-z0-9-]+(?:\.[a-z0-9-]+)*\.amazonaws\.com(?:\.cn)?")
_SSO_ROLE = "/aws-reserved/sso.amazonaws.com/"
_PEOPLES = ("cognito-identity.amazonaws.com", "accounts.google.com", "www.amazon.com", "graph.facebook.com")
"""Web identity providers that people, not pipelines, sign in to."""


@dataclass(frozen=True, slots=True)
class Client:
    """The two axes of one call: what kind of credential made it, and by what client."""

    identity: IdentityClass
    channel: Channel
    tool: Tool = ""
    """Of the channel `iac`: which."""


def client(record: Record, caller: Identity, tools: Tools = TOOLS) -> Client:
    """Both axes of one call; `tools` tell infrastructure as code. Never raises."""
    found, used = _channel(record, caller, tools)
    return Client(identity_class(record, caller), found, used)


def made_by_service(record: Record, caller: Identity) -> bool:
    """AWS itself acted: no caller stands behind the record. Rests on fields that only AWS can set."""
    if caller.kind == "AWSService" or (caller.role_arn and caller.service_linked):
        return True
    return record.type in _SERVICE_TYPES and not caller.kind


def identity_class(record: Record, caller: Identity) -> IdentityClass:
    """What kind of credential made the call. Rests on fields that only AWS can set; the first that holds:

    - `service-linked-role`: a session of a role under the path AWS keeps for them; its name alone proves nothing.
    - `aws-service`: AWS itself, no credential of anybody's.
    - `cross-account`: of an account other than the one whose trail has the record; there it has its class as well.
    - `sso-user`: IAM Identity Center's user, by the path of the role, or named by id or at its door.
    - `root`, `iam-user` (with a key, or with a session of GetSessionToken or the console), `federated` (a session of
      GetFederationToken, or a SAML user), `oidc-pipeline` (a web identity that is no person and no pod).
    - `assumed-role`: any other role session; who assumed the role is the chain's to tell, see `lifted`.
    - `unknown`: none of these.
    """
    if caller.role_arn and caller.service_linked:
        return "service-linked-role"
    if made_by_service(record, caller):
        return "aws-service"
    if caller.kind == "AWSAccount" or (caller.account and record.recipient and caller.account != record.recipient):
        return "cross-account"
    if _in_identity_center(record, caller):
        return "sso-user"
    if caller.kind == "WebIdentityUser":
        return _of_web(caller)
    return _BY_KIND.get(caller.kind, "unknown")


_BY_KIND: dict[str, IdentityClass] = {
    "Root": "root",
    "IAMUser": "iam-user",
    "AssumedRole": "assumed-role",
    "FederatedUser": "federated",
    "SAMLUser": "federated",
}


def lifted(found: IdentityClass, first: Identity) -> IdentityClass:
    """The class of a role session, now that the chain behind it is known; `first` is the caller it began with.

    A session that OIDC or SAML began is `oidc-pipeline` or `federated`; any other class or beginning stays.
    """
    if found != "assumed-role":
        return found
    if first.kind == "WebIdentityUser":
        return _of_web(first)
    return "federated" if first.kind in ("SAMLUser", "FederatedUser") else found


def _of_web(caller: Identity) -> IdentityClass:
    """A pod of Kubernetes and a person who signed in with a social account are no pipelines."""
    if caller.name.startswith("system:serviceaccount:") or any(name in caller.provider for name in _PEOPLES):
        return "federated"
    return "oidc-pipeline"


def _in_identity_center(record: Record, caller: Identity) -> bool:
    """Nobody else can make a role with that path; the name under it is not asked, sanitised records change it."""
    if caller.kind == "AssumedRole":
        _, found, path = caller.role_arn.partition(":role")
        return bool(found) and path.startswith(_SSO_ROLE)
    if caller.kind == "IdentityCenterUser":
        return True
    return caller.kind == "Unknown" and bool(caller.user_id or (caller.name and record.source in _ENTRANCES))


# --- the channel ---------------------------------------------------------------------------------------------


def _channel(record: Record, caller: Identity, tools: Tools) -> tuple[Channel, Tool]:
    if _at_the_door(record):
        return "console", ""
    if record.type in _SERVICE_TYPES or made_by_service(record, caller):
        return "service", ""
    if caller.role_arn and caller.looks_service_linked:
        return "service", ""
    # In old records the console is such a service, by the name of its sign-in.
    by = "" if caller.invoked_by == _SIGN_IN else caller.invoked_by
    if by in _CLOUDFORMATION or (not by and record.source_ip in _CLOUDFORMATION):
        return "iac", "cdk" if _CDK_ROLE.match(caller.role) else "cloudformation"
    if by:
        return "service", ""
    says = _says((record.user_agent or "")[:AGENT_KEPT], tools)
    if says.tool:
        return "iac", says.tool
    return _by_hand(record, caller, says), ""


def _by_hand(record: Record, caller: Identity, says: _Agent) -> Channel:
    if says.kind == "cloudshell":
        return "cloudshell"
    if record.from_console and str(record.from_console).lower() == "true":
        return "console"
    if says.kind == "service" or _SERVICE.fullmatch((record.source_ip or "")[:AGENT_KEPT]):
        return "service"
    if caller.invoked_by:
        return "console"
    if says.kind == "inside":
        # A person's temporary key: the back of a console page. A machine's: that machine.
        by_person = caller.key.startswith("ASIA") and not (caller.serves or caller.on_instance)
        return "console" if by_person else "sdk"
    return says.kind


@dataclass(frozen=True, slots=True)
class _Agent:
    """What a user agent says."""

    kind: Literal["cloudshell", "console", "inside", "service", "cli", "sdk", "other"]
    """`inside`: the SDK of AWS's own machines."""
    tool: Tool = ""


@functools.lru_cache(maxsize=2048)  # a fleet has a few; one that is made up for each call costs what it did before
def _says(agent: str, tools: Tools) -> _Agent:
    for tool, pattern in tools.patterns:
        if pattern.search(agent):
            return _Agent("other", tool)
    if "exec-env/CloudShell" in agent:
        return _Agent("cloudshell")
    if agent.startswith(("aws-internal/", "[aws-internal/")):
        return _Agent("inside")
    if _CONSOLE.match(agent):
        return _Agent("console")
    if _SERVICE.fullmatch(agent):
        return _Agent("service")
    if _CLI.match(agent):
        return _Agent("cli")
    return _Agent("sdk" if _SDK.search(agent) else "other")


def _at_the_door(record: Record) -> bool:
    """A sign-in, or what only the console's own pages can do."""
    return record.type in _CONSOLE_TYPES or (record.name in _AT_THE_DOOR and record.source in _ENTRANCES)

"""What CloudTrail saw: who did what, to which resources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from agent.model.identity import Identity, Session
from agent.model.sides import Gap, Key, Limit, Scope

Act = Literal["create", "update", "delete"]
Channel = Literal["console", "cloudshell", "cli", "sdk", "iac", "service", "other"]
ActorKind = Literal["person", "pipeline", "service", "workload", "root", "shared", "unknown"]
IdentityClass = Literal[
    "root",
    "iam-user",
    "sso-user",
    "assumed-role",
    "federated",
    "oidc-pipeline",
    "aws-service",
    "service-linked-role",
    "cross-account",
    "unknown",
]
"""The first axis of a call: what kind of credential made it. `Channel` is the second: by what client."""
Tool = Literal["", "terraform", "opentofu", "pulumi", "cdk", "cloudformation"]
"""Of the channel `iac`: which; a description, as all of the user agent."""
Sort = Literal["change", "failed", "denied", "session", "sign-in", "state"]
"""What a kept record is: a successful write, a write that failed, any call refused for lack of permission, a role
session begun, a person's sign-in or sign-out of the console, a write of a Terraform state."""


@dataclass(frozen=True, slots=True)
class Run:
    """The run of a pipeline that a call was made in, as far as its identity tells."""

    system: str
    """`github`, `gitlab`, `terraform-cloud`, `spacelift`, `atlantis`, …"""
    repository: str = ""
    id: str = ""
    commit: str = ""
    ref: str = ""
    pull_request: str = ""
    environment: str = ""
    how: str = ""
    """Where it stands: `OIDC subject`, `session name`, `session tag`."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who: the human, pipeline or service behind the credential, how we know, and how sure."""

    name: str
    kind: ActorKind
    arn: str = ""
    how: str = ""
    """The evidence, for example `sourceIdentity` or `AssumeRole chain: dana → Deploy`."""
    confidence: float = 0.0
    """0 to 1."""
    role: str = ""
    """ARN of the role the session assumed, where there is one."""
    subject: str = ""
    """OIDC or SAML subject behind the session."""
    source_identity: str = ""
    service: str = ""
    """AWS service that STS issued the role to (`codedeploy.amazonaws.com`): AWS vouches for it."""
    run: Run | None = None
    person: str = ""
    """Id in the identity map; empty: not in it."""
    groups: tuple[str, ...] = ()
    team: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """A ticket reference somebody typed: a claim until the ticket confirms it."""

    text: str
    where: str
    """session tag, sourceIdentity, session name, resource tag, user agent."""


@dataclass(frozen=True, slots=True)
class Touch:
    """One resource a call acts on, before it is matched to a key."""

    type: str
    ids: tuple[str, ...]
    """Identifiers as the call gives them; any of them may match."""
    act: Act = "update"
    sets: Mapping[str, Any] = field(default_factory=dict)
    """Attribute the call sets → the value asked for; `Unknown` where the record does not show it."""


@dataclass(frozen=True, slots=True)
class Change:
    """One successful mutating call."""

    event_ids: tuple[str, ...]
    time: datetime
    action: str
    """Service prefix and event name: `sqs:SetQueueAttributes`."""
    actor: Actor
    channel: Channel
    account: str
    region: str
    touches: tuple[Touch, ...] = ()
    targets: tuple[Key, ...] = ()
    """Keys the touches were matched to; filled by the attribute stage."""
    session: str = ""
    """Access key id of the credentials."""
    source_ip: str = ""
    user_agent: str = ""
    via: str = ""
    """The service that made the call for the actor (`invokedBy`)."""
    claims: tuple[Claim, ...] = ()
    request: Mapping[str, Any] = field(default_factory=dict)
    """Excerpt of the request, masked."""
    identity: IdentityClass = "unknown"
    tool: Tool = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One record, digested by itself: what is kept of it, before any other record is looked at.

    Nothing secret is in it: values of secret attributes are sealed, the request is a masked excerpt.
    """

    event: str
    """What two deliveries of one event have in common."""
    sort: Sort
    time: datetime
    action: str
    """`sqs:SetQueueAttributes`"""
    caller: Identity
    account: str = ""
    """Of the resources where the record names one, else whose trail has the record, else the caller's."""
    recipient: str = ""
    """Whose trail has the record."""
    region: str = ""
    by_service: str = ""
    """Where AWS itself acted: the event source, `autoscaling.amazonaws.com`; empty: somebody called."""
    channel: Channel = "other"
    identity: IdentityClass = "unknown"
    tool: Tool = ""
    shared: str = ""
    """What the copies of one call in two accounts have in common; else the event."""
    corrects: str = ""
    """Event that this later, fuller copy replaces."""
    fullness: tuple[int, str] = (0, "")
    """Of copies of one event that differ the fullest counts: size of the record, then its digest."""
    owned: bool = False
    """The record is the resource owner's copy."""
    touches: tuple[Touch, ...] = ()
    references: tuple[Claim, ...] = ()
    """Ticket references in the record itself; those of its session come with the session."""
    source_ip: str = ""
    user_agent: str = ""
    request: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    """errorCode of a call that failed or was refused, or why a sign-in failed."""
    issued: Session | None = None
    """The session this record began."""
    mfa: str = ""
    """Of a sign-in: `Yes` or `No`, as the record says; empty: it does not say."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many records of one account and region fell into one hour, kept ones and others."""

    account: str
    region: str
    hour: datetime
    events: int
    newest: datetime


@dataclass(frozen=True, slots=True)
class KeyUse:
    """Calls made with one long-lived access key on one day, reads included."""

    key: str
    """Its id, `AKIA…`."""
    day: datetime
    """Its beginning, UTC."""
    arn: str
    account: str
    calls: int
    source_ip: str = ""
    """Where the last of them came from."""


@dataclass(frozen=True, slots=True)
class Covered:
    """What the trail has of one account and region in the interval."""

    account: str
    region: str
    events: int = 0
    oldest: datetime | None = None
    newest: datetime | None = None
    verified_until: datetime | None = None
    """Until when digests prove that nothing is missing or altered; None: no digests were checked."""


@dataclass(frozen=True, slots=True)
class Burst:
    """A day (UTC) on which many calls of one actor were refused within ten minutes."""

    day: str
    """`2026-03-02`"""
    count: int
    """Refused that day."""
    densest: int
    """Most of them within ten minutes; the stretch counts to the day it ends on."""
    first: datetime
    last: datetime
    services: int
    """How many AWS services they were refused by."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Calls of one actor that were refused, within the interval."""

    actor: Actor
    account: str
    count: int
    first: datetime
    last: datetime
    densest: int
    """Most of them within ten minutes."""
    errors: tuple[str, ...]
    actions: tuple[str, ...]
    """A few of them, the most frequent first."""
    source_ips: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    bursts: tuple[Burst, ...] = ()
    """Oldest first."""


@dataclass(frozen=True, slots=True)
class Poisoned:
    """Messages of one queue, within the interval, that nobody could read."""

    scope: Scope
    """Its `id` is the queue's address; account and region where the messages told of a log file of theirs."""
    count: int
    last: datetime
    """When the newest of them was read."""
    latest: tuple[str, ...]
    """What was wrong with the last few, newest last, as they said it: not cleaned."""


@dataclass(frozen=True, slots=True)
class Trail:
    """What CloudTrail told of one interval."""

    start: datetime
    end: datetime
    changes: tuple[Change, ...] = ()
    events: int = 0
    """Records of the hours the interval touches."""
    denied: int = 0
    """Calls refused for lack of permission, reads included."""
    failed: int = 0
    """Writes that failed for another reason: throttled, invalid, a dry run."""
    newest_event: datetime | None = None
    gaps: tuple[Gap, ...] = ()
    sessions: tuple[Change, ...] = ()
    """Sign-ins to roles by people and pipelines (`sts:AssumeRole…`): who worked, even where nothing was changed."""
    state_writes: tuple[Change, ...] = ()
    """Writes of Terraform states, from S3's data events; the object is `bucketName` and `key` of the request."""
    coverage: tuple[Covered, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    """Who was refused what, the most refused first."""
    sign_ins: tuple[Change, ...] = ()
    """Sign-ins to the console by people, failed ones included (`request` holds `result` and `mfa`)."""
    limits: tuple[Limit, ...] = ()
    poisoned: tuple[Poisoned, ...] = ()

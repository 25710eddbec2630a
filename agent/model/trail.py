"""What CloudTrail saw: who did what, to which resources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from agent.model.sides import Gap, Key

Act = Literal["create", "update", "delete"]
Channel = Literal["console", "cloudshell", "cli", "sdk", "iac", "service", "other"]
ActorKind = Literal["person", "pipeline", "service", "workload", "root", "shared", "unknown"]


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


@dataclass(frozen=True, slots=True)
class Trail:
    """What CloudTrail told of one interval."""

    start: datetime
    end: datetime
    changes: tuple[Change, ...] = ()
    events: int = 0
    denied: int = 0
    newest_event: datetime | None = None
    gaps: tuple[Gap, ...] = ()
    sessions: tuple[Change, ...] = ()
    """Sign-ins to roles by people and pipelines (`sts:AssumeRole…`): who worked, even where nothing was changed."""
    state_writes: tuple[Change, ...] = ()
    """Writes of Terraform states, from S3's data events; the object is `bucketName` and `key` of the request."""

"""Who made a call: from the credential back through the sessions it came from to a human, a pipeline or a service.

Hides the AssumeRole chain (joined by issued access key, else by session ARN), which names AWS vouches for and which
the caller chose, and how sure that makes us. A session name alone never identifies anybody outside IAM Identity
Center: the answer is then "unknown", with the name as what it is.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from agent.model import Actor, Identity, Session
from agent.trail import classify, decode, identity
from agent.trail.decode import Record
from agent.trail.runs import run
from agent.trail.source import LOOKBACK

_SKEW = timedelta(minutes=1)
_DEEPEST = 10  # sessions in a chain; AWS itself has no limit, a loop in forged files has no end

# How sure each kind of evidence makes us. Below 0.5 (`authorise.SURE`) nobody counts as known.
_VOUCHED = 0.95  # AWS or an identity provider names the human or the job
_SOURCE_IDENTITY = 0.95  # an administrator made STS ask for it
_DISPUTED = 0.75  # … and the chain leads to somebody else, as it does behind a broker
_IAM_USER = 0.7  # long-lived keys are copied and shared
_FEDERATED = 0.6  # an IAM user's, handed on at least once
_BY_ARN = 0.8  # times the caller's: a session of that name was issued to them, perhaps not this one
_HINT = 0.4  # an instance id or a Lambda user agent, which anybody in the role could write
_CLAIMED = 0.3  # a session name
_NOTHING = 0.1  # not even that

_INSTANCE = re.compile(r"i-(?:[0-9a-f]{8}|[0-9a-f]{17})")
_DEFAULT_NAME = re.compile(r"aws-go-sdk-\d+|botocore-session-\d+|AWSCLI-Session|aws-sdk-js-session-\d+")
_LAMBDA_OR_ECS = re.compile(r"exec-env/AWS_(?:Lambda|ECS)_")
_PEOPLE = ("cognito-identity.amazonaws.com", "accounts.google.com", "www.amazon.com", "graph.facebook.com")
_STARTED_BY_SOMEBODY = frozenset(
    {"cloudformation.amazonaws.com", "stacksets.cloudformation.amazonaws.com", "ssm.amazonaws.com"}
    | {"servicecatalog.amazonaws.com", "codepipeline.amazonaws.com"}
)
"""They act in a role of ours because a person or a pipeline told them to; the session does not say who."""
_PODS = "pods.eks.amazonaws.com"
_MACHINES = ("pipeline", "workload", "unknown")
"""Kinds of actor that a session name or a tag may show as a run; a person is one whatever they call their session."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """Sessions by what a later record can know them by."""

    by_key: Mapping[str, tuple[Session, ...]] = field(default_factory=dict)
    by_arn: Mapping[str, tuple[Session, ...]] = field(default_factory=dict)

    def of(self, caller: Identity, at: datetime) -> tuple[Session, ...]:
        """Where these credentials may come from: the one session by key, else those of that ARN in use at `at`.

        A session known to have another key is another session: whoever may assume the role can give it any name.
        """
        # A key is good for one role and from when it was issued: a record that says otherwise is no proof of anything.
        issued = [
            session
            for session in self.by_key.get(caller.key, ())
            if session.time <= at + _SKEW and (not session.arn or not caller.arn or session.arn == caller.arn)
        ]
        if issued:
            return (issued[-1],)
        return tuple(
            session
            for session in self.by_arn.get(caller.arn, ())
            if -_SKEW <= at - session.time <= LOOKBACK and not (session.key and caller.key)
        )


@dataclass(frozen=True, slots=True)
class Who:
    """The actor, and the sessions that led to them, the latest first."""

    actor: Actor
    chain: tuple[Session, ...] = ()


def session(record: Record, time: datetime) -> Session | None:
    """The session an STS record issued; None where it failed or is another call."""
    if record.name not in classify.ASSUMING or record.error:
        return None
    asked, given = decode.mapping(record.request), decode.mapping(record.response)
    key = _text(_mapping(given.get("credentials")).get("accessKeyId"))
    name = _text(asked.get("roleSessionName"))
    arn = _text(_mapping(given.get("assumedRoleUser")).get("arn")) or _session_arn(_text(asked.get("roleArn")), name)
    if not key and not arn:
        return None
    return Session(
        key,
        identity.of(record),
        time,
        record.name,
        arn,
        name,
        _text(asked.get("sourceIdentity")),
        _tags(asked),
        _text(asked.get("roleArn")),
        record.recipient or "",
        decode.event_id(record),
        record.source_ip or "",
    )


def index(found: Iterable[Session]) -> Sessions:
    """The same table whatever the order, and however often a session was delivered."""
    by_key: dict[str, list[Session]] = defaultdict(list)
    by_arn: dict[str, set[Session]] = defaultdict(set)
    # Of two accounts' copies the one that names the caller by ARN comes last, and stays.
    for item in sorted(set(found), key=lambda s: (bool(s.caller.arn), s.time, s)):
        if item.key:
            by_key[item.key].append(item)
        if item.arn:
            by_arn[item.arn].add(item)
    keys = {key: tuple(items) for key, items in by_key.items()}
    return Sessions(keys, {arn: tuple(sorted(items, key=lambda s: (s.time, s))) for arn, items in by_arn.items()})


def who(caller: Identity, at: datetime, sessions: Sessions, *, agent: str = "", by_service: str = "") -> Who:
    """The actor behind one record of time `at`. Pure, never raises.

    `by_service`: AWS itself acted, and what the record calls it. `agent`: the user agent, a hint at most.
    """
    if by_service:
        return Who(_service(caller, by_service))
    found = _behind(caller, at, sessions, agent, 0)
    said = caller.source_identity or _asked_source_identity(caller, found.chain)
    actor = found.actor
    if found.chain:
        path = [actor.name, *(_role_of(s) for s in reversed(found.chain))]
        actor = replace(actor, how=f"{actor.how}; {found.chain[0].call} chain: {' → '.join(path)}")
    actor = replace(actor, role=caller.role_arn, arn=actor.arn or caller.arn)
    if not actor.name:
        actor = replace(actor, name="unknown", kind="unknown", confidence=_NOTHING)
    return Who(_in_run(_with_source_identity(actor, said) if said else actor, caller, found.chain), found.chain)


def signed_in(issued: Session, sessions: Sessions) -> Actor:
    """Who got a session, as the calls made with it will name them."""
    caller = Identity(
        kind="AssumedRole", arn=issued.arn, key=issued.key, role_arn=issued.role, session=issued.name, issued=True
    )
    found = _from(issued, caller, sessions, "", 0)
    actor = replace(found.actor, role=issued.role, arn=found.actor.arn or issued.arn)
    said = issued.source_identity or issued.caller.source_identity
    return _in_run(_with_source_identity(actor, said) if said else actor, caller, found.chain)


def _in_run(actor: Actor, caller: Identity, chain: tuple[Session, ...]) -> Actor:
    """With the pipeline run that subject, tags and session names tell of. Sessions joined by ARN tell nothing."""
    if actor.kind not in _MACHINES:
        return actor
    tags: dict[tuple[str, str], None] = {}
    provider, by = "", caller
    for session in chain:
        if not _is_exact(by, session):
            break
        tags |= dict.fromkeys(session.tags)
        provider, by = session.caller.provider, session.caller
    return replace(actor, run=run(actor.subject, caller.session, tuple(tags), provider, actor.service))


def _behind(caller: Identity, at: datetime, sessions: Sessions, agent: str, depth: int) -> Who:
    """The principal itself, or whoever it got its session from."""
    if caller.kind != "AssumedRole" or caller.in_identity_center:
        return Who(_principal(caller))
    found = sessions.of(caller, at) if depth < _DEEPEST else ()
    origins = [_from(session, caller, sessions, agent, depth) for session in found]
    names = {(origin.actor.name, origin.actor.kind) for origin in origins}
    if len(names) == 1:
        return origins[-1] if _is_exact(caller, found[-1]) else _by_arn_only(origins[-1])
    lone = _lone_session(caller, agent)
    if len(names) > 1:
        several = ", ".join(sorted(name for name, _ in names))
        return Who(replace(lone, how=f"sessions named {caller.session} were issued to {several}: cannot tell whose"))
    return Who(lone)


def _is_exact(caller: Identity, session: Session) -> bool:
    return bool(caller.key) and caller.key == session.key


def _by_arn_only(found: Who) -> Who:
    """Likely, not proven: less sure, and neither subject nor service that could pass for a pipeline's proof."""
    sure = round(found.actor.confidence * _BY_ARN, 2)
    return replace(found, actor=replace(found.actor, confidence=sure, subject="", service=""))


def _asked_source_identity(caller: Identity, chain: tuple[Session, ...]) -> str:
    """Every call of a session repeats its sourceIdentity; a copy of the record may lack it."""
    if not chain or not _is_exact(caller, chain[0]):
        return ""
    return chain[0].source_identity or chain[0].caller.source_identity


def _from(session: Session, caller: Identity, sessions: Sessions, agent: str, depth: int) -> Who:
    if session.caller.kind == "AWSService":
        return Who(_for_service(session, caller), (session,))
    origin = _behind(session.caller, session.time, sessions, agent, depth + 1)
    # Whatever a service's session goes on to assume was issued to that session, not to the service: no PassRole
    # governs it, and every project of the service that may assume the role would pass for the trusted one.
    return Who(replace(origin.actor, service=""), (session, *origin.chain))


def _principal(caller: Identity) -> Actor:
    """Who a principal is that is no ordinary role session."""
    arn, name, account = caller.arn, caller.name, caller.account
    match caller.kind:
        case "AssumedRole":
            return Actor(caller.session, "person", arn, f"IAM Identity Center user in {caller.role}", _VOUCHED)
        case "Root":
            return Actor(f"root of {account or name or 'an account'}", "root", arn, "root user", _VOUCHED)
        case "IAMUser":
            return Actor(name or _last(arn) or caller.principal, "person", arn, "IAM user", _IAM_USER)
        case "FederatedUser":
            return _federated(caller)
        case "IdentityCenterUser":
            return Actor(
                name or caller.principal or "Identity Center user", "person", arn, "Identity Center user", _VOUCHED
            )
        case "SAMLUser":
            return Actor(name, "person", arn, f"SAML subject of {caller.provider}", _VOUCHED, subject=name)
        case "WebIdentityUser":
            return _web_identity(caller)
        case "AWSAccount":
            how = f"a principal of account {account}, whose trail is not read"
            return Actor(f"account {account}", "unknown", arn, how, _CLAIMED)
    if caller.user_id:  # a sign-in to the access portal: AWS names the user, and calls the type Unknown
        return Actor(name or caller.user_id, "person", arn, "Identity Center user", _VOUCHED)
    named = name or arn or caller.principal or "unknown"
    return Actor(named, "unknown", arn, f"userIdentity of type {caller.kind or '(none)'}", _NOTHING)


def _federated(caller: Identity) -> Actor:
    """A session of GetFederationToken: its user is proven, the name they gave it is not."""
    given, issuer = _last(caller.arn), caller.issuer
    if issuer.endswith(":root"):
        return Actor(f"root of {caller.account}", "root", issuer, f"root user, federated as {given}", _VOUCHED)
    if issuer:
        return Actor(_last(issuer), "person", issuer, f"IAM user, federated as {given}", _FEDERATED)
    return Actor(given, "unknown", caller.arn, "a federated user; who issued the session is not recorded", _CLAIMED)


def _web_identity(caller: Identity) -> Actor:
    """An OIDC subject: a CI job, a Kubernetes service account, or a consumer's login."""
    subject = caller.name or caller.principal.rpartition(":")[2]
    how = f"OIDC subject {subject} of {caller.provider or 'an unnamed provider'}"
    if any(name in caller.provider for name in _PEOPLE):
        return Actor(subject, "unknown", "", how, _CLAIMED, subject=subject)
    kind, text, *rest = f"{subject}::".split(":")
    if kind == "system" and text == "serviceaccount":
        return Actor(subject, "workload", "", how, _VOUCHED, subject=subject)
    # `repo:org/repo:ref:refs/heads/main`, `project_path:group/project:…`, `organization:acme:project:…`
    return Actor(text if rest and text else subject, "pipeline", "", how, _VOUCHED, subject=subject)


def _service(caller: Identity, source: str) -> Actor:
    named = caller.invoked_by or _linked_service(caller) or source
    how = f"service-linked role {caller.role}" if caller.service_linked else caller.kind or "AwsServiceEvent"
    return Actor(named, "service", caller.arn, how, 1.0, role=caller.role_arn)


def _linked_service(caller: Identity) -> str:
    """`autoscaling.amazonaws.com` out of `…:role/aws-service-role/autoscaling.amazonaws.com/…`."""
    parts = caller.role_arn.split("/")
    return parts[2] if caller.service_linked and len(parts) > 2 else ""


def _for_service(session: Session, caller: Identity) -> Actor:
    """A service assumed one of our roles: for a machine of ours, or because somebody told it to."""
    asked = session.caller.invoked_by
    by, arn = asked or "an AWS service", caller.arn
    if by in _STARTED_BY_SOMEBODY:
        how = f"{by} in our role; the session does not say who started it"
        return Actor(by, "unknown", arn, how, _CLAIMED, service=asked)
    account = _service_account(session) if by == _PODS else ""
    if account:
        return Actor(account, "workload", arn, "EKS Pod Identity", _VOUCHED, subject=account, service=asked)
    return Actor(session.name or caller.role, "workload", arn, f"{by} assumed the role", _VOUCHED, service=asked)


def _service_account(session: Session) -> str:
    """The Kubernetes service account that EKS tagged the session with, spelled as IRSA's subjects are."""
    tags = dict(session.tags)
    namespace, name = tags.get("kubernetes-namespace"), tags.get("kubernetes-service-account")
    return f"system:serviceaccount:{namespace}:{name}" if namespace and name else ""


def _lone_session(caller: Identity, agent: str) -> Actor:
    """A role session whose AssumeRole call was not seen."""
    arn, name = caller.arn, caller.session
    if caller.serves or caller.on_instance:
        how = f"credentials of {caller.serves}" if caller.serves else "credentials from instance metadata"
        return Actor(name or caller.serves, "workload", arn, how, _VOUCHED)
    if _INSTANCE.fullmatch(name):
        return Actor(name, "workload", arn, "the session name is an instance id", _HINT)
    if _LAMBDA_OR_ECS.search(agent):
        return Actor(name or caller.role, "workload", arn, "the user agent is Lambda's or ECS's", _HINT)
    how = "the AssumeRole call is not in the trail"
    if caller.looks_service_linked:
        return Actor(caller.role, "unknown", arn, "named like a service-linked role, its path is not known", _CLAIMED)
    if not name or _DEFAULT_NAME.fullmatch(name):
        return Actor(name or caller.role or "unknown", "unknown", arn, f"{how}, and nobody named the session", _NOTHING)
    return Actor(name, "unknown", arn, f"{how}; the session name is its caller's own word", _CLAIMED)


def _with_source_identity(actor: Actor, said: str) -> Actor:
    """The human behind a shared role. What is proven to be no human stays what it is."""
    if actor.kind not in ("person", "unknown"):
        return replace(actor, source_identity=said)
    if actor.kind == "unknown" or _same(actor.name, said):
        return replace(
            actor,
            name=said,
            kind="person",
            how=f"sourceIdentity; {actor.how}",
            confidence=_SOURCE_IDENTITY,
            source_identity=said,
        )
    how = f"sourceIdentity; through {actor.name}, {actor.how}"
    return replace(actor, name=said, how=how, confidence=_DISPUTED, source_identity=said)


def _same(one: str, other: str) -> bool:
    return one.partition("@")[0].casefold() == other.partition("@")[0].casefold()


def _role_of(session: Session) -> str:
    parts = session.arn.split("/")
    return parts[1] if len(parts) > 1 else session.arn


def _session_arn(role_arn: str, name: str) -> str:
    parts = role_arn.split(":", 5)
    if len(parts) != 6 or not name or not parts[5].startswith("role/"):
        return ""
    return f"arn:{parts[1]}:sts::{parts[4]}:assumed-role/{_last(parts[5])}/{name}"


def _tags(asked: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """From the places STS records them in: asked for, inherited from the calling session, sent by the provider."""
    found = {}
    tags = asked.get("tags")
    for tag in tags if isinstance(tags, list) else ():
        entry = _mapping(tag)
        found[_text(entry.get("key"))] = _text(entry.get("value"))
    for name in ("incomingTransitiveTags", "principalTags"):
        found |= {str(key): _text(item) for key, item in _mapping(asked.get(name)).items()}
    return tuple(sorted(found.items()))


def _mapping(found: Any) -> Mapping[str, Any]:
    return found if isinstance(found, dict) else {}


def _text(found: Any) -> str:
    return found if isinstance(found, str) else ""


def _last(text: str) -> str:
    return text.rsplit("/", 1)[-1]

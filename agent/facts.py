"""What rules may ask: a closed set of named facts, and how each is computed from a finding.

Hides the finding's shape from rule authors. A fact is never absent: `none`, `unseen` and `settled` are words, and
what could not be determined is `Unknown`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

from agent.explain import THRESHOLD, rank
from agent.exposure import effect
from agent.model import (
    ActorKind,
    Change,
    Channel,
    Drift,
    Finding,
    GapCause,
    Outcome,
    StateCause,
    Unknown,
    Verdict,
)
from agent.resources import Spec, Topic

Words = tuple[str, ...]
Facts = Mapping[str, Words | Unknown]
"""Fact → its values. Most facts have one; a condition on a fact holds when any of its values matches."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing a rule may ask."""

    about: str
    values: Words = ()
    """All it can be; empty: any text."""
    example: Words = ("none",)
    """Its value in a rule's example that does not say."""


_YES_NO = ("yes", "no")

FACTS: Mapping[str, Fact] = {
    "outcome": Fact("the verdict", get_args(Outcome), ("unauthorised",)),
    "kind": Fact(
        "what differs; none: changed and as declared again, or changed together with state; "
        "unlisted: in no configured stack, of an estate that is not said to be complete; "
        "gap: no resource, but a stretch of the trail that was not read; state: no resource, but a Terraform state; "
        "refused: no resource, but calls that were refused",
        ("changed", "missing", "unmanaged", "unlisted", "unapplied", "none", "gap", "state", "refused"),
        ("changed",),
    ),
    "state": Fact("what became of a Terraform state", (*filter(None, get_args(StateCause)), "none")),
    "trail": Fact(
        "what the trail tells of itself, where the finding is about it: why a stretch of it is missing or not to be "
        "believed; or a burst of refused calls",
        (*filter(None, get_args(GapCause)), "none"),
    ),
    "absorbed": Fact("whether an apply wrote what a hand changed into state", _YES_NO, ("no",)),
    "type": Fact("Terraform resource type, and that of a part that differs", (), ("aws_sqs_queue",)),
    "id": Fact("natural id of the resource", (), ("arn:aws:sqs:eu-west-1:111122223333:orders",)),
    "address": Fact("Terraform address", (), ("aws_sqs_queue.orders",)),
    "stack": Fact("name of the stack", (), ("shop",)),
    "owner": Fact("owner of the resource", (), ("none",)),
    "account": Fact("AWS account id", (), ("111122223333",)),
    "region": Fact("AWS region", (), ("eu-west-1",)),
    "attribute": Fact("attributes that differ or were set; whole: the resource itself", (), ("delay_seconds",)),
    "topic": Fact("what the attributes are about", get_args(Topic), ("metadata",)),
    "act": Fact("what was done to the resource or its part", ("create", "update", "delete"), ("update",)),
    "action": Fact("the API call, for example sqs:SetQueueAttributes", (), ("sqs:SetQueueAttributes",)),
    "channel": Fact("how the call was made", (*get_args(Channel), "unseen"), ("console",)),
    "actor": Fact("whether somebody answers for it", ("settled", "unsettled", "unseen"), ("settled",)),
    "actor_kind": Fact("who made the call", (*get_args(ActorKind), "unseen"), ("person",)),
    "failed_test": Fact(
        "tests of the verdict that failed",
        (
            *("actor", "pipeline", "ticket", "state", "window", "scope", "implementer", "separation"),
            *("content", "permitted", "review", "checks", "freeze", "breakglass", "none"),
        ),
        ("ticket",),
    ),
    "path": Fact("the path that passed or came nearest", ("pipeline", "manual", "standing", "emergency", "none")),
    "pipeline": Fact("whether the pipeline test passed", _YES_NO, ("no",)),
    "claim": Fact("whether the call carried a ticket reference", _YES_NO, ("no",)),
    "late": Fact("whether the approval was found or given late", _YES_NO, ("no",)),
    "public": Fact("whether something is newly open to everybody", (*_YES_NO, "unknown"), ("no",)),
    "weakened": Fact(
        "what protection was turned off or reduced", ("encryption", "logging", "retention", "none", "unknown")
    ),
    "privilege": Fact("whether somebody may do more than was declared", ("raised", "same", "unknown"), ("same",)),
}

_TOPICS: tuple[tuple[str, Topic], ...] = (
    ("aws_s3_bucket_policy", "exposure"),
    ("aws_s3_bucket_public_access_block", "exposure"),
    ("aws_s3_bucket_acl", "exposure"),
    ("aws_s3_bucket_server_side_encryption", "encryption"),
    ("aws_s3_bucket_logging", "logging"),
    ("aws_sqs_queue_policy", "exposure"),
    ("aws_sns_topic_policy", "exposure"),
    ("aws_lambda_permission", "exposure"),
    ("aws_iam_", "identity"),
    ("aws_kms_", "encryption"),
    ("aws_cloudtrail", "logging"),
    ("aws_cloudwatch_log", "logging"),
    ("aws_flow_log", "logging"),
    ("aws_config_", "logging"),
    ("aws_guardduty_", "logging"),
    ("aws_security_group", "network"),
    ("aws_default_security_group", "network"),
    ("aws_vpc", "network"),
    ("aws_subnet", "network"),
    ("aws_route", "network"),
    ("aws_network_", "network"),
    ("aws_internet_gateway", "network"),
    ("aws_nat_gateway", "network"),
    ("aws_lb", "network"),
    ("aws_instance", "compute"),
    ("aws_lambda_", "compute"),
    ("aws_ecs_", "compute"),
    ("aws_eks_", "compute"),
    ("aws_autoscaling_", "compute"),
    ("aws_s3_", "data"),
    ("aws_sqs_", "data"),
    ("aws_sns_", "data"),
    ("aws_dynamodb_", "data"),
    ("aws_db_", "data"),
    ("aws_rds_", "data"),
    ("aws_ssm_parameter", "data"),
    ("aws_secretsmanager_", "data"),
)
"""Prefix of a resource type → what its coming or going is about; the first that fits."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The facts of one part of a finding, and what some of them rest on."""

    facts: Facts
    evidence: Mapping[str, str] = field(default_factory=dict)


def seen(finding: Finding, specs: Mapping[str, Spec]) -> tuple[Seen, ...]:
    """The facts of each change that decided the finding's outcome; of its drift alone where no change did.

    One set per change, so that one call's pipeline and another's person are never mixed into one.
    """
    outcome = finding.verdict.outcome
    deciding = [item for item in finding.changes if item.verdict.outcome == outcome]
    drifts = _unsettled(finding, [item.change for item in deciding], specs)
    if not deciding:
        return (_seen(finding, drifts, None, finding.verdict, specs),)
    return tuple(_seen(finding, drifts, item.change, item.verdict, specs) for item in deciding)


def _unsettled(finding: Finding, deciding: Sequence[Change], specs: Mapping[str, Spec]) -> tuple[Drift, ...]:
    """The finding's differences without those that a change with another verdict explains.

    What is merged and not applied is told of only where there is nothing else.
    """
    drifts = finding.differences or finding.drifts
    events = {change.event_ids for change in deciding}
    if len(events) == len(finding.changes):
        return drifts
    # What came before the first candidate was before the resource was last clean, and explains nothing.
    since = min((one.change.time for one in finding.candidates), default=None)
    changes = [item.change for item in finding.changes if since is None or item.change.time >= since]
    kept = []
    for drift in drifts:
        best = next(iter(rank(drift, changes, specs)), None)
        if best is None or best.score < THRESHOLD or best.change.event_ids in events:
            kept.append(drift)
    return tuple(kept)


def _seen(
    finding: Finding, drifts: Sequence[Drift], change: Change | None, verdict: Verdict, specs: Mapping[str, Spec]
) -> Seen:
    key, meaning = finding.key, effect(finding.key, drifts, change, specs, finding.unexplained)
    facts: dict[str, Words | Unknown] = {
        "outcome": (finding.verdict.outcome,),
        "kind": _kinds(finding, drifts),
        "state": _some([finding.cause]),
        "trail": _some([finding.trail]),
        "absorbed": _yes(any(drift.note == "absorbed" for drift in drifts)),
        "type": _some([key.type, *(drift.part.type for drift in drifts if drift.part is not None)]),
        "id": _some([key.id]),
        "address": _some([finding.address]),
        "stack": _some([finding.stack]),
        "owner": _some([finding.owner]),
        "account": _some([key.account]),
        "region": _some([key.region]),
        **_moved(finding, drifts, change, specs),
        **_made(change, verdict),
        "failed_test": _some(verdict.failed),
        "path": _some([verdict.path]),
        "pipeline": _yes(any(test.name == "pipeline" and test.result == "pass" for test in verdict.tests)),
        "late": _yes(verdict.late),
        "public": meaning.public.value,
        "weakened": meaning.weakened.value,
        "privilege": meaning.privilege.value,
    }
    evidence = {
        "public": meaning.public.evidence,
        "weakened": meaning.weakened.evidence,
        "privilege": meaning.privilege.evidence,
    }
    return Seen(facts, {name: text for name, text in evidence.items() if text})


def _kinds(finding: Finding, drifts: Sequence[Drift]) -> Words:
    """A finding has drift, or change, or tells of a state or of refused calls; with none of these it tells of a gap."""
    if finding.cause:
        return ("state",)
    if finding.trail in ("refused", "refused-widely"):
        return ("refused",)
    if not finding.drifts and not finding.changes:
        return ("gap",)
    return _some("unlisted" if drift.note == "unlisted" else drift.kind for drift in drifts)


def _moved(
    finding: Finding, drifts: Sequence[Drift], change: Change | None, specs: Mapping[str, Spec]
) -> dict[str, Words]:
    """Attributes, topics and acts, of the drifts and of the call on this resource."""
    attributes, topics, acts = [], [], []
    for drift in drifts:
        whole = drift.part is not None or drift.kind != "changed"
        attributes.append(drift.attribute or "whole")
        topics += _topics((drift.part or drift.key).type, "" if whole else drift.attribute, specs)
        acts.append(
            "update" if not whole or drift.kind == "unapplied" else "delete" if drift.live is None else "create"
        )
    for touch in change.touches if change is not None else ():
        if touch.type != finding.key.type and not _part(touch.type, finding, specs):
            continue
        acts.append(touch.act)
        names = list(touch.sets) if touch.act == "update" else []
        attributes += names or ["whole"]
        topics += [topic for name in names or [""] for topic in _topics(touch.type, name, specs)]
    return {"attribute": _some(attributes), "topic": _some(topics, "metadata"), "act": _some(acts, "update")}


def _part(type_: str, finding: Finding, specs: Mapping[str, Spec]) -> bool:
    spec = specs.get(type_)
    return spec is not None and spec.parent is not None and spec.parent.type == finding.key.type


def _topics(type_: str, attribute: str, specs: Mapping[str, Spec]) -> list[str]:
    """What an attribute is about, as its spec says; of a whole resource what its type is about."""
    spec = specs.get(type_)
    if attribute and spec is not None:
        return [declared.topic for declared in spec.attributes if declared.name == attribute] or ["metadata"]
    by_type = next((topic for prefix, topic in _TOPICS if type_.startswith(prefix)), "metadata")
    if spec is None or spec.parent is None:
        return [by_type]
    # A part is little more than its attributes.
    return [by_type, *(declared.topic for declared in spec.attributes if declared.topic != "metadata")]


def _made(change: Change | None, verdict: Verdict) -> dict[str, Words]:
    if change is None:
        return {**dict.fromkeys(("action", "channel", "actor", "actor_kind"), ("unseen",)), "claim": ("no",)}
    doubted = any(test.name == "actor" and test.result == "unknown" for test in verdict.tests)
    return {
        "action": (change.action,),
        "channel": (change.channel,),
        "actor": ("unsettled" if doubted or change.actor.kind == "unknown" else "settled",),
        "actor_kind": (change.actor.kind,),
        "claim": _yes(bool(change.claims)),
    }


def _some(words: Iterable[str], otherwise: str = "none") -> Words:
    return tuple(dict.fromkeys(word for word in words if word)) or (otherwise,)


def _yes(answer: bool) -> Words:
    return ("yes",) if answer else ("no",)

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
from agent.exposure.turns import part_of
from agent.model import (
    ActorKind,
    Change,
    Channel,
    Drift,
    Finding,
    GapCause,
    IdentityClass,
    Outcome,
    StateCause,
    Tool,
    Unknown,
    Verdict,
)
from agent.resources import Spec, Topic
from agent.topics import topics

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
_TESTS = (
    *("actor", "pipeline", "ticket", "state", "window", "scope", "implementer", "separation"),
    *("content", "permitted", "review", "checks", "freeze", "breakglass", "none"),
)
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

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
        (*(one for one in get_args(GapCause) if one not in ("", "unproven")), "none"),
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
    "identity": Fact("what kind of credential made the call", (*get_args(IdentityClass), "unseen"), ("sso-user",)),
    "group": Fact("groups of the actor at that time, as the identity map has them"),
    "tool": Fact(
        "what tool the call says it was made with; anyone may say so", (*filter(None, get_args(Tool)), "none")
    ),
    "weekday": Fact("day of the call, UTC", (*_DAYS, "unseen"), ("tue",)),
    "hour": Fact("hour of the call, UTC: 00 to 23", (*(f"{hour:02}" for hour in range(24)), "unseen"), ("10",)),
    "environment": Fact(
        "environment of the resource, by stack, account or tag; `production` for all that the configuration calls so"
    ),
    "risk": Fact("risk class of the change", ("low", "medium", "high", "none")),
    "failed_test": Fact("tests of the verdict that failed", _TESTS, ("ticket",)),
    "unknown_test": Fact("tests of the verdict that could not be answered", _TESTS),
    "path": Fact("the path that passed or came nearest", ("pipeline", "manual", "standing", "emergency", "none")),
    "pipeline": Fact("whether the pipeline test passed", _YES_NO, ("no",)),
    "claim": Fact("whether the call carried a ticket reference", _YES_NO, ("no",)),
    "late": Fact("whether the approval was found or given late", _YES_NO, ("no",)),
    "grant": Fact("whether an emergency (break-glass) covers the call", _YES_NO, ("no",)),
    "afterwards": Fact("whether its ticket was reopened or lost an approval after the change", _YES_NO, ("no",)),
    "public": Fact("whether something is newly open to everybody", (*_YES_NO, "unknown"), ("no",)),
    "weakened": Fact(
        "what protection was turned off or reduced", ("encryption", "logging", "retention", "none", "unknown")
    ),
    "privilege": Fact("whether somebody may do more than was declared", ("raised", "same", "unknown"), ("same",)),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """The facts of one part of a finding, and what some of them rest on."""

    facts: Facts
    evidence: Mapping[str, str] = field(default_factory=dict)
    change: Change | None = None
    drifts: tuple[Drift, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A change that decided a finding's outcome, and the differences that may be its; or differences no change made."""

    finding: Finding
    drifts: tuple[Drift, ...]
    change: Change | None
    verdict: Verdict


def seen(finding: Finding, specs: Mapping[str, Spec]) -> tuple[Seen, ...]:
    """The facts of each of the finding's parts."""
    return tuple(described(part, specs) for part in parts(finding, specs))


def parts(finding: Finding, specs: Mapping[str, Spec]) -> tuple[Part, ...]:
    """Each change that decided the finding's outcome; its drift alone where no change did.

    One part per change, so that one call's pipeline and another's person are never mixed into one.
    """
    outcome = finding.verdict.outcome
    deciding = [item for item in finding.changes if item.verdict.outcome == outcome]
    drifts = _unsettled(finding, [item.change for item in deciding], specs)
    if not deciding:
        return (Part(finding, drifts, None, finding.verdict),)
    return tuple([Part(finding, drifts, item.change, item.verdict) for item in deciding])


def _unsettled(finding: Finding, deciding: Sequence[Change], specs: Mapping[str, Spec]) -> tuple[Drift, ...]:
    """The finding's differences without those that a change with another verdict explains.

    What is merged and not applied is told of only where there is nothing else.
    """
    drifts = finding.drifts and (finding.differences or finding.drifts)
    if not drifts or len(deciding) == len(finding.changes):
        return drifts
    events = {change.event_ids for change in deciding}
    # What came before the first candidate was before the resource was last clean, and explains nothing.
    since = min((one.change.time for one in finding.candidates), default=None)
    changes = [item.change for item in finding.changes if since is None or item.change.time >= since]
    kept = []
    for drift in drifts:
        best = next(iter(rank(drift, changes, specs)), None)
        if best is None or best.score < THRESHOLD or best.change.event_ids in events:
            kept.append(drift)
    return tuple(kept)


WIDE = frozenset({"id", "address", "stack", "owner", "account", "region", "weekday", "hour"})
"""Facts that differ from one finding to the next, however alike they are."""


def described(part: Part, specs: Mapping[str, Spec]) -> Seen:
    """The facts of one part."""
    finding, change, verdict = part.finding, part.change, part.verdict
    meaning = effect(finding.key, part.drifts, change, specs, finding.unexplained)
    facts: dict[str, Words | Unknown] = {
        "outcome": (finding.verdict.outcome,),
        "kind": _kinds(finding, part.drifts),
        "state": _some([finding.cause]),
        "trail": _some([finding.trail]),
        "absorbed": _yes(any(drift.note == "absorbed" for drift in part.drifts)),
        **wide(part),
        **_moved(part, specs),
        **_made(change, verdict),
        **_allowed(verdict),
        "public": meaning.public.value,
        "weakened": meaning.weakened.value,
        "privilege": meaning.privilege.value,
    }
    evidence = {
        "public": meaning.public.evidence,
        "weakened": meaning.weakened.evidence,
        "privilege": meaning.privilege.evidence,
    }
    return Seen(facts, {name: text for name, text in evidence.items() if text}, change, part.drifts)


def wide(part: Part) -> dict[str, Words | Unknown]:
    """The facts of `WIDE`."""
    finding, change = part.finding, part.change
    return {
        "id": _some([finding.key.id]),
        "address": _some([finding.address]),
        "stack": _some([finding.stack]),
        "owner": _some([finding.owner]),
        "account": _some([finding.key.account]),
        "region": _some([finding.key.region]),
        "weekday": (_DAYS[change.time.weekday()] if change is not None else "unseen",),
        "hour": (f"{change.time.hour:02}" if change is not None else "unseen",),
    }


def _kinds(finding: Finding, drifts: Sequence[Drift]) -> Words:
    """A finding has drift, or change, or tells of a state or of refused calls; with none of these it tells of a gap."""
    if finding.cause:
        return ("state",)
    if finding.trail in ("refused", "refused-widely"):
        return ("refused",)
    if not finding.drifts and not finding.changes:
        return ("gap",)
    return _some("unlisted" if drift.note == "unlisted" else drift.kind for drift in drifts)


def _moved(part: Part, specs: Mapping[str, Spec]) -> dict[str, Words]:
    """Types, attributes, topics and acts, of the drifts and of the call on this resource."""
    whole_type = part.finding.key.type
    types = [whole_type, *(drift.part.type for drift in part.drifts if drift.part is not None)]
    attributes, about, acts = [], [], []
    for drift in part.drifts:
        whole = drift.part is not None or drift.kind != "changed"
        attributes.append(drift.attribute or "whole")
        about += topics((drift.part or drift.key).type, "" if whole else drift.attribute, specs)
        acts.append(
            "update" if not whole or drift.kind == "unapplied" else "delete" if drift.live is None else "create"
        )
    for touch in part.change.touches if part.change is not None else ():
        if touch.type != whole_type and not part_of(touch.type, whole_type, specs):
            continue
        types.append(touch.type)
        acts.append(touch.act)
        names = list(touch.sets) if touch.act == "update" else []
        attributes += names or ["whole"]
        about += [topic for name in names or [""] for topic in topics(touch.type, name, specs)]
    return {
        "type": _some(types),
        "attribute": _some(attributes),
        "topic": _some(about, "metadata"),
        "act": _some(acts, "update"),
    }


def _made(change: Change | None, verdict: Verdict) -> dict[str, Words]:
    """Who made the call, and how."""
    if change is None:
        unseen = dict.fromkeys(("action", "channel", "actor", "actor_kind", "identity"), ("unseen",))
        return {**unseen, "group": ("none",), "tool": ("none",), "claim": ("no",)}
    doubted = any(test.name == "actor" and test.result == "unknown" for test in verdict.tests)
    return {
        "action": (change.action,),
        "channel": (change.channel,),
        "actor": ("unsettled" if doubted or change.actor.kind == "unknown" else "settled",),
        "actor_kind": (change.actor.kind,),
        "identity": (change.identity,),
        "group": _some(change.actor.groups),
        "tool": _some([change.tool]),
        "claim": _yes(bool(change.claims)),
    }


def _allowed(verdict: Verdict) -> dict[str, Words]:
    """What the verdict says besides its outcome."""
    return {
        "environment": _some([verdict.environment]),
        "risk": (verdict.risk.level if verdict.risk is not None else "none",),
        "failed_test": _some(verdict.failed),
        "unknown_test": _some(test.name for test in verdict.tests if test.result == "unknown"),
        "path": _some([verdict.path]),
        "pipeline": _yes(any(test.name == "pipeline" and test.result == "pass" for test in verdict.tests)),
        "late": _yes(verdict.late),
        "grant": _yes(bool(verdict.grant)),
        "afterwards": _yes(bool(verdict.since)),
    }


def _some(words: Iterable[str], otherwise: str = "none") -> Words:
    return tuple(dict.fromkeys(word for word in words if word)) or (otherwise,)


def _yes(answer: bool) -> Words:
    return ("yes",) if answer else ("no",)

"""Who made a change: whether somebody answers for the credential, and whether a trusted pipeline used it.

Hides what proves a pipeline: a role alone proves nothing, as whoever may assume it can, and the user agent is never
asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network

from agent.model import Change, Pipeline, Test
from agent.people import SURE


def trusted(change: Change, pipelines: Sequence[Pipeline]) -> str:
    """Name of the trusted pipeline that made a call; empty: none did."""
    return next((one.name for one in in_role(change, pipelines) if _proof(change, one)), "")


def actor(change: Change, pipelines: Sequence[Pipeline]) -> Test:
    """The test `actor`."""
    who = change.actor
    said = f"{who.name}: {who.how}" if who.how else who.name
    if who.kind in ("root", "shared"):
        return Test("actor", "fail", f"{said}: nobody is accountable for a {who.kind} credential")
    if who.kind == "unknown" and who.person:
        return Test("actor", "fail", f"{said}: not theirs to use at that time")
    # Whoever started a service that is no trusted deployer is not known.
    if (who.kind == "unknown" or who.confidence < SURE) and not (who.service and trusted(change, pipelines)):
        return Test("actor", "unknown", said)
    return Test("actor", "pass", said)


def pipeline(change: Change, pipelines: Sequence[Pipeline]) -> Test:
    """The test `pipeline`."""
    theirs = in_role(change, pipelines)
    for one in theirs:
        proof = _proof(change, one)
        if proof:
            return Test("pipeline", "pass", f"{one.name}: role {change.actor.role}, {proof}")
    if theirs:
        said = f"{change.actor.role} is {theirs[0].name}'s role, used by {change.actor.name}"
        return Test("pipeline", "fail", said)
    return Test("pipeline", "fail", f"{change.actor.name} is no configured pipeline")


def in_role(change: Change, pipelines: Sequence[Pipeline]) -> list[Pipeline]:
    """The pipelines whose role the call was made in: which of them made it, if any, needs proof."""
    role = change.actor.role
    return [one for one in pipelines if fnmatchcase(role, one.role)] if role else []


def _proof(change: Change, one: Pipeline) -> str:
    who = change.actor
    if one.subject and who.subject and fnmatchcase(who.subject, one.subject):
        return f"OIDC subject {who.subject}"
    if one.service and who.service == one.service:
        return f"issued to {who.service}"
    said = who.source_identity
    if one.source_identity and said and fnmatchcase(said, one.source_identity):
        return f"sourceIdentity {said}"
    if one.source_ips and _within(change.source_ip, one.source_ips):
        return f"source address {change.source_ip}"
    return ""


def _within(address: str, blocks: Sequence[str]) -> bool:
    try:
        source = ip_address(address)
    except ValueError:  # a service's DNS name stands where the address would
        return False
    return any(source in ip_network(block) for block in blocks)

"""A scan as one JSON document, `driftwarden/scan/1`: what `driftwarden scan --output json` prints.

The shape is held to `docs/scan.schema.json` by a test. Sensitive values appear as their keyed hash, never themselves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from agent.document import authority
from agent.document.authority import PolicyNews
from agent.document.times import stamp
from agent.explain import THRESHOLD
from agent.model import (
    Attempt,
    Case,
    Change,
    Drift,
    Finding,
    Gap,
    Held,
    JudgedChange,
    Key,
    Limit,
    Open,
    Resource,
    Risk,
    Secret,
    StateRead,
    Trail,
    Unapplied,
    Unknown,
    Update,
    Verdict,
    Violation,
)
from agent.plan import worst
from agent.resources import load
from agent.scan import Scan
from agent.way_back import way_back

SCHEMA = "driftwarden/scan/1"
NO_NEWS = PolicyNews()
_ATTEMPTS = 100  # actors whose refused calls are told of


def document(
    scan: Scan,
    *,
    run_id: str,
    started_at: datetime,
    config_sha256: str,
    ruleset_sha256: str,
    trail: Trail,
    resources: Mapping[Key, Resource],
    cases: Sequence[Case],
    news: PolicyNews = NO_NEWS,
) -> dict[str, Any]:
    """The whole scan as JSON values. `cases` are those open before the scan; the plan's are added."""
    after = _cases_after(scan, cases)
    broken: dict[str, list[Violation]] = defaultdict(list)
    for violation in scan.violations:
        broken[violation.finding].append(violation)
    case_of = {finding: case.key for case in after for finding in case.findings}
    return {
        "schema": SCHEMA,
        "run": {
            "id": run_id,
            "started_at": stamp(started_at),
            "finished_at": stamp(scan.at),
            "config_sha256": config_sha256,
            "ruleset_sha256": ruleset_sha256,
        },
        "status": scan.status,
        "coverage": _coverage(scan, trail),
        "states": [_state(read) for read in scan.states],
        "drifts": [_drift(drift) for drift in scan.drifts],
        "unapplied": [_unapplied(one) for one in scan.pending],
        "changes": [_change(item, resources) for item in scan.changes],
        "findings": [
            finding(one, broken[one.id], case_of.get(one.id), resources.get(one.key)) for one in scan.findings
        ],
        "cases": [_case(case) for case in after],
        "emergencies": authority.emergencies(scan.emergencies),
        "tickets": authority.tickets(scan.performed),
        "tolerated": authority.tolerated(scan.tolerated, scan.hits, scan.at),
        "policy": authority.policy(news),
    }


def _coverage(scan: Scan, trail: Trail) -> dict[str, Any]:
    """What was checked and what was not."""
    return {
        "declared": scan.declared,
        "compared": scan.compared,
        "live": scan.live,
        "attributes_compared": scan.attributes,
        "limits": [{**_scoped(limit), "uncompared": limit.uncompared} for limit in scan.limits],
        "gaps": [_scoped(gap) for gap in scan.gaps],
        "trail": {
            "from": stamp(trail.start),
            "to": stamp(trail.end),
            "events": trail.events,
            "changes": len(trail.changes),
            "denied": trail.denied,
            "failed": trail.failed,
            "newest_event": stamp(trail.newest_event) if trail.newest_event else None,
            "gaps": [{**_scoped(gap), "cause": gap.cause} for gap in trail.gaps],
            "places": [
                {
                    "account": place.account,
                    "region": place.region,
                    "events": place.events,
                    "oldest": stamp(place.oldest) if place.oldest else None,
                    "newest": stamp(place.newest) if place.newest else None,
                    "verified_until": stamp(place.verified_until) if place.verified_until else None,
                }
                for place in trail.coverage
            ],
            "attempts": [_attempt(one) for one in trail.attempts[:_ATTEMPTS]],
        },
    }


def _attempt(one: Attempt) -> dict[str, Any]:
    """Refused calls of one actor."""
    return {
        "actor": one.actor.name,
        "arn": one.actor.arn,
        "account": one.account,
        "count": one.count,
        "densest": one.densest,
        "first": stamp(one.first),
        "last": stamp(one.last),
        "errors": list(one.errors),
        "actions": list(one.actions),
        "source_ips": list(one.source_ips),
    }


def with_tickets(document: Mapping[str, Any], cases: Sequence[Case]) -> dict[str, Any]:
    """The document with the ticket references its cases got since: filing comes after the scan has ended."""
    tickets = {case.key: case.ticket for case in cases if case.ticket}
    shown = [{**case, "ticket": tickets.get(case["key"], case["ticket"])} for case in document["cases"]]
    return {**document, "cases": shown}


def plain(value: Any) -> Any:
    """A value as JSON: what is sensitive as its hash, what is unknown as its reason."""
    match value:
        case Secret():
            return str(value)
        case Unknown():
            return f"(unknown: {value.why})"
        case datetime():
            return stamp(value)
        case Mapping():
            return {str(name): plain(item) for name, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(item) for item in value]
        case _:
            return value


def _cases_after(scan: Scan, cases: Sequence[Case]) -> list[Case]:
    """Cases as they stand once the plan is carried out."""
    by_key = {case.key: case for case in cases if case.state != "closed"}
    for action in scan.actions:
        if isinstance(action, Held):
            by_key.update({case.key: case for case in action.cases})
        elif isinstance(action, Open | Update):
            by_key[action.case.key] = action.case
        else:
            by_key.pop(action.case.key, None)
    return [by_key[key] for key in sorted(by_key)]


def _scoped(item: Gap | Limit) -> dict[str, Any]:
    return {"scope": str(item.scope), "why": item.why, "resources": item.resources}


def _drift(drift: Drift) -> dict[str, Any]:
    return {
        "stack": drift.stack,
        "address": drift.address,
        "type": drift.key.type,
        "id": drift.key.id,
        "account": drift.key.account,
        "region": drift.key.region,
        "kind": drift.kind,
        "basis": drift.basis,
        "attribute": drift.attribute,
        "declared": plain(drift.declared),
        "live": plain(drift.live),
        "part": drift.part.id if drift.part else None,
        "detail": list(drift.detail),
        "source": str(drift.source) if drift.source else None,
        "note": drift.note,
    }


def _unapplied(one: Unapplied) -> dict[str, Any]:
    return {
        "stack": one.stack,
        "address": one.address,
        "action": one.action,
        "source": str(one.source) if one.source else None,
        "why": one.why,
    }


def _state(read: StateRead) -> dict[str, Any]:
    return {
        "stack": read.stack,
        "location": read.location,
        "lineage": read.lineage,
        "serial": read.serial,
        "digest": read.digest,
        "terraform_version": read.terraform_version,
        "providers": [f"{name} {version}" for name, version in sorted(read.provider_versions.items())],
        "accounts": list(read.accounts),
        "resources": len(read.addresses),
        "read_at": stamp(read.read_at) if read.read_at else None,
        "modified": stamp(read.modified) if read.modified else None,
        "locked": read.locked or None,
        "in_motion": read.in_motion or None,
        "commit": read.commit or None,
        "commit_author": read.commit_author or None,
        "reviewers": list(read.reviewers),
        "claims": [claim.text for claim in read.claims],
    }


def _change(item: JudgedChange, resources: Mapping[Key, Resource]) -> dict[str, Any]:
    change = item.change
    return {
        **_call(change),
        "targets": [
            {"address": resources[key].address if key in resources else "", "type": key.type, "id": key.id}
            for key in change.targets
        ],
        "verdict": _verdict(item.verdict),
    }


def _call(change: Change) -> dict[str, Any]:
    actor = change.actor
    return {
        "event_ids": list(change.event_ids),
        "time": stamp(change.time),
        "action": change.action,
        "account": change.account,
        "channel": change.channel,
        "identity": change.identity,
        "tool": change.tool or None,
        "source_ip": change.source_ip,
        "actor": {
            "name": actor.name,
            "kind": actor.kind,
            "arn": actor.arn,
            "how": actor.how,
            "confidence": actor.confidence,
            "person": actor.person or None,
            "team": actor.team or None,
        },
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "outcome": verdict.outcome,
        "late": verdict.late,
        "path": verdict.path,
        "ticket": verdict.ticket or None,
        "tests": [{"name": test.name, "result": test.result, "evidence": test.evidence} for test in verdict.tests],
        "risk": _risk(verdict.risk) if verdict.risk else None,
        "grant": verdict.grant or None,
        "since": list(verdict.since),
        "covered_by": verdict.covered_by or None,
        "environment": verdict.environment or None,
    }


def _risk(risk: Risk) -> dict[str, Any]:
    return {
        "level": risk.level,
        "score": risk.score,
        "reasons": list(risk.reasons),
        "approvals": risk.approvals,
        "group": risk.group or None,
    }


def finding(
    story: Finding, violations: Sequence[Violation] = (), case: str | None = None, resource: Resource | None = None
) -> dict[str, Any]:
    """One finding with the rules it breaks and the key of its case; `resource` is the declared one, where it is known.

    Severity, rules and controls speak of the rules that are enforced; `violations` has the observed ones too.
    """
    enforced = [one for one in violations if not one.observed]
    declared = resource if resource is not None and resource.address else None
    return {
        "id": story.id,
        "stack": story.stack,
        "address": story.address,
        "type": story.key.type,
        "id_live": story.key.id,
        "account": story.key.account,
        "region": story.key.region,
        "drifts": [_drift(drift) for drift in story.drifts],
        "candidates": [
            {
                "event_ids": list(one.change.event_ids),
                "score": round(one.score, 2),
                "why": one.why,
                "together": [list(events) for events in one.together],
            }
            for one in story.candidates
            if one.score >= THRESHOLD
        ],
        "changes": [{**_call(item.change), "verdict": _verdict(item.verdict)} for item in story.changes],
        "unexplained": story.unexplained or None,
        "cause": story.cause or None,
        "notes": list(story.notes),
        "verdict": _verdict(story.verdict),
        "severity": worst(one.severity for one in enforced) if enforced else None,
        "rules": sorted({one.rule for one in enforced}),
        "violations": [
            {
                "rule": one.rule,
                "severity": one.severity,
                "why": one.why,
                "indeterminate": one.indeterminate,
                "observed": one.observed,
            }
            for one in violations
        ],
        "controls": sorted({control for one in enforced for control in one.controls}),
        "case": case,
        "way_back": list(way_back(story, declared, load())),
    }


def _case(case: Case) -> dict[str, Any]:
    return {
        "key": case.key,
        "title": case.title,
        "state": case.state,
        "severity": case.severity,
        "ticket": case.ticket or None,
        "findings": list(case.findings),
        "rules": list(case.rules),
        "controls": list(case.controls),
        "grant": case.grant or None,
        "deadline": stamp(case.deadline) if case.deadline else None,
        "stage": case.stage or None,
    }

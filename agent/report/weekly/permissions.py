"""What may differ for now, and what became of the policy itself: exceptions, baseline, rules, authority.

Hides that an exception that ended is told of by no later scan: it is missed from what an earlier one told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from agent.document.times import stamp
from agent.report.authority import SOON
from agent.report.weekly.population import moment
from agent.report.weekly.records import Records, Told
from agent.report.weekly.week import Week
from agent.store import Scan

_POLICY = ("policy.changed", "authority.begun", "authority.changed", "authority.loosened", "schedule.changed")
_PARTS = ("run", "tolerated", "policy")
_MOST = 200


def tolerated(records: Records, week: Week, until: datetime) -> dict[str, Any]:
    """Exceptions in force and files of the baseline as the last scan before `until` told of them, and those that ended.

    `known` is false where no scan of the estate says so.
    """
    now, before = _document(records, records.whole_before(until)), _document(records, records.whole_before(week.begins))
    ended = {one["id"]: one for one in _entries(before)}
    for scan, document in records.documents(records.wholes(week.begins, until)[:1], *_PARTS):
        ended |= {one["id"]: one for one in _entries(document)} if scan else {}
    there = {one["id"]: one for one in _entries(now)}
    earlier = {one["id"] for one in _entries(before)}
    return {
        "known": bool(now),
        "as_of": now["run"]["finished_at"] if now else "",
        "entries": [
            _entry(one, until) | {"new": bool(before) and one["id"] not in earlier}
            for one in sorted(there.values(), key=lambda one: (one["until"], one["id"]))
        ],
        "ended": [_entry(one, until) | {"new": False} for name, one in sorted(ended.items()) if name not in there],
        "problems": list(now.get("tolerated", {}).get("problems", ())) if now else [],
        "waiting": list(now.get("policy", {}).get("waiting", ())) if now else [],
    }


def policy(records: Records, week: Week, until: datetime) -> dict[str, Any]:
    """What became of the policy in the week: files by path, who changed them and in which commit; rules in use."""
    told = records.told(_POLICY, week.begins, until)
    rulesets = list(dict.fromkeys(scan.ruleset_sha256 for scan in records.wholes(week.begins, until)))
    return {
        "count": len(told),
        "changes": [_change(one) for one in told[:_MOST]],
        "rulesets": rulesets,
    }


def _document(records: Records, scan: Scan | None) -> Mapping[str, Any]:
    return records.document(scan, *_PARTS) if scan is not None else {}


def _entries(document: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    entries: Sequence[Mapping[str, Any]] = document.get("tolerated", {}).get("entries", ())
    return entries


def _entry(one: Mapping[str, Any], until: datetime) -> dict[str, Any]:
    left = moment(one["until"]) - until
    return {
        **{name: one[name] for name in ("id", "kind", "owner", "approver", "until", "reason", "hits", "source")},
        "soon": timedelta() < left <= SOON,
        "over": left <= timedelta(),
    }


def _change(told: Told) -> dict[str, Any]:
    body = told.body
    planned = body.get("schedule", {})
    scans = (
        f"scans of the estate: {planned['scan'] or 'never'}, of the trail: {planned['trail'] or 'never'}"
        if planned
        else ""
    )
    return {
        "at": stamp(told.at),
        "what": body.get("what", told.kind.partition(".")[2]),
        "name": body.get("path", f"[{told.kind.partition('.')[0]}]"),
        "commit": body.get("commit", ""),
        "author": body.get("author", ""),
        "agreed": list(body.get("accepted_by", ())),
        "why": "; ".join(body.get("looser", ())) or body.get("why", scans),
    }

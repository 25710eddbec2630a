"""Answers on a terminal and as JSON.

Hides column widths; everything others named passes `agent.clean`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from agent.access import Row
from agent.clean import clean, plural
from agent.document import plain
from agent.document.times import stamp
from agent.inquiry import Answer, Explained, Reach, Standing, Touched, told
from agent.model import Actor, Gap, Touch
from agent.report.text import table
from agent.report.values import moment, words

_WIDE = 60
"""Characters of one value shown in a table."""
_SETS = 4
"""Values a call set that are shown; `explain` shows the request."""


def status_lines(found: Standing) -> str:
    """Sources, what is kept, what the trail has of each account and region, and what is missing."""
    lines = []
    for one in found.positions:
        shard = f" {one.shard}" if one.shard else ""
        lines.append(clean(f"{one.feed}{shard}: read until {stamp(one.kept_at)}"))
    if not lines:
        lines.append("nothing was read yet: `driftwarden scan` reads the trail")
    kept = ", ".join(f"{number:,} {_SORTS.get(sort, sort)}" for sort, number in sorted(found.counts.items()))
    lines += ["", f"kept since {stamp(found.oldest)}: {kept}" if found.oldest else "nothing is kept"]
    lines += ["", f"from {stamp(found.since)} to {stamp(found.until)}"]
    for place in found.coverage:
        newest = f", the newest of {stamp(place.newest)}" if place.newest else ""
        proven = f", proven complete until {stamp(place.verified_until)}" if place.verified_until else ""
        where = clean(f"{place.account or '(no account)'} {place.region or '(no region)'}")
        lines.append(f"  {where}: {plural(place.events, 'event')}{newest}{proven}")
    if not found.coverage:
        lines.append("  no event: nothing can be said of this time")
    return "\n".join([*lines, *_gap_lines(found.gaps)])


def status_json(found: Standing) -> str:
    """The same as JSON."""
    return _json(
        {
            "from": stamp(found.since),
            "to": stamp(found.until),
            "oldest": stamp(found.oldest) if found.oldest else None,
            "kept": dict(found.counts),
            "sources": [{"feed": p.feed, "shard": p.shard, "read_at": stamp(p.kept_at)} for p in found.positions],
            "coverage": [
                {
                    "account": one.account,
                    "region": one.region,
                    "events": one.events,
                    "newest": stamp(one.newest) if one.newest else None,
                    "verified_until": stamp(one.verified_until) if one.verified_until else None,
                }
                for one in found.coverage
            ],
            "gaps": _gaps(found.gaps),
        }
    )


def answer_lines(found: Answer) -> str:
    """Who touched a resource: a few lines a call, then how far that reaches."""
    lines = [line for one in found.calls for line in _call_lines(one)]
    if not found.calls:
        lines.append(f"no call on {clean(found.asked)} is known")
    if not found.known:
        lines.append("(no state that was read has this address: it was taken for an identifier)")
    return "\n".join([*lines, "", *_reach_lines(found.reach)])


def _call_lines(one: Touched) -> Iterator[str]:
    change, actor = one.change, one.change.actor
    client = _TOOLS.get(change.tool) or _CLIENTS.get(change.channel, change.channel)
    where = f" from {change.source_ip}" if change.source_ip else ""
    verdict = words(one.outcome) if one.outcome else "not judged by the last scan"
    yield clean(f"{moment(stamp(change.time))}  {change.action} by {_by(actor)}, {client}{where}: {verdict}")
    yield from (f"    {clean(_did(touch))}" for touch in one.touches)
    how = f"known from {actor.how} ({actor.confidence:.0%} sure); " if actor.how else ""
    yield clean(f"    {how}event {change.event_ids[0]}")


def answer_json(found: Answer) -> str:
    """The same as JSON."""
    calls = [
        {**told(one.change), "outcome": one.outcome or None, "did": [_touch(touch) for touch in one.touches]}
        for one in found.calls
    ]
    reach = _reach(found.reach)
    return _json({"asked": found.asked, "names": list(found.names), "known": found.known, "calls": calls, **reach})


def explained_lines(found: Explained) -> str:
    """One event in full."""
    entry, change = found.entry, found.change
    actor = change.actor if change else None
    rows: list[tuple[str, object]] = [
        ("event", entry.event),
        ("when", stamp(entry.time)),
        ("call", entry.action + (f": {entry.error}" if entry.error else "")),
        ("is", _SORT.get(entry.sort, entry.sort)),
        ("credential", f"{entry.identity}: {entry.caller.arn or entry.caller.principal or entry.caller.invoked_by}"),
        ("client", _TOOLS.get(entry.tool) or _CLIENTS.get(entry.channel, entry.channel)),
        ("user agent", entry.user_agent),
        ("from", entry.source_ip),
        ("where", f"account {entry.account}, {entry.region}"),
    ]
    if actor:
        rows.append(("who", f"{_by(actor)}: {actor.how} ({actor.confidence:.0%} sure)"))
        if actor.run:
            parts = (actor.run.system, actor.run.repository, actor.run.id, actor.run.commit)
            rows.append(("run", " ".join(filter(None, parts)) + f" (from the {actor.run.how})"))
    if change:
        rows += [("ticket claimed", f"{claim.text} in {claim.where}") for claim in change.claims]
    rows += [("acts on", f"{touch.type} {touch.ids[0]}: {_did(touch)}") for touch in entry.touches]
    if entry.sort == "change" and not entry.touches:
        rows.append(("acts on", "target unknown: no resource type known here is named by this call"))
    if entry.request:
        rows.append(("request", json.dumps(plain(entry.request), sort_keys=True)))
    rows.append(("verdict", words(found.outcome) if found.outcome else "not judged by the last scan"))
    rows += [("finding", finding) for finding in found.findings]
    return "\n".join(f"{name:<14}  {clean(value)}" for name, value in rows if value)


def explained_json(found: Explained) -> str:
    """The same as JSON."""
    entry = found.entry
    return _json(
        {
            "event": entry.event,
            "sort": entry.sort,
            "time": stamp(entry.time),
            "action": entry.action,
            "error": entry.error or None,
            "identity": entry.identity,
            "caller": entry.caller.arn or entry.caller.principal or entry.caller.invoked_by,
            "account": entry.account,
            "region": entry.region,
            "touches": [_touch(touch) for touch in entry.touches],
            "call": told(found.change) if found.change else None,
            "outcome": found.outcome or None,
            "findings": list(found.findings),
        }
    )


def access_lines(rows: Iterable[Row], reach: Reach, width: int) -> str:
    """The access log as a table, one row per person and week."""
    shown = [
        (
            f"{row.week:%Y-%m-%d}",
            f"{row.name} ({row.kind})" + (f", {row.team}" if row.team else ""),
            _count(row.sign_ins, f", {row.without_mfa} without MFA" if row.without_mfa else ""),
            str(row.failed_sign_ins),
            _count(row.into_production, f" of {row.sessions}" if row.sessions != row.into_production else ""),
            ", ".join(role.rsplit("/", 1)[-1] for role in row.roles),
            str(row.changes),
            str(row.refused),
            _count(row.key_calls, f" with {', '.join(row.keys)}" if row.keys else ""),
            ", ".join(row.source_ips),
        )
        for row in rows
    ]
    heads = ("Week of", "Who", "Sign-ins", "Failed", "Sessions", "Roles", "Changes", "Refused", "Key calls", "From")
    lines = [table(heads, shown, width) if shown else "nobody entered, as far as the trail was read"]
    return "\n".join([*lines, "", *_reach_lines(reach)])


def access_json(rows: Iterable[Row], reach: Reach) -> str:
    """The same as JSON."""
    fields = Row.__dataclass_fields__
    return _json({"access": [{name: plain(getattr(row, name)) for name in fields} for row in rows], **_reach(reach)})


_SORT: Mapping[str, str] = {
    "change": "a successful write",
    "failed": "a write that failed",
    "denied": "a call that was refused",
    "session": "the beginning of a role session",
    "sign-in": "a sign-in to the console",
    "state": "a write of a Terraform state",
}
_CLIENTS: Mapping[str, str] = {
    "console": "console",
    "cloudshell": "CloudShell",
    "cli": "AWS CLI",
    "sdk": "SDK",
    "iac": "infrastructure as code",
    "service": "AWS service",
    "other": "another client",
}
_TOOLS: Mapping[str, str] = {
    "terraform": "Terraform",
    "opentofu": "OpenTofu",
    "pulumi": "Pulumi",
    "cdk": "CDK",
    "cloudformation": "CloudFormation",
}
_SORTS: Mapping[str, str] = {
    "change": "changes",
    "failed": "failed writes",
    "denied": "refused calls",
    "session": "role sessions",
    "sign-in": "sign-ins",
    "state": "writes of states",
}


def _by(actor: Actor) -> str:
    known = f"{actor.person} ({actor.name})" if actor.person and actor.person != actor.name else actor.name
    return f"{known}, {actor.kind}" if actor.kind != "person" else known


def _did(touch: Touch) -> str:
    what = f"{touch.act} {touch.type}"
    sets = [f"{name} = {_short(value)}" for name, value in touch.sets.items()]
    more = f" and {len(sets) - _SETS} more" if len(sets) > _SETS else ""
    return f"{what}: {', '.join(sets[:_SETS])}{more}" if sets else what


def _short(value: Any) -> str:
    shown = plain(value)
    text = shown if isinstance(shown, str) else json.dumps(shown, sort_keys=True)
    return text if len(text) <= _WIDE else f"{text[:_WIDE]}…"


def _touch(touch: Touch) -> dict[str, Any]:
    return {"type": touch.type, "ids": list(touch.ids), "act": touch.act, "sets": plain(touch.sets)}


def _reach_lines(reach: Reach) -> Iterator[str]:
    yield f"from {stamp(reach.since)} to {stamp(reach.until)}"
    if reach.oldest is None:
        yield "nothing of the trail is kept: `driftwarden scan` reads it"
    elif reach.oldest > reach.since:
        yield f"the oldest record kept is of {stamp(reach.oldest)}: nothing is known before it"
    yield from _gap_lines(reach.gaps)


def _gap_lines(gaps: Iterable[Gap]) -> Iterator[str]:
    yield from (f"not read: {clean(gap.scope)}: {clean(gap.why)}" for gap in gaps)


def _reach(reach: Reach) -> dict[str, Any]:
    oldest = stamp(reach.oldest) if reach.oldest else None
    return {"from": stamp(reach.since), "to": stamp(reach.until), "oldest": oldest, "gaps": _gaps(reach.gaps)}


def _gaps(gaps: Iterable[Gap]) -> list[dict[str, str]]:
    return [{"scope": str(gap.scope), "why": gap.why, "cause": gap.cause} for gap in gaps]


def _count(number: int, more: str) -> str:
    return f"{number}{more}"


def _json(value: Any) -> str:
    return json.dumps(value, indent=2)

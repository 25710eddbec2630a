"""How it stands, for eyes.

Hides which of a thousand gaps and cases are shown one by one; what others named passes `agent.clean`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from agent.clean import clean, percent, plural
from agent.report.text import table

Told = Mapping[str, Any]

MOST = 10
"""Gaps, places and emergencies that are shown one by one."""
_NAMES = {"whole": "whole estate", "stack": "one stack", "trail": "trail", "open": "open findings", "remind": "replies"}
_UNDOCUMENTED = ("overdue", "rejected", "awaiting-document")


def lines(told: Told, width: int) -> str:
    """The same for eyes: first what needs somebody, then the rest."""
    found = [*_head(told), ""]
    if told["attention"]:
        found += ["Needs attention", *(f"  {clean(one)}" for one in told["attention"]), ""]
    found += ["Checked", *_checked(told), ""]
    found += ["Cases", *_case_lines(told), ""]
    found += ["Trail", *_trail_lines(told), ""]
    found += ["Outbox", f"  {_outbox_line(told['outbox'])}", ""]
    rows = [
        (job["job"], hours(job["due_at"]), job["status"] or "never ended", hours(job["ended_at"]), job["error"] or "")
        for job in told["schedule"]
    ]
    found += [table(("Job", "Next due", "Last", "Ended", "Why it failed"), rows, width)] if rows else []
    return "\n".join(found).rstrip()


def _head(told: Told) -> Iterator[str]:
    daemon, leader, now = told["daemon"], told["leader"], datetime.fromisoformat(told["at"])
    if daemon:
        running = ", ".join(one["job"] for one in daemon["running"]) or "idle"
        since = ago(now, daemon["started_at"])
        yield f"Daemon: {daemon['role']}, started {since}, {clean(running)}"
    elif leader and leader["there"]:
        yield f"Daemon: {clean(leader['owner'])} runs, and was not asked"
    else:
        yield "Daemon: no daemon is running" + (f"; the last was {clean(leader['owner'])}" if leader else "")
    whole = told["scans"].get("whole")
    if whole and whole["ended_at"]:
        yield f"Last scan of the whole estate: {whole['status']}, {ago(now, whole['ended_at'])}"
    else:
        yield "Last scan of the whole estate: never"


def _checked(told: Told) -> Iterator[str]:
    now = datetime.fromisoformat(told["at"])
    covered = told["coverage"]
    if covered:
        share = f" ({percent(covered['compared'], covered['declared'])}%)" if covered["declared"] else ""
        yield f"  {covered['compared']:,} of {covered['declared']:,} declared resources compared{share}"
        yield f"  {covered['live']:,} live resources, {covered['limits']:,} limits"
    else:
        yield "  nothing yet"
    for one in told["gaps"][:MOST]:
        yield f"  gap: {clean(one['scope'])}: {clean(one['why'], 300)}"
    if more := told["gaps"][MOST:]:
        yield f"  and {len(more):,} gaps more: `driftwarden findings` lists them"
    for kind, one in told["scans"].items():
        ended = f"{one['status']}, {ago(now, one['ended_at'])}" if one["ended_at"] else "none has ended"
        yield f"  {_NAMES[kind]}: {ended}"


def _case_lines(told: Told) -> Iterator[str]:
    cases = told["cases"]
    if not (cases["open"] or cases["held"]):
        whole = told["scans"].get("whole") or {}
        yield "  none is open" if whole.get("ended_at") else "  none is known: the estate was never checked"
    for one in cases["by_severity"]:
        old = f", the oldest for {long(one['oldest_seconds'])}" if one["oldest_seconds"] is not None else ""
        week = f", {one['older_than_a_week']} for more than a week" if one["older_than_a_week"] else ""
        yield f"  {one['count']:,} {one['severity']}{old}{week}"
    if cases["held"]:
        yield f"  {cases['held']:,} held"
    for one in told["emergencies"][:MOST]:
        due = f", {hours(one['deadline'])}" if one["stage"] in _UNDOCUMENTED else ""
        yield f"  break-glass {clean(one['ticket'] or one['case'])}: {one['stage']}{due}"
    if more := told["emergencies"][MOST:]:
        yield f"  and {len(more):,} more: `driftwarden breakglass list` has them"


def _trail_lines(told: Told) -> Iterator[str]:
    trail, now = told["trail"], datetime.fromisoformat(told["at"])
    for one in trail["sources"]:
        newest = f", its newest event {ago(now, one['newest'])}" if one["newest"] else ""
        yield f"  {clean(one['feed'])}: read {long(one['lag_seconds'])} ago{newest}"
    if not trail["sources"]:
        yield "  nothing was read yet"
    for one in trail["places"][:MOST]:
        yield f"  {clean(one['account'])} {clean(one['region'])}: newest event {long(one['lag_seconds'])} ago"
    if more := trail["places"][MOST:]:
        yield f"  and {len(more):,} more accounts and regions: `driftwarden trail status` has them"
    daemon = told["daemon"]
    if daemon and daemon["event_lag"] is not None:
        messages = plural(daemon["events"], "message")
        yield f"  events: {messages}, the newest {daemon['event_lag']:.1f} s from event to case"


def _outbox_line(box: Told) -> str:
    if not (box["waiting"] or box["sending"] or box["dead"]):
        return "everything is filed"
    old = f", the oldest for {long(box['oldest_seconds'])}" if box["oldest_seconds"] is not None else ""
    why = f": {clean(box['error'], 300)}" if box["error"] else ""
    return f"{box['waiting']:,} wait, {box['sending']:,} under way, {box['dead']:,} dead{old}{why}"


def short(moment: datetime) -> str:
    """A time to the minute."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def hours(text: str | None) -> str:
    """The same of a time as the JSON has it; empty where there is none."""
    return short(datetime.fromisoformat(text)) if text else ""


def ago(now: datetime, text: str) -> str:
    """How long before `now` a time was that the JSON has."""
    return f"{long((now - datetime.fromisoformat(text)).total_seconds())} ago"


def long(seconds: float) -> str:
    """A length of time in its largest unit."""
    whole = max(0, int(seconds))
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if whole >= 2 * length:
            return f"{whole // length} {unit}"
    return f"{whole} s"

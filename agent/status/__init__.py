"""How it stands, at a glance: what was checked and what was not, what waits, what is due, and how the daemon is.

Hides where all of it is kept: the last scan's document, the store, and what the daemon says of itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import func, select

from agent import silence
from agent.config import Config
from agent.cron import Every, when
from agent.model import SEVERITIES, Case
from agent.status.shown import Told, ago, hours, lines, long, short
from agent.store import Store, schema
from agent.store.lock import StoreLock
from agent.timetable import wanted

__all__ = ["exit_code", "lines", "status"]

KINDS = ("whole", "stack", "trail", "open", "remind")
"""Kinds of scans, as the store has them."""
LATE = timedelta(hours=1)
"""What waits for longer to be filed is worth a line."""
_UNWRITTEN = 30
"""Seconds without a beat of the leader in its store; there is one every five."""
_DAY = timedelta(days=1)
_STAGES = ("overdue", "rejected", "awaiting-document", "awaiting-review", "way-back", "post-implementation")
"""Of emergencies that somebody must do something about."""


class _Document(msgspec.Struct):
    """What is shown of a scan: the rest may be megabytes, and a daemon that once built it would keep the memory."""

    coverage: dict[str, Any] = {}
    policy: dict[str, Any] = {}


_DOCUMENT = msgspec.json.Decoder(_Document)


def status(config: Config, store: Store, now: datetime, daemon: Told | None) -> dict[str, Any]:
    """Everything, as JSON values; `daemon` is what the daemon says of itself, None where none was asked.

    Raises StoreError.
    """
    document = _DOCUMENT.decode(store.scans.document() or b"{}")
    scans = {kind: _last(store, kind) for kind in KINDS}
    told = {
        "at": _text(now),
        "estate": config.estate.name,
        "daemon": dict(daemon) if daemon is not None else None,
        "leader": _leader(store, daemon),
        "scans": {kind: one for kind, one in scans.items() if one},
        "coverage": _coverage(document.coverage),
        "gaps": _gaps(document.coverage),
        "policy": list(document.policy.get("waiting", ())),
        "trail": _trail(config, store, now),
        "outbox": _outbox(store, now),
        "cases": _cases(store.cases.open(), now),
        "emergencies": _emergencies(store.cases.open(), now),
        "schedule": _schedule(config, store, daemon),
    }
    return {**told, "attention": list(_attention(config, told, now))}


def exit_code(told: Told) -> int:
    """4 cases are held, 1 cases are open, 3 something is not checked or does not work, 0 none of it."""
    cases = told["cases"]
    if cases["held"]:
        return 4
    return 1 if cases["open"] else 3 if told["attention"] else 0


# --- what there is ---------------------------------------------------------------------------------------------


def _last(store: Store, kind: Any) -> dict[str, Any] | None:
    """The last scan of a kind that ended, and when the last was begun."""
    listed, ended = store.scans.last(1, kind), next(iter(store.scans.last(1, kind, ended=True)), None)
    if not listed:
        return None
    return {
        "begun_at": _text(listed[0].started_at),
        "run": ended.run_id if ended else None,
        "ended_at": _text(ended.finished_at) if ended and ended.finished_at else None,
        "status": ended.status if ended else None,
    }


def _coverage(found: Told) -> dict[str, Any] | None:
    if not found:
        return None
    return {
        "declared": found["declared"],
        "compared": found["compared"],
        "live": found["live"],
        "limits": len(found["limits"]),
    }


def _gaps(coverage: Told) -> list[dict[str, str]]:
    """Those of the estate and of the trail, each once."""
    covered = coverage or {"gaps": (), "trail": {"gaps": ()}}
    found = dict.fromkeys((one["scope"], one["why"]) for one in (*covered["gaps"], *covered["trail"]["gaps"]))
    return [{"scope": scope, "why": why} for scope, why in found]


def _trail(config: Config, store: Store, now: datetime) -> dict[str, Any]:
    """How long ago each source was read, what it brought last, and each place's newest event; and who fell silent."""
    read: dict[str, datetime] = {}
    brought = store.journal.brought()
    newest = {one.feed: _text(one.newest) for one in brought if one.newest}
    for one in store.journal.positions():
        read[one.feed] = max(one.kept_at, read.get(one.feed, one.kept_at))
    hours = schema.trail_hours
    query = select(hours.c.account, hours.c.region, func.max(hours.c.newest)).group_by(hours.c.account, hours.c.region)
    with store.database.read() as connection:
        places = connection.execute(query.order_by(hours.c.account, hours.c.region)).all()
    return {
        "configured": list(config.trail.sources),
        "sources": [
            {"feed": feed, "read_at": _text(at), "lag_seconds": _seconds(now - at), "newest": newest.get(feed)}
            for feed, at in sorted(read.items())
        ],
        "silent": [silence.why(one) for one in silence.by_source(config, brought) if one.silent(now)],
        "places": [
            {"account": row[0], "region": row[1], "newest": _text(row[2]), "lag_seconds": _seconds(now - row[2])}
            for row in places
        ],
    }


def _outbox(store: Store, now: datetime) -> dict[str, Any]:
    box = schema.outbox
    query = select(box.c.state, func.count(), func.min(box.c.created_at)).where(box.c.state != "sent")
    with store.database.read() as connection:
        rows = connection.execute(query.group_by(box.c.state)).all()
        why = connection.scalar(select(box.c.error).where(box.c.state != "sent", box.c.error != "").limit(1))
    counts = {state: count for state, count, _ in rows}
    oldest = min((at for _, _, at in rows), default=None)
    return {
        "waiting": counts.get("waiting", 0),
        "sending": counts.get("sending", 0),
        "dead": counts.get("dead", 0),
        "oldest_seconds": _seconds(now - oldest) if oldest else None,
        "error": why or None,
    }


def _cases(cases: Iterable[Case], now: datetime) -> dict[str, Any]:
    listed = list(cases)
    by = {name: [case for case in listed if case.severity == name] for name in reversed(SEVERITIES)}
    return {
        "open": sum(case.state == "open" for case in listed),
        "held": sum(case.state == "held" for case in listed),
        "unfiled": sum(case.state == "open" and not case.ticket for case in listed),
        "by_severity": [
            {
                "severity": name,
                "count": len(some),
                "oldest_seconds": max(
                    (_seconds(now - case.opened_at) for case in some if case.opened_at), default=None
                ),
                "older_than_a_week": sum(
                    case.opened_at is not None and now - case.opened_at > 7 * _DAY for case in some
                ),
            }
            for name, some in by.items()
            if some
        ],
    }


def _emergencies(cases: Iterable[Case], now: datetime) -> list[dict[str, Any]]:
    """Break-glass that somebody must document, review or bring back under control, the most urgent first."""
    waiting = [case for case in cases if case.grant and case.deadline and case.stage in _STAGES]
    return [
        {
            "case": case.key,
            "ticket": case.ticket or None,
            "stage": "overdue" if case.stage == "awaiting-document" and case.deadline < now else case.stage,
            "deadline": _text(case.deadline),
        }
        for case in sorted(waiting, key=lambda case: (case.deadline or now, case.key))
        if case.deadline
    ]


def _schedule(config: Config, store: Store, daemon: Told | None) -> list[dict[str, Any]]:
    """What runs by itself: how a stack's scan ended that is in no configuration any more is of no interest."""
    due, there = (daemon or {}).get("due") or {}, wanted(config)
    return [
        {
            "job": job.name,
            "due_at": due.get(job.name) or (_text(job.due_at) if job.due_at else None),
            "began_at": _text(job.began_at) if job.began_at else None,
            "ended_at": _text(job.ended_at) if job.ended_at else None,
            "succeeded_at": _text(job.succeeded_at) if job.succeeded_at else None,
            "status": job.status,
            "error": job.error or None,
        }
        for job in store.jobs.all().values()
        if job.name in there
    ]


def _leader(store: Store, daemon: Told | None) -> dict[str, Any] | None:
    """Who took the lead last, and whether somebody holds the store's lock now."""
    seen = store.leadership.seen()
    if seen is None:
        return None
    lock = StoreLock(store.database)
    held = daemon is not None or not lock.acquire()
    lock.release()
    return {"owner": seen.owner, "fence": seen.fence, "since": _text(seen.since), "there": held}


# --- what needs somebody ---------------------------------------------------------------------------------------


def _attention(config: Config, told: Told, now: datetime) -> Iterator[str]:
    """Where the watch itself is not what it should be, the worst first. Open cases are another matter."""
    yield from _scan_attention(config, told, now)
    daemon = told["daemon"]
    if daemon and daemon["reload_error"]:
        yield f"the newest configuration is not in use: {daemon['reload_error']}"
    if daemon and daemon.get("unreached"):
        yield f"the daemon is not reached by all who should: {daemon['unreached']}"
    if daemon and daemon.get("polled"):
        yield f"changed files are noticed late: {daemon['polled']}"
    for job in told["schedule"]:
        if job["status"] == "failed":
            yield f"job {job['job']} failed {ago(now, job['ended_at'])}: {job['error'] or 'it does not say why'}"
    if daemon and daemon["role"] == "leader" and daemon.get("stored", 0) > _UNWRITTEN:
        yield f"the store takes no writes since {long(daemon['stored'])}, and what is below is old: the log says why"
    yield from told["policy"]
    box = told["outbox"]
    if box["dead"]:
        why = box["error"] or "no reason is known"
        yield f"{box['dead']} filings can never be made as they are (`driftwarden cases deliveries`): {why}"
    if box["oldest_seconds"] is not None and box["oldest_seconds"] > LATE.total_seconds():
        yield f"something waits to be filed for {long(box['oldest_seconds'])}: {box['error'] or 'no failure is known'}"
    for one in told["emergencies"]:
        name = one["ticket"] or one["case"]
        if one["stage"] == "overdue":
            yield f"break-glass {name} should have been documented by {hours(one['deadline'])}"
        if one["stage"] == "rejected":
            yield f"the document of break-glass {name} was rejected: whoever used it writes another"
    yield from told["trail"]["silent"]
    if not told["trail"]["sources"]:
        yield "no source of the trail was read yet: who changed something is not known"


def _scan_attention(config: Config, told: Told, now: datetime) -> Iterator[str]:
    whole = told["scans"].get("whole")
    if not whole or not whole["ended_at"]:
        yield "no scan of the whole estate has ended yet: nothing is known of it"
        return
    overdue = _overdue(config, datetime.fromisoformat(whole["ended_at"]))
    if overdue is not None and now > overdue:
        ended = ago(now, whole["ended_at"])
        yield f"the last scan of the whole estate ended {ended}; the second since should have begun by {short(overdue)}"
    if whole["status"] == "held":
        yield "too much changed at once to be believed: the cases wait until two people accept them"
    if gaps := told["gaps"]:
        yield f"{len(gaps)} {'gap' if len(gaps) == 1 else 'gaps'}: nothing in them is known to be clean"


def _overdue(config: Config, ended: datetime) -> datetime | None:
    """When the second scan after the last should have begun; None: none is scheduled."""
    times = when(config.schedule.scan, config.schedule.timezone)
    if times is None:
        return None
    return ended + 2 * times.length if isinstance(times, Every) else times.after(times.after(ended))


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _seconds(length: timedelta) -> int:
    return int(length.total_seconds())

"""The figures of a week: everything a weekly report says, as JSON values, and nothing that is not in them.

Hides that they are worked out from what was known when the week ended, so that a past week's are the same whenever they
are worked out; what arrived later is told apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from agent.clean import percent
from agent.config import Config, duration
from agent.document.times import stamp
from agent.report.weekly.checked import checked
from agent.report.weekly.decisions import decisions
from agent.report.weekly.emergencies import counts, emergencies, urgent_first
from agent.report.weekly.matters import Matter, case_of, cases, detecting, matters, resolving, times_of
from agent.report.weekly.permissions import policy, tolerated
from agent.report.weekly.plans import stretches
from agent.report.weekly.population import Happened, Verdicts, population
from agent.report.weekly.records import Records
from agent.report.weekly.unauthorised import completeness, later, unauthorised
from agent.report.weekly.week import Week
from agent.report.weekly.windows import windows
from agent.rules import load_controls
from agent.store import Store

SCHEMA = "driftwarden/weekly/1"
WEEKS = 8
"""Weeks before that trends are told of."""


def figures(config: Config, store: Store, week: Week, now: datetime) -> dict[str, Any]:
    """The figures of a week, up to its end; of a week that is not over, up to `now`. Raises StoreError, RuleError."""
    records = Records(store)
    until = min(week.ends, max(now, week.begins))
    weeks = _weeks(records, week)
    verdicts = store.findings.judged(weeks[0].begins)
    every = matters(records, weeks[0].begins)
    its_case = case_of(every)
    looks_back = duration(config.trail.lookback)
    changes = {one.id: population(records, one, looks_back, verdicts, its_case, compared=one == week) for one in weeks}
    happened = [one for one in changes[week.id] if one.at < until]
    found: dict[str, Any] = {
        "checked": checked(config, records, week, until),
        "breakglass": _breakglass(records, every, week, until),
        "tolerated": tolerated(records, week, until),
        "policy": policy(records, week, until),
        "completeness": completeness(happened),
        "unauthorised": unauthorised(happened, every, load_controls([config.path(one) for one in config.rules.dirs])),
        "cases": cases(every, week, until, times_of(happened)),
        "later": {"changed": later(happened), "unseen": sum(one.unseen for one in happened)},
    }
    found["emergencies"] = counts(found["breakglass"])
    found["undetermined"] = _undetermined(records, until)
    found["decisions"] = decisions(config, records, every, found["breakglass"], found["tolerated"], until)
    found["trends"] = [_trend(config, records, one, every, changes[one.id], until) for one in weeks]
    found["appendix"] = _appendix(config, records, week, until, happened, verdicts)
    return {
        "schema": SCHEMA,
        "estate": config.estate.name,
        "week": _week(week, until),
        **found,
        "shows": _shows(found),
    }


def _breakglass(records: Records, every: Sequence[Matter], week: Week, until: datetime) -> list[dict[str, Any]]:
    """Section 4: sessions with calls, and windows without."""
    sessions = emergencies(every, week, until, records.stages(until))
    return urgent_first([*sessions, *windows(every, records.store.declarations.listed(), week, until)])


def _weeks(records: Records, week: Week) -> list[Week]:
    """The weeks before, as far back as there are scans, and this one; oldest first."""
    first = records.first()
    before = [week.before(number) for number in range(WEEKS, 0, -1)]
    return [*(one for one in before if first is not None and one.ends > first), week]


def _week(week: Week, until: datetime) -> dict[str, Any]:
    return {
        "id": week.id,
        "timezone": week.zone,
        "begins": stamp(week.begins),
        "ends": stamp(week.ends),
        "hours": week.hours,
        "until": stamp(until),
        "over": until == week.ends,
    }


def _undetermined(records: Records, until: datetime) -> dict[str, Any]:
    """Findings that the last scan before `until` could not judge; `known` is false where no scan says so."""
    scan = records.whole_before(until)
    document = records.document(scan, "findings") if scan is not None else {}
    if not document:
        return {"known": False, "findings": []}
    ones = (one["id"] for one in document["findings"] if one["verdict"]["outcome"] == "indeterminate")
    return {"known": True, "findings": sorted(ones)}


def _trend(
    config: Config, records: Records, week: Week, every: Sequence[Matter], changes: Sequence[Happened], until: datetime
) -> dict[str, Any]:
    """One line of the trends; what is not known is None."""
    ends = min(week.ends, until)
    ended = records.wholes(week.begins, ends)
    document = records.document(ended[-1], "coverage") if ended else {}
    covered = document.get("coverage", {})
    had = completeness([one for one in changes if one.at < ends])
    opened = [one for one in every if one.began in week and one.began < ends]
    known = bool(ended or had["changes"])
    return {
        "week": week.id,
        "scans": len(ended),
        "planned": sum(one.due for one in stretches(config, records, week.begins, ends)),
        "coverage": percent(covered["compared"], covered["declared"]) if covered else None,
        "changes": had["counted"] if known else None,
        "with_authority": had["percent_with_authority"],
        "under_ticket": had["percent_under_ticket"],
        "without": had["without"] if known else None,
        "opened": len(opened),
        "again": sum(one.again_in(week, ends) is not None for one in every),
        "closed": sum(one.closed_in(week) is not None for one in every),
        "open": sum(one.at(ends) in ("opened", "held") for one in every),
        "detect_seconds": detecting(opened, times_of(changes)),
        "resolve_seconds": resolving(every, week),
    }


def _appendix(
    config: Config,
    records: Records,
    week: Week,
    until: datetime,
    changes: Sequence[Happened],
    verdicts: Verdicts,
) -> dict[str, Any]:
    """What the figures were counted from, so that they can be counted again."""
    store = records.store
    ended = records.wholes(week.begins, until)
    head = records.head(until)
    said = [one for one in store.declarations.listed(week.begins) if one.by.received_at < until]
    tallies = store.journal.tallies(week.begins, until)
    rows = [
        ("scans of the estate that ended", "scans: kind = whole, finished_at", len(ended)),
        ("scans of any kind that began", "scans: started_at", len(records.scans(week.begins, until))),
        ("changes", "changes in documents of scans, and in verdicts: time of the event", len(changes)),
        ("verdicts written", "verdicts: at", sum(week.begins <= at < until for at, _ in verdicts)),
        ("declarations", "declarations: received_at", len(said)),
        ("ledger", "events: at", len(records.told(_LEDGER, week.begins, until))),
    ]
    return {
        "from": stamp(week.begins),
        "to": stamp(until),
        "timezone": week.zone,
        "interval": "from <= t < to",
        "estate": config.estate.name,
        "stacks": [one.name for one in config.stack],
        "accounts": [one.id or "of the credentials" for one in config.account],
        "config_sha256": ended[-1].config_sha256 if ended else "",
        "ruleset_sha256": ended[-1].ruleset_sha256 if ended else "",
        "rows": [{"what": what, "query": query, "count": count} for what, query, count in rows],
        "trail": [
            {"account": account, "region": region, "events": events} for account, region, events in _by_place(tallies)
        ],
        "ledger": {"seq": head.seq, "hash": head.hash},
    }


_LEDGER = ("case.opened", "case.updated", "case.closed", "case.held", "finding.opened", "finding.closed", "scan.ended")


def _by_place(tallies: Iterable[Any]) -> list[tuple[str, str, int]]:
    """Events of the trail by account and region."""
    found: dict[tuple[str, str], int] = {}
    for one in tallies:
        found[one.account, one.region] = found.get((one.account, one.region), 0) + one.events
    return [(account, region, found[account, region]) for account, region in sorted(found)]


def _shows(found: Mapping[str, Any]) -> dict[str, list[str]]:
    """Ids of every case and finding that the report shows: what a signature under it is about."""
    rows = [row for name in ("opened", "again", "closed", "open") for row in found["cases"][name]]
    keys = {row["key"] for row in rows} | {row["case"] for row in found["breakglass"]} - {""}
    keys |= {row["case"] for row in found["unauthorised"]["sessions"]} - {""}
    findings = {name for row in rows for name in row["findings"]} | set(found["undetermined"]["findings"])
    findings |= {name for row in found["unauthorised"]["listed"] for name in row["findings"]}
    return {"cases": sorted(keys), "findings": sorted(findings)}

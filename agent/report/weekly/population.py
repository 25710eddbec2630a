"""Every change of a week with the verdict that is known of it: what an auditor calls the population.

Hides from which documents it is put together. A scan tells of the changes of its look-back, so a few scans tell of the
whole week; a verdict that was reached later than the scan, and one that only the look at some resources reached, stand
in the store's history of verdicts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from agent.authorise import has_valid_ticket
from agent.model import OUTCOMES, Finding
from agent.report.weekly.records import Records
from agent.report.weekly.week import Week

WITH = ("authorised", "authorised-emergency")
WITHOUT = ("unauthorised", "regularised")
UNCOUNTED = ("service-made", "unapplied")
"""Outcomes of changes that nobody needed authority for."""


@dataclass(frozen=True, slots=True)
class Happened:
    """One change."""

    events: tuple[str, ...]
    at: datetime
    action: str
    who: str
    account: str
    stack: str
    environment: str
    """Empty: not known."""
    targets: tuple[str, ...]
    outcome: str
    path: str
    ticket: str
    ticketed: bool
    """Whether the verdict rests on a ticket that was one for it: see `agent.authorise.has_valid_ticket`."""
    late: bool
    failed: tuple[str, ...]
    findings: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    severity: str = ""
    case: str = ""
    covered_by: str = ""
    """Exception or baseline entry that tolerates what it left."""
    judged_at: datetime | None = None
    """When the verdict was reached, or the scan ended that told of it."""
    before: str = ""
    """The verdict as it was when the week ended, where it was another one."""
    unseen: bool = False
    """It was seen only after the week had ended."""


Verdicts = Sequence[tuple[datetime, Finding]]
"""Written verdicts, each with when it was written and the finding as judged then, oldest first."""


def population(
    records: Records,
    week: Week,
    lookback: timedelta,
    verdicts: Verdicts,
    cases: Mapping[str, str],
    *,
    compared: bool = True,
) -> tuple[Happened, ...]:
    """Changes whose time lies in the week, oldest first; `cases` says of an event which case answers for it.

    Without `compared` it is not told how each was judged when the week ended.
    """
    found: dict[str, Happened] = {}
    for at, document in _covering(records, week, lookback):
        for one in _of_document(document, at, week):
            found.setdefault(one.events[0], one)
    for one in _of_verdicts(verdicts, week):
        found[one.events[0]] = _newer(found.get(one.events[0]), one)
    then = _as_known_then(records, week, verdicts) if compared else None
    return tuple(
        sorted((_placed(one, cases, then) for one in found.values()), key=lambda one: (one.at, one.events, one.action))
    )


def _covering(records: Records, week: Week, lookback: timedelta) -> Iterator[tuple[datetime, Mapping[str, Any]]]:
    """Documents that together tell of the whole week, the newest first, each with when its scan ended."""
    edge, last = week.ends, None
    scan = records.whole_from(edge)
    if scan is None or scan.finished_at is None or scan.finished_at - lookback >= week.ends:
        scan = records.whole_before(edge)
    while scan is not None and scan.finished_at is not None and scan.finished_at >= week.begins:
        document = records.document(scan, "coverage", "findings", "changes")
        if document:
            yield scan.finished_at, document
            edge = min(edge, moment(document["coverage"]["trail"]["from"]))
        if edge <= week.begins:
            return
        last = scan
        scan = records.whole_from(edge)
        if scan is None or scan.finished_at is None or scan.finished_at >= _ended(last):
            # A stretch that no scan looked back on.
            scan = records.whole_before(min(edge, _ended(last)))


def _ended(scan: Any) -> datetime:
    ended: datetime = scan.finished_at
    return ended


def moment(stamp: str) -> datetime:
    """A time of a document."""
    return datetime.fromisoformat(stamp)


def _of_document(document: Mapping[str, Any], at: datetime, week: Week) -> Iterator[Happened]:
    told: dict[str, list[tuple[Mapping[str, Any], Mapping[str, Any]]]] = defaultdict(list)
    for finding in document["findings"]:
        for change in finding["changes"]:
            told[change["event_ids"][0]].append((finding, change["verdict"]))
    for change in document["changes"]:
        if (when := moment(change["time"])) not in week:
            continue
        stories = told.get(change["event_ids"][0], [])
        own = [verdict for _, verdict in stories] or [change["verdict"]]
        verdict = min(own, key=lambda one: OUTCOMES.index(one["outcome"]))
        first = stories[0][0] if stories else {}
        severities = [finding["severity"] for finding, _ in stories if finding["severity"]]
        yield Happened(
            tuple(change["event_ids"]),
            when,
            change["action"],
            change["actor"]["person"] or change["actor"]["name"],
            first.get("account") or change.get("account", ""),
            first.get("stack", ""),
            _graver(*((one.get("environment") or "") for one in (*own, change["verdict"]))),
            tuple(target["address"] or f"{target['type']} {target['id']}" for target in change["targets"]),
            verdict["outcome"],
            verdict["path"],
            verdict["ticket"] or "",
            has_valid_ticket((test["name"], test["result"]) for test in verdict["tests"]),
            verdict["late"],
            tuple(test["name"] for test in verdict["tests"] if test["result"] == "fail"),
            tuple(sorted(finding["id"] for finding, _ in stories)),
            tuple(sorted({name for finding, _ in stories for name in finding["controls"]})),
            severities[0] if severities else "",
            next((finding["case"] for finding, _ in stories if finding["case"]), ""),
            next((f["verdict"]["covered_by"] for f, _ in stories if f["verdict"].get("covered_by")), "") or "",
            at,
        )


def _of_verdicts(verdicts: Verdicts, week: Week) -> Iterable[Happened]:
    """The last verdict on each change; of several of one time the worst."""
    found: dict[str, Happened] = {}
    for at, finding in verdicts:
        for item in finding.changes:
            change, verdict = item.change, item.verdict
            if change.time not in week:
                continue
            one = Happened(
                change.event_ids,
                change.time,
                change.action,
                change.actor.person or change.actor.name,
                finding.key.account,
                finding.stack,
                verdict.environment,
                (finding.address or f"{finding.key.type} {finding.key.id}",),
                verdict.outcome,
                verdict.path,
                verdict.ticket,
                has_valid_ticket((test.name, test.result) for test in verdict.tests),
                verdict.late,
                verdict.failed,
                (finding.id,),
                covered_by=finding.verdict.covered_by,
                judged_at=at,
            )
            before = found.get(change.event_ids[0])
            found[change.event_ids[0]] = _together(before, one) if before else one
    return found.values()


def _together(before: Happened, one: Happened) -> Happened:
    """The later verdict, or the worse of one time; with the findings and targets of both."""
    worse = OUTCOMES.index(one.outcome) < OUTCOMES.index(before.outcome)
    kept = one if one.judged_at != before.judged_at or worse else before
    return replace(
        kept,
        findings=tuple(sorted({*before.findings, *one.findings})),
        targets=tuple(dict.fromkeys((*before.targets, *one.targets))),
        environment=_graver(before.environment, one.environment),
    )


def _newer(known: Happened | None, one: Happened) -> Happened:
    """What a document told, with the verdict that was written since; and where it belongs, as either of them says."""
    if known is None or known.judged_at is None or one.judged_at is None:
        return one
    placed = replace(
        known,
        environment=_graver(known.environment, one.environment),
        stack=known.stack or one.stack,
        account=known.account or one.account,
        findings=tuple(sorted({*known.findings, *one.findings})),
    )
    if one.judged_at <= known.judged_at:
        return placed
    later = {
        name: getattr(one, name) for name in ("outcome", "path", "ticket", "ticketed", "late", "failed", "judged_at")
    }
    return replace(placed, **later)


def _graver(*names: str) -> str:
    """One name for where something was done: `production` where any of it was; empty: not known."""
    return "production" if "production" in names else next(filter(None, names), "")


def _as_known_then(records: Records, week: Week, verdicts: Verdicts) -> Mapping[str, str]:
    """Event → the verdict on it as it was known when the week ended."""
    found: dict[str, Happened] = {}
    scan = records.whole_before(week.ends)
    if scan is not None and scan.finished_at is not None:
        document = records.document(scan, "findings", "changes")
        found = {one.events[0]: one for one in _of_document(document, scan.finished_at, week)} if document else {}
    for one in _of_verdicts([entry for entry in verdicts if entry[0] < week.ends], week):
        found[one.events[0]] = _newer(found.get(one.events[0]), one)
    return {event: one.outcome for event, one in found.items()}


def _placed(one: Happened, cases: Mapping[str, str], then: Mapping[str, str] | None) -> Happened:
    case = next((cases[event] for event in one.events if event in cases), one.case)
    if then is None:
        return one if case == one.case else replace(one, case=case)
    before = then.get(one.events[0])
    return replace(
        one,
        case=case,
        before=before if before is not None and before != one.outcome else "",
        unseen=before is None,
    )

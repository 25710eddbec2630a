"""Why a verdict is what it is: everything a reviewer judges it by, found by any name it goes by.

Hides those names (finding, address, case, marker, ticket, emergency, event), that a finding which is over is told as it
was last seen, and that its earlier verdicts and its ticket's history stand in the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from agent.document import finding as documented
from agent.document.times import stamp
from agent.model import Authority, Case, FindingId, Ticket, TicketEvent
from agent.report.content import ReportError
from agent.store import Store
from agent.store.findings import Judgement

MOST = 50
"""How many answers are given to one question; the rest is counted."""
_SHORTEST = 6  # characters of a case's key that name it


@dataclass(frozen=True, slots=True)
class Earlier:
    """One verdict of a finding's history."""

    at: str
    run: str
    outcome: str
    path: str
    ticket: str
    failed: tuple[str, ...]
    late: bool


@dataclass(frozen=True, slots=True)
class Reason:
    """One answer. What is not known is empty; a ticket alone is an answer where nothing was done under it."""

    finding: Mapping[str, Any] | None = None
    """As in the scan document."""
    change: Mapping[str, Any] | None = None
    """The change that was asked about, as in the scan document; None: the finding as a whole."""
    ticket: Mapping[str, Any] | None = None
    """Reference, system, title, url, state, due, resources, and its history."""
    emergency: Mapping[str, Any] | None = None
    covered_by: Mapping[str, Any] | None = None
    case: Mapping[str, Any] | None = None
    history: tuple[Earlier, ...] = ()
    """Oldest first."""
    over: str = ""
    """Why it is not in the scan that was looked at; empty: it is."""
    unread: str = ""
    """Why its history is not told."""

    @property
    def verdict(self) -> Mapping[str, Any] | None:
        """The verdict that was asked about."""
        told = self.change or self.finding
        return told["verdict"] if told else None


@dataclass(frozen=True, slots=True)
class Answers:
    """What is known by a name."""

    run: str
    """The scan that was looked at."""
    reasons: tuple[Reason, ...]
    more: int
    """Answers that are not given."""


def why(document: Mapping[str, Any], store: Store, name: str) -> Answers:
    """Every verdict that `name` means in a scan, with its history in the store.

    `name`: a finding's id or address, a case's key or `DW-…`, a ticket's reference, an emergency's id, a CloudTrail
    event id. Raises ReportError where nothing goes by it.
    """
    cases = [record.case for record in store.cases.listed()]
    meant = _meant(document, cases, name)
    found = [*_in_scan(document, meant, name)]
    if meant or not found:
        found += _over(document, store, meant, name)
    found = found or [*_alone(document, cases, name)]
    if not found:
        run = document["run"]["id"]
        raise ReportError(
            f"scan {run} and the findings before it have nothing called {name!r}: give a finding (F-…), an address, "
            "a case (its key or DW-…), a ticket, an emergency (BG-…) or a CloudTrail event id; `driftwarden findings` "
            "lists the findings, `--run` looks at an earlier scan"
        )
    reasons = (_told(one, document, store, cases) for one in found[:MOST])
    return Answers(document["run"]["id"], tuple(reasons), max(0, len(found) - MOST))


def as_json(answers: Answers) -> list[dict[str, Any]]:
    """The answers as JSON values."""
    return [
        {
            "finding": one.finding,
            "change": one.change,
            "ticket": one.ticket,
            "emergency": one.emergency,
            "covered_by": one.covered_by,
            "case": one.case,
            "history": [
                {
                    "at": each.at,
                    "run": each.run,
                    "outcome": each.outcome,
                    "path": each.path,
                    "ticket": each.ticket or None,
                    "failed": list(each.failed),
                    "late": each.late,
                }
                for each in one.history
            ],
            "not_in_scan": one.over or None,
            "history_unread": one.unread or None,
        }
        for one in answers.reasons
    ]


# --- what a name means ---------------------------------------------------------------------------------------


def _meant(document: Mapping[str, Any], cases: Sequence[Case], name: str) -> frozenset[str]:
    """The findings of the cases that go by a name."""
    known = {
        finding for case in cases if _names(case.key, (case.ticket, case.grant), name) for finding in case.findings
    }
    told = (one for one in document["cases"] if _names(one["key"], (one["ticket"], one.get("grant")), name))
    return frozenset(known | {finding for one in told for finding in one["findings"]})


def _in_scan(document: Mapping[str, Any], meant: Set[str], name: str) -> Iterator[Reason]:
    """What goes by a name in the scan."""
    shown: set[str] = set()
    for item in document["findings"]:
        events = [one for one in item["changes"] if name in one["event_ids"]]
        if events:
            yield from (Reason(item, one) for one in events)
        elif name in (item["id"], item["address"]) or item["id"] in meant or _rests_on(item, name):
            yield Reason(item)
        else:
            continue
        shown.update(event for one in item["changes"] for event in one["event_ids"])
    for one in document["changes"]:
        if (name in one["event_ids"] or name in _rests(one["verdict"])) and shown.isdisjoint(one["event_ids"]):
            yield Reason(change=one)
            shown.update(one["event_ids"])


def _over(document: Mapping[str, Any], store: Store, meant: Set[str], name: str) -> Iterator[Reason]:
    """What goes by a name among the findings that the scan did not see."""
    ids = [FindingId(one) for one in (name, *sorted(meant))]
    known = store.findings.of(ids) if name.startswith("F-") or meant else store.findings.listed()
    there = {item["id"] for item in document["findings"]}
    last = {one.finding.id: one for one in known if one.finding.id not in there}
    for one in last.values():
        item = documented(one.finding)
        named = name in (item["id"], item["address"]) or item["id"] in meant or _rests_on(item, name)
        events = [each for each in item["changes"] if name in each["event_ids"]]
        if not named and not events:
            continue
        ended = f", over since {stamp(one.closed_at)}" if one.closed_at else ""
        over = f"last seen {stamp(one.last_seen)}{ended}; the rules it broke are told with its case"
        yield from (Reason(item, each, over=over) for each in events) if events else (Reason(item, over=over),)


def _alone(document: Mapping[str, Any], cases: Sequence[Case], name: str) -> Iterator[Reason]:
    """A ticket, an emergency or a case of that name under which nothing is known to have been done."""
    yield from (Reason(ticket=one) for one in document.get("tickets", ()) if one["ref"] == name)
    told = document.get("emergencies", ())
    yield from (Reason(emergency=one) for one in told if name == one["id"] or _names(one["case"], (), name))
    kept = (one for one in cases if _names(one.key, (one.ticket, one.grant), name))
    yield from (Reason(case=_kept(one)) for one in kept)


def _names(key: str, others: Iterable[str | None], name: str) -> bool:
    """Whether a case goes by a name: its key, the start of it (`DW-…`), or one of others."""
    start = name.removeprefix("DW-")
    marked = name.startswith("DW-") and len(start) >= _SHORTEST and key.startswith(start)
    return marked or name in (key, *filter(None, others))


def _rests_on(item: Mapping[str, Any], name: str) -> bool:
    """Whether a finding's verdict, or that on one of its changes, rests on a ticket or an emergency of that name."""
    return any(name in _rests(one["verdict"]) for one in (item, *item["changes"]))


def _rests(verdict: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(filter(None, (verdict["ticket"], verdict.get("grant"))))


# --- what is known of it -------------------------------------------------------------------------------------


def _told(reason: Reason, document: Mapping[str, Any], store: Store, cases: Sequence[Case]) -> Reason:
    """With its case, ticket, emergency, exception and history."""
    item, verdict = reason.finding, reason.verdict
    judgements: tuple[Judgement, ...] = ()
    unread = ""
    try:
        judgements = store.findings.judgements(FindingId(item["id"])) if item else ()
    except ValueError as error:
        unread = f"its history was written by another version: {error}"
    ref, grant, covering = ("", "", "") if verdict is None else _pointed(verdict)
    entries = document.get("tolerated", {}).get("entries", ())
    return Reason(
        item,
        reason.change,
        reason.ticket or (_ticket(ref, document, judgements) if ref else None),
        reason.emergency or _first(document.get("emergencies", ()), grant),
        _first(entries, covering) or ({"id": covering} if covering else None),
        _case(item, document, cases) if item else reason.case,
        tuple(map(_earlier, judgements)),
        reason.over,
        unread,
    )


def _pointed(verdict: Mapping[str, Any]) -> tuple[str, str, str]:
    return verdict["ticket"] or "", verdict.get("grant") or "", verdict.get("covered_by") or ""


def _first(found: Iterable[Mapping[str, Any]], name: str) -> Mapping[str, Any] | None:
    return next((one for one in found if name and one["id"] == name), None)


def _ticket(ref: str, document: Mapping[str, Any], judgements: Sequence[Judgement]) -> Mapping[str, Any]:
    """What the scan says of a ticket, and its history as it was when the last verdict was reached."""
    known = next((one for one in document.get("tickets", ()) if one["ref"] == ref), None)
    given = next((made for one in reversed(judgements) for made in _tickets(one.inputs) if made.ref == ref), None)
    told = dict(known) if known else {"ref": ref}
    if given is not None:
        told |= {"system": given.system, "title": given.title, "url": given.url or None}
        told |= {"requester": given.requester or None, "implementer": given.implementer or None}
        told["window"] = [stamp(one) if one else None for one in (given.start, given.end)]
        told["history"] = [{"at": stamp(one.at), "what": what} for one in given.history for what in _happened(one)]
        told["incomplete"] = given.incomplete or None
    return told


def _tickets(inputs: Any) -> tuple[Ticket, ...]:
    authority = inputs.get("authority") if isinstance(inputs, Mapping) else None
    return authority.tickets.found if isinstance(authority, Authority) else ()


def _happened(event: TicketEvent) -> Iterator[str]:
    """What one entry of a ticket's history says."""
    group = f" for {event.group}" if event.group else ""
    if event.approved_by:
        yield f"approved by {event.approved_by}{group}"
    if event.withdrawn_by:
        yield f"approval of {event.withdrawn_by}{group} ended"
    if event.state:
        yield f"became {event.state}"


def _case(item: Mapping[str, Any], document: Mapping[str, Any], cases: Sequence[Case]) -> Mapping[str, Any] | None:
    """The case of a finding: as the scan tells it, else as the store knows it, the last one first."""
    told: Iterable[Mapping[str, Any]] = document["cases"]
    named = next((one for one in told if one["key"] == item["case"]), None)
    if named is not None:
        return named
    kept = next((one for one in reversed(cases) if item["id"] in one.findings), None)
    return _kept(kept) if kept else None


def _kept(case: Case) -> Mapping[str, Any]:
    """A case as the store knows it."""
    told = {"key": case.key, "title": case.title, "state": case.state, "severity": case.severity}
    return told | {"ticket": case.ticket or None, "rules": list(case.rules), "stage": case.stage or None}


def _earlier(one: Judgement) -> Earlier:
    verdict = one.finding.verdict
    said = (verdict.outcome, verdict.path, verdict.ticket, verdict.failed, verdict.late)
    return Earlier(stamp(one.at), one.run_id, *said)

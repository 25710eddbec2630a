"""Which changes are judged again, and which open cases a few events may have to do with, of the thousands there may be.

Hides how far that reaches: a session makes one case of what it touched, and a case brings the sessions of all it holds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from agent.emergency import session
from agent.focus import Focus
from agent.model import Case, CaseKey, Change, Emergency, Finding, FindingId
from agent.plan.sight import Known


def to_judge(
    changes: Sequence[Change],
    mine: Iterable[Finding],
    known: Known,
    emergencies: Iterable[Emergency],
    focus: Focus,
    news: frozenset[str],
) -> Sequence[Change]:
    """Of all changes of the trail those that a verdict is given on: all; else those that the scan is about, which
    `mine` and `news` tell, of cases and of emergencies.

    A trail holds the changes of days, and a scan of a few resources comes every few seconds. Where it comes for `news`,
    only cases that these may have to do with count: whether what the others hold has found its authority since is asked
    by scans that are not made for single events.
    """
    if focus.keys is None:
        return changes
    events = news.union(*(item.change.event_ids for one in mine for item in one.changes))
    cases = [one for one in known.cases if one.state != "closed"]
    if news:
        about = [one for one in cases if any(known.keys[id_] in focus for id_ in one.findings if id_ in known.keys)]
        cases = list(concerned(cases, known.findings, changes, events, about))
    held = (_held(one, known.findings) for one in cases)
    wanted = events.union(*held, *(one.events for one in emergencies))
    return [one for one in changes if not wanted.isdisjoint(one.event_ids)]


def concerned(
    cases: Sequence[Case],
    findings: Mapping[FindingId, Finding],
    changes: Iterable[Change],
    events: Iterable[str],
    about: Iterable[Case],
) -> tuple[Case, ...]:
    """Of the cases those that `events` lead to, those of emergencies, and what is led to from these or from `about`.

    `findings` are the open ones, `changes` all of the trail.
    """
    session_of: dict[str, str] = {}
    made_in: dict[str, list[str]] = defaultdict(list)
    for change in changes:
        its = session(change)
        made_in[its] += change.event_ids
        session_of.update(dict.fromkeys(change.event_ids, its))
    held = {case.key: _held(case, findings) for case in cases}
    holding: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        for event in held[case.key]:
            holding[event].append(case)
    found: dict[CaseKey, Case] = {one.key: one for one in (*about, *(c for c in cases if c.grant or c.emergencies))}
    left, seen = [*events, *(event for key in found for event in held[key])], set[str]()
    while left:
        event = left.pop()
        if event in seen:
            continue
        seen.add(event)
        left += made_in.pop(session_of.get(event, ""), ())
        for case in holding.get(event, ()):
            if case.key not in found:
                found[case.key] = case
                left += held[case.key]
    return tuple(found.values())


def _held(case: Case, findings: Mapping[FindingId, Finding]) -> set[str]:
    known = (findings[one] for one in case.findings if one in findings)
    return {*case.events, *(event for one in known for item in one.changes for event in item.change.event_ids)}

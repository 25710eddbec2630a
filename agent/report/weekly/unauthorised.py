"""Changes without authority, by who made them, by stack and by control; and how many changes had authority at all.

Hides what counts: what AWS services did needs no authority, and what is undecided is neither with nor without it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from agent.clean import percent
from agent.document.times import stamp
from agent.model import SEVERITIES
from agent.report.weekly.matters import Matter
from agent.report.weekly.population import UNCOUNTED, WITH, WITHOUT, Happened
from agent.rules import Control

PRODUCTION = "production"
_MOST = 500
"""Changes that are listed one by one."""
_NAMED = 8
"""Actions and targets of one case that are named."""


def completeness(changes: Sequence[Happened]) -> dict[str, Any]:
    """How many of the changes that need authority had it, how many stood under a ticket that was one for them, and of
    those without authority how many were made in production, and how many where nobody knows (`unplaced`).

    The percentages are of those; where there are none they are not known (None), and not 100.
    """
    outcomes = Counter(one.outcome for one in changes)
    counted = [one for one in changes if one.outcome not in UNCOUNTED]
    having = sum(one.outcome in WITH for one in counted)
    ticketed = sum(one.ticketed for one in counted)
    return {
        "changes": len(changes),
        "counted": len(counted),
        "outcomes": dict(sorted(outcomes.items())),
        "with_authority": having,
        "without": sum(one.outcome in WITHOUT for one in counted),
        "undecided": sum(one.outcome in ("indeterminate", "pending") for one in counted),
        "emergency": sum(one.outcome in ("pending-documentation", "authorised-emergency") for one in counted),
        "under_ticket": ticketed,
        "percent_with_authority": percent(having, len(counted)) if counted else None,
        "percent_under_ticket": percent(ticketed, len(counted)) if counted else None,
        "production": sum(one.environment == PRODUCTION for one in counted if one.outcome in WITHOUT),
        "unplaced": sum(not one.environment for one in counted if one.outcome in WITHOUT),
    }


def unauthorised(
    changes: Iterable[Happened], matters: Iterable[Matter], controls: Mapping[str, Control]
) -> dict[str, Any]:
    """Section 3: changes without authority and undecided ones, production first."""
    cases = {str(one.case.key): one for one in matters}
    found = [one for one in changes if one.outcome in (*WITHOUT, "indeterminate")]
    without = [one for one in found if one.outcome in WITHOUT]
    return {
        "count": len(without),
        "undecided": len(found) - len(without),
        "sessions": _sessions(found, cases),
        "by_actor": _counted(without, lambda one: (one.who,)),
        "by_stack": _counted(without, lambda one: (one.stack or "in no stack",)),
        "by_control": [
            {
                **row,
                "title": controls[row["name"]].title if row["name"] in controls else "",
                "framework": controls[row["name"]].framework if row["name"] in controls else "",
            }
            for row in _counted(without, lambda one: _controls(one, cases))
        ],
        "listed": [_row(one) for one in sorted(found, key=_gravity)[:_MOST]],
        "more": max(0, len(found) - _MOST),
    }


def _controls(one: Happened, cases: Mapping[str, Matter]) -> tuple[str, ...]:
    """Those its findings break, else those its case names."""
    return one.controls or (tuple(cases[one.case].case.controls) if one.case in cases else ())


def _severity(one: Happened, cases: Mapping[str, Matter]) -> str:
    return one.severity or (str(cases[one.case].case.severity) if one.case in cases else "")


def _gravity(one: Happened) -> tuple[bool, str, tuple[str, ...]]:
    return one.environment != PRODUCTION, stamp(one.at), one.events


def _sessions(found: Sequence[Happened], cases: Mapping[str, Matter]) -> list[dict[str, Any]]:
    """The changes gathered by case, or by who made them where no case is about them; production and worst first."""
    gathered: dict[tuple[str, str, str], list[Happened]] = defaultdict(list)
    for one in found:
        gathered[(one.case, "" if one.case else one.who, "" if one.case else one.stack)].append(one)
    rows = []
    for (case, _, _), ones in gathered.items():
        matter = cases.get(case)
        severities = [level for one in ones if (level := _severity(one, cases))]
        actions = list(dict.fromkeys(one.action for one in ones))
        targets = list(dict.fromkeys(target for one in ones for target in one.targets))
        rows.append(
            {
                "case": case,
                "title": matter.case.title if matter else "",
                "ticket": matter.case.ticket if matter else "",
                "severity": max(severities, key=[str(level) for level in SEVERITIES].index, default=""),
                "who": list(dict.fromkeys(one.who for one in ones)),
                "stacks": sorted({one.stack or "in no stack" for one in ones}),
                "accounts": sorted({one.account for one in ones} - {""}),
                "production": any(one.environment == PRODUCTION for one in ones),
                "environments": sorted({one.environment for one in ones} - {""}),
                "changes": len(ones),
                "actions": actions[:_NAMED],
                "more_actions": max(0, len(actions) - _NAMED),
                "targets": targets[:_NAMED],
                "more_targets": max(0, len(targets) - _NAMED),
                "first": stamp(min(one.at for one in ones)),
                "last": stamp(max(one.at for one in ones)),
                "outcomes": dict(sorted(Counter(one.outcome for one in ones).items())),
                "failed": sorted({name for one in ones for name in one.failed}),
                "covered_by": sorted({one.covered_by for one in ones} - {""}),
            }
        )
    ranks = ["", *(str(level) for level in SEVERITIES)]
    return sorted(
        rows, key=lambda row: (not row["production"], -ranks.index(row["severity"]), row["first"], row["case"])
    )


def _counted(changes: Iterable[Happened], names: Callable[[Happened], Iterable[str]]) -> list[dict[str, Any]]:
    """How many changes, and how many of them in production, each name has; most in production first."""
    totals: Counter[str] = Counter()
    production: Counter[str] = Counter()
    cases: dict[str, set[str]] = defaultdict(set)
    for one in changes:
        for name in names(one):
            totals[name] += 1
            production[name] += one.environment == PRODUCTION
            cases[name] |= {one.case} - {""}
    order = sorted(totals, key=lambda name: (-production[name], -totals[name], name))
    return [
        {"name": name, "changes": totals[name], "production": production[name], "cases": len(cases[name])}
        for name in order
    ]


def _row(one: Happened) -> dict[str, Any]:
    return {
        "events": list(one.events),
        "at": stamp(one.at),
        "action": one.action,
        "who": one.who,
        "account": one.account,
        "stack": one.stack,
        "environment": one.environment,
        "targets": list(one.targets),
        "outcome": one.outcome,
        "path": one.path,
        "ticket": one.ticket,
        "failed": list(one.failed),
        "findings": list(one.findings),
        "case": one.case,
    }


def later(changes: Iterable[Happened]) -> list[dict[str, Any]]:
    """Changes of the week on which the verdict is another one than when it ended."""
    return [
        {"at": stamp(one.at), "who": one.who, "action": one.action, "events": list(one.events), "case": one.case}
        | {"was": one.before, "is": one.outcome, "judged": stamp(one.judged_at) if one.judged_at else ""}
        for one in changes
        if one.before
    ]

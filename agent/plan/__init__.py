"""The plan stage: which cases to open, update and close, or hold because there is too much to believe.

Hides grouping (one actor session, or one emergency, is one case), identity over time (a change belongs to one case for
ever), what people's documents and reviews make of a case, and the nerve to stop.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime

from agent.compare import Hidden
from agent.model import Action, Case, CaseKey, Close, Finding, Held, JudgedChange, Open, Review, Violation
from agent.plan.flood import CRITICAL_TYPES, FLOOD_COUNT, FLOOD_SHARE, flood
from agent.plan.follow import follow_up
from agent.plan.grouping import group
from agent.plan.opening import answering, new_case
from agent.plan.sight import UNDECIDED_AFTER, EmergencyPlan, Known, Sight, events
from agent.plan.story import story, to_answer, worst
from agent.plan.windows import declared, window_case

__all__ = [
    "CRITICAL_TYPES",
    "FLOOD_COUNT",
    "FLOOD_SHARE",
    "UNDECIDED_AFTER",
    "EmergencyPlan",
    "Known",
    "plan",
    "story",
    "window_case",
    "worst",
]


def _never(_finding: Finding) -> bool:
    return False


def plan(
    violations: Sequence[Violation],
    findings: Sequence[Finding],
    known: Known,
    unread: Hidden,
    resources: Mapping[str, int],
    now: datetime,
    *,
    emergency: EmergencyPlan = EmergencyPlan(),  # noqa: B008 a frozen value
    reviews: Mapping[CaseKey, Review] | None = None,
    accepted_holds: Collection[CaseKey] = (),
    observed: Callable[[Finding], bool] = _never,
    changes: Sequence[JudgedChange] = (),
) -> tuple[Action, ...]:
    """What to do about the violations.

    `unread` is what this run could not read, or is not about: nothing inside it counts as fixed. `resources` counts the
    declared resources of each account, whatever the scan is about. `emergency`: break-glass sessions and windows as
    they stand. `reviews`: the newest review of each case. `accepted_holds`: held cases that two people let go.
    `observed`: whether a finding's stack is only observed; it opens and joins no case. `changes`: every judged change
    of the trail, those without a finding too: a case whose changes all turn out to have been authorised closes.
    """
    sight = Sight(violations, findings, known, unread, now, emergency, changes, reviews or {}, accepted_holds)
    open_cases = [case for case in known.cases if case.state != "closed"]
    in_case = {finding for case in open_cases for finding in case.findings}
    fresh = [
        one
        for one in sight.broken.values()
        if one.id not in in_case and not _answered(one, sight.answered) and not observed(one)
    ]
    open_cases = list(filter(sight.may_move, open_cases))
    groups = group(open_cases, fresh, sight)
    cases = [new_case(members, sight) for members in groups.new]
    opened, held = flood(cases, [one for members in groups.new for one in members], sight, resources)
    waiting = {finding.id for finding in findings if finding.verdict.outcome == "pending"}
    gone = {one for one, key in known.keys.items() if key not in unread} - sight.broken.keys() - waiting
    followed = follow_up(open_cases, groups, gone, sight)
    actions = (*(Open(case) for case in opened), *followed, *held)
    return (*actions, *map(Open, _unanswered(actions, sight, observed)))


def _unanswered(actions: Sequence[Action], sight: Sight, observed: Callable[[Finding], bool]) -> Iterator[Case]:
    """Cases of the emergencies and windows that no case is about after these actions: each has one, always."""
    after = {case.key: case for case in sight.known.cases if case.state != "closed" and sight.may_move(case)}
    for action in actions:
        if isinstance(action, Close):
            after.pop(action.case.key, None)
        elif not isinstance(action, Held):
            after[action.case.key] = action.case
    about = {grant for case in after.values() for grant in (case.grant, *(one.id for one in case.emergencies))}
    # What is in a finding of theirs is told in the next scan: a held case is filed first.
    about |= sight.brought(
        finding for case in after.values() for finding in (*sight.members(case), *sight.elsewhere(case))
    )
    yield from declared(sight, sight.emergencies)
    for one in sight.emergencies.values():
        if one.id in about or one.case in after or one.state == "accepted" or sight.may_show(one.events):
            continue
        seen = [sight.findings[finding] for finding in sight.showing(one.events)]
        # What is only observed files nothing; a window that somebody declared is told in any case.
        quiet = one.opening is None and seen and all(map(observed, seen))
        waiting = any("pending" in sight.outcomes(event) for event in one.events)
        if not quiet and not waiting:
            yield answering(one, sight)


def _answered(finding: Finding, answered: set[str]) -> bool:
    """Whether every change behind the finding belongs to a case already, open or closed."""
    return bool(to_answer(finding)) and not events([finding], answered)

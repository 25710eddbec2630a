"""Scans of what calls touched, and then one of everything, come to what scans of everything alone come to."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from focus_estate import NOON, SESSIONS, STEPS, UNSEEN, Estate, Keeper, call
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.focus import Focus
from agent.model import Change, Open, Snapshot, Update
from agent.scan import Scan

MINUTE = timedelta(minutes=1)


def told(found: Scan) -> dict[str, Any]:
    """What a scan says of each finding."""
    return {
        one.id: (
            one.verdict.outcome,
            tuple((item.change.event_ids, item.verdict.outcome) for item in one.changes),
            tuple((drift.kind, drift.attribute, drift.part, drift.live) for drift in one.drifts),
        )
        for one in found.findings
    }


def judged(found: Scan) -> dict[Any, Any]:
    """The verdict on each change of the trail, and what it was aimed at."""
    return {item.change.event_ids: (item.verdict.outcome, item.change.targets) for item in found.changes}


def open_cases(keeper: Keeper) -> dict[str, Any]:
    return {
        key: (set(case.findings), set(case.events), case.state, case.grant)
        for key, case in keeper.cases.items()
        if case.state != "closed"
    }


BATCHES = st.lists(
    st.lists(
        st.tuples(st.integers(0, len(STEPS) - 1), st.sampled_from([*SESSIONS, UNSEEN]), st.integers(0, 2)), max_size=4
    ),
    min_size=1,
    max_size=4,
)
"""Batches of operations: which, by whom, and how many batches late its event comes."""
PACES = st.sampled_from([2 * MINUTE, 2 * MINUTE, 50 * MINUTE, 13 * 60 * MINUTE])
"""How far apart the batches are. Only where they are minutes apart do events come late: that late they may be."""
SLOW = st.sampled_from([50 * MINUTE, 13 * 60 * MINUTE])
"""Every event comes with its batch: of a difference whose call is not there yet nothing is said alike before."""
History = list[list[tuple[int, str, int]]]


def lived(batches: History, complete: bool, pace: timedelta, window: timedelta | None = None) -> None:
    """Lives the history twice, and compares at every look and at the end."""
    estate = Estate.clean(complete, window)
    by_looks, by_wholes = Keeper(), Keeper()
    for keeper in (by_looks, by_wholes):
        keeper.keep(estate.look(keeper, NOON - MINUTE, None))
    late: list[tuple[int, Change]] = []
    number = 0
    for place in range(len(batches) + 2):
        if place >= len(batches) and not any(due >= place for due, _ in late):
            break  # every event has come
        at = NOON + place * pace
        for which, who, lag in batches[place] if place < len(batches) else ():
            step = STEPS[which](estate.cloud)
            number += 1
            if step is not None and who != UNSEEN:
                due = place + (lag if pace < 5 * MINUTE else 0)
                late.append((due, call(number, at + timedelta(seconds=number), who, step)))
        # Within a batch the last comes first.
        news = [change for due, change in reversed(late) if due == place]
        estate.trail += news
        at += 1.5 * MINUTE
        if news:
            found, whole = estate.look(by_looks, at, news), estate.look(by_looks, at, None)
            agreed(found, whole)
            by_looks.keep(found)
            beside(estate, by_looks, at, found)
        else:
            # That time passes is looked at too, as the daemon does: a document becomes overdue, and a later call moves
            # the deadline.
            by_looks.keep(estate.look(by_looks, at, ()))
        by_wholes.keep(estate.look(by_wholes, at, None))
    at += MINUTE
    ends = [estate.look(keeper, at, None) for keeper in (by_looks, by_wholes)]
    for keeper, end in zip((by_looks, by_wholes), ends, strict=True):
        keeper.keep(end)
    assert by_looks.accepted.keys() == by_wholes.accepted.keys()
    if any(who == UNSEEN for batch in batches for _, who, _ in batch):
        # Whoever looks more often has seen sooner what no call tells of, and waits for it no longer.
        assert {name: one[-1] for name, one in told(ends[0]).items()} == {
            name: one[-1] for name, one in told(ends[1]).items()
        }
        return
    assert told(ends[0]) == told(ends[1])
    assert open_cases(by_looks) == open_cases(by_wholes)
    graver = {key: case.severity for key, case in by_looks.cases.items() if case.state != "closed"}
    assert graver == {key: by_wholes.cases[key].severity for key in graver}


def beside(estate: Estate, keeper: Keeper, at: datetime, look: Scan) -> None:
    """A scan of everything that leaves this look what it read tells the same as one that reads it again."""
    assert look.focus.keys is not None
    alone = estate.look(keeper, at, None)
    sides = Snapshot("declared", at, tuple(estate.declares)), Snapshot("live", at, tuple(estate.cloud.values()))
    found = estate.scan(keeper, at, sides, Focus(without=look.focus.keys))
    open_ones = (*found.findings, *found.carried.findings)
    assert len({one.id for one in open_ones}) == len(open_ones)
    assert told(replace(found, findings=open_ones)) == told(alone)
    broken = Counter((one.rule, one.finding) for one in (*found.violations, *found.carried.violations))
    assert broken == Counter((one.rule, one.finding) for one in alone.violations)
    assert found.status == alone.status
    assert found.compared + found.carried.compared == alone.compared


def agreed(found: Scan, whole: Scan) -> None:
    """What a look says is what a scan of everything would say at that moment, of what it is about."""
    verdicts = judged(whole)
    assert judged(found).items() <= verdicts.items()
    about = {ids for ids, (_, targets) in verdicts.items() if any(target in found.focus for target in targets)}
    assert about <= judged(found).keys()
    everything = told(whole)
    assert told(found) == {one.id: everything[one.id] for one in whole.findings if one.key in found.focus}
    answered = {e for action in whole.actions if isinstance(action, Open | Update) for e in action.case.events}
    for action in found.actions:
        assert isinstance(action, Open | Update) or action in whole.actions
        if isinstance(action, Open):
            assert answered.issuperset(action.case.events)
            assert set(action.case.findings) <= {one.id for one in whole.findings}


AUTHORITY_FOR_ONE_TARGET: History = [[(19, "marco", 0), (26, "dana", 0)], [(6, "dana", 0)]]
"""Dana's second call has authority for what marco changed, and none for another target: it ties no cases together."""


@example(AUTHORITY_FOR_ONE_TARGET, False, 2 * MINUTE)
@settings(max_examples=100, deadline=None)
@given(BATCHES, st.booleans(), PACES)
def test_looks_and_one_scan_of_everything_come_to_what_scans_of_everything_come_to(
    batches: History, complete: bool, pace: timedelta
) -> None:
    lived(batches, complete, pace)


@settings(max_examples=20, deadline=None)
@given(BATCHES, st.booleans(), SLOW)
def test_they_do_where_calls_came_when_the_window_had_moved_past_them(
    batches: History, complete: bool, pace: timedelta
) -> None:
    lived(batches, complete, pace, window=MINUTE / 2)


@pytest.mark.sweep
@pytest.mark.timeout(3600)
@settings(max_examples=5000, deadline=None)
@given(BATCHES, st.booleans(), st.tuples(PACES, st.none()) | st.tuples(SLOW, st.just(MINUTE / 2)))
def test_the_same_of_thousands_of_histories(
    batches: History, complete: bool, times: tuple[timedelta, timedelta | None]
) -> None:
    lived(batches, complete, *times)

"""Messages of a queue that hold no event: one case for all of them, which ends a day after the last."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from agent.clean import clean
from agent.compare import Hidden
from agent.judge import judge, trail_findings
from agent.model import Action, Case, Close, Finding, Gap, Open, Scope, Trail, Update
from agent.plan import Known, plan
from agent.resources import load
from agent.rules import load_rules
from agent.trail.poison import LATELY, lasting

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
QUEUE = "https://sqs.eu-west-1.amazonaws.com/111122223333/events"
RULES, SPECS = load_rules(), load()


def message(number: int, scope: Scope = Scope(type="cloudtrail", id=QUEUE), times: int = 1) -> Gap:  # noqa: B008 frozen
    return Gap(scope, f"{QUEUE}: message m{number}: no JSON; taken from the queue", cause="poison", times=times)


def trail(count: int, now: datetime = NOON, last: datetime = NOON) -> Trail:
    """The trail of a week in which so many messages came, one a minute."""
    kept = [(last - (count - n) * timedelta(minutes=1), message(n)) for n in range(1, count + 1)]
    gaps, told = lasting(kept, now)
    return Trail(now - timedelta(days=7), now, gaps=gaps, poisoned=told)


def planned(told: Trail, *cases: Case, before: tuple[Finding, ...] = ()) -> tuple[Action, ...]:
    findings = trail_findings(told)
    known = Known(cases, {}, {one.id: one.key for one in before})
    return plan(judge(findings, RULES, SPECS), findings, known, Hidden(told.gaps), {}, told.end)


def test_the_messages_of_one_queue_are_one_case_however_many_there_are() -> None:
    (opened,) = planned(trail(3))
    assert isinstance(opened, Open)
    case = opened.case
    assert (case.severity, case.findings) == ("critical", (trail_findings(trail(9_000))[0].id,))
    assert case.title.endswith(": messages of a queue that hold no event")
    assert "3 messages in all, the last at 2026-11-27 12:00:00 UTC" in case.body
    assert [f"message m{n}:" in case.body for n in range(5)] == [False, True, True, True, False]
    # That there are more is told at 5, 10, 20, 50 …, and of so many the last few are shown.
    assert planned(trail(4), case) == ()
    (told,) = planned(trail(1234), case)
    assert isinstance(told, Update)
    assert "1,234 messages in all" in told.note
    assert [f"message m{n}:" in told.note for n in (1229, 1230, 1234)] == [False, True, True]
    assert planned(trail(1500), told.case) == ()
    assert planned(trail(700), told.case) == ()


def test_it_ends_a_day_after_the_last_message_and_is_not_clean_before_the_interval_is_over() -> None:
    first = trail(3)
    (opened,) = planned(first)
    before = trail_findings(first)
    still = trail(3, NOON + LATELY - HOUR)
    assert isinstance(opened, Open)
    assert planned(still, opened.case, before=before) == ()
    over = trail(3, NOON + LATELY + HOUR)
    assert planned(over, opened.case, before=before) == (Close(opened.case, "what was found is no longer so"),)
    assert [gap.cause for gap in over.gaps] == ["unproven"]
    assert over.gaps[0].why.startswith(f"{QUEUE}: messages that hold no event came")


def test_each_queue_and_each_place_of_lost_files_is_one() -> None:
    other = Scope(type="cloudtrail", id=QUEUE + "2")
    place = Scope("111122223333", "eu-west-1", "cloudtrail", QUEUE)
    kept = [
        (NOON, message(1)),
        (NOON, message(2, other, times=31)),
        (NOON, message(3, place)),
        (NOON, message(4, place)),
    ]
    gaps, told = lasting(kept, NOON)
    assert [(one.scope, one.count) for one in told] == [(message(1).scope, 1), (other, 31), (place, 2)]
    assert len({one.id for one in trail_findings(Trail(NOON, NOON, gaps=gaps, poisoned=told))}) == 3
    # What was to be read and is lost stays lost for as long as the interval lasts.
    assert [gap.cause for gap in lasting(kept, NOON + 2 * LATELY)[0]] == ["unproven", "unproven", "poison"]
    assert lasting([], NOON) == ((), ())


@pytest.mark.parametrize("text", ["\x1b[2Jgone", "<script>alert(1)</script>", "a\nFAKE: fine"])
def test_what_others_wrote_into_it_is_inert(text: str) -> None:
    kept = [(NOON, replace(message(1), why=f"{QUEUE}: message m1: {text}; taken from the queue"))]
    gaps, told = lasting(kept, NOON)
    (opened,) = planned(Trail(NOON, NOON, gaps=gaps, poisoned=told))
    assert isinstance(opened, Open)
    (line,) = [line for line in opened.case.body.splitlines() if "message m1" in line]
    assert line.strip() == clean(kept[0][1].why)
    assert "\x1b" not in opened.case.body

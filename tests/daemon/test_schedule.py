"""What is due when the daemon starts, and when a clock is set; and the heart that notices."""

import queue
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from agent.config import Config
from agent.cron import Every, when
from agent.daemon.pulse import Heart
from agent.daemon.schedule import Plan, Schedule, at_work, first_due, plans
from agent.store.jobs import Job
from agent.tables import BackupConfig, ScheduleConfig, Stack

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NEVER = Job("scan", None, None, None, None, None, "", 0, 0)
SCAN = Plan("scan", Every(6 * HOUR), timedelta())
MONDAYS = when("0 8 * * mon")
assert MONDAYS is not None
REPORT = Plan("report", MONDAYS, timedelta())


def ran(began: datetime, plan: Plan = SCAN) -> Job:
    return replace(NEVER, name=plan.job, began_at=began, ended_at=began + timedelta(minutes=5), status="ok")


@pytest.mark.parametrize(
    ("plan", "known", "due"),
    [
        (SCAN, None, NOW),
        (REPORT, None, NOW + 3 * DAY - 4 * HOUR),
        (REPORT, replace(NEVER, due_at=NOW - DAY), NOW),  # nobody ran then
        (REPORT, replace(NEVER, due_at=NOW + DAY), NOW + 3 * DAY - 4 * HOUR),
        (SCAN, ran(NOW - HOUR), NOW + 6 * HOUR),
        (SCAN, ran(NOW - 4 * HOUR), NOW + timedelta()),
        (SCAN, ran(NOW - 30 * DAY), NOW - 30 * DAY + 6 * HOUR),  # missed 119 times, due once
        (REPORT, ran(NOW - 3 * DAY, REPORT), NOW + 3 * DAY - 4 * HOUR),
        (REPORT, ran(NOW - 12 * DAY, REPORT), NOW - 11 * DAY - 4 * HOUR),
        (SCAN, replace(ran(NOW - HOUR), ended_at=None), NOW),  # broke off
        (SCAN, replace(ran(NOW - HOUR), ended_at=NOW - 2 * HOUR), NOW),
        (REPORT, replace(ran(NOW - HOUR, REPORT), status="failed"), NOW),  # next week is too late
        (REPORT, at_work(replace(ran(NOW - HOUR, REPORT), status="failed"), NOW), NOW + 3 * DAY - 4 * HOUR),
        (SCAN, ran(NOW + HOUR), NOW + 6 * HOUR),  # the clock was set back
        (SCAN, ran(NOW + 30 * DAY), NOW + 6 * HOUR),
    ],
)
def test_when_a_job_is_first_due(plan: Plan, known: Job | None, due: datetime) -> None:
    assert first_due(plan, known, NOW) == due


def test_the_jobs_of_a_configuration() -> None:
    config = Config(
        schedule=ScheduleConfig(trail="", backup="0 3 * * *"),
        stack=(Stack("shop", "shop", schedule="1h"), Stack("web", "web")),
    )
    jobs = {plan.job: plan for plan in plans(config)}
    assert set(jobs) == {"scan", "reevaluate", "remind", "report", "prune", "stack:shop"}
    assert jobs["stack:shop"].when == Every(HOUR)
    backed_up = Config(backup=BackupConfig(dir="/var/backups"))
    assert "backup" in {plan.job for plan in plans(backed_up)}


class Fired:
    """A schedule, and what it told."""

    def __init__(self, stagger: float = 0.0) -> None:
        self.told: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.schedule = Schedule(self.told.put, stagger)

    def next(self) -> str:
        return self.told.get(timeout=30)


def test_what_was_missed_is_due_once_one_after_the_other_and_a_clock_set_back_stops_nothing() -> None:
    fired = Fired(stagger=0.01)
    now = datetime.now(UTC)
    wanted = tuple(Plan(job, Every(HOUR), timedelta()) for job in ("a", "b", "c"))
    fired.schedule.arm(wanted, {job: ran(now - 30 * DAY) for job in ("a", "b", "c")}, now)
    assert [fired.next() for _ in range(3)] == ["a", "b", "c"]
    due = fired.schedule.due()
    assert all(now < at <= now + 1.5 * HOUR for at in due.values())
    # The library has now been told of times that a clock set back would not reach for a year.
    ahead = now + 365 * DAY
    fired.schedule.arm(wanted, {job: ran(ahead) for job in ("a", "b", "c")}, ahead)
    assert min(fired.schedule.due().values()) > now + 300 * DAY
    fired.schedule.arm(wanted[:1], {"a": ran(ahead)}, datetime.now(UTC))
    assert fired.schedule.due().keys() == {"a"}
    assert fired.schedule.due()["a"] <= now + 2 * HOUR
    fired.schedule.again("a", datetime.now(UTC))
    assert fired.next() == "a"
    fired.schedule.again("a", ahead)  # later than its schedule: it stays
    fired.schedule.again("gone", now)
    assert fired.schedule.due()["a"] <= now + 2 * HOUR
    assert fired.told.empty()
    fired.schedule.stop()


def test_it_goes_on_by_itself() -> None:
    fired = Fired()
    second = Plan("tick", Every(timedelta(seconds=1)), timedelta())
    fired.schedule.arm((second,), {"tick": ran(datetime.now(UTC))}, datetime.now(UTC))
    assert [fired.next() for _ in range(2)] == ["tick", "tick"]
    fired.schedule.stop()


@pytest.mark.parametrize(
    ("wall", "monotonic", "jump"),
    [
        (5.0, 5.0, 0.0),
        (3605.0, 5.0, 3600.0),
        (-3595.0, 5.0, -3600.0),
        (30 * 86400 + 5.0, 5.0, 30 * 86400.0),
        (34.9, 5.0, 0.0),  # an hour at a standstill is no jump, and neither is a clock that is put right
        (3600.0, 3600.0, 0.0),
    ],
)
def test_the_heart_tells_a_clock_that_was_set_from_time_that_passed(wall: float, monotonic: float, jump: float) -> None:
    clocks = [1_800_000_000.0, 100.0]
    heart = Heart(30.0, lambda: clocks[0], lambda: clocks[1])
    clocks[0] += wall
    clocks[1] += monotonic
    assert heart.jumped() == pytest.approx(jump)
    assert heart.jumped() == 0.0

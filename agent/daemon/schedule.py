"""What is due when: each job of the configuration by its own clock, from where the store says it stands.

Hides APScheduler and its traps: late runs that are skipped after a second, a clock set back that stops everything until
it has caught up, and time zones. What was missed while nobody ran, or by a clock set forward, is due once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.executors.debug import DebugExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from agent.config import Config, duration
from agent.cron import When, shift
from agent.store.jobs import Job
from agent.timetable import timetable

AT_ONCE = frozenset({"scan"})
"""Jobs that run when the daemon first starts: without a scan of the whole estate there is nothing for the others to do.
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """When one job runs."""

    job: str
    when: When
    shift: timedelta


def plans(config: Config) -> tuple[Plan, ...]:
    """The jobs of a configuration that was checked, the most important first."""
    most = duration(config.schedule.jitter)
    return tuple(Plan(job, times, shift(job, most, times)) for job, times in timetable(config).items())


def first_due(plan: Plan, known: Job | None, now: datetime) -> datetime:
    """When a job is due, by what the store knows of it. Not after `now`: it was missed, or broke off, or failed.

    A clock that was set back makes nothing wait for the time it showed before.
    """
    if known is None or known.began_at is None:
        missed = known is not None and known.due_at is not None and known.due_at <= now
        return now if missed or plan.job in AT_ONCE else plan.when.after(now, plan.shift)
    # How long what failed waits for its next try the lanes know: whoever sets the schedule anew must not forget it.
    if known.ended_at is None or known.ended_at < known.began_at or known.status == "failed":
        return now
    return plan.when.next_from(min(known.began_at, now), plan.shift)


def at_work(job: Job, now: datetime) -> Job:
    """A job that runs now, as if it had just ended well: it neither broke off, nor failed, nor was missed."""
    return replace(job, began_at=now, ended_at=now, status="ok")


class Schedule:
    """Tells when jobs are due, by calling `due` with a job's name in a thread of its own."""

    def __init__(self, due: Callable[[str], None], stagger: float) -> None:
        """Nothing is due yet. `stagger`: seconds between two jobs that were both missed."""
        self._due = due
        self._stagger = timedelta(seconds=stagger)
        self._plans: dict[str, Plan] = {}
        self._lock = threading.Lock()
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": DebugExecutor()},  # `due` only notes the name: it needs no thread of its own
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        self._scheduler.start()

    def arm(self, wanted: tuple[Plan, ...], known: Mapping[str, Job], now: datetime) -> None:
        """Sets every job anew, and forgets those that are not wanted. What was missed is due at once, one by one."""
        with self._lock:
            self._plans = {plan.job: plan for plan in wanted}
            for job in self._scheduler.get_jobs():
                if job.id not in self._plans:
                    job.remove()
            late = 0
            for plan in wanted:
                at = first_due(plan, known.get(plan.job), now)
                if at <= now:
                    at, late = now + late * self._stagger, late + 1
                self._set(plan, at)

    def again(self, job: str, at: datetime) -> None:
        """Makes a job due earlier than its schedule says; later than that it stays as it is."""
        with self._lock:
            plan = self._plans.get(job)
            known = self._scheduler.get_job(job)
            if plan and known and at < known.next_run_time:
                self._set(plan, at)

    def due(self) -> Mapping[str, datetime]:
        """When each job is next due."""
        return {job.id: job.next_run_time.astimezone(UTC) for job in self._scheduler.get_jobs()}

    def stop(self) -> None:
        """Nothing is due any more."""
        self._scheduler.shutdown(wait=False)

    def _set(self, plan: Plan, at: datetime) -> None:
        self._scheduler.add_job(
            self._due, _Trigger(plan), args=(plan.job,), id=plan.job, next_run_time=at, replace_existing=True
        )


@BaseTrigger.register
class _Trigger:
    """APScheduler's question for the next time, answered by ours."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def get_next_fire_time(self, _previous: Any, now: datetime) -> datetime:
        """The next time after the one that is fired now."""
        return self._plan.when.next_from(now, self._plan.shift)

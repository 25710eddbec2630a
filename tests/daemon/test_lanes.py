"""Which job runs now, what follows it, and what becomes of one that fails; with real children and a real store."""

import io
import logging
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.daemon import log as logs
from agent.daemon.children import Child, Children
from agent.daemon.lanes import LOOKS, TRAIL, Lanes, lane
from agent.daemon.limits import Limits
from agent.store import Store, connect
from agent.timetable import EVENTS

LIMITS = Limits(retry=100.0, longest_retry=250.0, events_retry=1.0)


@dataclass
class Work:
    """The lanes of a leader whose configuration is wrong: every child fails, quickly."""

    lanes: Lanes
    store: Store
    ended: "queue.SimpleQueue[tuple[Child, int]]"

    def step(self) -> list[str]:
        """The jobs that begin."""
        begun: list[str] = []
        self.lanes.step(begun.append)
        return begun


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Work]:
    hook, handlers, level = threading.excepthook, list(logging.root.handlers), logging.root.level
    logs.configure("info", {}, io.StringIO())
    (tmp_path / "driftwarden.toml").write_text("[nothing]\n")
    ended: queue.SimpleQueue[tuple[Child, int]] = queue.SimpleQueue()
    children = Children(lambda child, code: ended.put((child, code)), lambda _child, _line: None)
    with connect(f"sqlite:///{tmp_path}/x.db") as store:
        yield Work(Lanes(children, store, tmp_path / "driftwarden.toml", 1, LIMITS), store, ended)
        children.wait(30)
    threading.excepthook, logging.root.handlers, logging.root.level = hook, handlers, level


def test_who_waits_for_whom() -> None:
    assert {lane(job) for job in ("scan", "stack:shop")} == {"reading"}
    assert {lane(job) for job in ("reevaluate", "remind", "file", "report", "backup", "prune")} == {"rest"}
    assert lane(TRAIL) == "trail", "weeks of LookupEvents hold up neither scans nor reminders"
    assert lane(EVENTS) == "events"


def test_scans_give_signs_of_life_by_which_they_are_known_not_to_hang(work: Work) -> None:
    assert [job for job in (*LOOKS, "stack:shop") if "--signs" not in work.lanes._command(job)[1]] == []


def test_what_fails_is_told_and_tried_again_later_each_time_and_what_is_due_meanwhile_follows_once(work: Work) -> None:
    for job in ("file", "prune", "file"):
        work.lanes.want(job)
    assert work.step() == ["file"]
    assert (work.lanes.runs("file"), work.lanes.runs("prune")) == (True, False)
    for _ in range(3):  # it falls due again and again while it runs
        work.lanes.want("file")
    assert work.step() == []
    assert work.lanes.waiting == ("prune", "file")
    child, code = work.ended.get(timeout=60)
    said = work.lanes.ended(child, code)
    assert (said.ok, code) == (False, 2)
    job = work.store.jobs.all()["file"]
    assert (job.status, job.failures) == ("failed", 1)
    assert "unknown field 'nothing'" in job.error
    assert job.ended_at is not None
    assert said.again is not None
    assert 99 < (said.again - job.ended_at).total_seconds() < 101
    assert work.step() == ["prune"]
    work.lanes.ended(*work.ended.get(timeout=60))
    assert work.step() == []  # neither before its time
    work.lanes.asked("file")  # somebody wants it now
    assert work.step() == ["file"]
    work.lanes.stopped = True
    work.lanes.ended(*work.ended.get(timeout=60))
    assert work.store.jobs.all()["file"].failures == 1  # broken off by us: the next leader begins it anew
    assert work.step() == []


def test_a_child_that_breaks_down_is_no_scan_that_found_something(work: Work) -> None:
    """Python ends with 1 after a traceback, as a scan does that found violations."""
    with subprocess.Popen(["true"]) as process:
        child = Child("scan", process, datetime.now(UTC), time.monotonic(), 60.0)
    child.said.append("ZeroDivisionError: division by zero")
    assert not work.lanes.ended(child, 1).ok
    error = work.store.jobs.all()["scan"].error
    assert error == "ZeroDivisionError: division by zero (it ended with exit code 1)"
    child.answer = b'{"schema": "driftwarden/scan/1"}'
    assert work.lanes.ended(child, 1).ok
    assert work.store.jobs.all()["scan"].status == "ok"
    assert not work.lanes.ended(child, -9).ok
    assert "it was ended by signal 9" in work.store.jobs.all()["scan"].error


def test_a_batch_that_fails_is_a_failure_of_the_event_path_until_one_does_not(work: Work) -> None:
    """Also where it failed under the daemon before."""
    for _ in range(2):
        work.lanes.told(EVENTS, "no access to the queue")
    job = work.store.jobs.all()[EVENTS]
    assert (job.status, job.error, job.failures) == ("failed", "no access to the queue", 2)
    for lanes in (work.lanes, Lanes(Children(print, print), work.store, Path("x.toml"), 2, LIMITS)):
        work.store.jobs.ended(EVENTS, datetime.now(UTC), "failed", "no access to the queue")
        lanes.told(EVENTS, "")
        job = work.store.jobs.all()[EVENTS]
        assert (job.status, job.error) == ("ok", "")
        lanes.told(EVENTS, "")
        assert work.store.jobs.all()[EVENTS] == job, "what goes on well is not written down each time"


def test_a_job_that_ends_without_having_done_its_work_failed(work: Work) -> None:
    """The trail where no source could be read; the event path whose last batch failed."""
    with subprocess.Popen(["true"]) as process:
        trail, events = (Child(job, process, datetime.now(UTC), time.monotonic(), 60.0) for job in ("trail", EVENTS))
    trail.answer = b"null"
    trail.said.append("driftwarden: s3://acme-trail: access denied")
    assert not work.lanes.ended(trail, 3).ok
    assert "access denied" in work.store.jobs.all()["trail"].error
    assert work.lanes.ended(trail, 0).ok
    events.answer = b'{"messages": 0, "error": "no access to the queue"}'
    assert not work.lanes.ended(events, 0).ok
    assert "no access to the queue" in work.store.jobs.all()[EVENTS].error


class Listening(Lanes):
    """The event path's process is one that only listens; any other fails at once."""

    def _command(self, job: str) -> tuple[str, list[str]]:
        return ("fileinput", []) if job == EVENTS else ("no_such_module", [])


def read_by_itself(work: Work, code: int) -> None:
    """The trail was read by a process of its own."""
    with subprocess.Popen(["true"]) as process:
        child = Child(TRAIL, process, datetime.now(UTC), time.monotonic(), 60.0)
    child.answer = b"null"
    work.lanes.ended(child, code)


def test_the_process_of_the_event_path_is_handed_the_trail_where_that_takes_but_a_moment(work: Work) -> None:
    """A process of its own costs seconds of processor time, every few minutes, to find nothing."""
    children = work.lanes._children
    work.lanes = Listening(children, work.store, Path("x.toml"), 1, LIMITS)
    work.lanes.want(EVENTS)
    assert work.step() == [EVENTS]

    def begun() -> list[str]:
        work.lanes.asked(TRAIL)
        assert work.step() == [TRAIL]
        return [one.job for one in children.running()]

    assert begun() == [EVENTS, TRAIL], "what was missed while nobody ran may take long"
    work.lanes.ended(*work.ended.get(timeout=60))
    assert begun() == [EVENTS, TRAIL], "it failed"
    work.lanes.ended(*work.ended.get(timeout=60))
    read_by_itself(work, 0)
    assert begun() == [EVENTS]
    assert (work.lanes.runs(TRAIL), work.store.jobs.all()[TRAIL].began_at is not None) == (True, True)
    work.lanes.want(TRAIL)
    assert work.step() == [], "it is at it"
    done = work.lanes.done(TRAIL, "", 1.0)
    assert done is not None
    assert (done.ok, work.lanes.runs(TRAIL), work.store.jobs.all()[TRAIL].status) == (True, False, "ok")
    assert work.lanes.done(TRAIL, "", 1.0) is None
    assert work.step() == [TRAIL], "it fell due meanwhile"
    failed = work.lanes.done(TRAIL, "the trail could not be read: access denied", 1.0)
    assert failed is not None
    assert failed.again is not None
    assert work.store.jobs.all()[TRAIL].error == "the trail could not be read: access denied"
    assert begun() == [EVENTS, TRAIL], "it failed"
    work.lanes.ended(*work.ended.get(timeout=60))
    read_by_itself(work, 0)
    assert begun() == [EVENTS]
    work.lanes.done(TRAIL, "", 20.0)
    assert begun() == [EVENTS, TRAIL], "it kept the event path waiting"
    work.lanes.ended(*work.ended.get(timeout=60))
    children.end(signal.SIGKILL)
    work.lanes.ended(*work.ended.get(timeout=60))


def test_a_trail_that_was_handed_over_is_read_by_another_process_if_that_one_dies(work: Work) -> None:
    children = work.lanes._children
    work.lanes = Listening(children, work.store, Path("x.toml"), 1, LIMITS)
    work.lanes.want(EVENTS)
    work.step()
    read_by_itself(work, 0)
    work.lanes.want(TRAIL)
    assert work.step() == [TRAIL]
    children.end(signal.SIGKILL)
    work.lanes.ended(*work.ended.get(timeout=60))
    assert work.lanes.waiting == (TRAIL,)
    assert work.step() == [TRAIL]
    assert [one.job for one in children.running()] == [TRAIL]
    work.lanes.ended(*work.ended.get(timeout=60))

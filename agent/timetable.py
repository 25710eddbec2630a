"""What a daemon does by a configuration: what is due when, and what it does besides.

Hides which keys name a job, that a stack may have a schedule of its own, and that a backup needs a place.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent.config import JOBS, Config
from agent.cron import When, when

STACK = "stack:"
"""Before the name of a stack: the job that scans it alone."""
EVENTS = "events"
"""The job of the event path."""
FILE = "file"
"""The job that files what waits in the outbox."""
HEARTBEAT = "heartbeat"
"""The job that tells the dead man's switch."""
_QUEUES = ("eventbridge:", "s3-notifications:")


def timetable(config: Config) -> Mapping[str, When]:
    """Job → when it is due, of a configuration that was checked, the most important first."""
    given = {job: getattr(config.schedule, job) for job in JOBS if job != "backup" or config.backup.dir}
    given |= {f"{STACK}{stack.name}": stack.schedule for stack in config.stack}
    known = {job: when(text, config.schedule.timezone) for job, text in given.items()}
    return {job: times for job, times in known.items() if times is not None}


def wanted(config: Config) -> frozenset[str]:
    """Every job that runs by itself: those of the timetable, the filing, and what the configuration asks for besides.

    How any other job ended once (of a stack that is no more, of a report that nobody wants any more) is of no interest.
    """
    besides = {EVENTS} if any(one.startswith(_QUEUES) for one in config.trail.sources) else set()
    besides |= {HEARTBEAT} if config.daemon.heartbeat else set()
    return frozenset({*timetable(config), FILE, *besides})

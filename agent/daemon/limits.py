"""How long the daemon waits for what, in seconds. Not configuration: tests are in a hurry, nobody else is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds."""

    beat: float = 5.0
    """Between two signs of life in the store."""
    silent: float = 60.0
    """Without a new sign of life by our own clock, a leader that holds its lock is taken for stopped."""
    jump: float = 30.0
    """By so much the wall clock may move against the monotonic one."""
    settle: float = 2.0
    """Without a further change files count as settled."""
    look: float = 5.0
    """Between two looks at whether watched folders are still those that were."""
    recheck: float = 60.0
    """Between two looks at files that no event told of."""
    outbox: float = 15.0
    """Between two looks at whether something is due to be filed."""
    retry: float = 60.0
    """After a first failure; twice as long after each further one."""
    longest_retry: float = 900.0
    events_retry: float = 1.0
    """As `retry`, for the event path, whose lateness people feel."""
    longest_events_retry: float = 60.0
    hung: float = 3600.0
    """Without a sign of life no child is killed before."""
    adopt: float = 300.0
    """How long looking at a new configuration may take."""
    refused: float = 300.0
    """After which one that was refused is looked at again: it may have been for want of room, or of a secret's file."""
    stagger: float = 2.0
    """Between two jobs that were both missed."""
    ending: float = 3.0
    """Between SIGTERM and SIGKILL for a child that outlasted the grace."""

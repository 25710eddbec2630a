"""Whose turn it is to write orders writers, and keeps nobody from writing."""

import fcntl
import os
from pathlib import Path

import pytest

from agent.store import turn


def test_who_stands_still_with_the_turn_is_waited_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was stopped with it, as a paused leader may be, holds it for as long as it is stopped."""
    monkeypatch.setattr(turn, "LONGEST", 0.05)
    waited = []

    class Never:
        def wait(self, seconds: float) -> None:
            waited.append(seconds)
            turn.time.sleep(seconds)

    monkeypatch.setattr(turn, "_NEVER", Never())
    mine = turn.Turn(tmp_path / "store.db")
    stopped = turn.opened(tmp_path / "store.db.turn")
    fcntl.flock(stopped, fcntl.LOCK_EX)
    with mine.taken():
        assert waited
    waited.clear()
    with mine.taken():
        assert waited == []
    fcntl.flock(stopped, fcntl.LOCK_UN)
    with mine.taken(), pytest.raises(BlockingIOError):
        fcntl.flock(stopped, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(stopped, fcntl.LOCK_EX)  # whoever has it now may be at work
    with mine.taken():
        assert waited
    os.close(stopped)

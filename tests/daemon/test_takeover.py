"""A leader that was stopped in the middle of a write: who waits says what is to be done, and leads once it is."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from daemon_process import wait_for

from agent.daemon.limits import Limits
from agent.daemon.notify import Notify, status_line
from agent.daemon.pulse import Pulse, Told
from agent.store import Store, connect, database, turn

LEADER = Path(__file__).parent.parent / "store" / "leader.py"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(database, "WAIT_MS", 20)
    monkeypatch.setattr(turn, "LONGEST", 0.02)
    with connect(f"sqlite:///{tmp_path}/store.db") as opened:
        yield opened


def test_whoever_cannot_take_over_says_what_to_end(store: Store) -> None:
    store.leadership.take("here/4711", datetime.now(UTC))
    led: list[tuple[int, str]] = []
    told = Told(lambda fence, why: led.append((fence, why)), lambda _: None, lambda _: None)
    pulse = Pulse(store, "me", Limits(beat=0.01, silent=0.05), Notify({}), lambda: 0.0, told)
    command = [sys.executable, str(LEADER), str(store.database.engine.url)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as leader:
        try:
            assert leader.stdin and leader.stdout
            for word, answer in (("lock", "True"), ("stay", "inside")):
                leader.stdin.write(f"{word}\n")
                leader.stdin.flush()
                assert leader.stdout.readline().strip() == answer
            pulse.start()
            stuck: str = wait_for(lambda: pulse.stuck, "a hint")
            assert stuck.startswith(
                "here/4711 leads, but gives no sign of life and cannot be taken over from; "
                "on here run `kill -KILL 4711`, and this daemon leads by itself: "
            )
            assert stuck in status_line("standby", pulse.waits_for, "", pulse.stuck, refused="")
            assert pulse.alive and not led
        finally:
            leader.kill()
        wait_for(lambda: led, "the lead")
    assert (led[0][0], pulse.stuck) == (2, "")
    pulse.stop()

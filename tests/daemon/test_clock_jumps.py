"""The wall clock of a running daemon is set forward and back: it is told, and what is due goes on being due."""

import signal
from pathlib import Path

import pytest
from daemon_process import daemons
from test_daemon_life import LIMITS, QUIET, nowhere

from agent.store import connect

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


@pytest.mark.sweep
@pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed (Debian: faketime)")
def test_clocks_that_are_set(tmp_path: Path) -> None:
    """30 days forward, an hour back, a week forward: one run for however many Mondays, none waits for old times."""
    (tmp_path / "elsewhere").mkdir()
    config, clock = tmp_path / "driftwarden.toml", tmp_path / "elsewhere" / "clock"
    config.write_text(QUIET.replace('prune = ""', 'prune = "0 8 * * mon"'))
    clock.write_text("+0")
    variables = {
        **nowhere("http://127.0.0.1:9"),
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    hours, jumps = [30 * 24, 30 * 24 - 1, 38 * 24], [30 * 24, -1, 8 * 24 + 1]
    with daemons(config, LIMITS, variables) as start:
        daemon = start()
        daemon.wait_told("READY", "1")
        for number, (at, runs) in enumerate(zip(hours, (1, 1, 2), strict=True), 1):
            clock.write_text(f"+{at * 3600}")
            jumped = daemon.wait_logged("clock jump", times=number)["seconds"]
            assert round(jumped / 3600) == jumps[number - 1]
            daemon.wait_logged("job ended", times=runs, job="prune")
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 0, daemon.log_file.read_text()
        assert len(daemon.logged("job begun")) == 2
    with connect(f"sqlite:///{tmp_path}/driftwarden.db") as store:
        told = [event.body["seconds"] for event in store.ledger.events() if event.kind == "clock.jump"]
    assert [round(seconds / 3600) for seconds in told] == jumps

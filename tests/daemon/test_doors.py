"""The doors of a daemon: one that somebody else has is told and tried again, and the leader writes under its fence."""

import io
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from agent.config import Config, load
from agent.daemon import log as logs
from agent.daemon.doors import Doors
from agent.daemon.metrics_totals import KEPT
from agent.store import Store, connect
from agent.vitals import Vitals


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "driftwarden.toml").write_text('[daemon]\nsocket = ""\nlisten = "127.0.0.1:0"\n')
    return load(tmp_path / "driftwarden.toml")


@pytest.fixture
def store(config: Config) -> Iterator[Store]:
    hook = threading.excepthook
    logs.configure("warning", {}, io.StringIO())
    with connect(config.store_url()) as opened:
        yield opened
    threading.excepthook = hook


@pytest.mark.parametrize("renewed", [False, True], ids=["as-begun", "after-a-reload"])
def test_what_is_counted_is_written_down_by_who_leads_alone(config: Config, store: Store, renewed: bool) -> None:
    """Not by a leader that was stopped, and does not know yet that another leads."""
    now = datetime.now(UTC)
    vitals = Vitals(now, "standby", 0, ticked=0.0, stored=0.0)
    fence = store.leadership.take("one", now)
    doors = Doors(Path("driftwarden.toml"), config, store, lambda: vitals, lambda *_: {})
    with connect(config.store_url(), fence=fence) as fenced:
        doors.lead(fenced)
        if renewed:
            daemon = msgspec.structs.replace(config.daemon, listen="[::1]:0")
            doors.use(msgspec.structs.replace(config, daemon=daemon))
        vitals = replace(vitals, role="leader", fence=fence)
        store.ledger.append("clock.jump", {}, now)  # something to count
        store.leadership.take("two", now)
        doors._health._look()
        assert (doors._health._seen.error, store.settings.last(KEPT)) == ("", None)
        again = store.leadership.take("one", now)
    with connect(config.store_url(), fence=again) as fenced:
        doors.lead(fenced)
        doors._health._look()
        assert store.settings.last(KEPT) is not None
        doors.close()


def test_a_store_that_takes_nothing_is_read_all_the_same(config: Config, store: Store) -> None:
    """A full disk is no reason to call old what was read just now: `/readyz` would tell of that alone."""
    now = datetime.now(UTC)
    with store.database.engine.begin() as connection:
        text = "CREATE TRIGGER full BEFORE INSERT ON settings BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        connection.exec_driver_sql(text)
    fence = store.leadership.take("one", now)
    vitals = Vitals(now, "leader", fence, ticked=0.0, stored=1000.0)
    doors = Doors(Path("driftwarden.toml"), config, store, lambda: vitals, lambda *_: {})
    with connect(config.store_url(), fence=fence) as fenced:
        doors.lead(fenced)
        doors._health._look()
        checks = {one.name: one for one in doors._health.checks()}
        doors.close()
    assert (checks["store"].ok, checks["store"].why) == (False, "it took no write for 1000 s")


def test_a_port_that_is_taken_is_told_until_it_is_had(config: Config, store: Store) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        daemon = msgspec.structs.replace(config.daemon, listen=f"127.0.0.1:{port}")
        doors = Doors(
            Path("driftwarden.toml"),
            msgspec.structs.replace(config, daemon=daemon),
            store,
            lambda: Vitals(datetime.now(UTC), "standby", 0, ticked=0.0, stored=0.0),
            lambda *_: {},
        )
        doors.step()
        assert doors.error == f"[daemon] listen: 127.0.0.1 port {port}: Address already in use; it is tried again"
    doors._health._listen()  # as it does after each look
    doors.step()
    assert doors.error == ""
    doors.close()

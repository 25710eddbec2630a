"""The daemon as a process: starts, scans, takes a new configuration or keeps the old, ends; and who leads."""

import json
import signal
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from daemon_process import Daemon, daemons, exists, silence, wait_for

from agent.config import ConfigError
from agent.daemon.serve import serve
from agent.store import connect

LIMITS = "beat=0.2, silent=1.5, settle=0.2, look=0.5, outbox=0.5, retry=600.0, stagger=0.1, ending=1.0"
CANARY = "canary-5f3a9c"

QUIET = """\
[schedule]
scan = ""
trail = ""
reevaluate = ""
remind = ""
report = ""
prune = ""

[daemon]
socket = ""
listen = ""
grace = "1s"
"""


SCANNING = QUIET.replace('scan = ""', 'scan = "6h"', 1) + '[trail]\nsource = "trail"\n'


def nowhere(url: str) -> dict[str, str]:
    """Variables that send AWS clients to a place where nothing is."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "AKIAQUIET",
        "AWS_SECRET_ACCESS_KEY": f"{CANARY}-env",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }


@pytest.fixture
def config(tmp_path: Path) -> Path:
    for name in ("shop", "trail", "exceptions"):
        (tmp_path / name).mkdir()
    (tmp_path / "driftwarden.toml").write_text(QUIET)
    return tmp_path / "driftwarden.toml"


@pytest.fixture
def silent() -> Iterator[str]:
    with silence() as url:
        yield url


def ended(daemon: Daemon) -> None:
    """SIGTERM ends it in order."""
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0
    assert int(daemon.wait_told("STOPPING", "1")["EXTEND_TIMEOUT_USEC"]) > 0
    assert daemon.log[-1]["event"] == "ended"


def readies(daemon: Daemon) -> int:
    """How often it told systemd that it is ready: at first, and after each look at its configuration."""
    return sum("READY" in one for one in daemon.told)


def looks(daemon: Daemon) -> int:
    return len(daemon.logged("reloaded")) + len(daemon.logged("not reloaded"))


def test_a_life(config: Path) -> None:
    """Starts, scans at once, reloads what is right, keeps the old where it is wrong, and ends; no secret is logged."""
    folder = config.parent
    (folder / "secret").write_text(f"{CANARY}-file")
    (folder / "shop" / "main.tf").write_text(f'resource "aws_sqs_queue" "q" {{ name = "{CANARY}-code" }}\n')
    given = (
        QUIET.replace('scan = ""', 'scan = "6h"', 1).replace('remind = ""', 'remind = "5d"')
        + 'log = "debug"\n[[stack]]\nname = "shop"\ndir = "shop"\n[trail]\nsource = "trail"\n'
        + '[smtp]\nhost = "127.0.0.1"\npassword = "${file:secret}"\n'
    )
    variables = nowhere("http://127.0.0.1:9")
    with socket.create_server(("127.0.0.1", 0)) as taken, daemons(config, LIMITS, variables) as start:
        given = given.replace('listen = ""', f'listen = "127.0.0.1:{taken.getsockname()[1]}"')
        config.write_text(given)
        daemon = start()
        # Somebody has its port: systemd would end it, scans and all, if it were not ready for that.
        assert "Address already in use; it is tried again" in daemon.wait_told("READY", "1")["STATUS"]
        scan = daemon.wait_logged("job ended", job="scan")
        assert scan["code"] == 1  # what could not be read of the trail breaks a rule
        with connect(f"sqlite:///{folder}/driftwarden.db") as store:
            (kept,) = store.scans.last(kind="whole")
            assert (kept.status, store.jobs.all()["scan"].status) == ("violations", "ok")
            assert store.jobs.all()["remind"].due_at is not None
        assert daemon.wait_told("WATCHDOG", "1")

        config.write_text(given.replace('scan = "6h"', 'scan = "never"'))
        said = daemon.wait_logged("not reloaded")["said"]
        assert said.startswith(f"{config}:2: schedule.scan: 'never' is no schedule; write ")
        assert daemon.wait_told("STATUS", "the newest configuration is not in use")
        assert int(daemon.wait_told("RELOADING", "1")["MONOTONIC_USEC"]) > 0

        config.write_text(given.replace('scan = "6h"', 'scan = "12h"'))
        daemon.wait_logged("reloaded", changed=True)
        daemon.wait_logged("job begun", times=2, job="scan")
        (folder / "exceptions" / "wrong.yaml").write_text("- id: [\n")
        assert f"{folder}/exceptions/wrong.yaml:1" in daemon.wait_logged("not reloaded", times=2)["said"]
        daemon.signal(signal.SIGHUP)
        daemon.wait_logged("not reloaded", times=3)
        (folder / "exceptions" / "wrong.yaml").unlink()
        daemon.wait_logged("reloaded", times=2)
        wait_for(lambda: readies(daemon) == 1 + looks(daemon), "READY once for each look")
        assert "not in use" not in [one["STATUS"] for one in daemon.told if "STATUS" in one][-1]
        ended(daemon)
        assert list((folder / "run").iterdir()) == []  # the copies of configuration and rules
        text = daemon.log_file.read_text()
        assert [line for line in text.splitlines() if not line.startswith("{")] == []
        assert CANARY not in text
        assert CANARY not in json.dumps(daemon.told)


# A leader that is stopped while SQLite writes keeps the others out: the sweep, which has time, tries it again.
@pytest.mark.sweep
def test_who_leads(config: Path, silent: str) -> None:
    """One works, the other waits; a leader that is stopped is fenced out, and its children go."""
    config.write_text(SCANNING)
    with daemons(config, LIMITS, nowhere(silent)) as start:
        first = start()
        assert first.wait_logged("leads")["fence"] == 1
        hung = first.wait_logged("job begun", job="scan")["pid"]
        second = start()
        assert f"/{first.process.pid}" in second.wait_told("STATUS", "standby")["STATUS"]
        assert second.wait_told("READY", "1")

        first.signal(signal.SIGSTOP)  # it keeps the lock, and gives no sign of life
        with suppress(AssertionError):  # stopped while it wrote, it keeps SQLite's lock too, and nobody can take over
            wait_for(lambda: second.logged("leads"), "leads", 15)
        first.signal(signal.SIGCONT)
        led = second.wait_logged("leads")
        assert (led["fence"], "gave no sign of life" in led["why"]) == (2, True)
        begun = second.wait_logged("job begun", job="scan")["pid"]  # the first one's broke off, as far as is known
        assert first.wait() == 1
        assert f"/{second.process.pid}" in first.logged("fenced out")[0]["leader"]
        wait_for(lambda: not exists(hung), "the end of the first one's child")
        assert exists(begun)


@pytest.mark.sweep
def test_a_leader_that_is_killed(config: Path, silent: str) -> None:
    """It takes its children along; what broke off is begun anew by the next, and broken off again at its end."""
    config.write_text(SCANNING)
    with daemons(config, LIMITS, nowhere(silent)) as start:
        first = start()
        begun = first.wait_logged("job begun", job="scan")["pid"]
        second = start()
        second.wait_told("STATUS", "standby")
        assert exists(begun)
        first.signal(signal.SIGKILL)
        assert second.wait_logged("leads")["fence"] == 2
        wait_for(lambda: not exists(begun), "the end of the first one's child")
        second.wait_logged("job begun", job="scan")
        second.signal(signal.SIGTERM)
        assert second.wait() == 0  # its scan hangs: it is ended after the grace
        assert second.logged("job broken off", job="scan")
        assert len(second.logged("job begun", job="scan")) == 1
    with connect(f"sqlite:///{config.parent}/driftwarden.db") as store:
        job = store.jobs.all()["scan"]
        assert (job.runs, job.ended_at) == (0, None)  # the next daemon begins it at once


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[schedule]\nscan = '7x'\n", ":2: schedule.scan: '7x' is no schedule"),
        ("[daemon]\nlisten = '0.0.0.0:1'\n", "loopback"),
    ],
    ids=["schedule", "listen"],
)
def test_a_first_configuration_that_is_wrong(config: Path, text: str, said: str) -> None:
    config.write_text(text)
    with pytest.raises(ConfigError) as error:
        serve(config)
    assert said in str(error.value)

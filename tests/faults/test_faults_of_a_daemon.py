"""A running daemon meets what may happen in years: it says what is wrong, loses nothing, and goes on by itself."""

import json
import os
import shutil
import signal
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
import small_estate
from daemon_process import Daemon
from injected import MEBIBYTE, Door, asked, failing, small_disk
from invariants import Truth, faults
from living import LIMITS, PATIENCE, Living, living, said, soon, stopped
from outcomes import TABLE

from agent.demo.recorder import Recorder
from agent.store import connect

POISON = (
    "no JSON",
    "\x7fELF\ufffd binary",
    json.dumps({"detail": "x" * 200_000}),
    "[" * 5_000,
    json.dumps({"detail": {"eventID": 7, "eventTime": [], "userIdentity": None}, "source": "aws.sqs"}),
    json.dumps({"Message": {"Message": {"Message": 1}}}),
)


DISKS = {
    "disk full": ("pwrite64", "ENOSPC", "database or disk is full: nothing was written; make room"),
    "EIO on fsync": ("fdatasync,fsync", "EIO", "disk I/O error: nothing was written; the disk is full, read-only or"),
}


def disk_fails(live: Living, daemon: Daemon, name: str, number: int) -> None:
    """It is told by whoever writes, and what was done meanwhile becomes ticket `number` by itself."""
    calls, error, advice = DISKS[name]
    told = len(daemon.logged("events"))
    with failing(daemon.process.pid, calls, error):
        live.change(f"user{number}")
        said(daemon, "store does not answer", advice)
        soon(lambda: any(advice in one.get("error", "") for one in daemon.logged("events")[told:]), advice)
        assert len(live.events.estate.tickets) == number - 1
    said(daemon, "store answers again", times=number - 1)
    live.filed(number)
    TABLE.note(name, "a running daemon", True)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_one_after_the_other(cloud: tuple[Recorder, dict[str, str]], tmp_path: Path) -> None:
    """A daemon's disk is full, then does not sync; its queue is poisoned; it is stopped, and another takes over."""
    with living(tmp_path, cloud, name="one-after-the-other") as live:
        first = live.start()
        said(first, "job begun", job="events")
        live.change("amy")
        live.filed(1)
        for number, name in enumerate(DISKS, 2):
            disk_fails(live, first, name, number)

        live.events.send(POISON)
        live.change("zoe")
        live.filed(4)
        TABLE.note("poisoned queue", "a running daemon", True)

        second = live.start()
        said(second, "standby")
        stopped(first, tmp_path)
        live.change("bob")
        assert said(second, "leads")["fence"] == 2
        live.filed(5)
        first.signal(signal.SIGCONT)
        assert first.process.wait(PATIENCE) == 1
        assert f"/{second.process.pid}" in first.logged("fenced out")[0]["leader"]
        TABLE.note("two daemons, the leader stopped", "a running daemon", True)
        second.signal(signal.SIGTERM)
        assert second.process.wait(PATIENCE) == 0
        with connect(f"sqlite:///{tmp_path}/driftwarden.db") as store:
            gaps = [gap.why for gap in store.journal.gaps(datetime.min.replace(tzinfo=UTC))]
            assert len(gaps) == len(POISON), gaps
        assert live.wrong(blind=True) == []


# --- the sweep -------------------------------------------------------------------------------------------------

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
SLEEPS = "import threading, time\ntime.sleep = lambda seconds: threading.Event().wait(seconds) and None\n"
READ_ONLY = "pwrite64,ftruncate,unlink,link,rename,mkdir"
KEPT_FAKED = f"{LIMITS}, **(os.environ.update(LD_PRELOAD=os.environ['FAKED']) or {{}})"
"""Limits that leave the clock of child processes faked as well."""


@pytest.mark.sweep
@pytest.mark.timeout(900)
def test_a_disk_that_is_really_full(cloud: tuple[Recorder, dict[str, str]], tmp_path: Path) -> None:
    """It is told to people and monitors, and goes on by itself once there is room."""
    with small_disk(tmp_path, 6 * MEBIBYTE) as fill, living(tmp_path, cloud, name="full") as live:
        daemon = live.start()
        said(daemon, "job begun", job="events")
        live.change("amy")
        live.filed(1)
        ballast = fill()
        live.change("bob")
        said(daemon, "store does not answer", "make room where the store is")
        soon(lambda: "FAILED store: it took no write for" in asked(live.port, "/readyz")[1], "/readyz")
        status, told = asked(live.port, "/readyz")
        assert status == 503, told
        assert asked(live.port, "/healthz")[0] == 200
        ballast.unlink()
        said(daemon, "store answers again")
        live.filed(2)
        soon(lambda: "FAILED store" not in asked(live.port, "/readyz")[1], "/readyz")
        daemon.signal(signal.SIGTERM)
        assert daemon.process.wait(PATIENCE) == 0
        assert live.wrong() == []
    TABLE.note("disk really full (tmpfs)", "a running daemon", True)


@pytest.mark.sweep
@pytest.mark.timeout(900)
def test_a_file_system_that_is_read_only(cloud: tuple[Recorder, dict[str, str]], tmp_path: Path) -> None:
    with living(tmp_path, cloud, name="read-only") as live:
        daemon = live.start()
        said(daemon, "job begun", job="events")
        live.change("amy")
        live.filed(1)
        with failing(daemon.process.pid, READ_ONLY, "EROFS"):
            live.change("bob")
            said(daemon, "store does not answer", "read-only")
            soon(lambda: "FAILED store: it took no write for" in asked(live.port, "/readyz")[1], "/readyz")
        said(daemon, "store answers again")
        live.filed(2)
        daemon.signal(signal.SIGTERM)
        assert daemon.process.wait(PATIENCE) == 0
        assert live.wrong() == []
    TABLE.note("read-only file system (EROFS)", "a running daemon", True)


@pytest.mark.sweep
@pytest.mark.timeout(900)
@pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed (Debian: faketime)")
def test_clocks_that_jump(cloud: tuple[Recorder, dict[str, str]], tmp_path: Path) -> None:
    """The clock of the daemon and all it starts goes wrong and comes back: nothing is opened or closed by it."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "estate").mkdir()
    clock = tmp_path / "elsewhere" / "clock"
    clock.write_text("+0")
    # Under libfaketime time.sleep fails with EINVAL, in botocore's and in ours.
    (tmp_path / "elsewhere" / "sitecustomize.py").write_text(SLEEPS)
    faked = {
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "elsewhere"), os.environ.get("PYTHONPATH", "")]),
        "LD_PRELOAD": str(LIBRARY),
        "FAKED": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    jumps = (1, 0, -1, 0, 720, 0)  # hours by which it is wrong, one after the other
    with living(tmp_path / "estate", cloud, name="clock", scan="4h", limits=KEPT_FAKED, more=faked) as live:
        daemon = live.start()
        said(daemon, "job ended", job="scan")
        live.change("amy")
        live.filed(1)
        for number, hours in enumerate(jumps, 1):
            begun = len(daemon.logged("job begun", job="scan"))
            clock.write_text(f"{hours * 3600:+d}")
            said(daemon, "clock jump", times=number)
            live.change(f"user{number}")
            if hours == 720:
                # Four hours' schedule has fallen due, once.
                said(daemon, "job ended", times=begun + 1, job="scan")
            soon(lambda: live.events.left() == 0, "an empty queue")
            if not hours:
                live.filed(number)
        live.filed(1 + len(jumps))
        daemon.signal(signal.SIGTERM)
        assert daemon.process.wait(PATIENCE) == 0
        assert len(daemon.logged("job begun", job="scan")) <= 3
        with connect(f"sqlite:///{tmp_path}/estate/driftwarden.db") as store:
            events = [event for event in store.ledger.events(limit=10_000) if event.kind == "clock.jump"]
            assert [round(event.body["seconds"] / 3600) for event in events] == [1, -1, -1, 1, 720, -720]
        assert live.wrong(blind=True) == []
    TABLE.note("clock +1 h, -1 h, +30 d, and back", "a running daemon", True)


@pytest.mark.sweep
@pytest.mark.timeout(900)
@pytest.mark.parametrize("how", ["cut off in the middle", "no such host"])
def test_a_cloud_that_is_away(cloud: tuple[Recorder, dict[str, str]], tmp_path: Path, how: str) -> None:
    """What could not be read is a gap, nothing in it is closed, and the next scan is whole again."""
    estate = small_estate.estate(tmp_path, *cloud)
    before = len(estate.recorder.records)
    estate.client("zoe", "iam").tag_role(RoleName="worker", Tags=[{"Key": "zoe", "Value": how}])
    calls = {one["eventID"]: "zoe" for one in estate.recorder.records[before:]}
    estate.write_trail()
    code, first, _ = estate.scan_process()
    assert (code, len(first["cases"])) == (1, 1)
    door = Door(estate.recorder.endpoint)
    away = {"AWS_ENDPOINT_URL": door.endpoint, "AWS_MAX_ATTEMPTS": "1"}
    if how == "no such host":
        code, found, _ = estate.scan_process(**away | {"AWS_ENDPOINT_URL": "http://moto.invalid:5000"})
    else:
        threading.Thread(target=door.shut_after, args=(8,), daemon=True).start()
        code, found, _ = estate.scan_process(**away)
    assert (code, bool(found["coverage"]["gaps"])) == (1, True)
    assert [case["key"] for case in found["cases"]] == [case["key"] for case in first["cases"]]
    assert faults(tmp_path, Truth(calls, blind=True)) == []
    door.reopen()
    code, last, _ = estate.scan_process(**away)
    door.close()
    assert (code, last["coverage"]["gaps"]) == (1, [])
    assert [one["id"] for one in last["findings"]] == [one["id"] for one in first["findings"]]
    assert faults(tmp_path, Truth(calls)) == []
    TABLE.note(f"cloud away: {how}", "a scan", True)


@pytest.mark.sweep
@pytest.mark.timeout(900)
def test_a_queue_that_is_away(cloud: tuple[Recorder, dict[str, str]], tmp_path: Path) -> None:
    """The cloud goes away under a running daemon, and comes back: what was done meanwhile has its ticket."""
    door = Door(cloud[0].endpoint)
    more = {"AWS_ENDPOINT_URL": door.endpoint}
    with living(tmp_path, cloud, name="away", more=more, through=door.endpoint) as live:
        daemon = live.start()
        live.change("amy")
        live.filed(1)
        door.shut()
        live.change("bob")
        soon(lambda: any(one.get("error") for one in daemon.logged("events")), "an error of the event path")
        door.reopen()
        live.filed(2)
        daemon.signal(signal.SIGTERM)
        assert daemon.process.wait(PATIENCE) == 0
        assert live.wrong(blind=True) == []
    door.close()
    TABLE.note("cloud away and back", "a running daemon", True)

"""A daemon, its children and the command line write to one SQLite file; and the disk is full, and has room again."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from story import NOW, case, finding, reading, seen, ticket

from agent.model import Open
from agent.store import ScanCommit, StoreError, connect
from agent.tables import Config
from agent.upkeep import backup, verify

WRITER = """
import sys
from story import *
from agent.model import Open
from agent.store import connect
url, name = sys.argv[1:]
with connect(url) as store:
    for number in range(4):
        run = f"{name}-{number}"
        with store.exclusive("line"):
            assert scan(store, run, seen=seen(*(finding(f"{run}-{n}") for n in range(8)), inputs=ticket(run)),
                        accepted=tuple(reading(f"{run}-{n}") for n in range(8)), actions=(Open(case(run)),))
        for n in range(5):
            store.jobs.began(name, NOW)
            store.jobs.ended(name, NOW, "ok")
        entry = store.outbox.claim(name, NOW, HOUR)
        assert entry and store.outbox.sent(entry, f"CHG-{run}", NOW)
"""


def test_four_processes_write_at_once(sqlite_url: str) -> None:
    """None is refused, and nothing is lost or written twice."""
    connect(sqlite_url).close()
    there = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    names = ["daemon", "events", "scan", "people"]
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, sqlite_url, name], env=there, stderr=subprocess.PIPE, text=True)
        for name in names
    ]
    said = [one.communicate(timeout=240)[1] for one in writers]
    assert said == [""] * 4
    assert [one.returncode for one in writers] == [0] * 4
    with connect(sqlite_url) as store:
        assert [one.runs for one in store.jobs.all().values()] == [20] * 4
        assert len(store.findings.open()) == 4 * 4 * 8
        assert (len(store.cases.open()), store.outbox.unsent()) == (16, ())
        assert verify(store).faults == ()


# --- a disk that is full -------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("not allowed to mount a file system here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Takes what room there is."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return ballast


def ending(run: str) -> ScanCommit:
    """A scan's end that needs some hundred pages."""
    return ScanCommit(
        run,
        NOW,
        "violations",
        b"{}",
        seen=seen(*(finding(f"{run}-{n}") for n in range(60)), inputs=ticket(run)),
        accepted=tuple(reading(f"{run}-{n}") for n in range(60)),
        actions=(Open(case(run)),),
    )


def test_a_full_disk_loses_nothing_and_the_same_process_goes_on(small_disk: Path) -> None:
    config = Config(base=str(small_disk))
    with connect(f"sqlite:///{small_disk}/store.db") as store:
        for run in ("r1", "r2"):
            store.scans.begin(run, NOW, "", "")
        assert store.scans.commit(ending("r1"))
        head = store.ledger.head()
        ballast = fill(small_disk)
        for _ in range(2):
            with pytest.raises(
                StoreError, match=r"store\.db: database or disk is full: nothing was written; make room"
            ):
                store.scans.commit(ending("r2"))
        assert store.ledger.head() == head, "it can be read meanwhile"
        with pytest.raises(StoreError, match=r"No space left on device|disk is full"):
            backup(config, store, folder=small_disk / "backups", keys=False)
        assert not list(small_disk.glob("backups/*"))
        ballast.unlink()
        assert store.scans.commit(ending("r2"))
        assert verify(store).faults == ()
    with connect(f"sqlite:///{small_disk}/store.db") as store:
        assert verify(store, head=head).faults == ()


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    """EFBIG, as a quota or a limit of the service gives it, comes from SQLite as an I/O error."""
    code = """
import resource, sys
from story import NOW
from test_under_load import ending
from agent.store import StoreError, connect
from agent.upkeep import verify
with connect(sys.argv[1]) as store:
    for run in ("r1", "r2"):
        store.scans.begin(run, NOW, "", "")
    store.scans.commit(ending("r1"))
    soft = store.database.file.stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, resource.RLIM_INFINITY))
    try:
        store.scans.commit(ending("r2"))
    except StoreError as error:
        print(error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert store.scans.commit(ending("r2"))
    print(verify(store).faults)
"""
    there = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    command = [sys.executable, "-c", code, f"sqlite:///{tmp_path}/store.db"]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": there}, capture_output=True, text=True, check=True)
    error, faults = done.stdout.splitlines()
    assert "nothing was written; " in error
    assert faults == "()"

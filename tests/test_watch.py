"""Scanning again and again: at the start, on schedule, and once for each burst of changes that matters."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.config import ConfigError
from agent.watch import keep_scanning, watched

CONFIG = """\
[[stack]]
name = "shop"
dir = "shop"

[[stack]]
name = "gone"
dir = "gone"

[rules]
dirs = ["rules"]

[tickets.register]
path = "tickets"
"""
QUIET = 0.3
"""Seconds in which nothing changes: the files have settled."""


@dataclass
class Watching:
    """Somebody keeps scanning a folder, in a thread of their own."""

    folder: Path
    scans: int = 0
    during: Callable[[], None] = lambda: None
    """What happens while a scan runs."""
    stop: threading.Event = field(default_factory=threading.Event)
    told: list[int] = field(default_factory=list)

    def scan(self) -> int:
        self.scans += 1
        self.during()
        return 0

    def run(self, every: str = "1h") -> None:
        self.told.append(keep_scanning(self.folder / "driftwarden.toml", every, self.scan, self.stop, settle=QUIET))

    def wait_for(self, scans: int) -> int:
        """The scans there have been, once there are so many or the time is over."""
        deadline = time.monotonic() + 20
        while self.scans < scans and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.scans

    def settled(self) -> int:
        """The scans there have been, once no more can come of what has changed."""
        time.sleep(3 * QUIET)
        return self.scans


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("shop/modules", "rules", "tickets/cases", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "driftwarden.toml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def watching(folder: Path) -> Iterator[Watching]:
    made = Watching(folder)
    thread = threading.Thread(target=made.run)
    thread.start()
    assert made.wait_for(1) == 1
    yield made
    made.stop.set()
    thread.join(timeout=20)
    assert not thread.is_alive()
    assert made.told == [made.scans]


def test_the_folders_of_stacks_rules_and_tickets_are_watched(folder: Path) -> None:
    assert watched(folder / "driftwarden.toml") == (folder / "shop", folder / "rules", folder / "tickets")
    (folder / "driftwarden.toml").write_text('[[stack]]\nname = "here"\ndir = "."\n')
    assert watched(folder / "driftwarden.toml") == (folder,)


def test_the_folders_of_local_modules_are_watched_too(folder: Path) -> None:
    (folder / "shared" / "inner").mkdir(parents=True)
    (folder / "shared" / "a.tf").write_text('module "inner" { source = "./inner" }\n')
    (folder / "shop" / "main.tf").write_text(
        'module "shared" { source = "../shared" }\nmodule "far" { source = "x" }\n'
    )
    found = watched(folder / "driftwarden.toml")
    assert {folder / "shared", folder / "shared" / "inner"} <= set(found)


def test_a_burst_of_changes_is_one_scan(watching: Watching) -> None:
    for n in range(5):
        (watching.folder / "shop" / "main.tf").write_text(f"# {n}\n")
        (watching.folder / "shop" / f"{n}.tf").write_text("")
        time.sleep(QUIET / 10)
    assert (watching.wait_for(2), watching.settled()) == (2, 2)


def test_what_a_scan_reads_makes_one_due(watching: Watching) -> None:
    names = ("shop/modules/x.tf", "shop/terraform.tfstate", "shop/x.tfvars", "rules/x.yaml", "tickets/CHG-1.yaml")
    for number, name in enumerate(names, 2):
        (watching.folder / name).write_text("x")
        assert (name, watching.wait_for(number)) == (name, number)
    assert watching.settled() == 1 + len(names)


def test_a_file_that_is_moved_or_deleted_makes_one_due(watching: Watching) -> None:
    (watching.folder / "shop" / "draft").write_text("")
    (watching.folder / "shop" / "draft").rename(watching.folder / "shop" / "main.tf")
    assert watching.wait_for(2) == 2
    (watching.folder / "shop" / "main.tf").unlink()
    assert watching.wait_for(3) == 3


def test_what_a_scan_writes_or_does_not_read_makes_none_due(watching: Watching) -> None:
    for name in ("tickets/cases/DW-1.yaml", "tickets/cases/.DW-1.yaml.draft", "shop/notes.txt", "elsewhere/x.tf"):
        (watching.folder / name).write_text("x")
    (watching.folder / "shop" / "folder.tf").mkdir()
    (watching.folder / "shop" / "notes.txt").read_text()
    assert watching.settled() == 1


def test_reading_makes_none_due(watching: Watching) -> None:
    (watching.folder / "shop" / "main.tf").write_text("x")
    assert (watching.wait_for(2), watching.settled()) == (2, 2)
    for _ in range(3):
        (watching.folder / "shop" / "main.tf").read_text()
    assert watching.settled() == 2


def test_what_changes_during_a_scan_is_scanned_right_after(watching: Watching) -> None:
    main = watching.folder / "shop" / "main.tf"

    def during() -> None:
        if watching.scans == 2:
            main.write_text("changed while it was read")
            time.sleep(2 * QUIET)

    watching.during = during
    main.write_text("changed")
    assert (watching.wait_for(3), watching.settled()) == (3, 3)


def test_the_schedule(folder: Path) -> None:
    watching = Watching(folder)
    thread = threading.Thread(target=watching.run, args=("1s",))
    thread.start()
    began = time.monotonic()
    assert watching.wait_for(3) >= 3
    assert time.monotonic() - began >= 1.9
    watching.stop.set()
    thread.join(timeout=20)
    assert not thread.is_alive()


def test_stopping_ends_the_wait_for_quiet(folder: Path) -> None:
    watching = Watching(folder)
    thread = threading.Thread(
        target=lambda: keep_scanning(folder / "driftwarden.toml", "1h", watching.scan, watching.stop, settle=600)
    )
    thread.start()
    assert watching.wait_for(1) == 1
    (folder / "shop" / "main.tf").write_text("x")
    time.sleep(QUIET)
    watching.stop.set()
    thread.join(timeout=20)
    assert (thread.is_alive(), watching.scans) == (False, 1)


def test_files_that_never_settle_are_scanned_all_the_same(folder: Path) -> None:
    watching = Watching(folder)
    main, stop = folder / "shop" / "main.tf", watching.stop
    told: list[int] = []

    def scan() -> int:
        told.append(watching.scan())
        return 0

    thread = threading.Thread(
        target=lambda: keep_scanning(folder / "driftwarden.toml", "1h", scan, stop, settle=600, longest=QUIET)
    )
    thread.start()
    deadline = time.monotonic() + 20
    while len(told) < 3 and time.monotonic() < deadline:
        main.write_text(f"# {time.monotonic()}\n")
        time.sleep(0.01)
    stop.set()
    thread.join(timeout=20)
    assert len(told) >= 3


LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
SET_BACK = """
import sys, threading, time
from pathlib import Path
from agent.watch import keep_scanning

folder, clock, stop, scans = Path(sys.argv[1]), Path(sys.argv[2]), threading.Event(), []

def scan():
    scans.append(time.time())
    if len(scans) == 1:
        (folder / "shop" / "main.tf").write_text("changed")
        clock.write_text("-3600")
        while time.time() > scans[0] - 1800:
            threading.Event().wait(0.05)
        # From here on the clock stands before the change and before every time that was worked out from it.
    elif len(scans) == 4:
        stop.set()

threading.Timer(60, stop.set).start()
keep_scanning(folder / "driftwarden.toml", "1s", scan, stop, settle=0.3, longest=600)
print(len(scans))
import os; sys.stdout.flush(); os._exit(0)
"""


@pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed (Debian: faketime)")
def test_a_clock_that_is_set_back_stops_neither_schedule_nor_changes(folder: Path) -> None:
    clock = folder / "elsewhere" / "clock"
    clock.write_text("+0")
    variables = {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", SET_BACK, str(folder), str(clock)],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "4\n"


def test_the_user_may_interrupt(folder: Path) -> None:
    before = threading.active_count()

    def scan() -> int:
        raise KeyboardInterrupt

    assert keep_scanning(folder / "driftwarden.toml", "1h", scan) == 0
    assert threading.active_count() == before


@pytest.mark.parametrize("every", ["soon", "", "0m", "1.5h"])
def test_a_time_that_is_none(every: str, folder: Path) -> None:
    with pytest.raises(ValueError, match="write for example 15m"):
        keep_scanning(folder / "driftwarden.toml", every, lambda: 0)


def test_a_configuration_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        keep_scanning(tmp_path / "driftwarden.toml", "1h", lambda: 0)

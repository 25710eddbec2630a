"""Files that change: saved, replaced, turned by a link, gone with their folder and made anew, too many to watch."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_process import wait_for

from agent.config import Config
from agent.daemon import files as watching
from agent.daemon.files import Files
from agent.daemon.given import Given
from agent.daemon.limits import Limits

SOON = Limits(settle=0.1, look=0.1, recheck=3600.0)
"""Only what the kernel tells of is looked at, and whether folders are the same."""


class Watching:
    """A folder of files that are watched."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("rules", "exceptions", "shop/modules", "tickets/cases", "reports"):
            (folder / name).mkdir(parents=True)
        self.write("driftwarden.toml", "rules/a.yaml", "shop/main.tf", "tickets/CHG-1.yaml", "freezes.ics")
        self.files = Files(SOON)
        self.given = Given(
            Config(),
            policy=tuple(
                folder / name for name in ("driftwarden.toml", "rules", "exceptions", "freezes.ics", "k.revoked")
            ),
            code=(folder / "shop",),
            tickets=(folder / "tickets",),
            ours=(folder / "shop" / "reports",),
        )
        self.files.watch(self.given)
        self.settled()

    def write(self, *names: str, text: str = "x") -> None:
        for name in names:
            (self.folder / name).write_text(text)

    def next(self) -> set[str]:
        """What changed, once something has."""
        found: tuple[str, ...] = wait_for(self.files.changed, "a change", 30)
        return {*found, *self.settled()}

    def settled(self) -> set[str]:
        """What changed until nothing more can come of what was done."""
        found: set[str] = set()
        quiet = time.monotonic() + 5 * SOON.settle
        while time.monotonic() < quiet:
            if now := self.files.changed():
                found.update(now)
                quiet = time.monotonic() + 5 * SOON.settle
            time.sleep(0.01)
        return found


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watching]:
    made = Watching(tmp_path)
    yield made
    made.files.stop()


def test_saves(watched: Watching) -> None:
    for name, kind in (
        ("driftwarden.toml", "policy"),
        ("rules/a.yaml", "policy"),
        ("exceptions/new.yml", "policy"),
        ("freezes.ics", "policy"),
        ("k.revoked", "policy"),
        ("shop/modules/x.tf", "code"),
        ("shop/terraform.tfstate", "code"),
        ("tickets/CHG-2.yaml", "tickets"),
    ):
        watched.write(name, text="changed")
        assert watched.next() == {kind}, name
    (watched.folder / "rules" / "a.yaml").unlink()
    assert watched.next() == {"policy"}
    # An editor writes beside it and puts it in its place.
    watched.write(".driftwarden.toml.swp", text="again")
    (watched.folder / ".driftwarden.toml.swp").rename(watched.folder / "driftwarden.toml")
    assert watched.next() == {"policy"}


def test_what_changes_nothing(watched: Watching) -> None:
    watched.write("driftwarden.toml", "rules/a.yaml")  # saved as it was
    watched.write("notes.md", "shop/notes.txt", "tickets/cases/DW-1.yaml", "driftwarden.db")
    (watched.folder / "shop" / "reports").mkdir()
    watched.write("shop/reports/latest.json")
    (watched.folder / "shop" / "main.tf").read_text()
    assert watched.settled() == set()


def test_folders_that_go_and_come_again(watched: Watching) -> None:
    for name, kind in (("rules", "policy"), ("shop", "code")):
        shutil.rmtree(watched.folder / name)
        assert watched.next() == {kind}
        (watched.folder / name).mkdir()
        watched.write(f"{name}/b.yaml")
        assert watched.next() == {kind}
        watched.write(f"{name}/b.yaml", text="again")  # the new folder is watched as the old one was
        assert watched.next() == {kind}


def test_links_that_are_turned(tmp_path: Path) -> None:
    """As Kubernetes turns `..data`, and as releases turn `current`."""
    (tmp_path / "now").mkdir()
    made = Watching(tmp_path / "now")
    first, second = (tmp_path / "now" / name for name in ("..1", "..2"))
    for folder in (first, second):
        folder.mkdir()
        (folder / "config.toml").write_text(folder.name)
    data = tmp_path / "now" / "..data"
    data.symlink_to(first)
    (tmp_path / "now" / "config.toml").symlink_to("..data/config.toml")
    (tmp_path / "current").symlink_to(first)
    given = Given(Config(), (tmp_path / "now" / "config.toml",), (tmp_path / "current",), (), ())
    assert made.files.watch(given)
    made.settled()
    (tmp_path / "now" / "..new").symlink_to(second)
    (tmp_path / "now" / "..new").rename(data)
    assert made.next() == {"policy"}
    (tmp_path / "other").symlink_to(second)
    (second / "main.tf").write_text("")
    made.settled()
    (tmp_path / "other").rename(tmp_path / "current")
    assert made.next() == {"code"}
    (second / "main.tf").write_text("again")
    assert made.next() == {"code"}
    for changed in (True, False):
        made.files.note()
        assert made.files.watch(given) is changed
    made.files.note()
    (second / "config.toml").write_text("while it is looked at")
    assert not made.files.watch(given)  # what was looked at is as it was before
    assert "policy" in made.next()
    made.files.note()
    assert made.files.watch(given)
    made.files.stop()


def test_what_a_refused_configuration_names(watched: Watching) -> None:
    """Besides what is in force, and no more once that changes."""
    extra = watched.folder / "extra"
    extra.mkdir()
    policy = (watched.folder / "driftwarden.toml", extra)
    for told in ({"policy"}, set()):  # whether it changed while it was looked at is known the second time
        watched.files.note()
        watched.files.watch_refused(policy)
        assert watched.settled() == told
    for name in ("extra/a.yaml", "driftwarden.toml", "rules/a.yaml"):
        watched.write(name, text="mended")
        assert watched.next() == {"policy"}, name
    watched.files.watch_refused(())
    watched.write("extra/a.yaml", text="again")
    assert watched.settled() == set()


def test_more_folders_than_the_kernel_is_asked_to_watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_MOST_WATCHES", 2)
    made = Watching(tmp_path)
    assert made.files.polled == "more than 2 folders"
    made.write("tickets/CHG-2.yaml")
    assert made.next() == {"tickets"}
    made.files.stop()

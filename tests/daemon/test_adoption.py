"""A new configuration comes into force, or is refused and changes nothing until what is wrong with it is put right."""

import io
import json
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from daemon_process import wait_for

from agent.config import KEPT, environment
from agent.daemon import log as logs
from agent.daemon.adoption import Adoption
from agent.daemon.given import Given, Keeper
from agent.daemon.limits import Limits
from agent.daemon.notify import Notify


@dataclass
class Living:
    """A daemon as far as it has a configuration: whatever it is told waits to be done here."""

    keeper: Keeper
    adoption: Adoption
    log: io.StringIO
    posted: "queue.SimpleQueue[Callable[[], None]]"
    told: list[bool] = field(default_factory=list)
    """Of each look that ended, whether it brought something into force."""

    def ended(self) -> bool:
        """Whether the look that is under way brought something into force."""
        self.posted.get(timeout=60)()
        return self.told[-1]

    def noticed(self) -> bool:
        """Whether what a look brings comes into force, once files say that there is something to look at."""
        wait_for(lambda: "policy" in self.adoption.files.changed(), "a change")
        self.adoption.look()
        return self.ended()

    def refusals(self) -> list[str]:
        lines = [json.loads(line) for line in self.log.getvalue().splitlines()]
        return [one["said"] for one in lines if one["event"] == "not reloaded"]

    def copies(self) -> Path:
        """What child processes read."""
        return Path(environment()[KEPT])


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], Living]]:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    hook = threading.excepthook
    made: list[Living] = []

    def start(config: Path) -> Living:
        log, posted = io.StringIO(), queue.SimpleQueue[Callable[[], None]]()
        logs.configure("info", {}, log)
        keeper = Keeper(config, 60)
        given = keeper.adopt()
        assert KEPT not in environment(), "nobody reads it before it is taken"
        keeper.take(given)
        limits, told = Limits(settle=0.1, look=0.1, refused=0.3), list[bool]()

        def looked(found: Given | None, _changed: bool) -> None:
            told.append(found is not None)

        one = Living(keeper, Adoption(keeper, given, limits, Notify({}), posted.put, looked), log, posted, told)
        one.adoption.start()
        made.append(one)
        return one

    yield start
    for one in made:
        one.adoption.files.stop()
        one.keeper.forget()
    threading.excepthook = hook


def test_one_that_names_another_store_is_read_by_nobody(live: Callable[[Path], Living], tmp_path: Path) -> None:
    """Were the other one a copy, both would hold the same filings. A relative one is another below another link."""
    for name in ("v1", "v2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "driftwarden.toml").write_text("")
    (tmp_path / "now").symlink_to("v1")
    living = live(tmp_path / "now" / "driftwarden.toml")
    before = living.copies()

    def refused() -> None:
        living.adoption.look()
        assert living.copies() == before, "not while it is looked at"
        assert not living.ended()
        assert living.adoption.error == "[store] url is another one: restart the daemon to use it"
        assert living.copies() == before
        assert list(before.parent.iterdir()) == [before]
        assert living.adoption.given.config.store_url() == f"sqlite:///{tmp_path}/v1/driftwarden.db"

    (tmp_path / "v1" / "driftwarden.toml").write_text('[store]\nurl = "sqlite:///two.db"\n')
    refused()
    (tmp_path / "next").symlink_to("v2")
    (tmp_path / "next").rename(tmp_path / "now")
    refused()


def test_a_mistake_in_a_file_that_only_the_refused_one_names_is_noticed_to_be_mended(
    live: Callable[[Path], Living], tmp_path: Path
) -> None:
    config, wrong = tmp_path / "driftwarden.toml", tmp_path / "extra" / "a.yaml"
    config.write_text("")
    living = live(config)
    wrong.parent.mkdir()
    wrong.write_text("rules: [")
    config.write_text('[rules]\ndirs = ["extra"]\n')
    assert not living.noticed()
    assert f"{wrong}:1: " in living.adoption.error
    assert not living.noticed(), "whether it changed while it was looked at is not known"
    wrong.unlink()
    assert living.noticed()
    assert living.adoption.error == ""
    assert living.adoption.given.config.rules.dirs == ("extra",)


def test_what_was_refused_for_a_reason_that_passes_is_looked_at_again(
    live: Callable[[Path], Living], tmp_path: Path
) -> None:
    """A secret is no file that is watched."""
    config = tmp_path / "driftwarden.toml"
    config.write_text("")
    living = live(config)
    living.adoption.step()
    assert living.posted.empty(), "nothing was refused"
    config.write_text('[smtp]\nhost = "127.0.0.1"\npassword = "${file:later}"\n')
    living.adoption.look()
    assert not living.ended()

    def looks_again() -> bool:
        living.adoption.step()
        try:
            living.posted.get(timeout=0.1)()
        except queue.Empty:
            return False
        return True

    wait_for(looks_again, "another look")
    assert len(living.refusals()) == 1, "the same is not said every few minutes"
    (tmp_path / "later").write_text("secret")
    wait_for(lambda: looks_again() and living.told[-1], "what was refused comes into force")
    assert (living.adoption.error, living.adoption.given.config.smtp.host) == ("", "127.0.0.1")

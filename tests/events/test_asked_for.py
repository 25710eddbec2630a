"""The warm process does what the daemon asks it for on stdin: the trail's other sources, read beside its queues."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import small_estate
from queued import Events, events

from agent.config import aws_environment, load
from agent.demo.recorder import Recorder
from agent.events import worker as warm
from agent.store import connect


@pytest.fixture
def path(cloud: tuple[Recorder, dict[str, str]], tmp_path: Path) -> Events:
    """The estate with a queue, and a folder that nobody else looks into."""
    made = events(small_estate.estate(tmp_path, *cloud), "asked-for")
    text = made.estate.config.read_text()
    made.estate.configure(text.replace(f'"eventbridge:{made.url}"', f'["eventbridge:{made.url}", "trail"]'))
    return made


def test_the_trail_is_read_when_it_is_asked_for(path: Events) -> None:
    estate = path.estate
    estate.set_timeout(9)
    with path.worker() as worker:

        def ask(times: int) -> Mapping[str, object]:
            worker.ask("trail")
            worker.until(lambda: len([one for one in worker.said if one["job"] == "trail"]) == times)
            return worker.said[-1]

        found = ask(1)
        assert (found["cases"], found["error"]) == (1, "")
        assert len(estate.tickets) == 1
        folder = estate.folder / "trail"
        folder.rename(estate.folder / "away")
        assert str(ask(2)["error"]).startswith("the trail could not be read: ")
        # The queue is another matter, and is read on at once.
        estate.client("erin", "iam").tag_role(RoleName="worker", Tags=[{"Key": "k", "Value": "v"}])
        path.deliver()
        worker.until(lambda: len(estate.tickets) == 2)
        assert worker.end() == 0
    with connect(load(estate.config).store_url()) as store:
        kinds = [one.kind for one in store.scans.last(9)]
    assert set(kinds) == {"trail"}


def test_a_queue_in_which_nothing_came_for_long_is_asked_less_often(
    path: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm, "LONG_WAIT", 1)
    monkeypatch.setattr(warm, "WAIT", 1)
    with (
        aws_environment(path.estate.variables),
        warm.Worker(load(path.estate.config), None, lambda _: None) as worker,
    ):
        worker._feeds.clear()  # those that are asked often
        path.send(["no event at all"])
        assert worker.round() is None
        monkeypatch.setattr(warm, "QUIET", 0.0)
        worker.round()
    with connect(load(path.estate.config).store_url()) as store:
        assert [one.feed for one in store.journal.positions() if one.feed == path.url]

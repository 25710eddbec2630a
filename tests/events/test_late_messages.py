"""Messages that come when the trail's window has moved past them: judged once, by whoever it is, and told like any."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import small_estate
from queued import Events, envelope, events

from agent.config import aws_environment, load
from agent.demo.recorder import Recorder
from agent.events import worker as warm
from agent.events.worker import Worker
from agent.gather.unjudged import Unjudged
from agent.store import Store, connect

Make = Callable[[str], Events]


@pytest.fixture
def make(cloud: tuple[Recorder, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Estates over one cloud, each with a queue of its own, none of which is part of the estate."""
    monkeypatch.setattr(warm, "WAIT", 1)

    def made(name: str) -> Events:
        (tmp_path / name).mkdir()
        path = events(small_estate.estate(tmp_path / name, *cloud), f"late-{name}")
        path.estate.configure(path.estate.config.read_text().replace("complete = true", "complete = false"))
        # Where nothing comes now, that is told too.
        path.send([aged(next(one for one in path.estate.recorder.records if one["readOnly"]), timedelta())])
        return path

    return made


def store_of(path: Events) -> Store:
    return connect(load(path.estate.config).store_url())


def change(path: Events, ago: timedelta) -> str:
    """Dana changes the queue by hand and puts it back; the message that tells of the first, of that long ago."""
    estate = path.estate
    estate.set_timeout(5)
    record = next(one for one in reversed(estate.recorder.records) if one["eventName"] == "SetQueueAttributes")
    with estate.recorder.paused():
        estate.set_timeout(30)
    return aged(record, ago)


def aged(record: Mapping[str, Any], ago: timedelta) -> str:
    return envelope({**record, "eventTime": f"{datetime.now(UTC) - ago:%Y-%m-%dT%H:%M:%SZ}"})


def work(path: Events) -> None:
    """One round of the event path."""
    with aws_environment(path.estate.variables), Worker(load(path.estate.config), None, lambda _: None) as worker:
        worker.round()


def told(path: Events) -> dict[str, tuple[str, list[str]]]:
    """Of each resource that something is open of: the outcome, and the calls behind it."""
    with store_of(path) as store:
        return {
            one.finding.key.id: (one.finding.verdict.outcome, [item.change.action for item in one.finding.changes])
            for one in store.findings.open().values()
        }


DANA = {"orders": ("unauthorised", ["sqs:SetQueueAttributes"])}


def test_a_late_message_is_judged_by_a_look_and_told_by_scans_whose_window_does_not_reach_it(make: Make) -> None:
    """What is older than anything is kept is a gap that lasts, however many such messages come."""
    path = make("looks")
    path.send([change(path, timedelta(days=days)) for days in (400, 91, 8)])
    work(path)
    expected = DANA | {path.url: ("indeterminate", [])}
    assert told(path) == expected
    tickets = path.estate.tickets
    assert len(tickets) == 2
    with store_of(path) as store:
        assert not Unjudged(store).found()
    # What is told still is not forgotten, though nothing else of its age is kept.
    path.estate.configure(path.estate.config.read_text().replace('lookback = "1d"', 'lookback = "1d"\nkeep = "2d"'))
    (gap,) = path.estate.scan().scan.gaps
    with store_of(path) as store:
        assert store.journal.counts()["change"] == 1
    assert gap.why.startswith(
        f"{path.url}: calls older than anything is kept ([trail] keep) came through it, and nobody"
    )
    assert told(path) == expected
    # After as long as any other the finding is over; its case waits for an answer.
    path.estate.configure(path.estate.config.read_text().replace('lookback = "1d"', 'lookback = "1s"'))
    path.estate.scan()
    assert "orders" not in told(path)
    assert path.estate.tickets == tickets
    with store_of(path) as store:
        assert ("dana",) in [case.actors for case in store.cases.open()]


class DiedError(Exception):
    """It comes to no end."""


def test_a_scan_of_everything_judges_what_came_late_and_what_one_that_died_took_from_the_queue(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: Any, **__: Any) -> Any:
        raise DiedError

    path = make("wholes")
    path.send([change(path, timedelta(days=8))])
    with monkeypatch.context() as patch, pytest.raises(DiedError):
        patch.setattr("agent.run.conclude", dies)
        path.estate.scan()
    assert path.left() == 0
    done = path.estate.scan()
    assert [one["verdict"]["outcome"] for one in done.document["changes"]] == ["unauthorised"]
    assert told(path) == DANA
    with store_of(path) as store:
        assert not Unjudged(store).found()

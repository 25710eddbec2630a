"""A queue that cannot be read is left alone for a while, and the others are read on."""

import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import small_estate
from queued import events

from agent.config import aws_environment, load
from agent.demo.recorder import Recorder
from agent.events import worker as warm
from agent.events.resting import LONGEST, Resting
from agent.events.worker import Batch, Worker
from agent.model import Gap
from agent.trail.source import EVERYWHERE, Blob, Delivery, Feed, Window

AT = datetime(2026, 11, 27, tzinfo=UTC)
GAP, BLOB = Gap(EVERYWHERE, "no such queue"), Blob("m", b"{}")


def feed(name: str, brings: list[Blob | Gap]) -> Feed:
    def deliveries(_: Window) -> Iterator[Delivery]:
        yield from (Delivery((one,)) for one in brings)

    return Feed(name, deliveries, drains=True)


def test_each_rests_by_itself_and_longer_each_time() -> None:
    now = [100.0]
    resting = Resting(clock=lambda: now[0])
    bad: list[Blob | Gap] = [GAP]
    both = [feed("good", []), feed("bad", bad)]

    def read() -> list[str]:
        awake = resting.awake(both)
        for one in awake:
            assert list(one.deliveries(Window(AT, AT))) is not None
        return [one.name for one in awake]

    assert read() == ["good", "bad"]
    assert (read(), resting.pause(both), resting.why) == (["good"], 0, ("no such queue",))
    pauses = []
    for _ in range(9):
        pauses.append(resting.pause(both[1:]))
        now[0] += pauses[-1]
        assert read() == ["good", "bad"]
    assert pauses == [1, 2, 4, 8, 16, 32, LONGEST, LONGEST, LONGEST]
    # One that brings something is not left alone, whatever else it says; nor is one that nothing stands against.
    now[0] += LONGEST
    bad[:] = [BLOB, GAP]
    assert (read(), read(), resting.why) == (["good", "bad"], ["good", "bad"], ())
    assert resting.pause([]) == 0


class Impatient(threading.Event):
    """Notes how long somebody would wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout)
        return self.is_set()


def test_nobody_waits_for_a_queue_that_fails(
    cloud: tuple[Recorder, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm, "WAIT", 1)
    monkeypatch.setattr(warm, "LARGEST", sys.maxsize)  # it is the tests' own process that holds all they ever loaded
    path = events(small_estate.estate(tmp_path, *cloud), "healthy")
    text = path.estate.config.read_text()
    gone = path.url.replace("healthy", "gone")
    path.estate.configure(
        text.replace(f'"eventbridge:{path.url}"', f'["eventbridge:{path.url}", "eventbridge:{gone}"]')
    )
    stop = Impatient()
    said: list[Batch] = []

    def say(batch: Batch) -> None:
        said.append(batch)
        if sum(bool(one.messages) for one in said) == 2:
            worker.stop()
        elif batch.messages:
            path.estate.set_timeout(6)
            path.deliver()

    path.estate.set_timeout(5)
    path.deliver()
    with aws_environment(path.estate.variables), Worker(load(path.estate.config), None, say) as worker:
        worker._stop = stop
        assert worker.run()
    assert set(stop.waits) == {0}
    # What is not read is told with what is.
    assert all(gone.rpartition("/")[2] in one.error or "NonExistentQueue" in one.error for one in said)
    assert len(path.estate.tickets) == 1

"""From a message in the queue to a case in the ticket system, through a real process; and what a crash leaves."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
import small_estate
from queued import Events, events

from agent import filing
from agent.config import aws_environment, load
from agent.daemon.metrics_document import of_document
from agent.demo.recorder import Recorder
from agent.events import worker as warm
from agent.events.worker import Batch, Worker
from agent.gather.unjudged import Unjudged
from agent.model import Tally
from agent.store import Fenced, Journal, Kept, Store, connect
from agent.store.outbox import Outbox
from agent.trail import bus
from agent.trail.queue import Reading


@pytest.fixture
def path(cloud: tuple[Recorder, dict[str, str]], tmp_path: Path, request: pytest.FixtureRequest) -> Events:
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)[:70]
    return events(small_estate.estate(tmp_path, *cloud), f"e-{name}")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Queues are asked without waiting, and what a process had read and not deleted comes again after a second."""
    monkeypatch.setattr(warm, "WAIT", 1)
    monkeypatch.setitem(cast("dict[str, Any]", bus.feed.__kwdefaults__), "hidden", 1)


def store_of(path: Events) -> Store:
    return connect(load(path.estate.config).store_url())


def about(path: Events, who: str) -> list[Path]:
    """Cases that name this person."""
    return [file for file in path.estate.tickets if who in file.read_text()]


def work(path: Events, rounds: int, fence: int | None = None) -> list[Batch]:
    """So many rounds of the loop in this process."""
    with aws_environment(path.estate.variables), Worker(load(path.estate.config), fence, lambda _: None) as worker:
        return [batch for batch in (worker.round() for _ in range(rounds)) if batch is not None]


def test_messages_become_cases_and_a_whole_scan_agrees(path: Events) -> None:
    estate = path.estate
    with path.worker() as worker:
        # Twice, and the last of them first: what was set last is what is there.
        for seconds in (5, 6, 7):
            estate.set_timeout(seconds)
        path.send(["no event at all", json.dumps({"detail": {}, "source": "aws.sqs"})])
        path.deliver(twice=True, order=lambda found: found[::-1])
        worker.until(lambda: len(about(path, "dana")) == 1)
        # One session is one case, however many calls it is.
        role = estate.client("erin", "iam")
        for number in range(20):
            role.tag_role(RoleName="worker", Tags=[{"Key": f"k{number}", "Value": "v"}])
        path.deliver()
        worker.until(lambda: len(about(path, "erin")) == 1)
        worker.until(lambda: path.left() == 0 and len(worker.said) > 1)
        assert worker.end() == 0
    assert {one["error"] for one in worker.said} == {""}
    # Two messages that nobody can read are told of, in one case.
    assert len(estate.tickets) == sum(one["cases"] for one in worker.said) == 3
    (poison,) = [text for file in estate.tickets if "2 messages in all" in (text := file.read_text())]
    assert "no JSON" in poison
    assert "no CloudTrail event" in poison
    with store_of(path) as store:
        assert not Unjudged(store).found()
        gaps = store.journal.gaps(datetime.min.replace(tzinfo=UTC))
        assert [gap.cause for gap in gaps] == ["poison"] * 2
        before = {one.finding.id: one.finding.verdict.outcome for one in store.findings.open().values()}
    done = estate.scan()
    # The queue of the trail lies in the estate, and only a scan of everything looks at it.
    after = {one.id: one.verdict.outcome for one in done.scan.findings if not one.key.id.startswith("e-")}
    assert before == after
    assert len(estate.tickets) == 3


def test_an_empty_new_queue_is_no_gap_of_the_audit_log_and_not_clean_either(path: Events) -> None:
    estate = path.estate
    # The queue of events lies in the estate, and no stack declares it.
    estate.configure(estate.config.read_text().replace("complete = true", "complete = false"))
    done = estate.scan()
    assert estate.tickets == []
    assert (done.scan.status, done.scan.findings) == ("incomplete", ())
    (told,) = done.document["coverage"]["trail"]["gaps"]
    assert told["cause"] == "unproven"
    assert told["why"].startswith("no event has come through the queue yet: nothing was done")
    gaps = of_document(json.dumps(done.document).encode()).samples["driftwarden_gaps"]
    assert (gaps["trail",], gaps["unproven",]) == (0, 1)
    (limit,) = [one for one in done.document["coverage"]["limits"] if "EventBridge" in one["why"]]
    assert "nothing else proves that all of it came" in limit["why"]

    # Once something had come, weeks of silence are a gap, however long ago that was.
    with store_of(path) as store:
        long_ago = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=60)
        heard = Tally(small_estate.ACCOUNT, small_estate.REGION, long_ago, 3, long_ago)
        store.journal.keep("f", Kept(tallies=[heard]), long_ago)
    done = estate.scan()
    (told,) = done.document["coverage"]["trail"]["gaps"]
    assert (told["cause"], told["why"]) == ("undelivered", "no event of the whole interval in what was delivered")
    assert [one.trail for one in done.scan.findings] == ["undelivered"]
    assert len(estate.tickets) == 1


class Killed(BaseException):
    """Nothing catches it: what comes after does not happen."""


POINTS: Mapping[str, tuple[Any, str, bool]] = {
    "marked-and-not-kept": (Journal, "keep", False),
    "deleted-and-not-judged": (Reading, "delete", True),
    "committed-and-still-marked": (Unjudged, "judged", False),
    "filed-and-not-known": (Outbox, "sent_all", False),
}
"""Where a process dies: before a step, or after it. tests/faults kills real ones, at every write."""


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("point", sorted(POINTS))
def test_a_process_that_dies_anywhere_loses_and_doubles_nothing(
    path: Events, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    owner, name, after = POINTS[point]
    step = getattr(owner, name)

    def dies(*arguments: Any, **named: Any) -> Any:
        if after:
            step(*arguments, **named)
        raise Killed

    path.estate.set_timeout(5)
    path.deliver()
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(owner, name, dies)
        work(path, 3)
    # It is not this process that held the outbox, but one that is gone.
    monkeypatch.setattr(filing, "_pid", lambda *_: "999999999")
    work(path, 3)
    (ticket,) = path.estate.tickets
    assert "orders" in ticket.read_text()
    with store_of(path) as store:
        assert not Unjudged(store).found()
        assert store.outbox.unsent() == ()
        assert len(store.cases.open()) == 1


@pytest.mark.usefixtures("quick")
def test_a_state_that_moved_is_read_again(path: Events) -> None:
    shop = path.estate.folder / "shop"
    with aws_environment(path.estate.variables), Worker(load(path.estate.config), None, lambda _: None) as worker:
        path.estate.set_timeout(60)
        path.deliver()
        first = worker.round()
        with store_of(path) as store:
            (found,) = store.findings.open().values()
            assert [drift.declared for drift in found.finding.drifts] == [30]
        # Somebody writes it into the code and applies it.
        (shop / "main.tf").write_text(small_estate.CODE.replace("= 30", "= 60"))
        state = small_estate.state(
            small_estate.queue(visibility_timeout_seconds=60), small_estate.role(), small_estate.bucket()
        )
        (shop / "terraform.tfstate").write_text(json.dumps({**state, "serial": 2}))
        path.estate.set_timeout(60)
        path.deliver()
        second = worker.round()
    assert first is not None
    assert second is not None
    assert (first.cases, second.cases, second.error) == (1, 0, "")
    with store_of(path) as store:
        assert [one.finding.drifts for one in store.findings.open().values()] == [()]


@pytest.mark.usefixtures("quick")
def test_whoever_is_fenced_out_writes_nothing_and_stops(path: Events) -> None:
    with store_of(path) as store:
        old = store.leadership.take("old", datetime.now(UTC))
        new = store.leadership.take("new", datetime.now(UTC))
    path.estate.set_timeout(5)
    path.deliver()
    with aws_environment(path.estate.variables), pytest.raises(Fenced):
        work(path, 1, old)
    assert path.estate.tickets == []
    assert sum(one.cases for one in work(path, 1, new)) == 1

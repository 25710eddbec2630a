"""Scans of less than the whole estate, and what becomes of two scans that read at the same time."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import small_estate
from small_estate import Estate

from agent.child import scan_in_child
from agent.config import Config, ConfigError, aws_environment, load
from agent.demo.recorder import Recorder
from agent.gather import Gathered, unjudged
from agent.gather.collected import Grounds, grounds
from agent.gather.focused import asked_of
from agent.gather.means import Means
from agent.gather.unjudged import Marked, Unjudged
from agent.model import Entry, Identity
from agent.run import Done, run, run_look
from agent.store import Fenced, Kept, Store, connect


@pytest.fixture(scope="module")
def cloud(
    moto_server: str, moto_variables: Mapping[str, str], reset_moto: Callable[[], None]
) -> Iterator[tuple[Recorder, dict[str, str]]]:
    reset_moto()
    with small_estate.cloud(moto_server, moto_variables) as made:
        yield made
    reset_moto()


@pytest.fixture
def estate(cloud: tuple[Recorder, dict[str, str]], tmp_path: Path) -> Estate:
    return small_estate.estate(tmp_path, *cloud)


def store_of(estate: Estate) -> Store:
    return connect(load(estate.config).store_url())


def look(estate: Estate, text: str = "trail", fence: int | None = None) -> Done | None:
    with aws_environment(estate.variables):
        config = load(estate.config)
        return run_look(config, asked_of(text, config), fence=fence)


def whole(estate: Estate, meanwhile: Callable[[], None]) -> Done:
    """A scan of everything, and what happens when it has read all it reads."""

    def progress(said: str) -> None:
        if said == "looking at the states again":
            meanwhile()

    with aws_environment(estate.variables):
        return run(load(estate.config), progress=progress)


def outcomes(estate: Estate) -> dict[str, str]:
    with store_of(estate) as store:
        return {one.finding.key.id: one.finding.verdict.outcome for one in store.findings.open().values()}


# --- two at the same time ------------------------------------------------------------------------------------


def test_a_change_that_a_whole_scan_read_too_early_keeps_its_case(estate: Estate) -> None:
    def changed() -> None:
        estate.set_timeout(5)
        assert look(estate) is not None

    done = whole(estate, changed)
    assert done.scan.findings == ()
    assert outcomes(estate) == {"orders": "unauthorised"}
    assert len(estate.tickets) == 1
    with store_of(estate) as store:
        assert [key.id for key in done.scan.focus.without] == ["orders"]
        assert [case.state for case in store.cases.open()] == ["open"]
    again = estate.scan()
    assert {one.key.id for one in again.scan.findings} == {"orders"}
    assert len(estate.tickets) == 1


def test_what_was_put_back_while_a_whole_scan_read_is_not_opened_again(estate: Estate) -> None:
    estate.set_timeout(5)
    assert look(estate) is not None
    known: list[dict[str, tuple[str, ...]]] = []

    def drifts() -> dict[str, tuple[str, ...]]:
        with store_of(estate) as store:
            found = store.findings.open().values()
            return {one.finding.key.id: tuple(drift.attribute for drift in one.finding.drifts) for one in found}

    def put_back() -> None:
        estate.set_timeout(30)
        assert look(estate) is not None
        known.append(drifts())

    assert drifts() == {"orders": ("visibility_timeout_seconds",)}
    whole(estate, put_back)
    assert known == [{"orders": ()}]
    assert drifts() == known[0]
    assert len(estate.tickets) == 1


def test_a_look_that_a_newer_whole_scan_overtook_is_read_again(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    estate.set_timeout(5)
    read: list[datetime] = []

    def overtaken(config: Config, means: Means, got: Gathered, store: Store) -> Grounds:
        read.append(got.began)
        if len(read) == 1:
            estate.scan()
        return grounds(config, means, got, store)

    monkeypatch.setattr("agent.gather.conclude.grounds", overtaken)
    look(estate)
    # The look, the scan that overtook it, and the look again where the scan left it anything.
    assert len(read) in (2, 3)
    assert outcomes(estate) == {"orders": "unauthorised"}
    assert len(estate.tickets) == 1


# --- kinds ---------------------------------------------------------------------------------------------------


def test_a_look_at_the_trail_finds_what_came_since(estate: Estate) -> None:
    assert estate.scan().scan.status == "clean"
    assert look(estate) is None
    estate.set_timeout(5)
    found = look(estate)
    assert found is not None
    assert (found.scan.status, [one.key.id for one in found.scan.findings]) == ("violations", ["orders"])
    assert found.calls < 10
    assert look(estate) is None
    with store_of(estate) as store:
        kinds = [one.kind for one in store.scans.last()]
        assert kinds == ["trail", "whole"]
        assert {key.id for key in store.looks.since(found.scan.read_at)} == {"orders"}
        # What is shown as the state of the estate is what was found of all of it.
        assert b'"clean"' in (store.scans.document() or b"")
    assert len(estate.tickets) == 1


def test_a_stack_what_is_open_and_what_people_said(estate: Estate) -> None:
    assert estate.scan().scan.status == "clean"
    with estate.recorder.paused():
        estate.set_timeout(5)  # nobody tells of it
    stack = look(estate, "stack:shop")
    assert stack is not None
    assert [one.verdict.outcome for one in stack.scan.findings] == ["pending"]
    with estate.recorder.paused():
        estate.set_timeout(30)
    still = look(estate, "remind")
    assert still is None
    assert outcomes(estate) == {"orders": "pending"}
    again = look(estate, "open")
    assert again is not None
    assert (again.scan.findings, outcomes(estate)) == ((), {})


def test_as_a_process(estate: Estate) -> None:
    estate.set_timeout(5)
    with aws_environment(estate.variables):
        code, document = scan_in_child(estate.config, look="trail")
    assert document is not None
    assert (code, document["status"], len(document["changes"])) == (1, "violations", 1)
    assert len(estate.tickets) == 1


def test_who_is_fenced_out_keeps_nothing(estate: Estate) -> None:
    with store_of(estate) as store:
        old = store.leadership.take("old", datetime.now(UTC))
        store.leadership.take("new", datetime.now(UTC))
    estate.set_timeout(5)
    with pytest.raises(Fenced):
        look(estate, fence=old)
    assert estate.tickets == []


@pytest.mark.parametrize("text", ["", "all", "stack", "stack:", "stack:none", "Whole", "trail:x"])
def test_what_cannot_be_looked_at_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--look"):
        asked_of(text, Config())


def test_what_can_be_looked_at(estate: Estate) -> None:
    config = load(estate.config)
    texts = ("whole", "trail", "open", "remind", "stack:shop")
    found = [(one.kind, one.stack) for one in (asked_of(text, config) for text in texts)]
    assert found == [("whole", ""), ("trail", ""), ("open", ""), ("remind", ""), ("stack", "shop")]


# --- what waits ----------------------------------------------------------------------------------------------

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


def entry(event: str, time: datetime = NOON) -> Entry:
    return Entry(event, "change", time, "sqs:SetQueueAttributes", Identity("IAMUser"))


def test_what_is_marked_waits_until_it_is_judged(tmp_path: Path) -> None:
    with connect(f"sqlite:///{tmp_path}/store.db") as store:
        waiting = Unjudged(store)
        assert not waiting.found()
        waiting.mark([entry("a"), entry("b")])
        first = waiting.found()
        waiting.mark([entry("c")])
        assert first == Marked(frozenset("ab"))
        assert (first.covers(["x", "a"], NOON), first.covers(["x"], NOON)) == (True, False)
        waiting.judged(first, waiting=["b"])
        assert waiting.found() == Marked(frozenset("bc"))
        Unjudged(store, after=NOON).mark([entry("d"), entry("e", NOON + timedelta(seconds=1))])
        assert waiting.found() == Marked(frozenset("bce"))


def test_what_our_clock_says_has_not_happened_waits_on(tmp_path: Path) -> None:
    later = entry("later", NOON + timedelta(hours=1))
    with connect(f"sqlite:///{tmp_path}/store.db") as store:
        waiting = Unjudged(store)
        waiting.mark([entry("now"), later])
        store.journal.keep("feed", Kept([entry("now"), later]), NOON)
        assert waiting.due(NOON) == Marked(frozenset(["now"]))
        waiting.judged(waiting.due(NOON))
        assert not waiting.due(NOON)
        assert waiting.due(later.time) == Marked(frozenset(["later"]))


def test_more_than_can_be_named_wait_by_their_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unjudged, "MOST", 3)
    with connect(f"sqlite:///{tmp_path}/store.db") as store:
        waiting = Unjudged(store)
        waiting.mark([entry("a")])
        waiting.mark([entry(f"{n}", NOON + timedelta(minutes=n)) for n in range(5)])
        found = waiting.found()
        assert found == Marked(frozenset("a"), NOON)
        assert found.covers(["x"], NOON + timedelta(minutes=4))
        waiting.judged(found)
        assert not waiting.found()

"""What is named of late events: with the sessions behind them, for a time, and so many."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.gather.belated import Belated, Late
from agent.gather.unjudged import Marked, Unjudged
from agent.model import Entry, Identity, Session, Sort
from agent.store import Kept, Store, connect
from agent.trail.read import assemble

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
START = NOON - 7 * DAY
DEPLOY = "arn:aws:sts::111122223333:assumed-role/deploy/x"


def call(event: str, time: datetime, key: str = "", sort: Sort = "change") -> Entry:
    caller = Identity("AssumedRole", arn=DEPLOY, key=key) if key else Identity("IAMUser", arn="dana", name="dana")
    return Entry(event, sort, time, "sqs:SetQueueAttributes", caller)


def session(event: str, time: datetime, key: str) -> Entry:
    dana = Identity("IAMUser", arn="arn:aws:iam::111122223333:user/dana", name="dana")
    issued = Session(key=key, time=time, caller=dana, event=event, call="AssumeRole", arn=DEPLOY, name="x")
    return Entry(event, "session", time, "sts:AssumeRole", dana, issued=issued)


def kept(store: Store, *entries: Entry, queued: bool = True) -> None:
    Unjudged(store, start=START).mark(entries, queued)
    store.journal.keep("queue", Kept(entries), NOON)


def judged(store: Store, late: Late, at: datetime) -> None:
    Belated(store, 7 * DAY).judged(late, at)
    Unjudged(store).judged(Unjudged(store).due(at))


def due(store: Store, at: datetime, start: datetime = START) -> Late:
    return Belated(store, 7 * DAY).due(Unjudged(store).due(at), start, at)


def test_late_events_are_told_with_who_was_behind_them_as_long_as_the_window_is(tmp_path: Path) -> None:
    with connect(f"sqlite:///{tmp_path}/store.db") as store:
        old = NOON - 30 * DAY
        behind = [session("s1", old - HOUR, "K1"), session("s2", NOON - 20 * DAY - HOUR, "K2")]
        store.journal.keep("bucket", Kept([*behind, session("s3", NOON - 25 * DAY, "K3")]), NOON)
        kept(store, call("new", NOON - DAY), call("c1", old, "K1"), call("c2", NOON - 20 * DAY, "K2"))
        late = due(store, NOON)
        assert late.events == {"c1", "c2"}
        assert {one.event for one in late.entries} == {"c1", "c2", "s1", "s2"}
        trail = assemble(late.entries, START, NOON, late=late.events)
        assert [(one.event_ids, one.actor.name) for one in trail.changes] == [(("c1",), "dana"), (("c2",), "dana")]
        assert trail.sessions == ()
        judged(store, late, NOON)
        assert not Unjudged(store).found()
        # What leads to them is known by name from now on: nobody looks for it again.
        assert due(store, NOON + 3 * DAY) == late
        # Another one comes, and does not keep these any longer.
        kept(store, call("c3", old, "K1"))
        then = due(store, NOON + 4 * DAY)
        assert then.events == {"c1", "c2", "c3"}
        judged(store, then, NOON + 4 * DAY)
        last = due(store, NOON + 7 * DAY)
        assert last.events == {"c3"}
        assert {"s1"} <= {one.event for one in last.entries}
        assert Belated(store, 7 * DAY).oldest(NOON + 7 * DAY) == old - HOUR
        assert due(store, NOON - 8 * DAY) == Late(), "a clock that was wrong"
        judged(store, due(store, NOON + 11 * DAY), NOON + 11 * DAY)
        assert due(store, NOON) == Late()
        assert Belated(store, 7 * DAY).oldest(NOON) is None


@pytest.mark.parametrize("sort", ["state", "sign-in", "failed", "denied"])
def test_everything_that_is_told_of_the_window_is_told_of_late_events(sort: Sort) -> None:
    one, other = call("a", START - DAY, sort=sort), call("b", START - DAY, sort=sort)
    found = assemble([one, other], START, NOON, late={"a"})
    counted = {
        "state": len(found.state_writes),
        "sign-in": len(found.sign_ins),
        "failed": found.failed,
        "denied": found.denied,
    }
    assert counted == {name: int(name == sort) for name in counted}
    begun = [session("s1", START - DAY, "K1"), session("s2", START - DAY, "K2")]
    assert [one.event_ids for one in assemble(begun, START, NOON, late={"s2"}).sessions] == [("s2",)]


def test_what_leads_up_to_the_window_and_what_is_known_is_no_news(tmp_path: Path) -> None:
    with connect(f"sqlite:///{tmp_path}/store.db") as store:
        kept(store, call("before", START - HOUR), call("inside", START + HOUR), queued=False)
        assert Unjudged(store).found() == Marked(frozenset({"inside"}))
        judged(store, Late(), NOON)
        # A queue brings what a bucket brought: what is in the window is looked at once more, as ever.
        kept(store, call("before", START - HOUR), call("inside", START + HOUR), call("late", START - HOUR))
        assert Unjudged(store).found() == Marked(frozenset({"inside", "late"}))


def test_what_left_the_window_while_it_waited_is_late(tmp_path: Path) -> None:
    with connect(f"sqlite:///{tmp_path}/store.db") as store:
        kept(store, call("a", START + HOUR))
        assert due(store, NOON) == Late()
        assert due(store, NOON, START + 2 * HOUR).events == {"a"}
        # Whoever reads everything marks what the next scan of everything might not look at.
        alone = Unjudged(store, after=NOON, start=START)
        times = {"of-the-window": NOON - 2 * DAY, "of-today": NOON - HOUR, "while-it-reads": NOON + HOUR}
        alone.mark([call(event, at) for event, at in times.items()], True)
        assert Unjudged(store).found().events == {"a", "of-the-window", "while-it-reads"}


def test_more_than_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.gather.unjudged.MOST", 3)
    monkeypatch.setattr("agent.gather.belated.MOST", 3)
    with connect(f"sqlite:///{tmp_path}/store.db") as store:
        many = [call(f"{n}", START - n * HOUR) for n in range(1, 5)]
        for one in many:
            kept(store, one)
        found = Unjudged(store).due(NOON)
        assert found == Marked(frozenset("4"), START - 3 * HOUR, START - HOUR, 1)
        assert Belated(store, 7 * DAY).oldest(NOON) == START - 4 * HOUR
        first = due(store, NOON)
        assert first.events == frozenset("1234")
        judged(store, first, NOON)
        assert not Unjudged(store).found()
        kept(store, call("5", START - DAY))
        judged(store, due(store, NOON + DAY), NOON + DAY)
        told = due(store, NOON + DAY).events
        assert len(told) == 3
        assert "5" in told

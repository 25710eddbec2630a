"""What was kept of the trail and is still to be judged: nothing is forgotten, whoever asks when."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.gather import unjudged
from agent.gather.unjudged import Marked, Unjudged
from agent.model import Entry, Identity
from agent.store import Kept, connect

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


def test_what_is_marked_and_not_kept_yet_is_due_once_it_is(tmp_path: Path) -> None:
    """A scan that asks between the two reads a trail without it, and has not judged it."""
    with connect(f"sqlite:///{tmp_path}/store.db") as store:
        waiting = Unjudged(store)
        waiting.mark([entry("a")])
        asked = waiting.due(NOON)
        assert not asked
        store.journal.keep("feed", Kept([entry("a")]), NOON)
        waiting.judged(asked)
        assert waiting.due(NOON) == Marked(frozenset("a"))


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
    minutes = [NOON + timedelta(minutes=n) for n in range(10)]
    many = [entry(f"{n}", minutes[n]) for n in range(5)]
    with connect(f"sqlite:///{tmp_path}/store.db") as store:
        waiting = Unjudged(store)
        waiting.mark([entry("a", minutes[1])])
        waiting.mark(many)
        names = frozenset("01234")
        assert waiting.found() == Marked(names | {"a"}), "what is not kept has to be named"
        store.journal.keep("feed", Kept([entry("a", minutes[1]), *many]), NOON)
        waiting.mark([entry("b", minutes[6])])
        found = waiting.found()
        assert found == Marked(frozenset("b"), minutes[0], minutes[4], 1)
        assert (found.covers(["x"], minutes[4]), found.covers(["x"], NOON - timedelta(1))) == (True, False)
        # Who reads up to then has not seen all of it.
        assert not waiting.due(minutes[3])
        waiting.judged(waiting.due(minutes[3]))
        assert waiting.found() == found
        first = waiting.due(minutes[5])
        assert (first.events, first.since) == (frozenset(), minutes[0])
        # While that look reads, more comes than can be named.
        store.journal.keep("feed", Kept([entry("b", minutes[6])]), NOON)
        waiting.mark([entry(f"{n}", minutes[n]) for n in (7, 8, 9)])
        waiting.judged(first)
        second = waiting.due(minutes[6])
        assert second.covers(["b"], minutes[6])
        waiting.judged(second, waiting=["3"])
        assert waiting.found() == Marked(frozenset("3789"), folded=2)

"""Draining the outbox: what is sent, what waits and for how long, what is dead, and that one does not stop another."""

import os
import subprocess
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent import filing
from agent.filing import FAILURES, FIRST_WAIT, LEASE, LONGEST_WAIT, Filed, drain, forsaken, wait
from agent.model import Action, Case, CaseKey, Close, FindingId, Held, Open, Tickets, Update
from agent.store import ScanCommit, Store, connect
from agent.tickets import TicketError

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
DOWN = TicketError("503: back soon")
REFUSED = TicketError("403: forbidden", permanent=True)


@dataclass
class Desk:
    """A ticket system that keeps what it was told, and fails when told to."""

    name: str = "desk"
    tickets: dict[str, list[str]] = field(default_factory=dict)
    fails: dict[str, TicketError] = field(default_factory=dict)
    """Case key or reference → what happens to whoever writes to it; `*` for everything."""
    asked: list[str] = field(default_factory=list)

    def lookup(self, refs: Collection[str], start: datetime, end: datetime) -> Tickets:
        return Tickets()

    def find(self, case: Case) -> str | None:
        self._ask("find", case.key)
        return next((ref for ref, said in self.tickets.items() if case.key in said[0] and said[-1] != "closed"), None)

    def open(self, case: Case) -> str:
        self._ask("open", case.key)
        ref = f"T-{len(self.tickets) + 1}"
        self.tickets[ref] = [f"{case.key} {case.title}"]
        return ref

    def update(self, ref: str, note: str) -> None:
        self._ask("update", ref)
        self.tickets[ref].append(note)

    def close(self, ref: str, reason: str) -> None:
        self._ask("close", ref)
        self.tickets[ref] += [reason, "closed"]

    def _ask(self, act: str, name: str) -> None:
        self.asked.append(f"{act} {name}")
        if failure := self.fails.get(name) or self.fails.get("*"):
            raise failure


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with connect(f"sqlite:///{tmp_path}/store.db") as store:
        yield store


def case(name: str) -> Case:
    return Case(CaseKey(name), f"{name} changed by hand", (FindingId(f"F-{name}"),), "high")


def planned(store: Store, *actions: Action) -> None:
    """A scan that decided this."""
    run = f"r{len(store.scans.last(1000))}"
    store.scans.begin(run, NOW, "c", "r")
    store.scans.commit(ScanCommit(run, NOW, "violations", b"{}", actions=actions))


def drained(store: Store, desk: Desk, after: timedelta = timedelta(0), **more: int) -> Filed:
    return drain(store.outbox, desk, "filer", lambda: NOW + after, **more)


def test_a_case_is_opened_told_of_and_closed(store: Store) -> None:
    for action in (Open(case("q")), Update(case("q"), "once more"), Close(case("q"), "put back")):
        planned(store, action)
    desk = Desk()
    assert drained(store, desk) == Filed(sent=3)
    assert desk.tickets == {"T-1": ["q q changed by hand", "once more", "put back", "closed"]}
    assert desk.asked == ["find q", "open q", "find q", "update T-1", "close T-1"]
    assert store.outbox.unsent() == ()
    assert drained(store, desk) == Filed()


def test_a_ticket_that_is_there_is_adopted(store: Store) -> None:
    planned(store, Open(case("q")))
    desk = Desk(tickets={"T-9": ["q filed by an earlier attempt"]})
    assert drained(store, desk) == Filed(sent=1)
    assert [one.ticket for one in store.cases.open()] == ["T-9"]
    assert desk.asked == ["find q"]


def test_what_fails_waits_and_the_rest_goes_on(store: Store) -> None:
    planned(store, Open(case("p")), Open(case("q")), Open(case("r")))
    desk = Desk(fails={"q": DOWN})
    filed = drained(store, desk)
    (left,) = store.outbox.unsent()
    assert filed == Filed(sent=2, retried=1, errors=(f"{left.dedup_key}: 503: back soon",))
    assert (left.action, left.state, left.error) == (Open(case("q")), "waiting", "503: back soon")
    assert left.next_at == NOW + wait(left.id, 1)
    desk.fails.clear()
    assert drained(store, desk, timedelta(seconds=20)) == Filed()
    assert drained(store, desk, timedelta(seconds=40)) == Filed(sent=1)


def test_what_is_refused_is_dead_until_it_is_revived(store: Store) -> None:
    planned(store, Open(case("p")), Open(case("q")))
    planned(store, Update(case("p"), "more"))
    desk = Desk(fails={"p": REFUSED})
    filed = drained(store, desk)
    assert (filed.sent, filed.retried, filed.dead) == (1, 0, 1)
    assert [(entry.state, entry.error) for entry in store.outbox.unsent()] == [
        ("dead", "403: forbidden"),
        ("waiting", ""),
    ]
    desk.fails.clear()
    assert drained(store, desk, timedelta(days=3)) == Filed()
    assert store.outbox.revive(NOW) == 1
    assert drained(store, desk) == Filed(sent=2)


@pytest.mark.parametrize("failure", [DOWN, REFUSED])
def test_a_system_that_is_down_is_left_in_peace(store: Store, failure: TicketError) -> None:
    planned(store, *(Open(case(f"c{n}")) for n in range(9)))
    desk = Desk(fails={"*": failure})
    filed = drained(store, desk)
    assert (filed.sent, filed.retried + filed.dead, len(desk.asked)) == (0, FAILURES, FAILURES)
    assert [entry.attempts for entry in store.outbox.unsent()] == [1] * FAILURES + [0] * (9 - FAILURES)


def test_one_success_forgives_the_failures_before_it(store: Store) -> None:
    planned(store, *(Open(case(f"c{n}")) for n in range(6)))
    desk = Desk(fails={f"c{n}": DOWN for n in (0, 1, 3, 4)})
    filed = drained(store, desk)
    assert (filed.sent, filed.retried) == (2, 4)


def test_a_day_of_outage_ends_in_order_and_without_repeats(store: Store) -> None:
    planned(store, *(Open(case(f"c{n}")) for n in range(4)))
    planned(store, *(Update(case(f"c{n}"), "more") for n in range(4)))
    desk = Desk(fails={"*": DOWN})
    times = [timedelta(minutes=20 * n) for n in range(72)]
    assert sum(drained(store, desk, after).sent for after in times) == 0
    # Of 216 attempts that three failures a drain would allow: four openings, each about once an hour.
    assert len(desk.asked) < 130
    desk.fails.clear()
    assert drained(store, desk, timedelta(hours=26)).sent == 8
    assert sorted(desk.tickets.values()) == [[f"c{n} c{n} changed by hand", "more"] for n in range(4)]


def test_a_limit_leaves_the_rest_for_later(store: Store) -> None:
    planned(store, *(Open(case(f"c{n}")) for n in range(5)))
    desk = Desk()
    assert [drained(store, desk, limit=2).sent for _ in range(4)] == [2, 2, 1, 0]


def test_a_flood_is_one_alarm(store: Store) -> None:
    cases = tuple(case(f"c{n}") for n in range(60))
    planned(store, Held(cases, "60 of 100 resources of account 123456789012 newly in violation"))
    desk = Desk()
    assert drained(store, desk) == Filed(sent=1)
    ((said,),) = desk.tickets.values()
    assert said.endswith("60 cases are held back: too much changed at once")


def test_news_of_a_case_nobody_filed_files_it(store: Store) -> None:
    desk = Desk()
    planned(store, Open(case("q")))
    entry = store.outbox.claim("filer", NOW, timedelta(minutes=1))
    assert entry is not None
    store.outbox.sent(entry, "", NOW)
    planned(store, Update(case("q"), "more"))
    assert drained(store, desk) == Filed(sent=1)
    assert desk.tickets == {"T-1": ["q q changed by hand", "more"]}


def test_a_ticket_that_somebody_closed_by_hand_is_followed_by_another(store: Store) -> None:
    """What came of the case was planned while it had the first: the second is what is told on, and is closed."""
    planned(store, Open(case("q")))
    desk = Desk()
    drained(store, desk)
    (known,) = store.cases.open()
    desk.close("T-1", "looks fine to me")
    planned(store, Update(known, "more"))
    planned(store, Update(known, "and more"))
    desk.fails["T-2"] = DOWN
    assert drained(store, desk).retried == 1
    assert [one.ticket for one in store.cases.open()] == ["T-1"]
    desk.fails.clear()
    assert drained(store, desk, timedelta(minutes=1)).sent == 2
    assert [one.ticket for one in store.cases.open()] == ["T-2"]
    assert store.outbox.tickets([known.key, CaseKey("p")]) == {known.key: ("T-1", "T-2")}
    # A scan that had read the case before that says nothing of its ticket.
    planned(store, Update(known, "most"))
    assert [one.ticket for one in store.cases.open()] == ["T-2"]
    planned(store, Close(known, "put back"))
    assert drained(store, desk, timedelta(minutes=1)).sent == 2
    assert desk.tickets["T-2"] == ["q q changed by hand", "more", "and more", "most", "put back", "closed"]
    assert desk.tickets["T-1"] == ["q q changed by hand", "looks fine to me", "closed"]
    filed = [one.body["ref"] for one in store.ledger.events() if one.kind == "case.filed"]
    assert filed == ["T-1", "T-2", "T-2", "T-2", "T-2"]


def test_a_case_nobody_filed_has_nothing_to_close(store: Store) -> None:
    desk = Desk()
    planned(store, Open(case("q")))
    entry = store.outbox.claim("filer", NOW, timedelta(minutes=1))
    assert entry is not None
    store.outbox.sent(entry, "", NOW)
    planned(store, Close(case("q"), "put back"))
    assert drained(store, desk) == Filed(sent=1)
    assert desk.tickets == {}


def test_waits_double_to_an_hour_and_spread() -> None:
    spread = [[wait(entry, attempts) for entry in range(200)] for attempts in range(1, 30)]
    for attempts, waits in enumerate(spread):
        middle = min(FIRST_WAIT * 2**attempts, LONGEST_WAIT)
        assert middle * 0.8 <= min(waits) < middle * 0.85
        assert middle * 1.15 < max(waits) <= middle * 1.2
    assert wait(7, 3) == wait(7, 3)


@pytest.mark.parametrize(("seconds", "times"), [(60, 11), (20, 33)], ids=["one-is-slow", "all-together-are"])
def test_a_batch_does_not_outlast_its_lease(
    store: Store, monkeypatch: pytest.MonkeyPatch, seconds: int, times: int
) -> None:
    """The system becomes slow in the middle of a batch, and another sender takes what it may."""
    monkeypatch.setattr(filing, "_QUICK", 59.0)  # the batches grow, however slow this machine is
    planned(store, *(Open(case(f"c{n:03}")) for n in range(127)))
    clock = [NOW]
    opened = Counter[str]()

    class Slow(Desk):
        def open(self, case: Case) -> str:
            opened[case.key] += 1
            if 66 < len(opened) <= 66 + times:  # the batch of 64 begins with the 64th
                clock[0] += timedelta(seconds=seconds)
            if len(opened) > 66 and len(opened) % 5 == 0:
                for entry in store.outbox.claim_some("other", clock[0], LEASE, 2):
                    opened[entry.action.case.key] += 1
                    assert store.outbox.sent(entry, "T-other", clock[0])
            return f"T-{case.key}"

    filed = drain(store.outbox, Slow(), "filer", lambda: clock[0])
    assert filed.errors == ()
    assert set(opened.values()) == {1}
    assert (len(opened), store.outbox.unsent()) == (127, ())


def test_what_a_dead_process_held_is_due_and_what_another_holds_is_not(store: Store) -> None:
    """Process 1 is another's, and lives."""
    with subprocess.Popen(["true"]) as gone:
        pass
    node = os.uname().nodename
    planned(store, *(Open(case(name)) for name in "pqr"))
    for owner in (f"{node}/1/2", f"{node}/{gone.pid}/2", f"elsewhere/{gone.pid}/2"):
        assert store.outbox.claim(owner, NOW, LEASE)
    forsaken(store.outbox, NOW)
    assert [entry.action.case.key for entry in store.outbox.claim_some("me", NOW, LEASE, 9)] == ["q"]

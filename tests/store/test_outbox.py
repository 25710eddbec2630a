"""The outbox: everything leaves, in order per case, and a lost sender is replaced."""

from datetime import timedelta

import pytest
from story import HOUR, LEASE, NOW, case, scan

from agent.model import Close, Emergency, Held, Open, Update
from agent.store import Entry, Store


def claimed(store: Store, at: timedelta = timedelta(0)) -> Entry:
    entry = store.outbox.claim("filer", NOW + at, LEASE)
    assert entry is not None
    return entry


def test_an_entry_is_sent_and_its_case_has_the_ticket(store: Store) -> None:
    scan(store, "r1", actions=(Open(case()),))
    entry = claimed(store)
    assert (Open(case()), "sending", 1, 1, NOW) == (
        entry.action,
        entry.state,
        entry.attempts,
        entry.fence,
        entry.created_at,
    )
    assert store.outbox.claim("other", NOW, LEASE) is None
    assert store.outbox.sent(entry, "issue7", NOW)
    assert [entry.ticket for entry in store.cases.open()] == ["issue7"]
    assert store.outbox.unsent() == ()
    filed = store.ledger.events()[-1]
    assert (filed.kind, filed.body) == ("case.filed", {"outbox": "r1/0/open/C-q", "ref": "issue7"})


def test_what_follows_waits_for_the_opening_and_knows_the_ticket(store: Store) -> None:
    scan(store, "r1", actions=(Open(case()), Open(case("p"))))
    scan(store, "r2", actions=(Update(case(), "more"),))
    scan(store, "r3", actions=(Close(case(), "put back"),))
    opening, of_another = claimed(store), claimed(store)
    assert [opening.action.case.key, of_another.action.case.key] == ["C-q", "C-p"]
    assert store.outbox.claim("filer", NOW, LEASE) is None
    store.outbox.retry(opening, "503", NOW + HOUR)
    assert store.outbox.claim("filer", NOW, LEASE) is None
    opening = claimed(store, HOUR)
    store.outbox.sent(opening, "issue7", NOW)
    update = claimed(store)
    assert Update(case(ticket="issue7"), "more") == update.action
    assert store.outbox.claim("filer", NOW, LEASE) is None
    store.outbox.sent(update, "issue7", NOW)
    assert Close(case(ticket="issue7"), "put back") == claimed(store).action


def test_what_grows_with_a_case_is_not_sent_each_time(store: Store) -> None:
    """A case that stays open for a year has all its events; a ticket system is told none of them."""
    events = tuple(f"e{number}" for number in range(1000))
    grant = Emergency("BG-1", "C-q", "dana", "the role breakglass", NOW, NOW, NOW + HOUR, events, "awaiting-document")
    full = case(events=events, emergencies=(grant,), body="what it is")
    held = case("p", events=events)
    scan(store, "r1", actions=(Open(full), Update(full, "more"), Close(full, "put back"), Held((held,), "too much")))
    assert [entry.action for entry in store.outbox.unsent()] == [
        Open(case(body="what it is")),
        Update(case(body="what it is"), "more"),
        Close(case(body="what it is"), "put back"),
        Held((case("p"),), "too much"),
    ]
    assert store.cases.listed()[0].case.events == events


def test_a_dead_opening_holds_its_case_back_until_it_is_revived(store: Store) -> None:
    scan(store, "r1", actions=(Open(case()),))
    scan(store, "r2", actions=(Update(case(), "more"),))
    assert store.outbox.dead(claimed(store), "401: bad credentials", NOW)
    assert store.outbox.claim("filer", NOW + HOUR, LEASE) is None
    assert [(e.state, e.error) for e in store.outbox.unsent()] == [("dead", "401: bad credentials"), ("waiting", "")]
    assert store.ledger.events()[-1].kind == "case.not-filed"
    assert store.outbox.revive(NOW + HOUR) == 1
    revived = claimed(store, HOUR)
    assert (Open(case()), 2) == (revived.action, revived.attempts)


def test_a_dead_update_holds_nothing_back(store: Store) -> None:
    scan(store, "r1", actions=(Open(case()),))
    scan(store, "r2", actions=(Update(case(), "more"),))
    scan(store, "r3", actions=(Close(case(), "put back"),))
    store.outbox.sent(claimed(store), "issue7", NOW)
    store.outbox.dead(claimed(store), "413: too large", NOW)
    assert isinstance(claimed(store).action, Close)


def test_a_retry_waits_for_its_time(store: Store) -> None:
    scan(store, "r1", actions=(Open(case()),))
    assert store.outbox.retry(claimed(store), "503", NOW + HOUR)
    assert store.outbox.claim("filer", NOW + HOUR - timedelta(microseconds=1), LEASE) is None
    again = claimed(store, HOUR)
    assert (again.attempts, again.error, again.dedup_key) == (2, "503", "r1/0/open/C-q")


def test_what_a_wrong_clock_put_off_is_due_when_it_is_right_again(store: Store) -> None:
    for name, wrong in (("p", timedelta(days=30)), ("q", timedelta(0)), ("r", timedelta(days=30))):
        scan(store, name, at=NOW + wrong, actions=(Open(case(name)),))
    at = {entry.action.case.key: entry for entry in (claimed(store, timedelta(days=30)) for _ in range(3))}
    store.outbox.retry(at["C-p"], "503", NOW + timedelta(days=30) + HOUR)
    store.outbox.retry(at["C-q"], "503", NOW + 2 * HOUR)
    assert store.outbox.is_due(NOW)
    assert [claimed(store).action.case.key for _ in range(2)] == ["C-p", "C-r"]  # and one that is leased until then
    assert not store.outbox.is_due(NOW)
    assert store.outbox.claim("filer", NOW, LEASE) is None
    assert claimed(store, 2 * HOUR).action.case.key == "C-p"  # its lease is over
    assert claimed(store, 2 * HOUR).action.case.key == "C-q"


def test_what_waits_behind_a_dead_opening_is_not_due(store: Store) -> None:
    """Else a process would be started for it, again and again."""
    scan(store, "r1", actions=(Open(case()),))
    scan(store, "r2", actions=(Update(case(), "more"),))
    assert store.outbox.is_due(NOW)
    store.outbox.dead(claimed(store), "401", NOW)
    assert not store.outbox.is_due(NOW + HOUR)


def test_a_lost_sender_is_replaced_and_refused(store: Store) -> None:
    scan(store, "r1", actions=(Open(case()),))
    lost = claimed(store)
    taken = claimed(store, LEASE)
    assert (taken.attempts, taken.fence) == (2, 2)
    assert not store.outbox.sent(lost, "issue7", NOW)
    assert not store.outbox.retry(lost, "late", NOW)
    assert not store.outbox.dead(lost, "late", NOW)
    assert store.outbox.sent(taken, "issue8", NOW)
    assert [entry.ticket for entry in store.cases.open()] == ["issue8"]
    assert [event.kind for event in store.ledger.events()].count("case.filed") == 1


def test_an_alarm_is_sent_and_belongs_to_no_case(store: Store) -> None:
    held = Held((case("a"), case("b")), "a flood")
    scan(store, "r1", actions=(held,))
    entry = claimed(store)
    assert held == entry.action
    assert store.outbox.sent(entry, "mail", NOW)
    assert [entry.ticket for entry in store.cases.open()] == ["", ""]


def test_a_case_that_opens_again_is_filed_after_its_close(store: Store) -> None:
    scan(store, "r1", actions=(Open(case()),))
    scan(store, "r2", actions=(Close(case(), "put back"),))
    scan(store, "r3", actions=(Open(case()),))
    store.outbox.sent(claimed(store), "issue7", NOW)
    closing = claimed(store)
    assert Close(case(ticket="issue7"), "put back") == closing.action
    assert store.outbox.claim("filer", NOW, LEASE) is None
    store.outbox.sent(closing, "issue7", NOW)
    assert Open(case(ticket="issue7")) == claimed(store).action


@pytest.mark.parametrize("number", [30])
def test_each_entry_is_claimed_once(store: Store, number: int) -> None:
    scan(store, "r1", actions=tuple(Open(case(f"q{n}")) for n in range(number)))
    keys = [claimed(store).action.case.key for _ in range(number)]
    assert [f"C-q{n}" for n in range(number)] == keys
    assert store.outbox.claim("filer", NOW, LEASE) is None


def test_some_of_what_is_dead_is_revived_and_the_ledger_says_by_whom(store: Store) -> None:
    scan(store, "r1", actions=(Open(case("p")), Open(case("q")), Open(case("r"))))
    for _ in range(2):
        assert store.outbox.dead(claimed(store), "403", NOW)
    first, second, waiting = store.outbox.unsent()
    assert store.outbox.revive(NOW + HOUR, [first.id, waiting.id, 4711], by="ada") == 1
    assert [one.state for one in store.outbox.unsent()] == ["waiting", "dead", "waiting"]
    told = store.ledger.events()[-1]
    assert (told.kind, told.body) == ("case.revived", {"outbox": [first.dedup_key], "by": "ada"})
    assert store.outbox.revive(NOW + HOUR, [first.id]) == 0, "it is not dead"
    assert store.ledger.events()[-1] == told
    assert claimed(store, HOUR).id == first.id
    assert second.id not in {one.id for one in store.outbox.claim_some("filer", NOW + HOUR, LEASE, 9)}

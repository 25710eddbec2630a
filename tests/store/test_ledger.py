"""The ledger: appended to and nothing else, and what happens to it behind our back shows."""

import hashlib
import json
import threading
from typing import Any

import pytest
from sqlalchemy import text
from story import HOUR, NOW, finding, scan, seen

from agent.store import Head, Store, StoreError, connect
from agent.store.ledger import canonical


@pytest.fixture
def ledger(store: Store) -> Store:
    """A store with events 1 to 9."""
    for number in range(1, 10):
        store.ledger.append("note", {"number": number, "by": "dana"}, NOW + number * HOUR)
    return store


def test_events_come_back_in_order(ledger: Store) -> None:
    assert list(range(1, 10)) == [event.seq for event in ledger.ledger.events()]
    (third,) = ledger.ledger.events(after=2, limit=1)
    assert (third.kind, third.body, third.at) == ("note", {"number": 3, "by": "dana"}, NOW + 3 * HOUR)


def test_a_ledger_as_written_verifies(ledger: Store) -> None:
    verified = ledger.ledger.verify(ledger.ledger.head())
    assert (ledger.ledger.head(), ()) == (verified.head, verified.faults)
    assert verified.head.seq == 9


def test_an_empty_ledger_verifies(store: Store) -> None:
    assert (Head(), ()) == (store.ledger.verify().head, store.ledger.verify(Head()).faults)


def test_the_chain_is_as_documented(ledger: Store) -> None:
    """Recomputed with nothing but the page's words: anyone can."""
    last = bytes(32)
    for event in ledger.ledger.events():
        record = {"at": event.at.isoformat(timespec="microseconds"), "kind": event.kind, "seq": event.seq}
        written = json.dumps(record | {"body": event.body}, sort_keys=True, separators=(",", ":"))
        last = hashlib.sha256(last + written.encode()).digest()
        assert event.hash == last.hex()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"b": [1, True, None], "a": {"ü": "\0"}}, '{"a":{"\\u00fc":"\\u0000"},"b":[1,true,null]}'),
        ({}, "{}"),
        ({"n": 2**70}, '{"n":1180591620717411303424}'),
    ],
)
def test_a_body_has_one_spelling(body: Any, expected: str) -> None:
    assert expected == canonical(body)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"a": [0.5]}, r"body.a\[0\]: a float has no canonical form"),
        ({"a": {1: 2}}, "body.a: a key is a int, must be a string"),
        ({"a": (1,)}, "body.a: a tuple"),
        ({"a": NOW}, "body.a: a datetime"),
    ],
)
def test_a_body_without_one_spelling_is_refused(store: Store, body: Any, says: str) -> None:
    with pytest.raises(TypeError, match=says):
        store.ledger.append("note", body, NOW)
    assert Head() == store.ledger.head()


OVERWRITING = {
    "postgresql": "TRUNCATE {table} CASCADE",
    "sqlite": "INSERT OR REPLACE INTO {table} SELECT * FROM {table}",
}


@pytest.mark.parametrize(("table", "column"), [("events", "body"), ("verdicts", "outcome"), ("inputs", "sha256")])
def test_rows_cannot_be_changed(store: Store, table: str, column: str) -> None:
    scan(store, "r1", seen=seen(finding()))
    before = rows(store, table)
    assert before
    overwriting = OVERWRITING[store.database.engine.dialect.name]
    for statement in ("UPDATE {table} SET {column} = {column}", "DELETE FROM {table}", overwriting):
        with pytest.raises(StoreError, match="append-only"):
            tamper(store, statement.format(table=table, column=column))
    assert before == rows(store, table)


EVENT_9 = "SELECT hash FROM events WHERE seq = 9"
TAMPERING = [
    ("UPDATE events SET body = replace(body, 'dana', 'mall') WHERE seq = 5", ("event 5 does not match its hash",)),
    ("UPDATE events SET kind = 'nota' WHERE seq = 5", ("event 5 does not match its hash",)),
    (f"UPDATE events SET hash = ({EVENT_9}) WHERE seq = 5", ("event 5 does not match", "event 6 does not match")),
    ("UPDATE events SET hash = 'zz' WHERE seq = 5", ("event 5 does not match", "event 6 cannot be hashed")),
    ("UPDATE events SET body = 'ü' WHERE seq = 5", ("event 5 cannot be hashed",)),
    ("DELETE FROM events WHERE seq = 5", ("event 6 stands where event 5 should",)),
    ("DELETE FROM events WHERE seq IN (1, 2)", ("event 3 stands where event 1 should",)),
    ("UPDATE events SET seq = seq - 100 WHERE seq = 1", ("event -99 stands where event 1 should",)),
    # A row moved to another place, its number with it.
    (
        "UPDATE events SET seq = 50 WHERE seq = 3; UPDATE events SET seq = 3 WHERE seq = 4; "
        "UPDATE events SET seq = 4 WHERE seq = 50",
        ("event 3 does not match", "event 4 does not match"),
    ),
]


@pytest.mark.parametrize(("statements", "faults"), TAMPERING)
def test_tampering_shows(ledger: Store, statements: str, faults: tuple[str, ...]) -> None:
    drop_guards(ledger)
    tamper(ledger, *statements.split("; "))
    found = ledger.ledger.verify().faults
    assert all(fault in said for fault, said in zip(faults, found, strict=False)), found
    assert len(found) >= len(faults)


def test_a_time_that_was_changed_shows(ledger: Store) -> None:
    drop_guards(ledger)
    tamper(ledger, "UPDATE events SET at = (SELECT at FROM events WHERE seq = 6) WHERE seq = 5")
    assert ledger.ledger.verify().faults == ("event 5 does not match its hash",)


def test_a_time_that_is_none_shows(sqlite_url: str) -> None:
    with connect(sqlite_url) as store:
        store.ledger.append("note", {}, NOW)
        drop_guards(store)
        tamper(store, "UPDATE events SET at = 'yesterday'")
        (fault,) = store.ledger.verify().faults
    assert fault.startswith("an event after 0 cannot be read: ")


def test_a_cut_off_end_shows_against_a_head(ledger: Store) -> None:
    head = ledger.ledger.head()
    drop_guards(ledger)
    tamper(ledger, "DELETE FROM events WHERE seq > 7")
    assert ledger.ledger.verify().faults == ()
    assert ledger.ledger.verify(head).faults == ("event 9, the head given, is missing: the ledger ends at 7",)
    tamper(ledger, "DELETE FROM events")
    assert ledger.ledger.verify(head).faults == ("event 9, the head given, is missing: the ledger ends at 0",)


def test_a_ledger_written_anew_shows_against_a_head(ledger: Store) -> None:
    head = ledger.ledger.head()
    drop_guards(ledger)
    tamper(ledger, "DELETE FROM events")
    for number in range(12):
        ledger.ledger.append("note", {"number": number, "by": "mallory"}, NOW)
    assert ledger.ledger.verify().faults == ()
    assert ledger.ledger.verify(head).faults == ("event 9, the head given, is another one",)


def test_an_older_head_stays_valid_as_the_ledger_grows(ledger: Store) -> None:
    head = ledger.ledger.head()
    ledger.ledger.append("note", {}, NOW)
    assert ledger.ledger.verify(head).faults == ()


def test_writers_at_the_same_time_make_one_chain(url: str) -> None:
    with connect(url) as one, connect(url) as other:

        def write(store: Store) -> None:
            for _ in range(15):
                store.ledger.append("note", {"by": threading.current_thread().name}, NOW)

        writers = [threading.Thread(target=write, args=(store,)) for store in (one, other) * 2]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        verified = one.ledger.verify()
    assert (verified.head.seq, verified.faults) == (60, ())


def rows(store: Store, table: str) -> list[Any]:
    with store.database.read() as connection:
        return [tuple(row) for row in connection.execute(text(f"SELECT * FROM {table}"))]


def tamper(store: Store, *statements: str) -> None:
    with store.database.write() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def drop_guards(store: Store) -> None:
    if store.database.engine.dialect.name == "postgresql":
        tamper(store, "ALTER TABLE events DISABLE TRIGGER ALL")
    else:
        tamper(store, *(f"DROP TRIGGER events_{act}" for act in ("update", "delete", "replace")))

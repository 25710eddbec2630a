"""A store of many years: what is looked at every few seconds or every night costs what is new, not all there is."""

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, delete, event, insert
from story import HOUR, NOW, case, scan

from agent.model import Action, Case, Close, Held, KeyUse, Open, Tally, Update
from agent.store import Kept, Store, connect, journal, ledger, schema
from agent.store.cases import Cases
from agent.store.database import Database
from agent.tables import Config
from agent.upkeep import prune

DAY = timedelta(days=1)
OLD = NOW - 500 * DAY


@contextmanager
def steps(store: Store, every: int = 100) -> Iterator[Callable[[], int]]:
    """How many instructions SQLite's machine has run, in hundreds: work, on any machine the same."""
    run = [0]

    def count() -> None:
        run[0] += 1

    def counted(connection: Any) -> None:
        connection.connection.driver_connection.set_progress_handler(count, every)

    event.listen(store.database.engine, "begin", counted)
    yield lambda: run[0]
    event.remove(store.database.engine, "begin", counted)


@contextmanager
def writes(engine: Engine) -> Iterator[list[str]]:
    """Every transaction that took the lock of writers."""
    begun: list[str] = []

    def told(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        begun.extend([statement] if statement == "BEGIN IMMEDIATE" else [])

    event.listen(engine, "before_cursor_execute", told)
    yield begun
    event.remove(engine, "before_cursor_execute", told)


def judged(store: Store, looks: int) -> None:
    """So many old looks, each with a verdict: they stay as long as evidence does."""
    row = {"started_at": OLD, "finished_at": OLD, "status": "clean", "config_sha256": "c", "ruleset_sha256": "r"}
    verdict = {"at": OLD, "outcome": "unauthorised", "body": "x" * 400, "inputs_sha256": "s"}
    names = [f"look-{number:05}" for number in range(looks)]
    with store.database.write() as connection:
        connection.execute(schema.inputs.insert(), {"sha256": "s", "body": b"x"})
        connection.execute(schema.scans.insert(), [{"run_id": one, "kind": "trail", **row} for one in names])
        rows = [{"finding_id": f"F-{one}", "run_id": one, **verdict} for one in names]
        connection.execute(schema.verdicts.insert(), rows)


def test_a_night_costs_what_there_is_once_and_holds_nobody_up(tmp_path: Any) -> None:
    cost = {}
    for looks in (1_500, 3_000):
        with connect(f"sqlite:///{tmp_path}/{looks}.db") as store:
            judged(store, looks)
            with steps(store) as run, writes(store.database.engine) as begun:
                assert prune(Config(), store, NOW).scans == 0
            cost[looks] = run()
            assert begun == []
            scan(store, "nothing", OLD, kind="trail")
            with writes(store.database.engine) as begun:
                assert prune(Config(), store, NOW).scans == 1
            assert len(begun) == 3, "the document, its pieces and the look"
    assert cost[3_000] < 2.5 * cost[1_500]


def test_what_is_needed_again_when_it_is_to_be_dropped_stays(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked for without the lock: a job may become due in between."""
    for name in ("gone", "yearly"):
        store.jobs.ended(name, OLD, "ok")
    write = Database.write

    def due(database: Database) -> Any:
        monkeypatch.setattr(Database, "write", write)
        store.jobs.due("yearly", NOW + DAY)
        return write(database)

    monkeypatch.setattr(Database, "write", due)
    assert prune(Config(), store, NOW).others == 1
    assert set(store.jobs.all()) == {"yearly"}


def test_the_last_scan_is_found_however_many_there_were(sqlite_url: str) -> None:
    row = {"finished_at": OLD, "status": "clean", "config_sha256": "c", "ruleset_sha256": "r"}
    with connect(sqlite_url) as store:
        with store.database.write() as connection:
            looks = [
                {"run_id": f"look-{n:05}", "kind": "trail", "started_at": OLD + n * HOUR, **row} for n in range(4_000)
            ]
            connection.execute(insert(schema.scans), looks)
        scan(store, "whole", OLD)
        with steps(store) as run:
            assert [one.run_id for one in store.scans.last(2)] == ["look-03999", "look-03998"]
            assert [one.run_id for one in store.scans.last(1, "whole")] == ["whole"]
            assert store.scans.document() is not None
        assert run() < 10


# --- cases ---------------------------------------------------------------------------------------------------


def told(random_: random.Random, known: dict[str, Case]) -> Action:
    """Something that a plan may say, of a case that is there or not, and whether or not it holds."""
    name = f"c{random_.randrange(3)}"
    one = known.setdefault(name, case(name, body="as first told"))
    one = known[name] = replace(one, body=f"{random_.random()}", severity=random_.choice(["low", "high"]))
    kinds = [Open(one), Update(one, "more"), Close(one, f"{random_.random()}"), Close(one, "so"), Held((one,), "much")]
    return random_.choice(kinds)


@pytest.mark.parametrize("seed", range(2))
def test_cases_are_told_as_they_are_whatever_was_told_before(store: Store, seed: int) -> None:
    """Closed ones are remembered: opened again, told on, closed again, filed late, pruned, and by another process."""
    random_, known = random.Random(seed), dict[str, Case]()
    seen = set()
    with connect(store.database.engine.url.render_as_string(hide_password=False)) as other:
        for number in range(32):
            one = random_.choice([store, other])
            at = NOW + random_.randrange(-5, 50) * HOUR
            scan(one, f"r{number}", at, actions=tuple(told(random_, known) for _ in range(random_.randrange(3))))
            for entry in one.outbox.claim_some("me", at, HOUR, random_.randrange(3)):
                one.outbox.sent(entry, f"T-{random_.randrange(4)}", at)
            if number == 24:
                with other.database.write() as connection:
                    connection.execute(delete(schema.outbox))
                    connection.execute(delete(schema.cases).where(schema.cases.c.state == "closed"))
                    ledger.append(connection, [(ledger.PRUNED, {"through": 1})], at)
            if random_.random() < 0.5 or number == 24:
                as_it_is = Cases(store.database).listed()
                assert store.cases.listed() == as_it_is == store.cases.listed()
                assert store.cases.open() == tuple(one.case for one in as_it_is if one.case.state != "closed")
                seen |= {one.case.state for one in as_it_is}
    assert seen == {"open", "closed", "held"}


def test_closed_cases_are_read_once(sqlite_url: str) -> None:
    with connect(sqlite_url) as store:
        closed = [case(f"c{number}", body="x" * 500) for number in range(300)]
        scan(store, "r1", actions=tuple(map(Open, closed)))
        scan(store, "r2", actions=tuple(Close(one, "gone") for one in closed))
        with steps(store, every=1) as run:
            first = {one.case.key: one for one in store.cases.listed()}
        all_of_them = run()
        scan(store, "r3", actions=(Open(case("new")), Open(closed[0]), Close(closed[0], "gone again")))
        opening = store.outbox.claim_some("me", NOW, HOUR, 2)
        assert store.outbox.sent_all([(one, "T-9") for one in opening], NOW) == 2
        with steps(store, every=1) as run:
            again = {one.case.key: one for one in store.cases.listed()}
        assert again.keys() - first.keys() == {"C-new"}
        assert {key for key, one in first.items() if again[key] is not one} == {closed[0].key, closed[1].key}
        assert again[closed[1].key].case.ticket == "T-9"
        assert run() < all_of_them / 3


def test_a_case_that_is_closed_while_cases_are_read_is_there(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL shows each query what was written before it: it is open no more, and was not closed before."""
    with connect(postgres_url) as store, connect(postgres_url) as other:
        scan(store, "r1", actions=(Open(case("a")), Open(case("b")), Close(case("b"), "gone")))
        store.cases.listed()
        closed = Cases._closed

        def closed_meanwhile(*given: Any) -> Any:
            found = closed(*given)
            scan(other, "r2", actions=(Close(case("a"), "gone"),))
            return found

        monkeypatch.setattr(Cases, "_closed", closed_meanwhile)
        assert [(one.case.key, one.case.state) for one in store.cases.listed()] == [
            ("C-a", "closed"),
            ("C-b", "closed"),
        ]


# --- two that keep -------------------------------------------------------------------------------------------


def test_two_processes_count_the_same_new_hour(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event process and a scan: each finds nothing there, and neither may fail for what the other puts there."""
    both, look = threading.Barrier(2), journal._locked
    been = threading.local()

    def looked(*given: Any) -> Any:
        row = look(*given)
        if not hasattr(been, "here"):
            been.here = True
            with suppress(threading.BrokenBarrierError):  # one is not let in before the other has left
                both.wait(0.5)
        return row

    monkeypatch.setattr(journal, "_locked", looked)
    used, counted = KeyUse("AKIA1", NOW, "arn", "1", 2), Tally("1", "r", NOW, 3, NOW)
    kept = Kept(tallies=[counted], key_use=[used], checkpoint={}, once=True)
    with connect(url) as scanning, connect(url) as events, ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(one.journal.keep, "feed", kept, NOW) for one in (scanning, events)]:
            assert done.result() == 0
        assert [one.events for one in scanning.journal.tallies(NOW, NOW + HOUR)] == [6]
        assert [one.calls for one in scanning.journal.key_use(NOW)] == [4]

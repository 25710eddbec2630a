"""The unit table: no unit twice, none lost, and nothing from a worker that was given up."""

import subprocess
import sys
import threading
from collections import Counter
from datetime import timedelta

import pytest
from story import LEASE, NOW

from agent.store import Store, StoreError, Unit, UnitSpec, connect
from agent.store.units import MAX_ATTEMPTS

LIVE = UnitSpec("live", "123456789012/eu-west-1/sqs", {"regions": ("eu-west-1",), "account": "123456789012"})
JOIN = UnitSpec("join", "join")


@pytest.fixture
def run(store: Store) -> str:
    store.scans.begin("r1", NOW, "", "")
    return "r1"


def claimed(store: Store, owner: str = "a", at: timedelta = timedelta(0)) -> Unit:
    unit = store.units.claim("r1", owner, NOW + at, LEASE)
    assert unit is not None
    return unit


def test_a_unit_is_claimed_done_and_read(store: Store, run: str) -> None:
    store.units.add(run, [LIVE])
    unit = claimed(store)
    assert ("live", LIVE.name, LIVE.args, "running", "a", NOW + LEASE, 1, 1) == (
        unit.kind,
        unit.name,
        unit.args,
        unit.state,
        unit.owner,
        unit.lease_until,
        unit.fence,
        unit.attempts,
    )
    assert store.units.claim(run, "b", NOW, LEASE) is None
    assert store.units.finish(unit, b"\x00answer")
    ((done, result),) = store.units.results(run)
    assert (done.state, result) == ("done", b"\x00answer")


def test_units_are_claimed_in_order_and_by_kind(store: Store, run: str) -> None:
    store.units.add(run, [UnitSpec("declared", "s1"), UnitSpec("live", "l1"), UnitSpec("declared", "s2")])
    first = store.units.claim(run, "a", NOW, LEASE, kinds=("live", "trail"))
    assert first
    assert [first.name, claimed(store).name, claimed(store).name] == ["l1", "s1", "s2"]


def test_adding_twice_adds_once(store: Store, run: str) -> None:
    store.units.add(run, [LIVE])
    claimed(store)
    store.units.add(run, [LIVE, JOIN])
    assert [unit.state for unit, _ in store.units.results(run)] == ["running", "waiting"]


def test_units_belong_to_a_scan(store: Store, run: str) -> None:
    with pytest.raises(StoreError, match=r"(?i)foreign key"):
        store.units.add("r9", [LIVE])
    store.units.add(run, [LIVE])
    assert store.units.claim("r9", "a", NOW, LEASE) is None


def test_the_join_comes_when_all_others_have_ended(store: Store, run: str) -> None:
    store.units.add(run, [JOIN, UnitSpec("live", "l1"), UnitSpec("live", "l2")])
    one, two = claimed(store), claimed(store)
    store.units.finish(one, b"1")
    assert store.units.claim(run, "a", NOW, LEASE) is None
    for _ in range(MAX_ATTEMPTS - 1):
        store.units.fail(two, "denied")
        two = claimed(store)
    store.units.fail(two, "denied")
    join = claimed(store)
    assert join.kind == "join"
    assert store.units.counts(run) == {"done": 1, "failed": 1, "running": 1}


def test_the_join_waits_for_its_own_run_only(store: Store, run: str) -> None:
    store.scans.begin("r2", NOW, "", "")
    store.units.add("r2", [LIVE])
    store.units.add(run, [JOIN])
    assert claimed(store).kind == "join"


def test_a_failing_unit_is_tried_again_and_then_no_more(store: Store, run: str) -> None:
    store.units.add(run, [LIVE])
    for attempt in range(1, MAX_ATTEMPTS + 1):
        unit = claimed(store)
        assert attempt == unit.attempts
        assert store.units.fail(unit, f"denied, {attempt}")
    assert store.units.claim(run, "a", NOW, LEASE) is None
    ((failed, result),) = store.units.results(run)
    assert ("failed", f"denied, {MAX_ATTEMPTS}", None) == (failed.state, failed.error, result)


def test_an_expired_lease_is_claimed_with_a_higher_fence(store: Store, run: str) -> None:
    store.units.add(run, [LIVE])
    lost = claimed(store, "a")
    assert store.units.claim(run, "b", NOW + LEASE - timedelta(microseconds=1), LEASE) is None
    taken = claimed(store, "b", LEASE)
    assert (taken.fence, taken.attempts, taken.owner) == (2, 2, "b")
    assert not store.units.finish(lost, b"late")
    assert not store.units.fail(lost, "late")
    assert not store.units.renew(lost, NOW + 9 * LEASE)
    assert store.units.finish(taken, b"right")
    assert not store.units.finish(lost, b"later")
    assert not store.units.finish(taken, b"twice")
    assert [result for _, result in store.units.results(run)] == [b"right"]


def test_a_slow_worker_that_was_not_replaced_may_finish(store: Store, run: str) -> None:
    store.units.add(run, [LIVE])
    slow = claimed(store)
    assert store.units.finish(slow, b"late, and the only one")


def test_a_renewed_lease_holds(store: Store, run: str) -> None:
    store.units.add(run, [LIVE])
    unit = claimed(store)
    assert store.units.renew(unit, NOW + 3 * LEASE)
    assert store.units.claim(run, "b", NOW + 2 * LEASE, LEASE) is None
    assert store.units.finish(unit, b"")


def test_a_unit_that_kills_its_workers_is_parked(store: Store, run: str) -> None:
    store.units.add(run, [LIVE, JOIN])
    for attempt in range(MAX_ATTEMPTS):
        assert claimed(store, at=attempt * LEASE).kind == "live"
    assert claimed(store, at=MAX_ATTEMPTS * LEASE).kind == "join"
    assert [unit.error for unit, _ in store.units.results(run)] == ["its worker was lost 3 times", ""]


def test_threads_never_claim_a_unit_twice(url: str) -> None:
    names = [f"u{n}" for n in range(80)]
    got: list[str] = []
    with connect(url) as one, connect(url) as other:
        one.scans.begin("r1", NOW, "", "")
        one.units.add("r1", [UnitSpec("live", name) for name in names])

        def work(store: Store) -> None:
            while unit := store.units.claim("r1", threading.current_thread().name, NOW, LEASE):
                got.append(unit.name)
                assert store.units.finish(unit, unit.name.encode())

        workers = [threading.Thread(target=work, args=(store,)) for store in (one, other) * 3]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert Counter(names) == Counter(got)
        assert {name: name.encode() for name in names} == {unit.name: r for unit, r in one.units.results("r1")}


WORKER = """
import sys
from datetime import datetime, timedelta
from agent.store import connect
with connect(sys.argv[1]) as store:
    while unit := store.units.claim("r1", "p", datetime.fromisoformat(sys.argv[2]), timedelta(minutes=5)):
        assert store.units.finish(unit, b"")
        print(unit.name)
"""


def test_processes_never_claim_a_unit_twice(url: str) -> None:
    names = [f"u{n}" for n in range(60)]
    with connect(url) as store:
        store.scans.begin("r1", NOW, "", "")
        store.units.add("r1", [UnitSpec("live", name) for name in names])
    command = [sys.executable, "-c", WORKER, url, NOW.isoformat()]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    got = [name for worker in workers for name in worker.communicate(timeout=60)[0].split()]
    assert [worker.returncode for worker in workers] == [0, 0]
    assert Counter(names) == Counter(got)


def test_two_processes_create_a_store_at_once(url: str) -> None:
    command = [sys.executable, "-c", "import sys; from agent.store import connect; connect(sys.argv[1])", url]
    workers = [subprocess.Popen(command) for _ in range(3)]
    assert [worker.wait(timeout=60) for worker in workers] == [0, 0, 0]
    with connect(url) as store:
        assert store.scans.last() == ()

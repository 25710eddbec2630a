"""Who leads, who may write, and whose turn it is: between processes that are stopped and killed, on both engines."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from story import HOUR, NOW

from agent.store import Fenced, Leader, Made, Store, StoreError, StoreLock, connect, database, lock, schema


@dataclass(frozen=True)
class Process:
    """Another process that has the store open; see `leader.py`."""

    child: subprocess.Popen[str]

    def tell(self, word: str) -> None:
        assert self.child.stdin
        self.child.stdin.write(f"{word}\n")
        self.child.stdin.flush()

    def answer(self) -> str:
        assert self.child.stdout
        return self.child.stdout.readline().strip()

    def ask(self, word: str) -> str:
        self.tell(word)
        return self.answer()

    def signal(self, number: signal.Signals) -> None:
        self.child.send_signal(number)
        if number == signal.SIGKILL:
            self.child.wait()


@pytest.fixture
def other(url: str, store: Store) -> Iterator[Process]:
    command = [sys.executable, str(Path(__file__).with_name("leader.py")), url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield Process(child)
        finally:
            child.kill()


def test_a_leaders_life(store: Store, other: Process) -> None:
    """It leads, is stopped, another takes over, it wakes and writes nothing; when it dies its lock is free at once."""
    lock = StoreLock(store.database)
    assert store.leadership.seen() is None
    assert [other.ask(word) for word in ("lock", "take", "beat", "write")] == ["True", "1", "True", "written"]
    assert not lock.acquire()
    seen = store.leadership.seen()
    assert seen is not None
    assert (seen.fence, seen.owner, seen.beat) == (1, "child", 1)
    other.signal(signal.SIGSTOP)
    assert not lock.acquire(), "a stopped process keeps its lock"
    assert store.leadership.take("me", NOW) == 2
    assert store.leadership.seen() == Leader(2, "me", NOW, 0)
    other.tell("write")
    other.tell("beat")
    other.signal(signal.SIGCONT)
    assert [other.answer(), other.answer()] == ["fenced", "False"]
    other.signal(signal.SIGKILL)
    assert lock.acquire()
    assert lock.acquire(), "it is still held"
    lock.release()
    lock.release()


def test_one_inside_at_a_time(store: Store, other: Process) -> None:
    """Also between threads; and whoever dies inside lets the next one in."""
    order = []

    def inside(name: str) -> None:
        with store.exclusive("line"):
            order.append(name)

    assert other.ask("hold") == "inside"
    waiting = [threading.Thread(target=inside, args=(name,)) for name in "ab"]
    for one in waiting:
        one.start()
    assert order == []
    other.signal(signal.SIGKILL)
    for one in waiting:
        one.join(60)
    assert sorted(order) == ["a", "b"]
    with store.exclusive("line"), store.exclusive("other"):
        pass


def test_a_new_leader_waits_for_nobody_of_an_earlier_one(
    url: str, store: Store, other: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it left inside may be stopped for ever. Whoever has no fence waits for it, and says so in the end."""
    assert [other.ask(word) for word in ("take", "hold")] == ["1", "inside"]
    other.signal(signal.SIGSTOP)
    entered = []
    monkeypatch.setattr(lock, "LONGEST", 0.05)
    with connect(url, fence=store.leadership.take("me", NOW)) as mine, connect(url, fence=2) as its_child:
        with mine.exclusive("line"):
            entered.append("new leader")
            for one in (store, its_child):
                with pytest.raises(StoreError, match=r"in the middle of it.*: end it \("), one.exclusive("line"):
                    entered.append("a second")
        with its_child.exclusive("line"):
            entered.append("its child")
    other.signal(signal.SIGKILL)
    with connect(url, fence=2) as its_child, store.exclusive("line"):
        waits = its_child.exclusive("line")
        with pytest.raises(StoreError, match="end it"):
            waits.__enter__()
    assert entered == ["new leader", "its child"]


def test_every_write_of_a_fenced_process_is_refused(url: str, store: Store) -> None:
    with connect(url, fence=store.leadership.take("a", NOW)) as old:
        old.jobs.due("job", NOW)
        store.leadership.take("b", NOW)
        for write in (
            lambda: old.jobs.due("job", NOW + HOUR),
            lambda: old.jobs.ended("job", NOW, "ok"),
            lambda: old.scans.begin("r1", NOW, "", ""),
            lambda: old.ledger.append("note", {}, NOW),
            lambda: old.settings.keep("authority", "{}", NOW, []),
            lambda: old.outbox.claim("a", NOW, HOUR),
            lambda: old.journal.forget(NOW),
            lambda: old.reports.keep(Made("w", "weekly", NOW, NOW, NOW, "ab", {})),
        ):
            with pytest.raises(Fenced, match="wrote under number 1, and now 2 leads: another daemon took over"):
                write()
        assert old.jobs.all() == store.jobs.all(), "it may still read"
    assert store.jobs.all()["job"].due_at == NOW
    assert store.ledger.head().seq == 0
    with connect(url, fence=7) as never, pytest.raises(Fenced):
        never.jobs.due("job", NOW)


def test_a_fence_is_above_that_of_the_store_it_replaces(store: Store) -> None:
    assert store.leadership.take("a", NOW, above=41) == 42
    assert store.leadership.take("a", NOW) == 43


def test_nobody_led_yet(url: str, store: Store) -> None:
    with connect(url, fence=1) as early, pytest.raises(Fenced, match="now nobody leads"):
        early.jobs.due("job", NOW)


def test_a_beat_does_not_wait_for_a_long_write(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a new leader does: what is being written ends, or is ended, first."""
    monkeypatch.setattr(database, "WAIT_MS", 200)
    with connect(postgres_url) as store:
        fence = store.leadership.take("a", NOW)
        with connect(postgres_url, fence=fence) as child, child.database.write() as connection:
            connection.execute(schema.jobs.delete())
            assert store.leadership.beat(fence)
            with pytest.raises(StoreError, match="lock timeout"):
                store.leadership.take("b", NOW)
        assert store.leadership.take("b", NOW) == fence + 1


def test_a_write_that_was_stopped_half_way_is_ended(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(postgres_url).close()  # a machine may take longer over the schema than what follows allows
    monkeypatch.setattr(database, "IDLE_MS", 300)
    with connect(postgres_url) as store, connect(postgres_url) as stopped:
        with pytest.raises(StoreError, match="idle-in-transaction timeout"), stopped.database.write() as connection:
            connection.execute(schema.jobs.delete())
            store.leadership.take("b", NOW)  # waits for nothing: the other holds no fence
            with store.database.write() as mine:  # waits until the server has ended the other
                mine.exec_driver_sql("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE")
            connection.execute(schema.jobs.delete())
        stopped.jobs.due("job", NOW)


def test_two_stores_in_one_postgresql_database_have_locks_of_their_own(postgres_url: str, store: Store) -> None:
    with connect(postgres_url) as one:
        mine, its = StoreLock(one.database), StoreLock(store.database)
        assert mine.acquire()
        assert its.acquire() or one.database.name == store.database.name
        mine.release()
        its.release()


def test_a_lock_that_the_server_took_away_is_noticed(postgres_url: str) -> None:
    with connect(postgres_url) as store:
        lock, other = StoreLock(store.database), StoreLock(store.database)
        assert lock.acquire()
        with store.database.read() as connection:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
            )
        assert other.acquire()
        assert not lock.acquire()
        other.release()
        assert lock.acquire()
        lock.release()


def test_a_lock_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    (tmp_path / "store.db.lock").mkdir()
    with pytest.raises(
        StoreError, match=r"store\.db\.lock: the lock beside the store cannot be opened: Is a directory"
    ):
        StoreLock(tmp_path / "store.db").acquire()

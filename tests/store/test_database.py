"""Opening a store: what is created, how it is set, and what is refused."""

import errno
import fcntl
import os
import sqlite3
import stat
import sys
import time
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from datetime import datetime
from pathlib import Path

import older
import psycopg
import pytest
from sqlalchemy import inspect
from story import NOW, case, finding, reading, scan, seen, state, ticket

from agent.model import Open
from agent.store import Store, StoreError, connect, database, schema, versions
from agent.store.database import journal_mode


def test_a_new_store_is_empty_and_opens_again(url: str) -> None:
    with connect(url) as first:
        scan(first, "r1")
    with connect(url) as again:
        assert [known.run_id for known in again.scans.last()] == ["r1"]
        with again.database.read() as connection:
            assert set(schema.METADATA.tables) == set(inspect(connection).get_table_names())


@pytest.mark.parametrize(
    ("version", "mode"), [((3, 40, 1), "truncate"), ((3, 51, 2), "truncate"), ((3, 51, 3), "wal"), ((4, 0, 0), "wal")]
)
def test_wal_only_where_sqlite_cannot_corrupt_it(version: tuple[int, int, int], mode: str) -> None:
    assert mode == journal_mode(version)


def test_a_file_another_program_keeps_in_another_mode_is_refused(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a newer SQLite made it a WAL file, and still has it open."""
    connect(sqlite_url).close()
    monkeypatch.setattr(database, "WAIT_MS", 10)
    monkeypatch.setattr(database, "journal_mode", lambda version: "truncate")
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as other:
        other.execute("PRAGMA journal_mode = wal")
        other.execute("SELECT * FROM scans").fetchall()
        with pytest.raises(StoreError, match="database is locked"):
            connect(sqlite_url)
    connect(sqlite_url).close()


def test_sqlite_is_set_to_keep_what_it_was_given(sqlite_url: str) -> None:
    expected = {
        "journal_mode": journal_mode(sqlite3.sqlite_version_info),
        "synchronous": 2,
        "foreign_keys": 1,
        "trusted_schema": 0,
        "busy_timeout": 30_000,
        "mmap_size": 0,
        "application_id": 0x44726674,
        "user_version": schema.VERSION,
    }
    with connect(sqlite_url) as store, store.database.read() as connection:
        actual = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in expected}
    assert expected == actual


@pytest.mark.skipif(sqlite3.sqlite_version_info < (3, 37), reason="SQLite has strict tables from 3.37 on")
def test_sqlite_tables_are_strict(sqlite_url: str) -> None:
    with connect(sqlite_url) as store, store.database.read() as connection:
        strict = connection.exec_driver_sql("SELECT count(*) FROM pragma_table_list WHERE strict").scalar()
    assert len(schema.METADATA.tables) == strict


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        connect(f"sqlite:///{tmp_path}/new/store.db").close()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "new" / "store.db").stat().st_mode) == 0o600


def locks_on(path: Path) -> int:
    """How many locks the kernel knows of this process on a file."""
    its_own = f":{path.stat().st_ino} "
    held = Path("/proc/locks").read_text().splitlines()
    return sum("POSIX" in one and f" {os.getpid()} " in one and its_own in one for one in held)


@pytest.mark.parametrize("mode", ["truncate", "wal"])
def test_opening_it_again_drops_no_lock(tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """To close any handle on the file would, and another process would then take the WAL away that this one writes."""
    monkeypatch.setattr(database, "journal_mode", lambda version: mode)
    path, url = tmp_path / "store.db", f"sqlite:///{tmp_path}/store.db"
    with connect(url) as first, first.database.read() as connection:
        connection.exec_driver_sql("SELECT count(*) FROM events").all()
        before = locks_on(path)
        with connect(url):
            pass
        assert locks_on(path) == before > 0


def test_a_link_to_a_store_that_is_not_there_yet(tmp_path: Path) -> None:
    (tmp_path / "store.db").symlink_to(tmp_path / "elsewhere.db")
    connect(f"sqlite:///{tmp_path}/store.db").close()
    assert stat.S_IMODE((tmp_path / "elsewhere.db").stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes for others")
def test_what_root_makes_beside_it_is_the_owners(tmp_path: Path) -> None:
    os.chown(tmp_path, 4321, 4321)
    with connect(f"sqlite:///{tmp_path}/store.db") as store, store.exclusive("line"):
        scan(store, "r1")
    assert {one.name: one.stat().st_uid for one in tmp_path.glob("store.db.*")} == {
        "store.db.turn": 4321,
        "store.db.line": 4321,
    }


def test_a_turn_is_waited_for_where_sleeping_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does under libfaketime, when the clock is put back."""

    def refuse(_: float) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    with connect(f"sqlite:///{tmp_path}/store.db") as store:
        other = os.open(tmp_path / "store.db.turn", os.O_RDWR)
        fcntl.flock(other, fcntl.LOCK_EX)
        monkeypatch.setattr(time, "sleep", refuse)
        with ThreadPoolExecutor(1) as pool:
            wrote = pool.submit(scan, store, "r1")
            assert not wait([wrote], 0.1).done
            os.close(other)
            assert wrote.result()


def test_a_store_of_another_version_is_refused(url: str) -> None:
    with connect(url) as store, store.database.write() as connection:
        connection.execute(schema.marker.update().values(version=9))
    with pytest.raises(StoreError, match="its schema is version 9, this driftwarden knows version 5"):
        connect(url)


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_an_older_store_is_brought_up_and_loses_nothing(url: str, version: int) -> None:
    with connect(url) as store:
        scan(store, "r1", seen=seen(finding()), accepted=(reading(),), actions=(Open(case()),))
        older.make(store.database, version)
    with connect(url) as store:
        with store.database.read() as connection:
            assert versions.found(connection) == schema.VERSION
            if connection.dialect.name == "sqlite":
                assert connection.exec_driver_sql("PRAGMA user_version").scalar() == schema.VERSION
        assert list(store.findings.open()) == [finding().id]
        assert list(store.readings.accepted()) == [reading().key]
        assert store.states.last() == {}
        assert scan(store, "r2", states=(state(),))
        assert list(store.states.last()) == ["shop"]
        assert store.journal.counts() == {}
        assert store.ledger.verify().faults == ()


def test_a_store_without_a_version_is_refused(url: str) -> None:
    with connect(url) as store, store.database.write() as connection:
        connection.execute(schema.marker.delete())
    with pytest.raises(StoreError, match="names the schema's version, is empty"):
        connect(url)


def test_another_programs_sqlite_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE recipes (name TEXT)")
    with pytest.raises(StoreError, match=r"holds tables of another program \(recipes\)"):
        connect(f"sqlite:///{path}")
    with sqlite3.connect(path) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("recipes",)]


def test_another_programs_tables_on_postgresql_are_refused(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute("CREATE TABLE events (name text)")
    with pytest.raises(StoreError, match=r"tables of another program \(events\); give driftwarden a database of its"):
        connect(postgres_url)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("groceries\n" * 100)
    with pytest.raises(StoreError, match="file is not a database"):
        connect(f"sqlite:///{path}")
    assert path.read_text() == "groceries\n" * 100


def test_a_damaged_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    connect(f"sqlite:///{path}").close()
    path.write_bytes(path.read_bytes()[:100] + b"\xff" * 8000)
    with pytest.raises(StoreError, match=r"store\.db: .*malformed"):
        connect(f"sqlite:///{path}")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("store.db", "not a URL; use sqlite:///path"),
        ("mysql://root@host/db", r"mysql:// is not supported; use sqlite:///path or postgresql://"),
        ("sqlite://", "SQLite needs a file"),
        ("sqlite:///:memory:", "SQLite needs a file"),
        ("sqlite:///store.db?mode=ro", "SQLite needs a file and nothing else"),
        ("sqlite:////proc/none/store.db", "store /proc/none/store.db: No such file or directory"),
        ("postgresql://dana:hunter2@127.0.0.1:1/db", r"store postgresql://dana:\*\*\*@127.0.0.1:1/db: .*refused"),
    ],
)
def test_a_url_that_is_no_store_is_refused(url: str, says: str) -> None:
    with pytest.raises(StoreError, match=says) as caught:
        connect(url)
    assert "hunter2" not in str(caught.value)


def test_postgresql_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match=r"needs the package psycopg: pip install 'driftwarden\[postgres\]'"):
        connect("postgresql://host/db")


def test_an_error_does_not_quote_the_data(store: Store) -> None:
    scan(store, "r1")
    with pytest.raises(StoreError, match="store ") as caught, store.database.write() as connection:
        connection.execute(schema.readings.insert(), {"key_sha256": "k", "key": "hunter2", "why": None})
    assert "hunter2" not in str(caught.value)


def test_a_failed_transaction_leaves_nothing(store: Store) -> None:
    with pytest.raises(KeyError), store.database.write() as connection:
        connection.execute(schema.marker.update().values(version=7))
        raise KeyError
    with store.database.read() as connection:
        assert versions.found(connection) == schema.VERSION


def test_names_no_database_can_hold_are_kept(store: Store) -> None:
    hostile = "a\0b\\u0000c\ud800'; DROP TABLE scans; --\u202e"
    held = case(hostile, ticket=hostile)
    scan(store, "r1", seen=seen(finding(hostile), inputs=ticket(hostile)), actions=(Open(held),))
    (known,) = store.findings.open().values()
    assert finding(hostile) == known.finding
    assert [hostile] == [entry.ticket for entry in store.cases.open()]
    assert ticket(hostile) == store.findings.judgements(known.finding.id)[0].inputs
    assert store.ledger.verify().faults == ()


def test_a_time_without_a_zone_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="a time without a zone cannot be stored"):
        store.scans.begin("r1", datetime(2026, 1, 1), "", "")  # noqa: DTZ001 - the mistake under test
    assert store.scans.last() == ()


def test_times_come_back_as_utc(store: Store) -> None:
    scan(store, "r1", at=NOW.replace(microsecond=1))
    (known,) = store.scans.last()
    assert NOW.replace(microsecond=1) == known.finished_at
    assert NOW.tzinfo == known.finished_at.tzinfo

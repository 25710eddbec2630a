"""A store that an older driftwarden wrote: brought up at once or not at all, with a copy of what it was."""

import signal
import sqlite3
import subprocess
import sys
import zlib
from contextlib import closing
from pathlib import Path

import older
import pytest
from story import HOUR, NOW, finding, scan

from agent.model import FindingId, KeyUse, Tally
from agent.store import Head, Kept, StoreError, connect, schema, version_of
from agent.upkeep import verify

WRITTEN = Path(__file__).with_name("version_4.sql")
HEAD = Head(7, "8a03a90eba920596de726f3053b22a62e789f0beb5c95b2cdb54c29e68a210d8")
"""Where its ledger ended."""


@pytest.fixture
def version_4(tmp_path: Path) -> Path:
    """A store as the last driftwarden with schema version 4 left it: its own code made it."""
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path)) as made:
        made.executescript(WRITTEN.read_text())
    return path


def test_a_store_of_version_4(version_4: Path) -> None:
    assert version_of(f"sqlite:///{version_4}") == 4
    before = dumped(version_4)
    with connect(f"sqlite:///{version_4}") as store:
        found = verify(store, head=HEAD)
        assert found.faults == ()
        assert list(store.findings.open()) == [FindingId("F-q")]
        assert len(store.findings.judgements(FindingId("F-q"))) == 1
        assert [(one.kind, one.read_at) for one in store.scans.last()] == [("whole", None)] * 2
        assert store.scans.document() == b'{"schema":"driftwarden/scan/1"}'
        assert [one.id for one in store.declarations.listed()] == ["d1"]
        assert store.settings.last("authority").body == '{"a":1}'
        assert store.leadership.take("me", NOW) == 1
        assert scan(store, "r3", kind="trail", looked=(finding().key,))
        assert verify(store).faults == ()
    kept = version_4.with_name("store.db.version-4")
    assert (dumped(kept), kept.stat().st_mode & 0o777) == (before, 0o600)
    assert version_of(f"sqlite:///{version_4}") == schema.VERSION


def test_what_version_4_counted_is_neither_lost_nor_doubled(version_4: Path) -> None:
    """It did not say what came through a queue. The upgrade reads again what a bucket still has."""
    row = "('1', 'r', '2026-11-22T10:00:00.000000+00:00', 5, '2026-11-22T10:01:00.000000+00:00')"
    use = "('AKIA1', '2026-11-22T00:00:00.000000+00:00', 'arn', '1', 5, '')"
    at = f"'2026-11-22T10:00:00.000000+00:00', 'of version 4', x'{zlib.compress(b'{}').hex()}'"
    with closing(sqlite3.connect(version_4)) as old:
        old.execute(f"INSERT INTO trail_hours VALUES {row}")
        old.execute(f"INSERT INTO trail_keys VALUES {use}")
        old.execute(f"INSERT INTO trail_checkpoints VALUES ('bucket', '', {at})")
        old.commit()
    with connect(f"sqlite:///{version_4}") as store:

        def told() -> list[int]:
            tallies, used = store.journal.tallies(NOW, NOW + HOUR), store.journal.key_use(NOW - 10 * HOUR)
            return [*(one.events for one in tallies), *(one.calls for one in used)]

        assert told() == [5, 5]
        assert store.journal.recount("of now", NOW - 20 * HOUR, ["bucket"])
        assert told() == [5, 5]
        day = NOW.replace(hour=0)
        kept = Kept(tallies=[Tally("1", "r", NOW, 5, NOW)], key_use=[KeyUse("AKIA1", day, "arn", "1", 5)])
        store.journal.keep("bucket", kept, NOW, "of now")
        assert told() == [5, 5]
        store.journal.keep("bucket", kept, NOW, "of now")
        assert told() == [10, 10]


def dumped(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as opened:
        return list(opened.iterdump())


def test_it_is_as_if_it_had_been_made_by_this_version(version_4: Path, sqlite_url: str, tmp_path: Path) -> None:
    connect(f"sqlite:///{version_4}").close()
    connect(f"sqlite:///{tmp_path}/new.db").close()

    def described(path: Path) -> dict[str, object]:
        with closing(sqlite3.connect(path)) as opened:
            names = opened.execute("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
            tables = [name for kind, name in names if kind == "table"]
            columns = {name: sorted(r[1:6] for r in opened.execute(f"PRAGMA table_info({name})")) for name in tables}
        return {"names": sorted(names), "columns": columns}

    assert described(version_4) == described(tmp_path / "new.db")


DYING = """
import os, signal, sys
from sqlalchemy import event
from agent.store import database
made, steps = database._engine, iter(range(int(sys.argv[2])))
def die(*_):
    if next(steps, None) is None:
        os.kill(os.getpid(), signal.SIGKILL)
def engine(*args):
    one = made(*args)
    event.listen(one, "before_cursor_execute", die)
    event.listen(one, "commit", die)
    return one
database._engine = engine
database.open_database(sys.argv[1])
"""


@pytest.mark.parametrize("engine", ["sqlite", pytest.param("postgresql", marks=pytest.mark.sweep)])
def test_an_upgrade_that_is_killed_begins_anew(engine: str, version_4: Path, request: pytest.FixtureRequest) -> None:
    """Killed before some statement, and before the commit: the store is of version 4 still, and opens."""
    url = f"sqlite:///{version_4}"
    if engine == "postgresql":
        url = str(request.getfixturevalue("postgres_url"))
        with connect(url) as store:
            scan(store, "r1")
            older.make(store.database, 4)
    nth, ended = 6, None
    while ended != 0:
        ended = subprocess.run([sys.executable, "-c", DYING, url, str(nth)], check=False).returncode
        assert ended in (0, -signal.SIGKILL)
        assert version_of(url) == (4 if ended else schema.VERSION)
        nth += 14
    assert nth > 30
    with connect(url) as store:
        assert verify(store).faults == ()


def test_without_room_for_a_copy_nothing_is_upgraded(version_4: Path) -> None:
    version_4.with_name("store.db.version-4.partial").mkdir()
    with pytest.raises(StoreError, match=r"version 4, and it cannot be copied .* make room beside it\. Nothing was"):
        connect(f"sqlite:///{version_4}")
    assert version_of(f"sqlite:///{version_4}") == 4


def test_a_store_that_is_not_there_has_no_version(tmp_path: Path) -> None:
    assert version_of(f"sqlite:///{tmp_path}/none.db") is None
    assert not (tmp_path / "none.db").exists()


def test_a_foreign_store_has_no_version(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE recipes (name TEXT)")
    with pytest.raises(StoreError, match=r"another program \(recipes\); give driftwarden a database of its own"):
        version_of(f"sqlite:///{tmp_path}/other.db")

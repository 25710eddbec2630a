"""`driftwarden db`, as people type it: what it says, and how it ends."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from store.story import NOW, case, scan
from upkeep.conftest import Place, filled

from agent.cli import main
from agent.model import Close, FindingId
from agent.store import schema, versions

VERSION_4 = Path(__file__).parents[1] / "store" / "version_4.sql"


def db(place: Place, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["db", *arguments, "-c", str(place.folder / "driftwarden.toml")])


def test_upgrade_says_from_where_to_where(place: Place) -> None:
    path = place.folder / "driftwarden.db"
    path.unlink()
    with closing(sqlite3.connect(path)) as made:
        made.executescript(VERSION_4.read_text())
    said = [db(place, "upgrade").output for _ in range(2)]
    path.unlink()
    said.append(db(place, "upgrade").output)
    assert said == [
        f"The store was of version 4, and is of version {schema.VERSION} now.\n",
        f"The store is of version {schema.VERSION} already.\n",
        f"The store is new: version {schema.VERSION}.\n",
    ]


def test_a_newer_store_is_refused_with_what_to_do(place: Place) -> None:
    with place.store() as store, store.database.write() as connection:
        connection.execute(schema.marker.update().values(version=99))
    for command in ("upgrade", "backup", "verify", "prune"):
        done = db(place, command)
        assert done.exit_code == 2
        assert "its schema is version 99" in done.output
        assert "use the driftwarden that wrote it, or another store" in done.output


def test_backup_and_verify(place: Place) -> None:
    said = db(place, "backup")
    file, digest, head = (line.split()[-1] for line in said.output.splitlines())
    file = said.output.partition(": ")[0]
    told = json.loads(db(place, "backup", "--to", str(place.folder / "other"), "--output", "json").output)
    assert (said.exit_code, told["head"]) == (0, head)
    assert json.loads(db(place, "verify", "--output", "json").output)["sound"] is True
    assert db(place, "verify", "--head", head).output.endswith("Sound.\n")
    assert f"SHA-256 {digest}" in db(place, "verify", file).output
    with place.store() as store, store.database.write() as connection, versions.unguarded(connection):
        connection.exec_driver_sql("DELETE FROM events WHERE seq = (SELECT max(seq) FROM events)")
    cut = db(place, "verify", "--head", head)
    assert cut.exit_code == 1
    assert "wrong: event" in cut.output
    assert cut.output.splitlines()[-1].startswith("Not sound: keep it as it is, and restore a backup")


@pytest.mark.parametrize("head", ["5", "x:" + "0" * 64, "5:" + "g" * 64, "5:abc"])
def test_a_head_that_is_none(place: Place, head: str) -> None:
    done = db(place, "verify", "--head", head)
    assert (done.exit_code, "must be SEQ:HASH, as `db verify` says it" in done.output) == (2, True)


def test_what_cannot_be_looked_at_ends_with_2(place: Place) -> None:
    assert db(place, "verify", str(place.folder / "driftwarden.key")).exit_code == 2
    (place.folder / "driftwarden.db").write_bytes(b"\xff" * 9000)
    done = db(place, "verify")
    assert (done.exit_code, "file is not a database" in done.output) == (2, True)


def test_restore(place: Place) -> None:
    made = db(place, "backup").output
    file, sha256 = made.partition(": ")[0], made.split()[4]
    refused = db(place, "restore", file)
    assert (refused.exit_code, f"each with `driftwarden cases accept 'restore {sha256}'`" in refused.output) == (
        2,
        True,
    )
    place.accept(f"restore {sha256}", "dana", "kim")
    done = db(place, "restore", file)
    assert done.exit_code == 0, done.output
    assert "UTC (dana, kim).\n" in done.output
    assert "events of its ledger that were left behind: 3.\n" in done.output
    assert "restored on" in db(place, "verify").output


def test_prune_drops_work_and_evidence_with_two_people(place: Place) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=3_000)
    with place.store() as store:
        filled(store, "old", "o", long_ago)
        scan(store, "older", long_ago, closed=(FindingId("F-o"),), actions=(Close(case("o"), "gone"),))
    day = f"{datetime.now(UTC) - timedelta(days=2_600):%Y-%m-%d}"
    refused = db(place, "prune", "--before", day)
    assert (refused.exit_code, f"driftwarden cases accept 'prune {day}'" in refused.output) == (2, True)
    place.accept(f"prune {day}", "dana", "kim")
    done = db(place, "prune", "--before", day)
    assert done.exit_code == 0, done.output
    assert done.output.startswith(f"evidence before {day} (dana, kim): ")
    told = json.loads(db(place, "prune", "--output", "json").output)
    assert told["units"] == told["deliveries"] == 0
    assert db(place, "verify").exit_code == 0


def test_a_day_that_is_none(place: Place) -> None:
    done = db(place, "prune", "--before", "yesterday")
    assert (done.exit_code, "must be a day, as in 2019-12-31" in done.output) == (2, True)


def test_free_pages_are_given_back_where_it_is_worth_it(place: Place) -> None:
    with place.store() as store:
        for number in range(30):
            store.scans.begin(f"look{number}", NOW - timedelta(days=900), "", "", kind="trail")
        with store.database.write() as connection:
            big = {"document": bytes(range(256)) * 4_000, "finished_at": NOW - timedelta(days=900)}
            connection.execute(schema.scans.update().where(schema.scans.c.kind == "trail").values(**big))
    told = json.loads(db(place, "prune", "--output", "json").output)
    assert told["documents"] == told["scans"] == 30
    assert told["bytes_given_back"] > 0

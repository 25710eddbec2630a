"""Backups: whole, consistent while others write, few enough, and of use when the store is lost."""

import fcntl
import io
import json
import os
import stat
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from store.story import HOUR, NOW, finding
from upkeep.conftest import PEOPLE, Place, filled, made, sign

from agent.cli import main
from agent.config import ConfigError
from agent.model import Directory, Person
from agent.seal import ring
from agent.store import ScanCommit, StoreError, StoreLock, connect
from agent.upkeep import UpkeepError, backup, restore, verify, verify_backup
from agent.upkeep.archive import KEYS, STORE, digest_of
from agent.upkeep.keys import fingerprint


def utc() -> datetime:
    return datetime.now(UTC)


def test_a_backup_is_one_private_file_with_all_that_is_needed(place: Place) -> None:
    done = made(place, now=NOW)
    assert done.file.name == "driftwarden-shop-20261122T100000Z.tar"
    assert stat.S_IMODE(done.file.stat().st_mode) == 0o600
    assert (done.bytes, done.sha256) == (done.file.stat().st_size, digest_of(done.file))
    assert sorted(one.name for one in (place.folder / "backups").iterdir()) == [done.file.name]
    with tarfile.open(done.file) as tar:
        assert tar.getnames() == ["manifest.json", KEYS, STORE]
    found = verify_backup(done.file)
    assert (found.sound, found.head) == (True, done.head)
    assert any("SHA-256" in line for line in found.told)


def test_the_same_store_is_the_same_backup(place: Place) -> None:
    first, second = made(place, now=NOW, folder=place.folder / "a"), made(place, now=NOW, folder=place.folder / "b")
    assert first.sha256 == second.sha256


def test_the_newest_stay_and_nothing_else_is_touched(place: Place) -> None:
    folder = place.folder / "backups"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    others = [f"driftwarden-{name}-20200101T000000Z.tar" for name in ("shop-eu", "eu-shop", "Shop", "sh.p")]
    for name in others:
        (folder / name).write_text("another estate's")
    names = [made(place, now=NOW + number * HOUR).file.name for number in range(5)]
    assert sorted(one.name for one in folder.iterdir()) == sorted([*names[-3:], *others, "notes.txt"])


def test_estates_that_files_spell_alike_have_names_of_their_own(place: Place) -> None:
    config = place.folder / "driftwarden.toml"
    begin = set()
    for name in ("tienda", "生産", "テスト", "a b", "a-b"):
        config.write_text(f'[estate]\nname = "{name}"\n[backup]\ndir = "backups"\nkeep = 1\n')
        done = made(place, now=NOW)
        assert done.removed == ()
        begin.add(done.file.name.partition("-2026")[0])
    assert len(begin) == 5


def test_backups_of_a_clock_that_was_ahead_push_no_later_one_out(place: Place) -> None:
    ahead = [made(place, now=NOW + timedelta(days=30 + night)).file for night in range(4)]
    kept = ahead[1:]
    for night in range(4, 8):  # it is right again
        done = made(place, now=NOW + timedelta(days=night))
        kept = [*kept[1:], done.file]
        assert sorted((place.folder / "backups").iterdir()) == sorted(kept), "the one just made is there"
        assert len(done.removed) == 1


def test_what_a_killed_backup_left_is_taken_away(place: Place) -> None:
    folder = place.folder / "backups"
    for name in ("abcd1234", "busy5678", "other123"):
        (folder / f".driftwarden-{name}").mkdir(parents=True)
        (folder / f".driftwarden-{name}" / ("mine" if name == "other123" else STORE)).write_bytes(b"x" * 1000)
    for name in (KEYS, f"{STORE}.version-4", f"{STORE}.version-4.partial-journal", f"{STORE}.turn", "backup.tar"):
        (folder / ".driftwarden-abcd1234" / name).touch()
    busy = os.open(folder / ".driftwarden-busy5678", os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(busy, fcntl.LOCK_EX)
    made(place)
    os.close(busy)
    assert {one.name for one in folder.glob(".*")} == {".driftwarden-busy5678", ".driftwarden-other123"}


def test_keys_may_be_left_out(place: Place) -> None:
    done = made(place, keys=False)
    assert any("no install keys" in line for line in verify_backup(done.file).told)


def test_without_a_folder_it_says_how_to_name_one(place: Place) -> None:
    (place.folder / "driftwarden.toml").write_text("")
    with pytest.raises(UpkeepError, match=r"set dir = .* in \[backup\], or say --to FOLDER"):
        made(place)


def test_a_backup_made_while_others_write_is_of_one_moment(place: Place) -> None:
    """Each scan writes a finding, its verdict and four events or more: none may be there in part."""
    code = (
        "import sys; from upkeep.conftest import filled; from agent.store import connect\n"
        "with connect(sys.argv[1]) as store:\n"
        "    print('on', flush=True)\n"
        "    for number in range(10_000): filled(store, f'w{number}', f'n{number}')\n"
    )
    there = os.pathsep.join(str(Path(__file__).parents[level]) for level in (1, 2))
    command = [sys.executable, "-c", code, place.config.store_url()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": there}) as writer:
        try:
            assert writer.stdout
            writer.stdout.readline()
            heads = []
            for number in range(2):
                with connect(place.config.store_url()) as store:
                    while heads and store.ledger.head().seq == heads[-1]:
                        time.sleep(0.05)
                done = made(place, now=NOW + number * HOUR)
                found = verify_backup(done.file)
                assert found.faults == ()
                heads.append(done.head.seq)
        finally:
            writer.kill()
    assert heads == sorted(set(heads)), "it wrote meanwhile"


def edited(file: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    """The backup with one member changed."""
    with tarfile.open(file) as tar:
        members = [(one, tar.extractfile(one).read()) for one in tar.getmembers()]
    with tarfile.open(file, "w") as tar:
        for one, data in members:
            written = change(data) if one.name == name else data
            one.size = len(written)
            tar.addfile(one, io.BytesIO(written))


def renamed(data: bytes) -> bytes:
    said = json.loads(data)
    said["members"]["../../etc/cron.d/x"] = {"bytes": 1, "sha256": "0" * 64}
    return json.dumps(said).encode()


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        (STORE, lambda data: data[:-1] + b"\1", r"store\.db is not what was backed up"),
        (STORE, lambda data: data[:-4096], "its manifest says"),
        (KEYS, lambda data: b"x" * 32, "install.key is not what was backed up"),
        ("manifest.json", lambda data: b"{}", "its manifest cannot be read: KeyError"),
        ("manifest.json", lambda data: b"[" * 5000, "its manifest cannot be read"),
        ("manifest.json", lambda data: data.replace(b"backup/1", b"backup/9"), "reads backup/1: use a newer one"),
        ("manifest.json", lambda data: b" " * 100_000, "a manifest comes first"),
        ("manifest.json", renamed, "names what no backup holds"),
    ],
)
def test_a_backup_that_was_changed_is_refused(
    place: Place, name: str, change: Callable[[bytes], bytes], says: str
) -> None:
    done = made(place)
    edited(done.file, name, change)
    with pytest.raises(UpkeepError, match=says):
        verify_backup(done.file)


def test_what_a_backup_says_of_itself_does_nothing_to_a_terminal(place: Place) -> None:
    done = made(place)
    edited(done.file, "manifest.json", lambda data: data.replace(b'"shop"', b'"shop\\u001b[2J"'))
    said = CliRunner().invoke(main, ["db", "verify", str(done.file)])
    assert (said.exit_code, "\x1b" in said.output, "estate shop⟨U+001B⟩[2J" in said.output) == (0, False, True)


def test_half_a_backup_and_no_backup_are_refused(place: Place, tmp_path: Path) -> None:
    done = made(place)
    done.file.write_bytes(done.file.read_bytes()[: done.bytes // 2])
    with pytest.raises(UpkeepError, match=r"only a part of one|its manifest says"):
        verify_backup(done.file)
    (tmp_path / "notes").write_text("groceries")
    with pytest.raises(UpkeepError, match="no backup of driftwarden"):
        verify_backup(tmp_path / "notes")
    with pytest.raises(UpkeepError, match="No such file"):
        verify_backup(tmp_path / "nowhere")


# --- restoring -----------------------------------------------------------------------------------------------


def test_two_admins_put_a_backup_in_the_stores_place(place: Place) -> None:
    done = made(place)
    with place.store() as store:
        filled(store, "r2", "later")
        before = store.ledger.head()
        old_fence = store.leadership.take("a", NOW)
    with pytest.raises(UpkeepError, match=r"two admins must agree to 'restore [0-9a-f]{64}': each with"):
        restore(place.config, done.file, PEOPLE, utc())
    place.accept(f"restore {done.sha256}", "dana")
    with pytest.raises(UpkeepError, match="and dana did"):
        restore(place.config, done.file, PEOPLE, utc())
    place.accept(f"restore {done.sha256}", "kim")
    with place.store() as store:
        last = store.ledger.head()
    got = restore(place.config, done.file, PEOPLE, utc())
    assert (got.agreed, got.behind, got.keys) == (("dana", "kim"), last.seq - done.head.seq, 0)
    with place.store() as store:
        assert list(store.findings.open()) == [finding().id]
        *_, said = store.ledger.events(limit=1000)
        assert said.kind == "store.restored"
        assert said.body["replaced"] == {"seq": last.seq, "hash": last.hash}
        assert said.body["agreed"] == ["dana", "kim"]
        # A daemon that was stopped meanwhile writes nothing more, and who agreed is known in the new store too.
        assert store.leadership.seen().fence > old_fence
        assert len(store.declarations.listed()) == 2
        found = verify(store, place.folder / "driftwarden.key")
        assert found.sound
        assert any("restored on" in line and "dana, kim" in line for line in found.told)
        assert not verify(store, head=before).sound, "an older head is visible"
    assert got.replaced is not None
    with connect(f"sqlite:///{got.replaced}") as store:
        assert store.ledger.verify(last).faults == ()


def test_nobody_restores_under_a_daemon(place: Place) -> None:
    done = made(place)
    place.accept(f"restore {done.sha256}", "dana", "kim")
    with place.store() as store:
        lock = StoreLock(store.database)
        assert lock.acquire()
        with pytest.raises(UpkeepError, match=r"a daemon runs with .*stop it first"):
            restore(place.config, done.file, PEOPLE, utc())
        lock.release()
        with store.exclusive("line"), pytest.raises(UpkeepError, match="a scan is being written"):
            restore(place.config, done.file, PEOPLE, utc())
    assert restore(place.config, done.file, PEOPLE, utc()).agreed == ("dana", "kim")


@pytest.mark.parametrize("loss", ["gone", "damaged", "edited"])
def test_a_lost_store_is_restored_by_two_signed_files(place: Place, loss: str) -> None:
    place.accept("restore " + "0" * 64, "dana")
    done = made(place)
    path = place.folder / "driftwarden.db"
    if loss == "gone":
        path.unlink()
    elif loss == "damaged":
        path.write_bytes(b"\xff" * 8192)
    else:
        with place.store() as store, store.database.write() as connection:
            connection.exec_driver_sql("DROP TRIGGER events_update")
            connection.exec_driver_sql("UPDATE events SET kind = 'x' WHERE seq = 1")
    (place.folder / "driftwarden.key").unlink()
    agreed = place.folder / "agreed"
    for name in ("dana", "dana", "erik"):
        sign(place, done.file, name, agreed)
        with pytest.raises(UpkeepError, match=r"two admins must agree .* and dana did.*db agree"):
            restore(place.config, done.file, PEOPLE, datetime.now(UTC), agreed)
    sign(place, done.file, "kim", agreed)
    got = restore(place.config, done.file, PEOPLE, datetime.now(UTC), agreed)
    assert (set(got.agreed), got.behind, got.keys) == ({"dana", "kim"}, None, 1)
    assert (got.replaced is None) == (loss == "gone")
    assert len(list(agreed.iterdir())) == 4, "what was signed stays"
    with place.store() as store:
        found = verify(store, place.folder / "driftwarden.key")
    assert found.sound
    assert any("what it replaced could not be read (" in line for line in found.told)


@pytest.mark.timeout(60)
def test_a_backup_is_read_once(place: Place) -> None:
    """Who could swap it between two readings would have another one restored than was agreed to. A pipe cannot be read
    a second time."""
    config = place.folder / "driftwarden.toml"
    config.write_text(config.read_text().replace('["dana", "kim"]', '["dana"]'))
    done, pipe = made(place), place.folder / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["sh", "-c", 'cat "$0" > "$1"', done.file, pipe]):
        restore(place.config, pipe, PEOPLE, utc())
    with place.store() as store:
        assert store.ledger.of("store.restored")[-1].body["backup"] == done.sha256


def test_where_no_two_admins_are_named_one_restores_and_the_ledger_says_so(place: Place) -> None:
    config = place.folder / "driftwarden.toml"
    config.write_text(config.read_text().replace('["dana", "kim"]', '["dana"]'))
    done = made(place)
    assert restore(place.config, done.file, PEOPLE, utc()).agreed == ()
    with place.store() as store:
        assert any("nobody had to agree" in line for line in verify(store).told)


def test_a_backup_of_another_estate_is_refused(place: Place) -> None:
    done = made(place)
    config = place.folder / "driftwarden.toml"
    config.write_text(config.read_text().replace('"shop"', '"bank"'))
    with pytest.raises(UpkeepError, match="is of the estate 'shop', and this is 'bank'"):
        restore(place.config, done.file, PEOPLE, utc())


# --- an agreement is of one deed ------------------------------------------------------------------------------


def test_an_agreement_to_restore_is_used_up(place: Place) -> None:
    done = made(place)
    what = f"restore {done.sha256}"
    place.accept(what, "dana", "kim")
    with pytest.raises(UpkeepError, match=r"two admins must agree .*counts for a day; nothing was restored"):
        restore(place.config, done.file, PEOPLE, utc() + timedelta(hours=25))
    restore(place.config, done.file, PEOPLE, utc())
    with place.store() as store:
        filled(store, "r2", "later")
    with pytest.raises(UpkeepError, match=r"two admins must agree .*nothing was restored"):
        restore(place.config, done.file, PEOPLE, utc())
    place.accept(what, "dana")  # who agreed then may agree again, and must
    with pytest.raises(UpkeepError, match="and dana did"):
        restore(place.config, done.file, PEOPLE, utc())
    place.accept(what, "kim")
    assert restore(place.config, done.file, PEOPLE, utc()).agreed == ("dana", "kim")


def test_who_is_no_admin_any_more_does_not_count(place: Place) -> None:
    done = made(place)
    place.accept(f"restore {done.sha256}", "dana", "kim")
    left = Directory(people=(Person("dana"), Person("kim", valid_until=utc() - timedelta(minutes=1))))
    with pytest.raises(UpkeepError, match="and dana did"):
        restore(place.config, done.file, left, utc())


def test_files_that_were_signed_for_a_lost_store_do_not_count_for_ever(place: Place) -> None:
    done = made(place)
    for name in ("dana", "kim"):
        sign(place, done.file, name, place.folder / "agreed")
    (place.folder / "driftwarden.db").unlink()
    with pytest.raises(UpkeepError, match=r"it was signed 25 h ago, and an agreement to restore counts for 24h"):
        restore(place.config, done.file, PEOPLE, utc() + timedelta(hours=25), place.folder / "agreed")


def test_an_authority_that_cannot_be_read_is_a_lost_store(place: Place) -> None:
    place.accept("restore " + "0" * 64, "dana")
    done = made(place)
    with place.store() as store:
        store.settings.keep("authority", '{"approvals":"many"}', utc(), [])
    for name in ("dana", "kim"):
        sign(place, done.file, name, place.folder / "agreed")
    got = restore(place.config, done.file, PEOPLE, utc(), place.folder / "agreed")
    assert (set(got.agreed), got.behind) == ({"dana", "kim"}, None)


# --- others have the store open -------------------------------------------------------------------------------


def test_a_scan_that_runs_meanwhile_says_that_it_is_lost(place: Place) -> None:
    done = made(place)
    place.accept(f"restore {done.sha256}", "dana", "kim")
    with place.store() as running:
        running.scans.begin("r9", utc(), "c" * 64, "r" * 64)
        before = running.ledger.head()
        got = restore(place.config, done.file, PEOPLE, utc())
        assert got.replaced is not None
        with pytest.raises(StoreError, match=r"there is no scan r9 to end: was a backup restored meanwhile\?"):
            running.scans.commit(ScanCommit("r9", utc(), "clean", b"{}"))
        filled(running, "r10", "after")
        running.ledger.append("note", {}, utc())
    with place.store() as store:
        assert [event.kind for event in store.ledger.events()][-1] == "note"
        assert set(store.findings.open()) == {"F-q", "F-after"}
        assert verify(store).faults == ()
    with connect(f"sqlite:///{got.replaced}") as store:
        assert store.ledger.head() == before
        assert [one.run_id for one in store.scans.last()] == ["r9", "r1"]


def test_who_writes_meanwhile_is_waited_for(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    done = made(place)
    place.accept(f"restore {done.sha256}", "dana", "kim")
    monkeypatch.setattr("agent.upkeep.replace._WAIT", 0.01)
    with place.store() as running, running.database.write() as connection:
        connection.exec_driver_sql("SELECT 1")
        with pytest.raises(UpkeepError, match=r"another process has it open .*nothing was restored"):
            restore(place.config, done.file, PEOPLE, utc())
    assert restore(place.config, done.file, PEOPLE, utc()).agreed == ("dana", "kim")


def test_in_wal_mode_nobody_may_have_it_open(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it will be with SQLite 3.51.3: what is not in the database's own file goes along, and nobody loses it."""
    monkeypatch.setattr("agent.store.database.journal_mode", lambda version: "wal")
    monkeypatch.setattr("agent.upkeep.replace._WAIT", 0.01)
    done = made(place)
    place.accept(f"restore {done.sha256}", "dana", "kim")
    with place.store() as running:
        filled(running, "r2", "later")
        last = running.ledger.head()
        with pytest.raises(UpkeepError, match="another process has it open"):
            restore(place.config, done.file, PEOPLE, utc())
        filled(running, "r3", "later still")
    got = restore(place.config, done.file, PEOPLE, utc())
    assert got.replaced is not None
    with connect(f"sqlite:///{got.replaced}") as store:
        assert store.ledger.verify(last).faults == ()
        assert len(store.findings.open()) == 3
    with place.store() as store:
        assert (list(store.findings.open()), verify(store).faults) == (["F-q"], ())


def test_a_store_that_was_just_made_is_backed_up_with_keys_of_its_own(place: Place) -> None:
    """Before the first scan: whoever installs it tries the backup first."""
    for one in place.folder.glob("driftwarden.*[!toml]"):
        one.unlink()
    (place.folder / "driftwarden.toml").write_text('[estate]\nname = "shop"\n[backup]\ndir = "backups"\n')
    with place.store() as store:
        before = verify(store, place.folder / "driftwarden.key")
        assert before.sound, before.faults
        assert any("none yet" in line for line in before.told)
        done = backup(place.config, store)
    found = verify_backup(done.file)
    assert found.sound, found.faults
    keys = (place.folder / "driftwarden.key").read_bytes()
    assert f"install keys: 1, newest first {fingerprint(keys)}" in found.told
    (place.folder / "driftwarden.db").unlink()
    (place.folder / "driftwarden.key").unlink()
    restore(place.config, done.file, Directory(), utc())
    assert ring((place.folder / "driftwarden.key").read_bytes()) == (keys,)


def test_keys_that_were_lost_are_not_made_anew_by_a_backup(place: Place) -> None:
    (place.folder / "driftwarden.key").unlink()
    with place.store() as store:
        with pytest.raises(ConfigError, match="put it back from a backup"):
            backup(place.config, store)
        assert not verify(store, place.folder / "driftwarden.key").sound
    assert not (place.folder / "driftwarden.key").exists()
    assert not list((place.folder / "backups").iterdir())

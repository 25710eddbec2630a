"""Backups: whole, consistent while others write, few enough, and of use when the store is lost."""

import io
import json
import os
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from store.story import HOUR, NOW, finding
from upkeep.conftest import PEOPLE, Place, filled

from agent.cli import main
from agent.store import StoreLock, connect
from agent.upkeep import Backup, UpkeepError, backup, restore, verify, verify_backup
from agent.upkeep.archive import KEYS, STORE, digest_of

LATER = NOW + 24 * HOUR


def made(place: Place, **more: object) -> Backup:
    with place.store() as store:
        return backup(place.config, store, **more)


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
    (folder / "driftwarden-shop-20200101T000000Z.tar.partial").write_text("killed")
    names = [made(place, now=NOW + number * HOUR).file.name for number in range(5)]
    assert sorted(one.name for one in folder.iterdir()) == [*names[-3:], "notes.txt"]


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
        restore(place.config, done.file, PEOPLE, LATER)
    place.accept(f"restore {done.sha256}", "dana")
    with pytest.raises(UpkeepError, match="and dana did"):
        restore(place.config, done.file, PEOPLE, LATER)
    place.accept(f"restore {done.sha256}", "kim")
    with place.store() as store:
        last = store.ledger.head()
    got = restore(place.config, done.file, PEOPLE, LATER)
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
            restore(place.config, done.file, PEOPLE, LATER)
        lock.release()
        with store.exclusive("line"), pytest.raises(UpkeepError, match="a scan is being written"):
            restore(place.config, done.file, PEOPLE, LATER)
    assert restore(place.config, done.file, PEOPLE, LATER).agreed == ("dana", "kim")


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


def sign(place: Place, file: Path, name: str, folder: Path) -> None:
    config = str(place.folder / "driftwarden.toml")
    asked = ["db", "agree", str(file), "--to", str(folder), "--key", str(place.keys / name), "-c", config]
    said = CliRunner().invoke(main, asked)
    assert said.exit_code == 0, said.output


def test_where_no_two_admins_are_named_one_restores_and_the_ledger_says_so(place: Place) -> None:
    config = place.folder / "driftwarden.toml"
    config.write_text(config.read_text().replace('["dana", "kim"]', '["dana"]'))
    done = made(place)
    assert restore(place.config, done.file, PEOPLE, LATER).agreed == ()
    with place.store() as store:
        assert any("nobody had to agree" in line for line in verify(store).told)


def test_a_backup_of_another_estate_is_refused(place: Place) -> None:
    done = made(place)
    config = place.folder / "driftwarden.toml"
    config.write_text(config.read_text().replace('"shop"', '"bank"'))
    with pytest.raises(UpkeepError, match="is of the estate 'shop', and this is 'bank'"):
        restore(place.config, done.file, PEOPLE, LATER)

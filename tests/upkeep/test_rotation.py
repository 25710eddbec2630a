"""A new install key makes nothing differ: what older keys sealed is recognised, and they seal nothing new."""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
import small_estate
from click.testing import CliRunner
from small_estate import Estate, bucket, queue, role, state

from agent.cli import main
from agent.config import ConfigError, load
from agent.model import Drift, Key, Secret
from agent.resources import load as load_specs
from agent.seal import RING, known_before, newest, renewed, ring, seal
from agent.store import StoreError, StoreLock, connect
from agent.store.declarations import Settings
from agent.tolerated.digests import digest_of, digests_of, install_marks
from agent.upkeep.keys import NAME, belongs, fingerprint, install_key, merged, put, ring_of, rotate
from agent.upkeep.verify import verify

NOW = datetime(2031, 3, 1, tzinfo=UTC)
SECRET = "hunter2-canary"
TOKEN = [[{"type": "get_attr", "value": "tags"}, {"type": "index", "value": {"value": "Token", "type": "string"}}]]


@pytest.fixture
def estate(
    moto_server: str, moto_variables: Mapping[str, str], reset_moto: Callable[[], None], tmp_path: Path
) -> Iterator[Estate]:
    reset_moto()
    with small_estate.cloud(moto_server, moto_variables) as made:
        yield small_estate.estate(tmp_path, *made)
    reset_moto()


def rotated(estate: Estate) -> str:
    said = CliRunner().invoke(main, ["db", "rotate-key", "-c", str(estate.config)])
    assert said.exit_code == 0, said.output
    return said.output


def held(store: Path) -> list[str]:
    """Every seal in the accepted readings."""
    with connect(f"sqlite:///{store}") as opened:
        found = []

        def walk(value: object) -> None:
            if isinstance(value, Secret):
                found.append(value)
            for item in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
                walk(item)

        for reading in opened.readings.accepted().values():
            walk(reading.attributes)
    assert all(one.older == () for one in found), "nothing is kept under an older key"
    return [one.digest for one in found]


def test_a_rotation_raises_no_drift_and_opens_no_case(estate: Estate) -> None:
    """A queue's tag that only state knows, as a secret; one that is changed later, by a call that is in the trail."""
    its = queue(tags={"Token": SECRET}, tags_all={"Token": SECRET})
    its["instances"][0]["sensitive_attributes"] = TOKEN
    (estate.folder / "shop" / "terraform.tfstate").write_text(json.dumps(state(its, role(), bucket())))
    with estate.recorder.paused():
        estate.client("ops", "sqs").tag_queue(QueueUrl=estate.queue_url, Tags={"Token": SECRET})
    before = estate.scan()
    assert (before.scan.status, before.scan.findings) == ("clean", ())
    (old,) = set(held(estate.store))
    # What is kept is the reference by now, not the state: it is what a rotation must not make useless.
    for number in (2,):
        assert f"{number} keys, the newest seals from now on" in rotated(estate)
        after = estate.scan()
        assert (after.scan.status, after.scan.findings, after.filed.errors) == ("clean", (), ())
        (new,) = set(held(estate.store))
        assert new != old
        old = new
    assert estate.tickets == []
    estate.client("dana", "sqs").tag_queue(QueueUrl=estate.queue_url, Tags={"Token": "another"})
    estate.write_trail()
    found = estate.scan()
    (finding,) = found.scan.findings
    rotated(estate)
    (again,) = estate.scan().scan.findings
    assert (again.id, again.verdict.outcome, len(again.changes)) == (finding.id, finding.verdict.outcome, 1)
    assert [one.change.actor.name for one in again.changes] == ["dana"]
    assert len(estate.tickets) == 1
    for file in (estate.store, *estate.tickets, estate.folder / "driftwarden.key"):
        assert SECRET.encode() not in file.read_bytes()


def test_no_rotation_under_a_daemon(estate: Estate) -> None:
    install_key(estate.folder / "driftwarden.key")
    before = (estate.folder / "driftwarden.key").read_bytes()
    with connect(load(estate.config).store_url()) as store:
        lock = StoreLock(store.database)
        assert lock.acquire()
        said = CliRunner().invoke(main, ["db", "rotate-key", "-c", str(estate.config)])
        lock.release()
    assert (said.exit_code, "stop it first" in said.output) == (2, True)
    assert (estate.folder / "driftwarden.key").read_bytes() == before


@pytest.fixture
def secret(estate: Estate) -> Estate:
    """Scanned once: what it knows is a queue's tag that only state knows, as a secret."""
    its = queue(tags={"Token": SECRET}, tags_all={"Token": SECRET})
    its["instances"][0]["sensitive_attributes"] = TOKEN
    (estate.folder / "shop" / "terraform.tfstate").write_text(json.dumps(state(its, role(), bucket())))
    with estate.recorder.paused():
        estate.client("ops", "sqs").tag_queue(QueueUrl=estate.queue_url, Tags={"Token": SECRET})
    assert estate.scan().scan.status == "clean"
    return estate


def test_a_lost_key_stops_all_until_it_is_back(secret: Estate) -> None:
    """A new one in its place would make everything sealed differ, and nothing would say why."""
    path = secret.folder / "driftwarden.key"
    first = path.read_bytes()
    strange = f"is {fingerprint(first)}, which|has not the key {fingerprint(first)} that"
    upkeep = ("db verify", "db backup --to here", "db rotate-key")
    for content, said in ((b"", "it holds the install keys: put it back"), (b"x" * 32, strange)):
        path.unlink()
        if content:
            path.write_bytes(content)  # another estate's, say
        for command in ("scan --dry-run", "scan", "check", "trail import trail", *upkeep):
            done = secret.driftwarden(*command.split())
            assert done.returncode in (1, 2, 3), command
            assert re.search(said, done.stdout + done.stderr), command
        assert (path.read_bytes() if path.exists() else b"") == content
        path.write_bytes(first)
    assert secret.scan().scan.status == "clean"
    refused = secret.driftwarden("db", "rotate-key", "--lost")
    assert (refused.returncode, "is there: leave --lost out" in refused.stderr) == (2, True)
    assert fingerprint(first) in secret.driftwarden("db", "verify").stdout
    rotated(secret)
    path.write_bytes(first)  # an older copy: another machine's, say
    with pytest.raises(ConfigError, match=r"driftwarden\.key: has not the key "):
        secret.scan()


def test_a_key_that_nobody_has_any_more(secret: Estate) -> None:
    """What was sealed under it cannot be told from what was changed: it differs, and the ledger says since when."""
    path = secret.folder / "driftwarden.key"
    first = path.read_bytes()
    path.write_bytes(first[:17])
    assert secret.driftwarden("scan").stderr.count("17 bytes instead of 32; see docs/operations.md") == 1
    assert secret.driftwarden("db", "rotate-key", "--lost").returncode == 0
    (aside,) = secret.folder.glob("driftwarden.key.damaged-*")
    assert aside.read_bytes() == first[:17]
    (finding,) = secret.scan().scan.findings
    assert [(one.attribute, one.basis) for one in finding.drifts] == [("tags_all", "unset")]
    path.write_bytes(first)  # a copy turns up, of before the loss
    assert secret.driftwarden("db", "rotate-key", "--lost").returncode == 0
    assert secret.scan().scan.findings == ()
    with connect(load(secret.config).store_url()) as store:
        newest = fingerprint(ring_of(path)[0])
        told = [one.body for one in store.ledger.of("key.lost")]
        assert [one["keys"] for one in told] == [1, 2]
        assert told[1]["newest"] == newest
        assert verify(store, path).sound
        # Put first by hand, or by a rotation that died before it told: the next scan tells.
        put(path, (b"y" * 32, *ring_of(path)))
    assert secret.scan().scan.findings == ()
    with connect(load(secret.config).store_url()) as store:
        assert [one.body for one in store.ledger.of("key.rotated")] == [{"keys": 3, "newest": fingerprint(b"y" * 32)}]


def test_a_restore_says_that_its_keys_are_not_there(secret: Estate) -> None:
    path = secret.folder / "driftwarden.key"
    first = path.read_bytes()
    assert secret.driftwarden("db", "backup", "--to", "with").returncode == 0
    assert secret.driftwarden("db", "backup", "--to", "without", "--without-keys").returncode == 0
    path.write_bytes(b"x" * 32)
    (without,) = (secret.folder / "without").iterdir()
    done = secret.driftwarden("db", "restore", str(without))
    assert (done.returncode, f"sealed under the key {fingerprint(first)}, which neither" in done.stdout) == (0, True)
    (whole,) = (secret.folder / "with").iterdir()
    done = secret.driftwarden("db", "restore", str(whole))
    assert (done.returncode, "1 install key of the backup added" in done.stdout) == (0, True)
    assert "Nothing is scanned" not in done.stdout
    assert secret.scan().scan.findings == ()


def test_any_key_does_for_a_store_in_which_nothing_is_sealed(tmp_path: Path) -> None:
    with connect(f"sqlite:///{tmp_path}/store.db") as store:
        for key in (b"a" * 32, b"b" * 32):
            belongs(store, (key,), tmp_path / "key", NOW)
        store.scans.begin("one", NOW, "", "")
        with pytest.raises(ConfigError, match=f"has not the key {fingerprint(b'b' * 32)} that"):
            belongs(store, (b"a" * 32,), tmp_path / "key", NOW)
        belongs(store, (b"a" * 32, b"b" * 32), tmp_path / "key", NOW)
        rows = store.settings.last(NAME)
        assert rows is not None
        assert rows.body == fingerprint(b"a" * 32)
        # Two at once: who comes second looks again.
        assert not store.settings.replace(NAME, None, "late", NOW, ())
        assert store.settings.last(NAME) == rows


def test_a_rotation_that_the_store_does_not_take_says_what_became_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreError("disk full")

    install_key(tmp_path / "key")
    monkeypatch.setattr(Settings, "keep", full)
    with connect(f"sqlite:///{tmp_path}/store.db") as store:
        for lost, then in ((False, "the next scan tells the ledger"), (True, "type this again")):
            with pytest.raises(StoreError, match=rf"key has a new key, and .* \({then}\): disk full"):
                rotate(store, tmp_path / "key", NOW, lost=lost)
    assert len(ring_of(tmp_path / "key")) == 3


# --- keys ----------------------------------------------------------------------------------------------------


def test_a_key_files_two_forms(tmp_path: Path) -> None:
    path = tmp_path / "key"
    first = install_key(path)
    assert (len(first), ring(first)) == (32, (first,))
    with connect(f"sqlite:///{tmp_path}/store.db") as store:
        assert rotate(store, path, NOW) == 2
    content = install_key(path)
    assert content.startswith(RING)
    assert ring_of(path)[1:] == (first,)
    assert path.stat().st_mode & 0o777 == 0o600
    assert merged(path, (first,)) == 0
    assert merged(path, (b"x" * 32, first)) == 1
    assert ring_of(path)[2] == b"x" * 32
    assert merged(tmp_path / "new", (first,)) == 1
    assert install_key(tmp_path / "new") == first


def test_a_key_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it seals is on the disk at once: a key that a power cut empties would leave that unrecognised."""
    path, synced, sync = tmp_path / "key", [], os.fsync

    def noted(handle: int) -> None:
        sync(handle)
        synced.append((os.fstat(handle).st_ino, os.fstat(handle).st_size, path.exists()))

    monkeypatch.setattr(os, "fsync", noted)
    install_key(path)
    (file, *content), (folder, *_, named) = synced
    assert (file, content) == (path.stat().st_ino, [32, False])
    assert (folder, named) == (tmp_path.stat().st_ino, True)


@pytest.mark.parametrize("content", [b"short", RING, RING + b"zz\n", RING + b"abcd\n", b""])
def test_a_key_file_that_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(ConfigError, match="key: not an install key: "):
        install_key(tmp_path / "key")


def test_a_key_is_not_made_where_one_must_be(tmp_path: Path) -> None:
    with (
        connect(f"sqlite:///{tmp_path}/store.db") as store,
        pytest.raises(ConfigError, match="it holds the install keys: put it back from a backup"),
    ):
        rotate(store, tmp_path / "key", NOW)
    assert not (tmp_path / "key").exists()


# --- seals ---------------------------------------------------------------------------------------------------

OLD, NEW = b"o" * 32, b"n" * 32
BOTH = RING + NEW.hex().encode() + b"\n" + OLD.hex().encode() + b"\n"


def test_a_value_is_sealed_under_the_newest_key_and_known_under_the_older() -> None:
    sealed = seal(BOTH, {"a": "x", "b": [{"c": 1}]})
    assert sealed == seal(NEW, {"a": "x", "b": [{"c": 1}]})
    assert sealed["a"].older == (seal(OLD, "x").digest,)
    older = known_before([sealed, None, ["plain"]])
    assert older == {sealed["a"].digest: sealed["a"].older, sealed["b"][0]["c"].digest: sealed["b"][0]["c"].older}
    seals = {before: now for now, every in older.items() for before in every}
    then = seal(OLD, {"a": "x", "b": [{"c": 1}], "d": "gone"})
    assert renewed(then, seals) == {**sealed, "d": then["d"]}
    assert renewed(sealed, seals)["a"].older == ()
    assert newest(BOTH) == NEW
    assert newest(OLD) == OLD


@pytest.mark.parametrize("secret", [False, True], ids=["plain", "sealed"])
@pytest.mark.parametrize("live", ["60", {"Token": "x", "Team": "shop"}, ["a", "b"]], ids=["text", "map", "list"])
def test_a_baseline_of_an_older_key_still_matches(live: object, secret: bool) -> None:
    """Also one that holds a sealed value, whose seal then was another."""

    def drift(key: bytes) -> Drift:
        name = {str: "visibility_timeout_seconds", dict: "tags", list: "name"}[type(live)]
        value = [seal(key, one) for one in live] if secret and isinstance(live, list) else seal(key, live)
        return Drift(Key("1", "r", "aws_sqs_queue", "q"), "changed", name, "30", value if secret else live)

    specs = load_specs()
    now = drift(BOTH)
    digests = digests_of(BOTH, specs, known_before([now.live]))(now)
    assert digests == (digest_of(NEW, specs)(drift(NEW)), digest_of(OLD, specs)(drift(OLD)))
    assert digest_of(BOTH, specs)(now) == digests[0]
    assert install_marks(BOTH) == (*install_marks(NEW), *install_marks(OLD))

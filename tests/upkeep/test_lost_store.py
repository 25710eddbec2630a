"""The store is lost: neither a backup nor a configuration that somebody made up appoints who agrees to a restore."""

import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from upkeep.conftest import PEOPLE, Place, filled, made, sign

from agent.cli import main
from agent.declare import Accepted, Source, accept, ground, in_force, nonce, peer, written
from agent.store.ledger import RESTORED
from agent.upkeep import Backup, Restored, UpkeepError, restore, verify

ADMINS = ("dana", "kim")
BY_CONFIGURATION = r"two admins must agree to 'restore [0-9a-f]{64}' by the configuration's \[authority\] and signers"
BY_BACKUP = (
    r"by the keys and roles that were in force when the backup was made.*its SHA-256 is what `driftwarden db backup`"
)


def begun(place: Place) -> None:
    """Its authority comes into force, as with the first scan."""
    with place.store() as store, in_force(place.config, store, datetime.now(UTC)):
        pass


def with_signers(place: Place, name: str) -> None:
    (place.folder / "allowed_signers").write_text((place.keys / name).read_text())


def lost(place: Place) -> Path:
    """The store is gone; gives a folder for what is signed."""
    (place.folder / "driftwarden.db").unlink(missing_ok=True)
    return place.folder / "agreed"


def restored(place: Place, file: Path, **more: bool) -> Restored:
    return restore(place.config, file, PEOPLE, datetime.now(UTC), place.folder / "agreed", **more)


def fingerprint(place: Place, key: str) -> str:
    said = subprocess.run(
        ["ssh-keygen", "-lf", str(place.keys / f"{key}.pub")], check=True, capture_output=True, text=True
    )
    return said.stdout.split()[1]


def made_up(place: Place) -> Backup:
    """A backup of a store whose `allowed_signers` gives the admins' names to somebody else's keys."""
    theirs = replace(place, folder=place.folder / "mallory")
    theirs.folder.mkdir()
    for name in ("driftwarden.toml", "identities.yaml", "driftwarden.key"):
        (theirs.folder / name).write_bytes((place.folder / name).read_bytes())
    with_signers(theirs, "newer_signers")
    begun(theirs)
    with theirs.store() as store:
        filled(store, "forged", "forged")
    return made(theirs)


@pytest.mark.parametrize("damaged", [False, True], ids=["gone", "damaged"])
def test_a_backup_does_not_say_whose_keys_agree_to_it(place: Place, damaged: bool) -> None:
    begun(place)
    file = made_up(place).file
    theirs = lost(place)
    if damaged:
        (place.folder / "driftwarden.db").write_bytes(b"\xff" * 8192)
    for name in ADMINS:
        sign(place, file, f"{name}-new", theirs)
    with pytest.raises(UpkeepError, match=rf"{BY_CONFIGURATION}: .*no line of it is of the key that signed"):
        restored(place, file, old_keys_lost=damaged)
    theirs.rename(place.folder / "theirs")
    for name in ADMINS:  # they took it for a backup of their own
        sign(place, file, name, place.folder / "agreed")
    with pytest.raises(UpkeepError, match=BY_BACKUP):
        restored(place, file)
    assert (place.folder / "driftwarden.db").exists() == damaged


def test_a_configuration_does_not_say_alone_whose_keys_agree(place: Place) -> None:
    begun(place)
    file = made(place).file
    agreed = lost(place)
    with_signers(place, "newer_signers")  # who may write it need be no admin
    for name in ADMINS:
        sign(place, file, f"{name}-new", agreed)
    with pytest.raises(UpkeepError, match=BY_BACKUP):
        restored(place, file)
    config = place.folder / "driftwarden.toml"
    config.write_text(config.read_text().replace('["dana", "kim"]', '["erik"]'))
    with pytest.raises(UpkeepError, match=BY_BACKUP):
        restored(place, file)


def test_who_has_another_key_since_the_backup_signs_with_both(place: Place) -> None:
    begun(place)
    file = made(place).file
    agreed = lost(place)
    with_signers(place, "newer_signers")
    for key in ("dana", "kim", "dana-new"):
        sign(place, file, key, agreed)
    with pytest.raises(UpkeepError, match=rf"{BY_CONFIGURATION}, and dana did: "):
        restored(place, file)
    sign(place, file, "kim-new", agreed)
    got = restored(place, file)
    spelled = {key: f"{key.removesuffix('-new')} {fingerprint(place, key)}" for key in (*ADMINS, "dana-new", "kim-new")}
    assert set(got.agreed) == set(ADMINS)
    assert {side: set(who) for side, who in got.signed.items()} == {
        "configuration": {spelled["dana-new"], spelled["kim-new"]},
        "backup": {spelled["dana"], spelled["kim"]},
    }
    with place.store() as store:
        (event,) = store.ledger.of(RESTORED)
        assert {side: tuple(who) for side, who in event.body["signed"].items()} == got.signed
        assert len(store.declarations.listed()) == 4, "all that was signed is kept"
        found = verify(store)
    assert found.sound
    assert any(f"; by the backup: {', '.join(got.signed['backup'])}; by the" in line for line in found.told)


def test_where_the_old_keys_are_lost_the_ledger_says_whose_it_rests_on(place: Place) -> None:
    begun(place)
    file = made(place).file
    agreed = lost(place)
    with_signers(place, "newer_signers")
    for name in ADMINS:
        sign(place, file, f"{name}-new", agreed)
    config = ["-c", str(place.folder / "driftwarden.toml")]
    asked = ["db", "restore", str(file), "--agreed", str(agreed), "--old-keys-lost", *config]
    done = CliRunner().invoke(main, asked)
    assert done.exit_code == 0, done.output
    (signed,) = [line for line in done.output.splitlines() if line.startswith("Signed, by the configuration: ")]
    assert all(f"{name} {fingerprint(place, f'{name}-new')}" in signed for name in ADMINS)
    assert "Signed, by the backup: nobody.\n" in done.output
    with place.store() as store:
        assert any("; by the backup: nobody; by the configuration: " in line for line in verify(store).told)
        for number, name in enumerate(ADMINS):  # newer keys wait for those who were admins then, whatever their keys
            with in_force(place.config, store, datetime.now(UTC)) as force:
                what = Accepted(at=datetime.now(UTC), estate="shop", nonce=nonce(), what=(f"authority {force.waits}",))
                at_socket = peer(name, 1000 + number, force.config.daemon.people, PEOPLE, datetime.now(UTC), "")
                accept(ground(place.config, store, PEOPLE, force), at_socket, what, Source(written(what)))
        with in_force(place.config, store, datetime.now(UTC)) as force:
            assert (force.waits, force.signers) == ("", place.folder / "allowed_signers")

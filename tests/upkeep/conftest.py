"""A folder with a configuration, a store, its keys, and three people of whom two are admins."""

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from store.story import case, finding, reading, scan, seen, state

from agent.cli import main
from agent.config import Config, load
from agent.declare import Accepted, ground, in_force, nonce, say
from agent.model import Directory, Open, Person
from agent.store import Store, connect
from agent.upkeep import Backup, backup
from agent.upkeep.keys import install_key

PEOPLE = Directory(people=tuple(Person(name, users=(name,)) for name in ("dana", "kim", "erik")))

CONFIG = """\
[estate]
name = "shop"

[identities]
file = "identities.yaml"

[backup]
dir = "backups"
keep = 3

[authority]
signers = "allowed_signers"

[authority.roles]
admin = ["dana", "kim"]
"""


@dataclass(frozen=True)
class Place:
    """The folder."""

    folder: Path
    keys: Path

    @property
    def config(self) -> Config:
        return load(self.folder / "driftwarden.toml")

    def store(self) -> Store:
        return connect(self.config.store_url())

    def accept(self, what: str, *names: str) -> None:
        """People say, one after the other, that they agree."""
        now = datetime.now(UTC)
        with self.store() as store, in_force(self.config, store, now) as force:
            for name in names:
                said = Accepted(at=datetime.now(UTC), estate="shop", nonce=nonce(), what=(what,))
                say(ground(self.config, store, PEOPLE, force), said, self.keys / name, datetime.now(UTC))


@pytest.fixture(scope="session")
def their_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of everybody's keys, and the `allowed_signers` that knows them; `newer_signers` has newer ones."""
    folder = tmp_path_factory.mktemp("people")
    lines = []
    for name in ("dana", "kim", "erik", "dana-new", "kim-new"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
        lines.append(f"{name.removesuffix('-new')} {(folder / f'{name}.pub').read_text()}")
    (folder / "allowed_signers").write_text("".join(lines[:3]))
    (folder / "newer_signers").write_text("".join(lines[2:]))
    return folder


@pytest.fixture
def place(tmp_path: Path, their_keys: Path) -> Place:
    """A folder whose store holds one scan: a case, its finding and verdict, a reading, a state."""
    (tmp_path / "driftwarden.toml").write_text(CONFIG)
    (tmp_path / "identities.yaml").write_text("people: [{id: dana}, {id: kim}, {id: erik}]\n")
    (tmp_path / "allowed_signers").write_text((their_keys / "allowed_signers").read_text())
    found = Place(tmp_path, their_keys)
    install_key(tmp_path / "driftwarden.key")
    with found.store() as store:
        filled(store)
    return found


def filled(store: Store, run: str = "r1", name: str = "q", at: datetime | None = None) -> None:
    """A scan that opened a case."""
    when = {} if at is None else {"at": at}
    story = {"seen": seen(finding(name)), "accepted": (reading(name),), "actions": (Open(case(name)),)}
    assert scan(store, run, **when, **story, states=(state(),))


def made(place: Place, **more: object) -> Backup:
    """A backup of its store."""
    with place.store() as store:
        return backup(place.config, store, **more)


def sign(place: Place, file: Path, key: str, folder: Path) -> None:
    """Somebody agrees in a file of theirs that a backup takes the place of a store that is lost."""
    config = str(place.folder / "driftwarden.toml")
    asked = ["db", "agree", str(file), "--to", str(folder), "--key", str(place.keys / key), "-c", config]
    said = CliRunner().invoke(main, asked)
    assert said.exit_code == 0, said.output

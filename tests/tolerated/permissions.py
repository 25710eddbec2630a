"""People with keys, and a configuration whose permissions they own and approve.

Hides ssh-keygen and the identity map. Dana owns, Sam approves; Kim is an engineer who may approve nothing.
"""

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent.config import Config
from agent.model import Directory, Person
from agent.tables import AuthorityConfig, Estate, Stack, StoreConfig
from agent.tolerated import approvals_of
from agent.tolerated.terms import Approvals

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
SINCE = NOW - timedelta(days=1)
PEOPLE = (
    Person("dana", principals=("dana@acme.example", "arn:aws:iam::111122223333:user/dana"), users=("dsmith",)),
    Person("sam", principals=("sam@acme.example",), groups=("security",), valid_until=NOW + timedelta(days=90)),
    Person("kim", principals=("kim@acme.example",)),
    Person("ci", kind="service", principals=("ci@acme.example",), groups=("security",), sponsor="sam"),
)


@dataclass(frozen=True)
class Office:
    """A folder with a configuration in it, and everybody's keys."""

    folder: Path
    config: Config
    approvals: Approvals

    def key(self, name: str) -> Path:
        return self.folder / "keys" / name

    def write(self, name: str, content: str) -> Path:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
        return file


def office(folder: Path) -> Office:
    """An office in a folder. Sam may approve by group."""
    keys = folder / "keys"
    keys.mkdir()
    lines = []
    for person in PEOPLE:
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", person.id, "-f", str(keys / person.id)]
        subprocess.run(command, check=True)
        public = (keys / f"{person.id}.pub").read_text().split()
        lines.append(f'{person.principals[0]} namespaces="driftwarden" {public[0]} {public[1]}')
    (folder / "allowed_signers").write_text("\n".join(lines) + "\n")
    authority = AuthorityConfig(signers="allowed_signers", roles={"approver": ("group:security",)}, standing="standing")
    config = Config(
        estate=Estate(name="acme"),
        authority=authority,
        stack=(Stack(name="shop", dir="shop"),),
        store=StoreConfig(url="sqlite:///store.db"),
        base=str(folder),
    )
    return Office(folder, config, approvals_of(config, Directory(PEOPLE)))

"""An estate with people, who are Unix users here, and a store with an emergency of dana's and a held case."""

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "declare"))  # the night serves both folders

from doorway import CONFIG, HELD, IDENTITIES, UIDS, Asked
from night import call, seen
from test_document import by_hand

from agent.cli._perform import perform
from agent.control.errand import Errand
from agent.control.frames import Answer, Parameter, Request, Signed
from agent.control.peer import Peer
from agent.store import ScanCommit, connect
from agent.upkeep.keys import install_key


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of dana's and kim's keys, and the `allowed_signers` that knows both."""
    folder = tmp_path_factory.mktemp("control-keys")
    lines = []
    for name in ("dana", "kim"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
        lines.append(f"{name} {(folder / f'{name}.pub').read_text()}")
    (folder / "allowed_signers").write_text("".join(lines))
    return folder


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory, keys: Path) -> Path:
    """A folder with configuration and store, to be copied."""
    folder = tmp_path_factory.mktemp("control-estate")
    people = "".join(f'"uid:{uid}" = "{name}"\n' for name, uid in UIDS.items())
    (folder / "driftwarden.toml").write_text(CONFIG + people)
    (folder / "identities.yaml").write_text(IDENTITIES)
    shutil.copy(keys / "allowed_signers", folder / "allowed_signers")
    now = datetime.now(UTC) - timedelta(hours=1)
    install_key(folder / "driftwarden.key")
    with connect(f"sqlite:///{folder}/driftwarden.db") as store:
        seen(store, call(at=now), at=now, deadline=now + timedelta(hours=24), ticket="SEC-1", body="\x1b[2JThe calls.")
        seen(store, call("e2", at=now), at=now, held=True, key=HELD)
        document = by_hand()
        run_id, now = document["run"]["id"], now + timedelta(minutes=1)
        store.scans.begin(run_id, now, "c" * 64, "r" * 64)
        assert store.scans.commit(ScanCommit(run_id, now, "violations", json.dumps(document).encode()))
    return folder


@pytest.fixture
def folder(filled: Path, tmp_path: Path) -> Path:
    """The estate, for one test."""
    shutil.copytree(filled, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def asked(folder: Path) -> Asked:
    """Has a command carried out for somebody as the daemon's child does, in this process, which is faster."""

    def ask(
        who: str | int, operation: str, *, draft: bool = False, signed: Signed | None = None, **parameters: Parameter
    ) -> Answer:
        uid = UIDS[who] if isinstance(who, str) else who
        peer = Peer(4711, uid, uid, "", f"host, pid 4711, uid {uid}")
        request = Request(operation, parameters, draft=draft, signed=signed)
        return perform(Errand(str(folder / "driftwarden.toml"), None, peer, request, {"role": "leader"}, 60))

    return ask

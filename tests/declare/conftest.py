"""A store in a file for each test, and everybody's keys: both are made once.

What is declared is kept the same on both engines, which `tests/store` sees to.
"""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.store import Store, connect


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an empty store."""
    path = tmp_path_factory.mktemp("empty") / "store.db"
    connect(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def store(empty: Path, tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    shutil.copy(empty, tmp_path / "driftwarden.db")
    with connect(f"sqlite:///{tmp_path}/driftwarden.db") as opened:
        yield opened


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of everybody's keys, two of dana's, and the `allowed_signers` that knows all but mallory's."""
    folder = tmp_path_factory.mktemp("keys")
    lines = []
    for name in ("dana", "dana.k", "kim", "erik", "mallory"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
        lines.append(f"{name} {(folder / f'{name}.pub').read_text()}")
    (folder / "allowed_signers").write_text("".join(lines[:-1]))
    return folder

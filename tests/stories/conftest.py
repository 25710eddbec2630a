"""Fixtures of the stories: a cloud, the people's keys, a company, and a tracker."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import small_estate
from company import CONFIG, IDENTITIES, PEOPLE, Company

from agent.demo.recorder import Recorder

sys.path.append(str(Path(__file__).parents[1] / "tickets"))  # the tracker serves both folders

from roundup_server import TOOLS, Tracker, served


@pytest.fixture(scope="session")
def tracker() -> Iterator[Tracker]:
    """A running tracker."""
    if not (TOOLS / "roundup-server").exists():
        pytest.skip("roundup is not installed (it is in the dependency group dev)")
    with served() as tracker:
        yield tracker


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SSH key of each person."""
    folder = tmp_path_factory.mktemp("keys")
    for who in PEOPLE:
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", who, "-f", str(folder / who)], check=True, timeout=30
        )
    return folder


@pytest.fixture
def company(cloud: tuple[Recorder, dict[str, str]], tmp_path: Path, keys: Path) -> Company:
    recorder, variables = cloud
    made = small_estate.estate(tmp_path, recorder, variables)
    company = Company(made.folder, made.recorder, made.variables, made.told, keys)
    company.configure(CONFIG)
    (tmp_path / "identities.yaml").write_text(IDENTITIES)
    signers = (f"{who} {(keys / f'{who}.pub').read_text()}" for who in PEOPLE)
    (tmp_path / "allowed_signers").write_text("".join(signers))
    return company

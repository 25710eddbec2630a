"""Fixtures of the faults: a company whose cycle is cut into stages, and the table of what held."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.extend(str(Path(__file__).parents[1] / name) for name in ("stories", "events", "daemon"))

import small_estate
from company import CONFIG, IDENTITIES, PEOPLE, Company
from cycle import Cycle, built
from forks import Forks
from outcomes import TABLE
from queued import events

from agent.demo.recorder import Recorder


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SSH key of each person."""
    folder = tmp_path_factory.mktemp("keys")
    for who in PEOPLE:
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", who, "-f", str(folder / who)]
        subprocess.run(command, check=True, timeout=30)
    return folder


@pytest.fixture(scope="module")
def cycle(
    cloud: tuple[Recorder, dict[str, str]], keys: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cycle]:
    """All stages of a cycle. Its cloud is nobody else's to change."""
    above = tmp_path_factory.mktemp("cycle")
    (above / "work").mkdir()
    (above / "kept").mkdir()
    made = small_estate.estate(above / "work", *cloud)
    company = Company(made.folder, made.recorder, made.variables, made.told, keys)
    queue = events(made, "faults")
    company.configure(CONFIG)
    (company.folder / "identities.yaml").write_text(IDENTITIES)
    signers = (f"{who} {(keys / f'{who}.pub').read_text()}" for who in PEOPLE)
    (company.folder / "allowed_signers").write_text("".join(signers))
    with Forks(company.variables) as forks:
        yield built(company, forks, above / "kept", queue)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was injected, and whether it held."""
    if TABLE.rows:
        terminalreporter.section("faults")
        terminalreporter.write_line(TABLE.text())

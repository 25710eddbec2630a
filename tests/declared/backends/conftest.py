"""One place after another for the contract, and the real terraform binary with a root of its own."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path

import pytest
import state_places
from postgres_server import running
from state_places import Place

_numbers = count(1)


@pytest.fixture(scope="session")
def postgres_socket() -> Iterator[str]:
    """Folder of the socket of a PostgreSQL server that lives as long as the session."""
    with running() as socket:
        yield socket


@pytest.fixture
def schema() -> str:
    """A name no other test has."""
    return f"tf{next(_numbers)}"


@pytest.fixture(params=state_places.NAMES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Each backend in turn, its server empty."""
    if request.param.startswith("s3"):
        request.getfixturevalue("aws_env")
        request.getfixturevalue("moto_reset")
    if request.param == "pg":
        socket, schema = request.getfixturevalue("postgres_socket"), request.getfixturevalue("schema")
        with state_places.pg(tmp_path, socket, schema) as made:
            yield made
    else:
        with state_places.SIMPLE[request.param](tmp_path) as made:
            yield made


Terraform = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def terraform_in() -> Terraform:
    """`terraform_in(directory, environment, *arguments)` runs the real binary; only its own provider is there."""
    binary = shutil.which("terraform")
    if binary is None:
        pytest.skip("the terraform binary is not on PATH")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "AWS_"))}

    def run(directory: Path, environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
        env = kept | {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"} | dict(environment)
        command = [binary, *arguments]
        done = subprocess.run(command, cwd=directory, env=env, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            raise RuntimeError(f"terraform {arguments[0]}:\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}")
        return done

    return run

"""Every test of the store runs on both engines: SQLite in a file, PostgreSQL from its own binaries on a socket.

Hides how a server is started without root, and that each test has a schema of its own inside it.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import psycopg
import pytest

from agent.store import Store, connect

_numbers = count(1)


@pytest.fixture(scope="session")
def postgres_socket() -> Iterator[str]:
    """Folder of the socket of a PostgreSQL server that lives as long as the session."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed: no pg_ctl on PATH or in /usr/lib/postgresql/*/bin")
    # Not pytest's own folder: a socket's path may have 107 characters, and another user must reach it.
    home = Path(tempfile.mkdtemp(prefix="dwpg"))
    as_user = _unprivileged(home)
    data, options = home / "data", f"-c listen_addresses= -c unix_socket_directories={home} -c fsync=off"
    try:
        _run([*as_user, f"{binaries}/initdb", "-D", f"{data}", "-U", "driftwarden", "-A", "trust", "-E", "UTF8", "-N"])
        _run([*as_user, f"{binaries}/pg_ctl", "-D", f"{data}", "-l", f"{home}/log", "-o", options, "-w", "start"])
        try:
            yield str(home)
        finally:
            _run([*as_user, f"{binaries}/pg_ctl", "-D", f"{data}", "-m", "immediate", "-w", "stop"])
    finally:
        shutil.rmtree(home)


def _binaries() -> str | None:
    on_path = shutil.which("pg_ctl")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), reverse=True)
    for candidate in [Path(on_path).resolve(), *debian] if on_path else debian:
        if (candidate.parent / "initdb").exists():
            return str(candidate.parent)
    return None


def _unprivileged(home: Path) -> list[str]:
    """Command prefix: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    names = {user.pw_name: user for user in pwd.getpwall()}
    user = names.get("postgres") or names["nobody"]
    os.chown(home, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _run(command: Sequence[str]) -> None:
    # Not to pipes: the server would inherit them, and the call would wait for its end.
    with tempfile.TemporaryFile("w+") as said:
        done = subprocess.run(command, stdout=said, stderr=said, cwd="/", timeout=60, check=False)
        if done.returncode:
            said.seek(0)
            raise RuntimeError(f"{command}: {said.read()}")


@pytest.fixture
def postgres_url(postgres_socket: str) -> Iterator[str]:
    """URL of an empty PostgreSQL schema."""
    name = f"store_{next(_numbers)}"
    url = f"postgresql://driftwarden@/postgres?host={postgres_socket}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
        yield f"{url}&options=-csearch_path%3D{name}"
        connection.execute(f"DROP SCHEMA {name} CASCADE")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """URL of a SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path}/store.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """URL of an empty store, once per engine."""
    name = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    return str(request.getfixturevalue(name))


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """An empty store, once per engine."""
    with connect(url) as opened:
        yield opened

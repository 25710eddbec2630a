"""Every test of the store runs on both engines: SQLite in a file, PostgreSQL from its own binaries on a socket.

Hides that each test has a schema of its own inside the server.
"""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
from postgres_server import running

from agent.store import Store, connect

_numbers = count(1)


@pytest.fixture(scope="session")
def postgres_socket() -> Iterator[str]:
    """Folder of the socket of a PostgreSQL server that lives as long as the session."""
    with running() as socket:
        yield socket


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

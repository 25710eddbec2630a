"""What one peer may take of the daemon, and what `Control` leaves behind; served from this process."""

import json
import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent.config import load
from agent.control import Control
from agent.control.frames import VERSION, Answer, answer, receive
from agent.control.listening import listen
from agent.control.server import Limits
from agent.store import connect

PATIENT = Limits(receive=600.0, children=0, turn=0.0)
Serve = Callable[[Limits], Control]


@pytest.fixture
def serve(folder: Path) -> Iterator[Serve]:
    """Serves the estate's socket within limits."""
    with ExitStack() as stack:
        store = stack.enter_context(connect(f"sqlite:///{folder}/driftwarden.db"))

        def begin(limits: Limits) -> Control:
            control = Control(load(folder / "driftwarden.toml"), store, _silent, limits=limits)
            control.start()
            stack.callback(control.stop)
            return control

        yield begin


def _silent(what: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    return {}


def opened(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(path))
    return connection


def told(path: Path, **fields: Any) -> Answer:
    data = json.dumps({"operation": "cases list", "driftwarden": VERSION, **fields}).encode()
    with closing(opened(path)) as connection:
        with suppress(BrokenPipeError):  # refused before it was read
            connection.sendall(struct.pack("!I", len(data)) + data)
        return answer(receive(connection, 1 << 20, 60.0))


def test_each_user_has_so_many_connections(folder: Path, serve: Serve) -> None:
    serve(Limits(receive=600.0, of_one_user=2))
    path = folder / "control.sock"
    first, second = opened(path), opened(path)
    with closing(second):
        with closing(first):
            third = told(path)
            assert (third.busy, third.stderr) == (
                True,
                "driftwarden: the daemon has too many connections; try again\n",
            )
        while (again := told(path, operation="no such")).busy:  # free as soon as its thread has seen it end
            pass
        assert "does not go through" in again.stderr


def test_who_finds_no_process_free_is_told(folder: Path, serve: Serve) -> None:
    serve(PATIENT)
    given = told(folder / "control.sock")
    assert (given.busy, given.exit) == (True, 2)
    assert given.stderr == "driftwarden: the daemon is busy with what others asked; try again\n"


def test_a_new_configuration(folder: Path, serve: Serve) -> None:
    control = serve(PATIENT)
    path = folder / "control.sock"
    assert "this daemon looks after 'shop'" in told(path, estate="bank").stderr
    config = load(folder / "driftwarden.toml")
    control.renew(msgspec.structs.replace(config, estate=msgspec.structs.replace(config.estate, name="bank")))
    assert told(path, estate="bank").busy
    assert "this daemon looks after 'bank'" in told(path, estate="shop").stderr


def test_its_own_file_is_taken_away_and_no_other(folder: Path, serve: Serve) -> None:
    path = folder / "control.sock"
    serve(PATIENT).stop()
    assert not path.exists()
    control = serve(PATIENT)
    path.unlink()
    other, _ = listen(path)
    with closing(other):
        control.stop()
        assert path.exists()


def test_no_socket_where_none_is_wanted(folder: Path, serve: Serve) -> None:
    file = folder / "driftwarden.toml"
    file.write_text(file.read_text().replace('socket = "control.sock"', 'socket = ""'))
    serve(PATIENT)
    assert list(folder.glob("*.sock")) == []

"""What one peer may take of the daemon, and what `Control` leaves behind; served from this process."""

import json
import os
import pwd
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
from agent.control.door import Door, Guest
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


def opened_as(uid: int) -> socket.socket:
    """A connection to `control.sock` of a user; whoever is root becomes them for so long."""
    os.seteuid(uid)
    try:
        return opened(Path("control.sock"))
    finally:
        os.seteuid(0)


def answered(connection: socket.socket) -> Answer:
    data = json.dumps({"operation": "cases list", "driftwarden": VERSION}).encode()
    with closing(connection):
        connection.sendall(struct.pack("!I", len(data)) + data)
        return answer(receive(connection, 1 << 20, 60.0))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_one_person_keeps_nobody_out_however_many_users_they_are(
    folder: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a user whom the machine has no name for is refused without a process: none is free here."""
    monkeypatch.chdir(folder)
    folder.chmod(0o711)
    serve(Limits(receive=600.0, connections=6, of_one_user=3, children=0, turn=0.0))
    daemon, strangers = pwd.getpwnam("daemon").pw_uid, range(3_000_000, 3_000_020)
    with ExitStack() as stack:
        held = [stack.enter_context(closing(opened_as(uid))) for uid in strangers]
        first = answer(receive(held[0], 1 << 20, 60.0))
        assert (first.busy, first.stderr) == (True, "driftwarden: the daemon has too many connections; try again\n")
        said = answered(opened_as(strangers[-1]))
        assert not said.busy
        assert f"you are nobody here (no name, uid {strangers[-1]}): [daemon] people" in said.stderr
        for uid in (daemon, 0):
            assert "busy with what others asked" in answered(opened_as(uid)).stderr


def entered(door: Door, wire: socket.socket, uid: int) -> Guest:
    """A user with a name comes in; nobody has to leave for it."""
    guest, leaves = door.come(wire, uid)
    assert guest is not None
    assert leaves is None
    assert door.named(guest, "x")
    return guest


def test_who_has_most_makes_room() -> None:
    door = Door(Limits(connections=4, of_one_user=3, kept=1))
    door.keep_for({"uid:7": "dana", "no such user": "kim"}, 0)
    with closing(socket.socket()) as wire:
        first, second, third = (entered(door, wire, 5) for _ in range(3))
        other = entered(door, wire, 6)
        assert door.asked(first)
        # What is asked already is answered; of what is not the oldest of whoever has most leaves.
        guest, leaves = door.come(wire, 6)
        assert guest is not None
        assert leaves is second
        assert door.named(guest, "x")
        assert not door.asked(second)
        # Of those with as many, the one that is there longest; and where all are answered, nobody.
        assert door.come(wire, 6)[1] is third
        assert door.come(wire, 6)[1] is other
        for one in (guest, *door._guests):
            door.asked(one)
        assert door.come(wire, 6) == (None, None)


def test_a_user_with_a_name_has_so_many_however_much_room_there_is() -> None:
    door = Door(Limits(of_one_user=2))
    door.keep_for({"uid:7": "dana", "no such user": "kim"}, 0)
    with closing(socket.socket()) as wire:
        for uid in (5, 5, 7, 7):
            entered(door, wire, uid)
        assert door.come(wire, 7) == (None, None)
        third = door.come(wire, 5)[0]
        assert third is not None
        assert not door.named(third, "x")
        # Those without one share what one has, and who is there longest makes room for the next.
        door.go(third)
        strangers = [door.come(wire, uid) for uid in range(1000, 1003)]
        assert all(guest is not None and door.named(guest, "") for guest, _ in strangers)
        assert [leaves for _, leaves in strangers] == [None, None, strangers[0][0]]


def test_room_is_kept_for_people_and_root() -> None:
    door = Door(Limits(connections=2, kept=2, turn=0.0))
    door.keep_for({"uid:7": "dana"}, 0)
    with closing(socket.socket()) as wire, ExitStack() as stack:
        for uid in (5, 6):
            guest = entered(door, wire, uid)
            assert door.asked(guest)
            assert stack.enter_context(door.turn(guest, lambda: True))
        assert door.come(wire, 8) == (None, None)
        assert not stack.enter_context(door.turn(Guest(wire, 8, 8), lambda: True))
        for uid, place in ((7, True), (0, False)):
            assert stack.enter_context(door.turn(entered(door, wire, uid), lambda: True)) == place
        # Who is that user is somebody else by now.
        door.keep_for({}, 0)
        assert door.come(wire, 7) == (None, None)


def test_who_is_nobody_is_remembered_for_a_while(folder: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Control, "_carried_out", lambda *_: Answer(exit=2, nobody=True))
    control = serve(Limits())
    control._now.nobody[5] = (0.0, Answer())
    assert told(folder / "control.sock").exit == 2
    assert set(control._now.nobody) == {os.geteuid()}


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

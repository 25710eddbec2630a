"""The socket itself: a daemon in a process of its own, commands of real Unix users, and peers that mean harm."""

import contextlib
import json
import os
import pickle
import re
import shutil
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from doorway import UIDS
from night import CASE

import agent.cli._declare
import agent.cli._show
import agent.cli.breakglass
import agent.cli.cases
import agent.cli.scan
import agent.control.draft
import agent.signing  # noqa: F401 - another user may not be able to read the files of these later
from agent.cli import main
from agent.control import client
from agent.control.frames import VERSION, Answer, FrameError, Request, answer, receive
from agent.model import Acceptance, Opening
from agent.store import Store, connect

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
STUB = Path(__file__).with_name("daemon_stub.py")


@dataclass(frozen=True)
class Daemon:
    """A daemon that listens."""

    folder: Path
    process: subprocess.Popen[str]

    @property
    def socket(self) -> Path:
        return self.folder / "control.sock"

    @contextlib.contextmanager
    def store(self) -> Iterator[Store]:
        with connect(f"sqlite:///{self.folder}/driftwarden.db") as store:
            yield store


def started(folder: Path) -> subprocess.Popen[str]:
    # A child is told nothing by the environment of whoever asks; what the daemon's own holds stays in it.
    variables = {**os.environ, "NOTIFY_SOCKET": "/nowhere", "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, str(STUB), str(folder / "driftwarden.toml")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=(folder / "stub.err").open("w"),
        text=True,
        env=variables,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n", (folder / "stub.err").read_text()
    return process


@pytest.fixture(scope="module")
def daemon(filled: Path) -> Iterator[Daemon]:
    """A daemon over a store of its own, for the whole module; others may enter its folder, and read nothing there."""
    folder = Path(tempfile.mkdtemp(prefix="dw-"))
    shutil.copytree(filled, folder, dirs_exist_ok=True)
    for path in folder.iterdir():
        path.chmod(0o600)
    folder.chmod(0o711)
    process = started(folder)
    assert process.stdin is not None
    yield Daemon(folder, process)
    process.stdin.close()
    assert process.wait(30) == 0, (folder / "stub.err").read_text()
    assert not (folder / "control.sock").exists()
    shutil.rmtree(folder)


def as_user(uid: int, do: Callable[[], Any]) -> Any:
    """What a function gives in a process of another user; real ids, as after a login."""
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            os.chdir("/")
            done = do()
            os.write(writable, pickle.dumps(done))
        finally:
            os._exit(0)
    os.close(writable)
    with os.fdopen(readable, "rb") as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    return pickle.loads(said)


@pytest.fixture
def typed(daemon: Daemon) -> Callable[..., tuple[int, str, str]]:
    """Types a command as a user: exit code, stdout, stderr. Their configuration is not there, only the socket."""

    def run(who: str | int, *words: str, **more: Any) -> tuple[int, str, str]:
        def do() -> tuple[int, str, str]:
            done = CliRunner().invoke(main, ["--socket", str(daemon.socket), *words], **more)
            return done.exit_code, done.stdout, done.stderr

        uid = UIDS[who] if isinstance(who, str) else who
        found: tuple[int, str, str] = as_user(uid, do) if uid != os.geteuid() else do()
        return found

    return run


Typed = Callable[..., tuple[int, str, str]]


@AS_ROOT
def test_an_emergency_without_a_key_or_the_store(daemon: Daemon, typed: Typed) -> None:
    assert isinstance(as_user(UIDS["dana"], lambda: _reads(daemon.folder / "driftwarden.db")), PermissionError)
    code, out, err = typed("dana", "breakglass", "open", "--incident", "INC-8", "--for", "90m")
    assert (code, err) == (0, "")
    grant = re.search(r"BG-[0-9a-f]{12}", out)
    assert grant is not None
    assert "declared by dana." in out
    with daemon.store() as store:
        (opening,) = [one for one in store.declarations.listed() if isinstance(one, Opening)]
    assert (opening.by.person, opening.by.how) == ("dana", "socket")
    uid = UIDS["dana"]
    assert re.fullmatch(rf"{re.escape(socket.gethostname())}, pid \d+, uid {uid}, .*Z", opening.by.evidence)


def _reads(path: Path) -> Exception | None:
    try:
        path.read_bytes()
    except OSError as error:
        return error
    return None


def test_a_scan_is_asked_of_the_daemon(typed: Typed) -> None:
    code, out, err = typed(os.geteuid(), "scan")
    assert (code, err) == (3, "")
    assert out.startswith('scan {"by": "')
    assert "Nothing is said of the estate until it has ended" in out


def test_who_has_a_key_signs_where_it_is(daemon: Daemon, keys: Path, typed: Typed) -> None:
    signed = typed(os.geteuid(), "cases", "accept", "--held", "--reason=night", "--key", str(keys / "kim"))
    assert (signed[0], signed[1]) == (0, "hold bbbbbb0123456789: accepted by kim (it takes 2 people)\n")
    assert signed[2] == "Signing that you accept: hold bbbbbb0123456789\n"
    with daemon.store() as store:
        (said,) = [one for one in store.declarations.listed() if isinstance(one, Acceptance)]
    assert (said.by.how, said.by.person) == ("signature", "kim")
    assert said.by.evidence.startswith("-----BEGIN SSH SIGNATURE-----")


def test_what_is_shown_steers_no_terminal_and_is_logged(daemon: Daemon, typed: Typed) -> None:
    code, out, _ = typed(os.geteuid(), "cases", "show", "SEC-1")
    assert code == 0
    assert "\x1b" not in out
    assert "The calls." in out
    # Who asked for what is in the log.
    log = daemon.process.stdout
    assert log is not None
    line = next(line for line in log if "cases show" in line)
    assert "control.asked" in line
    assert f"(uid {os.geteuid()})" in line


# --- peers that mean harm ------------------------------------------------------------------------------------


def frame(data: bytes) -> bytes:
    return struct.pack("!I", len(data)) + data


def sent(path: Path, data: bytes, *, end: bool = False) -> Answer:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        with contextlib.suppress(OSError):
            connection.sendall(data)
            if end:
                connection.shutdown(socket.SHUT_WR)
        return answer(receive(connection, 1 << 20, 30.0))


PLAIN = {"operation": "cases list", "driftwarden": VERSION}
HOSTILE = {
    "more than there may be": (struct.pack("!I", 2**32 - 1) + b"x" * 100_000, "4,294,967,295 bytes follow"),
    "nested": (frame(b'{"driftwarden":1,"operation":"x","parameters":{"a":' + b"[" * 100_000), "nothing this"),
    "nested statement": (
        frame(b'{"driftwarden":1,"operation":"x","signed":{"signature":"","statement":{"a":' + b"[" * 400_000),
        "nothing this",
    ),
    "half": (frame(b'{"driftwarden":1}')[:-4], "bytes"),
    "half a length": (b"\0\0", "2 of 4 bytes"),
    "nothing": (b"", "0 of 4 bytes"),
    "binary": (frame(bytes(range(256))), "nothing this driftwarden understands"),
    "another version": (frame(b'{"driftwarden":2,"operation":"cases list","new":1}'), "version 2 of the protocol"),
    "no version": (frame(b'{"operation":"cases list"}'), "version 0 of the protocol"),
    "who I am": (frame(json.dumps({**PLAIN, "person": "kim"}).encode()), "unknown field `person`"),
    "a path": (frame(json.dumps({**PLAIN, "parameters": {"config": "/x"}}).encode()), "takes no config"),
    "NUL": (frame(json.dumps({**PLAIN, "parameters": {"output": "a\0"}}).encode()), "output holds a NUL"),
    "surrogates": (frame(b'{"driftwarden":1,"operation":"\\ud800"}'), ""),
    "an operation of nobody": (frame(b'{"driftwarden":1,"operation":"\\u001b[2Jrm -rf"}'), "does not go through"),
    "a wide terminal": (frame(json.dumps({**PLAIN, "columns": 10**9}).encode()), "nothing this driftwarden"),
    "another estate": (frame(json.dumps({**PLAIN, "estate": "bank"}).encode()), "looks after 'shop'"),
    "HTTP": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "1,195,725,856 bytes follow"),
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_what_is_no_request_is_refused(daemon: Daemon, name: str) -> None:
    data, why = HOSTILE[name]
    given = sent(daemon.socket, data, end=name in ("half", "half a length", "nothing"))
    assert (given.exit, given.stdout) == (2, "")
    assert why in given.stderr
    assert given.stderr.startswith("driftwarden: ")
    assert "\x1b" not in given.stderr


def test_fifty_silent_peers_keep_nobody_out(daemon: Daemon) -> None:
    """Some are told at once that they are too many, the others when their time is over; somebody else is served."""
    mine = [socket.socket(socket.AF_UNIX) for _ in range(50)]
    try:
        for each in mine:
            each.connect(str(daemon.socket))
        if os.geteuid() == 0:  # somebody else gets their answer meanwhile
            request = frame(json.dumps({**PLAIN, "operation": "no such"}).encode())
            other = as_user(UIDS["kim"], lambda: sent(daemon.socket, request).stderr)
            assert "does not go through the daemon's socket" in other
        # Byte by byte is no way around it.
        drip = threading.Thread(target=_drip, args=(mine[0],))
        drip.start()
        told = [answer(receive(each, 1 << 20, 60.0)) for each in mine]
        drip.join()
        assert all(one.busy or "bytes arrived in time" in one.stderr for one in told)
    finally:
        for each in mine:
            each.close()
    assert "does not go" in client.ask(daemon.socket, Request("no such")).stderr


def _drip(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        for byte in frame(b"x" * 1000):
            connection.send(bytes([byte]))
            time.sleep(0.05)


def test_who_does_not_wait_for_the_answer_does_no_harm(daemon: Daemon) -> None:
    for _ in range(20):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(daemon.socket))
            connection.sendall(frame(json.dumps({**PLAIN, "operation": "no such"}).encode()))
    assert daemon.process.poll() is None
    assert "does not go" in client.ask(daemon.socket, Request("no such")).stderr


# --- the file ------------------------------------------------------------------------------------------------


def test_everybody_may_knock(daemon: Daemon) -> None:
    assert stat.S_IMODE(daemon.socket.stat().st_mode) == 0o666
    assert sorted(path.name for path in daemon.folder.iterdir() if path.name.startswith(".")) == []


def test_a_daemon_gone_mad_is_not_believed(tmp_path: Path) -> None:
    """What answers like no daemon is told as such, and no file is written where it says."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(1)
        with _serving(listener, frame(b"[]")), pytest.raises(FrameError, match="nothing this driftwarden"):
            client.ask(path, Request("cases list"))
        evil = frame(b'{"files":{"../../evil":"x"},"stdout":"\\u001b[2J"}')
        with _serving(listener, evil):
            done = CliRunner().invoke(main, ["--socket", str(path), "report", "--out", str(tmp_path / "out")])
        assert (done.exit_code, done.stdout) == (2, "")
        assert "the daemon named a file '../../evil': nothing is written" in done.stderr
        other = {"driftwarden": "accept", "at": "2026-11-27T08:00:00Z", "estate": "shop", "nonce": "0" * 16}
        with _serving(listener, frame(json.dumps({"draft": {**other, "what": ["authority " + "a" * 64]}}).encode())):
            words = ["cases", "review", CASE, "--accept", "--key", str(tmp_path / "key")]
            done = CliRunner().invoke(main, ["--socket", str(path), *words])
        assert done.exit_code == 2
        assert "is not what you typed, and it is not signed: it is 'accept'" in done.stderr


@contextlib.contextmanager
def _serving(listener: socket.socket, data: bytes) -> Iterator[None]:
    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            receive(connection, 1 << 20, 30.0)
            connection.sendall(data)

    thread = threading.Thread(target=serve)
    thread.start()
    yield
    thread.join()

"""What the daemon tells: systemd by a datagram, people by a log; and its children, which it listens to."""

import io
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_process import exists, wait_for

from agent.config import KEPT
from agent.daemon import log as logs
from agent.daemon import serve as daemon
from agent.daemon.children import Child, Children, ask
from agent.daemon.log import failure, log
from agent.daemon.loop import Loop
from agent.daemon.notify import Notify
from agent.daemon.traffic import Said, Traffic

HOSTILE = 'a"b\x1b[31m\nlevel\u202e\x00'


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    hook, handlers, level = threading.excepthook, list(logging.root.handlers), logging.root.level
    yield
    threading.excepthook, logging.root.handlers, logging.root.level = hook, handlers, level


@pytest.mark.parametrize("abstract", [True, False], ids=["abstract", "path"])
def test_systemd_is_told(abstract: bool, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0dw-{os.getpid()}" if abstract else str(tmp_path / "n"))
        name = f"@dw-{os.getpid()}" if abstract else str(tmp_path / "n")
        notify = Notify({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())})
        assert notify.watchdog == 30
        notify.ready("idle\nFDSTORE=1")
        assert listener.recv(1000) == b"READY=1\nSTATUS=idle\\nFDSTORE=1"
        notify.feed()
        assert listener.recv(1000) == b"WATCHDOG=1"
        notify.stopping("x", 1.5)
        assert listener.recv(1000).endswith(b"EXTEND_TIMEOUT_USEC=1500000")


def test_nobody_is_told_where_nobody_listens(tmp_path: Path) -> None:
    Notify({}).ready("idle")
    Notify({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready("idle")
    assert Notify({"WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"}).watchdog == 0


def test_the_log_is_one_json_object_a_line_whatever_others_wrote() -> None:
    sink = io.StringIO()
    logs.configure("info", {}, sink)
    log.info("child said", job="scan", said=HOSTILE, stack="", pid=7, **{HOSTILE[:2]: 1})
    log.debug("not wanted")
    logging.getLogger("apscheduler").warning("skipped %s", HOSTILE)
    first, second = map(json.loads, sink.getvalue().splitlines())
    assert list(first)[:3] == ["ts", "level", "event"]
    assert (first["level"], first["job"], first["pid"], "stack" in first) == ("info", "scan", 7, False)
    assert first["said"] == 'a"b⟨U+001B⟩[31m\\nlevel⟨U+202E⟩⟨U+0000⟩'
    assert (second["event"], second["library"]) == ("library", "apscheduler")
    assert sink.getvalue().isprintable() is False  # the ends of its lines alone are not
    assert all(line.isprintable() for line in sink.getvalue().splitlines())


def test_the_journal_gets_priorities_and_nobody_else(tmp_path: Path) -> None:
    with (tmp_path / "journal").open("w+") as stream:
        there = os.fstat(stream.fileno())
        logs.configure("info", {"JOURNAL_STREAM": f"{there.st_dev}:{there.st_ino}"}, stream)
        log.error("job failed")
        logs.configure("info", {"JOURNAL_STREAM": f"{there.st_dev}:{there.st_ino + 1}"}, stream)
        log.warning("clock jump")
        stream.seek(0)
        first, second = stream.read().splitlines()
    assert first.startswith('<3>{"ts"')
    assert second.startswith('{"ts"')


def test_a_line_that_cannot_be_written_ends_nothing_and_is_counted() -> None:
    """Of a full pipe, as of a full disk, the first line is torn and the next ones are lost."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    room = 65_536 - 4_096  # of the usual size, and atomic: https://man7.org/linux/man-pages/man7/pipe.7.html
    with os.fdopen(reader, "rb") as read, os.fdopen(writer, "w") as stream:
        os.write(writer, b"x" * (room - 1) + b"\n")
        logs.configure("info", {}, stream)
        for number in range(3):
            log.info("job failed", job=f"j{number}", **{f"part{n}": "y" * 900 for n in range(8)})
        read.read(room)
        log.info("job ended", job="j3")
        log.info("job ended", job="j4")
        torn, *lines = os.read(reader, 65_536).decode().splitlines()
    assert torn.startswith('{"ts": "')
    assert len(torn) < 7_200
    assert [(one["job"], one.get("lines_lost")) for one in map(json.loads, lines)] == [("j3", 3), ("j4", None)]
    log.info("said to a file that is closed")


def test_a_disk_that_is_full_keeps_no_log() -> None:
    with Path("/dev/full").open("w") as stream:
        logs.configure("info", {}, stream)
        log.error("stumbled")


def test_a_loop_that_is_gone_ends_the_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever started it starts it anew: it must not go on without."""

    class Gone(Loop):
        def _run(self) -> None:
            return

    (tmp_path / "driftwarden.toml").write_text('[estate]\nname = "shop"\n[daemon]\nsocket = ""\nlisten = ""\n')
    monkeypatch.setattr(daemon, "Loop", Gone)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        assert daemon.serve(tmp_path / "driftwarden.toml") == 1
        assert KEPT not in os.environ, "no child of a later daemon reads what this one read"
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_thread_that_dies_is_logged() -> None:
    sink = io.StringIO()
    logs.configure("warning", {}, sink)

    def dies() -> None:
        raise LookupError(HOSTILE)

    thread = threading.Thread(target=dies, name="pulse")
    thread.start()
    thread.join()
    said = json.loads(sink.getvalue())
    assert (said["event"], said["thread"], said["error"]) == ("thread failed", "pulse", "LookupError")
    assert said["at_line"].startswith("test_told.py:")
    assert failure(ValueError("x"))["at_line"] == ""


def test_the_event_path_is_counted() -> None:
    logs.configure("warning", {}, io.StringIO())
    traffic = Traffic()
    for line in (b'{"messages": 3, "cases": 1, "lag": 2.5, "error": ""}', b"no json", b"[]", b'{"messages": "many"}'):
        traffic.take(line)
    traffic.take(b'{"messages": 1, "lag": null}')
    assert (traffic.messages, traffic.lag) == (4, 2.5)
    failed = traffic.take(b'{"messages": 2, "lag": 0.5, "error": "no access to the queue"}')
    assert failed == Said("no access to the queue")
    assert (traffic.messages, traffic.lag) == (6, None)
    done = traffic.take(b'{"messages": 0, "lag": 9.0, "error": "", "job": "trail", "seconds": 1.5}')
    assert done == Said("", "trail", 1.5)
    assert (traffic.messages, traffic.lag) == (6, None), "what it was asked for is no batch"


# --- children --------------------------------------------------------------------------------------------------


class Heard:
    """Children, and what is told of them."""

    def __init__(self) -> None:
        self.ended: list[tuple[Child, int]] = []
        self.lines: list[bytes] = []
        self.children = Children(lambda child, code: self.ended.append((child, code)), self._line)

    def _line(self, _child: Child, line: bytes) -> None:
        self.lines.append(line)

    def end(self) -> tuple[Child, int]:
        found: tuple[Child, int] = wait_for(lambda: self.ended and self.ended.pop(), "the end of a child")
        return found


@pytest.fixture
def heard() -> Heard:
    logs.configure("warning", {}, io.StringIO())
    return Heard()


def module(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> str:
    """A module that a child can run."""
    monkeypatch.setenv("PYTHONPATH", str(folder))
    (folder / "what_a_child_does.py").write_text(f"import os, signal, subprocess, sys, time\n{text}\n")
    return "what_a_child_does"


def test_a_child_is_heard_to_its_end(heard: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "@mine")
    name = module(
        tmp_path,
        monkeypatch,
        "print(*sys.argv[1:], os.environ.get('NOTIFY_SOCKET'), os.getpgid(0) == os.getpid(), flush=True)\n"
        "sys.stderr.write('driftwarden: no room\\nby the way\\n' + 'x' * 40_000 + '\\n')\n"
        "print('{\"last\": 1}'); sys.exit(3)",
    )
    heard.children.start("job", name, ["a", "b"], 60, tell=True)
    child, code = heard.end()
    assert (code, child.answer, child.error) == (3, b'{"last": 1}\n', "no room")
    assert heard.lines[0] == b"a b None True\n"
    assert heard.children.running() == ()


def test_a_child_that_hangs_is_killed_with_all_it_started(
    heard: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = module(
        tmp_path,
        monkeypatch,
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print(subprocess.Popen(['sleep', '1000']).pid, flush=True); time.sleep(1000)",
    )
    heard.children.start("scan", name, [], 0.0, tell=True)
    below = int(wait_for(lambda: heard.lines, "a line")[0])
    (running,) = heard.children.running()
    assert (running.job, exists(running.pid)) == ("scan", True)
    heard.children.end(signal.SIGTERM)
    assert not heard.children.wait(0.05)
    heard.children.end_hung()
    child, code = heard.end()
    assert (code, "taken for hung" in child.why_killed) == (-9, True)
    wait_for(lambda: not exists(below), "the end of what it started")


def test_a_child_that_works_on_is_not_taken_for_hung_however_long(
    heard: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty line on stderr is a sign of life, and nothing that is told to anybody."""
    name = module(
        tmp_path, monkeypatch, "from agent.child import signs\nsign = signs()\nsign(); sign(); time.sleep(1000)"
    )
    child = heard.children.start("scan", name, [], 60, tell=False)
    wait_for(lambda: child.heard, "a sign")
    child.began -= 10_000
    heard.children.end_hung()
    assert child.why_killed == ""
    child.heard -= 10_000
    heard.children.end_hung()
    _, code = heard.end()
    assert (code, list(child.said)) == (-9, [])
    assert "s without a sign of life, and killed" in child.why_killed


def test_a_child_dies_with_whoever_started_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = module(tmp_path, monkeypatch, "print(os.getpid(), flush=True); time.sleep(1000)")
    code = (
        "from agent.daemon.children import Children; import time\n"
        "told = lambda child, line: print(line.decode(), flush=True)\n"
        f"Children(lambda *_: None, told).start('scan', {name!r}, [], 60, tell=True); time.sleep(1000)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert exists(pid)
        parent.kill()
    wait_for(lambda: not exists(pid), "the end of the child")


def test_a_child_that_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = module(
        tmp_path, monkeypatch, "print(sys.stdin.read()[::-1]); sys.stderr.write('driftwarden: so'); sys.exit(2)"
    )
    assert ask(name, [], b"abc", 60) == (2, b"cba\n", "so")
    name = module(tmp_path, monkeypatch, "time.sleep(1000)")
    with pytest.raises(TimeoutError):
        ask(name, [], b"", 0.5)

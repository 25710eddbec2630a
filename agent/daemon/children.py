"""Child processes of the daemon: started, listened to, waited for, ended.

Hides process groups, the threads that read and wait, and that a child may say nothing, too much, or never end.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO

from agent.config import KEPT, environment
from agent.daemon.log import log
from agent.vitals import Running

_LINE = 16_384
"""Bytes of a line that are read at once."""
_LONGEST_ANSWER = 32 * 1024 * 1024
_LISTEN_ON = 5.0
"""Seconds that what a child left behind may go on talking for."""
_NOT_INHERITED = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
"""Between systemd and the daemon alone."""

_PREFIX = "driftwarden: "


@dataclass(slots=True, eq=False)
class Child:
    """A child process."""

    job: str
    process: subprocess.Popen[bytes]
    since: datetime
    began: float
    """By the monotonic clock."""
    limit: float
    """Seconds without a sign of life after which it is taken for hung."""
    reads: str = ""
    """Folder of the copies of configuration and rules that it reads; empty: it reads the files themselves."""
    said: deque[str] = field(default_factory=lambda: deque(maxlen=5))
    """Its last lines on stderr."""
    answer: bytes = b""
    """The last line of its stdout, or the end of it."""
    heard: float = 0.0
    """When it last said anything, by the monotonic clock; an empty line is a sign of life, and nothing else."""
    why_killed: str = ""

    @property
    def error(self) -> str:
        """The last that it said for people; empty where it said nothing."""
        said = [line for line in self.said if line.startswith(_PREFIX)] or list(self.said)
        return said[-1].removeprefix(_PREFIX) if said else ""


Ended = Callable[[Child, int], None]
Line = Callable[[Child, bytes], None]


class Children:
    """Those that run. `ended` and `line` are called in threads of their own."""

    def __init__(self, ended: Ended, line: Line) -> None:
        self._ended = ended
        self._line = line
        self._running: dict[int, Child] = {}
        self._lock = threading.Condition()

    def start(self, job: str, module: str, arguments: Sequence[str], limit: float, *, tell: bool) -> Child:
        """Starts `python -m module arguments`. With `tell` every line of its stdout is told, and it listens to `say`.

        Raises OSError.
        """
        given = variables()
        process = subprocess.Popen(
            command(module, arguments),
            stdin=subprocess.PIPE if tell else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=given,
            process_group=0,
        )
        child = Child(job, process, datetime.now(UTC), time.monotonic(), limit, given.get(KEPT, ""))
        with self._lock:
            self._running[process.pid] = child
        threading.Thread(target=self._wait, args=(child, tell), name=f"wait {job}", daemon=True).start()
        return child

    def say(self, child: Child, line: str) -> bool:
        """Writes a line to its stdin, where it is read when there is time; False: it listens to nobody, or no more."""
        stream = child.process.stdin
        if stream is None or stream.closed:
            return False
        try:
            stream.write(f"{line}\n".encode())
            stream.flush()
        except OSError:
            return False
        return True

    def running(self) -> tuple[Running, ...]:
        """What runs, the oldest first."""
        with self._lock:
            return tuple(Running(one.job, one.process.pid, one.since) for one in self._running.values())

    def read(self) -> frozenset[str]:
        """Folders of copies that some of them read."""
        return frozenset(child.reads for child in self._all())

    def end_hung(self) -> None:
        """Kills whatever gave no sign of life for longer than it may: how long it takes in all is no fault of it."""
        now = time.monotonic()
        for child in self._all():
            still = now - max(child.began, child.heard)
            if still > child.limit and not child.why_killed:
                child.why_killed = f"it was taken for hung after {still:.0f} s without a sign of life, and killed"
                log.error("child hung", job=child.job, pid=child.process.pid, seconds=round(still))
                self.signal(child, signal.SIGKILL)

    def end(self, number: signal.Signals, jobs: Callable[[str], bool] = lambda _: True) -> None:
        """Sends a signal to all that run, and what they started."""
        for child in self._all():
            if jobs(child.job):
                self.signal(child, number)

    def signal(self, child: Child, number: signal.Signals) -> None:
        """Sends a signal to one, and what it started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.process.pid, number)

    def wait(self, seconds: float) -> bool:
        """Waits until none runs; False: the time is over."""
        with self._lock:
            return self._lock.wait_for(lambda: not self._running, seconds)

    def _all(self) -> tuple[Child, ...]:
        with self._lock:
            return tuple(self._running.values())

    def _wait(self, child: Child, tell: bool) -> None:
        listening = [
            threading.Thread(target=_read, args=(child,), name=f"read {child.job}", daemon=True),
            threading.Thread(target=self._hear, args=(child, tell), name=f"hear {child.job}", daemon=True),
        ]
        for thread in listening:
            thread.start()
        code = child.process.wait()
        if child.process.stdin is not None:
            with suppress(OSError):  # what it did not read
                child.process.stdin.close()
        # What it started may live on and hold the pipes: nobody waits for that.
        for thread in listening:
            thread.join(_LISTEN_ON)
        with self._lock:
            self._running.pop(child.process.pid, None)
            self._lock.notify_all()
        self._ended(child, code)

    def _hear(self, child: Child, tell: bool) -> None:
        assert child.process.stdout is not None
        for line in _lines(child.process.stdout):
            child.answer, child.heard = line, time.monotonic()
            if tell:
                self._line(child, line)


def command(module: str, arguments: Sequence[str]) -> list[str]:
    """How a module is run so that it dies with us."""
    # -P: the directory we were started in is somebody's, and nothing of it may be imported.
    return [sys.executable, "-P", "-m", "agent.daemon.leash", str(os.getpid()), module, *arguments]


def variables() -> Mapping[str, str]:
    """The environment of a child."""
    own = {name: value for name, value in environment().items() if name not in _NOT_INHERITED}
    # glibc gives threads up to 8 heaps a core and keeps what each once held: https://man7.org/linux/man-pages/man3/mallopt.3.html
    return {"MALLOC_ARENA_MAX": "2", **own}


def ask(module: str, arguments: Sequence[str], given: bytes, seconds: float) -> tuple[int, bytes, str]:
    """Runs a module and waits for it: exit code, what it said on stdout, its last line on stderr.

    Raises TimeoutError, OSError.
    """
    process = subprocess.Popen(
        command(module, arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=variables(),
        process_group=0,
    )
    late = threading.Event()

    def give_up() -> None:
        late.set()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    timer = threading.Timer(seconds, give_up)
    timer.start()
    try:
        out, errors = process.communicate(given)
    finally:
        timer.cancel()
    if late.is_set():
        raise TimeoutError(f"it did not end within {seconds:.0f} s")
    said = errors.decode("utf-8", "replace").strip().splitlines()
    return process.returncode, out[:_LONGEST_ANSWER], said[-1].removeprefix(_PREFIX) if said else ""


def _read(child: Child) -> None:
    assert child.process.stderr is not None
    for line in _lines(child.process.stderr):
        child.heard = time.monotonic()
        text = line.decode("utf-8", "replace").rstrip()
        if text:
            child.said.append(text)
            log.info("child said", job=child.job, pid=child.process.pid, said=text)


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Lines, long ones in pieces; the stream is closed at its end."""
    with stream:
        while line := stream.readline(_LINE):
            yield line

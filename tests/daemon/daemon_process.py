"""A daemon as systemd would start it: a process of its own, with a notify socket and a log that tests can read.

Hides where its files are, how long it waits for what, and how one waits for it without looking at a clock.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PATIENCE = 60.0
"""Seconds after which what a test waits for is taken never to come."""

START = """
import faulthandler, os, signal, sys, threading, time
from pathlib import Path
from agent.daemon.serve import Limits, serve
if os.environ.pop("LD_PRELOAD", None):  # for this process alone, not for its children
    time.sleep = lambda seconds: threading.Event().wait(seconds)  # the real one ends with EINVAL under libfaketime
faulthandler.register(signal.SIGUSR1, all_threads=True)  # what it does when a test waits in vain
sys.exit(serve(Path(sys.argv[1]), Limits({limits})))
"""


def wait_for(what: Callable[[], Any], name: str, seconds: float = PATIENCE) -> Any:
    """What `what` gives as soon as it gives something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.05)
    raise AssertionError(f"{name} did not happen")


class Daemon:
    """One daemon process."""

    def __init__(self, config: Path, limits: str, variables: Mapping[str, str], number: int) -> None:
        # Its own folder: of the path of a Unix socket only some hundred characters are taken.
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(f"\0driftwarden-test-{os.getpid()}-{id(self)}")
        address = self._notify.getsockname().decode().replace("\0", "@")
        self.log_file = config.parent / f"daemon-{number}.log"
        self._log: list[dict[str, Any]] = []
        self._read = 0
        self.told: list[dict[str, str]] = []
        """What it told systemd, message by message."""
        threading.Thread(target=self._listen, daemon=True).start()
        given = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "DRIFTWARDEN_"))}
        runtime = config.parent / "run"
        runtime.mkdir(exist_ok=True)
        given |= {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "120000000", "RUNTIME_DIRECTORY": str(runtime)}
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", START.format(limits=limits), str(config)],
                env={**given, **variables},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=config.parent,
            )

    @property
    def log(self) -> list[dict[str, Any]]:
        """What it logged, as far as the last line is whole."""
        if (size := self.log_file.stat().st_size) != self._read:
            self._read = size
            lines = self.log_file.read_text(encoding="utf-8").split("\n")[:-1]
            # Where the disk that it is on was full, a line may be torn.
            self._log = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
        return self._log

    def logged(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        """Its log lines of an event, with these fields."""
        return [
            line
            for line in self.log
            if line["event"] == event and all(line.get(name) == value for name, value in fields.items())
        ]

    def wait_logged(self, event: str, times: int = 1, **fields: Any) -> dict[str, Any]:
        """The last such line, once there are so many."""
        try:
            found = wait_for(
                lambda: (len(found := self.logged(event, **fields)) >= times and found) or self._alive(), event
            )
        except AssertionError:
            self.process.send_signal(signal.SIGUSR1)
            time.sleep(1)
            raise AssertionError(f"{event} {fields} did not happen:\n{self.log_file.read_text()}") from None
        assert isinstance(found, list)
        last: dict[str, Any] = found[-1]
        return last

    def wait_told(self, name: str, value: str) -> dict[str, str]:
        """The first message in which it said so: a piece of the value is enough."""
        found: dict[str, str] = wait_for(
            lambda: (
                next((one for one in self.told if value in one.get(name, "")), None)
                or (not self.told and self._alive())
            ),
            f"{name}={value} in {self.told}",
        )
        return found

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        """Its exit code."""
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait(PATIENCE)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self._notify.getsockname())

    def _listen(self) -> None:
        # The kernel holds back ten messages at most, and who sends more is made to wait.
        while message := self._notify.recv(65536).decode():
            self.told.append(dict(line.split("=", 1) for line in message.split("\n")))

    def _alive(self) -> None:
        """Raises AssertionError where it ended: nothing more can come of it."""
        if self.process.poll() is not None:
            raise AssertionError(f"the daemon ended:\n{self.log_file.read_text()}")


@contextmanager
def daemons(config: Path, limits: str, variables: Mapping[str, str]) -> Iterator[Callable[[], Daemon]]:
    """`start()` starts one more daemon of the configuration; all are gone at the end."""
    started: list[Daemon] = []

    def start() -> Daemon:
        started.append(Daemon(config, limits, variables, len(started)))
        return started[-1]

    try:
        yield start
    finally:
        for one in started:
            one.close()


def exists(pid: int) -> bool:
    """Whether a process lives: not one that ended and that nobody waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@contextmanager
def silence() -> Iterator[str]:
    """URL of a server that takes every connection and never answers: whoever asks it hangs."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"

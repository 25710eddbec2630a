"""The daemon of the long run as systemd would start it, and what it takes: memory, files, threads, processor time.

Hides the notify socket, where /proc says what, and which child is the event path's.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WATCHDOG = 60.0
"""Seconds that systemd would wait for a sign of life."""
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Told:
    """One message to systemd."""

    at: float
    """By the monotonic clock."""
    said: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sample:
    """What one process holds at one moment; sizes in kB."""

    at: float
    """By the monotonic clock."""
    pid: int
    rss: int
    pss: int
    files: int
    threads: int


class Daemon:
    """A process `driftwarden daemon` with a notify socket."""

    def __init__(self, config: Path, variables: Mapping[str, str]) -> None:
        """Starts it; what it logs goes to `daemon.log` beside the configuration."""
        self.config = config
        self.told: list[Told] = []
        self.log_file = config.parent / "daemon.log"
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._listener.bind(f"\0driftwarden-long-run-{os.getpid()}-{id(self)}")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        runtime = config.parent / "run"
        runtime.mkdir(exist_ok=True)
        given = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "DRIFTWARDEN_"))}
        given |= {
            "NOTIFY_SOCKET": self._listener.getsockname().decode().replace("\0", "@"),
            "WATCHDOG_USEC": f"{WATCHDOG * 1e6:.0f}",
            "RUNTIME_DIRECTORY": str(runtime),
        }
        command = [str(Path(sys.executable).with_name("driftwarden")), "daemon", "--config", str(config)]
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                command, env={**given, **variables}, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=config.parent
            )
        self._read = 0
        self.log: list[dict[str, Any]] = []

    def look(self) -> None:
        """Reads what it logged since the last look, into `log`."""
        with self.log_file.open("rb") as file:
            file.seek(self._read)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        self.log += [json.loads(line) for line in whole.splitlines() if line.startswith(b"{")]

    def logged(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        """Its log lines of an event, with these fields."""
        return [one for one in self.log if one["event"] == event and fields.items() <= one.items()]

    def said(self, name: str) -> list[Told]:
        """The messages to systemd that say something of that name."""
        return [one for one in self.told if name in one.said]

    def starved(self) -> float:
        """The longest time between two feedings of the watchdog, seconds; from its start on."""
        fed = [one.at for one in self.said("WATCHDOG")]
        return max((later - earlier for earlier, later in itertools.pairwise(fed)), default=0.0)

    def events_pid(self) -> int | None:
        """The process of the event path, as far as is known; None: there is none yet."""
        begun = self.logged("job begun", job="events")
        return int(begun[-1]["pid"]) if begun else None

    def end(self, seconds: float) -> int | None:
        """SIGTERM; its exit code, None where it does not end in time."""
        self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.process.wait(seconds)
        return None

    def close(self) -> None:
        """Ends whatever still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._over.set()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self._listener.getsockname())
        self._thread.join()
        self._listener.close()

    def _listen(self) -> None:
        while not self._over.is_set():
            if message := self._listener.recv(65536).decode():
                said = dict(line.split("=", 1) for line in message.split("\n"))
                self.told.append(Told(time.monotonic(), said))


def sample(pid: int) -> Sample | None:
    """What a process holds now; None where it is gone."""
    place = Path(f"/proc/{pid}")
    try:
        lines = (place / "smaps_rollup").read_text().splitlines()[1:]
        sizes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
        files, threads = len(list((place / "fd").iterdir())), len(list((place / "task").iterdir()))
    except (OSError, ValueError, IndexError):
        return None
    return Sample(time.monotonic(), pid, sizes["Rss"], sizes["Pss"], files, threads)


def cpu(pid: int) -> float:
    """Seconds of processor time a process took so far, with those of its children that it waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS


def cpu_alone(pid: int) -> float:
    """As `cpu`, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / _TICKS


def children(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for one in found:  # grows while it is walked
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{one}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def slope(samples: list[Sample], of: str) -> float:
    """By how much something grew in an hour, by the line of least squares."""
    if len(samples) < 2:
        return 0.0
    at, values = [one.at / 3600 for one in samples], [float(getattr(one, of)) for one in samples]
    middle, mean = sum(at) / len(at), sum(values) / len(values)
    spread = sum((one - middle) ** 2 for one in at)
    return sum((x - middle) * (y - mean) for x, y in zip(at, values, strict=True)) / spread if spread else 0.0

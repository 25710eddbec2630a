"""What one command costs: wall time, CPU time and memory of its whole process tree.

Hides sampling /proc. Linux only.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SAMPLE = 0.05  # seconds between two looks at memory
TIMEOUT = 3600

_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Run:
    """One finished command."""

    code: int
    output: str
    errors: str
    wall: float
    """Seconds from start to end."""
    cpu: float
    """User and system seconds of the process and of all it started and waited for."""
    peak: float
    """MB (10⁶ bytes): the largest sum, at one moment, of the resident memory of all its processes. Pages that two of
    them share count twice."""


def run(command: Sequence[str], folder: Path, variables: Mapping[str, str]) -> Run:
    """Runs the command to its end in the folder, with these environment variables alone."""
    with (folder / ".out").open("w+") as out, (folder / ".err").open("w+") as err:
        started = time.monotonic()
        child = subprocess.Popen(command, cwd=folder, env=dict(variables), stdout=out, stderr=err)
        sampler = _Sampler(child.pid)
        sampler.start()
        _, status, used = os.wait4(child.pid, 0)
        wall = time.monotonic() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        sampler.done.set()
        sampler.join()
        out.seek(0)
        err.seek(0)
        cpu = used.ru_utime + used.ru_stime
        return Run(child.returncode, out.read(), err.read(), wall, cpu, sampler.peak / 1e6)


class _Sampler(threading.Thread):
    """Looks at a process tree until told to stop."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self.root = root
        self.peak = 0
        self.done = threading.Event()

    def run(self) -> None:
        while not self.done.wait(SAMPLE):
            self.peak = max(self.peak, sum(map(_resident, _tree(self.root))))


def _tree(root: int) -> list[int]:
    found = [root]
    for pid in found:  # grows while it is walked
        try:
            for task in Path(f"/proc/{pid}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
        except OSError:
            continue  # it has just ended
    return found


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0

"""A scan in a process of its own: its clients' memory is given back, and a stuck one can be killed.

Imports nothing heavy, so that whoever waits for a scan stays small.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.config import environment
from agent.model import Status

EXIT: dict[Status, int] = {"clean": 0, "violations": 1, "incomplete": 3, "held": 4}
"""Exit code of a scan by its status; 2 is misuse."""
MISUSE = 2
FENCED = 5
"""Exit code of a process that was started for a leader, when another leads now."""
_BETWEEN_SIGNS = 1.0  # seconds


def scan_in_child(
    config: Path, *, look: str = "whole", fence: int | None = None, dry_run: bool = False, quiet: bool = True
) -> tuple[int, dict[str, Any] | None]:
    """Runs a scan in a child process → exit code, and the scan document (None where no scan began, or it did not end).

    `look`: `whole`, `stack:NAME`, `trail`, `open` or `remind`. `fence`: the number of the leader it is run for.
    Its progress and errors go to our stderr. Exit codes: 0 clean, 1 violations, 2 misuse, 3 incomplete, 4 held.
    """
    done = subprocess.run(
        command(config, look=look, fence=fence, dry_run=dry_run, quiet=quiet),
        stdout=subprocess.PIPE,
        env=variables(),
        check=False,
    )
    if done.returncode in EXIT.values() and done.stdout:
        return done.returncode, json.loads(done.stdout)
    if done.returncode == MISUSE:
        return MISUSE, None
    ended = f"by signal {-done.returncode}" if done.returncode < 0 else f"with exit code {done.returncode}"
    sys.stderr.write(f"driftwarden: the scan's process ended {ended} before the scan did; nothing of it is kept\n")
    return EXIT["incomplete"], None


def command(
    config: Path,
    *,
    module: str = "agent.run",
    look: str = "whole",
    fence: int | None = None,
    dry_run: bool = False,
    quiet: bool = True,
) -> list[str]:
    """How a scan's process is started, or that of another module with a `fence`."""
    # -P: the directory we are called in is somebody's repository, and nothing of it may be imported.
    found = [sys.executable, "-P", "-m", module, str(config)]
    found += [] if look == "whole" else ["--look", look]
    found += [] if fence is None else ["--fence", str(fence)]
    return [*found, *["--dry-run"] * dry_run, *["--quiet"] * quiet]


def signs() -> Callable[[], None]:
    """To be called whenever something got done, by any thread: now and then, an empty line on stderr says so to the
    daemon, which takes a child for hung that gave no sign for an hour.
    """
    last = -_BETWEEN_SIGNS

    def sign() -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _BETWEEN_SIGNS:
            last = now
            sys.stderr.write("\n")

    return sign


def variables() -> dict[str, str]:
    """The environment of such a process."""
    # glibc gives threads up to 8 heaps a core and keeps what each once held: https://man7.org/linux/man-pages/man3/mallopt.3.html
    return {"MALLOC_ARENA_MAX": "2", **environment()}

"""A scan in a process of its own: its clients' memory is given back, and a stuck one can be killed.

Imports nothing heavy, so that whoever waits for a scan stays small.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from agent.config import environment
from agent.model import Status

EXIT: dict[Status, int] = {"clean": 0, "violations": 1, "incomplete": 3, "held": 4}
"""Exit code of a scan by its status; 2 is misuse."""
MISUSE = 2


def scan_in_child(config: Path, *, dry_run: bool = False, quiet: bool = True) -> tuple[int, dict[str, Any] | None]:
    """Runs a scan in a child process → exit code, and the scan document (None where no scan began, or it did not end).

    Its progress and errors go to our stderr. Exit codes: 0 clean, 1 violations, 2 misuse, 3 incomplete, 4 held.
    """
    # -P: the directory we are called in is somebody's repository, and nothing of it may be imported.
    command = [sys.executable, "-P", "-m", "agent.run", str(config)]
    command += ["--dry-run"] * dry_run + ["--quiet"] * quiet
    # glibc gives threads up to 8 heaps a core and keeps what each once held: https://man7.org/linux/man-pages/man3/mallopt.3.html
    variables = {"MALLOC_ARENA_MAX": "2", **environment()}
    done = subprocess.run(command, stdout=subprocess.PIPE, env=variables, check=False)
    if done.returncode in EXIT.values() and done.stdout:
        return done.returncode, json.loads(done.stdout)
    if done.returncode == MISUSE:
        return MISUSE, None
    ended = f"by signal {-done.returncode}" if done.returncode < 0 else f"with exit code {done.returncode}"
    sys.stderr.write(f"driftwarden: the scan's process ended {ended} before the scan did; nothing of it is kept\n")
    return EXIT["incomplete"], None

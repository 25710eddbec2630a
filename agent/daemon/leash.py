"""Runs a module as a child that dies with the daemon: `python -m agent.daemon.leash PID MODULE ARGUMENTS…`.

Hides the kernel's own leash (PR_SET_PDEATHSIG), which no signal handler and no finally could replace where the daemon
is killed with SIGKILL.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys

_PR_SET_PDEATHSIG = 1


def _main() -> None:
    parent, module = int(sys.argv[1]), sys.argv[2]
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)  # it died before it could be held on to
    sys.argv = [module, *sys.argv[3:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main()

"""One command carried out in a child process of the daemon's.

Hides that the child shares nothing with whoever asked: its environment, folder and configuration are the daemon's; and
that it is killed in time.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import Any

import msgspec

from agent.clean import clean
from agent.config import environment
from agent.control.frames import MOST_ANSWERED, Answer, FrameError, Request, answer, refusal
from agent.control.peer import Peer

_KEPT = "what was kept by then is kept"


class Errand(msgspec.Struct, frozen=True):
    """What the child is to do, on its stdin."""

    config: str
    fence: int | None
    peer: Peer
    request: Request
    vitals: dict[str, Any] | None
    seconds: int


ERRANDS = msgspec.json.Decoder(Errand)


def begin(asked: Request) -> subprocess.Popen[bytes]:
    """Starts the child; it waits for its errand. Raises OSError."""
    # -P: nothing of the folder we stand in may be imported.
    command = [sys.executable, "-P", "-m", "agent.cli._perform"]
    pipe = subprocess.PIPE
    variables = _variables(asked)
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=variables, start_new_session=True)


def carried_out(child: subprocess.Popen[bytes], errand: Errand) -> Answer:
    """What became of an errand."""
    try:
        out, err = child.communicate(msgspec.json.encode(errand), timeout=errand.seconds + 5)
    except subprocess.TimeoutExpired:
        kill(child)
        child.communicate()
        return refusal(f"it took longer than {errand.seconds} s and was ended; {_KEPT}")
    return _said(errand.request.operation, child.returncode, out, err)


def kill(child: subprocess.Popen[bytes]) -> None:
    """Ends a child and everything it began."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def _said(operation: str, code: int, out: bytes, err: bytes) -> Answer:
    """The child's answer; what became of it where there is none."""
    if code == 0 and len(out) <= MOST_ANSWERED:
        with contextlib.suppress(FrameError):
            return answer(out)
    if code == -signal.SIGALRM:
        return refusal("it took too long and was ended; " + _KEPT)
    import structlog  # heavy, and the child has no use for it

    # Its last words may quote anything; they are for the log, where they are one line.
    last = clean(err.decode("utf-8", "replace").strip().rpartition("\n")[2], 500)
    structlog.get_logger("control").error("control.failed", operation=operation, code=code, bytes=len(out), last=last)
    return refusal(f"{operation} failed in the daemon; its log says why")


def _variables(asked: Request) -> dict[str, str]:
    """The daemon's own environment, the width of the client's terminal, and nothing that lets a child speak for us."""
    mine = {name: value for name, value in environment().items() if name not in ("NOTIFY_SOCKET", "WATCHDOG_USEC")}
    return mine | {"COLUMNS": str(asked.columns), "MALLOC_ARENA_MAX": "2"}

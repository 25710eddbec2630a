"""`python -m agent.events CONFIG [--fence N]`: the event path as a process.

Writes one JSON line on stdout for each batch (`worker.Batch`). The line `trail` on stdin has the trail's other sources
read too. SIGTERM lets it finish the batch. Exit codes: 0 start it
anew, 2 misuse (the reason on stderr), 5 another daemon leads.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from agent.child import FENCED, MISUSE
from agent.clean import clean
from agent.config import ConfigError, load
from agent.events.worker import Batch, Worker
from agent.rules import RuleError
from agent.store import Fenced, StoreError


def main(arguments: Sequence[str]) -> int:
    """Runs it; gives the exit code."""
    # Dozens of threads wait for short answers; handing the interpreter's lock over every 5 ms costs CPU time.
    sys.setswitchinterval(0.05)
    fence = int(arguments[arguments.index("--fence") + 1]) if "--fence" in arguments else None
    try:
        with Worker(load(Path(arguments[0])), fence, _say) as worker:
            # What it began with stays: to look through it for garbage takes a tenth of a second, again and again.
            gc.collect()
            gc.freeze()
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: worker.stop())
            threading.Thread(target=_listen, args=(worker,), name="asked", daemon=True).start()
            return 0 if worker.run() else FENCED
    except Fenced as error:
        sys.stderr.write(f"driftwarden: {clean(str(error))}\n")
        return FENCED
    except (ConfigError, RuleError, StoreError) as error:
        sys.stderr.write(f"driftwarden: {error}\n")
        return MISUSE


def _listen(worker: Worker) -> None:
    # Not by `sys.stdin`: its lock is held while it waits, and the interpreter could not end.
    while asked := os.read(0, 4096):
        if b"trail" in asked.split():
            worker.poll()


def _say(batch: Batch) -> None:
    sys.stdout.write(batch.line())
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The daemon's figures: from a message in the queue to a filed case, what it holds over weeks, and what it costs idle.

    python benchmarks/daemon.py events [--seconds 60] [--rate 10] [--replayed-rate 50] [--queues 2000] [--out FILE]
    python benchmarks/daemon.py soak [--minutes 20] [--seed 1] [--folder FOLDER] [--out FILE]
    python benchmarks/daemon.py idle [--resources 2000] [--seconds 330] [--out FILE]

`events` measures the event path twice: with moto behind it, and with readings that were recorded in place of the cloud,
because moto itself manages some thirty changes a second. `soak` is the long run (`scripts/long_run.py`): the schedule
of 30 days under a mixed load. README.md says what is measured and how. Exit code 1 where a target is missed.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "scripts"))

if __name__ == "__main__":
    what = sys.argv[1] if len(sys.argv) > 1 else ""
    if what == "events":
        from event_path import main
    elif what == "soak":
        from long_run import main
    elif what == "idle":
        from idle_daemon import main
    else:
        sys.exit("usage: daemon.py {events|soak|idle} …")
    sys.exit(main(sys.argv[2:]))

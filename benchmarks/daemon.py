"""The daemon's figures: from a message in the queue to a filed case.

    python benchmarks/daemon.py events [--seconds 60] [--rate 10] [--replayed-rate 50] [--queues 2000] [--out FILE]

`events` measures the event path twice: with moto behind it, and with readings that were recorded in place of the cloud,
because moto itself manages some thirty changes a second. README.md says what is measured and how. Exit code 1 where a
target is missed.
"""

from __future__ import annotations

import sys

import event_path

if __name__ == "__main__":
    commands = {"events": event_path.main}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(f"usage: daemon.py {{{'|'.join(commands)}}} …")
    sys.exit(commands[sys.argv[1]](sys.argv[2:]))

"""A daemon as far as the socket goes: a process that serves `Control` over a store, as the real one does.

Run as `python daemon_stub.py CONFIG`: says `ready` when it listens, and ends when its stdin does.
"""

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.config import load
from agent.control import Control
from agent.control.server import Limits
from agent.store import connect

LIMITS = Limits(receive=1.0, nobody=0.0)


def answered(what: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a daemon says; as the real one it does not wait."""
    return {"said": f"{what} {json.dumps(dict(arguments))}", "role": "leader"}


def main() -> None:
    """Serves until stdin ends."""
    config = load(Path(sys.argv[1]))
    with connect(config.store_url()) as store:
        fence = store.leadership.take("stub", datetime.now(UTC))
    with connect(config.store_url(), fence=fence) as store:
        control = Control(config, store, answered, limits=LIMITS)
        control.start()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.read()
        control.stop()


if __name__ == "__main__":
    main()

"""The event worker with recorded readings in place of the cloud: `python replayed.py CONFIG READINGS`.

READINGS is JSON: the reading of one queue as the real reader took it from moto. Whatever is asked for is answered with
it under the name that was asked for, changed as every change of the benchmark changes it. All else is the product.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent.collect import Collector, Plan
from agent.config import load
from agent.events.worker import Worker
from agent.focus import Look
from agent.model import Key, Resource, Snapshot

PREFIX = "bench-"


def main(config: str, readings: str) -> None:
    """Runs until SIGTERM."""
    told = json.loads(Path(readings).read_text(encoding="utf-8"))

    def live(collector: Collector, _plan: Plan, asked: Sequence[Look]) -> Snapshot:
        found = [
            _queue(told, one.account, one.region, name)
            for one in asked
            for names in one.only.values()
            for name in sorted(names)
            if name.startswith(PREFIX)
        ]
        return Snapshot("live", collector.started_at, tuple(found))

    with Worker(load(Path(config)), None, lambda batch: print(batch.line(), end="", flush=True), live) as worker:
        signal.signal(signal.SIGTERM, lambda *_: worker.stop())
        worker.run()


def _queue(told: dict[str, Any], account: str, region: str, name: str) -> Resource:
    text = json.dumps(told["attributes"]).replace(told["name"], name)
    ids = [one.replace(told["name"], name) for one in told["identifiers"]]
    resource = Resource(Key(account, region, "aws_sqs_queue", name), json.loads(text), tuple(ids))
    return replace(resource, attributes={**resource.attributes, "visibility_timeout_seconds": 5})


if __name__ == "__main__":
    sys.setswitchinterval(0.05)
    main(*sys.argv[1:3])

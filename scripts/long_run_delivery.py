"""CloudTrail's two ways to the daemon: EventBridge to a queue, and log files in the trail's bucket.

Hides that neither is reliable: events come twice, late and out of order, and some reach the bucket alone.
"""

from __future__ import annotations

import json
import time
from random import Random
from typing import Any

import long_run_estate as estates
from long_run_estate import Estate


class Delivery:
    """CloudTrail's two ways to us, neither of them reliable."""

    def __init__(self, estate: Estate, random: Random, lost: float) -> None:
        self._estate, self._random, self._lost = estate, random, lost
        self._sqs = estate.client("sqs", recorded=False)
        self._read = len(estate.recorder.records)
        self._bucket = time.monotonic()
        self._late: list[tuple[float, str]] = []
        self.sent: dict[str, float] = {}
        """Event → when its message was visible, by the wall clock."""

    def step(self, *, last: bool = False) -> None:
        """What was recorded since the last step goes its ways; `last`: nothing is kept back any longer."""
        records = self._estate.recorder.records
        fresh, self._read = list(records[self._read :]), len(records)
        self._random.shuffle(fresh)
        now = time.monotonic()
        for record in fresh:
            if record.get("readOnly"):
                continue
            luck = self._random.random()
            if luck < self._lost:
                continue
            late = now + (self._random.uniform(2, 20) if luck > 0.9 else 0.0)
            self._late += [(late, _envelope(record))] * (2 if luck < self._lost + 0.06 else 1)
        due = [body for at, body in self._late if last or at <= now]
        self._late = [one for one in self._late if not last and one[0] > now]
        for at in range(0, len(due), 10):
            entries = [{"Id": f"{n}", "MessageBody": body} for n, body in enumerate(due[at : at + 10])]
            self._sqs.send_message_batch(QueueUrl=self._estate.queue, Entries=entries)
        visible = time.time()
        for body in due:
            self.sent.setdefault(json.loads(body)["id"], visible)
        if last or now - self._bucket > 15:
            self._bucket = now
            self._estate.recorder.deliver(estates.BUCKET, twice=0.1, shuffled=True)

    def left(self) -> int:
        """Messages that nobody has deleted."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self._sqs.get_queue_attributes(QueueUrl=self._estate.queue, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)


def _envelope(record: dict[str, Any]) -> str:
    """A record as EventBridge sends it."""
    about = {"account": estates.ACCOUNT, "region": record["awsRegion"], "time": record["eventTime"]}
    source = "aws." + record["eventSource"].removesuffix(".amazonaws.com")
    return json.dumps(
        {
            **{"version": "0", "id": record["eventID"], "detail-type": "AWS API Call via CloudTrail"},
            **{"source": source, **about, "detail": record},
        }
    )

"""The small estate with a queue: what the recorder saw arrives in it as EventBridge delivers it, for a warm process.

Hides envelopes, how a process is started, and how its lines are waited for.
"""

import json
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from small_estate import ACCOUNT, CONFIG, REGION, Estate

from agent.child import command, variables
from agent.config import aws_environment

PATIENCE = 90
"""Seconds after which something that was waited for counts as missing; nothing is measured by it."""


@dataclass
class Events:
    """An estate whose trail is a queue."""

    estate: Estate
    url: str
    sent: int = 0
    """Records that were put into the queue already."""

    @property
    def sqs(self) -> Any:
        """A client that goes past the recorder."""
        session = boto3.Session("testing", "testing", region_name=REGION)
        return session.client("sqs", endpoint_url=self.estate.recorder.upstream)

    def deliver(self, *, twice: bool = False, order: Callable[[list[Any]], list[Any]] = list) -> int:
        """What was recorded since the last time arrives in the queue; how many events that were."""
        records = self.estate.recorder.records[self.sent :]
        self.sent += len(records)
        mine = [one for one in records if not one.get("readOnly")]
        self.send([envelope(one) for one in order(mine)] * (1 + twice))
        return len(mine)

    def send(self, bodies: Sequence[str]) -> None:
        """Messages into the queue."""
        for at in range(0, len(bodies), 10):
            entries = [{"Id": f"{n}", "MessageBody": body} for n, body in enumerate(bodies[at : at + 10])]
            self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)

    def left(self) -> int:
        """Messages in the queue, hidden ones among them."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(int(answer[name]) for name in names)

    @contextmanager
    def worker(self, *options: str, **more: str) -> Iterator["Worker"]:
        """The warm process; it is killed where it still runs at the end."""
        with aws_environment({**self.estate.variables, **more}):
            process = subprocess.Popen(
                [*command(self.estate.config, module="agent.events"), *options],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=variables(),
                cwd=self.estate.folder,
            )
        try:
            yield Worker(process)
        finally:
            process.kill()
            process.communicate()


class Worker:
    """The warm process, and what it said."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said: list[Mapping[str, Any]] = []
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def until(self, enough: Callable[[], bool]) -> None:
        """Waits until it is so; fails where the process ends before."""
        deadline = time.monotonic() + PATIENCE
        while not enough():
            try:
                self.said.append(json.loads(self._lines.get(timeout=0.05)))
            except queue.Empty:
                assert self.process.poll() is None or enough(), f"it ended with {self.process.returncode}"
            assert time.monotonic() < deadline, self.said

    def ask(self, line: str) -> None:
        """Asks it for something, as the daemon does."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def end(self) -> int:
        """Asks it to end; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


def envelope(record: Mapping[str, Any]) -> str:
    """A record as EventBridge sends it."""
    source = "aws." + record["eventSource"].removesuffix(".amazonaws.com")
    return json.dumps(
        {
            "version": "0",
            "id": record["eventID"],
            "detail-type": "AWS API Call via CloudTrail",
            "source": source,
            "account": ACCOUNT,
            "region": record["awsRegion"],
            "time": record["eventTime"],
            "detail": record,
        }
    )


def events(estate: Estate, name: str, **attributes: str) -> Events:
    """The estate with a queue of its own as its only source."""
    made = Events(estate, "", len(estate.recorder.records))
    made.url = made.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    text = CONFIG.replace('source = "trail"', f'source = "eventbridge:{made.url}"')
    estate.configure(text)
    return made

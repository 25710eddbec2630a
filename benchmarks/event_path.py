"""From a message in the queue to a filed case: p50, p99 and the longest, at a rate that does not wait for answers.

Every change is made by a person of its own on a queue of its own, so that each is a case of its own. A change is late
from when its message is visible to when its case's file stands in the register. The named alternative, a whole scan for
each batch, is measured beside it on the same estate.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import lab

from agent.child import command, scan_in_child, variables
from agent.config import aws_environment
from agent.demo.recorder import Recorder, iam_user

ACCOUNT = "123456789012"
REGION = "us-east-1"
TARGET = 5.0
"""Seconds that 99 of 100 cases may take at most."""
OURS = "AKIADRIFTWARDENXXXXX"
PREFIX = "bench-"
PATIENCE = 120.0

CONFIG = """\
[[stack]]
name = "bench"
dir = "stack"

[[account]]
id = "123456789012"

[trail]
source = "eventbridge:{url}"
lookback = "7d"

[tickets]
mode = "file"

[tickets.register]
path = "tickets"
"""

CODE = """\
resource "aws_sqs_queue" "bench" {{
  count                      = {count}
  name                       = format("bench-%05d", count.index)
  visibility_timeout_seconds = 30
}}
"""


@dataclass
class Row:
    """One measurement."""

    what: str
    rate: float
    """Changes a second that were asked for."""
    reached: float
    changes: int
    filed: int
    p50: float
    p99: float
    longest: float
    calls: float
    """Requests to AWS for each change."""
    rss: float
    """Largest memory of the worker, MB."""
    batches: int


@dataclass
class Bench:
    """An estate of queues with a worker over it."""

    folder: Path
    upstream: str
    recorder: Recorder
    count: int
    sent: dict[str, float] = field(default_factory=dict)
    """Queue → when its message was visible."""
    filed: dict[str, float] = field(default_factory=dict)
    said: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""
    queue: str = ""
    """Endpoint of the queue, where it is not moto's."""

    def client(self, key: str, endpoint: str) -> Any:
        """An SQS client."""
        return boto3.Session(key, "secret", region_name=REGION).client("sqs", endpoint_url=endpoint)

    def prepare(self, name: str, *, made: int) -> None:
        """Code, state, tickets, and so many of the queues in moto."""
        direct = self.client("testing", self.upstream)
        self.url = direct.create_queue(QueueName=name)["QueueUrl"]
        for part in ("stack", "tickets"):
            (self.folder / part).mkdir(parents=True)
        (self.folder / "stack" / "main.tf").write_text(CODE.format(count=self.count))
        (self.folder / "stack" / "terraform.tfstate").write_text(json.dumps(_state(self.count)))
        (self.folder / "driftwarden.toml").write_text(CONFIG.format(url=self.url))
        with self.recorder.paused():
            for number in range(made):
                direct.create_queue(QueueName=_name(number), Attributes={"VisibilityTimeout": "30"})

    def make(self, number: int) -> None:
        """One more of the queues."""
        with self.recorder.paused():
            sqs = self.client("testing", self.upstream)
            sqs.create_queue(QueueName=_name(number), Attributes={"VisibilityTimeout": "30"})

    @contextlib.contextmanager
    def worker(self, start: Sequence[str], endpoint: str) -> Iterator[subprocess.Popen[str]]:
        """The worker, and threads that listen to it and to the register."""
        over = threading.Event()
        elsewhere = {"AWS_ENDPOINT_URL_SQS": self.queue} if self.queue else {}
        with aws_environment(_variables(endpoint) | elsewhere):
            process = subprocess.Popen(
                list(start), stdout=subprocess.PIPE, text=True, env=variables(), cwd=Path(__file__).parent
            )
        threads = [
            threading.Thread(target=self._listen, args=(process,), daemon=True),
            threading.Thread(target=self._watch, args=(over,), daemon=True),
        ]
        for thread in threads:
            thread.start()
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
            over.set()
            threads[1].join()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.said.append(json.loads(line))

    def _watch(self, over: threading.Event) -> None:
        """When each case's file stood there, by the file's own time."""
        folder, known = self.folder / "tickets" / "cases", set[str]()
        while not over.is_set():
            with contextlib.suppress(FileNotFoundError):
                for entry in os.scandir(folder):
                    if entry.name not in known and not entry.name.startswith("."):
                        known.add(entry.name)
                        text = Path(entry.path).read_text(encoding="utf-8")
                        at = entry.stat().st_mtime
                        for found in set(re.findall(r"bench-\d{5}", text)):
                            self.filed.setdefault(found, at)
            over.wait(0.05)


def _state(count: int) -> dict[str, Any]:
    instances = [
        {
            "index_key": number,
            "schema_version": 0,
            "attributes": {
                "arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{_name(number)}",
                "id": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{_name(number)}",
                "url": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{_name(number)}",
                "name": _name(number),
                "visibility_timeout_seconds": 30,
            },
        }
        for number in range(count)
    ]
    provider = 'provider["registry.terraform.io/hashicorp/aws"]'
    queues = {"mode": "managed", "type": "aws_sqs_queue", "name": "bench", "provider": provider, "instances": instances}
    return {
        "version": 4,
        "terraform_version": "1.11.0",
        "serial": 1,
        "lineage": "5c2e8f9a-0000-4000-8000-000000000001",
        "outputs": {},
        "resources": [queues],
    }


def _name(number: int) -> str:
    return f"{PREFIX}{number:05d}"


def _variables(endpoint: str) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": OURS,
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def _envelope(record: Mapping[str, Any]) -> str:
    source = "aws." + record["eventSource"].removesuffix(".amazonaws.com")
    about = {"account": ACCOUNT, "region": record["awsRegion"], "time": record["eventTime"], "id": record["eventID"]}
    return json.dumps({"detail-type": "AWS API Call via CloudTrail", "source": source, **about, "detail": record})


def _changed(bench: Bench, number: int) -> dict[str, Any]:
    """Somebody changes a queue through the recorder; what CloudTrail would say of it."""
    key = f"AKIA{number:016d}"
    bench.recorder.know(key, iam_user(f"person-{number:05d}", ACCOUNT))
    url = f"{bench.upstream}/{ACCOUNT}/{_name(number)}"
    body = json.dumps({"QueueUrl": url, "Attributes": {"VisibilityTimeout": "5"}})
    # A client of boto3's for each person would take longer to make than all that is measured; nobody checks signatures.
    scope = f"{key}/{datetime.now(UTC):%Y%m%d}/{REGION}/sqs/aws4_request"
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature={'0' * 64}",
        "Content-Type": "application/x-amz-json-1.0",
        "User-Agent": "aws-cli/2.17.0",
        "X-Amz-Date": f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}",
        "X-Amz-Target": "AmazonSQS.SetQueueAttributes",
    }
    asked = urllib.request.Request(bench.recorder.endpoint, body.encode(), headers, method="POST")
    with urllib.request.urlopen(asked, timeout=60) as answer:
        answer.read()
    return next(
        one
        for one in reversed(bench.recorder.records)
        if one["eventName"] == "SetQueueAttributes" and one["userIdentity"].get("accessKeyId") == key
    )


def _copied(template: Mapping[str, Any], number: int) -> dict[str, Any]:
    """The record of another person's change of another queue."""
    text = json.dumps(template).replace(_name(0), _name(number)).replace("person-00000", f"person-{number:05d}")
    record: dict[str, Any] = json.loads(text.replace("AKIA" + "0" * 16, f"AKIA{number:016d}"))
    record["eventID"] = f"00000000-0000-4000-8000-{number:012d}"
    record["eventTime"] = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return record


def _drive(bench: Bench, rate: float, seconds: float, template: Mapping[str, Any] | None) -> tuple[int, float]:
    """Changes at this rate, whether or not anybody keeps up → how many, and the rate that was reached."""
    sqs = bench.client("testing", bench.queue or bench.upstream)
    total, began, number = int(rate * seconds), time.monotonic(), 0
    step = max(1, int(rate / 10))
    while number < total:
        pause = began + number / rate - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        mine = range(number, min(number + step, total))
        records = [_copied(template, one) if template else _changed(bench, one) for one in mine]
        entries = [{"Id": f"{n}", "MessageBody": _envelope(record)} for n, record in enumerate(records)]
        for at in range(0, len(entries), 10):
            sqs.send_message_batch(QueueUrl=bench.url, Entries=entries[at : at + 10])
        visible = time.time()
        bench.sent |= {_name(one): visible for one in mine}
        number += len(mine)
    return total, total / (time.monotonic() - began)


def _measured(bench: Bench, what: str, rate: float, seconds: float, start: Sequence[str], template: Any) -> Row:
    peak = 0.0
    with bench.worker(start, bench.recorder.endpoint) as process:
        _ready(bench, process, template)
        total, reached = _drive(bench, rate, seconds, template)
        deadline = time.monotonic() + PATIENCE
        while len(bench.filed.keys() & bench.sent.keys()) < total and time.monotonic() < deadline:
            if process.poll() is not None:
                raise lab.LabError(f"the worker ended with {process.returncode}")
            time.sleep(0.1)
        peak = _peak(process.pid)
    late = sorted(at - bench.sent[name] for name, at in bench.filed.items() if name in bench.sent)
    batches = [one for one in bench.said if one["messages"]]
    return Row(
        what,
        rate,
        reached,
        total,
        len(late),
        late[len(late) // 2] if late else float("inf"),
        late[int(len(late) * 0.99)] if late else float("inf"),
        late[-1] if late else float("inf"),
        sum(one["calls"] for one in bench.said) / max(1, total),
        peak,
        len(batches),
    )


def _ready(bench: Bench, process: subprocess.Popen[str], template: Mapping[str, Any] | None) -> None:
    """Waits until the worker, which reads rules and stacks first, has filed the case of one change."""
    number = bench.count - 1
    record = _copied(template, number) if template else _changed(bench, number)
    bench.client("testing", bench.queue or bench.upstream).send_message(
        QueueUrl=bench.url, MessageBody=_envelope(record)
    )
    deadline = time.monotonic() + 2 * PATIENCE
    while _name(number) not in bench.filed:
        if process.poll() is not None or time.monotonic() > deadline:
            raise lab.LabError(f"the worker files nothing: {process.poll()}, {bench.said}")
        time.sleep(0.1)


def _peak(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", text)
    return int(found[1]) / 1024 if found else 0.0


def _behind_moto(options: argparse.Namespace, folder: Path, upstream: str) -> tuple[Row, float]:
    count = int(options.rate * options.seconds)
    with Recorder(upstream, ACCOUNT, lookup_rate=None) as recorder:
        recorder.know(OURS, iam_user("driftwarden", ACCOUNT))
        bench = Bench(folder / "moto", upstream, recorder, 4 * count)
        bench.prepare("events-moto", made=count)
        bench.make(bench.count - 1)
        config = bench.folder / "driftwarden.toml"
        row = _measured(bench, "moto", options.rate, options.seconds, command(config, module="agent.events"), None)
        began = time.monotonic()
        with aws_environment(_variables(recorder.endpoint)):
            scan_in_child(config)
        return row, time.monotonic() - began


@contextlib.contextmanager
def _queue() -> Iterator[str]:
    """A queue that keeps up, as a process of its own → its endpoint's URL."""
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("one_queue.py"))], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def _replayed(options: argparse.Namespace, folder: Path, upstream: str) -> Row:
    count = int(options.replayed_rate * options.seconds)
    with Recorder(upstream, ACCOUNT, lookup_rate=None) as recorder, _queue() as queue:
        recorder.know(OURS, iam_user("driftwarden", ACCOUNT))
        bench = Bench(folder / "replayed", upstream, recorder, max(4 * count, options.queues))
        bench.prepare("events-replayed", made=1)
        template = copy.deepcopy(_changed(bench, 0))
        readings = bench.folder / "readings.json"
        readings.write_text(json.dumps(_recorded(recorder.endpoint)))
        bench.queue, bench.url = queue, f"{queue}/{ACCOUNT}/events-replayed"
        (bench.folder / "driftwarden.toml").write_text(CONFIG.format(url=bench.url))
        profiled = ["-m", "cProfile", "-o", str(options.profile)] if options.profile else []
        start = [sys.executable, *profiled, str(Path(__file__).with_name("replayed.py"))]
        start += [str(bench.folder / "driftwarden.toml"), str(readings)]
        return _measured(bench, "replayed", options.replayed_rate, options.seconds, start, template)


def _recorded(endpoint: str) -> dict[str, Any]:
    """One queue as the product's own reader takes it."""
    from agent.live import aws
    from agent.resources import load

    with aws_environment(_variables(endpoint)):
        session = boto3.Session(region_name=REGION)
        only = {"aws_sqs_queue": frozenset((_name(0),))}
        found = aws.read(
            session, ACCOUNT, REGION, "sqs", specs=load(), key=b"0" * 32, taken_at=datetime.now(UTC), only=only
        )
    one = next(each for each in found.resources if each.key.id == _name(0))
    return {"name": _name(0), "attributes": dict(one.attributes), "identifiers": list(one.identifiers)}


def main(arguments: Sequence[str]) -> int:
    """Measures, prints a table and a line of JSON; the exit code."""
    parser = argparse.ArgumentParser(prog="daemon.py events")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=10.0)
    parser.add_argument("--replayed-rate", type=float, default=50.0)
    parser.add_argument("--queues", type=int, default=2000, help="declared queues, at least")
    parser.add_argument("--only", choices=("moto", "replayed"))
    parser.add_argument("--profile", type=Path, help="where cProfile leaves what the replayed worker did")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    rows, whole = [], None
    with tempfile.TemporaryDirectory(prefix="driftwarden-events-") as name:
        if options.only != "replayed":
            with lab.moto(Path(name)) as upstream:
                row, whole = _behind_moto(options, Path(name), upstream)
            rows.append(row)
        if options.only != "moto":
            with lab.moto(Path(name)) as upstream:  # another cloud: both have queues of the same names
                rows.append(_replayed(options, Path(name), upstream))
    print(
        "| readings | changes/s | reached | filed | p50 s | p99 s | longest s | requests a change | RSS MB | batches |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row.what} | {row.rate:g} | {row.reached:.1f} | {row.filed}/{row.changes} | {row.p50:.2f} | "
            f"{row.p99:.2f} | {row.longest:.2f} | {row.calls:.1f} | {row.rss:.0f} | {row.batches} |"
        )
    if whole is not None:
        print(f"\nA whole scan for each batch instead: {whole:.1f} s each.")
    told = {"rows": [vars(row) for row in rows], "whole_scan_seconds": whole}
    print(json.dumps(told))
    if options.out:
        options.out.write_text(json.dumps(told))
    return int(any(row.p99 > TARGET or row.filed < row.changes for row in rows))

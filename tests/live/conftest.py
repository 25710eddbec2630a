"""A small AWS that answers as it is told, to see what the reader makes of every way a read can fail."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import boto3
import pytest
from botocore.config import Config


@dataclass(frozen=True)
class Asked:
    """One request: `ListQueues` and its parameters; of S3 the sub-resource (`policy`, "" to list) and the bucket."""

    operation: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """What the server sends."""

    body: str | Mapping[str, Any]
    status: int = 200
    request_id: str = "00000000-0000-0000-0000-000000000000"
    delay: float = 0.0
    lost: int = 0
    """Bytes that are announced and never come."""


def error(code: str, status: int = 400, message: str = "") -> Answer:
    """AWS's error in the JSON protocols."""
    return Answer({"__type": code, "message": message}, status)


def s3_error(code: str, status: int = 404) -> Answer:
    """AWS's error in S3's XML."""
    return Answer(f"<Error><Code>{code}</Code><Message>as told</Message></Error>", status)


@dataclass
class SmallAws:
    """Answers in turn: the last answer told for an operation is given for ever."""

    url: str
    told: Callable[[Asked], Answer] = lambda asked: error("NotImplemented", 501)
    asked: Counter[str] = field(default_factory=Counter)


@pytest.fixture
def small_aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallAws]:
    """The server, with this process's AWS clients pointed at it."""
    aws = SmallAws("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
            bucket = parts.path.strip("/")
            operation = next((name for name in query if bucket and name != "x-id"), "")
            self.reply(Asked(operation, {"bucket": bucket, **query}))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.reply(Asked(self.headers["X-Amz-Target"].rsplit(".", 1)[-1], json.loads(body)))

        def reply(self, asked: Asked) -> None:
            aws.asked[asked.operation] += 1
            answer = aws.told(asked)
            time.sleep(answer.delay)
            text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(text.encode()) + answer.lost))
            if answer.request_id:
                self.send_header("x-amzn-RequestId", answer.request_id)
            self.end_headers()
            self.wfile.write(text.encode())
            self.close_connection = bool(answer.lost)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """A client that waits no longer is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    aws.url = f"http://127.0.0.1:{server.server_port}"
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    yield aws
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def session() -> boto3.Session:
    """Credentials nobody issued. One for all tests: it keeps the service models it has read."""
    return boto3.Session("AKIDTEST", "secret", region_name="us-east-1")


IMPATIENT = Config(retries={"total_max_attempts": 2}, connect_timeout=1, read_timeout=0.5)
"""So that a test of a failure takes less than a second."""

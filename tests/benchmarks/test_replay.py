"""The benchmark's replay proxy: equal questions are asked of the cloud once, different ones never share an answer."""

import json
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

REPLAY = Path(__file__).parents[2] / "benchmarks" / "replay.py"


@dataclass
class Cloud:
    """A server that answers every request with how many it has had; `/broken…` with status 503."""

    url: str = ""
    bodies: list[bytes] = field(default_factory=list)


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    told = Cloud()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            told.bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            body = str(len(told.bodies)).encode()
            self.send_response(503 if self.path.startswith("/broken") else 200)
            self.send_header("x-amzn-requestid", "one")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_POST = do_HEAD = _answer  # noqa: N815 the names http.server calls

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_port}"
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def proxy(cloud: Cloud) -> Iterator[str]:
    server = subprocess.Popen([sys.executable, str(REPLAY), cloud.url], stdout=subprocess.PIPE, text=True)
    assert server.stdout
    address = re.fullmatch(r"http://(127\.0\.0\.1:\d+)\n", server.stdout.readline())
    assert address
    yield address[1]
    server.terminate()
    server.wait(timeout=10)
    server.stdout.close()


def ask(
    proxy: str, method: str = "POST", path: str = "/", body: str = "", *, service: str = "sqs", **headers: str
) -> tuple[int, str]:
    """One signed request on a connection of its own → status and body."""
    region, date, secret = (
        headers.pop(name, given) for name, given in (("region", "eu-west-1"), ("date", "1"), ("signed", "a"))
    )
    signed = f"AWS4-HMAC-SHA256 Credential=AKIA/{date}/{region}/{service}/aws4_request, Signature={secret}"
    with closing(HTTPConnection(proxy, timeout=10)) as client:
        client.request(method, path, body, {"Authorization": signed, **headers})
        answer = client.getresponse()
        return answer.status, answer.read().decode()


def control(proxy: str, path: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://{proxy}{path}", timeout=10) as answer:
        return json.load(answer)


def test_the_signature_its_date_and_the_order_of_names_make_no_other_question(cloud: Cloud, proxy: str) -> None:
    target = {"X-Amz-Target": "AmazonSQS.ListQueues"}
    first = ask(proxy, body='{"a": 1, "b": 2}', **target)
    assert first == (200, "1")
    assert (
        ask(proxy, body='{"b": 2, "a": 1}', date="2", signed="b", **{"amz-sdk-invocation-id": "x"}, **target) == first
    )
    assert ask(proxy, body="Action=GetRole&Version=1&RoleName=a", service="iam") == (200, "2")
    assert ask(proxy, body="RoleName=a&Action=GetRole&Version=1", service="iam") == (200, "2")
    assert cloud.bodies == [b'{"a": 1, "b": 2}', b"Action=GetRole&Version=1&RoleName=a"]


def test_what_aws_would_answer_otherwise_is_another_question(proxy: str) -> None:
    usual = {"body": '{"QueueUrl": "a"}', "X-Amz-Target": "AmazonSQS.ListQueueTags"}
    others: list[dict[str, str]] = [
        {},
        {"body": '{"QueueUrl": "b"}'},
        {"region": "us-east-1"},
        {"service": "sns"},
        {"path": "/other"},
        {"path": "/?acl"},
        {"method": "GET"},
        {"X-Amz-Target": "AmazonSQS.GetQueueAttributes"},
    ]
    expected = [(200, str(n)) for n in range(1, 9)]
    for _ in range(2):
        assert expected == [ask(proxy, **(usual | other)) for other in others]


def test_calls_are_counted_by_operation_and_what_the_cloud_had_to_answer_apart(proxy: str) -> None:
    ask(proxy, "GET", "/bucket?versioning", service="s3")
    control(proxy, "/-/begin?delay_ms=0")
    ask(proxy, "GET", "/bucket?versioning", service="s3")
    ask(proxy, "GET", "/another?versioning", service="s3")
    ask(proxy, "GET", "/2015-03-31/functions/orders/versions?MaxItems=5", service="lambda")
    ask(proxy, body="Action=GetRole&RoleName=a", service="iam")
    told = control(proxy, "/-/stats")
    assert (told["calls"], told["missed"]) == (4, 3)
    assert told["operations"] == {
        "s3 GET /*?versioning": 2,
        "lambda GET /functions/*/versions?MaxItems": 1,
        "iam GetRole": 1,
    }


def test_every_answer_waits_for_the_delay_and_many_wait_at_once(proxy: str) -> None:
    ask(proxy)
    control(proxy, "/-/begin?delay_ms=200")
    began = time.monotonic()
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: ask(proxy), range(20)))
    took = time.monotonic() - began
    assert answers == [(200, "1")] * 20
    assert 0.2 <= took < 2.0  # in turn they would take 4


def test_a_failing_cloud_is_asked_again(proxy: str) -> None:
    assert ask(proxy, "GET", "/broken") == (503, "1")
    assert ask(proxy, "GET", "/broken") == (503, "2")


def test_one_connection_serves_many_requests_and_head_has_no_body(proxy: str) -> None:
    with closing(HTTPConnection(proxy, timeout=10)) as client:
        client.request("HEAD", "/bucket")
        head = client.getresponse()
        assert (head.status, head.headers["Content-Length"], head.read()) == (200, "1", b"")
        client.request("GET", "/bucket")
        assert client.getresponse().read() == b"2"


def test_a_request_in_pieces_is_one_request(cloud: Cloud, proxy: str) -> None:
    with closing(HTTPConnection(proxy, timeout=10)) as client:
        client.putrequest("POST", "/")
        client.putheader("Content-Length", "4")
        client.endheaders(b"ab")
        time.sleep(0.1)
        client.send(b"cd")
        assert client.getresponse().read() == b"1"
    assert cloud.bodies == [b"abcd"]

"""What passes the recorder passes unchanged; whatever a client or server does, the other side is told."""

from __future__ import annotations

import socket
import socketserver
import statistics
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from recorder_calls import clients

from agent.demo.recorder import Recorder

SIGNED = (
    b"Authorization: AWS4-HMAC-SHA256 Credential=AKIAX/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host,"
    b" Signature=0\r\n"
)
PLAIN = b"HTTP/1.1 200 OK\r\nX-Odd:  two  spaces\r\nX-Twice: 1\r\nX-Twice: 2\r\nContent-Length: 5\r\n\r\nhello"


class Upstream(socketserver.ThreadingTCPServer):
    """Answers every request with the same bytes and keeps what it was sent."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = PLAIN
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.hang_up_after = 10_000


class Handler(socketserver.StreamRequestHandler):
    server: Upstream
    disable_nagle_algorithm = True

    def handle(self) -> None:
        self.server.connections += 1
        for _ in range(self.server.hang_up_after):
            head = b""
            while (line := self.rfile.readline()) not in (b"\r\n", b""):
                head += line
            if not head:
                return
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or b"0")
            self.server.heads.append(head)
            self.server.bodies.append(self.rfile.read(length))
            self.wfile.write(self.server.answer)
            if b"Content-Length" not in self.server.answer and b"chunked" not in self.server.answer:
                return


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(upstream: Upstream) -> Iterator[Recorder]:
    with Recorder(f"http://127.0.0.1:{upstream.server_address[1]}") as recorder:
        yield recorder


@pytest.fixture
def connect(proxy: Recorder) -> Iterator[Callable[[], socket.socket]]:
    """Opens a connection to the recorder."""
    opened: list[socket.socket] = []

    def open_one() -> socket.socket:
        made = socket.create_connection(("127.0.0.1", int(proxy.endpoint.rpartition(":")[2])), timeout=5)
        opened.append(made)
        return made

    yield open_one
    for one in opened:
        one.close()


def request(body: bytes = b"", *, extra: bytes = b"", method: bytes = b"POST") -> bytes:
    length = b"" if b"Transfer-Encoding" in extra else b"Content-Length: %d\r\n" % len(body)
    return method + b" /x?y=%20z HTTP/1.1\r\nHost: a\r\n" + SIGNED + extra + length + b"\r\n" + body


def receive(connection: socket.socket, end: bytes) -> bytes:
    got = b""
    while not got.endswith(end):
        part = connection.recv(65_536)
        assert part, f"closed after {got!r}"
        got += part
    return got


def test_answer_passes_byte_for_byte(connect: Callable[[], socket.socket]) -> None:
    connection = connect()
    connection.sendall(request(b"{}"))
    assert receive(connection, b"hello") == PLAIN


def test_request_passes_with_its_headers(connect: Callable[[], socket.socket], upstream: Upstream) -> None:
    connection = connect()
    connection.sendall(request(b"\x00\xff", extra=b"X-Amz-Target: AmazonSQS.ListQueues\r\nConnection: keep-alive\r\n"))
    receive(connection, b"hello")
    assert upstream.heads == [
        b"POST /x?y=%20z HTTP/1.1\r\nHost: a\r\n"
        + SIGNED
        + b"X-Amz-Target: AmazonSQS.ListQueues\r\nContent-Length: 2\r\n"
    ]
    assert upstream.bodies == [b"\x00\xff"]


def test_connections_stay_open_on_both_sides(connect: Callable[[], socket.socket], upstream: Upstream) -> None:
    connection = connect()
    for _ in range(3):
        connection.sendall(request())
        receive(connection, b"hello")
    assert (upstream.connections, len(upstream.heads)) == (1, 3)


def test_client_keeps_its_connection_though_the_server_closes(
    connect: Callable[[], socket.socket], upstream: Upstream
) -> None:
    upstream.answer = PLAIN.replace(b"X-Odd:  two  spaces", b"Connection: close")
    connection = connect()
    for _ in range(2):
        connection.sendall(request())
        assert receive(connection, b"hello") == PLAIN.replace(b"X-Odd:  two  spaces\r\n", b"")
    assert upstream.connections == 2


def test_a_kept_connection_that_the_server_dropped_is_opened_again(
    connect: Callable[[], socket.socket], upstream: Upstream
) -> None:
    upstream.hang_up_after = 1
    connection = connect()
    for _ in range(3):
        connection.sendall(request())
        receive(connection, b"hello")
    assert len(upstream.heads) == 3


def test_chunked_request_arrives_whole(connect: Callable[[], socket.socket], upstream: Upstream) -> None:
    connection = connect()
    connection.sendall(
        request(b"3\r\nabc\r\n4;x=1\r\ndefg\r\n0\r\nX-Trailer: 1\r\n\r\n", extra=b"Transfer-Encoding: chunked\r\n")
    )
    receive(connection, b"hello")
    assert upstream.bodies == [b"abcdefg"]


def test_aws_chunked_content_is_left_alone(connect: Callable[[], socket.socket], upstream: Upstream) -> None:
    content = b"3;chunk-signature=0\r\nabc\r\n0;chunk-signature=0\r\n\r\n"
    connection = connect()
    connection.sendall(request(content, extra=b"Content-Encoding: aws-chunked\r\n", method=b"PUT"))
    receive(connection, b"hello")
    assert upstream.bodies == [content]


def test_chunked_answer_passes_byte_for_byte(connect: Callable[[], socket.socket], upstream: Upstream) -> None:
    upstream.answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n"
    connection = connect()
    connection.sendall(request())
    assert receive(connection, b"X-T: 1\r\n\r\n") == upstream.answer


def test_answer_that_ends_with_the_connection_gets_a_length(
    connect: Callable[[], socket.socket], upstream: Upstream
) -> None:
    upstream.answer = b"HTTP/1.1 200 OK\r\n\r\nuntil the end"
    connection = connect()
    connection.sendall(request())
    assert receive(connection, b"the end") == b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nuntil the end"


def test_interim_answers_of_the_server_are_skipped(connect: Callable[[], socket.socket], upstream: Upstream) -> None:
    upstream.answer = b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN
    connection = connect()
    connection.sendall(request())
    assert receive(connection, b"hello") == PLAIN


def test_head_has_a_length_and_no_body(connect: Callable[[], socket.socket], upstream: Upstream) -> None:
    upstream.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"
    connection = connect()
    connection.sendall(request(method=b"HEAD"))
    assert receive(connection, b"\r\n\r\n") == upstream.answer


def test_client_that_waits_for_100_continue_is_told_to_go_on(
    connect: Callable[[], socket.socket], upstream: Upstream
) -> None:
    connection = connect()
    head, body = request(b"abc", extra=b"Expect: 100-continue\r\n").split(b"\r\n\r\n")
    connection.sendall(head + b"\r\n\r\n")
    assert receive(connection, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.sendall(body)
    assert receive(connection, b"hello") == PLAIN
    assert upstream.bodies == [b"abc"]


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 201 + b"\r\n",
    ],
)
def test_what_is_no_http_is_refused(connect: Callable[[], socket.socket], upstream: Upstream, sent: bytes) -> None:
    connection = connect()
    connection.sendall(sent)
    assert connection.recv(65_536).startswith(b"HTTP/1.1 400 ")
    assert upstream.heads == []


def test_client_that_leaves_mid_request_disturbs_nobody(
    connect: Callable[[], socket.socket], proxy: Recorder, upstream: Upstream
) -> None:
    leaving = connect()
    leaving.sendall(request(b"abc")[:-2])
    leaving.close()
    staying = connect()
    staying.sendall(request())
    assert receive(staying, b"hello") == PLAIN
    assert len(upstream.heads) == 1


def test_server_that_is_not_there(connect: Callable[[], socket.socket], upstream: Upstream, proxy: Recorder) -> None:
    upstream.server_close()
    connection = connect()
    connection.sendall(request())
    assert connection.recv(65_536).startswith(b"HTTP/1.1 502 ")
    assert proxy.records == ()


def test_server_that_answers_nonsense(connect: Callable[[], socket.socket], upstream: Upstream) -> None:
    upstream.answer = b"nonsense Content-Length\r\n"
    connection = connect()
    connection.sendall(request())
    assert connection.recv(65_536).startswith(b"HTTP/1.1 502 ")


def test_upstream_must_be_an_http_address() -> None:
    with pytest.raises(ValueError, match="http://host:port"):
        Recorder("https://example.com")


def test_closing_frees_the_port_and_the_threads(moto: str) -> None:
    before = threading.active_count()
    with Recorder(moto) as recorder:
        idle = socket.create_connection(("127.0.0.1", int(recorder.endpoint.rpartition(":")[2])))
        clients(recorder.endpoint)("sqs").list_queues()
    assert idle.recv(1) == b""
    idle.close()
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before
    assert len(recorder.records) == 1


def test_a_call_takes_less_than_two_milliseconds_longer(
    connect: Callable[[], socket.socket], upstream: Upstream
) -> None:
    direct = socket.create_connection(("127.0.0.1", upstream.server_address[1]))
    sent = request(b'{"QueueName": "q"}', extra=b"X-Amz-Target: AmazonSQS.CreateQueue\r\n")

    def median(connection: socket.socket) -> float:
        times = []
        for _ in range(200):
            began = time.perf_counter()
            connection.sendall(sent)
            receive(connection, b"hello")
            times.append(time.perf_counter() - began)
        return statistics.median(times)

    through = connect()
    added = min(median(through) - median(direct) for _ in range(3))
    direct.close()
    assert added < 0.002

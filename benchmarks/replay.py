"""A caching proxy between AWS clients and a slow mock of AWS: the second time a question is asked, the answer is there.

    python benchmarks/replay.py UPSTREAM      prints its own address; `GET /-/stats`, `POST /-/begin?delay_ms=30`

Hides that two requests are the same question although signature, date and ids differ. Every answer is held back for
the delay, as AWS's own time and distance would; requests are counted by operation. One thread, no parsing beyond what
the key needs: it answers some thousand requests a second. Only for reads: a write is answered once and then replayed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import json
import re
import resource
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from urllib.parse import parse_qs, parse_qsl, urlsplit

UPSTREAM_THREADS = 8

_SCOPE = re.compile(rb"^authorization:[^\r\n]*Credential=[^/]+/\d+/([^/]+)/([^/]+)/", re.IGNORECASE | re.MULTILINE)
_TARGET = re.compile(rb"^x-amz-target:\s*([^\r\n]+)", re.IGNORECASE | re.MULTILINE)
_LENGTH = re.compile(rb"^content-length:\s*(\d+)", re.IGNORECASE | re.MULTILINE)
_CHUNKED = re.compile(rb"^transfer-encoding:", re.IGNORECASE | re.MULTILINE)
_VOLATILE = frozenset({"ClientToken", "ClientRequestToken", "X-Amz-Date", "X-Amz-Signature", "X-Amz-Security-Token"})

Question = tuple[bytes, bytes, bytes, bytes, bytes, bytes]
"""Method, path with query, region, service, X-Amz-Target and body: what AWS would look at to answer."""


class Replay:
    """The answers so far, and what was asked since the last `begin`."""

    def __init__(self, upstream: str) -> None:
        """`upstream`: URL of the mock, as `http://127.0.0.1:5000`."""
        self.upstream = urlsplit(upstream).netloc
        self.delay = 0.0
        self.asked: Counter[Question] = Counter()
        self.missed = 0
        self._cpu = 0.0
        self._answers: dict[Question, bytes] = {}
        self._waiting: dict[Question, asyncio.Future[bytes]] = {}
        self._threads = ThreadPoolExecutor(UPSTREAM_THREADS)

    def known(self, question: Question) -> bytes | None:
        """The whole HTTP answer, if this was asked before. Counts the question."""
        self.asked[question] += 1
        return self._answers.get(question)

    async def fetch(self, question: Question, head: bytes, body: bytes) -> bytes:
        """Ask the mock; equal questions in flight are asked once. Server errors are passed on and not kept."""
        if question not in self._waiting:
            loop = asyncio.get_running_loop()
            self._waiting[question] = loop.run_in_executor(
                self._threads, _ask, self.upstream, *question[:2], head, body
            )
            self.missed += 1
        try:
            answer = await self._waiting[question]
        finally:
            self._waiting.pop(question, None)
        if not answer.startswith(b"HTTP/1.1 5"):
            self._answers[question] = answer
        return answer

    def control(self, path: str) -> bytes:
        """`/-/begin` sets the counts to zero, `/-/stats` tells them."""
        parts = urlsplit(path)
        if parts.path == "/-/begin":
            self.delay = float(parse_qs(parts.query).get("delay_ms", ["0"])[0]) / 1000
            self.asked.clear()
            self.missed = 0
            self._cpu = _cpu()
        operations: Counter[str] = Counter()
        for question, count in self.asked.items():
            operations[operation(question)] += count
        told = {
            "calls": self.asked.total(),
            "missed": self.missed,
            "cpu_s": round(_cpu() - self._cpu, 2),
            "operations": dict(operations.most_common()),
        }
        return _answer(200, "OK", [("Content-Type", "application/json")], json.dumps(told).encode())


class _Connection(asyncio.Protocol):
    """One client connection; its requests are answered in turn."""

    def __init__(self, replay: Replay) -> None:
        self._replay = replay
        self._buffer = b""
        self._busy = False
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._busy:
            self._next()

    def _next(self) -> None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[: end + 2]
        found = _LENGTH.search(head)
        length = int(found[1]) if found else 0
        if _CHUNKED.search(head):
            self._transport.write(_answer(501, "Not Implemented", [], b"chunked requests are not replayed"))
            self._transport.close()
            return
        if len(self._buffer) < end + 4 + length:
            return
        body = self._buffer[end + 4 : end + 4 + length]
        self._buffer = self._buffer[end + 4 + length :]
        self._busy = True
        method, path, _ = head.split(b" ", 2)
        if path.startswith(b"/-/"):
            self._reply(self._replay.control(path.decode()))
            return
        question = ask(method, path, head, body)
        answer = self._replay.known(question)
        if answer is None:
            task = asyncio.get_running_loop().create_task(self._fetch(question, head, body))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            self._later(answer)

    async def _fetch(self, question: Question, head: bytes, body: bytes) -> None:
        try:
            answer = await self._replay.fetch(question, head, body)
        except OSError as error:
            answer = _answer(502, "Bad Gateway", [], str(error).encode())
        self._later(answer)

    def _later(self, answer: bytes) -> None:
        if self._replay.delay:
            asyncio.get_running_loop().call_later(self._replay.delay, self._reply, answer)
        else:
            self._reply(answer)

    def _reply(self, answer: bytes) -> None:
        self._busy = False
        if not self._transport.is_closing():
            self._transport.write(answer)
            self._next()


def ask(method: bytes, path: bytes, head: bytes, body: bytes) -> Question:
    """The question in a request: who signed it and when is no part of it."""
    scope = _SCOPE.search(head)
    target = _TARGET.search(head)
    region, service = (scope[1], scope[2]) if scope else (b"", b"")
    return method, path, region, service, target[1] if target else b"", _settled(body)


@lru_cache(maxsize=100_000)
def _settled(body: bytes) -> bytes:
    """The body without what differs each time; JSON and forms in one order of names."""
    if body.startswith(b"{"):
        tree = json.loads(body)
        return json.dumps({k: v for k, v in tree.items() if k not in _VOLATILE}, sort_keys=True).encode()
    if b"Action=" in body:
        return repr(sorted(pair for pair in parse_qsl(body.decode()) if pair[0] not in _VOLATILE)).encode()
    return body


def operation(question: Question) -> str:
    """What AWS would call it: `iam GetRole`; for REST services method and shape of the path, `s3 GET /*?versioning`."""
    method, path, _, service, target, body = (part.decode(errors="replace") for part in question)
    if target:
        return f"{service} {target.rsplit('.', 1)[-1]}"
    form = re.search(r"\('Action', '(\w+)'\)", body)
    if form:
        return f"{service} {form[1]}"
    parts = urlsplit(path)
    query = "&".join(sorted(pair.split("=")[0] for pair in parts.query.split("&") if pair))
    names = re.sub(r"^/\d{4}-\d\d-\d\d", "", parts.path).strip("/").split("/")
    # Names of collections and of what is in them take turns; S3 begins with what is in it.
    hidden = 0 if service == "s3" else 1
    steps = "/" + "/".join("*" if n % 2 == hidden and name else name for n, name in enumerate(names))
    return f"{service} {method} {steps}" + (f"?{query}" if query else "")


def _ask(upstream: str, method: bytes, path: bytes, head: bytes, body: bytes) -> bytes:
    """The mock's answer to the request as it came."""
    lines = head.decode("latin-1").split("\r\n")[1:]
    headers = dict(line.split(": ", 1) for line in lines if ": " in line)
    client = http.client.HTTPConnection(upstream, timeout=120)
    try:
        client.request(method.decode(), path.decode("latin-1"), body, headers)
        answer = client.getresponse()
        content = answer.read()
    finally:
        client.close()
    dropped = {"connection", "transfer-encoding", "keep-alive"}
    kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in dropped]
    return _answer(answer.status, answer.reason, kept, content, alone=method == b"HEAD")


def _answer(status: int, reason: str, headers: list[tuple[str, str]], body: bytes, *, alone: bool = False) -> bytes:
    """A whole HTTP answer; `alone`: to HEAD, whose Content-Length is that of a body which is not there."""
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers)]
    if not alone:
        lines = [line for line in lines if not line.lower().startswith("content-length:")]
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def serve(upstream: str) -> None:
    """Answers on a free port of loopback until cancelled; prints the address."""
    replay = Replay(upstream)
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(replay), "127.0.0.1", 0, backlog=1024)
    sys.stdout.write(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A caching proxy between AWS clients and a mock of AWS.")
    parser.add_argument("upstream", help="URL of the mock, as http://127.0.0.1:5000")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(parser.parse_args().upstream))

"""The least of an HTTP server: on loopback, GET and HEAD, one answer a connection.

Hides how little a client may do to it: it has a few seconds and a few kilobytes to ask, is answered once, and when
too many are connected the one that has been there longest goes. Names that only a rebound DNS leads by are refused.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address

MOST = 32
"""Connections at a time."""
PATIENCE = 5.0
"""Seconds that a client has to ask, and as many to take its answer."""
LONGEST = 8_192
"""Bytes of a request's head."""

_DRAINED = 65_536
_REQUEST = re.compile(r"([A-Z]{1,16}) (/[!-~]{0,2000}) HTTP/1\.([01])")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*?)[ \t]*")
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client gets."""

    status: HTTPStatus
    body: bytes
    kind: str = "text/plain; charset=utf-8"


Answerer = Callable[[str, str], Answer]
"""Path and `Accept` → answer; called by many threads."""


class Server:
    """A server at one loopback address, from `start` to `stop`."""

    def __init__(self, host: str, port: int, answer: Answerer) -> None:
        """Listens to nobody yet. Port 0 is a free one."""
        self._host, self._port, self._answer = host, port, answer
        self._listener: socket.socket | None = None
        self._open: OrderedDict[socket.socket, None] = OrderedDict()
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(2 * MOST)
        """One for each thread: those that were told to end are not counted among the connections any more."""
        self._stopped = threading.Event()

    def start(self) -> tuple[str, int]:
        """Listens; gives the address. Raises OSError where it cannot."""
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self._host, self._port))
            listener.listen(64)
        except OSError:
            listener.close()
            raise
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), name="health-http", daemon=True).start()
        host, port = listener.getsockname()[:2]
        return host, port

    def stop(self) -> None:
        """Listens no more and ends what is connected. Twice does no harm."""
        self._stopped.set()
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        with self._lock:
            for connection in self._open:
                _end(connection)

    def _accept(self, listener: socket.socket) -> None:
        while not self._stopped.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                # Closed, or no descriptor is left for another connection: those that are there will end.
                self._stopped.wait(0.2)
                continue
            self._turns.acquire()
            with self._lock:
                if len(self._open) >= MOST:
                    _end(self._open.popitem(last=False)[0])
                self._open[connection] = None
            worker = threading.Thread(target=self._serve, args=(connection,), name="health-client", daemon=True)
            try:
                worker.start()
            except RuntimeError:  # no thread is to be had
                self._forget(connection)

    def _serve(self, connection: socket.socket) -> None:
        try:
            asked = _head(connection)
            if asked is not None:
                bare = asked.startswith("HEAD ")
                connection.settimeout(PATIENCE)
                connection.sendall(_written(self._answered(asked), bare=bare))
                _finish(connection)
        except OSError:
            pass  # gone, or too slow
        finally:
            self._forget(connection)

    def _answered(self, head: str) -> Answer:
        request, *lines = head.split("\r\n")
        match = _REQUEST.fullmatch(request)
        headers = _headers(lines)
        if match is None or headers is None:
            return _refused(HTTPStatus.BAD_REQUEST, "not a request this server understands; try GET /healthz")
        method, target, minor = match.groups()
        if not _is_ours(headers.get("host"), minor):
            why = "ask by the address it listens on, such as 127.0.0.1; a reverse proxy sets Host to it"
            return _refused(HTTPStatus.MISDIRECTED_REQUEST, why)
        if method not in ("GET", "HEAD"):
            return _refused(HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD")
        return self._answer(target.partition("?")[0], headers.get("accept", ""))

    def _forget(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.pop(connection, None)
        connection.close()
        self._turns.release()


def _head(connection: socket.socket) -> str | None:
    """The head of a request; None where the client left or took too long, and no request where it was too long.

    Raises OSError.
    """
    until = time.monotonic() + PATIENCE
    read = b""
    while b"\r\n\r\n" not in read and len(read) <= LONGEST:
        left = until - time.monotonic()
        if left <= 0:
            return None
        connection.settimeout(left)
        more = connection.recv(4_096)
        if not more:
            return None
        read += more
    head, ended, _ = read.partition(b"\r\n\r\n")
    return head.decode("latin-1") if ended and len(head) <= LONGEST else "too long"


def _headers(lines: list[str]) -> Mapping[str, str] | None:
    """By name in small letters; None where one is none, or two say which host is meant."""
    found: dict[str, str] = {}
    for line in lines:
        match = _HEADER.fullmatch(line)
        name = match[1].lower() if match else ""
        if match is None or (name == "host" and name in found):
            return None
        found[name] = match[2]
    return found


def _is_ours(host: str | None, minor: str) -> bool:
    """Whether a request means this machine: a name that DNS was made to lead here by is somebody's web page."""
    if host is None:
        return minor == "0"
    match = _HOST.fullmatch(host.lower())
    if match is None:
        return False
    name = match[1].strip("[]")
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _refused(status: HTTPStatus, why: str) -> Answer:
    return Answer(status, f"{status.value} {status.phrase}: {why}\n".encode())


def _written(answer: Answer, *, bare: bool) -> bytes:
    lines = [
        f"HTTP/1.1 {answer.status.value} {answer.status.phrase}",
        f"Content-Type: {answer.kind}",
        f"Content-Length: {len(answer.body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
    ]
    if answer.status == HTTPStatus.METHOD_NOT_ALLOWED:
        lines.append("Allow: GET, HEAD")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (b"" if bare else answer.body)


def _finish(connection: socket.socket) -> None:
    """Lets the answer arrive: closed with something unread, the other side would lose it."""
    connection.shutdown(socket.SHUT_WR)
    connection.settimeout(1.0)
    left = _DRAINED
    until = time.monotonic() + 1.0
    while left > 0 and time.monotonic() < until and (read := connection.recv(left)):
        left -= len(read)


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)

"""HTTP/1.1 messages, read whole and passed on unchanged; hides framing, chunks and connections.

Only what a loopback proxy between AWS clients and moto needs: no TLS, no upgrades, no pipelining.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from io import BufferedIOBase
from urllib.parse import parse_qsl, unquote, urlsplit

LINE = 65_536
"""Longest header line accepted, in bytes; AWS and werkzeug stop earlier."""
HEADERS = 200
"""Most header lines accepted in one message."""

_HOP_BY_HOP = frozenset(("connection", "keep-alive", "proxy-connection"))
_FRAMING = frozenset(("content-length", "transfer-encoding", "expect"))


class WireError(Exception):
    """The peer does not speak HTTP/1.1 as we read it."""


class ClosedError(WireError):
    """The peer closed the connection where a message should begin."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, its body decoded from HTTP chunks (`aws-chunked` stays as it is)."""

    method: str
    target: str
    lines: tuple[bytes, ...]
    """Header lines as received, with their line ends."""
    headers: Mapping[str, str]
    """Lower-case name → value; of several with one name, the last."""
    body: bytes

    @property
    def path(self) -> str:
        """The path as sent, percent-encoded."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """Decoded query parameters; a marker such as `?policy` has an empty value."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        """Parameters of the query protocol: the form body, or the query string of a GET."""
        if "x-www-form-urlencoded" in self.headers.get("content-type", ""):
            return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))
        return self.query if self.method == "GET" else {}

    @property
    def segments(self) -> tuple[str, ...]:
        """Decoded path segments."""
        return tuple(unquote(part) for part in self.path.split("/") if part)

    def to_bytes(self) -> bytes:
        """As sent to the upstream: one body of known length."""
        kept = _without(self.lines, _HOP_BY_HOP | _FRAMING)
        start = f"{self.method} {self.target} HTTP/1.1\r\n".encode("latin-1")
        return b"".join((start, *kept, b"Content-Length: %d\r\n\r\n" % len(self.body), self.body))


@dataclass(frozen=True, slots=True)
class Response:
    """One response; `wire` is the body exactly as received, `body` the same without HTTP chunks."""

    status: int
    start: bytes
    lines: tuple[bytes, ...]
    headers: Mapping[str, str]
    wire: bytes
    body: bytes
    delimited: bool = True
    """False: its body ended with the connection."""

    def to_bytes(self) -> bytes:
        """As sent to the client: unchanged but for hop-by-hop headers, so that its connection stays open."""
        kept = _without(self.lines, _HOP_BY_HOP)
        length = b"" if self.delimited else b"Content-Length: %d\r\n" % len(self.body)
        return b"".join((self.start, *kept, length, b"\r\n", self.wire))


def answer(status: int, body: bytes, headers: Mapping[str, str]) -> Response:
    """A response made here, with its Content-Length."""
    every = {**headers, "Content-Length": str(len(body))}
    lines = tuple(f"{name}: {value}\r\n".encode("latin-1", "replace") for name, value in every.items())
    lowered = {name.lower(): value for name, value in every.items()}
    return Response(status, f"HTTP/1.1 {status} \r\n".encode(), lines, lowered, body, body)


def read_request(stream: BufferedIOBase, reply: BufferedIOBase) -> Request | None:
    """The next request of a client's connection; None where the client has closed it.

    `reply` receives the interim answer that `Expect: 100-continue` asks for. Raises WireError.
    """
    first = stream.readline(LINE)
    if not first.strip():
        return None
    parts = first.decode("latin-1").split()
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise WireError(f"not an HTTP/1.1 request line: {first[:80]!r}")
    lines, headers = _read_headers(stream)
    if headers.get("expect", "").lower() == "100-continue":
        reply.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        reply.flush()
    if "chunked" in headers.get("transfer-encoding", ""):
        body = _read_chunks(stream)[1]
    else:
        body = _read_exactly(stream, _length(headers))
    return Request(parts[0], parts[1], lines, headers, body)


def _read_response(stream: BufferedIOBase, method: str) -> Response:
    start = stream.readline(LINE)
    if not start:
        raise ClosedError("the connection was closed before an answer")
    parts = start.split(None, 2)
    if len(parts) < 2 or not parts[0].startswith(b"HTTP/1.") or not parts[1].isdigit():
        raise WireError(f"not an HTTP/1.1 status line: {start[:80]!r}")
    status = int(parts[1])
    lines, headers = _read_headers(stream)
    if 100 <= status < 200:
        return _read_response(stream, method)
    if method == "HEAD" or status in (204, 304):
        return Response(status, start, lines, headers, b"", b"")
    if "chunked" in headers.get("transfer-encoding", ""):
        wire, body = _read_chunks(stream)
        return Response(status, start, lines, headers, wire, body)
    if "content-length" in headers:
        body = _read_exactly(stream, _length(headers))
        return Response(status, start, lines, headers, body, body)
    body = stream.read()
    return Response(status, start, lines, headers, body, body, delimited=False)


class Upstream:
    """One client's connection to the server behind the proxy; reopened whenever the server has closed it."""

    def __init__(self, host: str, port: int) -> None:
        """Nothing is opened before the first request."""
        self._address = (host, port)
        self._socket: socket.socket | None = None
        self._stream: BufferedIOBase | None = None

    def send(self, request: Request) -> Response:
        """Pass a request on and wait for the answer. Raises OSError or WireError where there is none."""
        reused = self._socket is not None
        try:
            response = self._exchange(request)
        except (OSError, ClosedError):
            self.close()
            if not reused:
                raise
            # A kept connection may have been closed by the server between two requests.
            response = self._exchange(request)
        if not response.delimited or response.headers.get("connection", "").lower() == "close":
            self.close()
        return response

    def close(self) -> None:
        """Close the connection, if one is open."""
        if self._stream is not None:
            self._stream.close()
        if self._socket is not None:
            self._socket.close()
        self._socket = self._stream = None

    def _exchange(self, request: Request) -> Response:
        if self._socket is None or self._stream is None:
            self._socket = socket.create_connection(self._address)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._stream = self._socket.makefile("rb")
        self._socket.sendall(request.to_bytes())
        return _read_response(self._stream, request.method)


def _read_headers(stream: BufferedIOBase) -> tuple[tuple[bytes, ...], dict[str, str]]:
    lines: list[bytes] = []
    headers: dict[str, str] = {}
    while (line := stream.readline(LINE)) not in (b"\r\n", b"\n"):
        name, colon, value = line.decode("latin-1").partition(":")
        if not line.endswith(b"\n") or not colon or len(lines) >= HEADERS:
            raise WireError(f"not a header line: {line[:80]!r}")
        lines.append(line)
        headers[name.strip().lower()] = value.strip()
    return tuple(lines), headers


def _read_chunks(stream: BufferedIOBase) -> tuple[bytes, bytes]:
    """The chunks as on the wire, trailers included, and their content."""
    wire: list[bytes] = []
    content: list[bytes] = []
    size = -1
    while size:
        line = stream.readline(LINE)
        try:
            size = int(line.split(b";")[0], 16)
        except ValueError:
            raise WireError(f"not a chunk size: {line[:80]!r}") from None
        chunk = _read_exactly(stream, size)
        content.append(chunk)
        wire += (line, chunk)
        if size:
            wire.append(stream.readline(LINE))
    lines, _ = _read_headers(stream)
    return b"".join((*wire, *lines, b"\r\n")), b"".join(content)


def _read_exactly(stream: BufferedIOBase, size: int) -> bytes:
    data = stream.read(size) if size else b""
    if len(data) != size:
        raise WireError(f"body ended after {len(data)} of {size} bytes")
    return data


def _length(headers: Mapping[str, str]) -> int:
    text = headers.get("content-length", "0")
    if not text.isdigit():
        raise WireError(f"not a Content-Length: {text[:80]!r}")
    return int(text)


def _without(lines: tuple[bytes, ...], names: frozenset[str]) -> list[bytes]:
    return [line for line in lines if line.split(b":", 1)[0].strip().lower().decode("latin-1") not in names]

"""The loopback server in front of moto: hides threads, sockets and shutting down."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from agent.demo.recorder.wire import Request, Response, Upstream, WireError, answer, read_request

Serve = Callable[[Request, str, Upstream], Response]
"""Request, the client's address, the way to the upstream → the answer."""


class Proxy:
    """Serves every connection in its own thread until closed; connections stay open between requests."""

    def __init__(self, upstream: str, serve: Serve) -> None:
        """Bind a free loopback port. `upstream`: http://host:port. Raises ValueError for another form."""
        parts = urlsplit(upstream)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"the upstream must be http://host:port, not {upstream!r}")
        self._server = _Server((parts.hostname, parts.port or 80), serve)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="recorder", daemon=True
        )

    @property
    def endpoint(self) -> str:
        """What clients use as AWS_ENDPOINT_URL."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        """Start to accept connections."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, close every connection and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._server.hang_up()
        self._thread.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, upstream: tuple[str, int], serve: Serve) -> None:
        self.upstream = upstream
        self.serve = serve
        self._clients: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Connection)

    def keep(self, client: socket.socket) -> None:
        with self._lock:
            self._clients.add(client)

    def forget(self, client: socket.socket) -> None:
        with self._lock:
            self._clients.discard(client)

    def hang_up(self) -> None:
        """Wake the threads that wait for a client's next request."""
        with self._lock:
            clients = tuple(self._clients)
        for client in clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)


class _Connection(socketserver.StreamRequestHandler):
    server: _Server
    disable_nagle_algorithm = True

    def handle(self) -> None:
        upstream = Upstream(*self.server.upstream)
        self.server.keep(self.connection)
        try:
            while self._one(upstream):
                pass
        except (ConnectionError, ValueError):
            # The client hung up, or the server closed this connection under a blocked read.
            return
        finally:
            upstream.close()
            self.server.forget(self.connection)

    def _one(self, upstream: Upstream) -> bool:
        """Serve one request; whether the connection goes on."""
        try:
            request = read_request(self.rfile, self.wfile)
        except WireError as error:
            self.wfile.write(answer(400, str(error).encode(), {}).to_bytes())
            return False
        if request is None:
            return False
        try:
            response = self.server.serve(request, self.client_address[0], upstream)
        except (OSError, WireError) as error:
            response = answer(502, f"no answer from the server behind the recorder: {error}".encode(), {})
        self.wfile.write(response.to_bytes())
        return request.headers.get("connection", "").lower() != "close"

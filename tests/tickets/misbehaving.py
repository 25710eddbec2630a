"""A server that gives one answer to everything, and a bad one; or several, one after the other."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Answer:
    """What the misbehaving server says."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    pieces: int = 1
    """The body is sent in so many pieces …"""
    pause: float = 0.0
    """… with so many seconds before each."""
    hang_up: bool = False
    """Nothing is said: the connection is closed."""


@dataclass
class Misbehaving:
    """Where the server is, and what it was asked."""

    url: str
    asked: list[str] = field(default_factory=list)


@contextmanager
def misbehaving(*answers: Answer) -> Iterator[Misbehaving]:
    """Serve these answers, one to a request; the last one to all that follow."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = answers[min(len(said.asked), len(answers) - 1)]
            said.asked.append(f"{self.command} {self.path}")
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if answer.hang_up:
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            size = max(1, len(answer.body) // answer.pieces)
            try:
                for at in range(0, len(answer.body), size):
                    time.sleep(answer.pause)
                    self.wfile.write(answer.body[at : at + size])
                    self.wfile.flush()
            except OSError:
                return  # the client has had enough

        do_POST = do_PUT = do_GET  # noqa: N815 - the names http.server calls

        def log_message(self, *_: object) -> None:
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    said = Misbehaving(f"http://127.0.0.1:{server.server_port}/tk/")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield said
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""What the fakes of GitHub and GitLab share: a server in a thread that refuses strangers, throttles and hangs up."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Request:
    """What was asked."""

    method: str
    path: str
    params: Mapping[str, list[str]]
    sent: Any
    user: str
    base: str
    """Address of the server."""

    def param(self, name: str, default: str = "") -> str:
        """The first value of a parameter."""
        return self.params.get(name, [default])[0]


@dataclass
class Response:
    """What is answered: JSON, unless it is bytes."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class ForgeState:
    """What a fake forge has besides its tickets."""

    tokens: dict[str, str] = field(default_factory=lambda: {"token-of-driftwarden": "driftwarden"})
    asked: list[str] = field(default_factory=list)
    refuse: list[Response | None] = field(default_factory=list)
    """Answers to the next requests instead of the right ones; None for the right one."""
    hang_up: str = ""
    """`POST /path`: the next such request is carried out, and its connection dropped instead of answered."""
    now: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=30))
    last_id: int = 100

    def tick(self) -> str:
        """The time of the next act, a second after the last."""
        self.now += timedelta(seconds=1)
        return f"{self.now:%Y-%m-%dT%H:%M:%SZ}"

    def id(self) -> int:
        """A new id; they grow."""
        self.last_id += 1
        return self.last_id


Token = Callable[[Mapping[str, str]], str]
"""Headers → the token they hold."""


@contextmanager
def served(state: ForgeState, token: Token, answer: Callable[[Request], Response]) -> Iterator[str]:
    """Serve the fake; gives its address without a slash at the end."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # headers and body are two packets, and the second would wait for 40 ms

        def do_GET(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts = urlsplit(self.path)
            params: dict[str, list[str]] = {}
            for name, value in parse_qsl(parts.query, keep_blank_values=True):
                params.setdefault(name, []).append(value)
            with lock:
                state.asked.append(f"{self.command} {self.path}")
                refused = state.refuse.pop(0) if state.refuse else None
                user = state.tokens.get(token({name.lower(): value for name, value in self.headers.items()}), "")
                if not user:
                    refused = Response(401, {"message": "Bad credentials"})
                sent = json.loads(raw) if raw else None
                got = refused or answer(Request(self.command, parts.path, params, sent, user, base))
                if state.hang_up and f"{self.command} {self.path}".startswith(state.hang_up):
                    state.hang_up = ""
                    self.close_connection = True
                    return
            body = got.body if isinstance(got.body, bytes) else json.dumps(got.body).encode()
            self.send_response(got.status)
            for name, value in {"Content-Type": "application/json", **got.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PUT = do_PATCH = do_GET  # noqa: N815 - the names http.server calls

        def log_message(self, *_: object) -> None:
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    base = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield base
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def paged(request: Request, items: list[Any], path: str) -> Response:
    """One page of a list, and where the next is, as both forges say it: RFC 8288."""
    size, page = min(100, int(request.param("per_page", "20"))), int(request.param("page", "1"))
    headers = {}
    if len(items) > page * size:
        kept = [f"{name}={value}" for name, values in request.params.items() for value in values if name != "page"]
        query = "&".join([*kept, f"page={page + 1}"])
        headers = {"Link": f'<{request.base}{path}?{query}>; rel="next", <{request.base}{path}?page=9>; rel="last"'}
    return Response(200, items[(page - 1) * size : page * size], headers)


def unfenced(text: str) -> str:
    """What people see of a text of ours: without the hidden line and the fence."""
    shown = [line for line in text.split("\n") if not line.startswith("<!-- driftwarden ")]
    assert shown[0].startswith("```") and shown[-1] == shown[0].removesuffix("text"), shown
    return "\n".join(shown[1:-1])


def written(**fields: object) -> str:
    """A ticket's text with a `driftwarden` block."""
    said = {name: ", ".join(value) if isinstance(value, tuple) else value for name, value in fields.items()}
    block = "\r\n".join(f"{name}: {value}" for name, value in said.items() if value)
    return f"Please raise it.\r\n\r\n```driftwarden\r\n{block}\r\n```\r\n\r\nThanks!"

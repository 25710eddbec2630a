"""A server of the `http` backend's protocol, with its lock and basic authentication."""

import json
from base64 import b64encode

from fakes.server import Reply, Request


class HttpState:
    """Keeps one state for each path; `/lock/…` is the lock of `/state/…`."""

    def __init__(self, user: str, password: str) -> None:
        self.expected = "Basic " + b64encode(f"{user}:{password}".encode()).decode()
        self.states: dict[str, bytes] = {}
        self.locks: dict[str, bytes] = {}
        self.asked: list[str] = []

    def reply(self, request: Request) -> Reply:
        self.asked.append(f"{request.method} {request.target}")
        if request.headers.get("authorization") != self.expected:
            return (
                401 if "authorization" not in request.headers else 403,
                {},
                b"you said " + str(request.headers).encode(),
            )
        kind, _, name = request.path.lstrip("/").partition("/")
        match kind, request.method:
            case "state", "GET":
                data = self.states.get(name)
                return (
                    (404, {}, b"") if data is None else (200, {"Last-Modified": "Sat, 03 Jan 2026 10:00:00 GMT"}, data)
                )
            case "state", "POST":
                if name in self.locks and json.loads(self.locks[name])["ID"] != request.query.get("ID"):
                    return 409, {}, b""
                self.states[name] = request.body
                return 200, {}, b""
            case "lock", "LOCK":
                if name in self.locks:
                    return 423, {}, self.locks[name]
                self.locks[name] = request.body
                return 200, {}, b""
            case "lock", "UNLOCK":
                self.locks.pop(name, None)
                return 200, {}, b""
        return 405, {}, b""

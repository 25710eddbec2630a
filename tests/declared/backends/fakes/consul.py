"""Consul's key/value store as Terraform uses it: sessions, locks, transactions and blocking reads."""

import json
import threading
from base64 import b64decode, b64encode
from typing import Any
from uuid import uuid4

from fakes.server import Reply, Request

LONGEST = 512 * 1024
"""Bytes of a value, as Consul has it by default."""


class Consul:
    """One server, whose only token is `token`."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.keys: dict[str, dict[str, Any]] = {}
        self.sessions: set[str] = set()
        self.index = 10
        self.changed = threading.Condition()

    def put(self, key: str, value: bytes, **changes: Any) -> None:
        """Sets a key."""
        assert len(value) <= LONGEST
        with self.changed:
            self.index += 1
            entry = self.keys.setdefault(key, {"Key": key, "CreateIndex": self.index, "LockIndex": 0, "Flags": 0})
            entry |= {"Value": b64encode(value).decode(), "ModifyIndex": self.index, **changes}
            self.changed.notify_all()

    def remove(self, key: str) -> None:
        """Removes a key."""
        with self.changed:
            self.index += 1
            self.keys.pop(key, None)
            self.changed.notify_all()

    def reply(self, request: Request) -> Reply:
        if request.headers.get("x-consul-token") != self.token:
            return 403, {}, f"Permission denied: token {request.headers.get('x-consul-token')}".encode()
        if len(request.body) > LONGEST + 100_000:
            said = f"Request body({len(request.body)} bytes) too large, max size: {LONGEST} bytes."
            return 413, {}, said.encode()
        area, _, rest = request.path.removeprefix("/v1/").partition("/")
        match area, request.method:
            case "kv", "GET":
                return self.got(rest, request)
            case "kv", "PUT":
                return self.say(self.set(rest, request))
            case "kv", "DELETE":
                for key in [
                    each for each in self.keys if each == rest or ("recurse" in request.query and each.startswith(rest))
                ]:
                    self.remove(key)
                return self.say(True)
            case "session", "PUT":
                return self.session(rest)
            case "txn", "PUT":
                return self.say(
                    {"Results": [self.did(each["KV"]) for each in json.loads(request.body)], "Errors": None}
                )
        return 404, {}, b""

    def say(self, value: Any, status: int = 200) -> Reply:
        headers = {"Content-Type": "application/json", "X-Consul-Index": str(self.index)}
        return (
            status,
            headers | {"X-Consul-LastContact": "0", "X-Consul-KnownLeader": "true"},
            json.dumps(value).encode(),
        )

    def got(self, key: str, request: Request) -> Reply:
        seen = int(request.query.get("index") or 0)
        with self.changed:
            if seen:  # a blocking read: it lasts until the key changes, or as long as a test may take
                self.changed.wait_for(lambda: self.keys.get(key, {}).get("ModifyIndex", self.index) > seen, timeout=10)
            if "keys" in request.query:
                return self.say(sorted(each for each in self.keys if each.startswith(key)))
            return self.say([self.keys[key]]) if key in self.keys else self.say([], 404)

    def set(self, key: str, request: Request) -> bool:
        held = self.keys.get(key, {}).get("Session")
        if "acquire" in request.query:
            if held not in (None, request.query["acquire"]) or request.query["acquire"] not in self.sessions:
                return False
            flags = int(request.query.get("flags") or 0)
            self.put(key, request.body, Session=request.query["acquire"], LockIndex=1, Flags=flags)
            return True
        self.put(key, request.body)
        if held and request.query.get("release") == held:
            del self.keys[key]["Session"]
        return True

    def session(self, what: str) -> Reply:
        verb, _, id_ = what.partition("/")
        if verb == "create":
            id_ = str(uuid4())
            self.sessions.add(id_)
            return self.say({"ID": id_})
        if verb == "destroy":
            self.sessions.discard(id_)
            for key in [each for each, entry in self.keys.items() if entry.get("Session") == id_]:
                self.remove(key)
            return self.say(True)
        return self.say([{"ID": id_, "TTL": "15s"}])

    def did(self, step: dict[str, Any]) -> dict[str, Any]:
        key = step["Key"]
        if step["Verb"] in ("set", "cas"):
            assert step["Verb"] == "set" or step.get("Index", 0) == self.keys.get(key, {}).get("ModifyIndex", 0)
            self.put(key, b64decode(step.get("Value") or ""))
        elif step["Verb"] in ("delete", "delete-tree"):
            for each in [
                one for one in self.keys if one == key or (step["Verb"] == "delete-tree" and one.startswith(key))
            ]:
                self.remove(each)
        return {"KV": {name: value for name, value in self.keys.get(key, {}).items() if name != "Value"}}

"""A queue that keeps up: what `replayed` puts in SQS's place, as moto's own gives some twenty messages a second away.

`python one_queue.py` prints its URL and serves until it is killed. It speaks SQS's JSON protocol as far as the event
path and the driver use it: send, receive (with waiting), delete, change the visibility, ask for attributes.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import OrderedDict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Queue:
    """Messages in the order they came, and until when each is hidden."""

    def __init__(self) -> None:
        self._ready: OrderedDict[str, str] = OrderedDict()
        self._hidden: dict[str, tuple[float, str]] = {}
        self._changed = threading.Condition()
        self._number = 0

    def answer(self, action: str, asked: dict[str, Any]) -> dict[str, Any]:
        """What SQS would say."""
        with self._changed:
            match action:
                case "SendMessage":
                    return {
                        "MessageId": self._put(asked["MessageBody"]),
                        "MD5OfMessageBody": _md5(asked["MessageBody"]),
                    }
                case "SendMessageBatch":
                    sent = [(one["Id"], one["MessageBody"]) for one in asked["Entries"]]
                    told = [
                        {"Id": name, "MessageId": self._put(body), "MD5OfMessageBody": _md5(body)}
                        for name, body in sent
                    ]
                    return {"Successful": told, "Failed": []}
                case "ReceiveMessage":
                    return {"Messages": self._take(asked)}
                case "DeleteMessageBatch":
                    for one in asked["Entries"]:
                        self._hidden.pop(one["ReceiptHandle"], None)
                    return {"Successful": [{"Id": one["Id"]} for one in asked["Entries"]], "Failed": []}
                case "ChangeMessageVisibilityBatch":
                    for one in asked["Entries"]:
                        self._hide(one["ReceiptHandle"], one["VisibilityTimeout"])
                    return {"Successful": [{"Id": one["Id"]} for one in asked["Entries"]], "Failed": []}
                case "GetQueueAttributes":
                    return {"Attributes": {"ApproximateNumberOfMessages": str(len(self._ready))}}
        raise ValueError(f"{action} is nothing this queue can do")

    def _put(self, body: str) -> str:
        self._number += 1
        name = f"{self._number:032x}"
        self._ready[name] = body
        self._changed.notify_all()
        return name

    def _take(self, asked: dict[str, Any]) -> list[dict[str, str]]:
        until = time.monotonic() + asked.get("WaitTimeSeconds", 0)
        while True:
            now = time.monotonic()
            for name, (over, body) in list(self._hidden.items()):
                if over <= now:
                    del self._hidden[name]
                    self._ready[name] = body
            if self._ready or now >= until:
                break
            self._changed.wait(min(until - now, 1.0))
        found = []
        while self._ready and len(found) < asked.get("MaxNumberOfMessages", 1):
            name, body = self._ready.popitem(last=False)
            self._hidden[name] = (time.monotonic() + asked.get("VisibilityTimeout", 30), body)
            found.append({"MessageId": name, "ReceiptHandle": name, "Body": body, "MD5OfBody": _md5(body)})
        return found

    def _hide(self, name: str, seconds: int) -> None:
        if name in self._hidden:
            self._hidden[name] = (time.monotonic() + seconds, self._hidden[name][1])


def _md5(body: str) -> str:
    return hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    queue = Queue()

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        told = json.dumps(self.queue.answer(self.headers["X-Amz-Target"].partition(".")[2], asked)).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {len(told)}\r\n\r\n"
        self.wfile.write(head.encode() + told)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()

"""Refusals: what AWS answers a caller whom no policy allows the call. moto enforces none."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from uuid import uuid4
from xml.sax.saxutils import escape

from agent.demo.recorder.identity import Identity
from agent.demo.recorder.operation import CBOR, Operation
from agent.demo.recorder.wire import Response, answer


def matches(pattern: str, scope: str, name: str) -> bool:
    """Whether `service:Action`, which may have wildcards, names a call by its operation (for S3: its event)."""
    return fnmatchcase(f"{scope}:{name}", pattern)


def refuse(who: Identity, scope: str, name: str, operation: Operation | None) -> Response:
    """The error in the protocol the request used; S3's for a call without a model."""
    action = f"{scope}:{name}"
    why = f"because no identity-based policy allows the {action} action"
    message = f"User: {who.arn or who.principal_id} is not authorized to perform: {action} {why}"
    request_id = str(uuid4())
    protocol = operation.protocol if operation else "rest-xml"
    if protocol == "ec2":
        return _ec2(message, request_id)
    if protocol == "query":
        return _query(message, request_id)
    if protocol == "rest-xml":
        return _rest_xml(message, request_id)
    return _json(message, request_id, 403 if protocol == "rest-json" else 400, cbor=protocol == CBOR)


def _ec2(message: str, request_id: str) -> Response:
    text = f"You are not authorized to perform this operation. {message}"
    error = f"<Error><Code>UnauthorizedOperation</Code><Message>{escape(text)}</Message></Error>"
    body = f"<Response><Errors>{error}</Errors><RequestID>{request_id}</RequestID></Response>"
    return _xml(403, body, request_id)


def _query(message: str, request_id: str) -> Response:
    error = f"<Error><Type>Sender</Type><Code>AccessDenied</Code><Message>{escape(message)}</Message></Error>"
    body = f"<ErrorResponse>{error}<RequestId>{request_id}</RequestId></ErrorResponse>"
    return _xml(403, body, request_id)


def _rest_xml(message: str, request_id: str) -> Response:
    parts = f"<Code>AccessDenied</Code><Message>{escape(message)}</Message><RequestId>{request_id}</RequestId>"
    return _xml(403, f"<Error>{parts}</Error>", request_id)


def _xml(status: int, body: str, request_id: str) -> Response:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'
    return answer(status, text.encode(), {"Content-Type": "text/xml;charset=UTF-8", "x-amzn-RequestId": request_id})


def _json(message: str, request_id: str, status: int, *, cbor: bool) -> Response:
    fields = {"__type": "AccessDeniedException", "message": message}
    headers = {"x-amzn-ErrorType": "AccessDeniedException", "x-amzn-RequestId": request_id}
    if cbor:
        return answer(
            status, _map(fields), headers | {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
        )
    return answer(status, json.dumps(fields).encode(), headers | {"Content-Type": "application/json"})


def _map(fields: dict[str, str]) -> bytes:
    """A CBOR map of texts (RFC 8949: major type 5 of up to 23 pairs, major type 3 with a two-byte length)."""
    texts = [text.encode() for pair in fields.items() for text in pair]
    return bytes((0xA0 | len(fields),)) + b"".join(b"\x79" + len(text).to_bytes(2) + text for text in texts)

"""What crosses the socket: one request and one answer a connection, each a length and that many bytes of JSON.

Hides the spelling, and every bound on what a stranger sends: how large, how deep, of which types, and how long it may
take to arrive.
"""

from __future__ import annotations

import socket
import struct
import time
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from agent.clean import clean

VERSION = 1
MOST_ASKED = 1024 * 1024
"""Bytes of a request."""
MOST_ANSWERED = 32 * 1024 * 1024
"""Bytes of an answer: a report as HTML is large."""

_LENGTH = struct.Struct("!I")
_AT_ONCE = 64 * 1024

Parameter = str | bool | int | list[str]
T = TypeVar("T", bound=msgspec.Struct)


class FrameError(Exception):
    """What arrived is no frame of ours, or did not arrive in time; the message says why."""


class Signed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A statement somebody signed where their key is."""

    statement: dict[str, Any]
    signature: str


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One command, as it was typed. Nothing in it says who typed it."""

    operation: Annotated[str, Meta(max_length=60)]
    parameters: dict[str, Parameter] = {}
    estate: str = ""
    """The estate it is for, as the client's configuration calls it; empty: it has none."""
    columns: Annotated[int, Meta(ge=20, le=1000)] = 120
    """Width of the terminal."""
    colour: bool = False
    draft: bool = False
    """Only the statement is wanted, to be signed."""
    signed: Signed | None = None
    """The statement, in place of one that would be made of the parameters."""
    driftwarden: int = msgspec.field(default_factory=lambda: VERSION)
    """Version of the protocol."""


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the command said, as it would have on a terminal."""

    exit: int = 0
    stdout: str = ""
    stderr: str = ""
    draft: dict[str, Any] | None = None
    """The statement that is to be signed."""
    files: dict[str, str] = {}
    """Name → text of what the command wrote."""
    busy: bool = False
    """Nothing was done, since too much is being done: it may be asked again."""
    ask: str = ""
    """From the child to the daemon alone: what the daemon is to be asked for."""
    by: str = ""
    """From the child to the daemon alone: who asked, for the log."""
    nobody: bool = False
    """From the child to the daemon alone: the user is nobody here, whatever they ask for."""


class _Version(msgspec.Struct):
    driftwarden: int = 0


# Made while the module is loaded: two threads that decode a type for the first time at once break msgspec 0.22.
_DECODERS: dict[Any, Any] = {each: msgspec.json.Decoder(each) for each in (_Version, Request, Answer)}


def refusal(why: str, *, busy: bool = False) -> Answer:
    """An answer that says why nothing was done."""
    return Answer(exit=2, stderr=f"driftwarden: {why}\n", busy=busy)


def encoded(value: msgspec.Struct) -> bytes:
    """The JSON of a request or an answer. Raises FrameError for text that cannot be written down."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        raise FrameError("a text holds bytes that are no characters") from None


def request(data: bytes) -> Request:
    """A request out of its JSON. Raises FrameError."""
    asked = _decoded(data, _Version).driftwarden
    if asked != VERSION:
        raise FrameError(f"it speaks version {asked} of the protocol, and this daemon {VERSION}: use its driftwarden")
    found = _decoded(data, Request)
    for name, value in found.parameters.items():
        if any("\0" in one for one in (value if isinstance(value, list) else [str(value)])):
            raise FrameError(f"the parameter {clean(name, 60)} holds a NUL")
    return found


def answer(data: bytes) -> Answer:
    """An answer out of its JSON. Raises FrameError."""
    return _decoded(data, Answer)


def send(connection: socket.socket, data: bytes, seconds: float) -> None:
    """Sends one frame within a time. Raises FrameError where the peer does not take it."""
    until = time.monotonic() + seconds
    rest = memoryview(_LENGTH.pack(len(data)) + data)
    try:
        while rest:
            connection.settimeout(max(until - time.monotonic(), 0.001))
            rest = rest[connection.send(rest[:_AT_ONCE]) :]
    except OSError as error:
        raise FrameError(f"it was not taken: {error.strerror or error}") from None


def receive(connection: socket.socket, most: int, seconds: float) -> bytes:
    """One frame of at most so many bytes, all of which arrive within the time. Raises FrameError."""
    until = time.monotonic() + seconds
    (length,) = _LENGTH.unpack(_exactly(connection, _LENGTH.size, until))
    if length > most:
        raise FrameError(f"it says that {length:,} bytes follow, and {most:,} is the most")
    return _exactly(connection, length, until)


def _exactly(connection: socket.socket, length: int, until: float) -> bytes:
    got = bytearray()
    while len(got) < length:
        left = until - time.monotonic()
        if left <= 0:
            raise FrameError(f"{len(got):,} of {length:,} bytes arrived in time")
        connection.settimeout(left)
        try:
            data = connection.recv(min(length - len(got), _AT_ONCE))
        except TimeoutError:
            continue
        except OSError as error:
            raise FrameError(f"the connection broke: {error.strerror or error}") from None
        if not data:
            raise FrameError(f"it ended after {len(got):,} of {length:,} bytes")
        got += data
    return bytes(got)


def _decoded(data: bytes, kind: type[T]) -> T:
    try:
        found: T = _DECODERS[kind].decode(data)
        return found
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise FrameError(f"it is nothing this driftwarden understands: {clean(error, 200)}") from None

"""The client's end of the socket: which daemon, and one command asked of it.

Hides where the socket is looked for without reading a secret, that a busy daemon is asked again, and that an answer is
a stranger's text too: nothing in it steers the terminal.
"""

from __future__ import annotations

import contextlib
import re
import socket
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

from agent.clean import clean
from agent.config import environment
from agent.control.frames import MOST_ANSWERED, Answer, FrameError, Request, answer, encoded, receive, send

USUAL = Path("/run/driftwarden/control.sock")
"""Where a daemon listens that is looked for without a configuration."""
VARIABLE = "DRIFTWARDEN_SOCKET"
NONE = "none"
"""In place of a path: no daemon is asked."""

_PATIENCE = 60.0  # seconds for a daemon that is busy
_ANSWERS = 180.0  # seconds for an answer: longer than the daemon lets a child wait and work
_SGR = re.compile(r"(\x1b\[[0-9;]{0,20}m|[\n\t])")


class Unreached(Exception):  # noqa: N818 - it is where no daemon is, and often none should be
    """No daemon answers at a socket; the message says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a daemon would listen."""

    path: Path | None
    """None: nowhere."""
    named: bool = False
    """Somebody asked for this one: another way is none."""
    estate: str = ""
    """What the configuration that was found calls the estate."""
    reports: Path = Path("reports")
    """Where that configuration has reports written."""


def place(asked: str | None, config: Path) -> Place:
    """The daemon's socket: as asked for (`--socket`), by `DRIFTWARDEN_SOCKET`, by `[daemon] socket` of the
    configuration, else where there is none to read the usual one. References to secrets in the file are not followed.
    """
    found = _configured(config)
    named = asked or environment().get(VARIABLE, "")
    if named == NONE:
        return Place(None)
    if named:
        return Place(Path(named), True, found.estate if found else "", found.reports if found else Path("reports"))
    return found or Place(USUAL)


def ask(path: Path, request: Request) -> Answer:
    """One command, one answer; while the daemon is busy it is asked again. Raises Unreached before anything was asked,
    FrameError after that."""
    data = encoded(request)
    until = time.monotonic() + _PATIENCE
    pause = 0.1
    while True:
        given = _asked(path, data)
        if not given.busy or time.monotonic() > until:
            return given
        time.sleep(pause)
        pause = min(pause * 2, 2.0)


def harmless(text: str, *, colour: bool) -> str:
    """An answer's text with nothing in it that a terminal would obey, but colours where they are wanted."""
    parts = _SGR.split(text)
    kept = (
        part if number % 2 == 0 and part.isascii() and part.isprintable() else _part(part, number % 2 == 1, colour)
        for number, part in enumerate(parts)
    )
    return "".join(kept)


def _part(part: str, steers: bool, colour: bool) -> str:
    if not steers:
        return clean(part, len(part))
    return part if colour or part in "\n\t" else ""


def _asked(path: Path, data: bytes) -> Answer:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(10.0)
        try:
            connection.connect(str(path))
        except FileNotFoundError:
            raise Unreached(f"{path}: no socket is there") from None
        except OSError as error:
            raise Unreached(f"{path}: {error.strerror or error}") from None
        with contextlib.suppress(FrameError):  # refused before it was read: the answer says why
            send(connection, data, 30.0)
        return answer(receive(connection, MOST_ANSWERED, _ANSWERS))


def _configured(config: Path) -> Place | None:
    """What a configuration says of it; None where there is none that we may read. What is wrong with one is told by
    whoever loads it."""
    try:
        found = tomllib.loads(config.read_text(encoding="utf-8"))
    except (FileNotFoundError, PermissionError):
        return None
    except (OSError, ValueError):
        return Place(None)
    named = _at(found, "daemon", "socket", "driftwarden.sock")
    folder = config.parent
    return Place(
        folder / named if named else None,
        estate=_at(found, "estate", "name", "estate"),
        reports=folder / _at(found, "report", "dir", "reports"),
    )


def _at(tree: dict[str, object], table: str, key: str, default: str) -> str:
    part = tree.get(table, {})
    value = part.get(key, default) if isinstance(part, dict) else default
    return value if isinstance(value, str) else default

"""The daemon's log: one JSON object a line on stderr, with time, level, event, and the job, run and stack it is about.

Hides structlog, the priorities that journald reads before a line, and that text of others is made harmless.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO, cast

import structlog

from agent.clean import clean

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING}
_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""Of syslog: https://www.freedesktop.org/software/systemd/man/sd-daemon.html"""

log: structlog.typing.FilteringBoundLogger = structlog.get_logger("driftwarden")
"""What the daemon's modules log with: `log.info("event", job=…)`."""


def configure(level: str, variables: Mapping[str, str], stream: TextIO | None = None) -> None:
    """Logs from `level` on (`debug`, `info`, `warning`) to stderr; libraries and threads that die are logged too."""
    sink = stream or sys.stderr
    lines = _Lines(sink)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            _in_order,
            lines.told,
            structlog.processors.JSONRenderer(ensure_ascii=False),
            _Prefix(_is_journal(sink, variables)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, lines)),
        cache_logger_on_first_use=False,
    )
    logging.root.handlers = [_Library()]
    logging.root.setLevel(logging.WARNING)
    threading.excepthook = _thread_failed


def failure(error: BaseException) -> dict[str, str]:
    """An exception as fields: its kind, what it says, and the line of ours it came from."""
    place, trace = "", error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        place = f"{Path(code.co_filename).name}:{trace.tb_lineno} {code.co_name}"
        trace = trace.tb_next
    return {"error": type(error).__name__, "said": str(error), "at_line": place}


def _in_order(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Time, level and event first, for eyes; every text on one line."""
    level, name = event.pop("level"), event.pop("event")
    said = {key: _plain(value) for key, value in event.items() if value not in (None, "")}
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"ts": now, "level": level, "event": clean(name), **said}


def _plain(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        return value
    return value.isoformat() if isinstance(value, datetime) else clean(value)


class _Lines:
    """Where lines go. One that cannot be written (the log's disk is full, its reader is gone) is counted, and whoever
    logs goes on; the next one that can tells how many were lost.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lost = 0
        self._torn = False
        """The last line was begun, and not ended."""

    def told(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """The event, with how many were lost before it."""
        return {**event, "lines_lost": self._lost} if self._lost else event

    def write(self, line: str) -> int:
        """Writes a line."""
        try:
            if not self._whole(("\n" if self._torn else "") + line):
                self._lost += 1
                return 0
        except (OSError, ValueError):  # ValueError: the stream was closed
            self._lost += 1
            return 0
        self._lost, self._torn = 0, False
        return len(line)

    def flush(self) -> None:
        """Nothing waits."""

    def _whole(self, text: str) -> bool:
        try:
            handle = self._stream.fileno()
        except (OSError, ValueError):  # no file, or closed
            self._stream.write(text)
            self._stream.flush()
            return True
        left = text.encode("utf-8", "backslashreplace")
        while left:
            try:
                written = os.write(handle, left)
            except OSError:
                return False
            left = left[written:]
            self._torn = bool(left)
        return True


class _Prefix:
    """journald reads `<4>` before a line as its priority."""

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted

    def __call__(self, _logger: Any, method: str, line: Any) -> str:
        return f"<{_PRIORITIES.get(method, 6)}>{line}" if self._wanted else str(line)


class _Library(logging.Handler):
    """What libraries log."""

    def emit(self, record: logging.LogRecord) -> None:
        log.warning("library", library=record.name, said=record.getMessage())


def _thread_failed(arguments: threading.ExceptHookArgs) -> None:
    name = arguments.thread.name if arguments.thread else ""
    log.error("thread failed", thread=name, **failure(arguments.exc_value or arguments.exc_type()))


def _is_journal(stream: TextIO, variables: Mapping[str, str]) -> bool:
    """Whether the stream is the one that systemd says leads to the journal."""
    device, _, inode = variables.get("JOURNAL_STREAM", "").partition(":")
    try:
        there = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return (device, inode) == (str(there.st_dev), str(there.st_ino))

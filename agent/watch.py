"""Scanning again and again in the foreground: on a schedule, and when the files of a stack change.

Hides watchdog's bursts (an editor's save or a `git pull` is one change, and files that never settle are scanned all the
same), and that somebody may set the clock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from agent.config import Config, Stack, duration, load

SETTLE = 2.0  # seconds without a further change until the files count as settled
LONGEST_BURST = 15.0  # seconds after which files that never settle are scanned all the same
_SUFFIXES = (".tf", ".json", ".tfvars", ".tfstate", ".tftpl", ".tpl", ".hcl", ".tfbackend", ".toml", ".yaml")


def keep_scanning(
    config: Path,
    every: str,
    scan: Callable[[], int],
    stop: threading.Event | None = None,
    settle: float = SETTLE,
    longest: float = LONGEST_BURST,
) -> int:
    """Scans now, then `every` (`15m`, `6h`) and after each change of the stacks, rules and tickets; gives the count.

    Runs until `stop` is set or the user interrupts. Scans never overlap: what falls due during one follows it at once.
    Raises ConfigError for the configuration and ValueError for `every`.
    """
    interval = duration(every)
    if not interval:
        raise ValueError(f"'{every}' is no time to wait; write for example 15m or 6h")
    due = threading.Event()
    due.set()
    stop = stop or threading.Event()
    period = interval.total_seconds()
    next_at = time.monotonic() + period
    observer = Observer()
    changes = _Changes(due)
    for folder in watched(config):
        observer.schedule(changes, str(folder), recursive=True)
    observer.start()
    scans = 0
    try:
        while not stop.is_set():
            if not due.wait(timeout=0.2) and time.monotonic() < next_at:
                continue
            changes.wait_until_quiet(settle, longest, stop)
            if stop.is_set():
                break
            due.clear()
            if (late := time.monotonic() - next_at) >= 0:
                next_at += period * (late // period + 1)
            scan()
            scans += 1
    except KeyboardInterrupt:
        pass
    finally:
        observer.stop()
        observer.join()
    return scans


def watched(config: Path) -> tuple[Path, ...]:
    """Folders whose files matter to a scan, those that exist. Raises ConfigError."""
    loaded = load(config)
    rules = (loaded.path(name).resolve() for name in loaded.rules.dirs)
    folders = (*code_folders(loaded), *rules, *ticket_folders(loaded))
    return tuple(dict.fromkeys(folder for folder in folders if folder.is_dir()))


def code_folders(config: Config) -> tuple[Path, ...]:
    """The folders on this machine that stacks are in, and those of the local modules they call; there or not."""
    return tuple(dict.fromkeys(folder for stack in config.stack for folder in _code_of(config, stack)))


def ticket_folders(config: Config) -> tuple[Path, ...]:
    """The folder of the register of tickets, if there is one."""
    register = config.tickets.systems.get("register")
    return (config.path(register.path).resolve(),) if register else ()


def matters(path: str) -> bool:
    """Whether a file in such a folder is one that a scan reads. Our own tickets are written by a scan: they must not
    cause the next one.
    """
    return path.endswith(_SUFFIXES) and not Path(path).name.startswith("DW-")


def _code_of(config: Config, stack: Stack) -> Iterator[Path]:
    """The folder of a stack on this machine, and those of the local modules its code calls, wherever they lie."""
    from agent.declared.git_address import is_git
    from agent.declared.modules import module_folders

    if stack.repo or is_git(stack.dir):
        return
    root = config.path(stack.dir).resolve()
    yield root
    for folder in module_folders(root):
        if not folder.is_relative_to(root):
            yield folder


class _Changes(FileSystemEventHandler):
    """Makes a scan due, and remembers when the last change was, by the monotonic clock."""

    def __init__(self, due: threading.Event) -> None:
        self._due = due
        self._last: float | None = None

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in ("opened", "closed_no_write") or event.is_directory:
            return
        names = (str(event.src_path), str(event.dest_path))
        if any(map(matters, names)):
            self._last = time.monotonic()
            self._due.set()

    def wait_until_quiet(self, settle: float, longest: float, stop: threading.Event) -> None:
        began = time.monotonic()
        while self._last is not None and (now := time.monotonic()) - self._last < settle and now - began < longest:
            if stop.wait(0.05):
                return

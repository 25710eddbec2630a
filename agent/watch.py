"""Scanning again and again in the foreground: on a schedule, and when the files of a stack change.

Hides APScheduler's defaults, which skip late runs silently, and watchdog's bursts: an editor's save or a `git pull` is
one change.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger
from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from agent.config import Config, Stack, duration, load

SETTLE = 2.0  # seconds without a further change until the files count as settled
_SUFFIXES = (".tf", ".json", ".tfvars", ".tfstate", ".tftpl", ".tpl", ".hcl", ".tfbackend", ".toml", ".yaml")


def keep_scanning(
    config: Path, every: str, scan: Callable[[], int], stop: threading.Event | None = None, settle: float = SETTLE
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
    scheduler = BackgroundScheduler(timezone=UTC)
    # misfire_grace_time defaults to 1 s and skips what is later: https://github.com/agronholm/apscheduler/issues/292
    scheduler.add_job(
        due.set, IntervalTrigger(seconds=int(interval.total_seconds())), misfire_grace_time=None, coalesce=True
    )
    observer = Observer()
    changes = _Changes(due)
    for folder in watched(config):
        observer.schedule(changes, str(folder), recursive=True)
    scheduler.start()
    observer.start()
    scans = 0
    try:
        while not stop.is_set():
            if not due.wait(timeout=0.2):
                continue
            changes.wait_until_quiet(settle, stop)
            if stop.is_set():
                break
            due.clear()
            scan()
            scans += 1
    except KeyboardInterrupt:
        pass
    finally:
        observer.stop()
        scheduler.shutdown(wait=False)
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
    """Makes a scan due, and remembers when the last change was."""

    def __init__(self, due: threading.Event) -> None:
        self._due = due
        self._last: datetime | None = None

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in ("opened", "closed_no_write") or event.is_directory:
            return
        names = (str(event.src_path), str(event.dest_path))
        if any(map(matters, names)):
            self._last = datetime.now(UTC)
            self._due.set()

    def wait_until_quiet(self, settle: float, stop: threading.Event) -> None:
        while self._last and (datetime.now(UTC) - self._last).total_seconds() < settle:
            if stop.wait(0.05):
                return

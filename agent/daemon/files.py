"""Which files changed: the configuration and what belongs to it, the code of stacks, the register of tickets.

Hides watchdog and the kernel's limits. An event only says where to look: whether anything is different says a
fingerprint, so that a link that is turned, a folder that is made anew and a save without a change are told apart.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch

from agent.daemon.given import Given
from agent.daemon.limits import Limits
from agent.daemon.log import log
from agent.watch import matters

Kind = Literal["policy", "code", "tickets"]
_Kind = Literal[Kind, "refused"]
_POLICY: frozenset[_Kind] = frozenset({"policy", "refused"})

_MOST_WATCHES = 32
"""Each costs watchdog two threads; what is beyond is looked at from time to time."""
_MOST_FILES = 50_000
_LARGEST = 4_000_000
_LONGEST_BURST = 15.0
"""Seconds after which files that never settle are looked at all the same."""
_SHARE = 200
"""A look at files that took a second is not repeated for so many."""
_CHANGES: list[type[FileSystemEvent]] = [
    *(FileCreatedEvent, FileModifiedEvent, FileMovedEvent, FileDeletedEvent),
    *(DirCreatedEvent, DirMovedEvent, DirDeletedEvent),
]
"""That a file is read is no change, and telling of it would fill the kernel's queue."""
_SKIPPED = frozenset({".git", "providers", "node_modules", "__pycache__"})
"""Folders of code in which nothing is read: `.terraform/providers` holds binaries."""


@dataclass(slots=True)
class _Watched:
    """One kind of files."""

    roots: tuple[Path, ...]
    print: str
    heard: float = 0.0
    """When an event came that was not looked at yet, by the monotonic clock; 0: none."""
    first: float = 0.0
    looked: float = 0.0
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class _Watch:
    """A folder that the kernel tells of."""

    watch: ObservedWatch
    identity: tuple[int, int]
    kinds: frozenset[_Kind]


class Files:
    """Watches what was given. Not for several threads, except that events come in by others."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._observer: BaseObserver = Observer()
        self._observer.start()
        self._kinds: dict[_Kind, _Watched] = {}
        self._watches: dict[Path, _Watch] = {}
        self._ours: tuple[Path, ...] = ()
        self._noted: dict[tuple[Path, ...], str] = {}
        self._in_force = ""
        self._lock = threading.Lock()
        self._checked = 0.0
        self.polled = ""
        """Why files are looked at from time to time only; empty: the kernel tells of each change."""

    def note(self) -> None:
        """What the configuration and what belongs to it hold is looked at now; what changes from here on is new."""
        policies = {watched.roots for kind, watched in self._kinds.items() if kind in _POLICY}
        self._noted = {roots: _content(roots) for roots in policies}

    def watch(self, given: Given) -> bool:
        """From now on these files, which were looked at when `note` was called.

        Gives whether the configuration, or what belongs to it, is different from what was in force before.
        """
        self._ours = given.ours
        self._set({"policy": given.policy, "code": given.code, "tickets": given.tickets})
        policy = self._kinds["policy"]
        noted = self._noted.get(policy.roots, policy.print)
        changed, self._in_force = noted != self._in_force, noted
        if self._noted:
            self._look_again_if_changed("policy")
        self._rewatch()
        return changed

    def watch_refused(self, policy: tuple[Path, ...]) -> None:
        """From now on these as well, besides what is in force: what a refused configuration names, and is put right in
        one of them. None where that is not known. They were looked at when `note` was called.
        """
        roots: dict[_Kind, tuple[Path, ...]] = {kind: watched.roots for kind, watched in self._kinds.items()}
        known = roots.pop("refused", ())
        if policy and policy != roots["policy"]:
            roots["refused"] = policy
        self._set(roots)
        if roots.get("refused", known) != known:
            self._look_again_if_changed("refused")
        self._rewatch()

    def _set(self, roots: Mapping[_Kind, tuple[Path, ...]]) -> None:
        with self._lock:
            same = {kind: known for kind, known in self._kinds.items() if known.roots == roots.get(kind)}
            self._kinds = {kind: same.get(kind) or _Watched(found, "") for kind, found in roots.items()}
        for kind, watched in self._kinds.items():
            if kind not in same:
                self._take_print(kind, watched)

    def _look_again_if_changed(self, kind: _Kind) -> None:
        """It is told once more where it changed since `note`, or that is not known."""
        watched = self._kinds[kind]
        if self._noted.get(watched.roots) != _content(watched.roots):
            watched.print = ""
            self._heard((kind,))

    def changed(self) -> tuple[Kind, ...]:
        """What is different from when it was told last, and has settled. To be asked every second or so."""
        now = time.monotonic()
        if now - self._checked > self._limits.look:
            self._checked = now
            self._rewatch()
        changed = [kind for kind, watched in self._kinds.items() if self._is_changed(kind, watched, now)]
        return tuple(dict.fromkeys("policy" if kind == "refused" else kind for kind in changed))

    def stop(self) -> None:
        """Watches nothing any more."""
        self._observer.stop()
        self._observer.join(5)

    def _is_changed(self, kind: _Kind, watched: _Watched, now: float) -> bool:
        with self._lock:
            settled = watched.heard and (
                now - watched.heard >= self._limits.settle or now - watched.first >= _LONGEST_BURST
            )
            every = self._limits.look if self.polled else self._limits.recheck
            if not settled and (watched.heard or now - watched.looked < max(every, watched.cost * _SHARE)):
                return False
            watched.heard = watched.first = 0.0
        before = watched.print
        self._take_print(kind, watched)
        return watched.print != before

    def _take_print(self, kind: _Kind, watched: _Watched) -> None:
        began = time.monotonic()
        watched.print = _content(watched.roots) if kind in _POLICY else _outside(watched.roots, self._ours)
        watched.looked = time.monotonic()
        watched.cost = watched.looked - began

    def _heard(self, kinds: Iterable[_Kind]) -> None:
        now = time.monotonic()
        with self._lock:
            for kind in kinds:
                if watched := self._kinds.get(kind):
                    watched.heard = now
                    watched.first = watched.first or now

    def _rewatch(self) -> None:
        """Watches folders that came, or became others under the same name, and no more those that went."""
        wanted = self._wanted()
        for root, old in list(self._watches.items()):
            if _identity(root) != old.identity or wanted.get(root) != old.kinds:
                del self._watches[root]
                self._observer.unschedule(old.watch)
                self._heard(old.kinds)
        why = ""
        for root, kinds in wanted.items():
            identity = _identity(root)
            if root in self._watches or identity is None:
                continue
            if len(self._watches) >= _MOST_WATCHES:
                why = f"more than {_MOST_WATCHES} folders"
                break
            told = _Told(partial(self._heard, kinds), kinds, self._ours, self._names)
            try:
                where = str(root.resolve())
                watch = self._observer.schedule(told, where, recursive=bool(kinds - _POLICY), event_filter=_CHANGES)
            except FileNotFoundError:
                continue
            except OSError as error:
                why = f"{root}: {error.strerror}; fs.inotify.max_user_watches and max_user_instances may be too small"
            else:
                self._watches[root] = _Watch(watch, identity, kinds)
                self._heard(kinds)
        if why != self.polled:
            self.polled = why
            log.warning("files are looked at from time to time", why=why) if why else log.info("files are watched")

    def _names(self) -> frozenset[str]:
        """Of files that are configured one by one: they may be called anything."""
        with self._lock:
            roots = [root for kind in _POLICY if kind in self._kinds for root in self._kinds[kind].roots]
        return frozenset(root.name for root in roots if not root.is_dir())

    def _wanted(self) -> dict[Path, frozenset[_Kind]]:
        """Folder → what its files are. A file is watched by its folder: editors put a new one in its place."""
        found: dict[Path, set[_Kind]] = {}
        for kind, watched in self._kinds.items():
            for root in watched.roots:
                folder = root.parent if root.is_file() or root.suffix else root
                found.setdefault(folder, set()).add(kind)
        return {folder: frozenset(kinds) for folder, kinds in found.items()}


class _Told(FileSystemEventHandler):
    """Notes that something happened that may matter."""

    def __init__(
        self,
        heard: Callable[[], None],
        kinds: frozenset[_Kind],
        ours: tuple[Path, ...],
        names: Callable[[], frozenset[str]],
    ) -> None:
        self._heard = heard
        self._names = names
        self._is_policy = bool(kinds & _POLICY)
        self._ours = tuple(f"{folder}/" for folder in ours)

    def on_any_event(self, event: FileSystemEvent) -> None:
        """What we write ourselves is no change."""
        names = [name for name in (str(event.src_path), str(event.dest_path)) if name]
        if all(name.startswith(self._ours) for name in names):
            return
        if event.is_directory or any(map(matters, names)) or (self._is_policy and any(map(self._of_policy, names))):
            self._heard()

    def _of_policy(self, name: str) -> bool:
        """Also a link such as `..data`, which Kubernetes turns to a new folder of files."""
        file = os.path.basename(name)  # noqa: PTH119 - for each event, and names need not be valid
        return file.endswith(".yml") or file.startswith("..") or "." not in file or file in self._names()


def _identity(root: Path) -> tuple[int, int] | None:
    """Which folder it is now; None: there is none."""
    try:
        there = root.stat()
    except OSError:
        return None
    return there.st_dev, there.st_ino


def _content(roots: Iterable[Path]) -> str:
    """Of files and of the YAML files of folders: what they say."""
    digest = hashlib.sha256()
    for root in roots:
        try:
            files = sorted(root.iterdir()) if root.is_dir() else [root]
        except OSError:
            files = []
        for file in files:
            if file == root or file.suffix in (".yaml", ".yml"):
                digest.update(f"{file}\0".encode("utf-8", "surrogateescape"))
                digest.update(_read(file))
    return digest.hexdigest()


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return hashlib.sha256(stream.read(_LARGEST)).digest()
    except OSError:
        return b"unread"


def _outside(roots: Iterable[Path], ours: Iterable[Path]) -> str:
    """Of code and tickets: which files there are, how long they are, and when they were written."""
    digest = hashlib.sha256()
    skipped = {str(folder) for folder in ours}
    for number, line in enumerate(_listed([str(root) for root in roots], skipped)):
        if number >= _MOST_FILES:
            break
        digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _listed(folders: list[str], skipped: set[str]) -> Iterator[str]:
    waiting = folders[::-1]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError:
            yield f"{folder}\0gone\0"
            continue
        for entry in entries:
            try:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in _SKIPPED and entry.path not in skipped:
                        waiting.append(entry.path)
                elif matters(entry.name):
                    there = entry.stat()
                    yield f"{entry.path}\0{there.st_size}\0{there.st_mtime_ns}\0"
            except OSError:
                continue

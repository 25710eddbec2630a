"""What a folder of YAML files held when it was last looked at, so that what did not change is not read again.

Hides how a change is told: by a file's time and size. One that was written just now may be written again within the
same tick of the clock, and is read again.
"""

from __future__ import annotations

import os
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from agent.tickets import document

_T = TypeVar("_T")
_JUST_NOW = 2_000_000_000  # ns: longer than the ticks of any file system's clock
_AGAIN = 5.0  # seconds after which files that stand where they stood are looked at again
_SOON = 0.5  # seconds after which a folder that was written just now is listed again: its clock may not have ticked
_NAME = re.compile(r"(?:F-)?[0-9a-f]{12,}")
"""Keys of cases and ids of findings."""

Stamp = tuple[int, int, int]


def stamp(file: Path) -> Stamp | None:
    """What tells two contents of a file apart; None where it was written just now. Raises OSError."""
    found = file.stat()
    if time.time_ns() - found.st_mtime_ns < _JUST_NOW:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


@dataclass(slots=True)
class Kept(Generic[_T]):
    """What each file was read as."""

    _known: dict[Path, tuple[Stamp, _T]] = field(default_factory=dict)

    def of(self, file: Path, read: Callable[[], _T]) -> _T:
        """As it was read last, or as it is read now. Raises what `read` does."""
        try:
            now = stamp(file)
        except OSError:
            now = None
        known = self._known.get(file)
        if known is not None and now is not None and known[0] == now:
            return known[1]
        found = read()
        self._known.pop(file, None)
        if now is not None:
            self._known[file] = now, found
        return found


@dataclass(slots=True)
class Mentions:
    """Which case files mention which cases and findings."""

    directory: Path
    _at: int | None = None
    """Time of the folder when it was listed."""
    _listed: float = 0.0
    _looked: float = 0.0
    _names: dict[str, tuple[Stamp | None, frozenset[str]]] = field(default_factory=dict)
    _by: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def of(self, names: Iterable[str]) -> list[Path] | None:
        """Files that may mention one of these; None: names of another form, so that any file may.

        Raises OSError and DocumentError.
        """
        wanted = list(names)
        if not all(_NAME.fullmatch(name) for name in wanted):
            return None
        self._refresh()
        found = {file for name in wanted for file in self._by.get(name, ())}
        return [self.directory / name for name in sorted(found)]

    def made(self, name: str, text: str, before: int) -> None:
        """A file was made by us: the folder need not be listed for it. `before`: the folder's `time` until then."""
        if before == self._at:
            self._take(name, None, text)
            self._at = self.time()

    def time(self) -> int:
        """Of the folder, which changes with every file in it. Raises OSError."""
        return self.directory.stat().st_mtime_ns

    def _refresh(self) -> None:
        if not self.directory.exists():
            self._at, self._names, self._by = None, {}, defaultdict(set)
            return
        at, now = self.time(), time.monotonic()
        everything = now - self._looked >= _AGAIN
        ticked = time.time_ns() - at > _JUST_NOW or now - self._listed < _SOON
        if at == self._at and ticked and not everything:
            return
        listed = {one.name for one in os.scandir(self.directory) if _is_case(one.name)}
        for name in self._names.keys() - listed:
            self._drop(name)
        for name in listed if everything else listed - self._names.keys():
            self._read(name)
        # A file made while the folder was listed is found by the next look.
        self._at, self._listed = at, now
        self._looked = now if everything else self._looked

    def _read(self, name: str) -> None:
        file = self.directory / name
        now, known = stamp(file), self._names.get(name)
        if known is not None and now is not None and known[0] == now:
            return
        self._take(name, now, document.text(file))

    def _take(self, name: str, now: Stamp | None, text: str) -> None:
        mentioned = frozenset(_NAME.findall(text))
        self._drop(name)
        self._names[name] = now, mentioned
        for one in mentioned:
            self._by[one].add(name)

    def _drop(self, name: str) -> None:
        for one in self._names.pop(name, (None, frozenset[str]()))[1]:
            self._by[one].discard(name)
            if not self._by[one]:
                del self._by[one]


def _is_case(name: str) -> bool:
    return name.endswith((".yaml", ".yml")) and not name.startswith(".")

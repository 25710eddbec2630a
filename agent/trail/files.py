"""Local CloudTrail files: one file, or a folder searched for `.json`, `.jsonl` and their `.gz`.

Hides which names are log files, and which of them were read before and have not grown since. Symbolic links inside the
folder are followed to files, not to folders.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from pathlib import Path

from agent.model import Gap
from agent.trail.batch import Batch, instant, shortened
from agent.trail.source import EVERYWHERE, MAX_BYTES, Blob, Checkpoint, Delivery, Feed, Window

_ENDINGS = (".json", ".jsonl", ".json.gz", ".jsonl.gz")
_NOT_LOGS = ("CloudTrail-Digest", "CloudTrail-Insight")
_REMEMBERED = 20_000
"""Files known to be read. Of more, some are read again each time: that costs time and changes nothing."""
_VERSION = 1


def feed(path: Path) -> Feed:
    """Every log file at `path` or, where it is a folder, below it, folder by folder; the interval filters nothing."""

    def deliveries(window: Window) -> Iterator[Delivery]:
        position = _Position.of(window.checkpoints.get(""), window.start)
        batch = Batch()
        denied: list[OSError] = []
        found = False
        for file in _log_files(path, denied):
            found = True
            read = _read(file, str(file.relative_to(path)), position)
            if read is None:
                continue
            if batch.is_full or batch.again != read.again:
                yield batch.deliver(position.checkpoint())
                batch.again = read.again
            batch.add(read.found)
            position.took(read.digest)
        if not found and not denied:
            batch.add(_gap(f"{path}: no CloudTrail file here; expected names ending in {', '.join(_ENDINGS)}"))
        for error in denied:
            batch.add(_gap(f"{error.filename}: {error.strerror}"))
        if not denied:
            position.finish()
        yield batch.deliver(position.checkpoint())

    return Feed(str(path), deliveries)


@dataclass(slots=True)
class _Position:
    """Which files were read, as they were then."""

    since: datetime
    """Start of the longest interval that they were read for."""
    start: datetime
    """Of the interval now: where it is earlier, all are read once more."""
    known: dict[str, None] = field(default_factory=dict)
    seen: dict[str, None] = field(default_factory=dict)
    """Those that are still there, and new ones."""

    @classmethod
    def of(cls, checkpoint: Checkpoint | None, start: datetime) -> _Position:
        """From a checkpoint; nothing is known where there is none."""
        if checkpoint is None or checkpoint.get("version") != _VERSION:
            return cls(start, start)
        since, read = instant(checkpoint.get("since")), checkpoint.get("read")
        if since is None or not isinstance(read, list | tuple):
            return cls(start, start)
        return cls(since, start, {one: None for one in read if isinstance(one, str)})

    def took(self, digest: str) -> None:
        """A file was handed on; empty: it was not."""
        if digest and len(self.seen) < _REMEMBERED:
            self.seen[digest] = None

    def finish(self) -> None:
        """All files that are there were met."""
        self.known = {}
        self.since = min(self.since, self.start)

    def checkpoint(self) -> Checkpoint:
        """To go on from here."""
        read = list({**self.seen, **self.known})[:_REMEMBERED]
        return {"version": _VERSION, "since": self.since.isoformat(), "read": read}


def _log_files(path: Path, denied: list[OSError]) -> Iterator[Path]:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        denied.append(error)
        return
    if not stat.S_ISDIR(mode):
        yield path
        return
    for folder, folders, files in os.walk(path, onerror=denied.append):
        folders[:] = sorted(name for name in folders if name not in _NOT_LOGS)
        yield from (Path(folder) / name for name in sorted(files) if name.endswith(_ENDINGS))


@dataclass(frozen=True, slots=True)
class _Read:
    found: Blob | Gap
    digest: str = ""
    """Of the file as it is; empty where it is to be tried again."""
    again: bool = False
    """It was read before as it is."""


def _read(file: Path, name: str, position: _Position) -> _Read | None:
    """None for a file that was read before and need not be again."""
    try:
        # Not to wait for the other end where it is a pipe.
        with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as opened:
            found = os.fstat(opened.fileno())
            if not stat.S_ISREG(found.st_mode):
                return _Read(_gap(f"{file}: no regular file, not read"))
            digest = _digest(name, found)
            again = digest in position.known
            if again and position.start >= position.since:
                position.took(digest)
                return None
            data = opened.read(MAX_BYTES + 1) if found.st_size <= MAX_BYTES else b""
    except OSError as error:
        return _Read(_gap(f"{file}: {error.strerror}"))
    size = max(found.st_size, len(data))
    if size > MAX_BYTES:
        why = f"{file}: {size >> 20} MB, more than the {MAX_BYTES >> 20} MB a file may have; split it"
        return _Read(_gap(why))
    return _Read(Blob(str(file), data), digest, again)


def _digest(name: str, found: os.stat_result) -> str:
    said = f"{name}\0{found.st_size}\0{found.st_mtime_ns}".encode("utf-8", "surrogateescape")
    return blake2b(said, digest_size=8).hexdigest()


def _gap(why: str) -> Gap:
    return Gap(EVERYWHERE, shortened(why))

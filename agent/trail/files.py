"""Local CloudTrail files: one file, or a folder searched for `.json`, `.jsonl` and their `.gz`.

Hides which names are log files. Symbolic links inside the folder are followed to files, not to folders.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from agent.model import Gap
from agent.trail.source import EVERYWHERE, MAX_BYTES, Blob, Source

_ENDINGS = (".json", ".jsonl", ".json.gz", ".jsonl.gz")
_NOT_LOGS = ("CloudTrail-Digest", "CloudTrail-Insight")


def source(path: Path) -> Source:
    """Every log file at `path` or, where it is a folder, below it, in name order; the interval filters nothing."""

    def blobs(_start: datetime, _end: datetime) -> Iterator[Blob | Gap]:
        denied: list[OSError] = []
        found = [path] if path.is_file() else _log_files(path, denied)
        if not found and not denied:
            yield _gap(f"{path}: no CloudTrail file here; expected names ending in {', '.join(_ENDINGS)}")
        for error in denied:
            yield _gap(f"{error.filename}: {error.strerror}")
        for file in found:
            yield _read(file)

    return blobs


def _log_files(path: Path, denied: list[OSError]) -> list[Path]:
    found = []
    for folder, folders, files in os.walk(path, onerror=denied.append):
        folders[:] = [name for name in folders if name not in _NOT_LOGS]
        found += [Path(folder) / name for name in files if name.endswith(_ENDINGS)]
    return sorted(found)


def _read(file: Path) -> Blob | Gap:
    try:
        size = file.stat().st_size
        if size > MAX_BYTES:
            return _gap(f"{file}: {size >> 20} MB, more than the {MAX_BYTES >> 20} MB a file may have; split it")
        return Blob(str(file), file.read_bytes())
    except OSError as error:
        return _gap(f"{file}: {error.strerror}")


def _gap(why: str) -> Gap:
    return Gap(EVERYWHERE, why)

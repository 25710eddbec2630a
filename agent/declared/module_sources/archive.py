"""An archive from anywhere, unpacked below one folder.

Hides tar's and zip's ways out of it, and that a small archive may hold an endless file.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, cast

from agent.declared.confined import ConfinedError, link, make, name, write
from agent.declared.module_sources.address import SourceError

MAX_FILES = 20_000
MAX_BYTES = 200_000_000
"""Of everything in an archive, unpacked."""
_SLACK = 64_000_000  # tar's own heads and padding
_LONGEST_LINK = 4096


class _Bounded:
    """A stream that ends in an error where too much comes out of it."""

    def __init__(self, stream: IO[bytes], left: int) -> None:
        self.stream = stream
        self.left = left

    def read(self, size: int = -1) -> bytes:
        data = self.stream.read(min(size, 1 << 20) if size >= 0 else 1 << 20)
        self.left -= len(data)
        if self.left < 0:
            raise SourceError(f"the archive unpacks into more than {MAX_BYTES:,} bytes")
        return data


def _xz(file: IO[bytes]) -> IO[bytes]:
    return cast(IO[bytes], lzma.LZMAFile(file))


def _bz2(file: IO[bytes]) -> IO[bytes]:
    return cast(IO[bytes], bz2.BZ2File(file))


def _gzip(file: IO[bytes]) -> IO[bytes]:
    return cast(IO[bytes], gzip.GzipFile(fileobj=file))


_STREAMS: Mapping[str, Callable[[IO[bytes]], IO[bytes]]] = {
    **{"tar": lambda file: file, "tar.gz": _gzip, "tgz": _gzip},
    **{"tar.bz2": _bz2, "tbz2": _bz2, "tar.xz": _xz, "txz": _xz},
}
_BROKEN = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError),
    *(NotImplementedError, OSError, RuntimeError, ValueError, OverflowError),  # zip's, for what it does not know
)


def unpack(packed: Path, kind: str, folder: Path) -> None:
    """Writes an archive's files below an empty folder. Raises `SourceError`, with nothing written outside of it."""
    try:
        with packed.open("rb") as file:
            if kind == "zip":
                _unzip(file, folder)
            else:
                _untar(_STREAMS[kind](file), folder)
    except ConfinedError as error:
        raise SourceError(f"the archive is refused: {error}") from None
    except _BROKEN as error:
        raise SourceError(f"the archive cannot be unpacked: {type(error).__name__}") from None


def _untar(stream: IO[bytes], folder: Path) -> None:
    links: list[tuple[PurePosixPath, str]] = []
    with tarfile.open(fileobj=cast(IO[bytes], _Bounded(stream, MAX_BYTES + _SLACK)), mode="r|") as tar:
        for number, entry in enumerate(tar):
            _count(number)
            if entry.type in (tarfile.XGLTYPE, tarfile.XHDTYPE) or entry.name.strip("./") == "":
                continue
            path = name(entry.name)
            if entry.isdir():
                make(folder / path)
            elif entry.issym():
                links.append((path, entry.linkname[:_LONGEST_LINK]))
            elif entry.isreg():
                content = tar.extractfile(entry)
                assert content is not None
                write(folder / path, content)
            else:
                raise ConfinedError("it holds a hard link or a device")
    link(folder, links)


def _unzip(file: IO[bytes], folder: Path) -> None:
    links: list[tuple[PurePosixPath, str]] = []
    left = MAX_BYTES
    with zipfile.ZipFile(file) as archive:
        for number, entry in enumerate(archive.infolist()):
            _count(number)
            path, mode = name(entry.filename), entry.external_attr >> 16
            if entry.is_dir():
                make(folder / path)
                continue
            with archive.open(entry) as content:
                if stat.S_ISLNK(mode):
                    links.append((path, content.read(_LONGEST_LINK).decode("utf-8", "surrogateescape")))
                    continue
                bounded = _Bounded(content, left)
                write(folder / path, cast(IO[bytes], bounded))
                left = bounded.left
    link(folder, links)


def _count(number: int) -> None:
    if number >= MAX_FILES:
        raise SourceError(f"the archive holds more than {MAX_FILES:,} files")

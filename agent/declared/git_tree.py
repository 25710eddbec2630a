"""A commit's files, written below one folder.

Hides git's object stream, and that a checkout would obey what the repository says: attributes, filters, line ends.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from agent.declared.confined import ConfinedError, link, name, write
from agent.declared.git import GitError, Limits, end, run_git, start

LARGEST = 32 * 1024 * 1024
"""Bytes of a file that is laid out; nothing that evaluates configuration reads a larger one."""
_LINK, _FILES = "120000", ("100644", "100755", "100664")
_LONGEST_LINK = 4096


@dataclass(frozen=True, slots=True)
class _Entry:
    mode: str
    id: str
    size: int
    path: PurePosixPath


def lay_out(repository: Path, commit: str, folder: Path, limits: Limits) -> None:
    """Writes the files of a commit into an empty folder, bytes as committed.

    Raises `GitError` for too many files, too many bytes, or a path that leads elsewhere.
    """
    try:
        _lay_out(repository, commit, folder, limits)
    except ConfinedError as error:
        raise GitError(str(error)) from None


def _lay_out(repository: Path, commit: str, folder: Path, limits: Limits) -> None:
    entries = list(_entries(repository, commit, limits))
    wanted = [entry for entry in entries if entry.mode in _FILES and entry.size <= LARGEST]
    links = [entry for entry in entries if entry.mode == _LINK and entry.size <= _LONGEST_LINK]
    if len(entries) > limits.files:
        raise GitError(f"it has {len(entries):,} files: at most {limits.files:,} are laid out")
    if (total := sum(entry.size for entry in wanted)) > limits.bytes:
        raise GitError(f"its files have {total:,} bytes: at most {limits.bytes:,} are laid out")
    with _contents(repository, [*wanted, *links]) as stream:
        for entry in wanted:
            write(folder / entry.path, _content(stream, entry))
        targets = [(entry.path, _content(stream, entry).decode("utf-8", "surrogateescape")) for entry in links]
    link(folder, targets)


def _entries(repository: Path, commit: str, limits: Limits) -> Iterator[_Entry]:
    """Everything in the commit's tree but submodules, which are repositories of their own."""
    listed = run_git(repository, ["ls-tree", "-r", "-z", "-l", "--full-tree", commit], limits=limits)
    for line in filter(None, listed.split(b"\0")):
        told, _, path = line.partition(b"\t")
        mode, kind, digest, size = told.decode("ascii").split()
        if kind == "blob":
            yield _Entry(mode, digest, int(size), name(path.decode("utf-8", "surrogateescape")))


@contextlib.contextmanager
def _contents(repository: Path, entries: list[_Entry]) -> Iterator[IO[bytes]]:
    """git's answers, one after the other, in the order of the entries."""
    with tempfile.TemporaryFile() as asked:
        asked.write(b"".join(f"{entry.id}\n".encode() for entry in entries))
        asked.seek(0)
        process = start(repository, ["cat-file", "--batch", "--buffer"], stdin=asked.fileno())
        assert process.stdout is not None
        try:
            yield process.stdout
        finally:
            process.stdout.close()
            end(process)


def _content(stream: IO[bytes], entry: _Entry) -> bytes:
    head = stream.readline(200).split()
    if head != [entry.id.encode(), b"blob", str(entry.size).encode()]:
        raise GitError("its clone is damaged: delete the cache")
    content = stream.read(entry.size)
    if len(content) != entry.size or stream.read(1) != b"\n":
        raise GitError("its clone is damaged: delete the cache")
    return content

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
    """Writes the files of a commit into an empty folder: bytes as committed, links last and only those that stay in it.

    Raises `GitError` for too many files, too many bytes, or a path that leads elsewhere.
    """
    entries = list(_entries(repository, commit))
    wanted = [entry for entry in entries if entry.mode in _FILES and entry.size <= LARGEST]
    links = [entry for entry in entries if entry.mode == _LINK and entry.size <= _LONGEST_LINK]
    if len(entries) > limits.files:
        raise GitError(f"it has {len(entries):,} files: at most {limits.files:,} are laid out")
    if (total := sum(entry.size for entry in wanted)) > limits.bytes:
        raise GitError(f"its files have {total:,} bytes: at most {limits.bytes:,} are laid out")
    with _contents(repository, [*wanted, *links]) as stream:
        for entry in wanted:
            _write(folder / entry.path, _content(stream, entry))
        targets = [(folder / entry.path, _content(stream, entry)) for entry in links]
    for link, _ in targets:  # all before the first link, which none of them may lead through
        _make(link.parent)
    for link, target in targets:
        _link(link, target)
    _without_links_out(folder, [link for link, _ in targets])


def _entries(repository: Path, commit: str) -> Iterator[_Entry]:
    """Everything in the commit's tree but submodules, which are repositories of their own."""
    listed = run_git(repository, ["ls-tree", "-r", "-z", "-l", "--full-tree", commit])
    for line in filter(None, listed.split(b"\0")):
        told, _, name = line.partition(b"\t")
        mode, kind, digest, size = told.decode("ascii").split()
        path = PurePosixPath(name.decode("utf-8", "surrogateescape"))
        if path.is_absolute() or not path.parts or {"..", ".git"} & {part.lower() for part in path.parts}:
            raise GitError("it holds a path that leads out of it")
        if kind == "blob":
            yield _Entry(mode, digest, int(size), path)


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


def _write(path: Path, content: bytes) -> None:
    """A new file; no link exists yet that could lead it elsewhere."""
    _make(path.parent)
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        raise GitError("it holds two files of one name") from None


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise GitError("it holds a file and a folder of one name") from None


def _link(path: Path, target: bytes) -> None:
    try:
        path.symlink_to(target.decode("utf-8", "surrogateescape"))
    except (FileExistsError, FileNotFoundError, ValueError):
        raise GitError("it holds two files of one name, or a link to none") from None


def _without_links_out(folder: Path, links: list[Path]) -> None:
    """Takes away links that lead out of the folder, by whatever way; what refers to them finds no file."""
    top = folder.resolve()
    for link in links:
        try:
            inside = link.resolve().is_relative_to(top)
        except (OSError, RuntimeError):  # a circle
            inside = False
        if not inside:
            link.unlink(missing_ok=True)

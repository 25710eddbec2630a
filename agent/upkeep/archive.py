"""A backup as one file: a tar of the store, the install keys, and a manifest that says what must be in them.

Hides how it is written so that it is whole or not there, and that what is read was bounded and held against its digests
before anybody uses it.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from agent.store import Head, StoreError

STORE = "store.db"
KEYS = "install.key"
FORM = "backup/1"

_MANIFEST = "manifest.json"
_LONGEST_MANIFEST = 64 * 1024
_PIECE = 1024 * 1024
_DRAFT = "backup.tar"
_WORK = re.compile(r"\.driftwarden-[a-z0-9_]{8}")
_OURS = re.compile(
    rf"{re.escape(STORE)}(\.version-[0-9]+(\.partial)?)?(-journal|-wal|-shm)?"
    rf"|{re.escape(STORE)}\.(turn|lock|line)|{re.escape(KEYS)}|{re.escape(_DRAFT)}"
)
"""All that a work folder ever holds; a store of an older schema is copied before it is brought up."""


class UpkeepError(StoreError):
    """What was asked for cannot be done; the message says why, and what would be right. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself."""

    made_at: datetime
    estate: str
    version: str
    """Of the driftwarden that made it."""
    schema: int
    head: Head
    """Where its ledger ends."""
    members: Mapping[str, tuple[int, str]]
    """Name → bytes and SHA-256."""


@contextmanager
def work_folder(folder: Path) -> Iterator[Path]:
    """A folder for our use alone inside another, mode 0700, that is gone at the end. Raises OSError.

    What those left behind who were killed is taken away: a lock tells them from those who still work.
    """
    for left in folder.iterdir():
        if _WORK.fullmatch(left.name):
            _swept(left)
    with tempfile.TemporaryDirectory(prefix=".driftwarden-", dir=folder) as work:
        handle = os.open(work, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield Path(work)
        finally:
            os.close(handle)


def _swept(left: Path) -> None:
    with suppress(OSError):  # another's, or gone by now
        handle = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if all(_OURS.fullmatch(one.name) for one in left.iterdir()):
                shutil.rmtree(left)
        finally:
            os.close(handle)


def write(work: Path, target: Path, manifest: Manifest, files: Mapping[str, Path]) -> None:
    """Writes a backup, readable by its owner alone; `work`: a folder of ours beside it. Raises OSError."""
    draft = work / _DRAFT
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), "wb") as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
            _add(tar, _MANIFEST, io.BytesIO(_spelled(manifest)), manifest.made_at)
            for name, path in sorted(files.items()):
                with path.open("rb") as member:
                    _add(tar, name, member, manifest.made_at)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(target)
    synced(target.parent)


class _Once(io.FileIO):
    """A file, and the digest of what was read of it."""

    def __init__(self, file: Path) -> None:
        super().__init__(file)
        self._found = hashlib.sha256()

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(size) or b""
        self._found.update(piece)
        return piece

    def digest(self) -> str:
        """Of all of it."""
        while self.read(_PIECE):
            pass
        return self._found.hexdigest()


def read(file: Path, folder: Path) -> tuple[Manifest, str]:
    """Takes a backup apart into a folder, its members under their names; gives its SHA-256 too.

    The file is read once: that is the digest of what was taken, whatever others make of the file meanwhile. Raises
    UpkeepError for what is not as its manifest says, or no backup.
    """
    try:
        with _Once(file) as once:
            with tarfile.open(fileobj=once, mode="r|") as tar:
                manifest = _manifest(tar, file)
                while member := tar.next():
                    if member.name not in manifest.members or not member.isreg():
                        raise UpkeepError(f"{file}: holds {member.name[:100]!r}, which its manifest does not name")
                    _taken(tar, member, manifest.members[member.name], folder / member.name, file)
            sha256 = once.digest()
    except (tarfile.TarError, EOFError) as error:
        raise UpkeepError(f"{file}: no backup of driftwarden, or only a part of one: {error}") from None
    except OSError as error:
        raise UpkeepError(f"{file}: {error.strerror or error}") from None
    missing = [name for name in manifest.members if not (folder / name).exists()]
    if missing:
        raise UpkeepError(f"{file}: lacks {', '.join(missing)}, which its manifest names: use another backup")
    return manifest, sha256


def digest_of(file: Path) -> str:
    """SHA-256 of a file. Raises UpkeepError."""
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise UpkeepError(f"{file}: {error.strerror}") from None


def described(file: Path) -> tuple[int, str]:
    """Bytes and SHA-256 of a file, as a manifest has them."""
    return file.stat().st_size, digest_of(file)


def synced(path: Path) -> None:
    """A file, or the names in a folder, are on the disk. Raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def owned_as(path: Path, like: Path) -> None:
    """What root makes for another user belongs to that user. Raises OSError."""
    if os.geteuid() == 0:
        owner = like.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


@contextmanager
def on_disk(what: str) -> Iterator[None]:
    """What the system refuses comes out as UpkeepError: `what` could not be done."""
    try:
        yield
    except OSError as error:
        name = f" {error.filename}" if error.filename else ""
        raise UpkeepError(f"{what}:{name} {error.strerror or error}; nothing was changed") from None


def _add(tar: tarfile.TarFile, name: str, content: IO[bytes], at: datetime) -> None:
    """Owner and times are no matter: equal content is an equal file."""
    member = tarfile.TarInfo(name)
    member.size = content.seek(0, os.SEEK_END)
    content.seek(0)
    member.mode, member.mtime = 0o600, int(at.timestamp())
    tar.addfile(member, content)


def _spelled(manifest: Manifest) -> bytes:
    said = {
        "driftwarden": FORM,
        "made_at": manifest.made_at.isoformat(),
        "estate": manifest.estate,
        "version": manifest.version,
        "schema": manifest.schema,
        "head": {"seq": manifest.head.seq, "hash": manifest.head.hash},
        "members": {name: {"bytes": size, "sha256": sha256} for name, (size, sha256) in manifest.members.items()},
    }
    return json.dumps(said, sort_keys=True, indent=2).encode() + b"\n"


def _manifest(tar: tarfile.TarFile, file: Path) -> Manifest:
    first = tar.next()
    content = tar.extractfile(first) if first and first.isreg() and first.name == _MANIFEST else None
    if first is None or content is None or first.size > _LONGEST_MANIFEST:
        raise UpkeepError(f"{file}: no backup of driftwarden: a manifest comes first in one")
    try:
        said: dict[str, Any] = json.loads(content.read(_LONGEST_MANIFEST))
        if said["driftwarden"] != FORM:
            raise UpkeepError(f"{file}: is {said['driftwarden']!r}, and this driftwarden reads {FORM}: use a newer one")
        members = {name: (int(one["bytes"]), str(one["sha256"])) for name, one in said["members"].items()}
        if not set(members) <= {STORE, KEYS}:
            raise UpkeepError(f"{file}: its manifest names what no backup holds")
        return Manifest(
            datetime.fromisoformat(said["made_at"]),
            str(said["estate"]),
            str(said["version"]),
            int(said["schema"]),
            Head(int(said["head"]["seq"]), str(said["head"]["hash"])),
            members,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UpkeepError(f"{file}: its manifest cannot be read: {type(error).__name__}") from None


def _taken(tar: tarfile.TarFile, member: tarfile.TarInfo, expected: tuple[int, str], target: Path, file: Path) -> None:
    content = tar.extractfile(member)
    found = hashlib.sha256()
    if content is None or member.size != expected[0]:
        raise UpkeepError(f"{file}: {member.name} has {member.size:,} bytes, its manifest says {expected[0]:,}")
    with os.fdopen(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), "wb") as out:
        while piece := content.read(_PIECE):
            found.update(piece)
            out.write(piece)
    if found.hexdigest() != expected[1]:
        raise UpkeepError(f"{file}: {member.name} is not what was backed up (SHA-256 differs): use another backup")

"""The install keys: the file they stand in, made on first use, and rotated by putting a new one first.

Hides the file's two forms. One key is its 32 bytes, as it ever was. Several are a text: a line that says so, and each
key in hexadecimal, the newest first (`agent.seal.RING`).
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from sqlalchemy import select

from agent.config import ConfigError
from agent.seal import ring, ring_text
from agent.store import Store, schema
from agent.upkeep.archive import owned_as, synced

KEY_BYTES = 32


def install_key(path: Path) -> bytes:
    """The keys that seal sensitive values, as `agent.seal` takes them; made on first use, readable by us alone.

    Raises ConfigError.
    """
    try:
        if not path.exists():
            _made(path)
        key = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    _checked(key, path)
    return key


def ring_of(path: Path) -> tuple[bytes, ...]:
    """The keys of a file that must be there, newest first. Raises ConfigError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; it holds the install keys: restore it from a backup") from None
    return _checked(content, path)


def is_unused(store: Store) -> bool:
    """Whether the store is so new that nothing in it can be sealed: no scan was begun, and nothing of a trail read.

    Raises StoreError.
    """
    with store.database.read() as connection:
        tables = (schema.scans, schema.trail_entries)
        return not any(connection.execute(select(table.c[0]).limit(1)).first() for table in tables)


def rotate(path: Path) -> int:
    """Puts a new key before those that are there; gives how many there are now. Raises ConfigError."""
    keys = (os.urandom(KEY_BYTES), *ring_of(path))
    put(path, keys)
    return len(keys)


def merged(path: Path, others: tuple[bytes, ...]) -> int:
    """Adds keys of a backup behind those of the file, which is made where there is none; gives how many are new.

    Raises ConfigError.
    """
    mine = ring_of(path) if path.exists() else ()
    new = tuple(one for one in others if one not in mine)
    if new:
        put(path, (*mine, *new))
    return len(new)


def put(path: Path, keys: tuple[bytes, ...]) -> None:
    """Writes the file, whole or not at all. Raises ConfigError."""
    try:
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(ring_text(keys))
                file.flush()
                os.fsync(file.fileno())
            owned_as(Path(draft), path if path.exists() else path.parent)
            Path(draft).replace(path)
            synced(path.parent)
        finally:
            Path(draft).unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None


def _made(path: Path) -> None:
    """Whole or not at all, and never over another scan's."""
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(os.urandom(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())  # what it seals is on the disk at once
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        synced(path.parent)
    finally:
        Path(draft).unlink()


def _checked(content: bytes, path: Path) -> tuple[bytes, ...]:
    try:
        keys = ring(content)
    except ValueError as error:
        raise ConfigError(f"{path}: not an install key: {error}") from None
    if len(keys[0]) < KEY_BYTES:
        raise ConfigError(f"{path}: not an install key: {len(keys[0])} bytes instead of {KEY_BYTES}")
    return keys

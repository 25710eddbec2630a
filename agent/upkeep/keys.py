"""The install keys: the file they stand in, made on first use, rotated by putting a new one first, and known again.

Hides the file's two forms. One key is its 32 bytes, as it ever was. Several are a text: a line that says so, and each
key in hexadecimal, the newest first (`agent.seal.RING`). And hides that the store knows its newest key by a
fingerprint: under another one everything sealed would differ, and nothing would say why.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import tempfile
from datetime import datetime
from pathlib import Path

from sqlalchemy import select

from agent.config import Config, ConfigError
from agent.seal import ring, ring_text
from agent.store import Store, StoreError, connect, schema
from agent.store.declarations import Setting
from agent.upkeep.archive import owned_as, synced

KEY_BYTES = 32
NAME = "install.key"
"""Setting: the fingerprint of the key that new values of the store are sealed under."""
_LOST = "docs/operations.md#the-install-key-is-lost"


def key_of(config: Config) -> bytes:
    """The keys of the configuration's store, as `agent.seal` takes them; made where nothing is sealed in it yet.

    Raises ConfigError and StoreError.
    """
    path = config.path(config.store.key)
    if not path.exists():
        with connect(config.store_url()) as store:
            if not is_unused(store):
                ring_of(path)
    return install_key(path)


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
        why = f"{path}: {error.strerror}; it holds the install keys: put it back from a backup: {_LOST}"
        raise ConfigError(why) from None
    return _checked(content, path)


def is_unused(store: Store) -> bool:
    """Whether the store is so new that nothing in it can be sealed: no scan was begun, and nothing of a trail read.

    Raises StoreError.
    """
    with store.database.read() as connection:
        tables = (schema.scans, schema.trail_entries)
        return not any(connection.execute(select(table.c[0]).limit(1)).first() for table in tables)


def belongs(store: Store, keys: tuple[bytes, ...], path: Path, now: datetime | None = None) -> None:
    """Sees that the keys of the file, newest first, have the one that the store's values are sealed under by now; with
    `now` it is the newest of them from then on, and the ledger tells of one that takes the place of another.

    A store that knows of none yet, or in which nothing is sealed, takes any. Raises ConfigError and StoreError.
    """
    last = store.settings.last(NAME)
    if missing := _missing(store, last, keys):
        raise ConfigError(
            f"{path}: has not the key {missing} that this store's sensitive values are sealed under: all of them would "
            f"differ. Put the file back from a backup or another machine: {_LOST}"
        )
    if now is None:
        return
    newest = fingerprint(keys[0])
    if last is not None and last.body == newest:
        return
    event = "key.rotated", {"keys": len(keys), "newest": newest}
    if not store.settings.replace(NAME, last, newest, now, () if last is None else (event,)):
        belongs(store, keys, path, now)  # another process was first: a rotation, perhaps


def strange(store: Store, keys: tuple[bytes, ...]) -> str:
    """The fingerprint of the key that is in force for the store, if it is none of these; empty: all is well."""
    return _missing(store, store.settings.last(NAME), keys)


def _missing(store: Store, last: Setting | None, keys: tuple[bytes, ...]) -> str:
    if last is None or last.body in map(fingerprint, keys) or is_unused(store):
        return ""
    return last.body


def fingerprint(key: bytes) -> str:
    """What tells one key from others, and nothing else of it."""
    return hmac.new(key, b"driftwarden install key", hashlib.sha256).hexdigest()[:16]


def rotate(store: Store, path: Path, now: datetime, *, lost: bool = False) -> int:
    """Puts a new key before those that are there, and tells the ledger; gives how many there are now.

    The key of the store's values must be among them; with `lost` it must not, and a file that holds no keys is put
    aside. Raises ConfigError and StoreError.
    """
    before = _left(path, now) if lost else ring_of(path)
    if not lost:
        belongs(store, before, path)
    elif before and store.settings.last(NAME) is not None and not strange(store, before):
        raise ConfigError(f"{path}: the key of this store's values is there: leave --lost out")
    keys = (os.urandom(KEY_BYTES), *before)
    put(path, keys)
    newest = fingerprint(keys[0])
    event = "key.lost" if lost else "key.rotated", {"keys": len(keys), "newest": newest}
    try:
        store.settings.keep(NAME, newest, now, [event])
    except StoreError as error:
        after = "type this again" if lost else "the next scan tells the ledger"
        raise StoreError(f"{path} has a new key, and the store does not know yet ({after}): {error}") from error
    return len(keys)


def _left(path: Path, now: datetime) -> tuple[bytes, ...]:
    """The keys of a file that may be gone, or hold none: then it is kept under another name. Raises ConfigError."""
    try:
        content = path.read_bytes()
        with contextlib.suppress(ConfigError):
            return _checked(content, path)
        path.rename(path.with_name(f"{path.name}.damaged-{now:%Y%m%dT%H%M%S}"))
    except FileNotFoundError:
        pass
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    return ()


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
        raise ConfigError(f"{path}: not an install key: {error}; see {_LOST}") from None
    if len(keys[0]) < KEY_BYTES:
        raise ConfigError(f"{path}: not an install key: {len(keys[0])} bytes instead of {KEY_BYTES}; see {_LOST}")
    return keys

"""Copies of the store and its keys, made while others write.

Hides how SQLite is copied as it was at one moment. A PostgreSQL server has its own means, which are named.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from agent import __version__
from agent.config import Config
from agent.store import Head, Store, StoreError
from agent.upkeep import archive
from agent.upkeep.archive import KEYS, STORE, Manifest, UpkeepError, on_disk
from agent.upkeep.keys import belongs, install_key, is_unused, ring_of

_MOMENT = r"([0-9]{8}T[0-9]{6}Z)(?:-([0-9]+))?\.tar"


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was made."""

    file: Path
    bytes: int
    sha256: str
    """Of the whole file: what two people accept before it is restored."""
    head: Head
    """Where its ledger ends: write it down elsewhere, it proves later that nothing was cut off."""
    removed: tuple[Path, ...] = ()
    """Older ones that are not kept any longer."""


def backup(
    config: Config, store: Store, *, folder: Path | None = None, keys: bool = True, now: datetime | None = None
) -> Backup:
    """Makes a backup in `folder` (None: `[backup] dir`, where only the newest `[backup] keep` stay).

    Writers go on meanwhile, except for the time it takes to copy the file. The keys of a store that holds nothing yet
    are made for it. Raises UpkeepError, ConfigError for keys that are lost or none, and StoreError for a store that is
    damaged; no older backup is removed then.
    """
    source = store.database.file
    if source is None:
        raise UpkeepError(_on_server(store.database.name))
    if folder is None and not config.backup.dir:
        raise UpkeepError('there is no folder for backups: set dir = "…" in [backup], or say --to FOLDER')
    target = folder or config.path(config.backup.dir)
    at = (now or datetime.now(UTC)).replace(microsecond=0)
    with on_disk("no backup was made"):
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        with archive.work_folder(target) as work:
            copy = work / STORE
            schema, head = copied(source, copy)
            files = {STORE: copy}
            if keys:
                files[KEYS] = _key_file(config.path(config.store.key), store)
            members = {name: archive.described(path) for name, path in files.items()}
            file = _free(target, config.estate.name, at)
            archive.write(work, file, Manifest(at, config.estate.name, __version__, schema, head, members), files)
        made = archive.described(file)
        return Backup(file, *made, head, () if folder else _thinned(file, config, at))


def _key_file(path: Path, store: Store) -> Path:
    """Raises ConfigError where it is lost: new keys in its place would look as if it were not."""
    if is_unused(store):
        install_key(path)
    else:
        belongs(store, ring_of(path), path)
    return path


def copied(source: Path, target: Path) -> tuple[int, Head]:
    """Copies a SQLite store as it is at one moment; gives its schema's version and where its ledger ends.

    Raises StoreError: it cannot be read, the disk is full, or the copy is damaged, and so is what it was made of.
    """
    try:
        with closing(sqlite3.connect(source, timeout=30)) as old, closing(sqlite3.connect(target)) as new:
            # All pages in one go: between two goes a writer would make it begin anew.
            old.backup(new)
            new.execute("PRAGMA journal_mode = delete")
            wrong = [row[0] for row in new.execute("PRAGMA integrity_check(3)") if row[0] != "ok"]
            if wrong:
                raise UpkeepError(f"store {source} is damaged: {wrong[0].splitlines()[0]}; restore an older backup")
            (schema,) = new.execute("SELECT version FROM driftwarden").fetchone()
            last = new.execute("SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1").fetchone()
    except sqlite3.Error as error:
        raise StoreError(f"store {source} cannot be copied to {target.parent}: {error}; nothing was changed") from None
    archive.synced(target)
    return schema, Head(*last) if last else Head()


def _on_server(name: str) -> str:
    return (
        f"store {name} is on a PostgreSQL server: back it up with `pg_dump --format=custom --file=driftwarden.dump "
        f"'{name}'` and copy the key file beside it; `driftwarden db verify` looks at what was restored"
    )


def _stem(estate: str) -> str:
    """How the names of an estate's backups begin; those of two estates differ."""
    name = re.sub(r"[^A-Za-z0-9_.]+", "-", estate).strip("-.")[:60] or "estate"
    # Two that are spelled alike in a file's name keep their backups in one folder.
    alike = "" if name == estate else f"-{hashlib.sha256(estate.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
    return f"driftwarden-{name}{alike}-"


def _moment(at: datetime) -> str:
    """As a name has it; of two the later is the greater."""
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _free(folder: Path, estate: str, at: datetime) -> Path:
    stem = f"{_stem(estate)}{_moment(at)}"
    file, number = folder / f"{stem}.tar", 0
    while file.exists():
        number += 1
        file = folder / f"{stem}-{number}.tar"
    return file


def _thinned(made: Path, config: Config, at: datetime) -> tuple[Path, ...]:
    """Of this estate's, never the one just made. The name says when each was made; of one made twice in a second the
    later is the longer. One of the future was made by a clock that was wrong, and tells nothing of its age: it goes
    first, so that it never pushes out one that was made since."""
    ours = re.compile(re.escape(_stem(config.estate.name)) + _MOMENT)
    now = _moment(at)
    age = {
        one: (found[1] <= now, found[1], int(found[2] or 0))
        for one in made.parent.iterdir()
        if one != made and (found := ours.fullmatch(one.name))
    }
    gone = sorted(age, key=age.__getitem__)[: max(len(age) + 1 - config.backup.keep, 0)]
    for one in gone:
        one.unlink(missing_ok=True)
    return tuple(gone)

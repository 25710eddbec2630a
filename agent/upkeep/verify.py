"""Is the store what it was? Every check that can be made of it, and of a backup by restoring it somewhere else.

Hides what is looked at in which order, and that a backup is looked at by restoring it.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from agent.config import ConfigError
from agent.store import Head, Store, connect, versions
from agent.upkeep import archive
from agent.upkeep.against_ledger import Evidence
from agent.upkeep.archive import KEYS, STORE, UpkeepError
from agent.upkeep.keys import fingerprint, is_unused, ring_of, strange

_FAULTS = 20


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found."""

    faults: tuple[str, ...]
    """What is not as it should be; empty: all is."""
    told: tuple[str, ...]
    """What was looked at, and what an owner of the store should know: what was pruned, which backups were restored."""
    head: Head

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


def verify(store: Store, key: Path | None = None, head: Head | None = None) -> Verified:
    """Looks at all of a store. `key`: the file of its install keys; `head`: one that was written down elsewhere.

    Raises StoreError for what cannot be looked at.
    """
    chain = store.ledger.verify(head)
    evidence = Evidence(store)
    faults = [*_database(store), *chain.faults]
    if not chain.faults:
        faults += evidence.faults()
    faults += _unreadable(store)
    told = [f"ledger: {chain.head.seq - chain.begins.seq:,} events, up to {chain.head.seq} {chain.head.hash}"]
    told += evidence.told
    if key is not None and not key.exists() and is_unused(store):
        told.append("install keys: none yet, and nothing that they would seal; the first scan or backup makes them")
    elif key is not None:
        try:
            keys = ring_of(key)
            if missing := strange(store, keys):
                faults.append(f"install keys: none of them is {missing}, which sensitive values are sealed under")
            told.append(f"install keys: {len(keys)}, newest first {', '.join(map(fingerprint, keys))}")
        except ConfigError as error:
            faults.append(str(error))
    return Verified(tuple(faults[:_FAULTS]), tuple(told), chain.head)


def verify_backup(file: Path, head: Head | None = None) -> Verified:
    """Restores a backup into a folder of its own, looks at all of it, and throws it away.

    Raises UpkeepError for what is no backup, and StoreError for one that this driftwarden cannot open.
    """
    with tempfile.TemporaryDirectory(prefix="driftwarden-") as folder:
        manifest, sha256 = archive.read(file, Path(folder))
        if STORE not in manifest.members:
            raise UpkeepError(f"{file}: holds no store")
        with connect(f"sqlite:///{folder}/{STORE}") as store:
            key = Path(folder) / KEYS if KEYS in manifest.members else None
            found = verify(store, key, head or manifest.head)
    made = (
        f"backup of {manifest.made_at:%Y-%m-%d %H:%M} UTC, estate {manifest.estate}, by driftwarden {manifest.version}"
    )
    keys = () if key else ("it holds no install keys: its store is not scanned without them",)
    return Verified(found.faults, (made, f"SHA-256 {sha256}", *keys, *found.told), found.head)


def _database(store: Store) -> list[str]:
    """What the engine itself finds wrong."""
    faults = []
    with store.database.read() as connection:
        if connection.dialect.name == "sqlite":
            said = connection.exec_driver_sql(f"PRAGMA integrity_check({_FAULTS})").scalars().all()
            faults += [f"database: {one.splitlines()[0]}" for one in said if one != "ok"]
            loose = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
            faults += [f"{row[0]}: row {row[1]} names what is not in {row[2]}" for row in loose[:_FAULTS]]
        faults += [
            f"{name}: is append-only no more: a trigger is gone" for name in versions.unguarded_tables(connection)
        ]
    return faults


def _unreadable(store: Store) -> list[str]:
    """What this version cannot decode, of what the next scan needs."""
    faults = []
    for name, look in (("a case", store.cases.listed), ("an open finding", store.findings.open)):
        try:
            look()
        except ValueError as error:
            faults.append(f"{name} cannot be read: {error}")
    return faults

"""A backup takes the store's place: when two people agreed, while nobody writes, and never without a trace.

Hides the order in which it is done, so that whatever stops it leaves the store that was there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path

from sqlalchemy import make_url

from agent.clean import clean
from agent.config import Config
from agent.model import Directory
from agent.store import Store, StoreLock, connect
from agent.store.ledger import RESTORED
from agent.upkeep import archive
from agent.upkeep.agreement import Asked, agreement
from agent.upkeep.archive import KEYS, STORE, Manifest, UpkeepError, on_disk
from agent.upkeep.keys import merged, ring_of, strange
from agent.upkeep.replace import held
from agent.upkeep.verify import verify


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored."""

    manifest: Manifest
    agreed: tuple[str, ...]
    """Who agreed; empty: `[authority.roles]` names no two admins, and nobody had to."""
    signed: Mapping[str, tuple[str, ...]]
    """Where the store was lost: by what it counted → who signed, each with the key's fingerprint."""
    replaced: Path | None
    """Where the store that was there is now; None: there was none."""
    behind: int | None
    """Events of the replaced ledger that the new one does not have; None: it could not be read."""
    keys: int
    """Install keys that were added to the key file."""
    unknown: str
    """Fingerprint of the key that its values are sealed under, where neither the key file nor the backup has it."""


def restore(
    config: Config,
    file: Path,
    people: Directory,
    now: datetime,
    agreed: Path | None = None,
    *,
    old_keys_lost: bool = False,
) -> Restored:
    """Puts a backup in the place of the store, after all of it was looked at.

    Two people who are admins now must have accepted `restore SHA256` within the last day and since it was last
    restored, in the store that is there; where it cannot be opened, in signed files in the folder `agreed`: by the
    configuration's `[authority]` and signers, and by those in force in the backup, which `old_keys_lost` does without.
    Whoever has the store open goes on with the restored one. Raises UpkeepError and StoreError; nothing is replaced
    then.
    """
    target = _file_of(config)
    with on_disk("nothing was restored"), _alone(target), archive.work_folder(target.parent) as work:
        manifest, sha256 = archive.read(file, work)
        if STORE not in manifest.members:
            raise UpkeepError(f"{file}: holds no store")
        if manifest.estate != config.estate.name:
            ours = clean(config.estate.name, 60)
            raise UpkeepError(f"{file}: is of the estate '{clean(manifest.estate, 60)}', and this is '{ours}'")
        copy = work / STORE
        with connect(f"sqlite:///{copy}") as store:
            _sound(store, file, manifest)
            asked = Asked(config, target, people, f"restore {sha256}", now)
            said = agreement(asked, store, agreed, old_keys_lost=old_keys_lost)
            rings = (ring_of(one) for one in (config.path(config.store.key), work / KEYS) if one.exists())
            unknown = strange(store, tuple(chain.from_iterable(rings)))
        with held(target) as old:
            before = old.head if said.in_store else None
            body = {
                "backup": sha256,
                "made_at": manifest.made_at.isoformat(),
                "head": {"seq": manifest.head.seq, "hash": manifest.head.hash},
                "replaced": {"seq": before.seq, "hash": before.hash} if before else None,
                "agreed": list(said.by),
                "signed": {name: list(who) for name, who in said.signed.items()},
            }
            with connect(f"sqlite:///{copy}") as store:
                store.leadership.take("restore", now, above=old.fence if said.in_store else 0)
                store.ledger.append(RESTORED, body, now)
            archive.synced(copy)
            keys = _keys(config, work / KEYS)
            replaced = old.replace(copy, now)
    behind = None if before is None else max(before.seq - manifest.head.seq, 0)
    return Restored(manifest, said.by, said.signed, replaced, behind, keys, unknown)


def _file_of(config: Config) -> Path:
    url = make_url(config.store_url())
    if url.get_backend_name() != "sqlite":
        name = url.render_as_string(hide_password=True)
        raise UpkeepError(
            f"store {name} is on a PostgreSQL server: stop the daemon, restore it there (`pg_restore --clean "
            f"--if-exists --dbname='{name}' driftwarden.dump`), and look at it with `driftwarden db verify`"
        )
    return Path(url.database or "")


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Nobody leads, and nobody is about to end a scan."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    daemon, line = StoreLock(target), StoreLock(target, "line")
    try:
        if not daemon.acquire():
            raise UpkeepError(f"a daemon runs with {target}: stop it first (`systemctl stop driftwarden`)")
        if not line.acquire():
            raise UpkeepError(f"a scan is being written to {target}: try again when it has ended")
        yield
    finally:
        line.release()
        daemon.release()


def _sound(store: Store, file: Path, manifest: Manifest) -> None:
    found = verify(store, head=manifest.head)
    if not found.sound:
        raise UpkeepError(f"{file}: is damaged, use another backup: {found.faults[0]}")


def _keys(config: Config, file: Path) -> int:
    """The backup's keys stand behind ours: what they sealed is recognised, what is new is sealed under ours."""
    return merged(config.path(config.store.key), ring_of(file)) if file.exists() else 0

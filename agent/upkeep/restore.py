"""A backup takes the store's place: when two people agreed, while nobody writes, and never without a trace.

Hides who must agree when the store that would say so is lost.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import make_url

from agent.clean import clean
from agent.config import Config
from agent.declare import PEOPLE_NEEDED, SUFFIX, ground, in_force, pick_up
from agent.declare import agreed as counted
from agent.declare.loosening import two_admins
from agent.model import Acceptance, Directory
from agent.store import Store, StoreError, StoreLock, connect
from agent.store.ledger import RESTORED
from agent.tables import RoleName
from agent.upkeep import archive
from agent.upkeep.archive import KEYS, STORE, Manifest, UpkeepError, on_disk
from agent.upkeep.keys import merged, ring_of
from agent.upkeep.replace import held
from agent.upkeep.verify import verify


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored."""

    manifest: Manifest
    agreed: tuple[str, ...]
    """Who agreed; empty: `[authority.roles]` names no two admins, and nobody had to."""
    replaced: Path | None
    """Where the store that was there is now; None: there was none."""
    behind: int | None
    """Events of the replaced ledger that the new one does not have; None: it could not be read."""
    keys: int
    """Install keys that were added to the key file."""


def restore(config: Config, file: Path, people: Directory, now: datetime, agreed: Path | None = None) -> Restored:
    """Puts a backup in the place of the store, after all of it was looked at.

    Two people who are admins now must have accepted `restore SHA256` within the last day and since it was last
    restored, in the store that is there; where it cannot be opened, in signed files in the folder `agreed`. Whoever has
    the store open goes on with the restored one. Raises UpkeepError and StoreError; nothing is replaced then.
    """
    target = _file_of(config)
    sha256 = archive.digest_of(file)
    with on_disk("nothing was restored"), _alone(target), archive.work_folder(target.parent) as work:
        manifest = archive.read(file, work)
        if STORE not in manifest.members:
            raise UpkeepError(f"{file}: holds no store")
        if manifest.estate != config.estate.name:
            ours = clean(config.estate.name, 60)
            raise UpkeepError(f"{file}: is of the estate '{clean(manifest.estate, 60)}', and this is '{ours}'")
        copy = work / STORE
        with connect(f"sqlite:///{copy}") as store:
            _sound(store, file, manifest)
            by, told = _agreed(config, store, people, f"restore {sha256}", now, agreed)
        with held(target) as old:
            before = old.head if told else None
            body = {
                "backup": sha256,
                "made_at": manifest.made_at.isoformat(),
                "head": {"seq": manifest.head.seq, "hash": manifest.head.hash},
                "replaced": {"seq": before.seq, "hash": before.hash} if before else None,
                "agreed": list(by),
            }
            with connect(f"sqlite:///{copy}") as store:
                store.leadership.take("restore", now, above=old.fence if told else 0)
                store.ledger.append(RESTORED, body, now)
            archive.synced(copy)
            keys = _keys(config, work / KEYS)
            replaced = old.replace(copy, now)
    behind = None if before is None else max(before.seq - manifest.head.seq, 0)
    return Restored(manifest, by, replaced, behind, keys)


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


def _agreed(
    config: Config, copy: Store, people: Directory, what: str, now: datetime, folder: Path | None
) -> tuple[tuple[str, ...], bool]:
    """Who agreed, and whether the store that is replaced could say so; it is lost otherwise."""
    store = _opened(config, now)
    if store is None:
        with in_force(config, copy, now, keep=False) as force, _files(folder) as files:
            its_ground = ground(config, copy, people, force)
            picked = pick_up(files, its_ground, now)
        refused = [f"{one.file.name}: {one.why}" for one in picked if one.state != "taken"]
        by = counted(its_ground, what, now)
        how = "; ".join(["the store cannot be opened: sign files with `driftwarden db agree`", *refused])
        _enough(by, force.authority.roles, what, how)
        return by, False
    with store:
        with in_force(config, store, now, keep=False) as force:
            by = counted(ground(config, store, people, force), what, now)
        _enough(
            by, force.authority.roles, what, f"each with `driftwarden cases accept '{what}'`, which counts for a day"
        )
        for said in store.declarations.listed():
            if isinstance(said, Acceptance) and said.what == what:
                copy.declarations.add([("restore.accepted", said)], store.declarations.statement(said.id))
        return by, True


@contextmanager
def _files(folder: Path | None) -> Iterator[Path]:
    """Copies of what was signed: whatever becomes of the restore, the files stay."""
    with tempfile.TemporaryDirectory(prefix="driftwarden-") as work:
        for file in sorted(folder.glob(f"*{SUFFIX}")) if folder else ():
            shutil.copy(file, work)
        yield Path(work)


def _opened(config: Config, now: datetime) -> Store | None:
    """The store that is there; None: it is lost, or so damaged that it cannot say who agreed."""
    if not _file_of(config).exists():
        return None
    try:
        store = connect(config.store_url())
    except StoreError:
        return None
    with ExitStack() as unless_sound, suppress(StoreError):  # as damaged as one that does not open
        unless_sound.callback(store.close)
        if not store.ledger.verify().faults:
            with in_force(config, store, now, keep=False):
                unless_sound.pop_all()
                return store
    return None


def _enough(by: tuple[str, ...], roles: Mapping[RoleName, tuple[str, ...]], what: str, how: str) -> None:
    if two_admins(dict(roles.items())) and len(by) < PEOPLE_NEEDED:
        said = f", and {', '.join(map(clean, by))} did" if by else ""
        raise UpkeepError(f"two admins must agree to '{what}'{said}: {how}; nothing was restored")


def _keys(config: Config, file: Path) -> int:
    """The backup's keys stand behind ours: what they sealed is recognised, what is new is sealed under ours."""
    return merged(config.path(config.store.key), ring_of(file)) if file.exists() else 0

"""A backup takes the store's place: when two people agreed, while nobody writes, and never without a trace.

Hides who must agree when the store that would say so is lost, and that what is replaced stays beside the new one.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import make_url

from agent.clean import clean
from agent.config import Config
from agent.declare import PEOPLE_NEEDED, SUFFIX, accepted, ground, in_force, pick_up
from agent.declare.loosening import two_admins
from agent.model import Acceptance, Directory
from agent.store import Head, Store, StoreError, StoreLock, connect
from agent.tables import RoleName
from agent.upkeep import archive
from agent.upkeep.archive import KEYS, STORE, Manifest, UpkeepError, on_disk
from agent.upkeep.keys import merged, ring_of
from agent.upkeep.verify import RESTORED, verify


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

    Two people must have accepted `restore SHA256`, in the store that is there; where it cannot be opened, in signed
    files in the folder `agreed`. Raises UpkeepError and StoreError; nothing is replaced then.
    """
    target = _file_of(config)
    sha256 = archive.digest_of(file)
    with (
        on_disk("nothing was restored"),
        _alone(target),
        tempfile.TemporaryDirectory(prefix=".driftwarden-", dir=target.parent) as work,
    ):
        manifest = archive.read(file, Path(work))
        if STORE not in manifest.members:
            raise UpkeepError(f"{file}: holds no store")
        if manifest.estate != config.estate.name:
            ours = clean(config.estate.name, 60)
            raise UpkeepError(f"{file}: is of the estate '{clean(manifest.estate, 60)}', and this is '{ours}'")
        copy = Path(work) / STORE
        with connect(f"sqlite:///{copy}") as store:
            _sound(store, file, manifest)
            by, before, fence = _agreed(config, store, people, f"restore {sha256}", now, agreed)
            store.leadership.take("restore", now, above=fence)
            head = manifest.head
            body = {
                "backup": sha256,
                "made_at": manifest.made_at.isoformat(),
                "head": {"seq": head.seq, "hash": head.hash},
                "replaced": {"seq": before.seq, "hash": before.hash} if before else None,
                "agreed": list(by),
            }
            store.ledger.append(RESTORED, body, now)
        archive.synced(copy)
        keys = _keys(config, Path(work) / KEYS)
        replaced = _swapped(copy, target, now)
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
) -> tuple[tuple[str, ...], Head | None, int]:
    """Who agreed, where the ledger that is replaced ends (None: nobody can tell), and the last fence of it."""
    store = _opened(config)
    if store is None:
        with in_force(config, copy, now, keep=False) as force, _files(folder) as files:
            picked = pick_up(files, ground(config, copy, people, force), now)
            roles = force.authority.roles
        refused = [f"{one.file.name}: {one.why}" for one in picked if one.state != "taken"]
        by = tuple(one.by.person for one in accepted(copy, what))
        how = "; ".join(["the store cannot be opened: sign files with `driftwarden db agree`", *refused])
        _enough(by, _two(roles), what, how)
        return by, None, 0
    with store:
        with in_force(config, store, now, keep=False) as force:
            roles = force.authority.roles
        by = tuple(one.by.person for one in accepted(store, what))
        _enough(by, _two(roles), what, f"each with `driftwarden cases accept '{what}'`")
        for said in store.declarations.listed():
            if isinstance(said, Acceptance) and said.what == what:
                copy.declarations.add([("restore.accepted", said)], store.declarations.statement(said.id))
        leader = store.leadership.seen()
        return by, store.ledger.head(), leader.fence if leader else 0


@contextmanager
def _files(folder: Path | None) -> Iterator[Path]:
    """Copies of what was signed: whatever becomes of the restore, the files stay."""
    with tempfile.TemporaryDirectory(prefix="driftwarden-") as work:
        for file in sorted(folder.glob(f"*{SUFFIX}")) if folder else ():
            shutil.copy(file, work)
        yield Path(work)


def _opened(config: Config) -> Store | None:
    """The store that is there; None: it is lost, or so damaged that it cannot say who agreed."""
    if not _file_of(config).exists():
        return None
    try:
        store = connect(config.store_url())
    except StoreError:
        return None
    try:
        if not store.ledger.verify().faults:
            return store
    except StoreError:
        pass  # as damaged as one that does not open
    store.close()
    return None


def _enough(by: tuple[str, ...], needed: bool, what: str, how: str) -> None:
    if needed and len(by) < PEOPLE_NEEDED:
        said = f", and {', '.join(map(clean, by))} did" if by else ""
        raise UpkeepError(f"two admins must agree to '{what}'{said}: {how}; nothing was restored")


def _two(roles: Mapping[RoleName, tuple[str, ...]]) -> bool:
    return two_admins(dict(roles.items()))


def _keys(config: Config, file: Path) -> int:
    """The backup's keys stand behind ours: what they sealed is recognised, what is new is sealed under ours."""
    return merged(config.path(config.store.key), ring_of(file)) if file.exists() else 0


def _swapped(copy: Path, target: Path, now: datetime) -> Path | None:
    """The old one goes aside with its journal; between two renames there is no store, which a scan would make anew."""
    aside = target.with_name(f"{target.name}.replaced-{now:%Y%m%dT%H%M%SZ}")
    there = target.exists()
    if there:
        for end in ("-journal", "-wal", "-shm"):
            beside = target.with_name(f"{target.name}{end}")
            if beside.exists():
                beside.replace(aside.with_name(f"{aside.name}{end}"))
        aside.hardlink_to(target)
    archive.owned_as(copy, target if there else target.parent)
    copy.replace(target)
    archive.synced(target.parent)
    return aside if there else None

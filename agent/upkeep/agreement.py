"""Who agreed to a restore: in the store that it replaces, or where that is lost, in signed files.

Hides by whose word it counts when the store that would say so is lost. The configuration alone does not say it: whoever
may write a file could appoint themselves. Nor does the backup: it could be anybody's. Two must agree by each of them.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from agent.clean import clean
from agent.config import Config
from agent.declare import PEOPLE_NEEDED, SUFFIX, accepted, agreed, ground, in_force, pick_up
from agent.declare.loosening import two_admins
from agent.model import Acceptance, Directory
from agent.signing import fingerprint
from agent.store import Store, StoreError, connect
from agent.tables import RoleName
from agent.upkeep.archive import STORE, UpkeepError

CONFIGURATION, BACKUP = "configuration", "backup"
"""By what a signature counts: `[authority]` and signers as they are now, and as they were in force in the backup."""

_SIGN = "the store cannot be opened: sign files with `driftwarden db agree`"
_SIGN_AGAIN = (
    "see first that its SHA-256 is what `driftwarden db backup` printed; then whoever has another key by now signs a "
    "second file, with the key of then. Where those are lost, `driftwarden db restore --old-keys-lost` goes by the "
    "configuration alone, and the ledger says so"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be agreed to, and by whom."""

    config: Config
    target: Path
    """The file of the store that is to be replaced."""
    people: Directory
    what: str
    """`restore SHA256`."""
    now: datetime


@dataclass(frozen=True, slots=True)
class Agreement:
    """Who agreed, and by what that counts."""

    by: tuple[str, ...]
    """Empty: `[authority.roles]` names no two admins, and nobody had to."""
    in_store: bool
    """The store that is replaced says so. It is lost otherwise, and they signed."""
    signed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Of a lost store: `CONFIGURATION`, `BACKUP` → whose signatures count by it, each with its key's fingerprint."""


def agreement(asked: Asked, copy: Store, folder: Path | None, *, old_keys_lost: bool) -> Agreement:
    """Who agreed that the backup, `copy`, takes the store's place; what they declared is kept in it.

    Raises UpkeepError where that is too few, and StoreError. See `upkeep.restore`.
    """
    store = _opened(asked)
    if store is None:
        return _in_files(asked, copy, folder, old_keys_lost=old_keys_lost)
    with store:
        with in_force(asked.config, store, asked.now, keep=False) as force:
            by = agreed(ground(asked.config, store, asked.people, force), asked.what, asked.now)
        how = f"each with `driftwarden cases accept '{asked.what}'`, which counts for a day"
        _enough(by, force.authority.roles, asked.what, "", how)
        _kept(store, asked.what, copy)
    return Agreement(by, in_store=True)


def _opened(asked: Asked) -> Store | None:
    """The store that is there; None: it is lost, or so damaged that it cannot say who agreed."""
    if not asked.target.exists():
        return None
    try:
        store = connect(asked.config.store_url())
    except StoreError:
        return None
    with ExitStack() as unless_sound, suppress(StoreError):  # as damaged as one that does not open
        unless_sound.callback(store.close)
        if not store.ledger.verify().faults:
            with in_force(asked.config, store, asked.now, keep=False):
                unless_sound.pop_all()
                return store
    return None


def _in_files(asked: Asked, copy: Store, folder: Path | None, *, old_keys_lost: bool) -> Agreement:
    """The configuration's own word is what a new store says, which knows of nothing before."""
    with _files(folder) as files, connect(f"sqlite:///{files / STORE}") as new:
        today = _signed(asked, new, files)
        where = " by the configuration's [authority] and signers"
        _enough(tuple(today.by), today.roles, asked.what, where, "; ".join([_SIGN, *today.refused]))
        with _files(folder) as files_again:
            then = _signed(asked, copy, files_again)
        if not old_keys_lost:
            where = " by the keys and roles that were in force when the backup was made"
            _enough(tuple(then.by), then.roles, asked.what, where, "; ".join([_SIGN_AGAIN, *then.refused]))
        _kept(new, asked.what, copy)
    signed = {name: side.spelled() for name, side in ((CONFIGURATION, today), (BACKUP, then))}
    return Agreement(tuple(dict.fromkeys((*today.by, *then.by))), in_store=False, signed=signed)


@dataclass(frozen=True, slots=True)
class _Side:
    """What signed files amount to by one authority."""

    roles: Mapping[RoleName, tuple[str, ...]]
    by: Mapping[str, str]
    """Person → the key's fingerprint."""
    refused: tuple[str, ...]

    def spelled(self) -> tuple[str, ...]:
        return tuple(f"{person} {key}" for person, key in self.by.items())


def _signed(asked: Asked, store: Store, files: Path) -> _Side:
    """Takes the files into a store, by what is in force there."""
    with in_force(asked.config, store, asked.now, keep=False) as force:
        its_ground = ground(asked.config, store, asked.people, force)
        picked = pick_up(files, its_ground, asked.now)
    who = agreed(its_ground, asked.what, asked.now)
    keys = {one.by.person: fingerprint(one.by.evidence) for one in accepted(store, asked.what, asked.now)}
    refused = tuple(f"{one.file.name}: {one.why}" for one in picked if one.state != "taken")
    return _Side(force.authority.roles, {person: keys[person] for person in who}, refused)


@contextmanager
def _files(folder: Path | None) -> Iterator[Path]:
    """Copies of what was signed: whatever becomes of the restore, the files stay."""
    with tempfile.TemporaryDirectory(prefix="driftwarden-") as work:
        for file in sorted(folder.glob(f"*{SUFFIX}")) if folder else ():
            shutil.copy(file, work)
        yield Path(work)


def _kept(store: Store, what: str, copy: Store) -> None:
    """What was declared there is known in the copy too."""
    for said in store.declarations.listed():
        if isinstance(said, Acceptance) and said.what == what:
            copy.declarations.add([("restore.accepted", said)], store.declarations.statement(said.id))


def _enough(by: tuple[str, ...], roles: Mapping[RoleName, tuple[str, ...]], what: str, where: str, how: str) -> None:
    if two_admins(dict(roles.items())) and len(by) < PEOPLE_NEEDED:
        said = f", and {', '.join(map(clean, by))} did" if by else ""
        raise UpkeepError(f"two admins must agree to '{what}'{where}{said}: {how}; nothing was restored")

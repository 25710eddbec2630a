"""`driftwarden db`: the store's upkeep."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli import fail
from agent.cli._declare import CONFIG, KEY, OUTPUT, estate_of, write_offline

if TYPE_CHECKING:
    from agent.config import Config
    from agent.store import Head
    from agent.upkeep import Verified

_FILE = click.Path(dir_okay=False, path_type=Path)
_LONGEST_LINE = 2_000
_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group("db", short_help="Back up, verify, restore and prune the store; rotate its keys.")
def command() -> None:
    """The store's upkeep. Run it as the user that driftwarden runs as, on the machine that has the store.

    Exit codes: 0 done, 1 `verify` found something wrong, 2 misuse, or it could not be done; the message says why.
    """


@command.command("upgrade", short_help="Bring the store up to this version.")
@CONFIG
def upgrade(config: str) -> None:
    """Bring the store up to this version of driftwarden. Whatever opens an older store does it too, in one transaction;
    this says what it did, and is there for doing it before the daemon starts. There is no way back but a backup.
    """
    from agent.store import connect, version_of
    from agent.store.schema import VERSION

    with _loaded(config) as loaded:
        before = version_of(loaded.store_url())
        with connect(loaded.store_url()):
            pass
        if before is None:
            click.echo(f"The store is new: version {VERSION}.")
        elif before == VERSION:
            click.echo(f"The store is of version {VERSION} already.")
        else:
            click.echo(f"The store was of version {before}, and is of version {VERSION} now.")


@command.command("backup", short_help="Copy store and keys into one file.")
@CONFIG
@click.option("--to", type=_FOLDER, help="Folder; nothing in it is removed. Default: `dir` in [backup].")
@click.option("--without-keys", is_flag=True, help="Leave the install keys out; keep them elsewhere yourself.")
@OUTPUT
def backup_(config: str, to: Path | None, without_keys: bool, output: str) -> None:
    """Copy the store and its install keys into one file, readable by its owner alone, while others write.

    It says where the ledger ends: written down elsewhere, that proves later that nothing was cut off.
    """
    from agent.store import connect
    from agent.upkeep import backup

    with _loaded(config) as loaded, connect(loaded.store_url()) as store:
        made = backup(loaded, store, folder=to, keys=not without_keys)
    if output == "json":
        told = {"file": str(made.file), "bytes": made.bytes, "sha256": made.sha256, "head": _spelled(made.head)}
        click.echo(json.dumps({**told, "removed": [str(one) for one in made.removed]}, indent=2))
        return
    click.echo(f"{made.file}: {made.bytes:,} bytes\nSHA-256 {made.sha256}\nledger  {_spelled(made.head)}")
    for one in made.removed:
        click.echo(f"removed {one}")


@command.command("verify", short_help="Look whether the store, or a backup, is what was written.")
@click.argument("backup", required=False, type=_FILE)
@click.option("--head", help="Where the ledger ended once, as `db backup` and `db verify` say it: SEQ:HASH.")
@CONFIG
@OUTPUT
def verify_(backup: Path | None, head: str | None, config: str, output: str) -> None:
    """Look at all of the store, or restore BACKUP into a folder of its own and look at that.

    Exit codes: 0 sound, 1 something is not as it was written, 2 it could not be looked at.
    """
    from agent.store import connect
    from agent.upkeep import verify, verify_backup

    earlier = _head(head) if head else None
    if backup is not None:
        with _refusing():
            found = verify_backup(backup, earlier)
    else:
        with _loaded(config) as loaded, connect(loaded.store_url()) as store:
            found = verify(store, loaded.path(loaded.store.key), earlier)
    _tell(found, output)
    if not found.sound:
        raise click.exceptions.Exit(1)


@command.command("restore", short_help="Put a backup in the place of the store.")
@click.argument("backup", type=_FILE)
@click.option("--agreed", type=_FOLDER, help="Folder of files that `db agree` wrote, where the store itself is lost.")
@click.option(
    "--old-keys-lost",
    is_flag=True,
    help="Where the store is lost, and keys of the time of BACKUP too: two who sign by today's configuration are "
    "enough. The ledger says so.",
)
@CONFIG
def restore_(backup: Path, agreed: Path | None, old_keys_lost: bool, config: str) -> None:
    """Put BACKUP in the place of the store. Two admins must have accepted 'restore SHA256' (`driftwarden cases
    accept`) within a day, and no daemon may run. What was there stays beside it, and the ledger says what was done.
    """
    from agent.clean import plural
    from agent.collect import Sessions, read_people
    from agent.upkeep import restore

    now = datetime.now(UTC)
    with _loaded(config) as loaded:
        people = read_people(loaded, Sessions(loaded), now)
        done = restore(loaded, backup, people, now, agreed, old_keys_lost=old_keys_lost)
    by = ", ".join(done.agreed) or "nobody had to agree: [authority.roles] names no two admins"
    click.echo(f"The store is that of {done.manifest.made_at:%Y-%m-%d %H:%M} UTC ({by}).")
    for side, who in done.signed.items():
        click.echo(f"Signed, by the {side}: {', '.join(who) or 'nobody'}.")
    if done.replaced:
        lost = "cannot be told" if done.behind is None else f"{done.behind:,}"
        click.echo(f"What was there is {done.replaced}; events of its ledger that were left behind: {lost}.")
    if done.keys:
        click.echo(f"{plural(done.keys, 'install key')} of the backup added to the key file.")
    if done.unknown:
        told = "which neither the key file nor the backup has: docs/operations.md#the-install-key-is-lost"
        click.echo(f"Nothing is scanned yet: its values are sealed under the key {done.unknown}, {told}")


@command.command("agree", short_help="Agree to a restore, in a file.")
@click.argument("backup", type=_FILE)
@click.option("--to", type=_FOLDER, required=True, help="Folder for the signed file.")
@click.option("--reason", default="", help="Why.")
@KEY
@CONFIG
def agree(backup: Path, to: Path, reason: str, key: Path | None, config: str) -> None:
    """Sign that BACKUP may take the place of a store that is lost. It counts for a day. `db restore --agreed FOLDER`
    wants two, of different admins; where the store can be opened, `driftwarden cases accept` is what it asks for.
    """
    from agent.declare import Accepted, nonce
    from agent.upkeep.archive import digest_of

    with _refusing():
        what = f"restore {digest_of(backup)}"
    said = Accepted(at=datetime.now(UTC), estate=estate_of(config), nonce=nonce(), what=(what,), reason=reason)
    click.echo(f"{write_offline(to, said, key)}: '{what}'")


@command.command("prune", short_help="Drop what is kept longer than [retention] asks.")
@click.option("--before", help="Also remove evidence that was over before this day (YYYY-MM-DD); takes two people.")
@CONFIG
@OUTPUT
def prune_(before: str | None, config: str, output: str) -> None:
    """Drop work and documents of scans that are kept longer than [retention] asks: what the daemon does every night.

    With --before, evidence too: when two admins accepted 'prune DATE' (`driftwarden cases accept`) within a day.
    """
    from dataclasses import asdict
    from datetime import date

    from agent.collect import Sessions, read_people
    from agent.store import connect
    from agent.upkeep import compacted, prune, prune_evidence

    now = datetime.now(UTC)
    try:
        day = date.fromisoformat(before) if before else None
    except ValueError:
        fail(f"--before {before}: must be a day, as in 2019-12-31")
    told: dict[str, Any] = {}
    with _loaded(config) as loaded, connect(loaded.store_url()) as store:
        if day is not None:
            gone = prune_evidence(loaded, store, read_people(loaded, Sessions(loaded), now), day, now)
            told["evidence"] = {"before": str(day), "agreed": list(gone.agreed), **gone.rows}
            told["ledger_from"] = gone.kept_from
        told |= asdict(prune(loaded, store, now))
        told["bytes_given_back"] = compacted(store)
    click.echo(json.dumps(told, indent=2) if output == "json" else _listed(told))


@command.command("rotate-key", short_help="Put a new install key before the old ones.")
@click.option("--lost", is_flag=True, help="The key of the store's values is lost: whatever is sealed will differ.")
@CONFIG
def rotate_key(lost: bool, config: str) -> None:
    """Put a new install key before those there are, which stay: what they sealed is still recognised, and nothing
    differs for it. No daemon may run; make a backup afterwards.
    """
    from agent.clean import plural
    from agent.store import StoreLock, connect
    from agent.upkeep.keys import rotate

    with _loaded(config) as loaded, connect(loaded.store_url()) as store:
        lock = StoreLock(store.database)
        if not lock.acquire():
            fail("a daemon runs, and would go on with the old keys: stop it first (`systemctl stop driftwarden`)")
        path = loaded.path(loaded.store.key)
        try:
            with store.exclusive("line"):
                number = rotate(store, path, datetime.now(UTC), lost=lost)
        finally:
            lock.release()
    click.echo(
        f"{path}: {plural(number, 'key')}, the newest seals from now on. Make a backup: `driftwarden db backup`."
    )


@contextmanager
def _loaded(config: str) -> Iterator[Config]:
    """The configuration; what cannot be opened or done ends the command."""
    from agent.config import load

    with _refusing():
        loaded = load(Path(config))
        _not_for_root(loaded.store_url())
        yield loaded


def _not_for_root(url: str) -> None:
    """What root writes beside a store that is another user's, that user's daemon could not open."""
    if os.geteuid() != 0 or not url.startswith("sqlite:"):
        return
    folder = Path(url.partition(":///")[2]).parent
    owner = folder.stat().st_uid if folder.is_dir() else 0
    if owner:
        fail(f"{folder} belongs to user {owner}: run this as that user, not root (docs/operations.md#as-the-service)")


@contextmanager
def _refusing() -> Iterator[None]:
    from agent.config import ConfigError
    from agent.declare import Refused
    from agent.store import StoreError

    try:
        yield
    except (ConfigError, StoreError, Refused) as error:
        fail(str(error))


def _spelled(head: Head) -> str:
    return f"{head.seq}:{head.hash}"


def _head(text: str) -> Head:
    from agent.store import Head

    seq, _, its_hash = text.partition(":")
    if not (seq.isdecimal() and len(its_hash) == 64 and set(its_hash) <= set("0123456789abcdef")):
        fail(f"--head {text[:80]}: must be SEQ:HASH, as `db verify` says it")
    return Head(int(seq), its_hash)


def _tell(found: Verified, output: str) -> None:
    if output == "json":
        told = {"sound": found.sound, "faults": found.faults, "told": found.told, "head": _spelled(found.head)}
        click.echo(json.dumps(told, indent=2))
        return
    from agent.clean import clean

    for line in found.told:
        click.echo(clean(line, _LONGEST_LINE))
    for fault in found.faults:
        click.echo(f"wrong: {clean(fault, _LONGEST_LINE)}")
    click.echo("Sound." if found.sound else "Not sound: keep it as it is, and restore a backup (docs/operations.md).")


def _listed(told: dict[str, Any]) -> str:
    lines = [f"{name.replace('_', ' ')}: {number:,}" for name, number in told.items() if isinstance(number, int)]
    evidence = told.get("evidence")
    if evidence:
        removed = ", ".join(f"{name} {number:,}" for name, number in evidence.items() if isinstance(number, int))
        by = ", ".join(evidence["agreed"])
        lines.insert(0, f"evidence before {evidence['before']} ({by}): {removed or 'there was none'}")
    return "\n".join(lines)

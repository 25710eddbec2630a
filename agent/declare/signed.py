"""Signed statements taken: from the command line at once, from files later.

Hides whose clock counts: a statement is believed to be as old as it says only while it may be, and a signature must
hold at that time. Files are strangers': each is bounded, judged by itself, and moved out of the way.
"""

from __future__ import annotations

import contextlib
import heapq
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import msgspec

from agent.clean import clean
from agent.config import duration
from agent.declare.matter import Unheard
from agent.declare.rules import Ground, Source
from agent.declare.speakers import Refused, signer
from agent.declare.spoken import heard
from agent.declare.statements import Accepted, Documented, Opened, Statement, id_of, read, written
from agent.model import Declaration
from agent.signing import SigningError, sign, verify
from agent.store.ledger import canonical

SKEW = timedelta(minutes=5)
"""How far apart two clocks may be, and how long a statement may be on its way at the command line."""
WAITS = timedelta(days=7)
"""How long a file waits for its case to be found."""
SUFFIX = ".driftwarden.json"
MOST_FILES = 1_000
LONGEST_FILE = 512 * 1024

_FILE = msgspec.json.Decoder(dict[str, Any])


@dataclass(frozen=True, slots=True)
class Picked:
    """What became of one file, or where it is `unread`, of the folder."""

    file: Path
    state: Literal["taken", "refused", "waiting", "unread"]
    declared: tuple[Declaration, ...] = ()
    why: str = ""
    """Why it was refused or not read, or what it waits for."""


def say(ground: Ground, statement: Statement, key: Path, now: datetime) -> tuple[Declaration, ...]:
    """Signs a statement with a key and takes it. Raises Refused and StoreError."""
    signed = written(statement)
    return take(ground, _fields(signed), _signature(signed, key), now)


def take(
    ground: Ground, fields: Mapping[str, Any], signature: str, now: datetime, *, offline: bool = False
) -> tuple[Declaration, ...]:
    """Judges a signed statement and keeps what it declares. `offline`: it may be from a while ago.

    Raises Refused, Unheard for a case nobody knows yet, StoreError.
    """
    statement, signed = read(fields)
    if statement.estate != ground.estate:
        raise Refused(f"it is for the estate '{clean(statement.estate, 60)}', and this is '{clean(ground.estate, 60)}'")
    if offline and not _may_be_a_file(statement):
        raise Refused("only openings and documents come as files: a review or an acceptance is given where the case is")
    if ground.signers is None:
        raise Refused("nobody's signature counts: [authority] signers names no allowed_signers file")
    said_at, note = _said_at(ground, statement, now, offline)
    try:
        principals = verify(signed, signature, ground.signers, said_at)
    except SigningError as error:
        raise Refused(str(error)) from None
    speaker = signer(principals, ground.directory, said_at, now, signature)
    return heard(ground, speaker, statement, Source(signed, offline, note))


def _may_be_a_file(statement: Statement) -> bool:
    """What is said where there is no store: in an emergency, or when the store itself is lost."""
    if isinstance(statement, Accepted):
        return all(one.startswith("restore ") for one in statement.what)
    return isinstance(statement, Opened | Documented)


def write(folder: Path, statement: Statement, key: Path) -> Path:
    """Signs a statement into a file of its own, without store or network; gives the file.

    Raises Refused, also where the folder cannot be written to.
    """
    signed = written(statement)
    held = {"statement": _fields(signed), "signature": _signature(signed, key)}
    target = folder / f"{id_of(signed)}{SUFFIX}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(target, msgspec.json.format(canonical(held).encode("ascii"), indent=2) + b"\n")
    except OSError as error:
        raise Refused(f"{folder}: {error.strerror}") from None
    return target


def pick_up(folder: Path, ground: Ground, now: datetime) -> tuple[Picked, ...]:
    """Takes the signed files in a folder: openings first, then what is about them.

    What was taken goes into `taken/`, what never counts into `refused/` with its reason beside it; what is about a
    case that no scan has found yet waits for a week. What cannot be read stays and is `unread`, as is a folder that
    cannot be listed or holds more than is taken at once. Never raises for a file; raises StoreError.
    """
    paths, why = _files(folder)
    unread = [Picked(folder, "unread", why=why)] if why else []
    held: list[tuple[Path, Mapping[str, Any] | str]] = []
    for path in paths:
        try:
            held.append((path, _read(path)))
        except FileNotFoundError:
            continue  # another scan took it
        except OSError as error:
            unread.append(Picked(path, "unread", why=f"cannot be read: {error.strerror}"))
    picked = [_picked(path, fields, ground, now) for path, fields in sorted(held, key=_turn)]
    return (*(_moved(folder, one) for one in picked), *unread)


def _picked(path: Path, held: Mapping[str, Any] | str, ground: Ground, now: datetime) -> Picked:
    if isinstance(held, str):
        return Picked(path, "refused", why=held)
    try:
        return Picked(path, "taken", take(ground, held["statement"], held["signature"], now, offline=True))
    except Unheard as error:
        since = read(held["statement"])[0].at
        return Picked(path, "waiting" if now - since <= WAITS else "refused", why=str(error))
    except Refused as error:
        return Picked(path, "refused", why=str(error))


def _said_at(ground: Ground, statement: Statement, now: datetime, offline: bool) -> tuple[datetime, str]:
    """When a statement counts as said, and what the ledger is to say of it."""
    age = now - statement.at
    if age < -SKEW:
        raise Refused(f"it is dated {statement.at:%Y-%m-%d %H:%M} UTC, in the future; is the clock right?")
    if age <= SKEW:
        return min(statement.at, now), ""
    if not offline:
        raise Refused(f"it was signed {_ago(age)} ago; sign it anew")
    within = ground.authority.breakglass.offline_within
    if age <= duration(within):
        return statement.at, ""
    if isinstance(statement, Accepted):
        # Kept, the file would do the same again whenever the store is lost.
        raise Refused(f"it was signed {_ago(age)} ago, and an agreement to restore counts for {within}; sign it anew")
    return (
        now,
        f"signed {statement.at:%Y-%m-%dT%H:%M:%SZ}, more than {within} before it arrived: it counts from its arrival",
    )


# --- files ---------------------------------------------------------------------------------------------------


def _files(folder: Path) -> tuple[list[Path], str]:
    """Signed files in the folder, in order of their names; not what is hidden, a link or another folder.

    Beside them, why these are not all; empty where they are.
    """
    try:
        with os.scandir(folder) as entries:
            names = [
                entry.name
                for entry in entries
                if entry.name.endswith(SUFFIX)
                and not entry.name.startswith(".")
                and entry.is_file(follow_symlinks=False)
            ]
    except FileNotFoundError:
        return [], ""
    except OSError as error:
        return [], f"cannot be listed: {error.strerror}"
    left = len(names) - MOST_FILES
    why = f"{left:,} more signed files were not read: a scan reads {MOST_FILES:,}" if left > 0 else ""
    return [folder / name for name in heapq.nsmallest(MOST_FILES, names)], why


def _read(path: Path) -> Mapping[str, Any] | str:
    """The file's statement and signature; why it is none. Raises OSError."""
    with path.open("rb") as stream:
        data = stream.read(LONGEST_FILE + 1)
    if len(data) > LONGEST_FILE:
        return f"is larger than {LONGEST_FILE:,} bytes"
    try:
        held = _FILE.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        return f"is no signed statement: {clean(error, 200)}"
    if not isinstance(held.get("statement"), dict) or not isinstance(held.get("signature"), str) or len(held) != 2:
        return "is no signed statement: it must hold 'statement' and 'signature'"
    return held


def _turn(one: tuple[Path, Mapping[str, Any] | str]) -> tuple[bool, float, str]:
    """Openings first, since the rest may be about them; then in the order they were said."""
    path, held = one
    try:
        statement, _ = read({} if isinstance(held, str) else held["statement"])
    except Refused:
        return (True, 0.0, path.name)
    return (not isinstance(statement, Opened), statement.at.timestamp(), path.name)


def _moved(folder: Path, picked: Picked) -> Picked:
    """The file out of the way. Where the folder cannot be written to it stays, and is found kept the next time."""
    if picked.state == "waiting":
        return picked
    target = folder / picked.state
    with contextlib.suppress(OSError):
        target.mkdir(exist_ok=True)
        if picked.why:
            _replace(target / f"{picked.file.name}.why", f"{picked.why}\n".encode("utf-8", "replace"))
        picked.file.replace(target / picked.file.name)
        return replace(picked, file=target / picked.file.name)
    return picked


def _replace(target: Path, data: bytes) -> None:
    """Whole or not at all; readable by whoever may read the folder: it may be picked up by another user."""
    handle, draft = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(draft).chmod(0o644)
        Path(draft).replace(target)
    except OSError:
        Path(draft).unlink(missing_ok=True)
        raise


def _fields(signed: bytes) -> dict[str, Any]:
    return _FILE.decode(signed)


def _signature(signed: bytes, key: Path) -> str:
    try:
        return sign(signed, key)
    except SigningError as error:
        raise Refused(str(error)) from None


def _ago(age: timedelta) -> str:
    minutes = int(age.total_seconds()) // 60
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"

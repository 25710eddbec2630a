"""What people do to the files of permissions: ask for one, approve it, end it before its time.

Hides that an approval is signed over the entry as it stands with the time of the signature in it, and that nothing is
written which would not count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from agent.config import Config, duration
from agent.model import PolicyException
from agent.signing import sign
from agent.tickets.document import DocumentError, Reader, Value, parse, text
from agent.tolerated import baseline, editing, exceptions
from agent.tolerated.terms import UNSIGNED, Approvals, entries, plain, statement

Check = Callable[[Value, Path], Any]
"""Raises DocumentError for an entry that is none, or whose approval does not count."""


def add(config: Config, entry: Mapping[str, Any], file: Path | None, approvals: Approvals, now: datetime) -> Path:
    """Writes an exception that waits for its approval, into `file` or one of its own; gives the file.

    `entry` has the fields of `exceptions.FIELDS` as text and lists. Raises DocumentError for one that would be refused,
    and OSError.
    """
    folder = config.path(config.exceptions.dir)
    target = file or folder / f"{entry['id']}.yaml"
    longest = duration(config.exceptions.longest)
    taken = {one.id: one.source for one in exceptions.read(folder, longest, approvals, now).found}
    if entry["id"] in taken:
        raise DocumentError(target, 0, f"id '{entry['id']}' stands in {taken[entry['id']]} already")
    written = editing.with_entry(target, entry)
    value = parse(written, target)
    found = value.data[-1] if isinstance(value.data, list) else value
    exceptions.entry(found, target, longest, approvals, now)
    editing.write(target, written)
    return target


def new_id(prefix: str, fields: Mapping[str, Any], now: datetime) -> str:
    """An id for a new entry: its day, and a digest of what it says, so that two of a day differ."""
    said = statement("", fields, "")
    return f"{prefix}-{now:%Y%m%d}-{hashlib.blake2b(said, digest_size=3).hexdigest()}"


def approve(file: Path, id_: str, kind: str, check: Check, key: Path, now: datetime, estate: str) -> Path:
    """Signs one entry of a list with a private key; gives the file.

    `check` reads an entry of that kind, `estate` is the estate's name. Raises DocumentError for an entry that is none
    or a signature that would not count, SigningError where nothing was signed, and OSError.
    """
    at = f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    asked = editing.with_fields(text(file), file, id_, {"approved": at})
    said = {name: one for name, one in plain(_entry(asked, file, id_)).items() if name not in UNSIGNED}
    signature = sign(statement(kind, {name: one for name, one in said.items() if one is not None}, estate), key)
    signed = editing.with_fields(asked, file, id_, {"approval": signature.strip() + "\n"})
    check(_entry(signed, file, id_), file)
    editing.write(file, signed)
    return file


def end(file: Path, id_: str, now: datetime) -> Path:
    """Ends one entry of a list now, whatever was approved; gives the file. Raises DocumentError and OSError."""
    editing.write(
        file, editing.with_fields(text(file), file, id_, {"ended": f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"})
    )
    return file


def find(folders: Mapping[str, Path], id_: str) -> tuple[str, Path]:
    """The kind and file of the one entry with that id, of several kinds' folders. Raises DocumentError."""
    found = []
    for kind, folder in folders.items():
        for file, value in entries(folder).found:
            fields = value.data if isinstance(value.data, dict) else {}
            if "id" in fields and fields["id"].data == id_:
                found.append((kind, file))
    if len(found) != 1:
        where = ", ".join(str(folder) for folder in folders.values())
        raise DocumentError(Path(where), 0, f"{len(found)} entries have the id '{id_}'")
    return found[0]


def approve_baseline(
    file: Path, longest: timedelta, approvals: Approvals, marks: Collection[str], key: Path, now: datetime
) -> baseline.BaselineFile:
    """Signs a baseline's file with a private key; gives what it holds.

    Raises DocumentError for a file with anything wrong in it or a signature that would not count, SigningError and
    OSError.
    """
    at = f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    asked = editing.with_end(text(file), file, {"approved": at})
    content = {name: one for name, one in plain(parse(asked, file)).items() if name not in UNSIGNED}
    said = {name: one for name, one in content.items() if one is not None}
    signature = sign(baseline.signed_text(said, approvals.estate), key)
    signed = editing.with_end(asked, file, {"approval": signature.strip() + "\n"})
    reader = Reader(file)
    found = baseline.of_value(parse(signed, file), reader, longest, approvals, now, marks)
    if reader.problems or found is None:
        raise min(reader.problems, key=lambda one: one.line, default=DocumentError(file, 1, "is no baseline"))
    editing.write(file, signed)
    return found


def _entry(content: str, file: Path, id_: str) -> Value:
    value = parse(content, file)
    number = editing.position(value, id_, file)
    assert isinstance(value.data, list)  # or it has no position
    return value.data[number]


def checks(config: Config, approvals: Approvals, now: datetime) -> Callable[[Value, Path], PolicyException]:
    """What reads an exception of a configuration."""
    longest = duration(config.exceptions.longest)
    return lambda value, file: exceptions.entry(value, file, longest, approvals, now)

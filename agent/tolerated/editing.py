"""Changes to the files of permissions that keep everything else in them: comments, order, spelling.

Hides that a file is written whole or not at all, and that what was written is read again, strictly, before it takes the
old one's place: an edit that says anything else than it should is refused.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml.scalarstring import LiteralScalarString

from agent.tickets.document import DocumentError, Value, dump, parse, round_trip, text
from agent.tolerated.baseline import quoted
from agent.tolerated.terms import plain


def with_entry(file: Path, entry: Mapping[str, Any]) -> str:
    """The text of a list of entries with one more, of a new file where there is none. Raises DocumentError."""
    before = text(file) if file.exists() else ""
    value = parse(before, file)
    if value.data is None:
        comments = before.rstrip("\n") + "\n" if before.strip() else ""
        return _checked(comments + dump([_written(entry)]), file, [dict(entry)])
    if not isinstance(value.data, list):
        raise DocumentError(file, value.line, "must be a list of entries")
    tree = round_trip(before, file)
    tree.append(_written(entry))
    return _checked(dump(tree), file, [*plain(value), dict(entry)])


def with_fields(before: str, file: Path, id_: str, fields: Mapping[str, str]) -> str:
    """The text of a list of entries with fields of the entry of that id set. Raises DocumentError."""
    value = parse(before, file)
    number = position(value, id_, file)
    tree, wanted = round_trip(before, file), plain(value)
    tree[number].update(_written(fields))
    wanted[number].update(fields)
    return _checked(dump(tree), file, wanted)


def position(value: Value, id_: str, file: Path) -> int:
    """Which entry of a list has that id. Raises DocumentError where none has, or several."""
    found = []
    for number, entry in enumerate(value.data if isinstance(value.data, list) else ()):
        fields = entry.data if isinstance(entry.data, dict) else {}
        if "id" in fields and fields["id"].data == id_:
            found.append(number)
    if len(found) != 1:
        raise DocumentError(file, 0, f"has {len(found)} entries with id '{id_}'")
    return found[0]


def with_end(before: str, file: Path, fields: Mapping[str, str]) -> str:
    """The text of a file that is one mapping with these fields at its end, in place of what they were.

    Not through a tree: a baseline has thousands of lines. Raises DocumentError.
    """
    value = parse(before, file)
    if not isinstance(value.data, dict):
        raise DocumentError(file, value.line, "must be a mapping")
    kept: list[str] = []
    skipping = False
    for line in before.splitlines():
        # A top-level field ends where something else stands at the beginning of a line.
        if line[:1] not in ("", " ", "\t"):
            skipping = line.partition(":")[0] in fields
        if not skipping:
            kept.append(line)
    for name, said in fields.items():
        block = [f"{name}: |", *(f"  {line}" for line in said.splitlines())]
        kept += block if "\n" in said else [f"{name}: {quoted(said)}"]
    return _checked("\n".join(kept) + "\n", file, {**plain(value), **fields})


def write(file: Path, content: str) -> None:
    """Whole or not at all, in the old one's place. Raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.getpid()}.draft")
    draft.unlink(missing_ok=True)
    with draft.open("x", encoding="utf-8") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(file)


def create(folder: Path, name: str, content: str) -> Path:
    """A new file in a folder, never over another: `name.yaml`, else `name-2.yaml`, … Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, 1000):
        file = folder / (f"{name}.yaml" if number == 1 else f"{name}-{number}.yaml")
        try:
            with file.open("x", encoding="utf-8") as stream:
                stream.write(content)
        except FileExistsError:
            continue
        return file
    raise FileExistsError(17, f"every name from {name} to {name}-999 is taken")


def _written(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: LiteralScalarString(one) if isinstance(one, str) and "\n" in one else one for name, one in fields.items()
    }


def _checked(content: str, file: Path, wanted: Any) -> str:
    """The text, if a strict reader finds in it what should be there. Raises DocumentError."""
    if plain(parse(content, file)) != wanted:
        raise DocumentError(file, 0, "cannot be edited without changing something else in it; edit it by hand")
    return content

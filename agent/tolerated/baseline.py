"""The baseline: files that hold what differed when an estate was adopted, each difference by its value's keyed hash.

Hides the files' form: one line for each difference, so that thousands are read in a moment and a person can strike one
out, and one approval for the whole file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, get_args

from agent.clean import clean
from agent.model import Baselined, Drift, DriftKind, Key
from agent.tickets.document import DocumentError, Reader, Value, parse, text
from agent.tolerated.terms import (
    TERMS,
    Approvals,
    approved,
    content,
    read_terms,
    statement,
    yaml_files,
)

FIELDS = ("stack", "install", "reason", *TERMS, "entries")
KIND = "baseline"
"""What its signed statement is called."""
MOST = 2000
"""Entries of one file that `propose` writes."""

_DIGEST = re.compile(r"[0-9a-f]{32}")
_MARK = re.compile(r"[0-9a-f]{8}")
_KINDS: Mapping[str, DriftKind] = {kind: kind for kind in get_args(DriftKind) if kind != "unapplied"}
_WHOLE = "-"  # in place of an attribute
_FORM = "'KIND ATTRIBUTE HASH ACCOUNT/REGION/TYPE/ID', as `driftwarden baseline propose` writes it"


@dataclass(frozen=True, slots=True)
class BaselineFile:
    """One file of a baseline, and how it stands."""

    file: Path
    stack: str
    owner: str
    approver: str
    since: datetime
    until: datetime
    approved: str
    """How we know that the approver approved; empty: it waits, and nothing of it is in force."""
    entries: tuple[Baselined, ...]


@dataclass(frozen=True, slots=True)
class Baseline:
    """The baseline of a folder."""

    files: tuple[BaselineFile, ...] = ()
    problems: tuple[str, ...] = ()
    """What is wrong with the others and with their approvals."""

    @property
    def found(self) -> tuple[Baselined, ...]:
        """The entries of all files, whether or not they are in force."""
        return tuple(one for file in self.files for one in file.entries)


def read(directory: Path, longest: timedelta, approvals: Approvals, now: datetime, marks: Collection[str]) -> Baseline:
    """The baseline of `directory/*.yaml`; none where there is no such folder.

    `marks` are those of the install keys (`digests.install_marks`): hashes made under another match nothing, which is
    said.
    """
    files: list[BaselineFile] = []
    problems: list[str] = []
    try:
        paths = yaml_files(directory)
    except OSError as error:
        return Baseline((), (f"{directory}: cannot be read: {error.strerror}",))
    for path in paths:
        reader = Reader(path)
        try:
            found = of_value(parse(text(path), path), reader, longest, approvals, now, marks)
        except DocumentError as error:
            problems.append(str(error))
            continue
        files += [found] if found is not None else []
        problems += [str(problem) for problem in sorted(reader.problems, key=lambda one: one.line)]
    return Baseline(tuple(files), tuple(problems))


def of_value(
    value: Value, reader: Reader, longest: timedelta, approvals: Approvals, now: datetime, marks: Collection[str]
) -> BaselineFile | None:
    """The baseline that a file's content is; None for one that cannot be, and what is wrong is noted."""
    fields = reader.fields(value, "a baseline", FIELDS)
    terms = read_terms(fields, value, reader, longest, approvals, "a baseline")
    made = reader.text(fields.get("install"), "install")
    if not _MARK.fullmatch(made):
        reader.wrong(fields.get("install", value), "a baseline needs 'install', the mark of the install key it is of")
    elif made not in marks:
        why = f"its hashes are of install key {made}, and ours is {', '.join(marks)}: propose it anew"
        reader.wrong(fields["install"], why)
    lines = reader.items(fields.get("entries"), "entries")
    if terms is None or reader.problems:
        return None
    signed = approved(fields, terms, signed_text(content(fields), approvals.estate), reader, approvals, now)
    how = signed[0] if signed else ""
    entries = []
    for line in lines:
        parsed = _parsed(reader.text(line, "entries"))
        if parsed is None:
            reader.wrong(line, f"an entry must be {_FORM}")
            continue
        key, kind, attribute, digest = parsed
        entries.append(
            Baselined(
                entry_id(key, kind, attribute, digest),
                key,
                kind,
                attribute,
                digest,
                owner=terms.owner,
                approver=terms.approver,
                until=terms.until,
                approved=how,
                source=f"{reader.file}:{line.line}",
                since=terms.since,
            )
        )
    stack = clean(reader.text(fields.get("stack"), "stack"), 200)
    return BaselineFile(reader.file, stack, terms.owner, terms.approver, terms.since, terms.until, how, tuple(entries))


def signed_text(plain: Mapping[str, Any], estate: str) -> bytes:
    """What the approver of a file signs: its terms, and its entries, which may be a megabyte, as number and digest.

    `plain` is the file's content without what no approval is over.
    """
    listed = plain.get("entries")
    lines = [str(one) for one in listed] if isinstance(listed, list) else []
    digest = hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()
    return statement(KIND, {**plain, "entries": {"count": len(lines), "sha256": digest}}, estate)


def entry_id(key: Key, kind: str, attribute: str, digest: str) -> str:
    """The id of an entry: the same for the same difference, in whichever file it stands."""
    name = "\n".join((str(key), kind, attribute, digest))
    return f"BL-{hashlib.blake2b(name.encode('utf-8', 'surrogatepass'), digest_size=6).hexdigest()}"


def _parsed(line: str) -> tuple[Key, DriftKind, str, str] | None:
    kind, _, rest = line.partition(" ")
    attribute, _, rest = rest.partition(" ")
    digest, _, name = rest.partition(" ")
    parts = name.split("/", 3)
    if kind not in _KINDS or not attribute or not _DIGEST.fullmatch(digest) or len(parts) < 4 or not all(parts):
        return None
    return Key(*parts), _KINDS[kind], "" if attribute == _WHOLE else attribute, digest


def render(head: Mapping[str, str], lines: Iterable[tuple[Drift, str, str]], comment: str) -> str:
    """A baseline file's text: a comment, its fields, and a line for each difference, hash and address."""
    said = [f"# {line}" for line in comment.splitlines()]
    said += [f"{name}: {quoted(value)}" for name, value in head.items()]
    said.append("entries:")
    for drift, digest, address in lines:
        entry = f"{drift.kind} {drift.attribute or _WHOLE} {digest} {drift.key}"
        said.append(f"- {quoted(entry)}" + (f"  # {clean(address, 300)}" if address else ""))
    return "\n".join(said) + "\n"


def writable(drift: Drift) -> bool:
    """Whether a line can hold the difference: one whose names cannot be written in UTF-8, or told apart, is not."""
    line = f"{drift.kind} {drift.attribute or _WHOLE} {'0' * 32} {drift.key}"
    parsed = _parsed(line)
    return (
        line.isprintable()  # what is not may be half a character, or a line's end
        and parsed == (drift.key, drift.kind, drift.attribute, "0" * 32)
    )


def quoted(value: str) -> str:
    """Text as a double-quoted YAML scalar on one line."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(one if one.isprintable() else f"\\U{ord(one):08x}" for one in escaped) + '"'

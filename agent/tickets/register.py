"""The embedded register: change tickets and cases as YAML files under version control; hides files and their format.

Authority is what the `*.yaml` files of the directory say; who may say it is decided by the review that lets a change
to them in. Cases are filed in its folder `cases`, which is never read for authority.
"""

import contextlib
import fcntl
import os
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from ruamel.yaml.scalarstring import LiteralScalarString

from agent.clean import clean
from agent.model import Case, Ticket, Tickets
from agent.tickets import Reply, Table, TicketError, document, register_file
from agent.tickets.document import DocumentError, Reader
from agent.tickets.plain import written
from agent.tickets.register_index import Kept, Mentions
from agent.tickets.text import lines, marker

FULL = 500_000
"""Bytes of a case file that takes no more notes. Its closing still fits below `document.MAX_BYTES`."""

_CASE_REF = re.compile(r"DW-[0-9A-Za-z]{1,12}(-[0-9]{1,3})?")


class Settings(Table, frozen=True):
    """The embedded ticket register: a directory of YAML files."""

    path: str = "tickets"
    """Relative to the configuration."""


def open_system(settings: Settings, base: Path) -> "Register":
    """The register of a configuration that stands in `base`."""
    return Register(base / settings.path, now=lambda: datetime.now(UTC))


class Register:
    """A directory of tickets; `docs/tickets.md` describes the format."""

    name = "register"

    def __init__(self, directory: Path, now: Callable[[], datetime]) -> None:
        self.directory = directory
        self.cases = directory / "cases"
        self._now = now
        self._kept: Kept[tuple[list[register_file.Entry], list[DocumentError]]] = Kept()
        self._mentions = Mentions(self.cases)

    def lookup(self, refs: Collection[str], start: datetime, end: datetime) -> Tickets:
        """See `TicketSystem.lookup`. A file with a problem is unanswered as a whole; the others are read."""
        tickets, problems = self._read()
        found = tuple(ticket for ticket in tickets if ticket.ref in refs or _meets(ticket, start, end))
        return Tickets(found, problems)

    def check(self) -> tuple[str, ...]:
        """Every problem of every file of tickets: `file:line: what is wrong and what would be right`."""
        return self._read()[1]

    def find(self, case: Case) -> str | None:
        """See `TicketSystem.find`."""
        ours = {case.key, *case.findings}
        with _as_ticket_error(self.cases):
            files = self._mentions.of(ours)
            contents = ((file, document.text(file)) for file in (_yaml_files(self.cases) if files is None else files))
            # Reading is cheap and parsing is not: a register holds thousands of cases, and few mention these names.
            records = [_record(text, file) for file, text in contents if any(name in text for name in ours)]
        found = [one for one in records if not (one.closed or ours.isdisjoint((one.key, *one.findings)))]
        # Its own ticket before one it only shares a finding with.
        return min(found, key=lambda one: one.key != case.key).ref if found else None

    def open(self, case: Case) -> str:
        """See `TicketSystem.open`. A case that comes back after closing gets a file of its own: `-2`, `-3`, …"""
        first = marker(case.key)
        with self._locked():
            for number in range(1, 1000):
                ref = first if number == 1 else f"{first}-{number}"
                file = self.cases / f"{ref}.yaml"
                if not file.exists():
                    before, text = self._mentions.time(), written(self._filed(case))
                    _create(file, text)
                    self._mentions.made(file.name, text, before)
                    return ref
                record = _record(document.text(file), file)
                if record.key == case.key and not record.closed:
                    return ref
        raise TicketError(f"{self.cases}: every name from {first} to {first}-999 is taken", permanent=True)

    def update(self, ref: str, note: str) -> None:
        """See `TicketSystem.update`. A note that repeats the last one is its second delivery, and changes nothing."""
        self._append(ref, {"note": _block(note)})

    def close(self, ref: str, reason: str) -> None:
        """See `TicketSystem.close`."""
        self._append(ref, {"state": "closed", "note": _block(reason)})

    def replies(self, ref: str, since: datetime | None = None) -> tuple[Reply, ...]:  # noqa: ARG002 - the contract's
        """See `TicketSystem.replies`. A file does not know who wrote into it."""
        return ()

    def _read(self) -> tuple[list[Ticket], tuple[str, ...]]:
        if not self.directory.is_dir():
            return [], (f"{self.directory}: no such directory",)
        try:
            files = _yaml_files(self.directory)
        except OSError as error:
            return [], (f"{self.directory}: cannot be read: {error.strerror}",)
        seen: dict[str, tuple[Path, int]] = {}
        twice: set[str] = set()
        good: list[Ticket] = []
        problems: list[DocumentError] = []
        for file in files:
            entries, wrong = self._kept.of(file, partial(register_file.read, file, self.name))
            wrong = list(wrong)
            for one in entries:
                if one.ref in seen:
                    other, there = seen[one.ref]
                    wrong.append(DocumentError(file, one.line, f"ref '{one.ref}' stands in {other}:{there} as well"))
                    twice.add(one.ref)
                if one.ref:
                    seen.setdefault(one.ref, (file, one.line))
            good += [] if wrong else [ticket for one in entries for ticket in one.tickets]
            problems += sorted(wrong, key=lambda problem: problem.line)
        # Which of two tickets under one reference gives authority is not ours to guess.
        return [ticket for ticket in good if ticket.ref not in twice], tuple(map(str, problems))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Only one process writes cases at a time; failures of the file system become `TicketError`."""
        with _as_ticket_error(self.cases):
            self.cases.mkdir(exist_ok=True)
            handle = os.open(self.cases, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                yield
                os.fsync(handle)
            finally:
                os.close(handle)

    def _time(self) -> str:
        return f"{self._now():%Y-%m-%dT%H:%M:%SZ}"

    def _filed(self, case: Case) -> dict[str, Any]:
        at = self._time()
        return {
            "case": case.key,
            "title": clean(case.title),
            "state": "open",
            "severity": case.severity,
            "rules": list(case.rules),
            "controls": list(case.controls),
            "findings": list(case.findings),
            "body": _block(case.body),
            "history": [{"at": at, "state": "open"}],
        }

    def _append(self, ref: str, entry: dict[str, str]) -> None:
        file = self.cases / f"{ref}.yaml"
        if not _CASE_REF.fullmatch(ref) or not file.is_file():
            raise TicketError(f"{self.cases}: holds no case {clean(ref)}", permanent=True)
        with self._locked():
            text = document.text(file)
            record = _record(text, file)
            done = record.closed if "state" in entry else record.last_note == entry["note"].rstrip()
            if done:
                return
            if len(text.encode()) > FULL and "state" not in entry:
                raise TicketError(f"{file}: is full, and takes no more notes", permanent=True)
            tree = document.round_trip(text, file)
            tree["history"].append({"at": self._time(), **entry})
            if "state" in entry:
                tree["state"] = entry["state"]
            _replace(file, document.dump(tree))


@dataclass(frozen=True, slots=True)
class _Record:
    """What filing needs to know of a case file."""

    ref: str
    key: str
    findings: tuple[str, ...]
    closed: bool
    last_note: str


def _record(text: str, file: Path) -> _Record:
    """Raises `DocumentError`. Fields that people add are theirs."""
    data = document.parse(text, file).data
    if not isinstance(data, dict) or not {"case", "state", "history"} <= data.keys():
        raise DocumentError(file, 1, "a case file has the fields case, state and history")
    reader = Reader(file)
    history = reader.items(data["history"], "history")
    last = history[-1].data if history else None
    record = _Record(
        file.stem,
        key=reader.text(data["case"], "case"),
        findings=reader.texts(data.get("findings"), "findings"),
        closed=reader.text(data["state"], "state") == "closed",
        last_note=reader.text(last.get("note"), "note").rstrip() if isinstance(last, dict) else "",
    )
    if reader.problems:
        raise reader.problems[0]
    return record


def _meets(ticket: Ticket, start: datetime, end: datetime) -> bool:
    """Whether the window, open where it names no end, or an entry of the history lies in the interval."""
    planned = (ticket.start is None or ticket.start <= end) and (ticket.end is None or ticket.end >= start)
    return planned or any(start <= event.at <= end for event in ticket.history)


def _yaml_files(directory: Path) -> list[Path]:
    """Files by name; hidden ones are somebody's editor's. Raises OSError."""
    if not directory.exists():
        return []
    return sorted(
        file for file in directory.iterdir() if file.suffix in (".yaml", ".yml") and not file.name.startswith(".")
    )


def _block(text: str) -> str:
    safe = lines(text)
    return LiteralScalarString(safe + "\n") if "\n" in safe else safe


def _create(file: Path, content: str) -> None:
    """Whole or not at all, and never over an existing file. Raises OSError."""
    draft = _draft(file, content)
    try:
        os.link(draft, file)
    finally:
        draft.unlink()


def _replace(file: Path, content: str) -> None:
    _draft(file, content).replace(file)


def _draft(file: Path, content: str) -> Path:
    draft = file.with_name(f".{file.name}.draft")
    # One left by a crash may be the same file as a case, under a second name: never write into it.
    draft.unlink(missing_ok=True)
    with draft.open("x", encoding="utf-8") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    return draft


@contextlib.contextmanager
def _as_ticket_error(directory: Path) -> Iterator[None]:
    try:
        yield
    except DocumentError as error:
        raise TicketError(str(error)) from error
    except OSError as error:
        raise TicketError(f"{directory}: {error.strerror}") from error

"""Standing changes: pre-approved changes as files, each a ticket that any covered change may rest on until it ends.

Hides that they are read as exceptions are (whose, approved by whom, until when), that one nobody has approved is a
ticket without an approval, and that a signature dated back authorises nothing that was done before anybody saw it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent.clean import clean
from agent.config import reading
from agent.model import Ticket, TicketEvent, TicketScope
from agent.tickets.document import DocumentError, Reader, Value
from agent.tolerated.scope import scope
from agent.tolerated.terms import (
    SKEW,
    TERMS,
    Approvals,
    approved,
    content,
    entries,
    identifier,
    read_terms,
    statement,
    twice,
)

NAMING = ("addresses", "resources", "types", "tags", "names", "actions")
SCOPE = (*NAMING, "accounts", "environments", "attributes")
FIELDS = ("id", "title", *SCOPE, "groups", *TERMS)
KIND = "standing-change"
"""What its signed statement is called."""
LONGEST = timedelta(days=365)
SYSTEM = "standing"
ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
"""When a file was seen of which nobody can tell: the times of its signatures count as they stand."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The standing changes of a folder."""

    tickets: tuple[Ticket, ...] = ()
    """Ended ones as well: the test `window` says so of them. One that waits for its approval is not approved."""
    problems: tuple[str, ...] = ()
    """What is wrong with entries that are left out, and with approvals: they authorise nothing."""
    unread: tuple[str, ...] = ()
    """Reason per file that could not be read: what it would authorise is not known."""


def read(directory: Path, approvals: Approvals, now: datetime, seen: Callable[[Path], datetime | None]) -> Standing:
    """The standing changes of `directory/*.yaml`. A folder that is not there is unread: the configuration names it.

    `seen` tells since when a file is known with the content it has now; None: it was not before `now`. No approval in
    it counts from an earlier time, less what clocks may differ.
    """
    if not reading(directory).is_dir():
        return Standing(unread=(f"{directory}: no such directory",))
    listed = entries(directory)
    good: list[tuple[Ticket, str]] = []
    problems: list[str] = []
    since = {file: seen(file) for file in {file for file, _ in listed.found}}
    for file, value in listed.found:
        reader, known = Reader(file), since[file]
        ticket = _ticket(value, reader, approvals, now, now if known is None else known - SKEW)
        problems += [str(problem) for problem in sorted(reader.problems, key=lambda one: one.line)]
        if ticket is not None:
            good.append((ticket, f"{file}:{value.line}"))
    doubled = dict(twice((ticket.ref, place) for ticket, place in good))
    tickets = tuple(ticket for ticket, _ in good if ticket.ref not in doubled)
    return Standing(tickets, (*problems, *doubled.values()), listed.unread)


def entry(value: Value, file: Path, approvals: Approvals, now: datetime) -> Ticket:
    """One entry of a file, its approval as of its own time.

    Raises `DocumentError` for the first thing that is wrong with it or with its approval.
    """
    reader = Reader(file)
    found = _ticket(value, reader, approvals, now, ALWAYS)
    if reader.problems or found is None:
        raise min(
            reader.problems, key=lambda one: one.line, default=DocumentError(file, value.line, "is no standing change")
        )
    return found


def _ticket(value: Value, reader: Reader, approvals: Approvals, now: datetime, earliest: datetime) -> Ticket | None:
    fields = reader.fields(value, "a standing change", FIELDS)
    id_ = identifier(fields, value, reader, "STD-1")
    name = f"standing change {id_}" if id_ else "a standing change"
    patterns = scope(fields, value, reader, SCOPE, NAMING)
    groups = reader.texts(fields.get("groups"), "groups")
    title = clean(reader.text(fields.get("title"), "title"))
    terms = read_terms(fields, value, reader, LONGEST, approvals, name)
    if not groups:
        reader.wrong(fields.get("groups", value), f"{name} needs groups: whose members may make it")
    if terms is None or reader.problems:
        return None
    asked = statement(KIND, content(fields), approvals.estate)
    signed = approved(fields, terms, asked, reader, approvals, now, earliest)
    history = [TicketEvent(terms.since, state="proposed")]
    if signed is not None:
        history.append(TicketEvent(signed[1], state="approved", approved_by=terms.approver))
    return Ticket(
        ref=id_,
        system=SYSTEM,
        title=title or id_,
        kind="standard",
        requester=terms.owner,
        scope=TicketScope(**patterns),
        start=terms.since,
        end=terms.until,
        history=tuple(sorted(history, key=lambda event: event.at)),
        groups=groups,
    )

"""A Roundup change ticket's history, rebuilt from the tracker's journal; pure.

The journal keeps who changed what and when, with the old values. Hides walking it backwards from the present values,
and what an edit does to an approval given before it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import msgspec

from agent.clean import clean
from agent.model import Ticket, TicketEvent, TicketScope

KINDS: Mapping[str | None, Literal["standard", "emergency"]] = {"standard": "standard", "emergency": "emergency"}
"""Whatever else a tracker calls a change, it is a normal one: that asks for most."""
SCOPE = ("addresses", "resources", "types", "accounts")
TERMS = ("kind", "implementer", "window_start", "window_end", *SCOPE)
"""What an approval is given for."""
EDITED = "edited after approval"
"""State of terms that are no longer, or not yet again, the approved ones."""


class Name(msgspec.Struct):
    """A linked item of a class whose items have names."""

    id: str
    name: str


class User(msgspec.Struct):
    """A linked user."""

    username: str


class Change(msgspec.Struct):
    """A change ticket as it stands; every field is required, for the tracker leaves out what its reader may not see."""

    id: str
    title: str | None
    creator: User
    status: Name | None
    kind: Name | None
    implementer: User | None
    approved_by: list[User]
    window_start: str | None
    window_end: str | None
    addresses: str | None
    resources: str | None
    types: str | None
    accounts: str | None


class Entry(msgspec.Struct):
    """One entry of the journal."""

    at: str
    by: str
    action: str
    before: dict[str, str | list[tuple[Literal["+", "-"], list[str]]] | None]
    """Property → its old value; of a list, the names added and removed."""


@dataclass(frozen=True, slots=True)
class _Values:
    """What a ticket said at one time."""

    status: str | None
    terms: Mapping[str, str | None]
    """By `TERMS`."""


def tickets(change: Change, journal: Sequence[Entry], system: str, url: str) -> list[Ticket]:
    """The ticket once for each set of terms it had since somebody first agreed to it, oldest first.

    An approval is somebody adding *themselves* to `approved_by`; names that others add are no approval. An edit of
    the terms ends every approval, and the state: what was agreed to before says nothing about the new terms.
    Raises ValueError for a time that cannot be read.
    """
    found: list[Ticket] = []
    events: list[TicketEvent] = []
    approvers: set[str] = set()
    last: _Values | None = None
    agreed = False
    for entry, values in _replay(change, journal):
        at = _time(entry.at)
        if last and agreed and last.terms != values.terms:
            withdrawn = [TicketEvent(at, withdrawn_by=name) for name in sorted(approvers)]
            found.append(_ticket(change, last, [*events, TicketEvent(at, EDITED), *withdrawn], system, url))
            events, approvers, agreed = [TicketEvent(at, EDITED)], set(), False
        if entry.action == "retired":
            events.append(TicketEvent(at, "retired"))
        elif entry.action == "restored" or values.status != (last.status if last else None):
            events.append(TicketEvent(at, clean(values.status or "no status")))
            agreed = agreed or last is not None
        added, removed = _moved(entry, "+"), _moved(entry, "-")
        if entry.by in added:
            events.append(TicketEvent(at, approved_by=clean(entry.by)))
            agreed = True
        events += [TicketEvent(at, withdrawn_by=name) for name in sorted(approvers & removed)]
        approvers = (approvers | ({clean(entry.by)} & added)) - removed
        last = values
    return [*found, _ticket(change, _present(change), events, system, url)]


def _replay(change: Change, journal: Sequence[Entry]) -> list[tuple[Entry, _Values]]:
    """Each entry with the values it left behind, oldest first."""
    values = _present(change)
    steps = []
    for entry in reversed(journal):
        steps.append((entry, values))
        old = {name: value for name, value in entry.before.items() if not isinstance(value, list)}
        terms = {name: old.get(name, value) for name, value in values.terms.items()}
        values = _Values(old.get("status", values.status), terms)
    return steps[::-1]


def _present(change: Change) -> _Values:
    terms = {
        "kind": change.kind.name if change.kind else None,
        "implementer": change.implementer.username if change.implementer else None,
        "window_start": change.window_start,
        "window_end": change.window_end,
        "addresses": change.addresses,
        "resources": change.resources,
        "types": change.types,
        "accounts": change.accounts,
    }
    return _Values(change.status.name if change.status else None, terms)


def _moved(entry: Entry, side: Literal["+", "-"]) -> set[str]:
    """Names the entry added to `approved_by`, or removed from it."""
    moves = entry.before.get("approved_by")
    return (
        {clean(name) for sign, names in moves if sign == side for name in names} if isinstance(moves, list) else set()
    )


def _ticket(change: Change, values: _Values, events: Sequence[TicketEvent], system: str, url: str) -> Ticket:
    terms = values.terms
    start, end = terms["window_start"], terms["window_end"]
    return Ticket(
        f"change{change.id}",
        system,
        title=clean(change.title or ""),
        url=url,
        kind=KINDS.get(terms["kind"], "normal"),
        requester=clean(change.creator.username),
        implementer=clean(terms["implementer"] or ""),
        scope=TicketScope(**{name: _wildcards(terms[name]) for name in SCOPE}),
        start=_time(start) if start else None,
        end=_time(end) if end else None,
        history=tuple(events),
    )


def _wildcards(text: str | None) -> tuple[str, ...]:
    """One to a line."""
    return tuple(filter(None, (line.strip() for line in (text or "").splitlines())))


def _time(text: str) -> datetime:
    """Roundup's REST interface writes times in UTC, whole seconds: `2026-11-22.15:04:21`."""
    return datetime.strptime(text, "%Y-%m-%d.%H:%M:%S").replace(tzinfo=UTC)

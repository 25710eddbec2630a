"""A Roundup change ticket's history, rebuilt from the tracker's journal; pure.

The journal keeps who changed what and when, with the old values. Hides walking it backwards from the present values,
and whose word in it counts.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from agent.clean import clean
from agent.model import Ticket, TicketScope
from agent.tickets import history
from agent.tickets.history import Edit, Step, rewound
from agent.tickets.terms import KINDS, LISTS, Terms, fingerprint

LATER = ("environments", "tags", "names", "attributes", "actions", "plan", "groups")
"""Properties of a change that a tracker may be without."""
TERMS = ("kind", "implementer", "window_start", "window_end", "addresses", "resources", "types", "accounts", *LATER)
"""What an approval is given for."""


class Name(msgspec.Struct):
    """A linked item of a class whose items have names."""

    id: str
    name: str


class User(msgspec.Struct):
    """A linked user."""

    username: str


class Change(msgspec.Struct):
    """A change ticket as it stands; what is asked for is required, for the tracker leaves out what may not be seen."""

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
    environments: str | UnsetType | None = UNSET
    tags: str | UnsetType | None = UNSET
    names: str | UnsetType | None = UNSET
    attributes: str | UnsetType | None = UNSET
    actions: str | UnsetType | None = UNSET
    plan: str | UnsetType | None = UNSET
    groups: str | UnsetType | None = UNSET


class Entry(msgspec.Struct):
    """One entry of the journal."""

    at: str
    by: str
    action: str
    before: dict[str, str | list[tuple[Literal["+", "-"], list[str]]] | None]
    """Property → its old value; of a list, the names added and removed. Of a link, `to`: which item links here."""


def tickets(
    change: Change, journal: Sequence[Entry], system: str, url: str, asked: Collection[str] = ()
) -> list[Ticket]:
    """The ticket once for each set of terms it had since somebody first agreed to it, oldest first.

    An approval is somebody adding *themselves* to `approved_by`; names that others add are no approval. `asked` are the
    properties of `LATER` that the tracker has. Raises ValueError for a time that cannot be read, or a property that
    was asked for and did not come.
    """
    for name in asked:
        if getattr(change, name) is UNSET:
            raise ValueError(f"change{change.id}: its {name} may not be seen by our user")
    edits = [Edit(time(entry.at), entry.by, _old(entry), {}) for entry in journal]
    values, _ = rewound(_present(change), edits)
    now = _terms(values[-1])
    heading = Ticket(
        f"change{change.id}",
        system,
        title=clean(change.title or ""),
        url=url,
        kind=now.kind or "normal",
        requester=clean(change.creator.username),
        implementer=clean(now.implementer),
        scope=now.scope,
        start=now.start,
        end=now.end,
        plan=now.plan,
        groups=now.groups,
        incomplete="" if journal and journal[0].action == "create" else "its journal does not go back to its creation",
    )
    return history.tickets(heading, _steps(journal, values))


def time(text: str) -> datetime:
    """Roundup's REST interface writes times in UTC, whole seconds: `2026-11-22.15:04:21`. Raises ValueError."""
    return datetime.strptime(text, "%Y-%m-%d.%H:%M:%S").replace(tzinfo=UTC)


def _steps(journal: Sequence[Entry], values: Sequence[Mapping[str, str]]) -> list[Step]:
    steps: list[Step] = []
    for entry, was, now in zip(journal, values[:-1], values[1:], strict=True):
        state = now["status"] if not steps or entry.action == "restored" or now["status"] != was["status"] else None
        steps.append(
            Step(
                time(entry.at),
                "retired" if entry.action == "retired" else state,
                _terms(now),
                frozenset({entry.by} & _moved(entry, "+")),
                frozenset(_moved(entry, "-")),
            )
        )
    return steps


def _present(change: Change) -> dict[str, str]:
    later = {name: getattr(change, name) for name in LATER}
    return {
        "status": change.status.name if change.status else "",
        "kind": change.kind.name if change.kind else "",
        "implementer": change.implementer.username if change.implementer else "",
        "window_start": change.window_start or "",
        "window_end": change.window_end or "",
        "addresses": change.addresses or "",
        "resources": change.resources or "",
        "types": change.types or "",
        "accounts": change.accounts or "",
        **{name: "" if value is UNSET or value is None else value for name, value in later.items()},
    }


def _old(entry: Entry) -> dict[str, str]:
    return {name: value or "" for name, value in entry.before.items() if not isinstance(value, list)}


def _moved(entry: Entry, side: Literal["+", "-"]) -> set[str]:
    """Names the entry added to `approved_by`, or removed from it."""
    moves = entry.before.get("approved_by")
    return {name for sign, names in moves if sign == side for name in names} if isinstance(moves, list) else set()


def _terms(values: Mapping[str, str]) -> Terms:
    plan, problem = None, ""
    if named := values["plan"].strip():
        try:
            plan = fingerprint(named)
        except ValueError as error:
            problem = str(error)
    scope = {name: _wildcards(values[name]) for name in LISTS}
    if any("=" not in item for item in scope["tags"]):
        problem = "an item of 'tags' is Name=value"
    start, end = values["window_start"], values["window_end"]
    return Terms(
        # Whatever else a tracker calls a change, it is a normal one: that asks for most.
        KINDS.get(values["kind"], "normal"),
        values["implementer"],
        TicketScope(**scope),
        time(start) if start else None,
        time(end) if end else None,
        plan,
        _wildcards(values["groups"]),
        problem,
    )


def _wildcards(text: str) -> tuple[str, ...]:
    """One to a line."""
    return tuple(filter(None, (line.strip() for line in text.splitlines())))

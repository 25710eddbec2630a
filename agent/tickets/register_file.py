"""A file of the register → its tickets, each with the line it starts on, and all that is wrong with it.

Hides the format that `docs/tickets.md` describes, and how the terms before an edit are put together again.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from agent.clean import clean
from agent.model import Ticket, TicketScope
from agent.tickets import document, history
from agent.tickets.document import DocumentError, Reader, Value
from agent.tickets.history import Step
from agent.tickets.terms import KINDS, LISTS, Terms, fingerprint

TERMS: Mapping[str, tuple[str, ...]] = {
    "kind": ("kind",),
    "implementer": ("implementer",),
    "scope": ("scope",),
    "window": ("start", "end"),
    "plan": ("plan",),
    "groups": ("groups",),
}
"""Fields that an approval is given for, and what they are in `Terms`."""
TICKET = ("ref", "title", "kind", "requester", "implementer", "url", "scope", "window", "plan", "groups", "history")
WINDOW = ("start", "end")
NEWS = ("state", "approved_by", "withdrawn_by", "edited")
EVENT = ("at", *NEWS, "group")

_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/#-]{0,63}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One ticket as a file has it."""

    line: int
    ref: str
    tickets: tuple[Ticket, ...]
    """Once for each set of terms it had since somebody first agreed to it."""


def read(file: Path, system: str) -> tuple[list[Entry], list[DocumentError]]:
    """The tickets of a file, and every problem with it. Never raises."""
    try:
        value = document.parse(document.text(file), file)
    except DocumentError as error:
        return [], [error]
    if value.data is None:
        return [], []
    reader = Reader(file)
    entries = [value]
    if isinstance(value.data, dict) and "tickets" in value.data:
        entries = reader.items(reader.fields(value, "the file", ("tickets",)).get("tickets"), "tickets")
    return [_entry(entry, system, reader) for entry in entries], reader.problems


def _entry(value: Value, system: str, reader: Reader) -> Entry:
    fields = reader.fields(value, "a ticket", TICKET)
    said = {name: clean(reader.text(fields.get(name), name)) for name in ("title", "requester", "url")}
    ref = reader.text(fields.get("ref"), "ref")
    if "ref" not in fields:
        reader.wrong(value, "a ticket needs a ref, for example ref: CHG-1042")
    elif not _REF.fullmatch(ref):
        reader.wrong(fields["ref"], "'ref' is up to 64 letters, digits and . _ : / # -, for example CHG-1042")
    if said["url"] and not said["url"].startswith(("https://", "http://")):
        reader.wrong(fields["url"], "'url' must start with https:// or http://")
    terms = _terms(fields, reader)
    heading = Ticket(
        ref,
        system,
        title=said["title"],
        url=said["url"],
        kind=terms.kind or "normal",
        requester=said["requester"],
        implementer=terms.implementer,
        scope=terms.scope,
        start=terms.start,
        end=terms.end,
        plan=terms.plan,
        groups=terms.groups,
    )
    steps = _steps(reader.items(fields.get("history"), "history"), terms, reader)
    return Entry(value.line, ref, tuple(history.tickets(heading, steps)))


def _terms(fields: Mapping[str, Value], reader: Reader) -> Terms:
    """What a ticket, or an entry of its history, says of what is to be approved."""
    kind = KINDS.get(reader.text(fields.get("kind"), "kind") or "normal")
    if kind is None:
        reader.wrong(fields["kind"], f"'kind' must be {', '.join(KINDS)}, not {fields['kind'].shape}")
    window = reader.fields(fields["window"], "'window'", WINDOW) if "window" in fields else {}
    start, end = (reader.time(window.get(name), name) for name in WINDOW)
    if start and end and end <= start:
        reader.wrong(window["end"], "'end' must be later than 'start'")
    scope = reader.fields(fields["scope"], "'scope'", LISTS) if "scope" in fields else {}
    for item in reader.items(scope.get("tags"), "tags"):
        if isinstance(item.data, str) and "=" not in item.data:
            reader.wrong(item, f"an item of 'tags' must be Name=value, not {item.shape}")
    plan = None
    if named := reader.text(fields.get("plan"), "plan"):
        try:
            plan = fingerprint(named)
        except ValueError as error:
            reader.wrong(fields["plan"], str(error))
    return Terms(
        kind,
        clean(reader.text(fields.get("implementer"), "implementer")),
        TicketScope(**{name: reader.texts(scope.get(name), name) for name in LISTS}),
        start,
        end,
        plan,
        reader.texts(fields.get("groups"), "groups"),
    )


def _steps(entries: Iterable[Value], terms: Terms, reader: Reader) -> list[Step]:
    """The steps that led to the present terms, oldest first."""
    steps: list[Step] = []
    edits: list[tuple[int, Terms, list[str]]] = []
    for entry in entries:
        fields = reader.fields(entry, "a history entry", EVENT)
        at = reader.time(fields.get("at"), "at")
        names = ("state", "approved_by", "withdrawn_by", "group")
        said = {name: clean(reader.text(fields.get(name), name)) for name in names}
        if "at" not in fields:
            reader.wrong(entry, "a history entry needs a time, for example at: 2026-11-22T10:00:00Z")
        if not any(name in fields for name in NEWS):
            reader.wrong(entry, "a history entry needs a state, approved_by, withdrawn_by or edited")
        if said["group"] and not said["approved_by"]:
            reader.wrong(
                fields["group"], "'group' is the group that 'approved_by' speaks for; there is no approval here"
            )
        if at and steps and at < steps[-1].at:
            above = f"{steps[-1].at:%Y-%m-%dT%H:%M:%SZ}"
            reader.wrong(entry, f"history runs forward in time, and the entry above is of {above}")
        if "edited" in fields:
            edits.append((len(steps), *_edited(fields["edited"], reader)))
        if at:
            approved, withdrawn = (frozenset(filter(None, (said[name],))) for name in ("approved_by", "withdrawn_by"))
            steps.append(Step(at, said["state"] or None, None, approved, withdrawn, said["group"]))
    for number, before, names_edited in reversed(edits):
        if number < len(steps):
            steps[number] = replace(steps[number], terms=terms)
        terms = replace(terms, **{name: getattr(before, name) for name in names_edited})
    # The creation knows the terms it all began with.
    return [replace(steps[0], terms=terms), *steps[1:]] if steps else []


def _edited(value: Value, reader: Reader) -> tuple[Terms, list[str]]:
    """What the edited fields said before, and which fields of `Terms` those are. An empty field was not set."""
    fields = reader.fields(value, "'edited', which holds what was said before,", tuple(TERMS))
    if isinstance(value.data, dict) and not value.data:
        reader.wrong(value, f"'edited' names what was edited, with what it said before: any of {', '.join(TERMS)}")
    edited = [name for name in TERMS if isinstance(value.data, dict) and name in value.data]
    return _terms(fields, reader), [name for field in edited for name in TERMS[field]]

"""A GitLab issue's or merge request's history, from its label and state events and its system notes; pure.

Hides which system note means what: GitLab writes them in English, whatever language its users read
(https://gitlab.com/gitlab-org/gitlab/-/tree/master/app/services/system_notes). Shapes:
https://docs.gitlab.com/api/resource_label_events/, https://docs.gitlab.com/api/resource_state_events/,
https://docs.gitlab.com/api/notes/
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Annotated

import msgspec
from msgspec import Meta

from agent.clean import clean
from agent.model import Ticket, TicketEvent
from agent.tickets.approvals import CLOSED, MERGED, OPEN, Standing
from agent.tickets.history import Step, tickets
from agent.tickets.terms import Terms, terms_of

Time = Annotated[datetime, Meta(tz=True)]
EDITED = "changed the description"
UNKNOWN = Terms(problem="its description was edited later, and GitLab does not tell what it said before")
STATES = {"opened": "", "reopened": "", "closed": CLOSED, "merged": MERGED}
"""State events → what is over."""
SLACK = timedelta(seconds=2)
"""How far times may run against ids: two processes write at once."""

_PUSHED = re.compile(r"added \d+ (?:new )?commits?\b")
_RESET = re.compile(r"reset approvals from ")
_MENTION = re.compile(r"@([A-Za-z0-9_][A-Za-z0-9_.-]{0,254})")


class User(msgspec.Struct):
    """A user."""

    username: str


class Label(msgspec.Struct):
    """A label."""

    name: str


class LabelEvent(msgspec.Struct):
    """A label was set or taken off; `label` is None where it was deleted since."""

    id: int
    user: User | None
    created_at: Time
    label: Label | None
    action: str


class StateEvent(msgspec.Struct):
    """It was closed, opened again or merged."""

    id: int
    user: User | None
    created_at: Time
    state: str


class Note(msgspec.Struct):
    """A comment, or what GitLab notes down itself."""

    id: int
    body: str
    author: User | None
    created_at: Time
    updated_at: Time
    system: bool


class Item(msgspec.Struct):
    """An issue or a merge request."""

    iid: int
    title: str
    description: str | None
    state: str
    web_url: str
    author: User | None
    created_at: Time
    updated_at: Time
    labels: list[str]


@dataclass(frozen=True, slots=True)
class Record:
    """Everything that GitLab keeps of an item's past."""

    labels: Sequence[LabelEvent] = ()
    states: Sequence[StateEvent] = ()
    notes: Sequence[Note] = ()
    approvers: frozenset[str] | None = None
    """Whose approval stands now; None: not asked."""


def name(user: User | None) -> str:
    """What a user is called."""
    return user.username if user else "ghost"  # what GitLab calls users that were deleted


def history(item: Item, record: Record, label: str, stale: bool, heading: Ticket) -> list[Ticket]:
    """The ticket once for each set of terms (see `history.tickets`), with who approved what, and when that ended.

    `label`: whose setting is an approval. `stale`: whether approvals end with the next commit. Whoever edits the
    description ends every approval, because GitLab does not tell whether the terms were edited.
    """
    edits = [note.created_at for note in record.notes if note.system and note.body.strip() == EDITED]
    last = terms_of(item.description or "")
    first = UNKNOWN if edits else last
    acts = _acts(record, label, stale)
    if edits:
        acts.append((max(edits), lambda at, standing: standing.edit(at, last)))
    found = [Step(item.created_at, OPEN, first), *_told(acts, first)]
    return tickets(replace(heading, incomplete="; ".join(filter(None, (heading.incomplete, _disorder(record))))), found)


def reviews(record: Record, stale: bool) -> tuple[TicketEvent, ...]:
    """Approvals of a merge request and their ends, oldest first."""
    found: list[TicketEvent] = []
    for step in _told(_acts(record, "", stale), Terms()):
        found += [TicketEvent(step.at, approved_by=clean(one)) for one in sorted(step.approved)]
        found += [TicketEvent(step.at, withdrawn_by=clean(one)) for one in sorted(step.withdrawn)]
    return tuple(found)


Act = Callable[[datetime, Standing], list[Step]]


def _told(acts: Sequence[tuple[datetime, Act]], terms: Terms) -> list[Step]:
    standing = Standing(terms)
    return [step for at, act in sorted(acts, key=lambda one: one[0]) for step in act(at, standing)]


def _acts(record: Record, label: str, stale: bool) -> list[tuple[datetime, Act]]:
    """What happened, and when."""
    found: list[tuple[datetime, Act]] = [
        *((event.created_at, _labelled(event)) for event in record.labels if event.label and event.label.name == label),
        *((event.created_at, _turned(event)) for event in record.states if event.state in STATES),
    ]
    noted = [note for note in record.notes if note.system]
    acts = [(note.created_at, _noted(note, stale, frozenset())) for note in noted]
    if record.approvers is not None:
        standing = Standing(Terms())
        for at, act in sorted(acts, key=lambda one: one[0]):
            act(at, standing)
        lost = frozenset(standing.given.values()) - record.approvers
        acts = [(note.created_at, _noted(note, stale, lost)) for note in noted]
    return [*found, *acts]


def _labelled(event: LabelEvent) -> Act:
    who = name(event.user)
    return lambda at, standing: standing.label(at, who) if event.action == "add" else standing.unlabel(at)


def _turned(event: StateEvent) -> Act:
    return lambda at, standing: standing.turn(at, STATES[event.state])


def _noted(note: Note, stale: bool, lost: frozenset[str]) -> Act:
    """What a system note tells. Approvals by those in `lost` were taken away, and GitLab does not tell when."""
    who, said = name(note.author), note.body.strip()
    if said == "approved this merge request":
        if who in lost:
            return lambda at, standing: standing.approve_in_vain(at, who)
        return lambda at, standing: standing.approve(at, who, who)
    if said == "unapproved this merge request":
        return lambda at, standing: standing.end(at, [who])
    if said.startswith("requested changes"):
        return lambda at, standing: standing.refuse(at, who, who)
    if _RESET.match(said):
        named = [one.rstrip(".") for one in _MENTION.findall(said)]
        return lambda at, standing: standing.end(at, named)
    if stale and _PUSHED.match(said):
        return lambda at, standing: standing.end(at, list(standing.given))
    return _nothing


def _nothing(_at: datetime, _standing: Standing) -> list[Step]:
    return []


def _disorder(record: Record) -> str:
    """Why the times cannot be relied on: owners may write notes with a time of their choice, and ids still grow."""
    kept: tuple[Sequence[LabelEvent | StateEvent | Note], ...] = (record.labels, record.states, record.notes)
    for dated in kept:
        times = [at for _, at in sorted((one.id, one.created_at) for one in dated)]
        if any(later < before - SLACK for before, later in pairwise(times)):
            return "its history is not in order: somebody dated a part of it themselves"
    return ""

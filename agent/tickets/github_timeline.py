"""A GitHub issue's or pull request's history, from its timeline and the versions of its text; pure.

Hides which event means what: the approval label and who set it, reviews and what becomes of them when they are
dismissed or when commits follow, and what is known of a text that was edited.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from agent.clean import clean
from agent.model import Ticket, TicketEvent
from agent.tickets.approvals import CLOSED, MERGED, OPEN, Standing
from agent.tickets.history import Step, tickets
from agent.tickets.terms import Terms, terms_of

Time = Annotated[datetime, Meta(tz=True)]
ORIGINAL = timedelta(seconds=5)
"""How much later than the issue its first version may be dated, and be the text it was opened with."""


class Actor(msgspec.Struct):
    """Whoever did something."""

    login: str
    kind: str = msgspec.field(name="__typename", default="User")


class Label(msgspec.Struct):
    """A label."""

    name: str


class Oid(msgspec.Struct):
    """A commit."""

    oid: str


class Id(msgspec.Struct):
    """Something that is referred to."""

    id: str


class Event(msgspec.Struct, rename="camel"):
    """One item of a timeline: each kind has some of these."""

    kind: str = msgspec.field(name="__typename")
    created_at: Time
    id: str = ""
    actor: Actor | None = None
    author: Actor | None = None
    """Of a review."""
    label: Label | None = None
    state: str = ""
    """Of a review, as it is now: `DISMISSED` says nothing of what it was."""
    submitted_at: Time | None = None
    commit: Oid | None = None
    """The head that was reviewed; None where a push removed it."""
    review: Id | None = None
    """The review that was dismissed."""
    previous_review_state: str = ""


class PageInfo(msgspec.Struct, rename="camel"):
    """Where a list goes on."""

    has_next_page: bool
    end_cursor: str | None = None


class Timeline(msgspec.Struct, rename="camel"):
    """A page of a timeline; None stands for what we may not see."""

    nodes: list[Event | None]
    page_info: PageInfo


class Version(msgspec.Struct, rename="camel"):
    """One edit of a text."""

    edited_at: Time
    diff: str | None
    """Called a summary of the changes, and in fact the whole text after the edit; None where it was deleted."""


class Item(msgspec.Struct, rename="camel"):
    """An issue or a pull request."""

    kind: str = msgspec.field(name="__typename")
    number: int
    title: str
    url: str
    body: str
    created_at: Time
    author: Actor | None
    last_edited_at: Time | None
    timeline_items: Timeline
    head_ref_oid: str = ""
    """Of a pull request."""


def name(actor: Actor | None) -> str:
    """What an actor is called: bots and imported identities are marked, as their names may be a user's too."""
    if actor is None:
        return "ghost"  # what GitHub calls accounts that were deleted
    return actor.login if actor.kind == "User" else f"{actor.login.removesuffix('[bot]')}[{actor.kind.lower()}]"


def history(
    item: Item, events: Sequence[Event], versions: Sequence[Version] | str, label: str, stale: bool, heading: Ticket
) -> list[Ticket]:
    """The ticket once for each set of terms (see `history.tickets`), with who approved what, and when that ended.

    `events`: the whole timeline. `versions`: those of the text, or why they are not known. `label`: whose setting is
    an approval. `stale`: whether an approval ends with the next commit; when that came nobody but its author says, so
    that such an approval is shown and never counts. Whoever edits the terms ends every approval, the label's too: it
    must be set again.
    """
    first = _first(item, versions)
    reading, standing = _Reading(label, stale, item.head_ref_oid, _dismissed(events)), Standing(first)
    found = [Step(item.created_at, OPEN, first)]
    moments: list[tuple[datetime, Event | Terms]] = [
        (event.submitted_at or event.created_at, event) for event in events
    ]
    # An edit comes after what happened in the same second: it must not profit from being in doubt.
    moments += _edits(item, versions)
    for at, what in sorted(moments, key=lambda one: one[0]):
        found += standing.edit(at, what) if isinstance(what, Terms) else reading.steps(at, what, standing)
    return tickets(heading, found)


def reviews(events: Sequence[Event], head: str, stale: bool, without: frozenset[str]) -> tuple[TicketEvent, ...]:
    """Approvals of a pull request and their ends, oldest first; those by people in `without` are left out."""
    reading, standing = _Reading("", stale, head, _dismissed(events)), Standing(Terms())
    found: list[TicketEvent] = []
    for event in sorted(events, key=lambda event: event.submitted_at or event.created_at):
        at = event.submitted_at or event.created_at
        for step in reading.steps(at, event, standing):
            found += [TicketEvent(at, approved_by=clean(one)) for one in sorted(step.approved - without)]
            found += [TicketEvent(at, withdrawn_by=clean(one)) for one in sorted(step.withdrawn - without)]
    return tuple(found)


def _dismissed(events: Sequence[Event]) -> Mapping[str, str]:
    """Id of each review that was dismissed → what it said before."""
    found = (event for event in events if event.kind == "ReviewDismissedEvent")
    return {event.review.id: event.previous_review_state for event in found if event.review}


def _first(item: Item, versions: Sequence[Version] | str) -> Terms:
    """What the item asked for when it was opened."""
    if item.last_edited_at is None:
        return terms_of(item.body)
    if isinstance(versions, str):
        return Terms(problem=f"its text was edited later, {versions}")
    first = min(versions, key=lambda version: version.edited_at, default=None)
    if first and first.diff is not None and _whole(item, versions) and first.edited_at <= item.created_at + ORIGINAL:
        return terms_of(first.diff)
    return Terms(problem="its text was edited later, and GitHub does not tell what it said at first")


def _edits(item: Item, versions: Sequence[Version] | str) -> Iterator[tuple[datetime, Terms]]:
    """When the text was edited, and what it said then."""
    if item.last_edited_at is None:
        return
    if not isinstance(versions, str) and _whole(item, versions):
        for version in sorted(versions, key=lambda version: version.edited_at):
            gone = Terms(problem="a version of its text was deleted")
            yield version.edited_at, gone if version.diff is None else terms_of(version.diff)
    else:
        yield item.last_edited_at, terms_of(item.body)


def _whole(item: Item, versions: Sequence[Version]) -> bool:
    """Whether the versions are what they have been found to be, whole texts: the newest must be the present one."""
    newest = max(versions, key=lambda version: version.edited_at, default=None)
    return newest is not None and newest.diff is not None and _same(newest.diff, item.body)


def _same(text: str, other: str) -> bool:
    return text.replace("\r\n", "\n").strip() == other.replace("\r\n", "\n").strip()


@dataclass(frozen=True, slots=True)
class _Reading:
    """How events are read."""

    label: str
    stale: bool
    head: str
    previous: Mapping[str, str]
    """Id of a review that was dismissed → what it said before."""

    def steps(self, at: datetime, event: Event, standing: Standing) -> list[Step]:
        """What an event does."""
        match event.kind:
            case "LabeledEvent" if self._approves(event):
                return standing.label(at, name(event.actor))
            case "UnlabeledEvent" if self._approves(event):
                return standing.unlabel(at)
            case "MergedEvent":
                return standing.turn(at, MERGED)
            case "ClosedEvent":
                return standing.turn(at, CLOSED)
            case "ReopenedEvent":
                return standing.turn(at, "")
            case "PullRequestReview":
                return self._reviewed(at, event, standing)
            case "ReviewDismissedEvent" if event.review:
                return standing.end(at, [event.review.id])
        return []

    def _approves(self, event: Event) -> bool:
        return bool(self.label) and event.label is not None and event.label.name.lower() == self.label.lower()

    def _reviewed(self, at: datetime, event: Event, standing: Standing) -> list[Step]:
        said = self.previous.get(event.id, "") if event.state == "DISMISSED" else event.state
        who = name(event.author)
        if said == "CHANGES_REQUESTED":
            return standing.refuse(at, who, event.id)
        if said != "APPROVED":
            return []
        if self.stale and (event.commit is None or event.commit.oid != self.head):
            return standing.approve_in_vain(at, who)
        return standing.approve(at, who, event.id)

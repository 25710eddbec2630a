"""What became of an emergency by what people declared: documents, reviews, deadlines.

Hides whose review counts, that a document covers nothing that was done after it and a review nothing that came to
light after it, that a rejected one must be written anew, and that calls outlive the trail they were read from.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.clean import clean, plural
from agent.emergency.calls import Gathered, grant_of, nobodys, session
from agent.model import (
    Arrival,
    Case,
    CaseKey,
    Declaration,
    Document,
    Emergency,
    EmergencyState,
    Opening,
    Proof,
    Review,
)
from agent.people import Users

_NOTES = 12
"""Notes of one emergency; replies in a ticket are anybody's, and of any number."""
_ARRIVALS = 20
"""Of one emergency that are kept: whether a review saw all of it, the last of them says."""


def case_key(grant: str) -> CaseKey:
    """Key of the case that is opened for an emergency, unless an earlier case holds its calls already."""
    return CaseKey(hashlib.blake2b(grant.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest())


def said_at(declaration: Declaration) -> datetime:
    """When a declaration counts from: of a ticket's comment and an offline file when it was said, else when it came."""
    by = declaration.by
    dated = by.how == "ticket" or (isinstance(declaration, Opening | Document) and declaration.offline)
    return min(by.said_at, by.received_at) if dated else by.received_at


@dataclass(frozen=True, slots=True)
class _Calls:
    """What is known of an emergency's calls, those that the trail no longer shows among them."""

    times: tuple[datetime, ...]
    events: tuple[str, ...]
    actors: tuple[str, ...]
    deadline: datetime
    late: bool
    """It was documented late before."""
    arrivals: tuple[Arrival, ...]


@dataclass(frozen=True, slots=True)
class _Course:
    """How an emergency went: the document and the review that count."""

    document: Document | None
    review: Review | None
    late: bool
    notes: tuple[str, ...]
    earlier: tuple[Review, ...]


class Courses:
    """Declarations by case, and the rules by which they count."""

    def __init__(
        self, declarations: Sequence[Declaration], users: Users, document_within: timedelta, now: datetime
    ) -> None:
        """`declarations` are those that count at `now`."""
        self.users, self.within, self.at = users, document_within, now
        self._by_case: dict[str, dict[str, Document | Review]] = defaultdict(dict)
        for one in declarations:
            # The review after the work comes when all this is over.
            if isinstance(one, Document) or (isinstance(one, Review) and not one.post_implementation):
                self._by_case[one.case][one.id] = one

    def emergency(self, one: Gathered, cases: Sequence[Case]) -> Emergency:
        """The emergency as it stands; `cases` are those that hold calls of it."""
        cases = sorted(cases, key=lambda case: _rank(case, one.id))
        calls = self._calls(one, cases)
        sessions = {session(change) for change in one.calls.values() if change.actor.role}
        keys = {case_key(one.id), *(case.key for case in cases), *(case_key(grant_of(name)) for name in sessions)}
        said = {name: item for key in keys for name, item in self._by_case.get(key, {}).items()}
        course = self._course(calls, list(said.values()))
        return Emergency(
            id=one.id,
            case=cases[0].key if cases else case_key(one.id),
            person=calls.actors[0],
            how=one.how,
            first=calls.times[0],
            last=calls.times[-1],
            deadline=calls.deadline,
            events=calls.events,
            state=self._state(course, calls.deadline),
            opening=one.opening,
            document=course.document,
            review=course.review,
            late=course.late,
            notes=_bounded([*_offline(one.opening), *nobodys(one), *course.notes]),
            actors=calls.actors,
            arrivals=calls.arrivals,
            earlier=course.earlier,
        )

    def _calls(self, one: Gathered, cases: Sequence[Case]) -> _Calls:
        """The calls seen now and those the cases remember; who acted first stands first."""
        seen = one.ordered()
        events = {event for change in seen for event in change.event_ids}
        kept = [
            each
            for case in cases
            for each in case.emergencies
            if each.id == one.id or not events.isdisjoint(each.events)
        ]
        own = [case for case in cases if case.grant == one.id]
        known = {event for each in kept for event in each.events} | {event for case in own for event in case.events}
        times = sorted({*(change.time for change in seen), *(at for each in kept for at in (each.first, each.last))})
        # Changed configuration moves no deadline that was told; only another call does.
        told = [at for at in (*(each.deadline for each in kept), *(case.deadline for case in own)) if at is not None]
        more = any(known.isdisjoint(change.event_ids) for change in seen)
        due = [*told, *([times[-1] + self.within] if more or not told else [])]
        who = [name for each in kept for name in each.actors or (each.person,)]
        return _Calls(
            times=tuple(times),
            events=tuple(
                dict.fromkeys(
                    [
                        *(event for each in kept for event in each.events),
                        *(event for change in seen for event in change.event_ids),
                    ]
                )
            ),
            actors=tuple(dict.fromkeys([*who, *(change.actor.person or change.actor.name for change in seen)])),
            deadline=max(due),
            late=any(each.late for each in kept),
            arrivals=self._arrivals(one, cases, kept),
        )

    def _arrivals(self, one: Gathered, cases: Sequence[Case], kept: Sequence[Emergency]) -> tuple[Arrival, ...]:
        """Calls that came to light now, if it has a case already, after those that did before.

        Not that the role was entered, which whoever saw the calls knew.
        """
        known = {event for case in cases for event in case.events} | {event for each in kept for event in each.events}
        new = [ids for ids in one.calls if ids not in one.entered and known.isdisjoint(ids)] if cases else []
        told = {(each.at, each.calls): each for before in kept for each in before.arrivals}
        before = sorted(told.values(), key=lambda each: (each.at, each.calls))
        return tuple([*before, *([Arrival(self.at, len(new))] if new else [])][-_ARRIVALS:])

    def _course(self, calls: _Calls, said: Sequence[Document | Review]) -> _Course:
        """What counts, in the order of time: calls before the document that covers them, documents before reviews,
        and reviews before what came to light after them."""
        document: Document | None = None
        review: Review | None = None
        passed: Review | None = None  # it counted until more calls arrived
        late, missed = calls.late, "nothing was documented before it"
        notes, earlier, unseen = list[str](), list[Review](), dict[Review, int]()
        for at, _, _, item in _timeline(calls, said):
            match item:
                case None:
                    if document is not None:
                        written = f"{_whose(document)} of {_time(said_at(document))}"
                        notes.append(f"calls were made after {written}: it does not cover them")
                        missed = "calls were made before it that no document covered"
                    earlier += [review] if review is not None and review.accepted else []
                    document = review = None
                case Arrival():
                    if review is not None and review.accepted:
                        earlier.append(review)
                        passed, review = review, None
                    if passed is not None:
                        unseen[passed] = unseen.get(passed, 0) + item.calls
                case Document():
                    if review is not None and review.accepted:
                        notes.append(f"{_whose(item)} of {_time(at)} came after the review: it changes nothing")
                        continue
                    # What only adds to a document that was in time is not late.
                    late = late or ((document is None or review is not None) and self._is_late(at, calls))
                    document, review = item, None
                case _:
                    refusal = self._refusal(item, document, review, calls) if document else missed
                    if refusal:
                        notes.append(f"review by {clean(item.by.person)} of {_time(at)} does not count: {refusal}")
                    else:
                        review, passed = item, None
        notes += [_unseen(one, count) for one, count in unseen.items()]
        return _Course(document, review, late, tuple(notes), tuple(earlier))

    def _is_late(self, at: datetime, calls: _Calls) -> bool:
        """Whether a document was written after the deadline as it was then."""
        if calls.times[-1] <= at:
            return at > calls.deadline
        before = [time for time in calls.times if time <= at]
        return bool(before) and at > before[-1] + self.within

    def _refusal(self, review: Review, document: Document, earlier: Review | None, calls: _Calls) -> str:
        """Why a review of a document does not count; empty where it does."""
        if earlier is not None and not earlier.accepted:
            return "the document was rejected, and not written anew"
        who = self._names(review.by)
        if any(self._one(actor, review.by.said_at) in who for actor in calls.actors):
            return "who acted cannot review"
        if not who.isdisjoint(self._names(document.by)):
            return "who wrote the document cannot review it"
        return ""

    def _names(self, by: Proof) -> set[str]:
        return {self._one(name, by.said_at) for name in (by.person, by.principal) if name}

    def _one(self, name: str, at: datetime) -> str:
        """One name for a person, whichever of theirs it is."""
        return self.users.person(name, at).casefold()

    def _state(self, course: _Course, deadline: datetime) -> EmergencyState:
        if course.document is None:
            return "overdue" if self.at > deadline else "awaiting-document"
        if course.review is None:
            return "awaiting-review"
        return "accepted" if course.review.accepted else "rejected"


def _rank(case: Case, grant: str) -> tuple[bool, bool, bool, str, str]:
    """Which of several cases an emergency is answered in: one that is open, its own, the oldest."""
    opened = f"{case.opened_at:%Y-%m-%dT%H:%M:%S.%f}" if case.opened_at else ""
    its = case.grant == grant or any(kept.id == grant for kept in case.emergencies)
    return case.state == "closed", not its, not opened, opened, case.key


_Moment = tuple[datetime, int, str, Arrival | Document | Review | None]


def _timeline(calls: _Calls, said: Sequence[Document | Review]) -> list[_Moment]:
    """Calls (None), documents, reviews and arrivals as they happened; a document of the same moment covers the call, a
    review of the same moment did not see what arrived."""
    moments: list[_Moment] = [(at, 0, "", None) for at in calls.times]
    moments += [(said_at(one), 1 if isinstance(one, Document) else 2, one.id, one) for one in said]
    moments += [(one.at, 3, "", one) for one in calls.arrivals]
    return sorted(moments, key=lambda moment: moment[:3])


def _offline(opening: Opening | None) -> list[str]:
    if opening is None or not opening.offline:
        return []
    by = opening.by
    word = f"that it was at {_time(by.said_at)} is {clean(by.person)}'s word"
    return [f"declared offline: {word}, received {_time(by.received_at)}"]


def _bounded(notes: Sequence[str]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(notes))
    return found if len(found) <= _NOTES else (*found[:_NOTES], f"and {len(found) - _NOTES:,} more notes")


def _unseen(review: Review, count: int) -> str:
    said = f"the review by {clean(review.by.person)} of {_time(said_at(review))}"
    return f"{plural(count, 'call')} arrived after {said} (accepted): it does not cover them"


def _whose(document: Document) -> str:
    return f"{clean(document.by.person)}'s document"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"

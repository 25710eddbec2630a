"""What a declaration is about: a case as the store knows it, who acted in it, and how far its paperwork is.

Hides the names a case goes by, and that a window is known before the first scan that sees calls in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from agent.clean import clean
from agent.declare.speakers import Refused, is_same, names_of
from agent.emergency import case_key, grant_of, said_at
from agent.model import Case, Change, Directory, Document, Finding, Opening, Review
from agent.people import folded
from agent.store import Store

_SHORTEST = 6  # characters of a key that name a case


class Unheard(Refused):
    """It is about a case that nobody knows yet: it may be known after the next scan."""


@dataclass(frozen=True, slots=True)
class Matter:
    """A case or a window, with what was done in it and what was declared about it."""

    key: str
    """Of the case that is, or will be, opened for it."""
    case: Case | None
    """None: no scan has seen a call of it yet."""
    openings: tuple[Opening, ...]
    """The windows that its calls fell into."""
    changes: tuple[Change, ...]
    """The case's own calls, as far as the store knows them, in order of time."""
    document: Document | None
    """The last one."""
    review: Review | None
    """The last one, where it was given after the last document."""
    post_implementation: Review | None = None
    earlier: tuple[Review, ...] = ()
    """The other reviews before the work was over, oldest first."""

    @property
    def emergency(self) -> bool:
        """Whether it is break-glass."""
        return bool(self.openings) or bool(self.case and self.case.grant)

    @property
    def grants(self) -> tuple[str, ...]:
        """Ids of the emergencies it is about, the case's own first."""
        windows = (grant_of(one.id) for one in self.openings)
        return tuple(dict.fromkeys((*(_grants(self.case) if self.case else ()), *windows)))

    @property
    def times(self) -> tuple[datetime, ...]:
        """When its calls were made, as far as that is known: at least the first and the last."""
        kept = self.case.emergencies if self.case else ()
        known = (at for one in kept for at in (one.first, one.last))
        return tuple(sorted({*(change.time for change in self.changes), *known}))

    @property
    def seen(self) -> bool:
        """Whether a scan has seen its calls: before that nobody can judge what was done."""
        return self.case is not None and bool(self.case.events or self.case.emergencies)

    @property
    def uncovered(self) -> bool:
        """Whether a call was made after the document, which then says nothing of it."""
        return bool(self.document and self.times and self.times[-1] > said_at(self.document))

    @property
    def rejected(self) -> bool:
        """Whether its document was rejected."""
        return bool(self.review and not self.review.accepted)

    @property
    def unseen(self) -> int:
        """How many calls came to light after its last review, which did not see them."""
        if self.review is None or self.case is None:
            return 0
        since = said_at(self.review)
        return sum(each.calls for one in self.case.emergencies for each in one.arrivals if each.at >= since)

    @property
    def accepted(self) -> bool:
        """Whether it is reviewed and accepted, with nothing done and nothing come to light since."""
        if self.review is None or not self.review.accepted or self.uncovered or self.unseen:
            return False
        weighed = {one.review.id for one in self.case.emergencies if one.review} if self.case else set()
        # A scan has weighed this review, and the case holds what it does not cover.
        return not (self.case and self.case.stage == "awaiting-review" and self.review.id in weighed)

    def acted(self, person: str, directory: Directory) -> bool:
        """Whether a person made one of its calls, or declared its window."""
        names = {folded(name) for name in names_of(person, directory)}
        said = (*self.acting(), *(one.by.person for one in self.openings))
        known = any(folded(name) in names for name in said)
        return known or any(is_same(change.actor, person, directory) for change in self.changes)

    def acting(self) -> tuple[str, ...]:
        """Who made its calls: ids of people, names where the identity map knows none."""
        kept = self.case.emergencies if self.case else ()
        told = (name for one in kept for name in one.actors or (one.person,))
        seen = (change.actor.person or change.actor.name for change in self.changes)
        return tuple(dict.fromkeys((*seen, *(self.case.actors if self.case else ()), *told)))

    def actors(self) -> tuple[str, ...]:
        """Who made its calls, or while nobody did, who may in its window."""
        windows = (name for one in self.openings for name in one.actors or (one.by.person,))
        return self.acting() or tuple(dict.fromkeys(windows))


def find(store: Store, name: str) -> Matter:
    """What a name means: the key of a case or its start (`DW-…`), `BG-…`, or the reference of a case's ticket.

    Raises Unheard where nothing goes by it, Refused where several do.
    """
    known = _Known(store)
    found = known.named(name)
    if not found:
        said = clean(name, 60)
        raise Unheard(
            f"no case '{said}'; `driftwarden cases list` and `driftwarden breakglass list` show what there is"
        )
    if len(found) > 1:
        raise Refused(f"'{clean(name, 60)}' is {len(found)} cases ({', '.join(sorted(found))}): give the key of one")
    return known.matter(*found.values())


def emergencies(store: Store) -> tuple[Matter, ...]:
    """Every break-glass case, and every window that no case is about yet; oldest first. As in a list: see `matters`."""
    known = _Known(store)
    found = [known.listed(case) for case in known.cases if case.grant]
    found += [known.matter(grant) for grant in known.openings if grant not in known.home]
    return tuple(sorted(found, key=_begun))


def matters(store: Store) -> tuple[Matter, ...]:
    """Every case, oldest first. As in a list: without its calls where the case itself says who acted."""
    known = _Known(store)
    return tuple(map(known.listed, known.cases))


def _begun(matter: Matter) -> tuple[float, str]:
    since = matter.openings[0].by.said_at if matter.openings else matter.case.opened_at if matter.case else None
    return (since.timestamp() if since else 0.0, matter.key)


def _grants(case: Case) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, (case.grant, *(one.id for one in case.emergencies)))))


class _Known:
    """The cases and declarations of a store, read once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.cases = [record.case for record in store.cases.listed()]
        self._declared = store.declarations.listed()
        self.openings = {grant_of(one.id): one for one in self._declared if isinstance(one, Opening)}
        self.home = {grant for case in self.cases for grant in _grants(case)}
        """Emergencies that a case is about."""

    def named(self, name: str) -> dict[str, Case | str]:
        """Key → the case or the grant, of everything that goes by a name."""
        found: dict[str, Case | str] = {}
        start = name.removeprefix("DW-")
        for case in self.cases:
            own = {case.key, case.ticket, *_grants(case), *map(case_key, _grants(case))} - {""}
            if name in own or (len(start) >= _SHORTEST and case.key.startswith(start)):
                found[case.key] = case
        for grant, opening in self.openings.items():
            if grant not in self.home and name in (grant, case_key(grant), opening.id):
                found[case_key(grant)] = grant
        return found

    def listed(self, case: Case) -> Matter:
        """A case as a list needs it: there may be thousands."""
        return self.matter(case, calls=not case.actors)

    def matter(self, about: Case | str, *, calls: bool = True) -> Matter:
        """Everything about a case, or about a window that no case is about yet."""
        case = about if isinstance(about, Case) else None
        grants = _grants(case) if case else (str(about),)
        key = case.key if case else case_key(str(about))
        # Somebody who knew only the grant wrote to the key that its case would have had.
        keys = {key, *map(case_key, grants)}
        said = [one for one in self._declared if isinstance(one, Document | Review) and one.case in keys]
        documents = [one for one in said if isinstance(one, Document)]
        document = documents[-1] if documents else None
        reviews = [one for one in said if isinstance(one, Review) and _after(one, document)]
        first = [one for one in reviews if not one.post_implementation]
        every = [one for one in said if isinstance(one, Review) and not one.post_implementation]
        later = [one for one in reviews if one.post_implementation]
        return Matter(
            key,
            case,
            tuple(self.openings[grant] for grant in grants if grant in self.openings),
            changes_of(self._store, case) if case and calls else (),
            document,
            first[-1] if first else None,
            later[-1] if later else None,
            tuple(one for one in every if not first or one is not first[-1]),
        )


def _after(review: Review, document: Document | None) -> bool:
    if document is None:
        return True
    return (review.by.received_at, review.by.said_at) >= (document.by.received_at, document.by.said_at)


def changes_of(store: Store, case: Case) -> tuple[Change, ...]:
    """The calls a case answers for, as its findings show or once showed them, in order of time."""
    answered = set(case.events)
    found = _answered((known.finding for known in store.findings.of(case.findings)), answered)
    if not answered <= {event for events in found for event in events}:
        # A finding that was seen again shows only the calls of the time that the last scan looked at.
        earlier = (judged.finding for finding in case.findings for judged in store.findings.judgements(finding))
        found = {**_answered(earlier, answered), **found}
    return tuple(sorted(found.values(), key=lambda change: (change.time, change.event_ids)))


def _answered(findings: Iterable[Finding], events: set[str]) -> dict[tuple[str, ...], Change]:
    changes = (item.change for finding in findings for item in finding.changes)
    return {change.event_ids: change for change in changes if not events.isdisjoint(change.event_ids)}

"""The change that was requested and the one that was performed, side by side: a row for each resource of a ticket.

Hides which calls belong to a ticket, what of its scope names a resource and what only a kind of them, and from when it
can be said that nothing was done. Where the trail may have missed the call, that is never said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Literal

from agent.authorise import Estate
from agent.authorise.estate import Environment
from agent.authorise.patterns import is_wild
from agent.authorise.scopes import Covering
from agent.clean import clean, several
from agent.content import entries, within
from agent.model import (
    GLOBAL,
    Authority,
    Change,
    JudgedChange,
    Key,
    PlannedChange,
    Result,
    Ticket,
    TicketScope,
    Trail,
    Unknown,
)

Status = Literal["approved", "partial", "beyond", "not performed", "not known"]

_WORST: tuple[Status, ...] = ("beyond", "not known", "partial", "approved")
_ANYWHERE = Environment("", frozenset())
_NAMES = ("addresses", "resources", "types", "tags", "names")
"""Parts of a scope that say which resources; the others limit what may be done to them."""


@dataclass(frozen=True, slots=True)
class Row:
    """One resource, or one wildcard that nothing was found for: what was asked for and what was done."""

    name: str
    """Its address, else type and id; of a wildcard the wildcard."""
    status: Status
    """`beyond`: done outside what was approved. `partial`: the approved plan asks for more than was done."""
    evidence: str
    key: Key | None = None
    events: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Performed:
    """One ticket, requested and performed."""

    ref: str
    system: str
    title: str
    url: str
    state: str
    """Now."""
    due: str
    """Why it is compared now: it says that it is done, or its window is over."""
    rows: tuple[Row, ...]
    start: datetime | None = None
    end: datetime | None = None

    @property
    def nothing(self) -> bool:
        """Whether the ticket was carried out on paper alone."""
        return bool(self.rows) and all(row.status == "not performed" for row in self.rows)


def performed(
    tickets: Iterable[Ticket],
    judged: Sequence[JudgedChange],
    trail: Trail,
    authority: Authority,
    estate: Estate,
    now: datetime,
) -> tuple[Performed, ...]:
    """Every ticket that was approved once and is due, in the order of their references.

    `judged` are all changes of the trail. A ticket is due once its state is one of `authority.done_states` or its
    window is over, and calls have had `authority.grace` to arrive. A standing approval asks for nothing by itself.
    """
    terms: dict[tuple[str, str], list[Ticket]] = defaultdict(list)
    for ticket in tickets:
        if ticket.kind != "standard":
            terms[ticket.ref, ticket.system].append(ticket)
    under, called = _Under(judged), _Called(estate)
    work = (_Comparing(all_, under, trail, authority, called, now) for _, all_ in sorted(terms.items()))
    return tuple(found for one in work if (found := one.result()) is not None)


class _Under:
    """Which changes were made under a ticket: judged by it, naming it, or in a session that did."""

    def __init__(self, judged: Sequence[JudgedChange]) -> None:
        self.by_ref: dict[str, list[JudgedChange]] = defaultdict(list)
        self.stray: dict[str, list[JudgedChange]] = defaultdict(list)
        """Session → its changes without authority that name no ticket."""
        for item in judged:
            if item.verdict.outcome == "service-made":
                continue
            refs = {item.verdict.ticket, *(claim.text for claim in item.change.claims)} - {""}
            for ref in refs:
                self.by_ref[ref].append(item)
            if not refs and item.verdict.outcome == "unauthorised" and item.change.session.startswith("ASIA"):
                self.stray[item.change.session].append(item)

    def of(self, ref: str) -> Iterator[tuple[JudgedChange, bool]]:
        """Each change under a ticket, and whether only its session is."""
        named = self.by_ref.get(ref, [])
        yield from ((item, False) for item in named)
        for session in sorted({item.change.session for item in named}):
            yield from ((item, True) for item in self.stray.get(session, ()))


class _Called:
    """What resources are called, and which resource a name means."""

    def __init__(self, estate: Estate) -> None:
        self.estate = estate

    def __call__(self, key: Key) -> str:
        """Its address, with the stack where two stacks share it; else type and id."""
        resource = self.estate.known.get(key)
        shared = resource is not None and resource.address in self.estate.shared
        return f"{resource.stack}/{resource.address}" if resource and shared else self.estate.called(key)

    def meant(self, name: str) -> Sequence[Key]:
        """The resource of this address or id, where there is exactly one."""
        found = self._keys.get(name, [])
        return found if len(found) == 1 else ()

    @cached_property
    def _keys(self) -> Mapping[str, list[Key]]:
        found: dict[str, list[Key]] = defaultdict(list)
        for key, resource in self.estate.known.items():
            if resource.parent is None or resource.address != self.estate.called(resource.parent):
                at = (resource.address, f"{resource.stack}/{resource.address}") if resource.address else ()
                for name in dict.fromkeys((*at, key.id, *resource.identifiers)):
                    found[name].append(key)
        return found


@dataclass(slots=True)
class _Done:
    """What was done to one resource under a ticket."""

    statuses: list[tuple[Status, str]] = field(default_factory=list)
    changes: list[tuple[Key, Change]] = field(default_factory=list)


class _Comparing:
    """One ticket under all its terms."""

    def __init__(
        self,
        terms: Sequence[Ticket],
        under: _Under,
        trail: Trail,
        authority: Authority,
        called: _Called,
        now: datetime,
    ) -> None:
        self.terms = terms
        # Of terms that were edited, what is asked for is what stands there now.
        self.ticket = max(terms, key=lambda one: max((event.at.timestamp() for event in one.history), default=0.0))
        self.under, self.trail, self.authority, self.at = under, trail, authority, now
        self.called = called
        self.estate = called.estate
        self.covering = [Covering(one.scope) for one in terms]
        self.states = [event for event in sorted(self.ticket.history, key=lambda one: one.at) if event.at <= now]
        self.state = next((event.state for event in reversed(self.states) if event.state), "")
        self.done: dict[str, _Done] = {}

    def result(self) -> Performed | None:
        """The comparison; None where there is nothing to compare, or not yet."""
        due = self._due()
        if due is None or not self._approved():
            return None
        said, over = due
        for item, only_session in sorted(self.under.of(self.ticket.ref), key=_when):
            self._add(item, only_session)
        rows = [self._row(name, done) for name, done in sorted(self.done.items())]
        if self.state.lower() in {*self.authority.done_states, *self.authority.approved_states, ""}:
            rows = [*self._missing(over), *rows]
        if not rows:
            return None
        one = self.ticket
        return Performed(one.ref, one.system, one.title, one.url, self.state, said, tuple(rows), one.start, one.end)

    def _due(self) -> tuple[str, datetime] | None:
        """Why it is compared, and until when its calls may have been made."""
        end, grace = self.ticket.end, timedelta(seconds=self.authority.grace)
        since = None
        for event in self.states:
            if event.state:
                done = event.state.lower() in self.authority.done_states
                since = (since or event.at) if done else None
        if since is not None and self.at - since >= grace:
            return f"{clean(self.state, 60)} since {_time(since)}", since
        if end is not None and self.at - end >= grace:
            return f"its window ended {_time(end)}", end
        return None

    def _approved(self) -> bool:
        """Whether it ever was: what nobody approved was not to be performed."""
        approved = self.authority.approved_states
        return any(event.approved_by or event.state.lower() in approved for event in self.states)

    # --- what was done ---------------------------------------------------------------------------------------

    def _add(self, item: JudgedChange, only_session: bool) -> None:
        for key in item.change.targets:
            done = self.done.setdefault(self.called(key), _Done())
            status, said = self._status(item, key)
            if only_session:
                status, said = "beyond", f"in the session of {clean(self.ticket.ref, 60)}, which it does not name"
            done.statuses.append((status, said))
            done.changes.append((key, item.change))

    def _status(self, item: JudgedChange, key: Key) -> tuple[Status, str]:
        """How what one call did to one resource stands to the ticket."""
        verdict, change = item.verdict, item.change
        told = [self._covered(number, change, key) for number in range(len(self.terms))]
        result, said = min(told, key=lambda one: ("pass", "unknown", "fail").index(one[0]))
        others = [name for name in verdict.failed if name not in ("scope", "content")]
        if result == "fail":
            return "beyond", said
        if others and verdict.outcome == "unauthorised":
            return "beyond", f"not as approved: {', '.join(others)}"
        if result == "unknown":
            return "not known", said
        if verdict.outcome in ("indeterminate", "pending", "pending-documentation"):
            return "not known", f"its verdict is {verdict.outcome}"
        return "approved", ""

    def _covered(self, number: int, change: Change, key: Key) -> tuple[Result, str]:
        """Whether one set of terms covers what a call did to a resource."""
        environment = self.estate.environment(key, self.authority.environments)
        result = self.covering[number].covers(key, self.estate.names(key), environment, change)
        if result != "pass":
            return result, "outside its scope" if result == "fail" else "what the call set is not known"
        plan = self.terms[number].plan
        if plan is None:
            return "pass", ""
        test = within(change, (key,), self.estate.known, plan, self.estate.specs or None)
        return test.result, test.evidence

    def _row(self, name: str, done: _Done) -> Row:
        status, said = min(done.statuses, key=lambda one: _WORST.index(one[0]))
        if status == "approved" and (lacking := self._lacking(done)):
            status, said = "partial", f"the approved plan also has {lacking}"
        once = {change.event_ids: change for _, change in done.changes}
        changes = sorted(once.values(), key=lambda one: (one.time, one.event_ids))
        last = changes[-1]
        more = f" and {len(changes) - 1} earlier" if len(changes) > 1 else ""
        made = f"{clean(last.action, 80)} by {clean(last.actor.name, 80)} at {_time(last.time)}{more}"
        events = tuple(dict.fromkeys(event for change in changes for event in change.event_ids))
        return Row(clean(name, 300), status, f"{made}; {said}" if said else made, done.changes[0][0], events)

    def _lacking(self, done: _Done) -> str:
        """What the approved plan sets of a resource and no call did; empty where nothing is known to be."""
        plan = self.ticket.plan
        if plan is None:
            return ""
        types = {key.type for key, _ in done.changes}
        sets = {
            name for _, change in done.changes for touch in change.touches if touch.type in types for name in touch.sets
        }
        lacking: dict[str, None] = {}
        for key in dict.fromkeys(key for key, _ in done.changes):
            resource = self.estate.known.get(key)
            sets |= {resource.attribute} if resource and resource.attribute else set()
            for one in entries(key, self.estate.known, plan, self.estate.specs or None):
                lacking |= dict.fromkeys(self._left(one)) if one.act == "update" else {}
        return several([name for name in lacking if name not in sets])

    def _left(self, one: PlannedChange) -> Iterator[str]:
        """Attributes that an update changes, as far as calls tell of them."""
        spec = self.estate.specs.get(one.type)
        shown = {name for event in spec.events for name in event.sets} if spec else set()
        shown |= {each.attribute for each in spec.inline} if spec else set()
        yield from (name for name in one.changed if name in shown and not isinstance(one.sets.get(name), Unknown))

    # --- what was not done -----------------------------------------------------------------------------------

    def _missing(self, over: datetime) -> Iterator[Row]:
        """Rows for what was asked for and nothing was done to."""
        begins = self.ticket.start or self.states[0].at
        for name, keys in self._asked():
            key = keys[0] if keys else None
            why = self._unseen(key, begins, over)
            looked = f"between {_time(begins)} and {_time(over)}"
            said = why or f"no call on it under {clean(self.ticket.ref, 60)} {looked}"
            yield Row(clean(name, 300), "not known" if why else "not performed", said, key)

    def _asked(self) -> Iterator[tuple[str, Sequence[Key]]]:
        """What the ticket asks for and nothing was done to, and which resource that is, where that is known."""
        done = [pair for one in self.done.values() for pair in one.changes]
        plan, scope = self.ticket.plan, self.ticket.scope
        if plan is not None and plan.changes is not None:
            specs = self.estate.specs or None
            met = {one.address for key, _ in done for one in entries(key, self.estate.known, plan, specs)}
            for address in dict.fromkeys(one.address for one in plan.changes):
                if address not in met:
                    yield address, self.called.meant(address)
            return
        told: set[Key] = set()
        for part in _NAMES:
            for name in dict.fromkeys(getattr(scope, part)):
                if self._met(part, name, done):
                    continue
                exact = part in ("addresses", "resources") and not is_wild(name, brackets=part != "addresses")
                found = self.called.meant(name) if exact else ()
                # The same resource by its address and by its ARN is one.
                if told.isdisjoint(found):
                    yield (self.called(found[0]) if found else name if exact else f"{part}: {name}"), found
                told.update(found)
        limits = (*scope.accounts, *scope.environments, *scope.attributes, *scope.actions)
        if limits and not done and not any(getattr(scope, part) for part in _NAMES):
            yield f"anything in {several(limits)}", ()

    def _met(self, part: str, name: str, done: Sequence[tuple[Key, Change]]) -> bool:
        """Whether something was done to what one part of the scope names."""
        one = Covering(TicketScope(**{part: (name,)}))
        return any(one.covers(key, self.estate.names(key), _ANYWHERE, change) == "pass" for key, change in done)

    def _unseen(self, key: Key | None, begins: datetime, over: datetime) -> str:
        """Why a call on the resource may have been made and is not in the trail; empty: it would be."""
        trail = self.trail
        if begins - timedelta(seconds=self.authority.tolerance) < trail.start or over > trail.end:
            return f"the trail was read from {_time(trail.start)} to {_time(trail.end)} only"
        for gap in trail.gaps:
            places = (gap.scope.account, gap.scope.region)
            here = key is None or (places[0] in ("*", key.account) and _in_region(places[1], key.region))
            if here and not gap.cause.startswith("refused"):
                return f"part of the trail was not read: {clean(gap.why, 200)}"
        newest = [one.newest for one in trail.coverage if one.newest and (key is None or one.account == key.account)]
        if not newest or max(newest) < begins:
            where = f"account {key.account}" if key else "any account"
            return f"the trail has no event of {where} since {_time(begins)}"
        return ""


def _when(found: tuple[JudgedChange, bool]) -> tuple[datetime, tuple[str, ...]]:
    return found[0].change.time, found[0].change.event_ids


def _in_region(gap: str, region: str) -> bool:
    return GLOBAL in (gap, region) or gap in ("*", region)


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"

"""Identity map → actors: which person, machine or shared credential stands behind an actor at the time of the event.

Hides how names are matched, that names are reused and people leave, and that the file wins over AWS. The map makes
nobody surer: who is not known from the trail (`SURE`) does not become a person through it, and a machine whose name
somebody chose does not either.
"""

from __future__ import annotations

import fnmatch
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from agent.model import Actor, Attempt, Authority, Change, Directory, Person, Trail

SURE = 0.5
"""Confidence from which an actor counts as known."""

IDENTITY_CENTER = "Identity Center "
"""How `Person.source` begins for entries of IAM Identity Center; all others are the file's."""

_NOT_VALID = 0.3  # confidence at most, where the entry is not valid at the time, or several are
_PERSONAL = ("person", "root", "shared")
_IMPERSONAL = ("service", "shared")
_WILD = re.compile(r"[*?]")

_Made = TypeVar("_Made", Change, Attempt)


class Index:
    """A directory, ready to be asked about actors."""

    def __init__(self, directory: Directory) -> None:
        """Built once for a directory: time and memory grow with its principals."""
        self._file: dict[str, list[Person]] = defaultdict(list)
        self._aws: dict[str, list[Person]] = defaultdict(list)
        self._wild: dict[str, list[tuple[re.Pattern[str], Person]]] = defaultdict(list)
        self._asked: dict[tuple[tuple[str, ...], bool], tuple[Person, ...]] = {}
        self._told: dict[tuple[Actor, str], _Told] = {}
        for person in directory.people:
            exact = self._aws if person.source.startswith(IDENTITY_CENTER) else self._file
            for principal in person.principals:
                if is_wild(principal):
                    self._wild[_start(principal)].append((_pattern(principal), person))
                elif person not in (known := exact[folded(principal)]):
                    known.append(person)

    def told(self, actor: Actor, key: str) -> _Told:
        """What there is to say of an actor. `key`: the access key id the call was made with."""
        known = key if folded(key) in self._file else ""  # most keys are a session's, and each is another
        found = self._told.get((actor, known))
        if found is None:
            found = self._told[actor, known] = _Told(self._entries(actor, known), {})
        return found

    def _entries(self, actor: Actor, key: str) -> tuple[Person, ...]:
        """The entries that claim an actor, at whatever time."""
        terms, personal = _terms(actor, key), actor.kind in _PERSONAL
        found = self._asked.get((terms, personal))
        if found is None:
            found = self._asked[terms, personal] = self._search(terms, personal)
        return found

    def _search(self, terms: tuple[str, ...], personal: bool) -> tuple[Person, ...]:
        """By the first of: a name in the file, a wildcard in the file, a name in AWS."""
        for look in (self._in_file, self._by_wildcard, self._in_aws):
            for term in terms:
                found = tuple(one for one in look(term) if personal or one.kind in _IMPERSONAL)
                if found:
                    return found
        return ()

    def _in_file(self, term: str) -> Iterable[Person]:
        return self._file.get(term, ())

    def _by_wildcard(self, term: str) -> Iterable[Person]:
        near = (found for start, found in self._wild.items() if term.startswith(start))
        return [person for patterns in near for pattern, person in patterns if pattern.match(term)]

    def _in_aws(self, term: str) -> Iterable[Person]:
        return self._aws.get(term, ())


@dataclass(frozen=True, slots=True)
class _Told:
    """One actor's entries, and what became of them by which of the entries were valid, and which had ended."""

    entries: tuple[Person, ...]
    by_time: dict[tuple[int, ...], Actor]


class Users:
    """Which person a user of a ticket system is: several user names may be one person's."""

    def __init__(self, directory: Directory) -> None:
        """Built once for a directory."""
        self._known: dict[str, list[Person]] = defaultdict(list)
        for person in directory.people:
            for name in {folded(one) for one in (person.id, *person.users)}:
                self._known[name].append(person)

    def person(self, user: str, at: datetime) -> str:
        """Id of the person with that user name at the time; the name itself, folded, where the map knows none."""
        ids = {person.id for person in self._known.get(folded(user), ()) if is_valid(person, at)}
        return ids.pop() if len(ids) == 1 else folded(user)


def known(trail: Trail, directory: Directory) -> Trail:
    """The trail with every actor looked up in the identity map, each at the time of its event."""
    if not directory.people:
        return trail
    index = Index(directory)

    def told(change: Change) -> Change:
        return _as(change, identify(change.actor, change.time, index, key=change.session))

    def tried(attempt: Attempt) -> Attempt:
        return _as(attempt, identify(attempt.actor, attempt.last, index))

    return replace(
        trail,
        changes=_each(told, trail.changes),
        sessions=_each(told, trail.sessions),
        state_writes=_each(told, trail.state_writes),
        sign_ins=_each(told, trail.sign_ins),
        attempts=_each(tried, trail.attempts),
    )


def needed(authority: Authority, changes: Iterable[Change]) -> Directory:
    """Of its directory what the verdicts on these changes rest on, to be kept with them: a store keeps it for years.

    `changes` are those of the judged trail, their actors looked up.
    """
    ids = {change.actor.person for change in changes} - {""}
    users = set(authority.people.values())
    for ticket in authority.tickets.found:
        users |= {ticket.implementer, ticket.requester}
        users |= {name for event in ticket.history for name in (event.approved_by, event.withdrawn_by)}
    for merge in authority.tickets.merges:
        users |= {merge.author, merge.merged_by}
        users |= {name for event in merge.history for name in (event.approved_by, event.withdrawn_by)}
    names = {folded(name) for name in users}
    people = tuple(
        one
        for one in authority.directory.people
        if one.id in ids or not names.isdisjoint(folded(name) for name in (one.id, *one.users))
    )
    return replace(authority.directory, people=people, accounts={})


def identify(actor: Actor, at: datetime, index: Index, *, key: str = "") -> Actor:
    """The actor with what the map knows of them at `at`: person, groups, team, and in `how` which entry says so.

    A shared credential becomes kind `shared`, a service credential in a person's place `workload`. Where no entry is
    valid at that time the actor becomes `unknown` with a `person`: a credential of somebody who left. `key`: the
    access key id of the call. An actor that was looked up before, as those of kept findings were, stays as it is.
    """
    if actor.person:
        return actor
    told = index.told(actor, key)
    when = tuple(_when(one, at) for one in told.entries)
    found = told.by_time.get(when)
    if found is None:
        found = told.by_time[when] = _identified(actor, told.entries, at)
    return found


def _identified(actor: Actor, entries: tuple[Person, ...], at: datetime) -> Actor:
    if not entries:
        return actor
    valid = {one.id: one for one in entries if is_valid(one, at)}
    if len(valid) > 1:
        how = _and(actor, f"the identity map gives {', '.join(sorted(valid))}: cannot tell whom")
        return replace(actor, confidence=min(actor.confidence, _NOT_VALID), how=how)
    return _settled(actor, *valid.values()) if valid else _unsettled(actor, entries, at)


def is_valid(person: Person, at: datetime) -> bool:
    """Whether the entry holds at that time."""
    return _when(person, at) == 0


def _when(person: Person, at: datetime) -> int:
    """Before the entry (-1), within it (0) or after it (1)."""
    if person.valid_until is not None and at > person.valid_until:
        return 1
    return -1 if person.valid_from is not None and at < person.valid_from else 0


def is_wild(principal: str) -> bool:
    """Whether a principal is a wildcard."""
    return _WILD.search(principal) is not None


def folded(name: str) -> str:
    """The form in which names are compared: ASCII without case, as IAM and Identity Center do; others as they are."""
    return name.lower() if name.isascii() else name


def _terms(actor: Actor, key: str) -> tuple[str, ...]:
    """What an actor may be looked up by, the most telling first: only names that somebody other than they chose."""
    if actor.confidence < SURE:
        return ()
    found: tuple[str, ...] = ()
    if actor.kind in _PERSONAL and actor.source_identity and actor.name == actor.source_identity:
        # The ARN is then a broker's, or ends in a session name of their own choice.
        own = folded(actor.arn.rsplit("/", 1)[-1]) == folded(actor.name.partition("@")[0])
        found = (actor.name, actor.arn if own else "")
    elif actor.kind in _PERSONAL:
        found = (key, actor.arn, actor.subject, actor.name)
    elif actor.kind == "pipeline":
        found = (actor.subject, actor.name, actor.role)
    elif actor.kind == "workload":
        found = (actor.subject, actor.role, actor.arn)
    return tuple(folded(term) for term in found if term)


def _pattern(principal: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(folded(principal).replace("[", "[[]")))


def _start(principal: str) -> str:
    """What stands before its first wildcard."""
    return folded(_WILD.split(principal, maxsplit=1)[0])


def _settled(actor: Actor, person: Person) -> Actor:
    kind, name = actor.kind, person.name or person.id
    said = f"{name}, {person.source}" if person.source else name
    if person.kind == "contractor":
        said = f"{name}, contractor of {person.sponsor}, {person.source}"
    elif person.kind == "shared" and kind != "root":
        kind, said = "shared", f"shared credential, {person.source}"
    elif person.kind == "service":
        kind = "workload" if kind == "person" else kind
        said = f"service credential of {person.sponsor}, {person.source}"
    how = _and(actor, said)
    return replace(actor, kind=kind, how=how, person=person.id, groups=person.groups, team=person.team)


def _unsettled(actor: Actor, entries: tuple[Person, ...], at: datetime) -> Actor:
    """The credential of somebody whose entry had ended, or had not begun."""
    ended = [(one.valid_until, one) for one in entries if one.valid_until and one.valid_until < at]
    begins = [(one.valid_from, one) for one in entries if one.valid_from and one.valid_from > at]
    moment, person = max(ended, key=lambda found: found[0]) if ended else min(begins, key=lambda found: found[0])
    said = f"{person.id}'s entry {'ended' if ended else 'begins'} {moment:%Y-%m-%d}, {person.source}"
    kind = actor.kind if actor.kind in ("root", "shared") else "unknown"
    sure = min(actor.confidence, _NOT_VALID)
    return replace(actor, kind=kind, confidence=sure, how=_and(actor, said), person=person.id, team=person.team)


def _and(actor: Actor, said: str) -> str:
    # A kept finding's actor that could not be told comes by in every scan.
    return actor.how if said in actor.how else "; ".join(filter(None, (actor.how, said)))


def _as(made: _Made, actor: Actor) -> _Made:
    return made if actor is made.actor else replace(made, actor=actor)


def _each(told: Callable[[_Made], _Made], found: tuple[_Made, ...]) -> tuple[_Made, ...]:
    return tuple(map(told, found))

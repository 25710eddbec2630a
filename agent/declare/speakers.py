"""Who says something, and what they may say: people of the identity map and their roles.

Hides how a name of `allowed_signers`, of a ticket system or of a Unix user becomes one person, that people come and go,
and that nobody is accountable behind a shared or a service credential.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from agent.clean import clean
from agent.model import Actor, Directory, Person, Proof
from agent.people import folded, is_valid
from agent.tables import RoleName

ANYBODY: frozenset[RoleName] = frozenset({"documenter", "reviewer"})
"""Roles that everybody in the identity map has while configuration names nobody for them."""

_PEOPLE = ("employee", "contractor")

NOBODY = 65534
"""The user the kernel gives for whoever it cannot name, from another user namespace for example."""
_FIRST_PERSON = 1000
_DYNAMIC = range(61184, 65520)  # https://systemd.io/UIDS-GIDS/: users that come and go with a service


class Refused(Exception):  # noqa: N818 - an answer to somebody, no fault of ours
    """It does not count; the message says why, and what would."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who declares something, and how we know that it is they."""

    person: str
    """Id in the identity map; the name they are known by where the map knows none."""
    how: Literal["signature", "ticket", "socket"]
    said_at: datetime
    received_at: datetime
    principal: str = ""
    evidence: str = ""
    groups: tuple[str, ...] = ()
    """Theirs at the time, in the identity map."""

    @property
    def proof(self) -> Proof:
        """What a declaration keeps of it."""
        return Proof(self.person, self.how, self.said_at, self.received_at, self.principal, self.evidence)


def signer(principals: str, directory: Directory, said_at: datetime, received_at: datetime, evidence: str) -> Speaker:
    """Whom `signing.verify` names. Raises Refused where its principals are several people's."""
    names = {folded(name) for name in principals.split(",")}
    found = _called(names, directory, said_at, lambda one: (one.id, *one.users, *one.principals))
    return _speaker(principals, found, "signature", said_at, received_at, evidence)


def writer(user: str, directory: Directory, said_at: datetime, received_at: datetime, evidence: str) -> Speaker:
    """Whom a ticket system names as the writer of a reply; `evidence` is the ticket's reference and the reply's id.

    Raises Refused where the name is several people's.
    """
    found = _called({folded(user)}, directory, said_at, lambda one: (one.id, *one.users))
    return _speaker(user, found, "ticket", said_at, received_at, evidence)


def peer(
    user: str, uid: int, people: Mapping[str, str], directory: Directory, said_at: datetime, evidence: str
) -> Speaker:
    """Whom a Unix user at the socket is. `people`: `[daemon] people`, a user name or `uid:N` → id; it decides.

    Where it names none, the user is whoever the identity map knows by exactly that id: only root gives people's users
    their names. The map's `users` are names of ticket systems, where an account `admin` is somebody else than here.
    Raises Refused for whoever is nobody, or several people.
    """
    said = f"{clean(user, 60) or 'no name'}, uid {uid}"
    if uid == NOBODY:
        raise Refused(f"you are nobody here ({said}): it stands for whoever the kernel cannot name")
    given = {people[name] for name in (f"uid:{uid}", user) if people.get(name)}
    if len(given) > 1:
        raise Refused(f"[daemon] people says you ({said}) are {' and '.join(sorted(given))}: cannot tell who says it")
    own = uid >= _FIRST_PERSON and uid not in _DYNAMIC and user and user not in people and f"uid:{uid}" not in people
    if not given and own:
        given = {one.id for one in directory.people if user == one.id and is_valid(one, said_at)}
    if not given:
        right = f'[daemon] people says who you are, for example "uid:{uid}" = "dana"; --key signs what you declare'
        raise Refused(f"you are nobody here ({said}): {right}")
    person = given.pop()
    entry = _entry(person, directory, said_at)
    groups = entry.groups if entry is not None else ()
    # The bare name, as a signature or a ticket has it: one user must not be two people.
    return Speaker(person, "socket", said_at, said_at, user or f"uid:{uid}", evidence, groups)


def roles_of(
    person: str, directory: Directory, roles: Mapping[RoleName, tuple[str, ...]], at: datetime
) -> frozenset[RoleName]:
    """The roles a person has at a time; none for whoever is not in the identity map then, or is no one person."""
    entry = _entry(person, directory, at)
    if entry is None or entry.kind not in _PEOPLE:
        return frozenset()
    mine = {folded(entry.id), *(folded(f"group:{name}") for name in entry.groups)}
    every: tuple[RoleName, ...] = get_args(RoleName)
    return frozenset(
        role
        for role in every
        if (role in ANYBODY if role not in roles else not mine.isdisjoint(folded(one) for one in roles[role]))
    )


def may(
    speaker: Speaker, role: RoleName, directory: Directory, roles: Mapping[RoleName, tuple[str, ...]]
) -> str | None:
    """None where the speaker has the role, both when they said it and when it arrived; else why not."""
    for at in (speaker.said_at, speaker.received_at):
        if why := stranger(speaker.person, directory, at):
            return why
        if role not in roles_of(speaker.person, directory, roles, at):
            named = ", ".join(clean(one, 60) for one in roles.get(role, ())) or "nobody"
            return f"{clean(speaker.person)} has no role {role}; [authority.roles] gives it to {named}"
    return None


def stranger(person: str, directory: Directory, at: datetime) -> str | None:
    """Why a name is nobody accountable at a time; None for a person of the identity map."""
    entry = _entry(person, directory, at)
    if entry is None:
        there = any(one.id == person for one in directory.people)
        known = f"not valid on {at:%Y-%m-%d} in" if there else "not in"
        return f"{clean(person)} is {known} the identity map ([identities]), which says who is accountable"
    if entry.kind not in _PEOPLE:
        return f"{clean(person)} is a {entry.kind} credential: nobody is accountable for what it says"
    return None


def is_known(person: str, directory: Directory, at: datetime) -> bool:
    """Whether the identity map has one entry by that id that holds at a time, of a credential too."""
    return _entry(person, directory, at) is not None


def is_same(actor: Actor, person: str, directory: Directory) -> bool:
    """Whether an actor of the trail is that person, under any of their names."""
    if actor.person:
        return actor.person == person
    names = {folded(name) for name in names_of(person, directory)}
    own = (actor.name, actor.arn, actor.subject, actor.source_identity, actor.arn.rsplit("/", 1)[-1])
    return any(folded(name) in names for name in own if name)


def names_of(person: str, directory: Directory) -> tuple[str, ...]:
    """Every name a person has or had: id, principals, users of ticket systems."""
    entries = [one for one in directory.people if one.id == person]
    return (person, *(name for one in entries for name in (*one.users, *one.principals)))


def _entry(person: str, directory: Directory, at: datetime) -> Person | None:
    valid = [one for one in directory.people if one.id == person and is_valid(one, at)]
    return valid[0] if len(valid) == 1 else None


def _called(
    names: set[str], directory: Directory, at: datetime, of: Callable[[Person], Iterable[str]]
) -> Person | None:
    """The one person called so at the time; None where the map knows none. Raises Refused for several."""
    found = {
        one.id: one
        for one in directory.people
        if is_valid(one, at) and not names.isdisjoint(folded(name) for name in of(one))
    }
    if len(found) > 1:
        called = ", ".join(clean(name, 60) for name in sorted(names))
        raise Refused(f"'{called}' is {' and '.join(sorted(found))} in the identity map: cannot tell who says it")
    return next(iter(found.values()), None)


def _speaker(
    name: str,
    person: Person | None,
    how: Literal["signature", "ticket"],
    said_at: datetime,
    received_at: datetime,
    evidence: str,
) -> Speaker:
    known = person.id if person else folded(name)
    return Speaker(known, how, said_at, received_at, name, evidence, person.groups if person else ())

"""Everything a verdict rests on, made ready once for all changes of a scan.

Hides what is worked out when it is first asked for, and kept: indexes, who is who, where resources belong.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.authorise import who
from agent.authorise.applied import Merges, checks
from agent.authorise.estate import Environment, Estate, Names, called
from agent.authorise.lookup import Lookup
from agent.authorise.paths import Policies, Subject
from agent.authorise.patterns import matcher
from agent.authorise.people import People, group_names
from agent.authorise.settled import Settled
from agent.authorise.timeline import Timeline
from agent.authorise.weighing import Weighing
from agent.model import Actor, Authority, Change, Emergency, Key, Merge, Pipeline, Test

_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, eq=False)
class Credential:
    """What is known of an actor, whatever they did."""

    actor: Test
    pipeline: Test
    trusted: str
    """Name of the trusted pipeline; empty: none."""
    person: str
    """The actor as tickets call them."""
    mapped: bool
    """Whether configuration or identity map say who they are: a name that merely looks alike proves nothing."""
    groups: frozenset[str] | None
    """Their groups and team, folded; None: not in the identity map."""
    merges: tuple[Merge, ...]
    """Of the commit its run applied. What a run says of itself is believed of a trusted pipeline alone."""
    mergers: tuple[str, ...]
    checks: Test | None
    """What their required checks came to; None: they have none."""
    refs: Mapping[str, str]
    """Ticket references of those merges → where they stand."""


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """The resources of a change, and where they belong."""

    targets: tuple[Key, ...]
    environments: tuple[Environment, ...]
    """Each once; where no target is known, that of the account."""
    where: int
    """A number that stands for the environments."""
    subjects: frozenset[Subject]
    names: Names | None
    """What the first may be called."""
    environment: str
    """One name for the environments; see `estate.called`."""


class Grounds:
    """An authority and an estate, ready to be asked about changes."""

    def __init__(self, authority: Authority, estate: Estate) -> None:
        self.authority = authority
        self.estate = estate
        tickets = authority.tickets
        self.people = People(authority.directory)
        self.lookup = Lookup(tickets.found, self.people, authority.tolerance)
        self.silent = "; ".join(sorted(tickets.unanswered))
        self.merges = Merges(tickets.merges, self.people)
        self.unread = "; ".join(sorted(tickets.merges_unread))
        self.policies = Policies(authority)
        self.weighing = Weighing(authority, estate)
        # A freeze is over at its end, and both ends of a stretch belong to it.
        self.freezes = Timeline((one.start, one.end - _INSTANT, one) for one in authority.calendar.freezes)
        self.evidence: dict[tuple[object, ...], tuple[Test, ...]] = {}
        """Answers of tests that no path need list, by what they depend on."""
        emergencies: dict[str, list[Emergency]] = defaultdict(list)
        for emergency in sorted(authority.emergencies, key=lambda one: one.id):
            for event in emergency.events:
                emergencies[event].append(emergency)
        self._emergencies = dict(emergencies)
        self._people = [(name, matcher(name), user) for name, user in authority.people.items()]
        self._by_address = any(pipeline.source_ips for pipeline in authority.pipelines)
        # By identity: the changes of a session share one actor, and to compare two is dear.
        self._credentials: dict[tuple[int, str], tuple[Actor, Credential]] = {}
        self._places: dict[tuple[Key, ...], Place] = {}
        self._environments: dict[Key, Environment] = {}
        self._in_role: dict[str, Sequence[Pipeline]] = {}
        self._subjects: dict[frozenset[Subject], frozenset[Subject]] = {}
        self._numbers: dict[tuple[Environment, ...], int] = {}
        self._remembered: tuple[datetime | None, dict[tuple[object, ...], Settled]] = (None, {})

    def remembered(self, now: datetime) -> dict[tuple[object, ...], Settled]:
        """Answers as they are to be told at `now`, by what makes changes alike; more may be put in."""
        if self._remembered[0] != now:
            self._remembered = (now, {})
        return self._remembered[1]

    def emergencies(self, change: Change) -> Sequence[Emergency]:
        """The emergencies a change was made in."""
        if not self._emergencies:
            return ()
        found = {one.id: one for event in change.event_ids for one in self._emergencies.get(event, ())}
        return [found[name] for name in sorted(found)]

    def credential(self, change: Change) -> Credential:
        """What is known of the change's actor."""
        actor = change.actor
        asked = (id(actor), change.source_ip if self._by_address else "")
        found = self._credentials.get(asked)
        if found is None:
            found = self._credentials[asked] = (actor, self._credential(change))
        return found[1]

    def place(self, change: Change, targets: tuple[Key, ...]) -> Place:
        """Where the resources of a change belong."""
        if not targets:
            environment = self.environment(Key(change.account, change.region, "", ""))
            types = {touch.type for touch in change.touches} or {""}
            subjects = frozenset((environment, type_) for type_ in types)
            return Place((), (environment,), self._where((environment,)), subjects, None, called((environment,)))
        found = self._places.get(targets)
        if found is None:
            subjects = frozenset([(self.environment(key), key.type) for key in targets])
            subjects = self._subjects.setdefault(subjects, subjects)  # one that is the same is found faster
            environments = tuple(dict.fromkeys(map(self.environment, targets)))
            names = self.estate.names(targets[0])
            where = self._where(environments)
            found = self._places[targets] = Place(targets, environments, where, subjects, names, called(environments))
        return found

    def _where(self, environments: tuple[Environment, ...]) -> int:
        return self._numbers.setdefault(environments, len(self._numbers))

    def environment(self, key: Key) -> Environment:
        """Where a resource belongs."""
        found = self._environments.get(key)
        if found is None:
            found = self._environments[key] = self.estate.environment(key, self.authority.environments)
        return found

    def _credential(self, change: Change) -> Credential:
        actor = change.actor
        pipelines = self._in_role.get(actor.role)
        if pipelines is None:
            pipelines = self._in_role[actor.role] = who.in_role(change, self.authority.pipelines)
        name = who.trusted(change, pipelines)
        users = (user for said, match, user in self._people if said == actor.name or match(actor.arn))
        person = next(users, "") or actor.person or actor.name
        groups = group_names(actor.groups, actor.team) if actor.person or actor.groups or actor.team else None
        merges = self.merges.of(actor.run) if name else ()
        return Credential(
            actor=who.actor(change, pipelines),
            pipeline=who.pipeline(change, pipelines),
            trusted=name,
            person=person,
            mapped=bool(actor.person) or person != actor.name,
            groups=group_names((*(groups or ()), name), "") if name else groups,
            merges=merges,
            mergers=tuple(sorted({merge.merged_by for merge in merges if merge.merged_by})),
            checks=checks(merges),
            refs={ref: "merge request text" for merge in merges for ref in merge.references},
        )


def of(authority: Authority, estate: Estate) -> Grounds:
    """The grounds of an authority for an estate; kept with the estate, as one authority judges all changes."""
    if estate.grounds is None or estate.grounds[0] is not authority:
        estate.grounds = (authority, Grounds(authority, estate))
    return estate.grounds[1]

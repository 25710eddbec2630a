"""The authorise stage: a verdict for every change, made of named tests, each with the evidence that decided it.

Hides how tests combine: required tests form paths, any path that passes authorises, and a test that cannot be
answered never passes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network

from agent.model import (
    OUTCOMES,
    Authority,
    Change,
    Directory,
    Finding,
    FindingId,
    JudgedChange,
    Key,
    Outcome,
    Pipeline,
    Resource,
    Test,
    Ticket,
    Verdict,
)
from agent.people import SURE, Users

TESTS = ("actor", "pipeline", "ticket", "state", "window", "scope", "implementer", "separation")
"""Tests this release evaluates; configuration may require no others."""

PATHS: Mapping[str, tuple[str, ...]] = {
    "pipeline": ("actor", "pipeline", "ticket", "state", "window", "scope", "separation"),
    "manual": ("actor", "ticket", "state", "window", "scope", "implementer", "separation"),
    "standing": ("actor", "ticket", "state", "window", "scope"),
}
"""Tests each path requires unless configured otherwise. A pipeline's implementer is whoever merged, so `implementer`
is not asked there; a standing (ITIL: standard) change was approved once for all."""


def authorise(
    findings: Sequence[Finding],
    authority: Authority,
    resources: Iterable[Resource],
    first_seen: Mapping[FindingId, datetime],
    now: datetime,
    moving: Mapping[FindingId, str] | None = None,
) -> tuple[Finding, ...]:
    """The findings with a verdict on each change, and on the finding the worst of its parts.

    `first_seen` says when an open finding was first reported: one nobody explains is `pending` for `authority.grace`.
    `moving` are findings whose state was written while it was read, and why we think so: their drift is `pending`.
    """
    estate = Estate(resources)
    return tuple(
        _finding(finding, authority, estate, first_seen.get(finding.id, now), now, (moving or {}).get(finding.id, ""))
        for finding in findings
    )


class Estate:
    """What is known of every resource when its changes are judged."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        """`resources` of both sides; what is declared tells more than what is live."""
        self.known: dict[Key, Resource] = {}
        stacks: dict[str, set[str]] = defaultdict(set)
        for resource in resources:
            if resource.address or resource.key not in self.known:
                self.known[resource.key] = resource
            stacks[resource.address].add(resource.stack)
        self.shared = frozenset(address for address, found in stacks.items() if len(found) > 1)
        """Addresses that more than one stack has: alone they do not say which resource is meant."""
        self._users: tuple[Directory, Users] | None = None

    def users(self, directory: Directory) -> Users:
        """Who is who in the ticket systems; kept, as one directory judges all changes."""
        if self._users is None or self._users[0] is not directory:
            self._users = (directory, Users(directory))
        return self._users[1]


def _finding(
    finding: Finding, authority: Authority, estate: Estate, first_seen: datetime, now: datetime, moving: str
) -> Finding:
    judged = []
    for item in finding.changes:
        # Only this resource's share of the call: a ticket may cover one target and not the other.
        targets = tuple(
            key for key in item.change.targets if key == finding.key or _part_of(key, finding, estate.known)
        )
        judged.append(JudgedChange(item.change, verdict(item.change, targets, authority, estate, now)))
    verdicts = [item.verdict for item in judged]
    if moving and finding.differences:
        verdicts.append(Verdict("pending", (Test("actor", "unknown", moving),)))
    elif finding.unexplained:
        verdicts.append(_unseen(finding, now - first_seen < timedelta(seconds=authority.grace)))
    if finding.differences != finding.drifts:
        verdicts.append(Verdict("unapplied"))
    by_events = {item.change.event_ids: item for item in judged}
    candidates = tuple(
        replace(candidate, change=by_events[candidate.change.event_ids].change) for candidate in finding.candidates
    )
    return replace(
        finding,
        changes=tuple(judged),
        candidates=candidates,
        unexplained=moving if moving and finding.differences else finding.unexplained,
        verdict=_worst(verdicts) if verdicts else finding.verdict,
    )


def _worst(verdicts: Sequence[Verdict]) -> Verdict:
    """The worst; among equals the latest, which is the one that explains how things are now."""
    return min(reversed(verdicts), key=lambda one: OUTCOMES.index(one.outcome))


def _part_of(key: Key, finding: Finding, known: Mapping[Key, Resource]) -> bool:
    return key in known and known[key].parent == finding.key


def _unseen(finding: Finding, fresh: bool) -> Verdict:
    """Drift no change explains: nobody can be asked for authority, which is not the same as nobody had it."""
    waiting = fresh and finding.verdict.outcome == "pending"
    return Verdict("pending" if waiting else "indeterminate", (Test("actor", "unknown", finding.unexplained),))


def verdict(change: Change, targets: Sequence[Key], authority: Authority, estate: Estate, now: datetime) -> Verdict:
    """Was this change authorised for these targets, by what, and which tests say so."""
    if change.actor.kind == "service":
        return Verdict("service-made", (Test("actor", "pass", f"{change.actor.name}: {change.actor.how}"),))
    asked = _Asking(change, targets, authority, estate)
    best = asked.best(change.time)
    if best.outcome == "unauthorised":
        # An approval given after the change regularises it, and never makes it authorised.
        since = [asked.best(at) for at in asked.moments(change.time, now)]
        regular = next((one for one in since if one.outcome == "authorised"), None)
        if regular is not None:
            return replace(best, outcome="regularised", ticket=regular.ticket, late=True)
    if best.outcome == "indeterminate" and now - change.time < timedelta(seconds=authority.grace):
        return replace(best, outcome="pending")
    return best


class _Asking:
    """One change's tests, evaluated once each."""

    def __init__(self, change: Change, targets: Sequence[Key], authority: Authority, estate: Estate) -> None:
        self.change = change
        self.targets = targets
        self.authority = authority
        self.estate = estate
        self.known = estate.known
        self.actor = _actor(change, authority.pipelines)
        self.pipeline = _pipeline(change, authority.pipelines)

    def best(self, at: datetime) -> Verdict:
        """The verdict of the path that passes or comes nearest, over every ticket that may cover the change.

        `at` is the moment the ticket's state and approvals are read for.
        """
        tickets, none = self._tickets(at)
        choices: Sequence[Ticket | None] = tickets or [None]
        tried = []
        for path, required in (self.authority.paths or PATHS).items():
            for ticket in choices:
                if path == "standing" and (ticket is None or ticket.kind != "standard"):
                    continue
                tried.append(self._path(path, required, ticket, none, at))
        return min(tried, key=_nearness)

    def moments(self, after: datetime, until: datetime) -> list[datetime]:
        """When, in an interval, a ticket that may cover the change was touched."""
        tickets, _ = self._tickets(until)
        return sorted({event.at for ticket in tickets for event in ticket.history if after < event.at <= until})

    def _path(self, path: str, required: Sequence[str], ticket: Ticket | None, none: Test, at: datetime) -> Verdict:
        tests = []
        for name in required:
            if name == "actor":
                tests.append(self.actor)
            elif name == "pipeline":
                tests.append(self.pipeline)
            elif ticket is None:
                # Without a ticket the questions about it have no answer: only `ticket` itself fails.
                tests.extend([none] if name == "ticket" else [])
            else:
                tests.append(_OF_TICKET[name](self, ticket, at))
        results = {test.result for test in tests}
        outcome: Outcome = (
            "unauthorised" if "fail" in results else "indeterminate" if "unknown" in results else "authorised"
        )
        return Verdict(outcome, tuple(tests), path, ticket.ref if ticket else "")

    def _tickets(self, at: datetime) -> tuple[list[Ticket], Test]:
        """Tickets the change refers to, else those whose scope and window cover it; else why there is none."""
        systems = self.authority.tickets
        refs = {claim.text: claim.where for claim in self.change.claims}
        named = [ticket for ticket in systems.found if ticket.ref in refs]
        if named:
            return named, Test("ticket", "pass", "")
        silent = "; ".join(systems.unanswered)
        if refs:
            said = ", ".join(f"{ref} ({where})" for ref, where in sorted(refs.items()))
            if silent:
                return [], Test("ticket", "unknown", f"{said}: not looked up: {silent}")
            return [], Test("ticket", "fail", f"{said}: no such ticket")
        covering = [
            ticket
            for ticket in systems.found
            if self.scope(ticket, at).result == "pass" and self.window(ticket, at).result == "pass" and ticket.start
        ]
        if covering:
            return covering, Test("ticket", "pass", "")
        if silent:
            return [], Test("ticket", "unknown", f"no reference; tickets that may cover it were not read: {silent}")
        return [], Test("ticket", "fail", "no reference, and no ticket's scope and window cover the change")

    def ticket(self, ticket: Ticket, _at: datetime) -> Test:
        where = next((claim.where for claim in self.change.claims if claim.text == ticket.ref), "")
        return Test("ticket", "pass", f"{ticket.ref}, {'named in ' + where if where else 'by scope and window'}")

    def state(self, ticket: Ticket, at: datetime) -> Test:
        entered = [event for event in ticket.history if event.state and event.at <= at]
        if not ticket.history:
            return Test("state", "unknown", f"{ticket.ref} has no history")
        state = entered[-1].state if entered else "(not yet opened)"
        approved = state.lower() in self.authority.approved_states
        return Test("state", "pass" if approved else "fail", f"{ticket.ref} was {state} at {_time(at)}")

    def window(self, ticket: Ticket, _at: datetime) -> Test:
        start, end, tolerance = ticket.start, ticket.end, timedelta(seconds=self.authority.tolerance)
        if start is None and end is None:
            return Test("window", "pass", f"{ticket.ref} plans no window; its state governs")
        early = start is not None and self.change.time < start - tolerance
        late = end is not None and self.change.time > end + tolerance
        planned = f"{_time(start) if start else 'open'} to {_time(end) if end else 'open'}"
        said = f"{_time(self.change.time)} is {'before' if early else 'after' if late else 'within'} {planned}"
        return Test("window", "fail" if early or late else "pass", said)

    def scope(self, ticket: Ticket, _at: datetime) -> Test:
        outside = [key for key in self.targets if not self._covered(ticket, key)]
        if not self.targets:
            return Test("scope", "unknown", "the resource the call acted on is not known")
        names = ", ".join(self._name(key) for key in outside or self.targets)
        return Test(
            "scope", "fail" if outside else "pass", f"{ticket.ref} {'does not cover' if outside else 'covers'} {names}"
        )

    def _name(self, key: Key) -> str:
        resource = self.known.get(key)
        return resource.address if resource and resource.address else f"{key.type} {key.id}"

    def _covered(self, ticket: Ticket, key: Key) -> bool:
        scope = ticket.scope
        if scope.accounts and not _matches(key.account, scope.accounts):
            return False
        resource = self.known.get(key)
        parent = self.known.get(resource.parent) if resource and resource.parent else None
        if not (scope.addresses or scope.resources or scope.types):
            return bool(scope.accounts)
        for one in (resource, parent):
            if one and one.address and self._addressed(one, scope.addresses):
                return True
            if one and any(_matches(name, scope.resources) for name in (one.key.id, *one.identifiers)):
                return True
        return _matches(key.type, scope.types) or _matches(key.id, scope.resources)

    def _addressed(self, one: Resource, patterns: Sequence[str]) -> bool:
        """By `stack/address`, by a pattern, or by the address alone where no other stack has the same."""
        if _matches(f"{one.stack}/{one.address}", patterns):
            return True
        if one.address in patterns:
            return one.address not in self.estate.shared
        return _matches(one.address, patterns)

    def implementer(self, ticket: Ticket, _at: datetime) -> Test:
        actor, person = self.change.actor, self._person()
        if not ticket.implementer:
            return Test("implementer", "fail", f"{ticket.ref} names no implementer")
        # Another user name of theirs counts where the map knows who they are, not where names merely look alike.
        mapped = bool(actor.person) or person != actor.name
        same = person.casefold() == ticket.implementer.casefold() or (
            mapped and self._one(person) == self._one(ticket.implementer)
        )
        said = f"made by {person}, {ticket.ref} is implemented by {ticket.implementer}"
        return Test("implementer", "pass" if same else "fail", said)

    def separation(self, ticket: Ticket, at: datetime) -> Test:
        approvers = set()
        for event in ticket.history:
            if event.at <= at:
                approvers |= {event.approved_by} - {""}
                approvers -= {event.withdrawn_by}
        mine = {self._one(name) for name in (self._person(), ticket.implementer, ticket.requester) if name}
        others = {self._one(name): name for name in sorted(approvers) if self._one(name) not in mine}
        if len(others) >= self.authority.approvals:
            return Test("separation", "pass", f"approved by {', '.join(sorted(others.values()))}")
        if approvers:
            own = ", ".join(sorted(approvers))
            return Test("separation", "fail", f"approved by {own}: {len(others)} of {self.authority.approvals} others")
        return Test("separation", "fail", f"{ticket.ref} had no approval at {_time(at)}")

    def _person(self) -> str:
        """The actor as tickets call them: by `people`, else by the identity map, else as AWS does."""
        actor = self.change.actor
        for principal, user in self.authority.people.items():
            if principal == actor.name or fnmatchcase(actor.arn, principal):
                return user
        return actor.person or actor.name

    def _one(self, user: str) -> str:
        """One name for a person, whichever of their user names it is."""
        return self.estate.users(self.authority.directory).person(user, self.change.time).casefold()


_OF_TICKET: Mapping[str, Callable[[_Asking, Ticket, datetime], Test]] = {
    "ticket": _Asking.ticket,
    "state": _Asking.state,
    "window": _Asking.window,
    "scope": _Asking.scope,
    "implementer": _Asking.implementer,
    "separation": _Asking.separation,
}


def _actor(change: Change, pipelines: Sequence[Pipeline]) -> Test:
    actor = change.actor
    said = f"{actor.name}: {actor.how}" if actor.how else actor.name
    if actor.kind in ("root", "shared"):
        return Test("actor", "fail", f"{said}: nobody is accountable for a {actor.kind} credential")
    if actor.kind == "unknown" and actor.person:
        return Test("actor", "fail", f"{said}: not theirs to use at that time")
    # Whoever started a service that is no trusted deployer is not known.
    if (actor.kind == "unknown" or actor.confidence < SURE) and not (actor.service and trusted(change, pipelines)):
        return Test("actor", "unknown", said)
    return Test("actor", "pass", said)


def trusted(change: Change, pipelines: Sequence[Pipeline]) -> str:
    """Name of the trusted pipeline that made a call; empty: none did."""
    actor = change.actor
    in_role = (one for one in pipelines if actor.role and fnmatchcase(actor.role, one.role))
    return next((one.name for one in in_role if _proof(change, one)), "")


def _pipeline(change: Change, pipelines: Sequence[Pipeline]) -> Test:
    """A role alone proves nothing: whoever may assume it can. The user agent is never asked."""
    actor = change.actor
    in_role = [p for p in pipelines if actor.role and fnmatchcase(actor.role, p.role)]
    for pipeline in in_role:
        proof = _proof(change, pipeline)
        if proof:
            return Test("pipeline", "pass", f"{pipeline.name}: role {actor.role}, {proof}")
    if in_role:
        return Test("pipeline", "fail", f"{actor.role} is {in_role[0].name}'s role, used by {actor.name}")
    return Test("pipeline", "fail", f"{actor.name} is no configured pipeline")


def _proof(change: Change, pipeline: Pipeline) -> str:
    actor = change.actor
    if pipeline.subject and actor.subject and fnmatchcase(actor.subject, pipeline.subject):
        return f"OIDC subject {actor.subject}"
    if pipeline.service and actor.service == pipeline.service:
        return f"issued to {actor.service}"
    said = actor.source_identity
    if pipeline.source_identity and said and fnmatchcase(said, pipeline.source_identity):
        return f"sourceIdentity {said}"
    if pipeline.source_ips and _within(change.source_ip, pipeline.source_ips):
        return f"source address {change.source_ip}"
    return ""


def _within(address: str, blocks: Sequence[str]) -> bool:
    try:
        source = ip_address(address)
    except ValueError:  # a service's DNS name stands where the address would
        return False
    return any(source in ip_network(block) for block in blocks)


def _matches(name: str, patterns: Sequence[str]) -> bool:
    # A bracketed index of an address (`aws_x.y["a"]`) must match itself, so the exact spelling is tried first.
    return any(name == pattern or fnmatchcase(name, pattern) for pattern in patterns)


def _nearness(verdict: Verdict) -> tuple[int, int, int, str, str]:
    """Authorised first, then undecided, then the fewest failed tests."""
    rank = {"authorised": 0, "indeterminate": 1}.get(verdict.outcome, 2)
    passed = sum(test.result == "pass" for test in verdict.tests)
    return (rank, len(verdict.failed), -passed, verdict.path, verdict.ticket)


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"

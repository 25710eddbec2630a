"""The tests that ask a ticket, each with its evidence.

Hides what an answer depends on, so that it is worked out once for all changes it holds for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from agent.authorise.question import Question
from agent.authorise.terms import Answer, Terms, Timed, shown
from agent.content import within
from agent.model import Test, TicketScope

_SHOWN = 20  # names of resources told of one call


def ticket(asked: Question, terms: Terms, _at: datetime) -> Answer:
    """Where its reference stands, or that scope and window led to it."""
    where = asked.refs.get(terms.ref, "")
    found = terms.kept.get(where)
    if found is None:
        planned = "by scope and window" if terms.ticket.start or terms.ticket.end else "by scope"
        said = f"{terms.ref}, {'named in ' + where if where else planned}"
        found = terms.kept[where] = Test("ticket", "pass", said)
    return found


def state(asked: Question, terms: Terms, at: datetime) -> Answer:
    """Whether it was approved, or being implemented, at the moment."""
    if why := _untold(terms):
        return Test("state", "unknown", why)
    history = terms.history
    epoch = history.epoch(at)
    answer = terms.at_epoch.get(epoch)
    if answer is None:
        found = history.states[epoch]
        approved = found.lower() in asked.grounds.authority.approved_states
        said = f"{terms.ref} was {found or '(not yet opened)'} at "
        answer = terms.at_epoch[epoch] = Timed("state", "pass" if approved else "fail", said)
    return answer


def _untold(terms: Terms) -> str:
    """Why its history does not tell how it stood at a time; empty where it does."""
    if terms.ticket.incomplete:
        return f"{terms.ref}: {terms.ticket.incomplete}"
    return "" if terms.history.times else f"{terms.ref} has no history"


def window(asked: Question, terms: Terms, _at: datetime) -> Answer:
    """Whether the change lies in the planned window, with the tolerance."""
    if terms.ticket.start is None and terms.ticket.end is None:
        return Test("window", "pass", f"{terms.ref} plans no window; its state governs")
    side = -1 if asked.moment < terms.begins else 0 if asked.moment <= terms.ends else 1
    answer = terms.in_window.get(side)
    if answer is None:
        said = f" is {('within', 'after', 'before')[side]} {terms.planned}"
        answer = terms.in_window[side] = Timed("window", "fail" if side else "pass", "", said)
    return answer


def scope(asked: Question, terms: Terms, _at: datetime) -> Answer:
    """Whether it covers every resource of the change, and what was done to it."""
    covering = terms.covering
    if covering.by_call or not asked.targets:
        asked.alone = True
        return _scope(asked, terms)
    found = terms.kept.get(asked.place)
    if found is None:
        found = terms.kept[asked.place] = _scope(asked, terms)
    return found


def _scope(asked: Question, terms: Terms) -> Test:
    estate, covering, change = asked.grounds.estate, terms.covering, asked.change
    if terms.ticket.incomplete and terms.ticket.scope == TicketScope():
        # What it asked for was not to be read: that is not the same as asking for something else.
        return Test("scope", "unknown", f"{terms.ref}: {terms.ticket.incomplete}")
    if not asked.targets:
        result = covering.covers_call(change)
        if result == "unknown":
            return Test("scope", "unknown", "the resource the call acted on is not known")
        verb = "covers" if result == "pass" else "does not cover"
        return Test("scope", result, f"{terms.ref} {verb} {change.action} in {change.account}")
    if len(asked.targets) == 1:
        (key,) = asked.targets
        result = covering.covers(key, estate.names(key), asked.grounds.environment(key), change)
        if result != "unknown":
            verb = "covers" if result == "pass" else "does not cover"
            return Test("scope", result, f"{terms.ref} {verb} {estate.called(key)}")
    results = {
        key: covering.covers(key, estate.names(key), asked.grounds.environment(key), change) for key in asked.targets
    }
    outside = [key for key, result in results.items() if result == "fail"]
    doubted = [key for key, result in results.items() if result == "unknown"]
    told = [estate.called(key) for key in outside or doubted or asked.targets]
    names = ", ".join(told[:_SHOWN]) + (f" and {len(told) - _SHOWN} more" if len(told) > _SHOWN else "")
    if outside:
        return Test("scope", "fail", f"{terms.ref} does not cover {names}")
    if doubted:
        return Test("scope", "unknown", f"{terms.ref} covers some attributes of {names}; which were set is not known")
    return Test("scope", "pass", f"{terms.ref} covers {names}")


def implementer(asked: Question, terms: Terms, _at: datetime) -> Answer:
    """Whether the actor is who was to make the change; of a standard change, in a group that may."""
    if terms.ticket.kind == "standard" and terms.ticket.groups:
        return _in_group(asked, terms)
    if not terms.ticket.implementer:
        if terms.ticket.incomplete:
            return Test("implementer", "unknown", f"{terms.ref}: {terms.ticket.incomplete}")
        return Test("implementer", "fail", f"{terms.ref} names no implementer")
    who = ("implementer", asked.credential, asked.era)
    found = terms.kept.get(who)
    if found is None:
        found = terms.kept[who] = _implementer(asked, terms)
    return found


def _implementer(asked: Question, terms: Terms) -> Test:
    planned = terms.ticket.implementer
    one = asked.one(planned)
    # Another user name of theirs counts where the map knows who they are, not where names merely look alike.
    same = asked.credential.person.casefold() == planned.casefold() or (
        asked.credential.mapped and asked.one(asked.credential.person) == one
    )
    said = f"made by {asked.credential.person}, {terms.ref} is implemented by {planned}"
    merger = next((name for name in asked.credential.mergers if asked.one(name) == one), "")
    if not same and merger:
        return Test("implementer", "pass", f"merged by {merger}, {terms.ref} is implemented by {planned}")
    return Test("implementer", "pass" if same else "fail", said)


def _in_group(asked: Question, terms: Terms) -> Test:
    wanted = ", ".join(terms.ticket.groups)
    mine = asked.credential.groups
    if mine is None:
        said = f"{terms.ref} is for {wanted}; the groups of {asked.credential.person} are not known"
        return Test("implementer", "unknown", said)
    same = not mine.isdisjoint(group.casefold() for group in terms.ticket.groups)
    said = f"made by {asked.credential.person}, {terms.ref} is for {wanted}"
    return Test("implementer", "pass" if same else "fail", said)


def separation(asked: Question, terms: Terms, at: datetime) -> Answer:
    """Whether enough others approved it by the moment, one of them for the group that the risk asks for."""
    if why := _untold(terms):
        return Test("separation", "unknown", why)
    history = terms.history
    epoch = history.epoch(at)
    if not history.approvals[epoch] and asked.needed:
        return Timed("separation", "fail", f"{terms.ref} had no approval at ")
    who = (epoch, asked.credential, asked.era, asked.needed, asked.group)
    found = terms.kept.get(who)
    if found is None:
        found = terms.kept[who] = _separation(asked, terms, epoch)
    return found


def _separation(asked: Question, terms: Terms, epoch: int) -> Test:
    ticket = terms.ticket
    approvals = terms.history.approvals[epoch]
    involved = (asked.credential.person, ticket.implementer, ticket.requester, *asked.credential.mergers)
    mine = {asked.one(name) for name in involved if name}
    others: dict[str, str] = {}
    for name, _ in approvals:
        if asked.one(name) not in mine:
            others.setdefault(asked.one(name), name)
    if len(others) < asked.needed:
        own = ", ".join(sorted({name for name, _ in approvals}))
        return Test("separation", "fail", f"approved by {own}: {len(others)} of {asked.needed} others")
    said = f"approved by {', '.join(sorted(others.values()))}" if others else "no approval is required"
    if not asked.group:
        return Test("separation", "pass", said)
    return _of_group(asked, [one for one in approvals if asked.one(one[0]) in others], said)


def _of_group(asked: Question, approvals: list[tuple[str, str]], said: str) -> Test:
    """Whether one of the approvers is of the group: by what the system says they spoke for, else by the map."""
    wanted, doubted = asked.group.casefold(), []
    for name, spoke_for in approvals:
        groups = asked.grounds.people.groups(name, asked.change.time)
        if spoke_for.casefold() == wanted or (groups is not None and wanted in groups):
            return Test("separation", "pass", f"{said}; {name} for {asked.group}")
        if groups is None and not spoke_for:
            doubted.append(name)
    if doubted:
        whose = ", ".join(sorted(doubted))
        return Test("separation", "unknown", f"{said}; whether {whose} is of {asked.group} is not known")
    return Test("separation", "fail", f"{said}: none of them for {asked.group}")


def content(asked: Question, terms: Terms, _at: datetime) -> Answer:
    """Whether what was changed lies within the plan that was approved."""
    if terms.ticket.plan is None:
        return Test("content", "fail", f"{terms.ref} has no approved plan attached")
    asked.alone = True
    estate = asked.grounds.estate
    return within(asked.change, asked.targets, estate.known, terms.ticket.plan, estate.specs or None)


ASKED: Mapping[str, Callable[[Question, Terms, datetime], Answer]] = {
    "ticket": ticket,
    "state": state,
    "window": window,
    "scope": scope,
    "implementer": implementer,
    "separation": separation,
    "content": content,
}
"""By name."""


def since(asked: Question, terms: Terms, now: datetime) -> tuple[str, ...]:
    """What became of it after the change: left its approval, was reopened, lost approvals. One line each."""
    history = terms.history
    first, last = history.epoch(asked.change.time), history.epoch(now)
    if first == last:
        return ()
    found = terms.since.get((first, last))
    if found is None:
        found = terms.since[first, last] = tuple(_became(asked, terms, first, last))
    return found


def _became(asked: Question, terms: Terms, first: int, last: int) -> list[str]:
    authority, history, lines = asked.grounds.authority, terms.history, []
    for number in range(first, last):
        when = shown(history.times[number])
        before, after = history.states[number].lower(), history.states[number + 1].lower()
        if before != after and before in authority.done_states and after not in authority.done_states:
            lines.append(f"{terms.ref} was reopened at {when}: from {before} to {after}")
        elif before in authority.approved_states and after not in authority.approved_states | authority.done_states:
            lines.append(f"{terms.ref} went from {before} to {after} at {when}")
        for name, _ in history.approvals[number]:
            if name not in {one for one, _ in history.approvals[number + 1]}:
                lines.append(f"{name}'s approval of {terms.ref} ended at {when}")
    return lines

"""Refused calls, gathered by who made them: apart from changes, because nothing changed, and never nothing.

Hides how a burst is told from a trickle, and that somebody may be refused a million times under a thousand names.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from agent.model import Attempt, Burst, Change

BURST = timedelta(minutes=10)
"""The stretch in which refused calls count as one burst."""
MANY = 20
"""Refused calls that make a burst. A person, or a run of Terraform that lacks a permission, is refused a few times and
stops; who tries one call after the other to learn what a credential may do is refused more often than that."""
MOST = 1000
"""Actors told of, the most refused first."""
_NAMED = 10  # actions, addresses and regions named of one actor


def attempts(refused: Iterable[Change], errors: Mapping[str, str]) -> tuple[Attempt, ...]:
    """One for each actor and account, the most refused first, `MOST` of them; `errors`: event → errorCode."""
    by_actor: dict[tuple[str, str, str], list[Change]] = defaultdict(list)
    for change in refused:
        by_actor[change.actor.name, change.actor.arn, change.account].append(change)
    found = [_attempt(sorted(calls, key=lambda c: (c.time, c.event_ids)), errors) for calls in by_actor.values()]
    return tuple(sorted(found, key=lambda one: (-one.count, one.account, one.actor.name, one.actor.arn))[:MOST])


def _attempt(calls: Sequence[Change], errors: Mapping[str, str]) -> Attempt:
    dense = _density([call.time for call in calls])
    days: dict[str, list[int]] = defaultdict(list)
    for number, call in enumerate(calls):
        days[f"{call.time:%F}"].append(number)
    bursts = [_burst(day, [calls[n] for n in there], max(dense[n] for n in there)) for day, there in days.items()]
    return Attempt(
        actor=calls[0].actor,
        account=calls[0].account,
        count=len(calls),
        first=calls[0].time,
        last=calls[-1].time,
        densest=max(dense),
        errors=_most(errors.get(call.event_ids[0], "") for call in calls),
        actions=_most(call.action for call in calls),
        source_ips=_most(call.source_ip for call in calls),
        regions=_most(call.region for call in calls),
        bursts=tuple(burst for burst in bursts if burst.densest >= MANY),
    )


def _burst(day: str, calls: Sequence[Change], densest: int) -> Burst:
    services = {call.action.partition(":")[0] for call in calls}
    return Burst(day, len(calls), densest, calls[0].time, calls[-1].time, len(services))


def _density(times: Sequence[datetime]) -> list[int]:
    """How many calls each stretch of `BURST` has that ends with a call; times in order."""
    found = []
    first = 0
    for last, time in enumerate(times):
        while time - times[first] > BURST:
            first += 1
        found.append(last - first + 1)
    return found


def _most(words: Iterable[str]) -> tuple[str, ...]:
    counted = Counter(word for word in words if word)
    return tuple(sorted(counted, key=lambda word: (-counted[word], word))[:_NAMED])

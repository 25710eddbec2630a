"""Messages of queues that hold no event, which whoever may write to a queue can send by the thousand: told as one.

Hides that each is kept by itself, for good, and for how long they are news.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from agent.model import Gap, Poisoned, Scope

LATELY = timedelta(days=1)
"""How long after the last of them a queue counts as poisoned. What held no event then is no loss; that it may have held
one is told for as long as the interval lasts."""
_SHOWN = 5


def lasting(kept: Iterable[tuple[datetime, Gap]], now: datetime) -> tuple[tuple[Gap, ...], tuple[Poisoned, ...]]:
    """What is lost for good, from the gaps kept with when they were found, oldest first: of a queue's messages one gap
    and what is known of them, the other gaps as they are.

    Messages that told of a log file of some account and region are told for that place.
    """
    found: dict[Scope, list[tuple[datetime, Gap]]] = defaultdict(list)
    others = []
    for at, gap in kept:
        if gap.cause == "poison":
            found[gap.scope].append((at, gap))
        else:
            others.append(gap)
    told = tuple(
        Poisoned(
            scope,
            sum(gap.times for _, gap in gaps),
            max(at for at, _ in gaps),
            tuple(gap.why for _, gap in gaps[-_SHOWN:]),
        )
        for scope, gaps in found.items()
    )
    return (*(_gap(one, now) for one in told), *others), told


def _gap(one: Poisoned, now: datetime) -> Gap:
    # A log file that a message named is lost, and no time that passes makes it less so.
    lasts = one.scope.account != "*" or now - one.last <= LATELY
    why = f"{one.scope.id}: messages that hold no event came through it, and whether one was lost is not known"
    return Gap(one.scope, why, cause="poison" if lasts else "unproven")

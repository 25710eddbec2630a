"""Of the evidence what the verdicts on some changes rest on, to be kept with them: a store keeps it for years.

Hides by which ways a ticket may come into a verdict: a change or its merge names it, its window is on when the change
is made, or it is a standard change, which has none. No other ticket can alter what is said of the change.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import replace

from agent.model import Authority, Change, Ticket
from agent.people import needed


def rested_on(authority: Authority, changes: Iterable[Change]) -> Authority:
    """The same verdicts come of it on these changes, which are those of the judged trail."""
    changes = tuple(changes)
    refs = {claim.text for change in changes for claim in change.claims}
    refs |= {ref for merge in authority.tickets.merges for ref in merge.references}
    times = sorted(change.time.timestamp() for change in changes)
    found = tuple(
        one
        for one in authority.tickets.found
        if one.ref in refs or one.kind == "standard" or _covers(one, times, authority.tolerance)
    )
    kept = replace(authority, tickets=replace(authority.tickets, found=found), history={})
    return replace(kept, directory=needed(kept, changes))


def _covers(ticket: Ticket, times: list[float], tolerance: float) -> bool:
    """Whether a change was made while it was on. One that plans no start is found by its name alone."""
    if ticket.start is None:
        return False
    at = bisect_left(times, ticket.start.timestamp() - tolerance)
    return at < len(times) and (ticket.end is None or times[at] <= ticket.end.timestamp() + tolerance)

"""Which calls are one emergency: sessions of emergency roles, and what a window declared ahead covers.

Hides how a window is matched (who, when, role, account, environment), and that a window takes in whole sessions.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from agent.clean import clean
from agent.model import Case, Change, Declaration, EmergencyRole, Key, Opening
from agent.people import SURE, folded

SKEW = timedelta(minutes=1)
"""How far apart the clocks of whoever opens a window and of CloudTrail, which tells whole seconds, may be: the first
call after an opening may seem to come before it."""

_ACCOUNTABLE = ("person", "unknown")
_NOBODY = ("shared", "root")


def grant_of(seed: str) -> str:
    """Id of an emergency: `BG-` and twelve digits of hex, of its opening's id or of `session(change)`."""
    return f"BG-{hashlib.blake2b(seed.encode('utf-8', 'surrogatepass'), digest_size=6).hexdigest()}"


def session(change: Change) -> str:
    """What makes calls one session: their temporary credentials; for long-lived keys the principal and the day."""
    if change.session.startswith("ASIA"):  # temporary credentials; AKIA… are long-lived
        return f"session {change.session}"
    return f"principal {change.actor.arn or change.actor.name} {change.time:%Y-%m-%d}"


@dataclass(slots=True)
class Gathered:
    """Calls of one emergency, before anything is said of them."""

    id: str
    how: str
    opening: Opening | None = None
    calls: dict[tuple[str, ...], Change] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    """Who else acted in its window and is not excused → calls."""
    entered: frozenset[tuple[str, ...]] = frozenset()
    """Which of its calls are sign-ins."""

    def ordered(self) -> list[Change]:
        """Its calls as they were made."""
        return sorted(self.calls.values(), key=order)


def order(change: Change) -> tuple[datetime, tuple[str, ...]]:
    """Changes in the order of time, always the same."""
    return change.time, change.event_ids


@dataclass(frozen=True, slots=True)
class Grounds:
    """What makes a call one of an emergency."""

    declarations: Sequence[Declaration]
    roles: Sequence[EmergencyRole]
    cases: Sequence[Case]
    environments_of: Callable[[Key], Sequence[Set[str]]]
    """All that each environment a resource belongs to may be called, without case."""


class _Windows:
    """Emergency roles and windows, ready to be asked about calls."""

    def __init__(self, grounds: Grounds, calls: Sequence[Change]) -> None:
        """`calls` in the order of time: years of windows are none of theirs."""
        self.grounds = grounds
        openings = {
            one.id: one
            for one in grounds.declarations
            if isinstance(one, Opening)
            and calls
            and one.until >= calls[0].time
            and one.by.said_at - SKEW <= calls[-1].time
        }
        self.openings = sorted(openings.values(), key=lambda one: (one.by.said_at, one.id))
        self._in_case: dict[str, set[str]] = defaultdict(set)
        for kept in (kept for case in grounds.cases for kept in case.emergencies):
            for event in kept.events:
                self._in_case[event].add(kept.id)

    def role(self, change: Change) -> EmergencyRole | None:
        """The emergency role a call was made in."""
        arn = change.actor.role
        return next((one for one in self.grounds.roles if arn and fnmatchcase(arn, one.role)), None)

    def opening(self, change: Change) -> Opening | None:
        """The window that covers a call, whoever's credential it was: the one its case is about, else the earliest."""
        covering = [one for one in self.openings if self._covers(one, change)]
        known = {grant for event in change.event_ids for grant in self._in_case.get(event, ())}
        return next((one for one in covering if grant_of(one.id) in known), covering[0] if covering else None)

    def _covers(self, opening: Opening, change: Change) -> bool:
        actor = change.actor
        # A name that nobody vouched for is whatever its bearer typed.
        who = folded(actor.person or (actor.name if actor.confidence >= SURE else ""))
        return (
            opening.by.said_at - SKEW <= change.time <= opening.until
            and who in map(folded, opening.actors or (opening.by.person,))
            and _among(actor.role, opening.roles)
            and _among(change.account, opening.accounts)
            and (not opening.environments or all(self._within(key, opening) for key in _served(change)))
        )

    def _within(self, key: Key, opening: Opening) -> bool:
        """Whether a window is for every environment a resource belongs to; of an unknown one it is not."""
        wanted = [one.casefold() for one in opening.environments]
        sides = self.grounds.environments_of(key)
        return bool(sides) and all(any(_among(name, wanted) for name in names) for names in sides)


def _served(change: Change) -> Sequence[Key]:
    """What a call acted on; where that is not known, its account stands for it."""
    return change.targets or (Key(change.account, change.region, "", ""),)


def _among(name: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def gather(changes: Sequence[Change], sessions: Sequence[Change], grounds: Grounds) -> Mapping[str, Gathered]:
    """Emergency id → its calls. A sign-in counts where it is to an emergency role.

    What a session in an emergency role did besides a window it met belongs to that window. Pipelines, workloads and
    services have no emergencies. Nobody's credentials (shared, root) are in no window; in an emergency role they make
    an emergency, that it be answered for, and the test of the actor fails.
    """
    calls = sorted((*changes, *sessions), key=order)
    begun = {one.event_ids for one in sessions}
    windows = _Windows(grounds, calls)
    found: dict[str, Gathered] = {}
    in_role: dict[str, list[tuple[Change, EmergencyRole]]] = defaultdict(list)
    window_of: dict[str, Opening] = {}
    refused: list[tuple[Change, Opening]] = []
    for change in calls:
        kind, role, opening = change.actor.kind, windows.role(change), windows.opening(change)
        if role is None and (opening is None or change.event_ids in begun):
            continue
        if opening is not None and kind == "person":
            _in_window(found, change, opening)
            window_of.setdefault(session(change), opening)
            continue
        if opening is not None and kind not in _ACCOUNTABLE:
            refused.append((change, opening))
        if role is not None and kind in (*_ACCOUNTABLE, *_NOBODY):
            in_role[session(change)].append((change, role))
    for name, own in in_role.items():
        for change, role in own:
            if name in window_of:
                _in_window(found, change, window_of[name])
            else:
                grant, how = grant_of(name), f"emergency role {clean(role.name)} ({clean(change.actor.role)})"
                found.setdefault(grant, Gathered(grant, how)).calls[change.event_ids] = change
    for change, opening in refused:
        one = found.get(grant_of(opening.id))
        if one is not None:
            who = f"{change.actor.name}, a {change.actor.kind} credential"
            one.left_out[who] = one.left_out.get(who, 0) + 1
    for one in found.values():
        one.entered = frozenset(one.calls.keys() & begun)
    return found


def _in_window(found: dict[str, Gathered], change: Change, opening: Opening) -> None:
    grant = grant_of(opening.id)
    how = (
        f"window declared by {clean(opening.by.person)} for {clean(opening.incident)}, "
        f"until {opening.until:%Y-%m-%d %H:%M:%S} UTC"
    )
    found.setdefault(grant, Gathered(grant, how, opening)).calls[change.event_ids] = change


def nobodys(one: Gathered) -> list[str]:
    """What there is to say of credentials that nobody is accountable for, one line each."""
    notes = [f"not covered: calls by {clean(who)} ({count})" for who, count in sorted(one.left_out.items())]
    held = {(change.actor.name, change.actor.kind) for change in one.calls.values()}
    for name, kind in sorted(held):
        if kind in _NOBODY:
            notes.append(f"{clean(name)} is a {kind} credential: nobody is accountable, and nothing is excused")
        elif kind == "unknown":
            notes.append(f"who {clean(name)} is, is not known: that a reviewer is somebody else cannot be told")
    return notes

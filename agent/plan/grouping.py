"""Which findings are one case: what shares a session, an emergency or a call, directly or through others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from agent.model import Case, CaseKey, Finding
from agent.plan.sight import Sight, events
from agent.plan.story import ANSWERABLE

Named = tuple[Case | Finding, set[str]]
"""Something, and the names that tie it to others."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Where findings that are in no case go."""

    joining: Mapping[CaseKey, Sequence[Finding]]
    """Open or held case → findings that join it."""
    merged: Mapping[CaseKey, Case]
    """Open case → the one that it is merged into: both turned out to be about one emergency."""
    new: Sequence[Sequence[Finding]]
    """Findings of a new case each."""


def group(open_cases: Sequence[Case], fresh: Sequence[Finding], sight: Sight) -> Groups:
    """The fresh findings that join an open case, and the groups of the others that make a new one each.

    A session has one case: what it goes on with joins a held one too, and waits with it, unless an open case tells it.
    An emergency's is about to be filed.
    """
    told: list[Named] = []
    held: list[Named] = []
    for case in open_cases:
        known = [*sight.members(case), *sight.elsewhere(case)]
        members = known if case.state == "open" else []
        about = sight.emergencies_of(case, members)
        grants = {one.id for one in about} | sight.brought(members)
        its = {*case.events, *events(known, frozenset()), *(f"emergency {one}" for one in grants)}
        its |= {sight.thread_of(event) for event in case.events if event in sight.judged}
        (told if case.state == "open" or about else held).append((case, its))
    named: list[Named] = [(one, {*events([one], frozenset()), *_threads(one, sight)}) for one in fresh]
    names_of = {id(one): its for one, its in named}
    joining: dict[CaseKey, Sequence[Finding]] = {}
    merged: dict[CaseKey, Case] = {}
    left: list[Named] = []
    for together in _connected([*told, *named]):
        members = [one for one in together if isinstance(one, Finding)]
        cases = [one for one in together if isinstance(one, Case)]
        if not cases:
            left += [(one, names_of[id(one)]) for one in members]
            continue
        first = next((case for case in cases if sight.emergencies_of(case)), cases[0])
        joining[first.key] = members
        covered = {event for one in sight.emergencies_of(first) for event in one.events}
        for case in cases:
            # A case about an emergency of its own, or with other changes too, is answered for by itself.
            if case is not first and not sight.emergencies_of(case) and case.events and covered.issuperset(case.events):
                merged[case.key] = first
    new: list[Sequence[Finding]] = []
    for together in _connected([*held, *left]):
        members = [one for one in together if isinstance(one, Finding)]
        into = next((one for one in together if isinstance(one, Case)), None)
        if into is not None:
            joining[into.key] = members
        else:
            new.append(members)
    return Groups(joining, merged, new)


def _threads(finding: Finding, sight: Sight) -> set[str]:
    """The emergencies a finding is in, and the session of what was done to it last."""
    items = [item for item in finding.changes if item.verdict.outcome in ANSWERABLE]
    return {sight.thread(item) for item in items if item is items[-1] or sight.grant(item)}


def _connected(named: Iterable[Named]) -> list[list[Case | Finding]]:
    """Things that share a name, directly or through others, in the order given."""
    things: dict[int, list[tuple[int, Case | Finding]]] = {}
    names: dict[int, set[str]] = {}
    home: dict[str, int] = {}
    for number, (thing, its) in enumerate(named):
        first, *others = sorted({home[name] for name in its if name in home}) or [number]
        moved = {*its, *(name for other in others for name in names.pop(other))}
        brought = [one for other in others for one in things.pop(other)]
        things.setdefault(first, []).extend([*brought, (number, thing)])
        names.setdefault(first, set()).update(moved)
        home.update(dict.fromkeys(moved, first))
    return [[thing for _, thing in sorted(group, key=lambda one: one[0])] for group in things.values()]

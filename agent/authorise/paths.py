"""Which tests a change must pass: the paths, and the policies that say otherwise for some changes.

Hides how policies combine where one call acts on several resources: each of them has its policy met.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from fnmatch import fnmatchcase

from agent.authorise.estate import Environment
from agent.model import Authority, Policy

TESTS = (
    *("actor", "pipeline", "ticket", "state", "window", "scope", "implementer", "separation"),
    *("content", "permitted", "review", "checks", "freeze", "breakglass"),
)
"""Every test there is."""

PATHS: Mapping[str, tuple[str, ...]] = {
    "pipeline": ("actor", "pipeline", "ticket", "state", "window", "scope", "separation"),
    "manual": ("actor", "ticket", "state", "window", "scope", "implementer", "separation"),
    "standing": ("actor", "ticket", "state", "window", "scope", "separation"),
    "emergency": ("actor", "breakglass"),
}
"""Tests each path requires unless configured otherwise. A pipeline's implementer is whoever merged, so `implementer`
is not asked there; a standing (ITIL: standard) change was approved once for all.

Besides these, evidence that exists counts: `content` where a plan is attached to the ticket, `review` and `checks`
where a forge knows the applied commit, `permitted` and `freeze` where they are configured. Where a path lists one of
these by name, evidence that is missing fails it."""

OF_TICKET = frozenset({"ticket", "state", "window", "scope", "implementer", "separation", "content"})
"""Tests that ask a ticket."""

_VALID = frozenset({"ticket", "state", "window", "scope"})
"""Tests that a ticket must not fail to count as one for the change."""

Subject = tuple[Environment, str]
"""Where a resource belongs, and its type."""


@dataclass(frozen=True, slots=True)
class Required:
    """What one change must pass."""

    paths: Mapping[str, tuple[str, ...]]
    """The paths that are open to it."""
    by_hand: tuple[str, ...]
    """Their names, the pipeline's last: so they are tried for whoever is none."""
    approvals: int


def has_valid_ticket(results: Iterable[tuple[str, str]]) -> bool:
    """Whether a verdict rests on a ticket that was one for the change; `results` are names and results of its tests.

    The ticket was found (`ticket` passes), and it did not fail to be approved at the time (`state`), to be planned for
    then (`window`) or to mean the resource (`scope`). What could not be answered does not count against it. Who made or
    approved the change is no matter of the ticket: `implementer`, `separation` and `content` may fail.
    """
    asked = {name: result for name, result in results if name in _VALID}
    return asked.get("ticket") == "pass" and "fail" not in asked.values()


class Policies:
    """What is required where."""

    def __init__(self, authority: Authority) -> None:
        self._policies = authority.policies
        self._paths = authority.paths or PATHS
        self._approvals = authority.approvals
        self._known: dict[tuple[frozenset[Subject], str], Required] = {}
        self._default = self._combined([None])

    def required(self, subjects: frozenset[Subject], level: str) -> Required:
        """What a change of these resources at a level of risk (empty: not scored) must pass."""
        if not self._policies:
            return self._default
        asked = (subjects, level)
        found = self._known.get(asked)
        if found is None:
            fitting = [
                self._first(names, type_, level) for environment, type_ in subjects for names in environment.sides
            ]
            found = self._known[asked] = self._combined(fitting)
        return found

    def _first(self, names: frozenset[str], type_: str, level: str) -> Policy | None:
        return next((one for one in self._policies if _fits(one, names or {""}, type_, level)), None)

    def _combined(self, policies: list[Policy | None]) -> Required:
        paths: dict[str, tuple[str, ...]] = {}
        each = [{**self._paths, **(one.paths if one else {})} for one in policies]
        for path in dict.fromkeys(name for one in each for name in one):
            tests = [one.get(path, ()) for one in each]
            if all(tests):
                listed = {name for one in tests for name in one}
                paths[path] = tests[0] if len(set(tests)) == 1 else tuple(one for one in TESTS if one in listed)
        asked = [self._approvals if one is None or one.approvals is None else one.approvals for one in policies]
        return Required(paths, tuple(sorted(paths, key=lambda path: path == "pipeline")), max(asked))


def _fits(policy: Policy, names: Set[str], type_: str, level: str) -> bool:
    return (
        any(fnmatchcase(name, wanted.casefold()) for name in names for wanted in policy.environments)
        and any(fnmatchcase(type_, wanted) for wanted in policy.types)
        and any(fnmatchcase(level, wanted) for wanted in policy.risks)
    )

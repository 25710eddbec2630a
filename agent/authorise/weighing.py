"""The risk of a change: what it is scored by, and the answers that many changes share.

Hides where the inputs come from: the environment that weighs most, what the call's attributes are about, how much the
session changed, and how often changes of such types went wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from agent.authorise.estate import Environment, Estate
from agent.model import Authority, Change, Key, Risk
from agent.risk import assess
from agent.topics import topics

Did = tuple[str, ...]
"""What a call did to one resource: its type, the act, and the attributes that were set."""


class Weighing:
    """Scores changes; without weights none has a risk."""

    def __init__(self, authority: Authority, estate: Estate) -> None:
        self._weights = authority.weights
        self._failures = authority.failures
        self._production = ("production", *authority.environments.production)
        self._estate = estate
        self._risks: dict[tuple[int, tuple[Did, ...], int], Risk] = {}

    def did(self, change: Change, targets: Sequence[Key]) -> tuple[Did, ...]:
        """What a call did to these resources, or to others besides."""
        # Of what is created or deleted each attribute goes along: it is about the whole.
        did = tuple([(one.type, one.act, *(one.sets if one.act == "update" else ())) for one in change.touches])
        return did or tuple([(key.type, "update") for key in targets])

    def size(self, change: Change, targets: Sequence[Key]) -> int:
        """How many resources were changed in the session, these at least."""
        return self._estate.size(change, max(len(targets), len(change.targets), 1))

    def risk(self, where: int, environments: tuple[Environment, ...], did: tuple[Did, ...], size: int) -> Risk | None:
        """The risk of a change in these environments, for which `where` stands."""
        if self._weights is None:
            return None
        asked = (where, did, size)
        found = self._risks.get(asked)
        if found is None:
            share = max([self._failures.get(one[0], 0.0) for one in did], default=0.0) if self._failures else 0.0
            specs = self._estate.specs
            about = {
                topic for type_, _, *names in did for name in names or [""] for topic in topics(type_, name, specs)
            }
            acts = {act for _, act, *_ in did}
            found = assess(self._heaviest(environments), sorted(about), sorted(acts), size, share, self._weights)
            self._risks[asked] = found
        return found

    def _heaviest(self, environments: tuple[Environment, ...]) -> str:
        """The name that weighs most. What is production weighs as such, whatever else it is called."""
        names = {
            name
            for one in environments
            for name in (one.name, *one.before, *(self._production if one.production else ()))
        }
        return max(sorted(names), key=lambda name: (self._points(name), bool(name)), default="")

    def _points(self, name: str) -> int:
        points = self._weights.environments if self._weights and name else {}
        return max((worth for one, worth in points.items() if fnmatchcase(name.lower(), one.lower())), default=0)

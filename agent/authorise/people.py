"""Who is who at a time: users of ticket systems and forges as people of the identity map, and the groups of those.

Hides that entries begin and end: between two such moments nothing changes, and answers are kept for each such stretch.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from agent.model import Directory, Person
from agent.people import folded, is_valid


class People:
    """A directory, ready to be asked about names."""

    __slots__ = ("_known", "_ones", "_turns")

    def __init__(self, directory: Directory) -> None:
        """Built once for a directory."""
        self._known: dict[str, list[Person]] = defaultdict(list)
        turns = set()
        for person in directory.people:
            for name in {folded(one) for one in (person.id, *person.users)}:
                self._known[name].append(person)
            turns |= {person.valid_from, person.valid_until}
        self._turns = sorted(turn for turn in turns if turn is not None)
        self._ones: dict[tuple[str, int], tuple[str, Person | None]] = {}

    def era(self, at: datetime) -> int:
        """A number that is the same for two moments between which no entry begins or ends."""
        return bisect_left(self._turns, at) + bisect_right(self._turns, at) if self._turns else 0

    def one(self, user: str, at: datetime) -> str:
        """One name for a person, whichever of their user names it is: the id, else the name itself, folded."""
        return self._found(user, at)[0]

    def groups(self, user: str, at: datetime) -> frozenset[str] | None:
        """Groups and team of whoever has that user name at the time, folded; None: not in the map."""
        person = self._found(user, at)[1]
        return None if person is None else group_names(person.groups, person.team)

    def _found(self, user: str, at: datetime) -> tuple[str, Person | None]:
        asked = (user, self.era(at))
        found = self._ones.get(asked)
        if found is None:
            valid = {one.id: one for one in self._known.get(folded(user), ()) if is_valid(one, at)}
            person = next(iter(valid.values())) if len(valid) == 1 else None
            found = self._ones[asked] = ((person.id if person else folded(user)).casefold(), person)
        return found


def group_names(groups: Iterable[str], team: str) -> frozenset[str]:
    """Groups and team as they are compared: without case."""
    return frozenset(name.casefold() for name in (*groups, team) if name)

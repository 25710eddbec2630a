"""The commit that a pipeline applied, as its forge knows it: who wrote, reviewed and merged it, and its checks.

Hides how a commit is found by what a run calls it, and that two forges, or two requests, may know the same commit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from agent.authorise.people import People
from agent.authorise.terms import History
from agent.model import Merge, Run, Test

SHORTEST = 7
"""Digits by which Git abbreviates a commit; fewer may mean any."""


class Merges:
    """What forges know of commits, ready to be asked."""

    def __init__(self, merges: Iterable[Merge], people: People) -> None:
        self._people = people
        self._by_beginning: dict[str, list[Merge]] = defaultdict(list)
        for merge in merges:
            if len(merge.commit) >= SHORTEST:
                self._by_beginning[merge.commit[:SHORTEST].lower()].append(merge)
        self._histories: dict[int, History] = {}
        self._reviews: dict[tuple[object, ...], Test] = {}

    def of(self, run: Run | None) -> tuple[Merge, ...]:
        """What is known of the commit of a run; of several requests with it, all. In an order of their own."""
        if run is None or len(run.commit) < SHORTEST:
            return ()
        commit = run.commit.lower()
        found = [
            merge
            for merge in self._by_beginning.get(commit[:SHORTEST], ())
            if _same(merge.commit.lower(), commit) and _one_repository(merge.repository, run.repository)
        ]
        return tuple(sorted(found, key=lambda one: (one.commit, one.system, one.repository, one.ref)))

    def history(self, merge: Merge) -> History:
        """Its reviews."""
        found = self._histories.get(id(merge))
        if found is None:
            found = self._histories[id(merge)] = History(merge.history, self._people)
        return found

    def review(self, merges: Sequence[Merge], at: datetime, now: datetime) -> Test:
        """Whether the applied commit had the approval of somebody other than its author at a moment.

        `now` says who is who.
        """
        asked = (*[(id(merge), self.history(merge).epoch(at)) for merge in merges], self._people.era(now))
        found = self._reviews.get(asked)
        if found is None:
            found = self._reviews[asked] = self._review(merges, at, now)
        return found

    def _review(self, merges: Sequence[Merge], at: datetime, now: datetime) -> Test:
        if len({merge.commit for merge in merges}) > 1:
            return Test("review", "unknown", _several(merges))
        found = [self._reviewed(merge, at, now) for merge in merges]
        return min(found, key=lambda test: (("pass", "unknown", "fail").index(test.result), test.evidence))

    def _reviewed(self, merge: Merge, at: datetime, now: datetime) -> Test:
        history = self.history(merge)
        approvers = {self._people.one(name, now): name for name, _ in history.approvals[history.epoch(at)]}
        what = f"{merge.ref or 'commit'} ({merge.commit[:12]})"
        if not approvers:
            return Test("review", "fail", f"{what} was approved by nobody when it was applied")
        if not merge.author and len(approvers) == 1:
            said = f"{what} was approved by {', '.join(approvers.values())}; who wrote it is not known"
            return Test("review", "unknown", said)
        author = self._people.one(merge.author, now) if merge.author else ""
        others = sorted(name for one, name in approvers.items() if one != author)
        by = f"by {merge.author}, " if merge.author else ""
        if not others:
            return Test("review", "fail", f"{what} {by}was approved by nobody else")
        return Test("review", "pass", f"{what} {by}approved by {', '.join(others)}")


def checks(merges: Sequence[Merge]) -> Test | None:
    """Whether the required checks of the applied commit passed; None: there is no commit, or it has none."""
    said = {merge.checks for merge in merges}
    commits = sorted({merge.commit[:12] for merge in merges})
    if len(commits) > 1:
        return Test("checks", "unknown", _several(merges))
    if "failed" in said:
        return Test("checks", "fail", f"required checks of commit {commits[0]} failed")
    if "pending" in said:
        return Test("checks", "unknown", f"required checks of commit {commits[0]} have not ended")
    return Test("checks", "pass", f"required checks of commit {commits[0]} passed") if "passed" in said else None


def _several(merges: Sequence[Merge]) -> str:
    commits = ", ".join(sorted({merge.commit[:12] for merge in merges}))
    return f"the run's commit may be any of {commits}"


def _same(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _one_repository(one: str, other: str) -> bool:
    return not (one and other) or one.casefold() == other.casefold()
